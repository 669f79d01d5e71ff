"""
Rows that roll-ups count more than once: days of which they count more than there is, where that can be known, and
repairs that were begun and did not come to an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from activitylog.store.claims import CLAIMS_TABLE, ROLLUPS, Claim, current
from activitylog.store.doctor.commands import BACKFILL
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural, warning
from activitylog.store.doctor.missed import recent_since
from activitylog.store.rollups import FIRST_DAY, Missing, rollups, surplus
from activitylog.store.watch.asking import Database

_SHOWN: Final = 10


def ask_surplus(examined: Examined) -> list[Missing]:
    """
    Days of which a roll-up counts more than there is, and of which no row is known to have left.

    Left out are days that the retention has come to, of which something was archived, and all up to the last
    erasure or deletion.
    """
    table = examined.require_events()
    database = examined.database
    targets = [rollup.target for rollup in rollups() if database.holds(rollup.target)]
    if not targets:
        raise Skip("there are no roll-ups")
    since = FIRST_DAY if examined.deep else recent_since(database, examined.recent_days)
    days = surplus(database.client, targets=targets, since=max(since, _whole_since(database, table)))
    # Asked last: what a repair inserts too much it takes back.
    if days and database.holds(CLAIMS_TABLE) and current(database.client, ROLLUPS).state == "held":
        raise Skip("roll-ups are being repaired at this moment")
    archived = list(_archived(database))
    return [day for day in days if not any(first <= day.day <= last for first, last in archived)]


def _whole_since(database: Database, table: str) -> date:
    """The first day of which no row has expired, was erased or was deleted by a statement."""
    edges = [FIRST_DAY]
    retention = database.tables[table].retention_days
    if retention is not None:
        edges.append((datetime.now(UTC) - timedelta(days=retention - 1)).date())
    if database.holds("activity_erasures"):
        edges += _day_after(database.rows("SELECT count() AS n, max(At) AS last FROM activity_erasures"))
    edges += _day_after(
        database.rows(
            "SELECT count() AS n, max(create_time) AS last FROM system.mutations "
            "WHERE database = currentDatabase() AND table = {table:String} "
            "AND (command LIKE '%DELETE%' OR command LIKE '%_row_exists%')",
            table=table,
        )
    )
    return max(edges)


def _day_after(rows: Iterable[dict[str, Any]]) -> Iterator[date]:
    return (row["last"].date() + timedelta(days=1) for row in rows if row["n"])


def _archived(database: Database) -> Iterator[tuple[date, date]]:
    """First and last day of what was archived, or restored."""
    if database.holds("activity_archives"):
        for row in database.rows("SELECT MinTime AS first, MaxTime AS last FROM activity_archives"):
            if row["first"]:
                yield date.fromisoformat(row["first"][:10]), date.fromisoformat(row["last"][:10])


def judge_surplus(days: Sequence[Missing]) -> Verdict:
    """A warning: rows that were dropped by hand leave their counts, too."""
    if not days:
        return ok("the roll-ups count no row twice on the days of which that can be known")
    more = sum(day.counted - day.rows for day in days)
    named = sorted({day.day for day in days})
    options = " ".join(f"--day {day}" for day in named[:_SHOWN])
    return warning(
        f"the roll-ups count {plural(more, 'row')} more than there are on {plural(len(named), 'day')}",
        *(str(day) for day in sorted(days, key=lambda day: day.day, reverse=True)[:_SHOWN]),
        *((f"and {len(days) - _SHOWN} more",) if len(days) > _SHOWN else ()),
        do=(
            BACKFILL.replace(" --url", f" {options} --url"),
            "# Not if somebody dropped these rows by hand and wants them counted.",
        ),
    )


SURPLUS: Final = Check(
    "surplus",
    "Rows that roll-ups count twice",
    "Charts, top lists and statistics come from the roll-ups: what is counted twice is twice in each answer.",
    ask_surplus,
    judge_surplus,
)


@dataclass(frozen=True, slots=True)
class Repairs:
    """The claim to repair roll-ups, as it stands."""

    claim: Claim


def ask_repairs(examined: Examined) -> Repairs:
    """Who has the claim, and what is begun."""
    if not examined.database.holds(CLAIMS_TABLE):
        raise Skip(f"there is no table {CLAIMS_TABLE}")
    return Repairs(current(examined.database.client, ROLLUPS))


def judge_repairs(found: Repairs) -> Verdict:
    """What was begun and is not being worked at may be counted twice until somebody finishes it."""
    claim = found.claim
    if claim.state == "held":
        return ok(f"being repaired by {claim}")
    days = [f"{one.target} of {one.day}" for one in claim.begun]
    if claim.state == "expired":
        ended = f"{claim.who} ended at {claim.since:%Y-%m-%d %H:%M} UTC while it repaired roll-ups"
        verdict = error if days else warning
        return verdict(ended, *(f"begun: {day}" for day in days[:_SHOWN]), do=(BACKFILL,))
    if days:
        return warning(
            f"the repair of {plural(len(days), 'day')} of roll-ups did not come to an end: rows kept coming in",
            *(f"begun: {day}" for day in days[:_SHOWN]),
            do=(BACKFILL,),
        )
    return ok("none is under way")


REPAIRS: Final = Check(
    "repairs",
    "Repairs of roll-ups",
    "A repair that was cut off may have counted a batch twice; the next one finishes it.",
    ask_repairs,
    judge_repairs,
)
