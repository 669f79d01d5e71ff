"""
Where records go, by the rules of the specification ("OpenTelemetry Protocol Exporter").

HTTP: ``OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`` and the argument are used as they are;
``OTEL_EXPORTER_OTLP_ENDPOINT`` is a base, to which ``v1/logs`` is added. Default: ``http://localhost:4318``.

gRPC: ``http://`` is without TLS and ``https://`` with it; without a scheme ``insecure`` decides (with TLS, if
nothing is said). Any other target that gRPC knows (``unix:``, ``dns:``) is used as it is. Default:
``http://localhost:4317``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit

from otel_otlp import environment_variables as env
from otel_otlp.exceptions import ConfigurationError

DEFAULT_HTTP_ENDPOINT: Final = "http://localhost:4318"
DEFAULT_GRPC_ENDPOINT: Final = "http://localhost:4317"
LOGS_PATH: Final = "v1/logs"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A checked endpoint. Only ``shown`` is for people.

    Attributes:
        target: the URL without user and password, or gRPC's target.
        secure: whether TLS is used.
        shown: without user, password and query.
        authorization: the header that user and password of the URL mean, or empty.
        secrets: the query and what it holds, encoded and not.
    """

    target: str = field(repr=False)
    secure: bool
    shown: str
    authorization: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def http_endpoint(given: str | None) -> Endpoint:
    """
    The URL that requests are posted to.

    Raises:
        ConfigurationError: it is not an ``http://`` or ``https://`` URL. The message does not repeat it.
    """
    parts = _split(given or env.logs_text("ENDPOINT") or _base_endpoint())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise _refused("http://host:4318/v1/logs, https://host/v1/logs")
    host = parts.netloc.rpartition("@")[2]
    path = parts.path or "/"
    return Endpoint(
        target=f"{parts.scheme}://{host}{path}{'?' if parts.query else ''}{parts.query}",
        secure=parts.scheme == "https",
        shown=f"{parts.scheme}://{host}{path}",
        authorization=basic_authorization(parts),
        secrets=secrets_of_query(parts.query),
    )


def secrets_of_query(query: str) -> tuple[str, ...]:
    """The query, its values (a name without one may be a key), and what they say: a server may repeat any."""
    raw = [entry.partition("=")[2] if "=" in entry else entry for entry in query.split("&")]
    return query, *raw, *map(unquote, raw), *map(unquote_plus, raw)


def grpc_endpoint(given: str | None, insecure: bool | None) -> Endpoint:
    """
    The target of gRPC's channel.

    Raises:
        ConfigurationError: it has a user, a path or a query, for which gRPC has no place.
    """
    text = (given or env.text("ENDPOINT") or DEFAULT_GRPC_ENDPOINT).strip()
    if "@" in text:
        raise _refused("host:4317, http://host:4317, https://host:4317; credentials belong into headers")
    if not text.lower().startswith(("http://", "https://")):
        return Endpoint(text, secure=not (env.insecure() if insecure is None else insecure), shown=text)
    parts = _split(text)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise _refused("host:4317, http://host:4317, https://host:4317")
    return Endpoint(parts.netloc, secure=parts.scheme == "https", shown=f"{parts.scheme}://{parts.netloc}")


def _base_endpoint() -> str:
    base = env.general_text("ENDPOINT") or DEFAULT_HTTP_ENDPOINT
    path, question, query = base.partition("?")
    return f"{path.rstrip('/')}/{LOGS_PATH}{question}{query}"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text.strip())
        parts.port  # noqa: B018 - raises when it is not a port
    except ValueError:  # its text may quote a part of the password
        raise _refused("a URL, with a password percent-encoded") from None
    if not text.isprintable() or " " in text.strip():
        raise _refused("a URL, with spaces percent-encoded")
    return parts


def basic_authorization(parts: SplitResult) -> str:
    """The header that user and password of a URL mean, or empty."""
    if parts.username is None and parts.password is None:
        return ""
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _refused(accepted: str) -> ConfigurationError:
    return ConfigurationError("The OTLP endpoint cannot be used.", hint=f"Accepted: {accepted}.")
