"""
Are the numbers of sampled events right? What processes counted before sampling against the rows that they sent,
and the weights of those rows. All look at one day.
"""

# ruff: noqa: S608 - names are constants, values are parameters or literals; what is shown is not run here
from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activitylog.store.columns import COUNTERS_TABLE, EVENTS_TABLE
from activitylog.store.doctor.commands import APPLY, literal, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, ok, plural, warning
from activitylog.store.doctor.missed import newest_time

_SHOWN: Final = 10
#: Rows may be on their way: queues, a Collector, a server that was away.
_GRACE: Final = timedelta(hours=1)
#: How far a row's time may be from the minute in which it was counted: the window of a roll-up.
_SLACK: Final = timedelta(minutes=10)

#: Of a table of up to so many rows all of a producer's are counted, of a larger one those of three days.
_MOST_ROWS: Final = 20_000_000

_BETWEEN: Final = "BETWEEN {{{}:DateTime64(9, 'UTC')}} AND {{{}:DateTime64(9, 'UTC')}}"
_LACKING: Final = f"""
SELECT kept.Producer AS producer, kept.n AS kept, stored.n AS stored FROM (
    SELECT Producer, sum(Kept) AS n FROM activity_totals
    WHERE Minute >= {{since:DateTime('UTC')}} AND Minute < {{until:DateTime('UTC')}} AND Producer != ''
    GROUP BY Producer
) AS kept LEFT JOIN (
    SELECT Producer, sum(EventCount) AS n FROM {EVENTS_TABLE}
    WHERE Timestamp {_BETWEEN.format("first", "last")} AND Producer != '' GROUP BY Producer
) AS stored ON kept.Producer = stored.Producer
WHERE kept > stored ORDER BY kept - stored DESC, producer LIMIT 20
"""
#: Over more of a producer than the day: rows may have times that the application gave them.
_OF_ONE: Final = f"""
SELECT event, sum(k) AS kept, sum(s) AS stored FROM (
    SELECT EventName AS event, Kept AS k, 0 AS s FROM activity_totals
    WHERE Producer = {{producer:String}}
        AND Minute >= {{begin:DateTime('UTC')}} AND Minute < {{until:DateTime('UTC')}}
    UNION ALL
    SELECT EventName AS event, 0 AS k, EventCount AS s FROM {EVENTS_TABLE}
    WHERE Producer = {{producer:String}} AND Timestamp >= {{begin_rows:DateTime64(9, 'UTC')}}
        AND (Timestamp < {{last:DateTime64(9, 'UTC')}} OR Timestamp > now64(9, 'UTC'))
) GROUP BY event ORDER BY kept - stored DESC, event
"""


@dataclass(frozen=True, slots=True)
class Lacking:
    """Events of a producer: ``kept`` by its counters, ``stored`` by the rows; ``event`` lacks most of them."""

    producer: str
    event: str
    kept: int
    stored: int


def _events(examined: Examined) -> datetime:
    """The newest event's time; rows are counted over all shards."""
    examined.require_events()
    newest = newest_time(examined.database)
    if newest is None:
        raise Skip("there are no events")
    return newest


def _need_counters(examined: Examined) -> None:
    for name in (COUNTERS_TABLE, "activity_totals"):
        if not examined.database.holds(name):
            raise Skip(f"there is no {name}")


def ask_kept(examined: Examined) -> list[Lacking]:
    """Compare the day up to an hour ago, by producer; of the twenty that lack most, look further, too."""
    _events(examined)
    _need_counters(examined)
    until = datetime.fromtimestamp(examined.clock(), UTC).replace(second=0, microsecond=0) - _GRACE
    since = until - timedelta(days=1)
    edges = {"since": since, "until": until, "first": since - _SLACK, "last": until + _SLACK}
    suspects = examined.database.rows(_LACKING, **edges)
    begin = _begin(examined, since) if suspects else since
    found = [_lacking(examined, row["producer"], begin, until) for row in suspects]
    return [one for one in found if one.kept > one.stored]


def _begin(examined: Examined, since: datetime) -> datetime:
    rows = examined.database.row(f"SELECT count() AS rows FROM {EVENTS_TABLE}")["rows"]
    return datetime.fromtimestamp(0, UTC) if rows <= _MOST_ROWS else since - timedelta(days=2)


def _lacking(examined: Examined, producer: str, begin: datetime, until: datetime) -> Lacking:
    edges = {"begin": begin, "begin_rows": begin - _SLACK, "until": until, "last": until + _SLACK}
    rows = examined.database.rows(_OF_ONE, producer=producer, **edges)
    kept, stored = (sum(int(row[what]) for row in rows) for what in ("kept", "stored"))
    return Lacking(producer, rows[0]["event"] if rows else "", kept, stored)


def judge_kept(found: list[Lacking]) -> Verdict:
    """A warning: these events were kept by the rules, counted, and are not here."""
    if not found:
        return ok("every event that was counted as kept is here")
    first = max(found, key=lambda one: one.kept - one.stored)
    missing = sum(one.kept - one.stored for one in found)
    return warning(
        f"{plural(missing, 'event')} of {plural(len(found), 'producer')} "
        f"{'was' if missing == 1 else 'were'} counted as kept and {'is' if missing == 1 else 'are'} not here",
        *(
            f"producer {one.producer}: {one.kept:,} kept, {one.stored:,} here, most of it {one.event}"
            for one in found[:_SHOWN]
        ),
        do=(
            reading(
                "SELECT Minute, EventName, sum(Kept) AS kept FROM activity_totals "
                f"WHERE Producer = {literal(first.producer)} GROUP BY ALL HAVING kept > 0 ORDER BY Minute"
            ),
            "# Its stats() has what its destinations dropped, by reason. Where rows were erased or archived, the "
            "counters remain.",
        ),
    )


KEPT: Final = Check(
    "kept",
    "Events that were kept and did not arrive",
    "Processes count what they keep before they send it: what the rows lack was lost on the way.",
    ask_kept,
    judge_kept,
)


@dataclass(frozen=True, slots=True)
class Weights:
    """Rows of the newest day: with a weight that no sampling gives, by event, the most first; and since when."""

    wrong: tuple[tuple[str, int], ...]
    since: datetime


def ask_weights(examined: Examined) -> Weights:
    """Rows whose weight is below 1, or no finite number."""
    since = _events(examined) - timedelta(days=1)
    rows = examined.database.rows(
        f"SELECT EventName AS event, count() AS n FROM {EVENTS_TABLE} "
        "WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND NOT (SampleWeight >= 1 AND isFinite(SampleWeight)) "
        "GROUP BY event ORDER BY n DESC, event",
        since=since,
    )
    return Weights(tuple((row["event"], row["n"]) for row in rows), since)


def judge_weights(found: Weights) -> Verdict:
    """Estimates of such events are wrong, and Trust says no to them."""
    if not found.wrong:
        return ok("every row stands for one event or more")
    rows = sum(count for _, count in found.wrong)
    names = ", ".join(literal(event) for event, _ in found.wrong[:_SHOWN])
    return warning(
        f"{plural(rows, 'row')} of {plural(len(found.wrong), 'event')} since {found.since:%Y-%m-%d %H:%M} UTC "
        f"{'has' if rows == 1 else 'have'} a weight below 1, or none that is a number",
        *(f"{event}: {plural(count, 'row')}" for event, count in found.wrong[:_SHOWN]),
        do=(
            reading(
                f"SELECT ServiceName, Producer, SampleRule, count(), min(SampleWeight) FROM {EVENTS_TABLE} "
                f"WHERE NOT (SampleWeight >= 1 AND isFinite(SampleWeight)) AND EventName IN ({names}) GROUP BY ALL"
            ),
            "# A weight is how many events a row stands for, 1 / p, not the share p that is kept: correct whoever "
            "writes activity.sample.weight. Until then ask activity_totals.",
        ),
    )


WEIGHTS: Final = Check(
    "weights",
    "Weights of sampled rows",
    "A row that was kept stands for itself and for what was dropped: less than one event is no weight.",
    ask_weights,
    judge_weights,
)


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Sampled rows whose producers never reported a counter: service, producers, rows."""

    services: tuple[tuple[str, int, int], ...]


def ask_uncounted(examined: Examined) -> Uncounted:
    """Producers with rows of a weight above 1 on the newest day, an hour ago and more, and no counter at all."""
    since = _events(examined) - timedelta(days=1)
    _need_counters(examined)
    until = datetime.fromtimestamp(examined.clock(), UTC) - _GRACE
    rows: list[dict[str, Any]] = examined.database.rows(
        "SELECT service, count() AS producers, sum(n) AS rows FROM "
        f"(SELECT Producer, any(ServiceName) AS service, count() AS n FROM {EVENTS_TABLE} "
        f"WHERE Timestamp {_BETWEEN.format('since', 'until')} AND SampleWeight > 1 AND Producer != '' "
        f"GROUP BY Producer) WHERE Producer GLOBAL NOT IN (SELECT Producer FROM {COUNTERS_TABLE}) "
        "GROUP BY service ORDER BY rows DESC, service",
        since=since,
        until=until,
    )
    return Uncounted(tuple((row["service"], row["producers"], int(row["rows"])) for row in rows))


def judge_uncounted(found: Uncounted) -> Verdict:
    """Of these there are estimates only."""
    if not found.services:
        return ok("every producer of sampled rows has reported exact counters")
    producers = sum(count for _, count, _ in found.services)
    return warning(
        f"{plural(producers, 'producer')} sent sampled rows and no exact counters: activity_totals lacks them",
        *(
            f"{service or '(no service name)'}: {plural(rows, 'sampled row')} of {plural(count, 'producer')}"
            for service, count, rows in found.services[:_SHOWN]
        ),
        do=(
            APPLY,
            "# Then look at the process: no_counters_table in its stats() says that it may not insert into "
            "activity_events_ingest, or that the schema was older; counters = false in its settings sends none.",
        ),
    )


UNCOUNTED: Final = Check(
    "uncounted",
    "Sampled rows without exact counters",
    "Weights give estimates; exact totals come from the counters that a process sends beside its events.",
    ask_uncounted,
    judge_uncounted,
)
