"""
How many bytes a spool may take, and what gives way when they are reached.

All processes of a spool share its bytes: those of the others are as of the last look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from otel_spool.folder import Folder
from otel_spool.options import SpoolOptions
from otel_spool.segment import LANES, Segment
from otel_spool.writer import Writer

#: Removes a segment with its unsent events, and counts them under a reason.
GiveUp = Callable[[Folder, Segment, str], None]


class Room:
    """
    The bytes of one spool. Its lock protects it.

    Args:
        space: of that lock; notified whenever something was removed.

    Attributes:
        of_others: bytes of all folders but our own, as of the last look.
    """

    def __init__(
        self, writer: Writer, options: SpoolOptions, *, space: threading.Condition, give_up: GiveUp
    ) -> None:
        self._writer = writer
        self._options = options
        self._max_bytes = options.max_bytes
        self._space = space
        self._give_up = give_up
        self.of_others = 0

    def size_bytes(self) -> int:
        """Of this process's segments and, as of the last look, of all others in the spool."""
        folder = self._writer.folder
        return self.of_others if folder is None else folder.held_bytes + self.of_others

    def has(self, size: int) -> bool:
        """Whether so many bytes more fit."""
        return self.size_bytes() + size <= self._max_bytes

    def make(self, lane: int, size: int) -> bool:
        """Whether an event of this lane and size fits, after what the options say has given way to it."""
        if self.has(size):
            return True
        if size > self._max_bytes:
            return False
        if self._options.overflow == "drop_oldest":
            return self._drop(lane, size)
        if self._options.overflow == "block":
            return self._space.wait_for(lambda: self.has(size), self._options.overflow_timeout_seconds)
        return False

    def _drop(self, lane: int, size: int) -> bool:
        if self.of_others + size > self._max_bytes:
            return False  # however much of ours is dropped
        while self._removes():
            if self.has(size):
                return True
            if not self._drop_oldest(lane):
                return False
        return False

    def _removes(self) -> bool:
        """Whether the disk removes files: else each segment that is given up makes no room for the next event."""
        folder = self._writer.folder
        return folder is not None and folder.remove_remaining()

    def _drop_oldest(self, most_important: int) -> bool:
        """Give up the oldest of the least important segments that nobody is sending."""
        folder = self._writer.folder
        if folder is None:
            return False
        for lane in LANES[: most_important + 1]:
            active = self._writer.active(lane)
            if active is not None and active.deferred and not any(_droppable(folder, lane)):
                self._writer.seal(lane)
            oldest = min(_droppable(folder, lane), key=lambda segment: segment.number, default=None)
            if oldest is not None:
                self._give_up(folder, oldest, "spool_full")
                return True
        return False


def _droppable(folder: Folder, lane: int) -> Iterator[Segment]:
    for segment in list(folder.segments.values()):
        waits = segment.unsettled > 0 and not segment.taken and not segment.frozen
        if waits and segment.lane == lane and segment.deferred and segment.sealed:
            yield segment
