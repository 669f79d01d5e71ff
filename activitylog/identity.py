"""
Event ids and sequence numbers: who emitted, and which of its events this is.

Each process draws a producer id once (again after a fork) and counts its events from 1. An event id is a
UUID of version 7 made of these: unique without randomness per event, cheap, and so like its neighbours that a
column of them compresses to a third::

    48 bits  milliseconds of the event's time
     4       version 7
    12       sequence number, low bits
     2       variant
    20       sequence number, high bits (the sequence repeats after 2**32 events, with another time)
    42       producer

Two events of one producer differ in the sequence number even when their times are equal, imports included.
"""

from __future__ import annotations

import itertools
import os
from typing import Final

_PRODUCER_BITS: Final = 42
_MAX_MILLIS: Final = (1 << 48) - 1


class Producer:
    """
    The source of a process's event ids. Thread safe without a lock: the count is one atomic step.

    Args:
        node: 42 bits that no other process has; drawn from the system's randomness when not given.

    Attributes:
        name: the producer as eleven hexadecimal digits, the attribute ``activity.producer``.
    """

    def __init__(self, node: int | None = None) -> None:
        self.node = int.from_bytes(os.urandom(6)) >> 6 if node is None else node
        self.name = f"{self.node:011x}"
        self._next = itertools.count(1).__next__
        self._tail = (-1, "")

    def next_id(self, timestamp_ns: int) -> tuple[int, str]:
        """The next sequence number, from 1, and the id of an event at ``timestamp_ns``, as UUID text."""
        seq = self._next()
        high, tail = self._tail
        if high != (seq >> 12) & 0xFFFFF:
            tail = self._new_tail((seq >> 12) & 0xFFFFF)
        millis = min(timestamp_ns // 1_000_000, _MAX_MILLIS)
        return seq, f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{seq & 0xFFF:03x}-{tail}"

    def _new_tail(self, high: int) -> str:
        """The last two groups, which change once in 4,096 events."""
        tail = f"{0x8000 | high >> 6:04x}-{(high & 0x3F) << _PRODUCER_BITS | self.node:012x}"
        self._tail = (high, tail)
        return tail
