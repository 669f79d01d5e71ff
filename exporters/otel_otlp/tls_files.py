"""Certificates and keys, by the paths of their PEM files."""

from __future__ import annotations

from dataclasses import dataclass

from otel_otlp import environment_variables as env
from otel_otlp.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """
    PEM files, by their paths; an empty path stands for none.

    Attributes:
        certificate: of the authorities to trust instead of the usual ones.
        client_certificate: what this side shows.
        client_key: its key, where it is not in the same file.
    """

    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""


def resolve_tls_files(
    certificate_file: str | None, client_certificate_file: str | None, client_key_file: str | None
) -> TLSFiles:
    """
    The files as given, else as the environment says. They are read at the first attempt, not here.

    Raises:
        ConfigurationError: a key without its certificate.
    """
    files = TLSFiles(
        certificate=certificate_file or env.text("CERTIFICATE"),
        client_certificate=client_certificate_file or env.text("CLIENT_CERTIFICATE"),
        client_key=client_key_file or env.text("CLIENT_KEY"),
    )
    if files.client_key and not files.client_certificate:
        raise ConfigurationError(
            "A client key is given without its certificate.",
            hint="Give client_certificate_file, or OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, as well.",
        )
    return files
