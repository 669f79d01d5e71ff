"""Clocks, and events whose time cannot be right."""

# ruff: noqa: S608 - names are quoted, values are parameters or literals; what is shown is not run here
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.doctor.commands import reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Verdict, error, ok, plural, warning, worst
from activitylog.store.watch.asking import quoted

_ODD: Final = """
SELECT countIf(Timestamp > now64(9) + INTERVAL 10 MINUTE) AS future,
       countIf(Timestamp < toDateTime64('2000-01-01', 9, 'UTC')) AS ancient,
       maxOrNull(Timestamp) AS newest, minOrNull(Timestamp) AS oldest,
       uniqExact(toYYYYMM(Timestamp)) AS months
FROM {table} WHERE Timestamp > now64(9) + INTERVAL 10 MINUTE OR Timestamp < toDateTime64('2000-01-01', 9, 'UTC')
"""


@dataclass(frozen=True, slots=True)
class Clocks:
    """
    Seconds since the epoch.

    Attributes:
        before, after: this machine's clock, around the question.
        server: the server's clock.
    """

    before: float
    server: float
    after: float


def ask_clock(examined: Examined) -> Clocks:
    """Ask the server for the time. Zones play no part: both are seconds since the epoch."""
    examined.database.row("SELECT 1")  # the first question of a connection is slow
    before = examined.clock()
    server = examined.database.row("SELECT toUnixTimestamp64Milli(now64(3)) / 1000 AS now")["now"]
    return Clocks(before, float(server), examined.clock())


def judge_clock(clocks: Clocks) -> Verdict:
    """The answer was given between the two looks at our clock; what is outside of them is a difference."""
    ahead = clocks.server - clocks.after
    behind = clocks.before - clocks.server
    off = max(ahead, behind, 0.0)
    text = f"the server's clock is {off:,.1f} s {'ahead of' if ahead > behind else 'behind'} this machine's"
    do = (
        "timedatectl status",
        "chronyc tracking",
        "# Whichever of the two is wrong: let it follow a time server.",
    )
    if off > 60:
        return error(text, do=do)
    if off > 2:
        return warning(text, do=do)
    return ok("this machine and the server agree to 2 s")


CLOCK: Final = Check(
    "clock",
    "Clocks",
    "Events carry the time of the machine they happened on, the server drops by its own: with two clocks, order, "
    "'the last hour' and retention are wrong.",
    ask_clock,
    judge_clock,
)


@dataclass(frozen=True, slots=True)
class OddTimes:
    """Rows with a time in the future, or before 2000, the range of these, and in how many months they are."""

    future: int
    ancient: int
    oldest: datetime | None
    newest: datetime | None
    months: int


def ask_event_times(examined: Examined) -> OddTimes:
    """Read only the rows whose time is odd; the key finds them."""
    table = examined.require_events()
    return OddTimes(**examined.database.row(_ODD.replace("{table}", quoted(table))))


def judge_event_times(found: OddTimes) -> Verdict:
    """Neither in the future nor before there was any of this."""
    problems = []
    if found.future:
        problems.append(
            warning(
                f"{plural(found.future, 'event is', 'events are')} dated in the future, up to "
                f"{found.newest:%Y-%m-%d %H:%M:%S} UTC",
                do=(
                    reading(
                        f"SELECT ServiceName, Producer, count(), max(Timestamp) FROM {EVENTS_TABLE} "
                        "WHERE Timestamp > now() + INTERVAL 10 MINUTE GROUP BY 1, 2 ORDER BY 3 DESC"
                    ),
                    "# Repair the clock of these machines, or the times that they pass to emit.",
                ),
            )
        )
    if found.ancient:
        problems.append(
            warning(
                f"{plural(found.ancient, 'event is', 'events are')} dated before 2000, from "
                f"{found.oldest:%Y-%m-%d %H:%M:%S} UTC on",
                do=(
                    reading(
                        f"SELECT ServiceName, Producer, count(), min(Timestamp) FROM {EVENTS_TABLE} "
                        "WHERE Timestamp < toDateTime64('2000-01-01', 9) GROUP BY 1, 2 ORDER BY 3 DESC"
                    ),
                    "# 1970 is a time of 0, or seconds where milliseconds were meant.",
                ),
            )
        )
    if problems and found.months > 100:
        problems.append(warning(f"they lie in {found.months:,} months, which are as many partitions"))
    return worst(*problems) if problems else ok("none in the future, none before 2000")


EVENT_TIMES: Final = Check(
    "event_times",
    "Times of events",
    "Such an event is in no 'last 7 days', outlives the retention or is dropped at once, and each odd month is a "
    "partition of its own.",
    ask_event_times,
    judge_event_times,
)
