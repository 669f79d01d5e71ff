"""
Where the rows go, as one text: parsed and checked by the constructor, printed without its password.

=========================================  =====================================================
``clickhouse://user:pw@host:8123/db``      a server over HTTP; also ``http://``
``clickhouses://user:pw@host:8443/db``     over TLS; also ``https://``
``chdb:///abs/dir``                        the embedded engine in a folder
``chdb://memory``                          the embedded engine in memory, gone with the process
=========================================  =====================================================

User and password are percent-encoded where they hold ``:/?#[]@%``. Behind ``?`` a server takes the options of
:data:`OPTIONS`, and the embedded engine ``database``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from otel_clickhouse.exceptions import ConfigurationError

ACCEPTED: Final = (
    "clickhouse://user:password@host:8123/database, clickhouses:// (TLS, port 8443), http://, https://, "
    "chdb:///abs/dir, chdb://memory"
)

#: What a server's DSN may say behind '?': how the driver connects. ClickHouse settings go elsewhere.
OPTIONS: Final = frozenset(
    {"ca_cert", "client_cert", "client_cert_key", "compress", "http_proxy", "https_proxy", "proxy_path",
     "server_host_name", "tls_mode", "verify"}
)  # fmt: skip

_SECURE_OF_SCHEME: Final = MappingProxyType(
    {"clickhouse": False, "http": False, "clickhouses": True, "https": True}
)
_CREDENTIALS: Final = re.compile(r"(?<=//).*@", re.DOTALL)
_SCHEME: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")


@dataclass(frozen=True, slots=True)
class DSN:
    """
    A parsed DSN. ``str`` and ``repr`` hide the password, and the options: a proxy may have one of its own.

    Attributes:
        embedded: whether it names the engine in this process.
        path: folder of the embedded engine, empty for the one in memory.
        database: empty for the user's default.
        options: how the driver connects, see :data:`OPTIONS`.
    """

    embedded: bool
    shown: str
    host: str = ""
    port: int = 0
    secure: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    path: str = ""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.shown


def redact(text: str) -> str:
    """The text with everything between ``//`` and the last ``@`` hidden: nobody knows where a password ends."""
    return _CREDENTIALS.sub("***@", text)


def parse_dsn(text: str) -> DSN:
    """
    Parse and check one DSN.

    Raises:
        ConfigurationError: it is none of the accepted forms. The message does not repeat the password.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:  # its text may quote a part of the password
        raise _refused(text, "is not a URL; a password must be percent-encoded") from None
    if parts.scheme == "chdb":
        return _embedded(text, parts)
    if parts.scheme not in _SECURE_OF_SCHEME:
        raise _refused(text, "has an unknown scheme" if parts.scheme else "has no scheme")
    if not parts.hostname:
        raise _refused(text, "names no host")
    database = unquote(parts.path.strip("/"))
    if "/" in database or parts.fragment:
        raise _refused(text, "has more than a database after the host")
    secure = _SECURE_OF_SCHEME[parts.scheme]
    return DSN(
        embedded=False,
        shown=_shown(text, parts),
        host=parts.hostname,
        port=port or (8443 if secure else 8123),
        secure=secure,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=database,
        options=_options(text, parts, OPTIONS),
    )


def _embedded(text: str, parts: SplitResult) -> DSN:
    options = _options(text, parts, frozenset({"database"}))
    in_memory = parts.netloc == "memory"
    if parts.fragment or (not in_memory and (parts.netloc or not parts.path.strip("/"))):
        raise _refused(text, "names no absolute folder (three slashes: chdb:///var/lib/logs)")
    database = options.get("database", "") or (unquote(parts.path.strip("/")) if in_memory else "")
    path = "" if in_memory else unquote(parts.path)
    return DSN(embedded=True, shown=text.strip(), database=database, path=path)


def _options(text: str, parts: SplitResult, accepted: frozenset[str]) -> Mapping[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = [name for name in options if name not in accepted]  # the first one is no rest of a value with an "&"
    if unknown and "@" in parts.query:  # the "?" may be one of a password
        raise _refused(text, "has an unknown option; in a password ? must be written %3F")
    if unknown:
        raise ConfigurationError(
            f"The DSN {_shown(text, parts)!r} has the unknown option {unknown[0]!r}.",
            hint=f"Accepted: {', '.join(sorted(accepted))}. ClickHouse settings are the argument settings=.",
        )
    return MappingProxyType(options)


def _shown(text: str, parts: SplitResult) -> str:
    """The DSN without its password and without options, which may name proxies with passwords of their own."""
    if parts.password is None:
        return redact(text.strip().partition("?")[0]) if not parts.username else text.strip().partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{parts.username}:***@{host}{parts.path}"


def _refused(text: str, why: str) -> ConfigurationError:
    """
    It may be any text. So what is before the last ``@`` is hidden, and what is behind a ``?`` or ``#``: a password
    may be in both. Where a ``?`` is before the ``@``, that may be one of an option's value, and all is hidden.
    """
    secret, at, rest = text.strip().rpartition("@")
    shown = re.split(r"[?#]", rest, maxsplit=1)[0]
    if at:
        scheme = _SCHEME.match(secret)
        shown = f"{scheme[0] if scheme else ''}***{'' if '?' in secret else f'@{shown}'}"
    return ConfigurationError(f"The DSN {shown!r} {why}.", hint=f"Accepted: {ACCEPTED}.")
