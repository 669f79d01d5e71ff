"""
Where events go, as one URL. Parsed and checked at configure; the password never leaves it in print.

=====================================  ============================================================
``chdb:///abs/dir``, ``chdb://memory``  the embedded ClickHouse engine, in a folder or in memory
``clickhouse://user:pw@host:8123/db``   a ClickHouse server over HTTP (``clickhouses://``: TLS, 8443)
``otlp://host:4317``                    OTLP over gRPC (``otlps://``: TLS)
``otlp+http://host:4318``               OTLP over HTTP (``otlp+https://``: TLS)
``console:``                            one JSON document a line on standard output
``memory:``                             a list in this process, for tests
=====================================  ============================================================
"""

from __future__ import annotations

import difflib
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


@dataclass(frozen=True, slots=True)
class DestinationURL:
    """
    A parsed URL. ``repr`` and ``str`` show ``***`` for the password; :meth:`reveal` gives the real text.

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

    def reveal(self) -> str:
        """The whole URL, with its password: for the driver, never for print."""
        return self._text(quote(self._password, safe=""))

    def __str__(self) -> str:
        return self._text("***")

    def __repr__(self) -> str:
        return f"DestinationURL({str(self)!r})"

    def _text(self, password: str) -> str:
        if self.kind == "chdb":
            return f"chdb://{quote(self.path)}"
        if not self.host:
            return f"{self.scheme}:"
        user = quote(self.username, safe="") + (f":{password}" if self._password else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = "&".join(f"{quote(key)}={quote(value)}" for key, value in self.options.items())
        return (
            f"{self.scheme}://{user}{'@' if user else ''}{host}:{self.port}"
            f"{quote(self.path)}{'?' if query else ''}{query}"
        )


def parse(text: str) -> DestinationURL:
    """
    Parse and check one URL.

    Raises:
        ConfigurationError: it is not one of the accepted forms. The message never repeats a password.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except (ValueError, AttributeError, TypeError):
        # Not even the host is shown: where the URL does not parse, nobody knows which part is the password.
        beginning = text.partition("//")[0] if isinstance(text, str) else type(text).__name__
        raise ConfigurationError(
            f"The destination that begins with {beginning[:20]!r} is not a URL (its host or port is wrong).",
            hint=f"Accepted: {ACCEPTED}.",
        ) from None
    scheme = SCHEMES.get(parts.scheme)
    if scheme is None:
        raise _unknown_scheme(text, parts.scheme)
    if scheme.kind == "chdb":
        return _chdb(parts)
    if scheme.kind in ("console", "memory"):
        return DestinationURL(parts.scheme, scheme.kind)
    if not parts.hostname:
        raise ConfigurationError(
            f"The destination {_redacted(text)!r} names no host.", hint=f"Accepted: {ACCEPTED}."
        )
    return DestinationURL(
        scheme=parts.scheme,
        kind=scheme.kind,
        secure=scheme.secure,
        host=parts.hostname,
        port=port or scheme.port,
        username=unquote(parts.username or ""),
        path=unquote(parts.path).rstrip("/"),
        options=MappingProxyType(dict(parse_qsl(parts.query, keep_blank_values=True))),
        _password=unquote(parts.password or ""),
    )


def _chdb(parts: SplitResult) -> DestinationURL:
    if parts.netloc == "memory" and parts.path in ("", "/"):
        return DestinationURL("chdb", "chdb", path="memory")
    if parts.netloc or not parts.path.startswith("/") or parts.path.strip("/") == "":
        given = f"chdb://{parts.netloc}{parts.path}"
        raise ConfigurationError(
            f"The folder of {given!r} is not an absolute path.",
            hint="Write three slashes, chdb:///var/lib/activity, or chdb://memory for a store in memory.",
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"chdb://{parts.path} takes no options after the folder.",
            hint="Leave out what follows '?' or '#'.",
        )
    return DestinationURL("chdb", "chdb", path=unquote(parts.path).rstrip("/"))


def _unknown_scheme(text: str, scheme: str) -> ConfigurationError:
    near = difflib.get_close_matches(scheme, SCHEMES, n=1)
    if scheme in ("http", "https"):
        hint = "Say what listens there: clickhouse:// for ClickHouse, otlp+http:// for a Collector"
        hint += " (with TLS clickhouses://, otlp+https://)."
    elif near:
        hint = f"Did you mean {near[0]}:? Accepted: {ACCEPTED}."
    else:
        hint = f"Accepted: {ACCEPTED}."
    return ConfigurationError(f"The destination {_redacted(text)!r} begins with no known scheme.", hint=hint)


def _redacted(text: object) -> str:
    """The text for a message, with what stands between the first ':' and the last '@' after '//' hidden."""
    shown = str(text)
    head, slashes, rest = shown.partition("//")
    if "@" not in (rest or head):
        return shown
    user, _, host = (rest or head).rpartition("@")
    name, colon, _ = user.partition(":")
    secret = "***@" if colon or not slashes else "@"
    return f"{head + slashes if slashes else ''}{name if slashes else ''}{':' if colon else ''}{secret}{host}"
