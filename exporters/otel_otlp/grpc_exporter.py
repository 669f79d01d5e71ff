"""OTLP over gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from otel_otlp import environment_variables as env
from otel_otlp.endpoint import grpc_endpoint
from otel_otlp.exporter import DEFAULT_MAX_REQUEST_BYTES, OTLPExporter
from otel_otlp.grpc_transport import GRPCTransport
from otel_otlp.headers import resolve_headers
from otel_otlp.tls_files import resolve_tls_files


class OTLPGRPCLogExporter(OTLPExporter):
    """
    Sends log records over OTLP/gRPC.

    Args:
        endpoint: ``http://host:4317``, ``https://host:4317``, or ``host:4317`` and
        insecure: whether the last goes without TLS.
        headers: sent with each call, as metadata.
        compression: ``none`` or ``gzip``.
        certificate_file: PEM file of the authorities to trust.
        client_certificate_file: PEM file of what this side shows.
        client_key_file: PEM file of its key.
        timeout_seconds: how long one attempt may take in all.
        retry_deadline_seconds: after that ``export`` begins no further attempt.
        max_request_bytes: a larger batch is sent in halves, a larger record is not sent; before compression.

    Arguments that are None come from the environment, see :mod:`otel_otlp.environment_variables`.

    Raises:
        ConfigurationError: a setting cannot be used. The constructor does no I/O and does not import gRPC.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        insecure: bool | None = None,
        headers: Mapping[str, str] | None = None,
        compression: str | None = None,
        certificate_file: str | None = None,
        client_certificate_file: str | None = None,
        client_key_file: str | None = None,
        timeout_seconds: float | None = None,
        retry_deadline_seconds: float = env.DEFAULT_RETRY_DEADLINE_SECONDS,
        max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES,
    ) -> None:
        target = grpc_endpoint(endpoint, insecure)
        connect = partial(
            GRPCTransport,
            target,
            resolve_headers(headers),
            resolve_tls_files(certificate_file, client_certificate_file, client_key_file),
            compress=env.gzip(compression),
        )
        super().__init__(
            connect,
            shown=target.shown,
            timeout_seconds=env.timeout_seconds(timeout_seconds),
            retry_deadline_seconds=env.positive_seconds("retry_deadline_seconds", retry_deadline_seconds),
            max_request_bytes=max_request_bytes,
        )
