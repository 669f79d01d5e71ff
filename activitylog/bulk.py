"""
Many events of one call: a spool writes them down together.

A single write costs a call of the system, a lock and a checksum, whatever its size. So the records of such a call
wait in memory for a moment, 128 at the most, and are written at one go; the call returns when all are.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

from activitylog.output import DURABLE, ActivityRecord, gathering
from activitylog.provider import Holder

#: Records that wait at the most: what other threads emit waits meanwhile for the spool, a millisecond.
_MAX_EVENTS: Final = 128
#: How long they wait, unless the caller's iterable keeps us: it may read a file, or a network.
_MAX_SECONDS: Final = 0.05


class Bulk:
    """
    The events of one call on their way.

    Args:
        holders: the spools that they are written to.

    Attributes:
        waiting: events that were handed on, and of which some spool has not been told yet.
    """

    __slots__ = ("_context", "_durable", "_gathered", "_holders", "_process", "_since", "waiting")

    def __init__(self, holders: Sequence[Holder]) -> None:
        self._holders = holders
        self._gathered: dict[Any, list[Any]] = {}
        self._context = gathering(self._gathered)
        self._durable = gathering(self._gathered, DURABLE)
        self._process: object = None
        self._since = 0.0
        self.waiting = 0

    def gather(self, record: ActivityRecord, *, durable: bool) -> None:
        """Have a record wait for the others where it is to be written down."""
        record.tell(self._durable if durable else self._context)

    def is_due(self) -> bool:
        """Count one event more; whether they are to be written down."""
        if not self.waiting:
            self._since = monotonic()
        self.waiting += 1
        return self.waiting >= _MAX_EVENTS or monotonic() - self._since > _MAX_SECONDS

    def go_on_in(self, process: object) -> None:
        """What waits is that of the process that emitted it, and not of one that was forked meanwhile."""
        if process is not self._process:
            self._process = process
            self._gathered.clear()
            self.waiting = 0

    def write(self) -> None:
        """Have all that wait written down, and sent."""
        self.waiting = 0
        for holder in self._holders:
            holder.write_gathered(self._gathered)
