"""OTLP over HTTP, with protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from otel_otlp import environment_variables as env
from otel_otlp.endpoint import http_endpoint
from otel_otlp.exporter import DEFAULT_MAX_REQUEST_BYTES, OTLPExporter
from otel_otlp.headers import resolve_headers
from otel_otlp.http_transport import HTTPTransport
from otel_otlp.tls_files import resolve_tls_files


class OTLPHTTPLogExporter(OTLPExporter):
    """
    Sends log records over OTLP/HTTP.

    Args:
        endpoint: the whole URL, with its path: ``http://collector:4318/v1/logs``.
        headers: sent with each request.
        compression: ``none`` or ``gzip``.
        certificate_file: PEM file of the authorities to trust.
        client_certificate_file: PEM file of what this side shows.
        client_key_file: PEM file of its key.
        timeout_seconds: how long one attempt may take in all, from connecting to the answer's last byte.
        retry_deadline_seconds: after that ``export`` begins no further attempt.
        max_request_bytes: a larger batch is sent in halves, a larger record is not sent; before compression.
        accept_empty: take a 2xx answer without content for a success, against the specification. (204 always is.)

    Arguments that are None come from the environment, see :mod:`otel_otlp.environment_variables`.

    Raises:
        ConfigurationError: a setting cannot be used. The constructor does no I/O and imports no driver.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        compression: str | None = None,
        certificate_file: str | None = None,
        client_certificate_file: str | None = None,
        client_key_file: str | None = None,
        timeout_seconds: float | None = None,
        retry_deadline_seconds: float = env.DEFAULT_RETRY_DEADLINE_SECONDS,
        max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES,
        accept_empty: bool = False,
    ) -> None:
        target = http_endpoint(endpoint)
        connect = partial(
            HTTPTransport,
            target,
            resolve_headers(headers),
            resolve_tls_files(certificate_file, client_certificate_file, client_key_file),
            compress=env.gzip(compression),
            accept_empty=accept_empty,
        )
        super().__init__(
            connect,
            shown=target.shown,
            timeout_seconds=env.timeout_seconds(timeout_seconds),
            retry_deadline_seconds=env.positive_seconds("retry_deadline_seconds", retry_deadline_seconds),
            max_request_bytes=max_request_bytes,
        )
