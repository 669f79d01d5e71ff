"""Frames: whatever happens to a file, what is read was written."""

from __future__ import annotations

import time
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_spool.frame import MAGIC, OVERHEAD_BYTES, Damage, Frame, Kind, pack, read_at, scan

SEED = 0xC0FFEE
frames = st.tuples(
    st.sampled_from([Kind.EVENT_JSON, Kind.SETTLED]), st.integers(0, 2**64 - 1), st.binary(max_size=60)
)


def _file(written, seed: int = SEED) -> bytes:
    return b"".join(pack(kind, number, payload, seed) for kind, number, payload in written)


def _read(data: bytes, seed: int = SEED):
    return [(found.kind, found.number, found.payload) for found in scan(data, seed) if isinstance(found, Frame)]


def test_the_bytes_of_a_frame():
    """The format is what the module says, byte by byte."""
    body = bytes.fromhex("a553 01 03 02000000 0700000000000000") + b"hi"
    assert pack(Kind.EVENT_MSGPACK, 7, b"hi", SEED) == body + crc32(body, SEED).to_bytes(4, "little")
    assert OVERHEAD_BYTES == 20


@given(st.lists(frames, max_size=6), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(written, seed):
    """All frames come back in order, and nothing else."""
    assert list(scan(_file(written, seed), seed)) == [
        Frame(kind, number, payload, len(_file(written[:index])))
        for index, (kind, number, payload) in enumerate(written)
    ]


@given(st.lists(frames, min_size=1, max_size=4), st.data())
def test_a_file_that_is_cut_anywhere(written, data):
    """The whole frames are read, and the rest is damage that was cut."""
    file = _file(written)
    cut = data.draw(st.integers(0, len(file)))
    whole = [index for index in range(len(written) + 1) if len(_file(written[:index])) <= cut][-1]
    found = list(scan(file[:cut], SEED))
    assert [each for each in found if isinstance(each, Frame)] == list(scan(_file(written[:whole]), SEED))
    begin = len(_file(written[:whole]))
    assert [each for each in found if isinstance(each, Damage)] == (
        [Damage(begin, cut - begin, True)] if cut > begin else []
    )


def test_a_file_that_is_cut_at_every_byte():
    """Of two frames, the first is there as soon as its last byte is."""
    file = _file([(Kind.EVENT_JSON, 1, b"one"), (Kind.EVENT_JSON, 2, b"two")])
    counts = [len(_read(file[:cut])) for cut in range(len(file) + 1)]
    assert counts == [0] * 23 + [1] * 23 + [2]


def test_every_single_bit_that_flips():
    """The frame of the bit is gone, the others are there; nothing is read that was not written."""
    written = [(Kind.EVENT_JSON, number, bytes([64 + number]) * 9) for number in range(3)]
    file = _file(written)
    for bit in range(len(file) * 8):
        flipped = bytearray(file)
        flipped[bit // 8] ^= 1 << bit % 8
        hit = bit // 8 // 29
        assert _read(bytes(flipped)) == [each for index, each in enumerate(written) if index != hit], bit


@given(
    st.lists(frames, min_size=1, max_size=5, unique_by=lambda each: each[1]),
    st.binary(min_size=1, max_size=40),
    st.data(),
)
def test_bytes_that_are_overwritten(written, junk, data):
    """Frames that were not touched are read, and nothing is read that was not written."""
    file = _file(written)
    start = data.draw(st.integers(0, len(file) - 1))
    spoiled = (file[:start] + junk + file[start + len(junk) :])[: len(file)]
    found = _read(spoiled)
    ends = [len(_file(written[: index + 1])) for index in range(len(written))]
    untouched = [
        each
        for index, each in enumerate(written)
        if ends[index] <= start or (ends[index - 1] if index else 0) >= start + len(junk)
    ]
    assert all(each in written for each in found)
    assert [each for each in found if each in untouched] == [each for each in written if each in untouched]


@pytest.mark.parametrize("size", [1, 19, 20, 512, 70_000])
def test_zeros_hold_no_frame(size):
    """What a file system leaves of a file that was not synced is damage, and not a write that was cut."""
    assert list(scan(bytes(size), SEED)) == [Damage(0, size, False)]
    assert list(scan(bytes(size), 0)) == [Damage(0, size, False)]


def test_a_frame_of_another_folder_is_none():
    """The seed is part of every checksum."""
    assert _read(_file([(Kind.EVENT_JSON, 1, b"theirs")], seed=1) + _file([(Kind.EVENT_JSON, 2, b"ours")])) == [
        (Kind.EVENT_JSON, 2, b"ours")
    ]


@pytest.mark.parametrize("seed", [0, 1, SEED ^ 1])
def test_text_that_looks_like_a_frame_is_none(seed):
    """An event whose text is a frame, damaged so that the reader looks into it, yields nothing."""
    forged = pack(Kind.EVENT_JSON, 2, b"forged", seed)
    file = bytearray(_file([(Kind.EVENT_JSON, 1, b"x" * 50 + forged + b"y" * 50)]))
    file[20] ^= 1
    assert _read(bytes(file)) == []


def test_text_that_looks_like_a_header_is_none():
    """Anybody can sum a header; it is believed only where a file begins."""
    header = pack(Kind.HEADER, SEED, b'{"created_ns": 1}', 0)
    assert _read(header) == [(Kind.HEADER, SEED, b'{"created_ns": 1}')]
    file = bytearray(_file([(Kind.EVENT_JSON, 1, b"x" * 50 + header)]))
    file[20] ^= 1
    assert _read(bytes(file)) == []


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 64 * 1024 * 1024 + 1])
def test_lengths_that_nobody_writes(length):
    """A length beyond the limit, or beyond the file, is no frame, and costs no memory."""
    file = bytearray(_file([(Kind.EVENT_JSON, 1, b"one")]))
    file[4:8] = length.to_bytes(4, "little")
    assert _read(bytes(file) + _file([(Kind.EVENT_JSON, 2, b"two")])) == [(Kind.EVENT_JSON, 2, b"two")]


@pytest.mark.parametrize(
    "text",
    [
        MAGIC * 700_000,
        (MAGIC + b"\x03" + (1_900_000).to_bytes(4, "little") + bytes(8)) * 120_000,
        (MAGIC + b"\x03" + (4_000).to_bytes(4, "little") + bytes(8)) * 120_000,
    ],
    ids=["magics", "long", "short"],
)
def test_hostile_text_behind_damage_costs_seconds_and_hides_nothing(text):
    """Four megabytes that look like the beginnings of frames: what stands behind is found all the same."""
    file = b"\x00" + text + _file([(Kind.EVENT_JSON, 2, b"two")])
    began = time.process_time()
    assert _read(file) == [(Kind.EVENT_JSON, 2, b"two")]
    assert time.process_time() - began < 20


def test_nothing_is_read_beside_the_place():
    """A place that is no beginning of a frame has none."""
    file = _file([(Kind.EVENT_JSON, 1, b"one")])
    assert [offset for offset in range(len(file) + 5) if read_at(file, offset, SEED)] == [0]
