"""
Rows that the views missed: roll-ups against the table, by day. The newest days only, unless asked to be thorough,
since rows are read.
"""
# ruff: noqa: S608 - names are quoted, values are parameters

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from activitylog.store.doctor.commands import APPLY
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural
from activitylog.store.watch.asking import ACTOR_TABLE, HOURLY_TABLE, Database, quoted

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SHOWN: Final = 10
_ALL_DAYS: Final = 1_000_000
#: Seconds between two looks. Where inserts follow one another without a pause about every third look finds one
#: under way, and looks within one insert find the same one: they have to lie apart.
_PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)

_STORED: Final = """
SELECT toDate(Timestamp) AS day, toInt64(count()) AS all_rows, toInt64(countIf(ActorId != '')) AS actor_rows
FROM {events} WHERE Timestamp >= {since:DateTime64(9, 'UTC')} GROUP BY day
"""
_HOURLY_ROWS: Final = """
SELECT toDate(Hour) AS day, toInt64(sum(RowCount)) AS rows FROM {rollup}
WHERE Hour >= toDateTime({since:DateTime64(9, 'UTC')}, 'UTC') GROUP BY day
"""
_ACTOR_ROWS: Final = """
SELECT Day AS day, toInt64(sum(RowCount)) AS rows FROM {rollup}
WHERE Day >= toDate({since:DateTime64(9, 'UTC')}) GROUP BY day
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingDay:
    """A day (UTC) of which a roll-up has fewer rows than the table."""

    day: date
    rollup: str
    stored: int
    counted: int

    @property
    def missing(self) -> int:
        """How many."""
        return self.stored - self.counted


def missing_days(client: Client, *, recent_days: int = 7) -> list[MissingDay]:
    """
    The days of which the views missed rows.

    Args:
        recent_days: how many days up to the newest event (or today, where events are dated in the future).

    Returns:
        By roll-up and day; empty when each roll-up has the rows of the table. A roll-up that has more is no
        difference: rows were dropped from the table by its TTL or an archive, and stay counted.

    An insert that is under way looks like a miss: the table has its rows a moment before the roll-ups. So days
    with a difference are looked at again, and what counts is the smallest difference of all looks: three seconds
    more when something is missing.
    """
    database = Database(client)
    since = _since(database, recent_days)
    if since is None:
        return []
    found = _compare(database, since)
    for pause in _PAUSES:
        if not found:
            break
        time.sleep(pause)
        first = min(item.day for item in found)
        again = _compare(database, datetime(first.year, first.month, first.day, tzinfo=UTC))
        found = _smaller(found, again)
    return found


def _smaller(found: Sequence[MissingDay], again: Sequence[MissingDay]) -> list[MissingDay]:
    """Of each day that is in both, the smaller difference."""
    later = {(item.rollup, item.day): item for item in again}
    pairs = ((item, later.get((item.rollup, item.day))) for item in found)
    return [min(item, other, key=lambda each: each.missing) for item, other in pairs if other is not None]


def _since(database: Database, recent_days: int) -> datetime | None:
    newest = newest_time(database)
    if newest is None:
        return None
    midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    # The roll-ups' hours and days begin in 1970.
    days = min(recent_days - 1, (midnight - datetime(1970, 1, 1, tzinfo=UTC)).days)
    return midnight - timedelta(days=days) if days >= 0 else None


def newest_time(database: Database) -> datetime | None:
    """The newest event's time, or now when that is earlier. None without events."""
    found = database.row(
        f"SELECT count() AS rows, least(max(Timestamp), now64(9, 'UTC')) AS newest FROM {quoted(database.events)}"
    )
    newest: datetime | None = found["newest"] if found["rows"] else None
    return newest


def _compare(database: Database, since: datetime) -> list[MissingDay]:
    # The table first: what is written meanwhile is then in the roll-ups' counts only, and no miss.
    stored = database.rows(_STORED.replace("{events}", quoted(database.events)), since=since)
    found = []
    for name, sql, column in ((HOURLY_TABLE, _HOURLY_ROWS, "all_rows"), (ACTOR_TABLE, _ACTOR_ROWS, "actor_rows")):
        if not database.holds(name):
            continue
        rollup = quoted(database.local(name))
        counted = {row["day"]: row["rows"] for row in database.rows(sql.replace("{rollup}", rollup), since=since)}
        for row in sorted(stored, key=lambda row: row["day"]):
            have = counted.get(row["day"], 0)
            if have < row[column]:
                found.append(MissingDay(day=row["day"], rollup=name, stored=row[column], counted=have))
    return found


def ask_rollups(examined: Examined) -> list[MissingDay]:
    """Compare the newest days, or all when thorough."""
    examined.require_events()
    if not any(examined.database.holds(name) for name in (HOURLY_TABLE, ACTOR_TABLE)):
        raise Skip("there are no roll-ups")
    days = _ALL_DAYS if examined.deep else examined.recent_days
    return missing_days(examined.database.client, recent_days=days)


def judge_rollups(days: Sequence[MissingDay]) -> Verdict:
    """Each missing row is an error: questions to roll-ups are wrong."""
    if not days:
        return ok("the roll-ups have every row of the days that were looked at")
    missing = sum(item.missing for item in days)
    return error(
        f"the roll-ups lack {plural(missing, 'row')} on {plural(len({item.day for item in days}), 'day')}",
        *(
            f"{item.day}, {item.rollup}: {item.counted:,} of {item.stored:,} rows"
            for item in sorted(days, key=lambda item: item.day, reverse=True)[:_SHOWN]
        ),
        *((f"and {len(days) - _SHOWN} more",) if len(days) > _SHOWN else ()),
        do=(
            APPLY,
            "# It makes views that are missing; missed rows are added afterwards.",
        ),
    )


ROLLUPS: Final = Check(
    "rollups",
    "Rows that the views missed",
    "Charts, top lists and statistics come from the roll-ups: what a view missed is missing there for ever, while "
    "the table has it.",
    ask_rollups,
    judge_rollups,
)
