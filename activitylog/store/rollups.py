"""
Roll-ups: what they are, and on which days they say something else than the rows.

A view fills its roll-up from each insert. It knows nothing of the rows that were there before it, and lacks those
of a batch where it failed while errors of views were ignored. Rows live shorter than roll-ups: they are archived,
expire or are erased, and their counts stay. So a day with more rows than its roll-up counted lacks some, and one
with fewer need not be wrong.

An insert reaches the table a moment before its roll-ups, so a reading can find too many rows, never too few: the
counts are read before the rows. Of several readings the smallest difference is the truest one, and where no insert
was under way in one of them it is the true one.

Nothing here writes; :mod:`activitylog.store.filling` repairs.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.definitions import Definition, definitions
from activitylog.store.inserts import Inserts

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Days that the roll-ups' times can hold (32 bits of seconds); rows beyond are not looked at.
FIRST_DAY: Final = dt.date(1970, 1, 1)
END_DAY: Final = dt.date(2106, 2, 7)
#: Pauses between looks that must not take an insert for a loss; looks within one insert would find the same.
LOOKS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
#: And pauses where the inserts that were under way have ended, and only further ones can disturb.
PAUSES: Final = (0.03, 0.03, 0.03)

_CONDITION: Final = re.compile(r"\nWHERE (.*?)\nGROUP BY", re.DOTALL)
_RANGE: Final = "Timestamp >= toDateTime({since:Date}, 'UTC') AND Timestamp < toDateTime({until:Date}, 'UTC')"
#: Further readings while rows come in: each may fall into an insert of just as many rows as were counted twice.
_BUSY_READINGS: Final = 16


@dataclass(frozen=True, slots=True)
class RollUp:
    """
    A view over the events and the table that it fills.

    Attributes:
        view, target: their names.
        select: the view's query, which reads ``activity_events AS events``.
        condition: of the rows that it counts; ``1`` for all.
    """

    view: str
    target: str
    select: str
    condition: str


@dataclass(frozen=True, slots=True)
class Missing:
    """
    A day on which a roll-up says something else than the rows; mostly, lacks some.

    Attributes:
        target: the roll-up's table.
        rows: of the table of events on that day (UTC), as far as the roll-up counts them.
        counted: how many the roll-up counted.
    """

    target: str
    day: dt.date
    rows: int
    counted: int

    def __str__(self) -> str:
        return f"{self.target} counts {self.counted:,} of {self.rows:,} rows of {self.day}"


@cache
def rollups() -> tuple[RollUp, ...]:
    """The roll-ups that the SQL files define, in their order."""
    views = (view for view in definitions() if view.kind == "materialized view" and view.reads(EVENTS_TABLE))
    return tuple(_rollup(view) for view in views)


def _rollup(view: Definition) -> RollUp:
    condition = _CONDITION.search(view.query)
    return RollUp(view.name, view.target, view.query, condition[1].strip() if condition else "1")


def missing(
    client: Client,
    *,
    targets: Collection[str] | None = None,
    since: dt.date | None = None,
    settled: bool = False,
) -> list[Missing]:
    """
    Find the days on which roll-ups lack rows. Only reads: the time and one column of all rows, or of those since.

    Args:
        targets: tables of roll-ups; all by default.
        since: leave out earlier days.
        settled: where something is found, look again after the inserts that were under way, for some seconds, and
            believe what every look finds. Without, a batch that is being inserted at this moment can show up.

    Returns:
        Days by roll-up and time.
    """
    found = []
    for rollup in chosen(targets):
        days = [day for day in days_of(client, rollup, since or FIRST_DAY, END_DAY) if day.rows > day.counted]
        if days and settled:
            inserts = Inserts(client)
            inserts.wait(inserts.under_way())
            days = differing(client, rollup, days, LOOKS, rows_first=True, lacking=True)
        found += days
    return found


def surplus(
    client: Client, *, targets: Collection[str] | None = None, since: dt.date | None = None
) -> list[Missing]:
    """
    Find the days of which roll-ups count more than there is, whatever became of the rest. Only reads.

    Args:
        targets: tables of roll-ups; all by default.
        since: leave out earlier days.

    Returns:
        Days by roll-up and time. Rows that come in meanwhile are not taken for it; a repair that goes on is.
    """
    return [
        day
        for rollup in chosen(targets)
        for day in days_of(client, rollup, since or FIRST_DAY, END_DAY)
        if day.counted > day.rows
    ]


def chosen(targets: Collection[str] | None) -> list[RollUp]:
    """The roll-ups with these tables; None for all."""
    return [rollup for rollup in rollups() if targets is None or rollup.target in targets]


def about_days(select: str) -> str:
    """A view's query about the days {since:Date} until before {until:Date}: a range of the primary key."""
    days = f"(SELECT * FROM {EVENTS_TABLE} WHERE {_RANGE})"  # noqa: S608 - a name of ours
    return select.replace(f"FROM {EVENTS_TABLE} AS", f"FROM {days} AS", 1)


def days_of(
    client: Client, rollup: RollUp, since: dt.date, until: dt.date, *, rows_first: bool = False
) -> list[Missing]:
    """
    Rows, and what was counted of them, of every day that has any, in order.

    What is inserted between the two readings is in the second one only: counted first, a day has rather too many
    rows; rows first, rather too few.
    """
    time_column = _time_column(rollup)
    sql = (
        f"SELECT toDate({time_column}) AS day, sum(RowCount) FROM {rollup.target} "  # noqa: S608 - names of ours
        "WHERE day >= {since:Date} AND day < {until:Date} GROUP BY day",
        f"SELECT toDate(Timestamp) AS day, count() FROM {EVENTS_TABLE} AS events "  # noqa: S608
        f"WHERE {_RANGE} AND {rollup.condition} GROUP BY day",
    )
    if rows_first:
        rows, counted = (_by_day(client, one, since, until) for one in reversed(sql))
    else:
        counted, rows = (_by_day(client, one, since, until) for one in sql)
    return [
        Missing(rollup.target, day, rows.get(day, 0), counted.get(day, 0)) for day in sorted({*rows, *counted})
    ]


def _by_day(client: Client, sql: str, since: dt.date, until: dt.date) -> dict[dt.date, int]:
    # On a cluster all readings are those of the same replicas, as far as these are there.
    settings = {"load_balancing": "in_order"}
    found = client.query(sql, parameters={"since": since, "until": until}, settings=settings).result_rows
    return {day: int(count) for day, count in found}


def _time_column(rollup: RollUp) -> str:
    """Every view names its time first: ``... AS Hour,``."""
    named = re.search(r" AS (\w+),", rollup.select)
    if named is None:
        raise ValueError(f"{rollup.view} names no column")
    return named[1]


def differing(
    client: Client,
    rollup: RollUp,
    days: Sequence[Missing],
    pauses: Sequence[float] = PAUSES,
    *,
    rows_first: bool = False,
    lacking: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Missing]:
    """
    Those of the days whose smallest difference in several readings is not 0, as that reading found them.

    Args:
        days: in order.
        pauses: between the readings, in seconds. Where rows come in meanwhile there are more of them, unless only
            lacking days are asked for.
        rows_first: see :func:`days_of`.
        lacking: only those that lack rows in every reading.
        meanwhile: called before each further reading.
    """
    until = days[-1].day + dt.timedelta(days=1)
    asked = {day.day for day in days}

    def read() -> dict[dt.date, Missing]:
        found = days_of(client, rollup, days[0].day, until, rows_first=rows_first)
        return {day.day: day for day in found if day.day in asked}

    least = first = read()
    busy = False
    for number, seconds in enumerate((*pauses, *(PAUSES[:1] * _BUSY_READINGS))):
        if number >= len(pauses) and (lacking or not busy):
            break
        if _is_decided(least.values(), lacking=lacking):
            break
        meanwhile()
        time.sleep(random.uniform(0.5, 1.5) * seconds)  # noqa: S311 - so as to fall out of step with who inserts
        found = read()
        busy = busy or any(found[day].rows != first[day].rows for day in found.keys() & first.keys())
        least = least | {day: _smaller(one, least.get(day, one)) for day, one in found.items()}
    found = least if not lacking else {day: one for day, one in least.items() if one.rows > one.counted}
    return [found[day] for day in sorted(found) if found[day].rows != found[day].counted]


def _is_decided(least: Collection[Missing], *, lacking: bool) -> bool:
    """Whether no further reading can change what is asked for: a smallest difference only becomes smaller."""
    if lacking:
        return not any(day.rows > day.counted for day in least)
    return all(day.rows < day.counted for day in least)


def _smaller(one: Missing, other: Missing) -> Missing:
    return min(one, other, key=lambda found: found.rows - found.counted)
