"""Endpoints: where they lead, and what of them may be shown."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote

_URL: Final = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?(?:(.*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?.*", re.DOTALL
)
_HOST: Final = re.compile(r"[A-Za-z0-9._:%*\[\]-]{1,260}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    An endpoint in its parts.

    Attributes:
        scheme: in lower case; empty when there is none.
        host: without port and brackets.
        has_password: whether a password stands in it.
        query: its parameters, the last one of a name.
        authority: host and port as they are written.
        database: the first part of its path.
    """

    scheme: str
    host: str
    has_password: bool
    query: dict[str, str]
    authority: str
    database: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine is meant."""
        if self.scheme in ("unix", "npipe") or self.authority.startswith("unix:"):
            return True
        return _is_loopback(self.host)

    def __str__(self) -> str:
        """Scheme and host with port, without user, password, path and parameters."""
        shown = self.authority if _HOST.fullmatch(self.authority) else "..."
        return f"{self.scheme}://{shown}" if self.scheme else shown


def endpoint_of(text: str) -> Endpoint:
    """The parts of ``host:port``, or of ``scheme://user:password@host:port/path?name=value``."""
    found = _URL.fullmatch(text.strip())
    assert found is not None  # noqa: S101 - every text matches
    scheme, user, authority = (part or "" for part in found.group(1, 2, 3))
    query = dict(parse_qsl(found[5] or "", keep_blank_values=True))
    return Endpoint(
        scheme.lower(),
        _host(unquote(authority)),
        ":" in user or "password" in query,
        query,
        authority,
        (found[4] or "").strip("/"),
    )


def _host(authority: str) -> str:
    """Of several hosts the first one that is not this machine, if there is one."""
    hosts = [_without_port(part) for part in authority.split(",")]
    return next((host for host in hosts if not _is_loopback(host)), hosts[0])


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_port(part: str) -> str:
    if part.startswith("["):
        return part[1:].split("]", maxsplit=1)[0]
    return part.split(":", maxsplit=1)[0] if part.count(":") == 1 else part
