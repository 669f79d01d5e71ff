"""
Roll-ups that say what the rows say: on which days one lacks rows, and how it gets them.

A view fills its roll-up from each insert. It knows nothing of the rows that were there before it, and lacks those
of a batch where it failed while errors of views were ignored. Both are repaired in the same way: what the view's
own SELECT makes of the stored rows of some days, minus what the roll-up holds, is inserted as further rows (its
sums are signed, and added up when they are read). Nothing is deleted or rewritten, and a repair that was cut off
is repeated without counting anything twice.

Rows live shorter than roll-ups: they are archived, expire or are erased. So a day with fewer rows than its roll-up
counted is left alone, and one with more is repaired.

An insert reaches the table a moment before its roll-ups, so a reading can find too many rows, never too few: the
counts are read before the rows. A repair that took such rows for missing ones is seen, and taken back, by the next
round: after the inserts that were under way have ended, the smallest difference of several readings is the true
one. Only where inserts into a day never pause is there none: the day is given back as unsettled, to be named again
(``exactly``) when they do.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.definitions import Definition, definitions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_CONDITION: Final = re.compile(r"\nWHERE (.*?)\nGROUP BY", re.DOTALL)
_AGGREGATE: Final = re.compile(r"SimpleAggregateFunction\((\w+), (.*)\)")
#: Days that the roll-ups' times can hold (32 bits of seconds); rows beyond are not looked at.
_FIRST: Final = dt.date(1970, 1, 1)
_END: Final = dt.date(2106, 2, 7)
_ACCESS_DENIED: Final = 497
#: Rounds of one day before it is given up for now, and the pauses between the readings of each.
_ROUNDS: Final = 8
_PAUSES: Final = (0.03, 0.03, 0.03)
#: Pauses between looks that must not take an insert for a loss; looks within one insert would find the same.
_LOOKS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
#: How long a round waits for inserts that were under way.
_PATIENCE_SECONDS: Final = 60.0
_RANGE: Final = "Timestamp >= toDateTime({since:Date}, 'UTC') AND Timestamp < toDateTime({until:Date}, 'UTC')"
#: Rows that one repair reads at most, unless one day has more.
_ROWS_AT_ONCE: Final = 20_000_000
_ONE_BLOCK: Final = {
    "async_insert": 0,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 0,
    "deduplicate_insert_select": "force_enable",
    "distributed_foreground_insert": 1,  # else the next reading of a cluster does not see it, and it is repeated
}


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
    A day on which a roll-up lacks rows.

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
    for rollup in _chosen(targets):
        days = [day for day in _days(client, rollup, since or _FIRST, _END) if day.rows > day.counted]
        if days and settled:
            _wait_for(client, _inserts_under_way(client))
            days = [
                day for day in _differing(client, rollup, days, _LOOKS, rows_first=True) if day.rows > day.counted
            ]
        found += days
    return found


def backfill(
    client: Client,
    *,
    targets: Collection[str] | None = None,
    since: dt.date | None = None,
    exactly: Collection[dt.date] | Literal["all"] = (),
    repaired: Callable[[Missing], None] = lambda _: None,
) -> list[Missing]:
    """
    Give the roll-ups the rows that they lack. Safe to repeat. Where rows come in, one that is cut off, or
    several at once, can leave a batch counted twice: name the day ``exactly`` when writers rest.

    Args:
        targets: tables of roll-ups; all by default.
        since: leave out earlier days.
        exactly: days whose roll-ups are made to agree even where they count more than there is; all of them for a
            roll-up that is being made, of which a repair that was cut off may have counted a batch twice.
        repaired: called for each day, in order, with what it lacked, before its rows are inserted.

    Returns:
        Days that do not agree yet, because others keep inserting into them; empty when all is done.
    """
    unsettled: list[Missing] = []
    for rollup in _chosen(targets):
        days = _days(client, rollup, since or _FIRST, _END)
        wrong = [
            day
            for day in days
            if day.rows > day.counted or ((exactly == "all" or day.day in exactly) and day.rows != day.counted)
        ]
        shape = _Shape.of(client, rollup)
        for run in _runs(wrong):
            for day in run:
                repaired(day)
            unsettled += _repair(client, shape, run)
    return unsettled


def _chosen(targets: Collection[str] | None) -> list[RollUp]:
    return [rollup for rollup in rollups() if targets is None or rollup.target in targets]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A roll-up and its columns: what tells rows apart, what is added up, what is a least or greatest value."""

    rollup: RollUp
    keys: tuple[str, ...]
    sums: tuple[tuple[str, str], ...]
    extremes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, client: Client, rollup: RollUp) -> _Shape:
        rows = client.query(
            "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
            "ORDER BY position",
            parameters={"table": rollup.target},
        ).result_rows
        aggregates = {name: found.groups() for name, type_ in rows if (found := _AGGREGATE.fullmatch(type_))}
        return cls(
            rollup,
            tuple(name for name, _ in rows if name not in aggregates),
            tuple((name, kind) for name, (function, kind) in aggregates.items() if function == "sum"),
            tuple((name, function) for name, (function, _) in aggregates.items() if function != "sum"),
        )

    def difference(self) -> str:
        """An INSERT of what the roll-up lacks from the day {since:Date} until before {until:Date}."""
        keys = ", ".join(self.keys)
        extremes = [name for name, _ in self.extremes]
        stored = ", ".join([keys, *(name for name, _ in self.sums), *extremes])
        known = ", ".join([keys, *(f"-{name} AS {name}" for name, _ in self.sums), *extremes])
        measures = [f"sum({name}) AS {name}_" for name, _ in self.sums]
        # Where no row is left: what is known, not minIf of nothing, which is 1970 and the least for ever.
        measures += [
            f"if(countIf(stored) > 0, {function}If({name}, stored), {function}({name})) AS {name}_"
            for name, function in self.extremes
        ]
        differs = " OR ".join(f"{name}_ != 0" for name, kind in self.sums if kind.startswith("Int"))
        day = f"toDate({self.keys[0]})"
        return f"""
            INSERT INTO {self.rollup.target} ({stored})
            SELECT {keys}, {", ".join(measures)}
            FROM
            (
                SELECT {known}, false AS stored FROM {self.rollup.target}
                WHERE {day} >= {{since:Date}} AND {day} < {{until:Date}}
                UNION ALL
                SELECT {stored}, true FROM ({_of_days(self.rollup.select)})
            )
            GROUP BY {keys} HAVING {differs} ORDER BY {keys}"""  # noqa: S608 - names of ours


def _of_days(select: str) -> str:
    """A view's query about some days only: they are a range of the primary key."""
    days = f"(SELECT * FROM {EVENTS_TABLE} WHERE {_RANGE})"  # noqa: S608 - a name of ours
    return select.replace(f"FROM {EVENTS_TABLE} AS", f"FROM {days} AS", 1)


def _days(
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
    found = client.query(sql, parameters={"since": since, "until": until}).result_rows
    return {day: int(count) for day, count in found}


def _time_column(rollup: RollUp) -> str:
    """Every view names its time first: ``... AS Hour,``."""
    named = re.search(r" AS (\w+),", rollup.select)
    if named is None:
        raise ValueError(f"{rollup.view} names no column")
    return named[1]


def _runs(days: Iterable[Missing]) -> Iterator[list[Missing]]:
    """The days in runs without a gap, each of so many rows that one repair can read them."""
    run: list[Missing] = []
    for day in days:
        follows = run and day.day - run[-1].day == dt.timedelta(days=1)
        if run and not (follows and sum(one.rows for one in run) + day.rows <= _ROWS_AT_ONCE):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _repair(client: Client, shape: _Shape, run: Sequence[Missing]) -> list[Missing]:
    """Insert what a run of days lacks until all agree; returns the days that do not within the rounds."""
    wrong = list(run)
    for attempt in range(_ROUNDS):
        for part in _runs(wrong):
            _insert_difference(client, shape, part, attempt)
        inserts = _inserts_under_way(client)
        _wait_for(client, inserts)
        # Who may not see what is going on looks for so long that most inserts have ended.
        wrong = _differing(client, shape.rollup, wrong, _LOOKS if inserts is None else _PAUSES)
        if not wrong:
            break
    return wrong


def _insert_difference(client: Client, shape: _Shape, run: Sequence[Missing], attempt: int) -> None:
    # Two that repair the same days at once see the same state and send the same token: one of them counts.
    # A state that comes back, because the same rows were lost again, would be taken for a batch sent again: in the
    # later rounds nobody's token is anybody else's.
    own = random.random() if attempt >= _ROUNDS // 2 else None  # noqa: S311 - only has to be another one
    state = hashlib.sha256(repr((run, attempt, own)).encode()).hexdigest()
    client.command(
        shape.difference(),
        parameters={"since": run[0].day, "until": run[-1].day + dt.timedelta(days=1)},
        settings={**_ONE_BLOCK, "insert_deduplication_token": f"backfill:{state}"},
    )


def _inserts_under_way(client: Client) -> set[str] | None:
    """Ids of the inserts that this server is running, whoever sent them; None for who may not ask."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    sql = "SELECT query_id FROM system.processes WHERE query_kind IN ('Insert', 'AsyncInsertFlush')"
    try:
        return {query_id for (query_id,) in client.query(sql).result_rows}
    except DatabaseError as error:
        if error.code == _ACCESS_DENIED:
            return None
        raise


def _wait_for(client: Client, inserts: set[str] | None) -> None:
    """Wait until these have ended, for a bounded time."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while inserts and inserts & (_inserts_under_way(client) or set()) and time.monotonic() < until:
        _pause(_PAUSES[0])


def _differing(
    client: Client,
    rollup: RollUp,
    days: Sequence[Missing],
    pauses: Sequence[float] = _PAUSES,
    *,
    rows_first: bool = False,
) -> list[Missing]:
    """Those of the days whose smallest difference in several readings is not 0."""
    until = days[-1].day + dt.timedelta(days=1)

    def read() -> list[Missing]:
        return _days(client, rollup, days[0].day, until, rows_first=rows_first)

    least = {day.day: day for day in read()}
    for seconds in pauses:
        if rows_first and not any(found.rows > found.counted for found in least.values()):
            break  # nothing is missing: no further look can change that
        _pause(seconds)
        for day in read():
            least[day.day] = min(day, least.get(day.day, day), key=lambda found: found.rows - found.counted)
    asked = [least[day.day] for day in days if day.day in least]
    return [day for day in asked if day.rows != day.counted]


def _pause(seconds: float) -> None:
    time.sleep(random.uniform(0.5, 1.5) * seconds)  # noqa: S311 - so that two that run at once fall out of step
