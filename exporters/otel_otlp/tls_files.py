"""
Certificates and keys, by the paths of their PEM files, and what to do when TLS fails.

OpenSSL says why over HTTP, BoringSSL over gRPC, in names that agree. Of a server that refuses the client, or its
certificate, gRPC only says that what it read cannot be decrypted (``TSI_DATA_CORRUPTED``).
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Final

from otel_otlp import environment_variables as env
from otel_otlp.exceptions import ConfigurationError, NoAnswerError

_NOT_NOW: Final = re.compile(r"certificate (has expired|is not yet valid)")
_OTHER_NAME: Final = re.compile(r"mismatch, certificate is not valid for|Hostname Verification Check failed")
_UNTRUSTED: Final = re.compile(r"CERTIFICATE_VERIFY_FAILED")
_NO_TLS: Final = re.compile(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST")
_VERSION: Final = re.compile(r"ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL")
_CLIENT_REFUSED: Final = re.compile(
    r"ALERT_(CERTIFICATE_\w+|\w+_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR|HANDSHAKE_FAILURE)"
    r"|TSI_DATA_CORRUPTED"
)


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


def load(files: TLSFiles) -> ssl.SSLContext:
    """
    What the files say, as OpenSSL reads them.

    Raises:
        NoAnswerError: one cannot be used; the message names it.
    """
    try:
        context = ssl.create_default_context(cafile=files.certificate or _fallback_authorities())
    except (OSError, ValueError) as error:
        raise unusable(f"The file of trusted authorities {files.certificate}", error) from error
    if files.client_certificate:
        try:
            context.load_cert_chain(files.client_certificate, files.client_key or None, password=_no_password)
        except (OSError, ValueError) as error:
            key = f" with the key {files.client_key}" if files.client_key else ""
            raise unusable(f"The client certificate {files.client_certificate}{key}", error) from error
    return context


def unusable(what: str, error: Exception) -> NoAnswerError:
    """The error for a file that cannot be used."""
    return NoAnswerError("tls", f"{what} cannot be used: {error}")


def hint_of(text: str, tls: TLSFiles) -> str:
    """
    What to do about a failure of TLS; empty when the text does not say what is wrong.

    Args:
        text: of the library.
        tls: the files that were used. Their names are in the hint.
    """
    if _NOT_NOW.search(text):
        return "The server's certificate is not valid now: renew it, or set this machine's clock."
    if _OTHER_NAME.search(text):
        return "The server's certificate is for another name: use one that it is for in the endpoint."
    if _UNTRUSTED.search(text):
        trusted = tls.certificate or "those of the system"
        return (
            f"The server's certificate is of no authority that is trusted here ({trusted}): give the PEM file of "
            "its authority in OTEL_EXPORTER_OTLP_CERTIFICATE."
        )
    if _NO_TLS.search(text):
        return "The server speaks no TLS at this port: turn it on there, or set the endpoint to http://."
    if _VERSION.search(text):
        return "The server and this machine have no version of TLS in common."
    if _CLIENT_REFUSED.search(text):
        return _client_hint(tls)
    return ""


def _client_hint(tls: TLSFiles) -> str:
    if tls.client_certificate:
        return (
            f"The server seems not to take the client certificate {tls.client_certificate}: see that it is of an "
            "authority that the server trusts, and valid now."
        )
    return (
        "The server seems to want a client certificate: give it in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, and its "
        "key in OTEL_EXPORTER_OTLP_CLIENT_KEY."
    )


def _fallback_authorities() -> str | None:
    """certifi's, on a system that has none of its own."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return None
    import certifi

    return certifi.where()


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal, which nobody answers."""
    raise ValueError("the key is encrypted")
