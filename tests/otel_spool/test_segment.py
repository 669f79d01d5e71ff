"""Segments: their names, and what is read of their files."""

from __future__ import annotations

import pytest

from otel_spool.codec import encode_source
from otel_spool.exceptions import CorruptError
from otel_spool.frame import Kind, pack
from otel_spool.segment import Contents, header, parse_name, seed_of, segment_name
from tests.otel_spool.records import RESOURCE, SCOPE, TIME_NS

SEED = 7


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("00000001.0.seg", (1, 0)),
        ("12345678.1.seg", (12345678, 1)),
        ("00000001.9.seg", None),
        ("1.0.seg", None),
        ("00000001.0.seg~", None),
        ("x00000001.0.seg", None),
        ("00000001.0.seg\n", None),
        ("journal", None),
    ],
)
def test_names(name, parsed):
    """Only our own names are segments."""
    assert parse_name(name) == parsed
    if parsed is not None:
        assert segment_name(*parsed) == name


def _events(data: bytes) -> list[tuple[int, bytes]]:
    return [(event.number, event.payload) for event in Contents(data, SEED).events]


def test_contents():
    """The time of the header, the events in their order, the sources by their numbers."""
    source = pack(Kind.SOURCE, 3, encode_source(RESOURCE, SCOPE), SEED)
    events = [pack(Kind.EVENT_JSON, number, b"payload", SEED) for number in (5, 2)]
    contents = Contents(header(SEED, TIME_NS, 1) + source + b"".join(events), SEED)
    assert contents.created_ns == TIME_NS
    assert [event.number for event in contents.events] == [5, 2]
    assert contents.source(3) == (RESOURCE, SCOPE)
    with pytest.raises(CorruptError, match="number 4"):
        contents.source(4)


def test_a_source_behind_its_events():
    """Damage may have taken the first copy: any will do."""
    event = pack(Kind.EVENT_JSON, 1, b"payload", SEED)
    source = pack(Kind.SOURCE, 3, encode_source(RESOURCE, SCOPE), SEED)
    assert Contents(b"\x00" * 99 + event + source, SEED).source(3) == (RESOURCE, SCOPE)


def test_an_event_in_the_text_of_an_event():
    """Whoever writes a spool's file into an event, which is then damaged, does not have its events sent again."""
    inner = pack(Kind.EVENT_JSON, 1, b"first", SEED)
    outer = bytearray(pack(Kind.EVENT_JSON, 2, inner + b"text", SEED))
    outer[-1] ^= 1
    assert _events(inner + bytes(outer)) == [(1, b"first")]


@pytest.mark.parametrize("about", [b"", b"[]", b"{}", b'{"created_ns": "soon"}', b"\xff"])
def test_a_header_of_another_version(about):
    """Its seed counts; what is not understood of it is left out."""
    data = pack(Kind.HEADER, SEED, about, 0) + pack(Kind.EVENT_JSON, 1, b"one", SEED)
    assert seed_of(data) == SEED
    assert Contents(data, SEED).created_ns == 0
    assert _events(data) == [(1, b"one")]


@pytest.mark.parametrize("data", [b"", b"\x00" * 5000, header(SEED, 1, 1)[:-1], b"\x00" + header(SEED, 1, 1)])
def test_no_seed(data):
    """A header is where a file begins, or nowhere."""
    assert seed_of(data) is None
