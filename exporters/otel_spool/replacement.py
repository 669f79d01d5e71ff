"""
Events that take the place of others: what was held until it was decided, and what was decided.

A record whose fate is open (it waits in a window, to be sampled or folded with others) is *held*: on disk, in a
segment of a lane of its own, and not sent. What is decided is one frame, so that no crash can come between: the
new event together with the numbers of those whose place it takes::

    1 byte    kind        of the event
    4         n           number of ranges
    n * 16    ranges      first and last number, of the same folder
              payload     of the event

Who adopts a folder sends what was held and not replaced, as it was.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from otel_spool.exceptions import CorruptError
from otel_spool.ranges import Range

_HEAD: Final = struct.Struct("<BI")
_RANGE: Final = struct.Struct("<QQ")


def pack_replacing(kind: int, payload: bytes, ranges: Sequence[Range]) -> bytes:
    """The payload of a ``REPLACING`` frame."""
    return _HEAD.pack(kind, len(ranges)) + b"".join(_RANGE.pack(*pair) for pair in ranges) + payload


def unpack_replacing(payload: bytes) -> tuple[int, bytes, tuple[Range, ...]]:
    """
    Kind and payload of the event, and the numbers whose place it takes.

    Raises:
        CorruptError: it is no such payload.
    """
    try:
        kind, count = _HEAD.unpack_from(payload)
        end = _HEAD.size + count * _RANGE.size
        ranges = tuple(_RANGE.unpack_from(payload, at) for at in range(_HEAD.size, end, _RANGE.size))
    except struct.error as error:
        raise CorruptError("An event that replaces others cannot be read.") from error
    return kind, payload[end:], ranges
