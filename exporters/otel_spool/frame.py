"""
The format of every file of a spool: frames, one after another.

::

    2 bytes  a5 53           magic
    1        version         of this format, 1
    1        kind            what the payload is, :class:`Kind`
    4        length          of the payload
    8        number          of the event, or what the kind says
    n        payload
    4        checksum        CRC-32 over all of the above, begun with the folder's seed

Integers are little-endian. A file of zeros, a file that was cut anywhere, and a frame of another folder hold no
valid frame. The seed is random for each folder and never leaves it, so text of an event that looks like a frame is
none: a checksum over the payload alone, without a seed, accepts bytes that nobody wrote.

A header, whose checksum anyone can make, is one only where a file begins.

Readers go on behind what is damaged: they look for the next place where a valid frame begins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from zlib import crc32

MAGIC: Final = b"\xa5\x53\x01"
_PREFIX: Final = struct.Struct("<3sBIQ")
_pack_prefix: Final = _PREFIX.pack
_CHECKSUM_BYTES: Final = 4
_pack_checksum: Final = struct.Struct("<I").pack
#: What a frame needs beside its payload.
OVERHEAD_BYTES: Final = _PREFIX.size + _CHECKSUM_BYTES
#: Longer payloads are neither written nor believed.
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
#: Bytes that may be summed in one search behind damage: text full of magics must not cost minutes. From there on
#: only frames as small as most events are looked for.
_SEARCH_BYTES: Final = 256 * 1024 * 1024
_SMALL_BYTES: Final = 4096


class Kind(IntEnum):
    """What the payload of a frame is."""

    HEADER = 1
    """JSON about the folder; the number is its seed, and the frame's own checksum is begun with 0."""
    SOURCE = 2
    """JSON of a resource and an instrumentation scope; the number is what events call it by."""
    EVENT_MSGPACK = 3
    """A log record, as :mod:`otel_spool.codec` writes it in MessagePack; the number is the event's."""
    EVENT_JSON = 4
    """The same in JSON."""
    FROZEN = 5
    """A batch that is about to be sent for the first time, :mod:`otel_spool.journal`."""
    SPLIT = 6
    """That batch was refused and is sent in halves from now on."""
    SETTLED = 7
    """Events that need not be sent any more."""
    LETTER = 8
    """JSON about the event behind it, which was refused; the number is the event's."""
    REPLACING = 9
    """An event that takes the place of others, :mod:`otel_spool.replacement`; the number is the event's."""
    LOST = 10
    """Events that were given up, :mod:`otel_spool.journal`."""
    TOLD = 11
    """Somebody was told of them."""


EVENT_KINDS: Final = frozenset({Kind.EVENT_MSGPACK, Kind.EVENT_JSON})


@dataclass(frozen=True, slots=True)
class Frame:
    """A valid frame and where it begins."""

    kind: int
    number: int
    payload: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes between valid frames, or behind the last one, that are no frame."""

    offset: int
    length: int
    cut: bool
    """Whether it is the beginning of a last frame: what a write leaves in the midst of which the process ended."""


def pack(kind: Kind | int, number: int, payload: bytes, seed: int) -> bytes:
    """The bytes of one frame."""
    body = _pack_prefix(MAGIC, kind, len(payload), number) + payload
    return body + _pack_checksum(crc32(body, seed))


def read_at(data: bytes, offset: int, seed: int) -> Frame | None:
    """The valid frame that begins at ``offset``, if one does."""
    length = _length_at(data, offset)
    if length is None or offset + length + OVERHEAD_BYTES > len(data):
        return None
    _, kind, _, number = _PREFIX.unpack_from(data, offset)
    if kind == Kind.HEADER:
        if offset:
            return None
        seed = 0
    start = offset + _PREFIX.size
    end = start + length
    checksum = int.from_bytes(data[end : end + _CHECKSUM_BYTES], "little")
    if crc32(memoryview(data)[offset:end], seed) != checksum:
        return None
    return Frame(kind, number, data[start:end], offset)


def scan(data: bytes, seed: int) -> Iterator[Frame | Damage]:
    """All valid frames, in order, and what lies between and behind them that is none."""
    offset = 0
    while offset < len(data):
        frame = read_at(data, offset, seed)
        if frame is not None:
            yield frame
            offset += OVERHEAD_BYTES + len(frame.payload)
            continue
        following = _next_frame(data, offset + 1, seed)
        end = len(data) if following is None else following
        yield Damage(offset, end - offset, following is None and _is_cut(data, offset))
        offset = end


def _length_at(data: bytes, offset: int) -> int | None:
    """The length that a prefix at ``offset`` claims; None where there is none, or one that nobody writes."""
    if len(data) - offset < _PREFIX.size or not data.startswith(MAGIC, offset):
        return None
    length: int = _PREFIX.unpack_from(data, offset)[2]
    return length if length <= MAX_PAYLOAD_BYTES else None


def _is_cut(data: bytes, offset: int) -> bool:
    length = _length_at(data, offset)
    if length is not None:
        return offset + length + OVERHEAD_BYTES > len(data)
    return len(data) - offset < _PREFIX.size and MAGIC.startswith(data[offset : offset + len(MAGIC)])


def _next_frame(data: bytes, offset: int, seed: int) -> int | None:
    left = _SEARCH_BYTES
    while (offset := data.find(MAGIC, offset)) >= 0:
        length = _length_at(data, offset)
        if length is not None and length <= (MAX_PAYLOAD_BYTES if left > 0 else _SMALL_BYTES):
            if read_at(data, offset, seed) is not None:
                return offset
            left -= length if offset + length <= len(data) else 0
        offset += 1
    return None
