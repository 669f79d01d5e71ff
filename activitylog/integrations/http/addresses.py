"""
Who asked: the client's address behind the proxies that the application trusts, and behind no others.

Each proxy appends the address it was asked from, so the header is read from its end: addresses of trusted proxies
are skipped, and the first other one is the client's. What stands before it anybody may have written. A place in
the header that holds no address (``unknown``, a name) ends the search at the proxy that wrote it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Final, Literal

from activitylog.exceptions import ConfigurationError, shown

Address = IPv4Address | IPv6Address
#: Who is at the other end: an address, a local socket, or nobody that can be named.
Hop = Address | Literal["unix"] | None
#: Whether the proxy there, so many hops away, may say whom it was asked by.
Trusts = Callable[[Hop, int], bool]

UNIX: Final = "unix"
_MAX_HOPS: Final = 32
#: More than an IPv6 address with zone and port; longer texts are none.
_MAX_LENGTH: Final = 128
_KEPT: Final = 4096
#: ``[::1]:443``, ``[::1]``, ``10.0.0.1:443``.
_WITH_PORT: Final = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


def nobody(_hop: Hop, _number: int) -> bool:
    """Trusts no proxy."""
    return False


def trusts(value: Any) -> Trusts:
    """
    Read the setting ``trusted_proxies``.

    Args:
        value: networks and addresses, one or several (a text may have commas), and ``"unix"`` for a proxy on a
            local socket; or the number of proxies in front, where their addresses are not known.

    Raises:
        ConfigurationError: it is none of these.
    """
    if type(value) is int:
        if not 0 <= value <= _MAX_HOPS:
            raise ConfigurationError(f"trusted_proxies: expected 0 to {_MAX_HOPS} proxies, got {shown(value)}.")
        return lambda _hop, number: number < value
    items = list(_items(value))
    if not items:
        return nobody
    networks = [_network(item) for item in items if item != UNIX]
    local = UNIX in items

    def trusted(hop: Hop, _number: int) -> bool:
        if hop is None:
            return False
        if hop is UNIX:
            return local
        return any(hop in network for network in networks)

    return trusted


def client_address(peer: str | None, forwarded: str | None, trusted: Trusts) -> str | None:
    """
    The client's address as text, without port and zone; None when it is not known.

    Args:
        peer: who is at the other end of the connection; None or empty for a local socket.
        forwarded: the header that proxies append to, all of its lines joined by commas.
        trusted: as :func:`trusts` gives it.
    """
    hop: Hop = UNIX
    found = None
    if peer:
        hop, found = parsed(peer)
    hops = forwarded.rsplit(",", _MAX_HOPS) if forwarded else []
    number = 0
    while hops:
        text = hops.pop().strip(" \t")
        if not text:
            continue  # an empty item is none, as in every list of HTTP
        if not trusted(hop, number):
            break
        hop, known = parsed(text)
        if known is None:
            break
        found = known
        number += 1
    return found


def parsed(text: str) -> tuple[Address, str] | tuple[None, None]:
    """An address without its port and its zone, and its text; twice None when it is none."""
    return (None, None) if len(text) > _MAX_LENGTH else _parsed(text)


@functools.lru_cache(_KEPT)
def _parsed(text: str) -> tuple[Address, str] | tuple[None, None]:
    text = text.strip(' \t"')
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None, None
    address = getattr(address, "ipv4_mapped", None) or address
    return address, str(address)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    if isinstance(value, (IPv4Network, IPv6Network)):
        return [value]
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, Mapping)):
        return value
    raise _refused(value)


def _network(value: Any) -> IPv4Network | IPv6Network:
    if not isinstance(value, (str, IPv4Address, IPv6Address, IPv4Network, IPv6Network)):
        raise _refused(value)
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise _refused(value) from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None:  # at least 96 bits are fixed then
        return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS), strict=False)
    return network


_MAPPED_BITS: Final = 96


def _refused(value: Any) -> ConfigurationError:
    return ConfigurationError(
        f"trusted_proxies: {shown(value)} is no network.",
        hint="Give networks or addresses such as ['10.0.0.0/8', '::1'], 'unix' for a local socket, or the number "
        "of proxies in front of the application.",
    )
