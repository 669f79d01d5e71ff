"""
Who asked: the client's address behind the proxies that the application trusts, and behind no others.

Each proxy appends the address it was asked from, so the header is read from its end: addresses of trusted proxies
are skipped, and the first other one is the client's. What stands before it anybody may have written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from activitylog.exceptions import ConfigurationError, shown

Address = IPv4Address | IPv6Address
#: Whether the proxy at this address may say whom it was asked by; None is a local socket without an address.
Trusts = Callable[[Address | None, int], bool]

UNIX: Final = "unix"
_MAX_HOPS: Final = 32
#: ``[::1]:443``, ``[::1]``, ``10.0.0.1:443``.
_WITH_PORT: Final = re.compile(r"\[([^\]]+)\](?::\d+)?|([0-9.]+):\d+")


def trusts(value: Any) -> Trusts:
    """
    Read the setting ``trusted_proxies``.

    Args:
        value: networks and addresses, one or several, and ``"unix"`` for a proxy on a local socket; or the number
            of proxies in front, where their addresses are not known.

    Raises:
        ConfigurationError: it is none of these.
    """
    if type(value) is int:
        if not 0 <= value <= _MAX_HOPS:
            raise ConfigurationError(f"trusted_proxies: expected 0 to {_MAX_HOPS} proxies, got {shown(value)}.")
        return lambda _address, hops: hops < value
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise _refused(value)
    networks = [_network(item) for item in value if item != UNIX]
    local = UNIX in value

    def trusted(address: Address | None, _hops: int) -> bool:
        if address is None:
            return local
        return any(address in network for network in networks)

    return trusted


def client_address(peer: str | None, forwarded: str | None, trusted: Trusts) -> str | None:
    """
    The client's address as text, without a port.

    Args:
        peer: who is at the other end of the connection; None or empty for a local socket.
        forwarded: the header that proxies append to, all of its lines joined by commas.
        trusted: as :func:`trusts` gives it.
    """
    address = parsed(peer)
    found = address
    hops = reversed(forwarded.split(",")[-_MAX_HOPS:]) if forwarded else iter(())
    for number, hop in enumerate(hops):
        if (address is None and number) or not trusted(address, number):
            break
        address = parsed(hop)
        if address is None:
            break
        found = address
    return None if found is None else str(found)


def parsed(text: str | None) -> Address | None:
    """An address, without its port and its zone; None when it is none."""
    text = (text or "").strip().strip('"')
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(value: Any) -> Any:
    try:
        network = ip_network(value, strict=False)
    except (ValueError, TypeError):
        raise _refused(value) from None
    if isinstance(network, IPv6Network) and (mapped := network.network_address.ipv4_mapped):
        return ip_network((mapped, max(network.prefixlen - 96, 0)), strict=False)
    return network


def _refused(value: Any) -> ConfigurationError:
    return ConfigurationError(
        f"trusted_proxies: {shown(value)} is no network.",
        hint="Give networks or addresses such as ['10.0.0.0/8', '::1'], 'unix' for a local socket, or the number "
        "of proxies in front of the application.",
    )
