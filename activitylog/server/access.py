"""
Who may speak to the server: any process that reaches it, and no web page of somebody else.

There are no users and no passwords; the address it is bound to is the only fence. A browser on this machine
is inside that fence, and the pages in it are not ours. Three rules keep them out:

- A request with an ``Origin`` other than the server's own address is refused. Browsers send Origin with each
  POST of a page, whatever its content type.
- A request that a browser marks as coming from another site (``Sec-Fetch-Site``) is refused: images, scripts,
  links, which carry no Origin.
- The ``Host`` must be an address, a name without dots, or a name under localhost, local or internal, unless
  it is in ``allowed_hosts``. A page that lets its own name point to 127.0.0.1 (DNS rebinding) speaks under
  its own name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from activitylog.server.errors import ServerError

_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal")


def check(environ: Mapping[str, object], allowed_hosts: Collection[str]) -> None:
    """
    Refuse a request that a foreign web page may have caused.

    Args:
        environ: the WSGI environment.
        allowed_hosts: more names, lower case, under which the server may be addressed.

    Raises:
        ServerError: 497, status 403.
    """
    host = str(environ.get("HTTP_HOST", ""))
    if not _host_is_ours(host, allowed_hosts):
        raise ServerError(
            497,
            f"The request is addressed to {_printable(host)!r}, which is not a name of this server: "
            "use its address, or add the name to allowed_hosts",
        )
    origin = str(environ.get("HTTP_ORIGIN", ""))
    if origin and urlsplit(origin).netloc.lower() != host.lower():
        raise ServerError(497, f"Requests from web pages are refused (Origin {_printable(origin)!r})")
    if environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("none", "same-origin"):
        raise ServerError(497, "Requests from web pages of another site are refused (Sec-Fetch-Site)")


def _host_is_ours(host: str, allowed_hosts: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.rstrip(".")
    if "." not in name and ":" not in name:
        return True
    return name in allowed_hosts or name.endswith(_PRIVATE_SUFFIXES) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a server bound to ``host`` can be reached from this machine alone."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _printable(text: str) -> str:
    return text[:200].encode("ascii", "replace").decode()
