"""The client's address behind proxies: nobody can choose it who is not trusted."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.http.addresses import client_address, trusts

PRIVATE = trusts(["10.0.0.0/8", "fd00::/8"])


class TestWithoutProxies:
    """By default nobody is believed."""

    @pytest.mark.parametrize("forwarded", [None, "", "203.0.113.7", "203.0.113.7, 10.0.0.1", "unknown"])
    def test_the_header_of_a_stranger_is_not_read(self, forwarded: str | None) -> None:
        """Who connects is the client, whatever it writes."""
        assert client_address("198.51.100.1", forwarded, trusts([])) == "198.51.100.1"
        assert client_address("198.51.100.1", forwarded, PRIVATE) == "198.51.100.1"
        assert client_address("198.51.100.1", forwarded, trusts(0)) == "198.51.100.1"

    @pytest.mark.parametrize("peer", [None, ""])
    def test_a_local_socket_has_no_address(self, peer: str | None) -> None:
        """And is not trusted unless that was said."""
        assert client_address(peer, "203.0.113.7", PRIVATE) is None
        assert client_address(peer, "203.0.113.7", trusts([])) is None

    @pytest.mark.parametrize("peer", ["testclient", "unix", "localhost", "999.1.1.1", "[::1", "1.2.3.4.5"])
    def test_a_peer_that_is_no_address_is_nobody(self, peer: str) -> None:
        """Not a local socket either, even when its name says so."""
        assert client_address(peer, "203.0.113.7", trusts(["unix", "0.0.0.0/0"])) is None


class TestBehindProxies:
    """The header is read from its end, through those that are trusted."""

    def test_one_proxy(self) -> None:
        """Its header says who asked it."""
        assert client_address("10.0.0.1", "203.0.113.7", PRIVATE) == "203.0.113.7"

    def test_several_proxies(self) -> None:
        """Each of them is skipped."""
        assert client_address("10.0.0.1", "203.0.113.7, 10.0.0.3, 10.0.0.2", PRIVATE) == "203.0.113.7"

    def test_what_the_client_wrote_itself_counts_for_nothing(self) -> None:
        """Proxies append: what stands before the first stranger is a stranger's word."""
        assert client_address("10.0.0.1", "10.9.9.9, 127.0.0.1, 203.0.113.7", PRIVATE) == "203.0.113.7"

    def test_a_client_inside_is_the_outermost_address(self) -> None:
        """Where all are trusted the first one asked."""
        assert client_address("10.0.0.1", "10.0.0.9, 10.0.0.2", PRIVATE) == "10.0.0.9"

    @pytest.mark.parametrize("garbage", ["unknown", "_hidden", "203.0.113.7:80:80", "203.0.113", "<script>"])
    def test_garbage_ends_the_search_at_who_wrote_it(self, garbage: str) -> None:
        """And is never an address itself."""
        assert client_address("10.0.0.1", f"198.51.100.1, {garbage}", PRIVATE) == "10.0.0.1"
        assert client_address("10.0.0.1", f"198.51.100.1, {garbage}, 10.0.0.2", PRIVATE) == "10.0.0.2"

    def test_empty_items_are_none(self) -> None:
        """As in every list of HTTP; also where proxies leave a comma."""
        assert client_address("10.0.0.1", " ,203.0.113.7, ,", PRIVATE) == "203.0.113.7"

    def test_a_proxy_on_a_local_socket(self) -> None:
        """Is trusted by name."""
        assert client_address("", "198.51.100.1, 203.0.113.7", trusts("unix")) == "203.0.113.7"
        assert client_address(None, "203.0.113.7, 10.0.0.2", trusts(["unix", "10.0.0.0/8"])) == "203.0.113.7"
        assert client_address(None, None, trusts("unix")) is None

    @pytest.mark.parametrize(
        ("hops", "address"),
        [
            (0, "192.0.2.1"),
            (1, "192.0.2.3"),
            (2, "192.0.2.2"),
            (3, "203.0.113.7"),
            (4, "198.51.100.9"),
            (9, "198.51.100.9"),
        ],
    )
    def test_a_number_of_proxies(self, hops: int, address: str) -> None:
        """So many are skipped from the end, whoever they are; not more than there are."""
        forwarded = "198.51.100.9, 203.0.113.7, 192.0.2.2, 192.0.2.3"
        assert client_address("192.0.2.1", forwarded, trusts(hops)) == address

    def test_a_number_of_proxies_counts_a_local_socket(self) -> None:
        """And peers that are no address."""
        assert client_address("", "203.0.113.7", trusts(1)) == "203.0.113.7"
        assert client_address("testclient", "203.0.113.7", trusts(1)) == "203.0.113.7"

    def test_only_the_end_of_a_long_header_is_read(self) -> None:
        """A client cannot make it work."""
        forwarded = ",".join(["198.51.100.1"] * 100_000 + ["10.0.0.2"] * 40)
        assert client_address("10.0.0.1", forwarded, PRIVATE) == "10.0.0.2"
        assert client_address("10.0.0.1", "1" * 1_000_000, PRIVATE) == "10.0.0.1"


class TestForms:
    """However an address is written, it is stored in one form."""

    @pytest.mark.parametrize(
        ("written", "stored"),
        [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7\t", "203.0.113.7"),
            ("203.0.113.7:51234", "203.0.113.7"),
            ('"203.0.113.7:51234"', "203.0.113.7"),
            ("2001:DB8::1", "2001:db8::1"),
            ("2001:0db8:0:0:0:0:0:1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ('"[2001:db8::1]:443"', "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:cb00:7107]:80", "203.0.113.7"),
        ],
    )
    def test_forms(self, written: str, stored: str) -> None:
        """As a peer and in a header."""
        assert client_address(written, None, trusts([])) == stored
        assert client_address("10.0.0.1", written, PRIVATE) == stored

    @pytest.mark.parametrize("written", ["fe80::1%" + "x" * 200, "1" * 1_000_000, "203.0.113.7:" + "1" * 200])
    def test_what_is_too_long_to_be_one(self, written: str) -> None:
        """Is none: it would only fill the memory of those that were seen."""
        assert client_address(written, None, trusts([])) is None
        assert client_address("10.0.0.1", f"{written}, 203.0.113.7{' ' * 200}", PRIVATE) == "203.0.113.7"
        assert client_address("10.0.0.1", f"203.0.113.7, {written}", PRIVATE) == "10.0.0.1"

    def test_a_mapped_proxy_is_the_same_proxy(self) -> None:
        """A server that listens on ``::`` says ``::ffff:10.0.0.1``."""
        assert client_address("::ffff:10.0.0.1", "203.0.113.7", PRIVATE) == "203.0.113.7"
        assert client_address("10.0.0.1", "203.0.113.7", trusts("::ffff:10.0.0.0/104")) == "203.0.113.7"
        assert client_address("11.0.0.1", "203.0.113.7", trusts("::ffff:10.0.0.0/104")) == "11.0.0.1"


class TestTrusts:
    """What may be set, and what may not."""

    @pytest.mark.parametrize(
        "value",
        [
            "10.0.0.1",
            "192.0.2.0/24, 10.0.0.0/8",
            ["10.0.0.1"],
            ("10.0.0.9/8",),
            {"10.0.0.0/8"},
            iter(["10.0.0.0/8"]),
            [IPv4Address("10.0.0.1")],
            ip_network("10.0.0.0/8"),
            1,
        ],
    )
    def test_forms_that_are_accepted(self, value: Any) -> None:
        """Networks, addresses, one or several, and a number."""
        assert client_address("10.0.0.1", "203.0.113.7", trusts(value)) == "203.0.113.7"

    @pytest.mark.parametrize(
        "value",
        [
            *("", "*", "10.0.0.0/33", "proxy.example.org", b"10.0.0.1", "https://user:hunter2@proxy/"),
            *(["10.0.0.0/8", ""], [1], [b"\x0a\0\0\1"], [None], [["10.0.0.1"]], {"10.0.0.1": True}),
            *(True, False, 1.0, -1, 33, object()),
        ],
    )
    def test_anything_else_is_an_error(self, value: Any) -> None:
        """At configure time, with what is accepted, and without what may be a secret."""
        with pytest.raises(ConfigurationError, match="trusted_proxies") as caught:
            trusts(value)
        assert "hunter2" not in str(caught.value)


@dataclass(frozen=True)
class Written:
    """An address, and how somebody writes it; None is what is no address."""

    text: str
    address: IPv4Address | IPv6Address | None


def _decorated(address: IPv4Address | IPv6Address, port: int | None, zone: bool, quoted: bool) -> Written:
    text = str(address)
    if isinstance(address, IPv6Address):
        text += "%eth0" if zone else ""
        text = f"[{text}]" if port is not None or quoted else text
    text += "" if port is None else f":{port}"
    return Written(f'"{text}"' if quoted else text, address)


#: Few networks, so that trusted and other ones are mixed.
V4 = st.builds(
    lambda first, last: IPv4Address((first << 24) + last), st.sampled_from([10, 172, 203]), st.integers(0, 9)
)
V6 = st.builds(
    lambda first, last: IPv6Address((first << 112) + last),
    st.sampled_from([0xFD00, 0x2001, 0xFE80]),
    st.integers(0, 9),
)
ADDRESSES = st.builds(
    _decorated, V4 | V6, st.none() | st.integers(1, 65_535), st.booleans(), st.booleans()
)  # fmt: skip
MAPPED = V4.map(lambda address: Written(f"::ffff:{address}", address))
GARBAGE = st.sampled_from(
    ["unknown", "_gazonk", "10.0.0", "10.0.0.256", "fd00:::1", "[10.0.0.1", "10.0.0.1]", "-", "\x00"]
).map(lambda text: Written(text, None))
ENTRIES = st.one_of(ADDRESSES, MAPPED, ADDRESSES, GARBAGE)
PADDING = st.sampled_from(["", " ", "\t", "  "])


def _trusted(address: IPv4Address | IPv6Address, prefixes: set[int]) -> bool:
    """The first byte (of four) or two bytes (of sixteen) decide in this model."""
    first = int(address) >> (24 if address.version == 4 else 112)
    return first in prefixes


class TestAgainstAModel:
    """The rule once more, as a sentence about lists, without parsing anything."""

    @given(
        peer=ENTRIES,
        header=st.lists(st.tuples(ENTRIES, PADDING, PADDING), max_size=6),
        prefixes=st.sets(st.sampled_from([10, 172, 0xFD00, 0xFE80])),
    )
    def test_by_networks(self, peer: Written, header: list[tuple[Written, str, str]], prefixes: set[int]) -> None:
        """The last entry that is reached through nothing but trusted ones, as far as they are addresses."""
        chain = [peer, *(entry for entry, _, _ in reversed(header))]
        reached: list[Written] = []
        for entry in chain:
            reached.append(entry)
            if entry.address is None or not _trusted(entry.address, prefixes):
                break
        known = [entry.address for entry in reached if entry.address is not None]
        expected = str(known[-1]) if known else None
        networks = [f"{p}.0.0.0/8" if p < 256 else f"{p:x}::/16" for p in sorted(prefixes)]
        forwarded = ",".join(f"{before}{entry.text}{after}" for entry, before, after in header)
        assert client_address(peer.text, forwarded, trusts(networks)) == expected

    @given(peer=ENTRIES, header=st.lists(ENTRIES, max_size=6), hops=st.integers(0, 8))
    def test_by_number(self, peer: Written, header: list[Written], hops: int) -> None:
        """The entry so many places from the end, or the last before what is no address."""
        chain = [peer, *reversed(header)][: hops + 1]
        known = [peer.address]
        for entry in chain[1:]:
            if entry.address is None:
                break
            known.append(entry.address)
        expected = None if known[-1] is None else str(known[-1])
        assert client_address(peer.text, ",".join(entry.text for entry in header), trusts(hops)) == expected

    @given(
        peer=V4.map(str),
        honest=V4 | V6,
        spoofed=st.text(max_size=60),
        proxies=st.lists(st.integers(0, 9).map(lambda n: f"10.0.0.{n}"), max_size=4),
    )
    def test_nobody_chooses_an_address(self, peer: str, honest: Any, spoofed: str, proxies: list[str]) -> None:
        """Whatever a client sends before it is at its proxies, it is known by the address they saw."""
        trusted = trusts(["10.0.0.0/8"])
        if _trusted(honest, {10}):
            return
        forwarded = ", ".join([spoofed, str(honest), *proxies])
        assert client_address("10.1.1.1", forwarded, trusted) == str(honest)
        if not peer.startswith("10."):
            assert client_address(peer, forwarded, trusted) == peer

    @given(
        peer=st.none() | st.text(max_size=50), header=st.none() | st.text(max_size=300), hops=st.integers(0, 32)
    )
    def test_never_raises(self, peer: str | None, header: str | None, hops: int) -> None:
        """And what it returns is an address."""
        for trusted in (trusts(hops), trusts(["unix", "0.0.0.0/0", "::/0"])):
            found = client_address(peer, header, trusted)
            assert found is None or str(_address(found)) == found


def _address(text: str) -> IPv4Address | IPv6Address:
    return IPv6Address(text) if ":" in text else IPv4Address(text)
