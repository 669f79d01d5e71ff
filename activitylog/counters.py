"""
Exact counts from before sampling: what was emitted, by which rule it was decided, and why it was not kept.

An event costs one append to a deque, which is atomic, so that any thread, and a signal handler inside any thread,
may count without a lock; the sums are made when somebody asks for them::

    add(...) per event ──> deque ──take()──> cells by minute ──> records activity.counted ──> activity_counters

Nothing is lost between: what is added while :meth:`Counters.take` runs is in its answer or in the next one. Cells
are bounded: beyond :data:`MAX_CELLS` new tenants, then new names, are counted together as :data:`OTHER`.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, NamedTuple

from activitylog.event import MAX_OBJECTS
from activitylog.rules.reading import MAX_TENANT_LENGTH

#: What tenants, and event names, beyond the bound are counted as.
OTHER: Final = "__other__"
#: Cells that may wait to be taken.
MAX_CELLS: Final = 10_000

_MINUTE_NS: Final = 60_000_000_000
#: Additions that may wait to be summed up.
MAX_WAITING: Final = 100_000
_UINT64_MAX: Final = (1 << 64) - 1


class Cell(NamedTuple):
    """One count of one minute."""

    minute_ns: int
    """Beginning of the minute, nanoseconds since the epoch."""
    tenant: str
    event: str
    """Name of the events."""
    outcome: str
    rule: str
    """Name of the rule that decided; empty when none did."""
    reason: str
    """Empty for events that were kept, else why they were not."""


#: A :class:`Cell`, whose minute may be any time inside that minute, and how many events are counted.
Addition = tuple[int, str, str, str, str, str, int]


class Counters:
    """The counts of one process."""

    def __init__(self) -> None:
        #: What was added and is not summed up yet. Append to it on the way of an event; beyond ``most_waiting``
        #: call ``when_full``. At the end of the process, when nothing ticks any more, both are others.
        self.waiting: deque[Addition] = deque()
        self.most_waiting = MAX_WAITING
        self.when_full: Callable[[], None] = self.sum_up
        self._cells: Counter[Cell] = Counter()
        self._put_aside: list[dict[Cell, int]] = []
        self._reasons: Counter[str] = Counter()
        # And a flag: a signal handler may come between any two steps; it must neither wait nor see half a change.
        self._lock = threading.RLock()
        self._inside = False

    def add(self, addition: Addition) -> None:
        """Count one event."""
        self.waiting.append(addition)
        if len(self.waiting) > self.most_waiting:
            self.when_full()

    def sum_up(self) -> None:
        """Make room, unless another thread is about it."""
        if self._lock.acquire(blocking=False):
            try:
                self._alone(self._sum_up)
            finally:
                self._lock.release()

    def reasons(self) -> dict[str, int]:
        """How many events were added since the beginning, whatever they stand for, by reason."""
        with self._lock:
            self._alone(self._sum_up)
            return dict(self._reasons)

    def counts(self) -> dict[Cell, int]:
        """What would be given out now."""
        found: dict[Cell, int] = {}
        with self._lock:
            self._alone(lambda: self._look(found))
        return found

    def take(self, before_ns: int | None = None) -> dict[Cell, int]:
        """The counts of minutes that began before ``before_ns``, or of all; each is given out once."""
        taken: dict[Cell, int] = {}
        with self._lock:
            self._alone(lambda: self._move(taken, before_ns))
        return taken

    def put_back(self, counts: Mapping[Cell, int]) -> None:
        """Have counts that were taken given out again."""
        self._put_aside.append(dict(counts))

    def _alone(self, step: Callable[[], None]) -> None:
        """Do it, unless a signal came in the midst of such a step of this thread: that one does it for all."""
        if self._inside:
            return
        self._inside = True
        try:
            step()
        finally:
            self._inside = False

    def _look(self, found: dict[Cell, int]) -> None:
        self._sum_up()
        found |= self._cells

    def _move(self, taken: dict[Cell, int], before_ns: int | None) -> None:
        self._sum_up()
        taken |= {
            cell: count for cell, count in self._cells.items() if before_ns is None or cell.minute_ns < before_ns
        }
        for cell in taken:
            del self._cells[cell]

    def _sum_up(self) -> None:
        while self._put_aside:
            self._cells.update(self._put_aside.pop())
        cells, reasons, popleft = self._cells, self._reasons, self.waiting.popleft
        for _ in itertools.repeat(None, len(self.waiting)):
            time_ns, tenant, event, outcome, rule, reason, count = popleft()
            cell = Cell(time_ns - time_ns % _MINUTE_NS, tenant[:MAX_TENANT_LENGTH], event, outcome, rule, reason)
            cells[cell if cell in cells else self._bounded(cell)] += count
            reasons[reason] += 1

    def _bounded(self, cell: Cell) -> Cell:
        cells = self._cells
        if len(cells) < MAX_CELLS:
            return cell
        without_tenant = cell._replace(tenant=OTHER)
        if len(cells) < 2 * MAX_CELLS or without_tenant in cells:
            return without_tenant
        return without_tenant._replace(event=OTHER)


def count_of(event_dict: MutableMapping[str, Any]) -> int:
    """
    How many events an event says that it stands for, as its ``EventCount`` will: ``count``, else its objects.

    Objects that have no length are put into a list for that, in place: an exact count must know them.
    """
    given = event_dict.get("count")
    if given is None:
        objects = event_dict.get("objects")
        if objects is None:
            return 1
        given = 1 if isinstance(objects, (str, Mapping)) else _length(objects, event_dict)
    return given if type(given) is int and 0 <= given <= _UINT64_MAX else 1


def _length(objects: Any, event_dict: MutableMapping[str, Any]) -> int:
    try:
        if not hasattr(objects, "__len__"):
            event_dict["objects"] = objects = list(itertools.islice(objects, MAX_OBJECTS + 1))
        return len(objects)
    except Exception:  # noqa: BLE001 - the application's own collection may raise anything; an event is one at least
        return 1
