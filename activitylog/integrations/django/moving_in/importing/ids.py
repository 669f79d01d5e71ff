"""
Ids of imported events: the same row has the same one, whoever imports it and however often.

They are of the form that all event ids have (:mod:`activitylog.identity`), so that a column of them compresses. In
the place of a producer they have the table, in that of its number the row's primary key. The producer of a chunk's
events is the chunk, in which they are numbered from 1: whether a chunk is whole is seen as it is of a process.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any, Final

from activitylog.identity import Producer

_NODE_BITS: Final = 42
_NODE: Final = (1 << _NODE_BITS) - 1
_SEQUENCE_BITS: Final = 32
_SEQUENCE: Final = (1 << _SEQUENCE_BITS) - 1
_MAX_MILLIS: Final = (1 << 48) - 1


class RowProducer(Producer):
    """
    The source of the ids of one table's rows.

    Args:
        table: what it is called in events.
    """

    def __init__(self, table: str) -> None:
        super().__init__(0)
        self._table = table
        self._seq = 0
        self._key: Any = None

    def begin(self, token: str) -> None:
        """A chunk begins."""
        self.node = _node(token)
        self.name = f"{self.node:011x}"
        self._seq = 0

    def take(self, key: Any) -> None:
        """The next id is of the row with this primary key."""
        self._key = key

    def next_id(self, timestamp_ns: int) -> tuple[int, str]:
        """The row's number in the chunk, and its id."""
        self._seq += 1
        return self._seq, event_id(self._table, self._key, timestamp_ns)


def event_id(table: str, key: Any, timestamp_ns: int) -> str:
    """The id of the event of a row, as UUID text."""
    if type(key) is int and key >= 0:
        number, node = key & _SEQUENCE, _node(f"{table}:{key >> _SEQUENCE_BITS}")
    else:
        digest = _digest(f"{table}:{key}", 10)
        number, node = int.from_bytes(digest[:4]), int.from_bytes(digest[4:]) & _NODE
    millis = min(timestamp_ns // 1_000_000, _MAX_MILLIS)
    high = number >> 12
    return (
        f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{number & 0xFFF:03x}-"
        f"{0x8000 | high >> 6:04x}-{(high & 0x3F) << _NODE_BITS | node:012x}"
    )


@functools.lru_cache(maxsize=1024)
def _node(text: str) -> int:
    return int.from_bytes(_digest(text, 8)) & _NODE


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
