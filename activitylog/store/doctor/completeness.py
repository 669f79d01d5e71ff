"""
Is everything there, once? Event ids against each other, sequence numbers against none missing. Both look at the
newest day only: they read rows.
"""

# ruff: noqa: S608 - names are quoted, values are parameters or literals; what is shown is not run here
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from activitylog.store.columns import COUNTERS_TABLE, EVENTS_TABLE
from activitylog.store.doctor.commands import literal, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, ok, plural, warning
from activitylog.store.doctor.missed import newest_time
from activitylog.store.subjects.record import ERASURES_TABLE
from activitylog.store.watch.asking import Database, quoted

_SHOWN: Final = 10
#: So many ids are compared at once; of more, a part of all ids is taken, each with all its rows.
_MOST_IDS: Final = 2_000_000
#: A table of up to so many rows is searched as a whole for a sequence number, a larger one near the gap.
_MOST_ROWS: Final = 20_000_000


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
    newest = newest_time(examined.database)
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
    """
    Producers that were looked at, and those with gaps, the largest first.

    Attributes:
        since: the day that was looked at begins here.
        erased: rows of events that were erased since then; of any day.
    """

    producers: int
    gaps: tuple[Gap, ...]
    since: datetime
    erased: int


def ask_sequences(examined: Examined) -> Sequences:
    """
    Count the sequence numbers of each producer in the newest 24 hours.

    What came in during the last minute is left out, since its neighbours may be on their way; a number that seems
    to be missing is searched for outside of the day, too.
    """
    table = examined.require_events()
    newest = newest_time(examined.database)
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
    erased = _erased(examined.database, since) if gaps else 0
    return Sequences(len(rows), tuple(sorted(gaps, key=lambda gap: -gap.missing)), since, erased)


def _erased(database: Database, since: datetime) -> int:
    if not database.holds(ERASURES_TABLE):
        return 0
    return int(
        database.row(
            f"SELECT sum(TableRows[{literal(EVENTS_TABLE)}]) AS rows FROM {ERASURES_TABLE} "
            "WHERE State = 'finished' AND At >= {since:DateTime64(9, 'UTC')}",
            since=since,
        )["rows"]
    )


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
    gone = f"{plural(found.erased, 'row was', 'rows were')} erased since then: numbers are missing for good"
    return warning(
        f"{plural(missing, 'event is', 'events are')} missing by the sequence numbers of "
        f"{plural(len(found.gaps), 'producer')}",
        *(
            f"producer {gap.producer}: {gap.missing:,} of the numbers {gap.first:,} to {gap.last:,}"
            for gap in found.gaps[:_SHOWN]
        ),
        *([gone] if found.erased else []),
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
