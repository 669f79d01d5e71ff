"""
How roll-ups get the rows that they lack.

What the view's own SELECT makes of the stored rows of some days, minus what the roll-up holds, is inserted as
further rows (its sums are signed, and added up when they are read). Nothing is deleted or rewritten.

A reading may find a batch in the table that has not reached the roll-up yet, and count it twice. The next round
sees that, after the inserts that were under way have ended, and takes it back by another difference. Two who did
so at once would take back each other's, and one that was killed in between would leave it. So:

- One at a time: who repairs has the claim ``rollups`` (:mod:`activitylog.store.claims`).
- It says which days it is about to change, and how many rows each had. Whoever has the claim next finishes those.
- The INSERT itself changes only days that the claim's newest row names for its sender, and only where there are at
  least as many rows as it says: of a process that was paused for too long it inserts nothing, and nothing is taken
  back from a day whose rows were archived, expired or were erased in the meantime.

A day that had its repair begun and has fewer rows by now is left as it is, and told: nobody can say what it should
count. Only where inserts into a day never pause does it not come to an end: the day is given back as unsettled,
and stays begun.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import StoreBusyError
from activitylog.store import claims
from activitylog.store.claims import Begun, Hold, LostClaimError, Patience
from activitylog.store.inserts import Inserts
from activitylog.store.rollups import (
    END_DAY,
    FIRST_DAY,
    LOOKS,
    PAUSES,
    Missing,
    RollUp,
    about_days,
    chosen,
    days_of,
    differing,
)

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_AGGREGATE: Final = re.compile(r"SimpleAggregateFunction\((\w+), (.*)\)")
#: Rounds of one day before it is given up for now.
_ROUNDS: Final = 8
#: How often the claim is taken again after it was lost.
_TAKES: Final = 3
#: Rows that one repair reads at most, unless one day has more.
_ROWS_AT_ONCE: Final = 20_000_000
#: Rows a second that a repair is given time for, an eighth of what one core reads; and more time if it is too
#: little.
_SLOWEST: Final = 50_000
_MORE_TIME: Final = (1, 4, 16)
_OUT_OF_TIME: Final = frozenset({159, 160})
_ONE_BLOCK: Final = {
    "async_insert": 0,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 0,
    "insert_deduplicate": 1,
    "deduplicate_insert_select": "force_enable",
    "distributed_foreground_insert": 1,  # else the next reading of a cluster does not see it, and it is repeated
    "load_balancing": "in_order",  # the replicas that are read, see rollups
    "timeout_overflow_mode": "throw",
}


def backfill(
    client: Client,
    *,
    targets: Collection[str] | None = None,
    since: dt.date | None = None,
    exactly: Collection[dt.date] = (),
    repaired: Callable[[Missing], object] = lambda _: None,
    left: Callable[[Missing], object] = lambda _: None,
    patience: Patience | None = None,
) -> list[Missing]:
    """
    Give the roll-ups the rows that they lack, and finish what others have begun. Safe to repeat, to kill, and to
    call by several at once: one works, and the others wait.

    Args:
        targets: tables of roll-ups; all by default.
        since: leave out earlier days.
        exactly: days whose roll-ups are made to agree in every sum, and even where they count more than there is.
        repaired: called for each day, in order, with what it counted, before its rows are inserted.
        left: called for each day that was begun by somebody and cannot be finished, since rows have left it.
        patience: with others who are at work; ten minutes by default.

    Returns:
        Days that do not agree yet, because others keep inserting into them; empty when all is done. They stay
        begun: the next call finishes them.

    Raises:
        StoreBusyError: somebody else is still at work when patience ends.
        SchemaError: the database lacks the table of claims.
    """
    work = _Work(client, since or FIRST_DAY, frozenset(exactly), repaired, left)
    rollups = chosen(targets)
    if not any(work.lists(rollup) for rollup in rollups) and _nothing_begun(client, rollups):
        return []
    for _ in range(_TAKES):
        hold = claims.take(client, claims.ROLLUPS, patience or Patience())
        if hold is None:
            return []
        try:
            with hold:
                return [day for rollup in rollups for day in work.on(rollup, hold)]
        except LostClaimError:
            continue  # another one has gone on with it
    raise StoreBusyError(
        f"The repair of the {claims.ROLLUPS} was taken over by others {_TAKES} times.",
        hint="This process is paused for too long again and again. Run this again when the machine is less busy.",
    )


def _nothing_begun(client: Client, rollups: Sequence[RollUp]) -> bool:
    """Asked after the roll-ups: what somebody inserts too much hides what is missing until it is taken back."""
    claim = claims.current(client, claims.ROLLUPS)
    return claim.state == "free" and not {one.target for one in claim.begun} & {one.target for one in rollups}


class _Work:
    """What one call does, roll-up by roll-up."""

    def __init__(
        self,
        client: Client,
        since: dt.date,
        exactly: frozenset[dt.date],
        repaired: Callable[[Missing], object],
        left: Callable[[Missing], object],
    ) -> None:
        self._client = client
        self._since = since
        self._exactly = exactly
        self._repaired = repaired
        self._left = left
        self._inserts = Inserts(client)

    def lists(self, rollup: RollUp, begun: Collection[dt.date] = ()) -> list[Missing]:
        """The days that may have to be repaired, at a glance."""
        days = days_of(self._client, rollup, self._since, END_DAY)
        asked = self._exactly.union(begun)
        return [day for day in days if day.rows > day.counted or day.day in asked]

    def on(self, rollup: RollUp, hold: Hold) -> list[Missing]:
        """Repair a roll-up; returns the days that are unsettled."""
        begun = {one.day: one for one in hold.begun if one.target == rollup.target and one.day >= self._since}
        days = self.lists(rollup, begun)
        hold.keep()
        # The glance may have caught inserts, and taken them for missing, or hidden what was counted twice by them.
        asked = self._exactly.union(begun)
        wrong = self._settled(rollup, [day for day in days if day.day not in asked], hold, lacking=True)
        wrong += self._settled(rollup, [day for day in days if day.day in asked], hold)
        # Of as many rows the roll-up may say something else: rows of a writer that was newer than its view.
        wrong += [day for day in days if day.day in self._exactly and day.day not in {one.day for one in wrong}]
        wrong.sort(key=lambda day: day.day)
        others = begun.keys() - self._exactly  # whoever names a day wants it to agree with what is there
        gone = [day for day in wrong if day.day in others and day.rows < begun[day.day].rows]
        self._tell(gone)
        wrong = [day for day in wrong if day not in gone]
        hold.begun = _without(hold.begun, rollup, begun.keys() - {day.day for day in wrong})
        shape = _Shape.of(self._client, rollup)
        return [day for run in _runs(wrong) for day in self._repair(shape, run, hold)]

    def _repair(self, shape: _Shape, run: Sequence[Missing], hold: Hold) -> list[Missing]:
        """Insert what a run of days lacks until all agree; returns the days that do not within the rounds."""
        for day in run:
            self._repaired(day)
        wrong = list(run)
        for _ in range(_ROUNDS):
            rows = {day.day: day.rows for day in wrong}
            begun = [Begun(day.target, day.day, day.rows) for day in wrong]
            hold.begun = (*_without(hold.begun, shape.rollup, rows), *begun)
            for part in _runs(wrong):
                self._insert_difference(shape, part, hold)
            found = self._settled(shape.rollup, wrong, hold)
            gone = [day for day in found if day.rows < rows[day.day]]
            self._tell(gone)
            wrong = [day for day in found if day not in gone]
            hold.begun = _without(hold.begun, shape.rollup, rows.keys() - {day.day for day in wrong})
            if not wrong:
                break
        return wrong

    def _settled(
        self, rollup: RollUp, days: Sequence[Missing], hold: Hold, *, lacking: bool = False
    ) -> list[Missing]:
        """
        Those of the days that do not agree, after the inserts that are under way.

        Args:
            lacking: only those that seem to lack rows; a repair looks at them again.
        """
        if not days:
            return []
        inserts = self._inserts.under_way()
        self._inserts.wait(inserts, hold.keep)
        # Who may not see what is going on looks for so long that most inserts have ended.
        pauses = LOOKS if inserts is None and not lacking else PAUSES
        return differing(self._client, rollup, days, pauses, lacking=lacking, meanwhile=hold.keep)

    def _tell(self, gone: Iterable[Missing]) -> None:
        for day in gone:
            self._left(day)

    def _insert_difference(self, shape: _Shape, run: Sequence[Missing], hold: Hold) -> None:
        from clickhouse_connect.driver.exceptions import DatabaseError

        rows = sum(day.rows for day in run)
        for more in _MORE_TIME:
            seconds = math.ceil((claims.LEASE_SECONDS / 2 + rows / _SLOWEST) * more)
            try:
                with hold.statement(shape.rollup.target, seconds) as sender:
                    self._client.command(
                        shape.difference(),
                        parameters={
                            "since": run[0].day,
                            "until": run[-1].day + dt.timedelta(days=1),
                            **sender,
                        },
                        settings={
                            **_ONE_BLOCK,
                            "max_execution_time": seconds,
                            "insert_deduplication_token": hold.token,
                        },
                    )
            except DatabaseError as error:
                if error.code not in _OUT_OF_TIME or more == _MORE_TIME[-1]:
                    raise
            else:
                return


def _without(begun: Iterable[Begun], rollup: RollUp, days: Collection[dt.date]) -> tuple[Begun, ...]:
    return tuple(one for one in begun if one.target != rollup.target or one.day not in days)


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
        """
        An INSERT of what the roll-up lacks from the day {since:Date} until before {until:Date}.

        Only of days that its sender has begun, and that have as many rows as it has seen at least: these are
        counted in the same reading as what is inserted.
        """
        keys = ", ".join(self.keys)
        extremes = [name for name, _ in self.extremes]
        columns = ", ".join([keys, *(name for name, _ in self.sums), *extremes])
        known = ", ".join([keys, *(f"-{name} AS {name}" for name, _ in self.sums), *extremes])
        measures = [f"sum({name}) AS {name}_" for name, _ in self.sums]
        # Where no row is left: what is known, not minIf of nothing, which is 1970 and the least for ever.
        measures += [
            f"if(countIf(stored) > 0, {function}If({name}, stored), {function}({name})) AS {name}_"
            for name, function in self.extremes
        ]
        inserted = ", ".join([keys, *(f"{name}_" for name, _ in self.sums), *(f"{name}_" for name in extremes)])
        differs = " OR ".join(f"{name}_ != 0" for name, kind in self.sums if kind.startswith("Int"))
        day = f"toDate({self.keys[0]})"
        return f"""
            INSERT INTO {self.rollup.target} ({columns})
            WITH
                {claims.BEGUN} AS begun,
                mapFromArrays(arrayMap(one -> one.2, begun), arrayMap(one -> one.3, begun)) AS rows_seen
            SELECT {inserted}
            FROM
            (
                SELECT {keys}, {", ".join(measures)}, sumIf(RowCount, stored) AS rows_stored
                FROM
                (
                    SELECT {known}, false AS stored FROM {self.rollup.target}
                    WHERE {day} >= {{since:Date}} AND {day} < {{until:Date}}
                    UNION ALL
                    SELECT {columns}, true FROM ({about_days(self.rollup.select)})
                )
                GROUP BY {keys}
            )
            QUALIFY ({differs}) AND mapContains(rows_seen, {day})
                AND sum(rows_stored) OVER (PARTITION BY {day}) >= toInt64(rows_seen[{day}])
            ORDER BY {keys}"""  # noqa: S608 - names of ours


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
