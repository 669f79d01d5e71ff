"""
Exact counts as records: reported when their minute is over, and written down until then.

Counts are in memory. A kill would lose those of the minute that goes on, though the events that they are about are
on disk. So, about once a second, what has grown since the last time is written down where there is a spool, each
increment as a record that is *held*: not sent while its process lives::

    held        +3   +5        +1
    report                           9, in place of +3 +5 +1

The report and what it takes the place of are one frame of the spool, so no crash comes between. Whoever adopts the
folder of a dead process sends its increments as they are: rows like reports, which add up to what was counted
until about a second before the end. They have no number in the sequence of their producer: most of them are never
sent, and would be gaps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import nlargest
from time import time_ns
from typing import Any, Final, Protocol

from activitylog.counters import Cell, Counters

#: How long counts wait for room in a full queue.
_PATIENCE_NS: Final = 300_000_000_000
#: Between two times: two ticks, whatever they take.
_INTERVAL_NS: Final = 900_000_000
#: Increments that are written at a time, those that weigh most: one costs about 40 us and 300 bytes.
MAX_INCREMENTS: Final = 256


class Outlet(Protocol):
    """Where counts go."""

    @property
    def holds(self) -> bool:
        """Whether there is a spool at all."""

    def hold_count(self, cell: Cell, increment: int) -> Any | None:
        """Have an increment written down, until it is reported; None where that cannot be. Never raises."""

    def report(self, cell: Cell, count: int, held: Sequence[Any] = ()) -> None:
        """
        Send one count; never raises.

        Args:
            held: increments that were written down, and that it contains.
        """

    def has_room(self, records: int) -> bool:
        """Whether so many records would be taken, without waiting."""


class _Kept:
    """What is written down of a cell."""

    __slots__ = ("count", "held")

    def __init__(self) -> None:
        self.count = 0
        self.held: list[Any] = []


class CounterRecords:
    """
    What becomes of the counts of one process. One thread at a time is at it; nobody waits long for another.

    Args:
        clock: nanoseconds since the epoch.
    """

    def __init__(self, counters: Counters, outlet: Outlet, *, clock: Callable[[], int] = time_ns) -> None:
        self._counters = counters
        self._outlet = outlet
        self._clock = clock
        self._kept: dict[Cell, _Kept] = {}
        self._kept_at_ns = 0
        # Reentrant, and never waited for without end: a signal handler may flush in the midst of a report.
        self._lock = threading.RLock()

    def report(self, before_ns: int | None = None, *, timeout_seconds: float = 0.0) -> None:
        """
        Send the counts of minutes that began before ``before_ns``, once there is room for them; without it all.

        Args:
            timeout_seconds: how long another thread that is at it is waited for. Then the next report has them.
        """
        with self._alone(timeout_seconds) as alone:
            if alone:
                self._report(before_ns)

    def write_down(self) -> None:
        """Have written down what has grown, if a second has passed."""
        if not self._outlet.holds:
            return
        with self._alone(0.0) as alone:
            now_ns = self._clock()
            if alone and not 0 <= now_ns - self._kept_at_ns < _INTERVAL_NS:
                self._kept_at_ns = now_ns
                self._write_down()

    @contextmanager
    def _alone(self, timeout_seconds: float) -> Iterator[bool]:
        alone = self._lock.acquire(timeout=timeout_seconds)
        try:
            yield alone
        finally:
            if alone:
                self._lock.release()

    def _report(self, before_ns: int | None) -> None:
        counts = self._counters.take(before_ns)
        if before_ns is not None and self._should_wait(counts, before_ns):
            self._counters.put_back(counts)
            return
        for cell, count in counts.items():
            kept = self._kept.pop(cell, None)
            self._outlet.report(cell, count, kept.held if kept is not None else ())

    def _should_wait(self, counts: Mapping[Cell, int], now_ns: int) -> bool:
        """Counts wait for room in the queues: they are few, and each lost one is a total that is wrong."""
        oldest = min((cell.minute_ns for cell in counts), default=now_ns)
        return not self._outlet.has_room(len(counts)) and oldest > now_ns - _PATIENCE_NS

    def _write_down(self) -> None:
        increments = self._increments()
        if not increments or not self._outlet.has_room(len(increments)):
            return
        for cell, increment in increments:
            held = self._outlet.hold_count(cell, increment)
            if not held:
                self._let_go()
                return
            kept = self._kept.setdefault(cell, _Kept())
            kept.count += increment
            kept.held.append(held)

    def _increments(self) -> list[tuple[Cell, int]]:
        """What is not written down, most first."""
        kept = self._kept
        counts = self._counters.counts()
        grown = ((cell, count - kept[cell].count if cell in kept else count) for cell, count in counts.items())
        return nlargest(MAX_INCREMENTS, (pair for pair in grown if pair[1] > 0), key=lambda pair: pair[1])

    def _let_go(self) -> None:
        """A process that leaves its folder to others must have nothing held in it."""
        if self._kept:
            self._report(None)
