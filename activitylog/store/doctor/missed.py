"""
Rows that the views missed: roll-ups against the table, by day. The newest days only, unless asked to be thorough,
since rows are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from activitylog.store.doctor.commands import BACKFILL
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural
from activitylog.store.rollups import Missing, missing, rollups
from activitylog.store.watch.asking import Database, quoted

_SHOWN: Final = 10


def ask_rollups(examined: Examined) -> list[Missing]:
    """Compare the newest days, or all when thorough."""
    examined.require_events()
    targets = [rollup.target for rollup in rollups() if examined.database.holds(rollup.target)]
    if not targets:
        raise Skip("there are no roll-ups")
    since = None if examined.deep else recent_since(examined.database, examined.recent_days)
    return missing(examined.database.client, targets=targets, since=since, settled=True)


def recent_since(database: Database, recent_days: int) -> date:
    """So many days up to the newest event, or up to today where events are dated in the future."""
    newest = newest_time(database) or datetime.now(UTC)
    return (newest - timedelta(days=recent_days - 1)).date()


def newest_time(database: Database) -> datetime | None:
    """The newest event's time, or now when that is earlier. None without events."""
    found = database.row(
        f"SELECT count() AS rows, least(max(Timestamp), now64(9, 'UTC')) AS newest FROM {quoted(database.events)}"  # noqa: S608 - quoted
    )
    newest: datetime | None = found["newest"] if found["rows"] else None
    return newest


def judge_rollups(days: Sequence[Missing]) -> Verdict:
    """Each missing row is an error: questions to roll-ups are wrong."""
    if not days:
        return ok("the roll-ups have every row of the days that were looked at")
    lacking = sum(item.rows - item.counted for item in days)
    return error(
        f"the roll-ups lack {plural(lacking, 'row')} on {plural(len({item.day for item in days}), 'day')}",
        *(str(item) for item in sorted(days, key=lambda item: item.day, reverse=True)[:_SHOWN]),
        *((f"and {len(days) - _SHOWN} more",) if len(days) > _SHOWN else ()),
        do=(BACKFILL,),
    )


ROLLUPS: Final = Check(
    "rollups",
    "Rows that the views missed",
    "Charts, top lists and statistics come from the roll-ups: what a view missed is missing there for ever, while "
    "the table has it.",
    ask_rollups,
    judge_rollups,
)
