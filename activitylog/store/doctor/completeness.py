"""
Is everything there, once? Roll-ups against the table, event ids against each other, sequence numbers against none
missing. All three look at the newest days only, unless asked to be thorough: they read rows.
"""

# ruff: noqa: S608 - names are quoted, values are parameters or literals; what is shown is not run here
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.doctor.commands import APPLY, literal, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural, warning
from activitylog.store.watch.asking import ACTOR_TABLE, COUNTERS_TABLE, HOURLY_TABLE, Database, quoted

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SHOWN: Final = 10
_ALL_DAYS: Final = 1_000_000
#: Seconds between two looks. Where inserts follow one another without a pause about every third look finds one
#: under way, and looks within one insert find the same one: they have to lie apart.
_PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
#: So many ids are compared at once; of more, a part of all ids is taken, each with all its rows.
_MOST_IDS: Final = 2_000_000
#: A table of up to so many rows is searched as a whole for a sequence number, a larger one near the gap.
_MOST_ROWS: Final = 20_000_000

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
    newest = _newest(database)
    if newest is None:
        return None
    midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    # The roll-ups' hours and days begin in 1970.
    days = min(recent_days - 1, (midnight - datetime(1970, 1, 1, tzinfo=UTC)).days)
    return midnight - timedelta(days=days) if days >= 0 else None


def _newest(database: Database) -> datetime | None:
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


@dataclass(frozen=True, slots=True)
class Duplicates:
    """
    Events stored more than once.

    Attributes:
        ids: event ids with more than one row.
        surplus: rows beyond the first of each.
        rows: that were looked at.
        share: 1 when all ids were compared, n when every n-th was.
        example: one of the ids.
        since: the day that was looked at begins here.
    """

    ids: int
    surplus: int
    rows: int
    share: int
    example: str
    since: datetime


def ask_duplicates(examined: Examined) -> Duplicates:
    """Compare the ids of the newest 24 hours of events."""
    table = quoted(examined.require_events())
    newest = _newest(examined.database)
    if newest is None:
        raise Skip("there are no events")
    since = newest - timedelta(days=1)
    rows = examined.database.row(
        f"SELECT count() AS rows FROM {table} WHERE Timestamp >= {{since:DateTime64(9, 'UTC')}}",
        since=since,
    )["rows"]
    share = max(1, -(-rows // _MOST_IDS))
    found = examined.database.row(
        "SELECT count() AS ids, sum(n) - count() AS surplus, toString(any(EventId)) AS example FROM ("
        f"SELECT EventId, count() AS n FROM {table} WHERE Timestamp >= {{since:DateTime64(9, 'UTC')}} "
        "AND EventId != toUUID('00000000-0000-0000-0000-000000000000') "
        "AND cityHash64(EventId) % {share:UInt64} = 0 GROUP BY EventId HAVING n > 1)",
        since=since,
        share=share,
    )
    return Duplicates(found["ids"], int(found["surplus"]), rows, share, found["example"], since)


def judge_duplicates(found: Duplicates) -> Verdict:
    """One is enough for a warning."""
    looked = f"{plural(found.rows, 'row')} since {found.since:%Y-%m-%d %H:%M} UTC"
    looked += f", every {found.share}th id" if found.share > 1 else ""
    if not found.ids:
        return ok(f"none ({looked})")
    return warning(
        f"{plural(found.ids, 'event is', 'events are')} stored more than once: {plural(found.surplus, 'row')} "
        f"too many ({looked})",
        f"one of them: {found.example}",
        do=(
            reading(
                f"SELECT Timestamp, EventName, Producer, Seq, _part FROM {EVENTS_TABLE} "
                f"WHERE EventId = {literal(found.example)}"
            ),
            "# Rows in parts of different inserts: a Collector sent a batch again (it promises at least once), or "
            "the window was too small. Ask with LIMIT 1 BY EventId until they are gone.",
        ),
    )


DUPLICATES: Final = Check(
    "duplicates",
    "Events stored twice",
    "They count twice in every answer and in every roll-up.",
    ask_duplicates,
    judge_duplicates,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A producer with numbers ``first`` to ``last`` of which some are missing."""

    producer: str
    first: int
    last: int
    missing: int


@dataclass(frozen=True, slots=True)
class Sequences:
    """Producers that were looked at, and those with gaps, the largest first."""

    producers: int
    gaps: tuple[Gap, ...]
    since: datetime


def ask_sequences(examined: Examined) -> Sequences:
    """
    Count the sequence numbers of each producer in the newest 24 hours.

    What came in during the last minute is left out, since its neighbours may be on their way; a number that seems
    to be missing is searched for outside of the day, too.
    """
    table = examined.require_events()
    newest = _newest(examined.database)
    if newest is None:
        raise Skip("there are no events")
    since = newest - timedelta(days=1)
    rows = examined.database.rows(
        "SELECT Producer AS producer, min(Seq) AS first, max(Seq) AS last, groupBitmap(Seq) AS seen "
        f"FROM {quoted(table)} WHERE Timestamp >= {{since:DateTime64(9, 'UTC')}} "
        "AND Timestamp < now64(9) - INTERVAL 1 MINUTE AND Producer != '' AND Seq > 0 GROUP BY producer",
        since=since,
    )
    open_rows = [row for row in rows if row["last"] - row["first"] + 1 > row["seen"]]
    gaps = [gap for row in open_rows[:100] if (gap := _gap(examined, table, row, since)).missing > 0]
    return Sequences(len(rows), tuple(sorted(gaps, key=lambda gap: -gap.missing)), since)


def _gap(examined: Examined, table: str, row: dict[str, Any], since: datetime) -> Gap:
    database = examined.database
    near = "" if _rows_of(database, table) <= _MOST_ROWS else "Timestamp >= {since:DateTime64(9, 'UTC')} AND "
    these = "Producer = {producer:String} AND Seq BETWEEN {first:UInt64} AND {last:UInt64}"
    sources = f"SELECT Seq FROM {quoted(table)} WHERE {near}{these}"
    if database.holds(COUNTERS_TABLE):
        sources += f" UNION ALL SELECT Seq FROM {quoted(database.local(COUNTERS_TABLE))} WHERE {these}"
    seen = database.row(
        f"SELECT groupBitmap(Seq) AS seen FROM ({sources})",
        producer=row["producer"],
        first=row["first"],
        last=row["last"],
        since=since - timedelta(days=2),
    )["seen"]
    return Gap(row["producer"], row["first"], row["last"], row["last"] - row["first"] + 1 - seen)


def _rows_of(database: Database, table: str) -> int:
    return int(database.row(f"SELECT count() AS rows FROM {quoted(table)}")["rows"])


def judge_sequences(found: Sequences) -> Verdict:
    """A gap is events that were emitted and are not here (yet)."""
    if not found.gaps:
        return ok(f"no gaps ({plural(found.producers, 'producer')} since {found.since:%Y-%m-%d %H:%M} UTC)")
    first = found.gaps[0]
    missing = sum(gap.missing for gap in found.gaps)
    return warning(
        f"{plural(missing, 'event is', 'events are')} missing by the sequence numbers of "
        f"{plural(len(found.gaps), 'producer')}",
        *(
            f"producer {gap.producer}: {gap.missing:,} of the numbers {gap.first:,} to {gap.last:,}"
            for gap in found.gaps[:_SHOWN]
        ),
        do=(
            reading(
                "SELECT before + 1 AS missing_from, Seq - 1 AS missing_to, Timestamp AS until FROM (SELECT Seq, "
                "Timestamp, lagInFrame(Seq) OVER (ORDER BY Seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before"
                f" FROM {EVENTS_TABLE} WHERE Producer = {literal(first.producer)} AND Seq >= {first.first}) "
                "WHERE before > 0 AND Seq > before + 1"
            ),
            "# Dropped events are counted, with the reason, in its stats(); others may be on their way.",
        ),
    )


SEQUENCES: Final = Check(
    "sequences",
    "Gaps in sequence numbers",
    "Each process numbers its events without gaps: a missing number is an event that was emitted and is not here.",
    ask_sequences,
    judge_sequences,
)
