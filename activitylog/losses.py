"""
What destinations lost, as records: counts that outlive the process that counted them.

An event that a destination gives up (a full disk, a refusal, its age) has had its number already: it is a gap in
its producer's sequence. So each process reports, about every half minute and when it flushes, how many its
destinations lost since the last time, as counters (:mod:`activitylog.counters`) of no event::

    activity.counter.reason   why: ``spool_full``, ``expired``, ``corrupt``, ``permanent``, ...
    activity.sample.rule      the destination that lost them, its URL without secrets
    activity.producer         whose events they were; the reporter's own, unless dead processes left them

What a dead process only held (an event that waited in a window, an increment of a count) had no number, and is no
gap: its reason is ``undecided``. Refused events that are delivered later are a report themselves, with the reason
``redelivered``: so many losses less (:mod:`activitylog.draining`).

They go the way of all events, so they are on disk before they count as reported, and they go to every destination:
the one that loses is often not the one that can tell. A report of what reports have lost begins no further one.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from typing import Any, Final, Protocol

from activitylog.event import COUNTER_EVENT_NAME
from activitylog.routing import NO_PLACE
from activitylog.stats import Loss

INTERVAL_SECONDS: Final = 30.0
_MINUTE_NS: Final = 60_000_000_000
#: Rows of one report. What is beyond waits for the next one.
_MOST_ROWS: Final = 100
_LONGEST_REASON: Final = 64
#: What a store that takes no counters does with them says nothing about events.
_OF_REPORTS_ONLY: Final = frozenset({NO_PLACE})

#: Of which producer (None for this one), and why.
_Key = tuple[str | None, str]


class Losing(Protocol):
    """A destination, as far as its losses go."""

    @property
    def name(self) -> str:
        """Its URL, without secrets."""

    def has_room(self, records: int, /) -> bool:
        """Whether so many records more would be taken, without waiting."""

    def take_losses(self) -> Sequence[Loss]:
        """What was lost since the last time; each loss is told of once."""


class LossReporter:
    """
    Reports what destinations lost.

    Args:
        emit: sends one record: its attributes, and of which producer it tells (None for this one). Never raises.
        clock: nanoseconds since the epoch.
    """

    def __init__(
        self,
        destinations: Sequence[Losing],
        emit: Callable[[dict[str, Any], str | None], None],
        *,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        self._destinations = destinations
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, Counter[_Key]] = {destination.name: Counter() for destination in destinations}
        self._rows_since = Counter[str]()

    def report(self, *, final: bool = False) -> None:
        """
        Report what was lost since the last time, unless it may be nothing but reports.

        Args:
            final: report that, too: at the end of the process.

        While another thread is at it, and while a destination would have the caller wait, nothing is done.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._have_room(1):
                self._report(final)
        finally:
            self._lock.release()

    def _report(self, final: bool) -> None:
        due = [name for name in map(self._take, self._destinations) if name and self._is_due(name, final)]
        rows = [(name, key, count) for name in due for key, count in self._waiting[name].items() if count > 0]
        rows = rows[:_MOST_ROWS]
        if not rows or not self._have_room(len(rows)):
            return
        for name, (producer, reason), count in rows:
            del self._waiting[name][producer, reason]
            self._emit(loss_attributes(name, reason, count, self._clock()), producer)
        for name in due:
            self._rows_since[name] = 0
        for destination in self._destinations:
            self._rows_since[destination.name] += len(rows)

    def _have_room(self, rows: int) -> bool:
        return all(destination.has_room(rows) for destination in self._destinations)

    def _take(self, destination: Losing) -> str:
        for loss in destination.take_losses():
            if loss.reason not in _OF_REPORTS_ONLY:
                self._waiting[destination.name][loss.producer, reason_code(loss.reason)] += loss.events
        return destination.name

    def _is_due(self, name: str, final: bool) -> bool:
        lost = self._waiting[name].total()
        return lost > (0 if final else self._rows_since[name])


def loss_attributes(destination: str, reason: str, events: int, now_ns: int) -> dict[str, Any]:
    """The event dict of a report: so many events were lost by this destination, for this reason."""
    return {
        "event": COUNTER_EVENT_NAME,
        "timestamp": now_ns - now_ns % _MINUTE_NS,
        "activity.counter.reason": reason,
        "activity.sample.rule": destination,
        "activity.count": events,
    }


def reason_code(reason: str) -> str:
    """The reason without what an exporter says behind it: reasons are few."""
    return reason.partition(":")[0].strip()[:_LONGEST_REASON] or "unknown"


class Deltas:
    """What has grown since the last time, of counts that only grow."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()

    def of(self, totals: Mapping[str, int]) -> list[Loss]:
        """Each growth once."""
        grown = {reason: total - self._told[reason] for reason, total in totals.items()}
        self._told.update({reason: events for reason, events in grown.items() if events > 0})
        return [Loss(None, reason, events) for reason, events in grown.items() if events > 0]
