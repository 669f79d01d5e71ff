"""
Where events go, as one URL. Parsed and checked at configure; no secret leaves it in print.

=====================================  ============================================================
``chdb:///abs/dir``, ``chdb://memory``  the embedded ClickHouse engine, in a folder or in memory
``clickhouse://user:pw@host:8123/db``   a ClickHouse server over HTTP (``clickhouses://``: TLS, 8443)
``otlp://host:4317``                    OTLP over gRPC (``otlps://``: TLS)
``otlp+http://host:4318``               OTLP over HTTP (``otlp+https://``: TLS)
``console:``                            one JSON document a line on standard output
``memory:``                             a list in this process, for tests
=====================================  ============================================================

User and password are percent-encoded where they hold ``:/?#@%``. What a destination cannot use is refused, not
ignored. An error shows of a URL only its scheme: where a URL is wrong, nobody knows which part is the password.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from activitylog.exceptions import ConfigurationError


class Scheme(NamedTuple):
    """What a URL's scheme means."""

    kind: str
    secure: bool = False
    port: int = 0


SCHEMES: Final[Mapping[str, Scheme]] = MappingProxyType(
    {
        "chdb": Scheme("chdb"),
        "clickhouse": Scheme("clickhouse", port=8123),
        "clickhouses": Scheme("clickhouse", secure=True, port=8443),
        "otlp": Scheme("otlp", port=4317),
        "otlps": Scheme("otlp", secure=True, port=4317),
        "otlp+http": Scheme("otlp+http", port=4318),
        "otlp+https": Scheme("otlp+http", secure=True, port=4318),
        "console": Scheme("console"),
        "memory": Scheme("memory"),
    }
)

ACCEPTED: Final = (
    "chdb:///abs/dir, chdb://memory, clickhouse://user:password@host:8123/database, clickhouses:// (TLS), "
    "otlp://host:4317, otlps://, otlp+http://host:4318, otlp+https://, console:, memory:"
)

#: Options whose values may be printed. Any other may hold a secret: ``password``, ``access_token``, a proxy's URL.
_HARMLESS_OPTIONS: Final = frozenset(
    {
        "ca_cert",
        "client_cert",
        "compress",
        "connect_timeout",
        "send_receive_timeout",
        "server_host_name",
        "tls_mode",
        "verify",
    }
)
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{0,19}):(//)?", re.IGNORECASE)
_ENCODING: Final = "Percent-encode in user and password: @ as %40, # as %23, / as %2F, : as %3A, ? as %3F."


@dataclass(frozen=True, slots=True)
class DestinationURL:
    """
    A parsed URL. ``repr`` and ``str`` show ``***`` for the password and for the value of every option that is not
    known to be harmless; :meth:`reveal` gives the real text.

    Attributes:
        kind: ``chdb``, ``clickhouse``, ``otlp``, ``otlp+http``, ``console`` or ``memory``.
        path: of the URL, decoded; for ``chdb`` the folder, or ``memory``.
    """

    scheme: str
    kind: str
    secure: bool = False
    host: str = ""
    port: int = 0
    username: str = ""
    path: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _password: str = field(default="", repr=False)

    @property
    def password(self) -> str:
        """The password, decoded; empty when there is none."""
        return self._password

    @property
    def address(self) -> str:
        """Host and port as a URL has them: an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def reveal(self) -> str:
        """The whole URL, with its secrets: for the driver, never for print."""
        return self._text(quote(self._password, safe=""), dict(self.options))

    def __str__(self) -> str:
        shown = {name: value if name in _HARMLESS_OPTIONS else "***" for name, value in self.options.items()}
        return self._text("***", shown)

    def __repr__(self) -> str:
        return f"DestinationURL({str(self)!r})"

    def _text(self, password: str, options: Mapping[str, str]) -> str:
        if self.kind == "chdb":
            return f"chdb://{quote(self.path)}"
        if not self.host:
            return f"{self.scheme}:"
        user = quote(self.username, safe="") + (f":{password}" if self._password else "")
        query = "&".join(f"{quote(name)}={quote(value, safe='/*')}" for name, value in options.items())
        return (
            f"{self.scheme}://{user}{'@' if user else ''}{self.address}"
            f"{quote(self.path)}{'?' if query else ''}{query}"
        )


def parse(text: str) -> DestinationURL:
    """
    Parse and check one URL.

    Raises:
        ConfigurationError: it is not one of the accepted forms. The message shows its scheme and nothing else.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"expected a URL, got {type(text).__name__}.", hint=f"Accepted: {ACCEPTED}.")
    parts = _split(text)
    if parts is None:
        raise _refused(text, "is not a URL (its host or port is wrong)", f"{_ENCODING} Accepted: {ACCEPTED}.")
    scheme = SCHEMES.get(parts.scheme)
    if scheme is None:
        raise _unknown_scheme(text, parts.scheme)
    if scheme.kind == "chdb":
        return _chdb(text, parts)
    if scheme.kind in ("console", "memory"):
        return _in_process(text, parts)
    _check_server(text, parts)
    if scheme.kind.startswith("otlp"):
        _check_otlp(text, parts, path_allowed=scheme.kind == "otlp+http")
    return DestinationURL(
        scheme=parts.scheme,
        kind=scheme.kind,
        secure=scheme.secure,
        host=parts.hostname or "",
        port=parts.port or scheme.port,
        username=unquote(parts.username or ""),
        path=unquote(parts.path).rstrip("/"),
        options=MappingProxyType(dict(parse_qsl(parts.query, keep_blank_values=True))),
        _password=unquote(parts.password or ""),
    )


def _split(text: str) -> SplitResult | None:
    """The parts of a URL; None when it is none. Python's own errors repeat the text, so they end here."""
    try:
        parts = urlsplit(text.strip())
        parts.port  # noqa: B018 - raises when it is not a port
    except ValueError:
        return None
    return parts


def _chdb(text: str, parts: SplitResult) -> DestinationURL:
    if parts.query or parts.fragment:
        raise _refused(text, "takes no options after the folder", "Leave out what follows '?' or '#'.")
    if parts.netloc == "memory" and parts.path in ("", "/"):
        return DestinationURL("chdb", "chdb", path="memory")
    if parts.netloc or not parts.path.startswith("/") or parts.path.strip("/") == "":
        raise _refused(
            text,
            "names no folder by an absolute path",
            "Write three slashes, chdb:///var/lib/activity, or chdb://memory for a store in memory.",
        )
    return DestinationURL("chdb", "chdb", path=unquote(parts.path).rstrip("/"))


def _in_process(text: str, parts: SplitResult) -> DestinationURL:
    if parts.netloc or parts.path or parts.query or parts.fragment:
        raise _refused(text, "takes nothing after its scheme", f"Write '{parts.scheme}:' and nothing else.")
    return DestinationURL(parts.scheme, parts.scheme)


def _check_server(text: str, parts: SplitResult) -> None:
    if "#" in text or "@" in parts.path or "@" in parts.query:
        # A '/', '?' or '#' of a password ends the host early: the rest would be a path, printed, or be ignored.
        raise _refused(text, "has a '#', or an '@' after its host", _ENCODING)
    if not parts.hostname:
        raise _refused(text, "names no host", f"Accepted: {ACCEPTED}.")
    if parts.query and not all("=" in option for option in parts.query.split("&")):
        raise _refused(text, "has an option without a value", "Write options as name=value, joined by '&'.")


def _check_otlp(text: str, parts: SplitResult, *, path_allowed: bool) -> None:
    refused = [
        name
        for name, given in (
            ("user or password", "@" in parts.netloc),
            ("path", not path_allowed and parts.path.strip("/")),
            ("options", parts.query),
        )
        if given
    ]
    if refused:
        raise _refused(
            text,
            f"takes no {' and no '.join(refused)}",
            "Give credentials and other headers in OTEL_EXPORTER_OTLP_HEADERS, and here only the host and port"
            + (" and the path." if path_allowed else "."),
        )


def _unknown_scheme(text: str, scheme: str) -> ConfigurationError:
    near = difflib.get_close_matches(scheme, SCHEMES, n=1)
    if scheme in ("http", "https"):
        hint = "Say what listens there: clickhouse:// for ClickHouse, otlp+http:// for a Collector"
        hint += " (with TLS clickhouses://, otlp+https://)."
    elif near:
        hint = f"Did you mean {near[0]}:? Accepted: {ACCEPTED}."
    else:
        hint = f"Accepted: {ACCEPTED}."
    return _refused(text, "begins with no known scheme", hint)


def _refused(text: str, problem: str, hint: str) -> ConfigurationError:
    found = _SCHEME.match(text.strip())
    # In 'user:password@host' what stands before the colon is no scheme.
    shown = found is not None and (found[2] or found[1].lower() in SCHEMES)
    name = f"The destination '{found[0]}...'" if found and shown else "The destination"
    return ConfigurationError(f"{name} {problem}.", hint=hint)
