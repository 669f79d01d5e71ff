"""
Which rows are looked at for attributes: a bounded number of each event's, spread over the time, always the same.

Hours are what the table of events is sorted by, so whole hours are the least that can be read. The roll-up says in
which hours an event has rows; of these some are chosen, the same for all events as far as that goes, and rare
events get hours of their own. Of the rows of an event in its hours every so-and-so-many-th is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

_T = TypeVar("_T")

#: Rows of an event that are looked at, about.
ROWS_OF_AN_EVENT: Final = 1000
#: Hours that an event is looked at in, at most.
HOURS_OF_AN_EVENT: Final = 168
#: Rows of all events in the hours that are read. One hour is always read, however many it has.
MAX_ROWS: Final = 20_000_000
#: Hours of events. All of them are a parameter of the query, which has room for 128 KiB.
MAX_PAIRS: Final = 2500


@dataclass(frozen=True, slots=True)
class EventHour:
    """
    An hour in which an event has rows.

    Attributes:
        rows: how many.
        pair: the server's number for this event and hour.
    """

    event: str
    hour: datetime
    rows: int
    pair: int


@dataclass(frozen=True, slots=True)
class Sample:
    """
    What is read.

    Attributes:
        hours: to be read at all.
        pairs: numbers of the events' hours.
        steps: of each of these one row in so many.
    """

    hours: tuple[datetime, ...] = ()
    pairs: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()


@dataclass(slots=True)
class _Choice:
    """What was chosen so far, and how many rows that reads."""

    totals: dict[datetime, int]
    max_rows: int
    hours: set[datetime] = field(default_factory=set)
    rows: int = 0

    def take(self, hour: datetime) -> bool:
        """Whether the hour can be read."""
        if hour not in self.hours:
            cost = self.totals[hour]
            if self.hours and self.rows + cost > self.max_rows:
                return False
            self.hours.add(hour)
            self.rows += cost
        return True


def choose(
    found: Iterable[EventHour], *, rows_of_an_event: int = ROWS_OF_AN_EVENT, max_rows: int = MAX_ROWS
) -> Sample:
    """
    Choose what is read.

    Args:
        found: all hours in which events have rows, in any order.
        rows_of_an_event: about so many are looked at.
        max_rows: rows of all events together in the hours that are read.

    The newest hour of each event comes first, then hours that all share, then, for events that have few rows in
    those, hours of their own.
    """
    by_event: dict[str, list[EventHour]] = {}
    choice = _Choice({}, max_rows)
    for one in found:
        by_event.setdefault(one.event, []).append(one)
        choice.totals[one.hour] = choice.totals.get(one.hour, 0) + one.rows
    most = max(1, min(HOURS_OF_AN_EVENT, MAX_PAIRS // max(len(by_event), 1)))
    grid = _grid(choice.totals, most, max_rows)
    events = [sorted(hours, key=lambda one: one.hour) for _, hours in sorted(by_event.items())]
    # An hour that many events have is read for all of them; so the newest hour of the most goes first.
    events.sort(key=lambda hours: -len(hours))
    newest = [[hours[-1]] if choice.take(hours[-1].hour) else [] for hours in events]
    picked = [
        _of_event(hours, taken, grid, choice, most=most, rows=rows_of_an_event)
        for hours, taken in zip(events, newest, strict=True)
    ]
    return _sample(choice.hours, [hours for hours in picked if hours], rows_of_an_event)


def _grid(totals: Mapping[datetime, int], most: int, max_rows: int) -> set[datetime]:
    """Hours that all events share: so many that they hold half of the rows that may be read, on the average."""
    affordable = max_rows * len(totals) // (2 * max(sum(totals.values()), 1))
    return set(spread(sorted(totals), max(1, min(most, affordable))))


def _of_event(
    hours: Sequence[EventHour],
    taken: list[EventHour],
    grid: set[datetime],
    choice: _Choice,
    *,
    most: int,
    rows: int,
) -> list[EventHour]:
    """Hours of one event: those of the grid, then its own for as long as it has few rows."""
    have = {one.hour for one in taken}
    for one in hours:
        if one.hour in grid and one.hour not in have and len(taken) < most and choice.take(one.hour):
            taken.append(one)
    rest = [one for one in hours if one.hour not in grid and one.hour not in have]
    for one in spread(rest, most - len(taken)):
        if sum(other.rows for other in taken) >= rows:
            break
        if choice.take(one.hour):
            taken.append(one)
    return taken


def _sample(hours: set[datetime], picked: Sequence[Sequence[EventHour]], rows_of_an_event: int) -> Sample:
    pairs, steps = [], []
    for taken in picked:
        step = max(1, sum(one.rows for one in taken) // rows_of_an_event)
        pairs += [one.pair for one in taken]
        steps += [step] * len(taken)
    return Sample(tuple(sorted(hours)), tuple(pairs), tuple(steps))


def spread(items: Sequence[_T], most: int) -> list[_T]:
    """At most so many of the items, evenly, the first and the last among them; of one the last."""
    if most <= 0:
        return []
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[-1]]
    return [items[round(number * (len(items) - 1) / (most - 1))] for number in range(most)]
