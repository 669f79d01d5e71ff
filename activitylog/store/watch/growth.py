"""
How fast the store grows, and the day on which the disk is full.

The forecast adds the rate of the last days, day by day, and takes away what the TTL drops: partitions that exist
on the day their newest row is old enough, what comes in later after the retention and the length of one partition,
since only whole parts are dropped. Merges need room, too: they stop before nothing is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from activitylog.store.watch.asking import HOURLY_TABLE, Database, quoted
from activitylog.store.watch.sizes import PartitionSize, TableSize

_LONG: Final = 30
_SHORT: Final = 7
#: Days looked ahead; what is later is as good as never.
_HORIZON: Final = 36_500
_BY_HOURLY: Final = """
SELECT toDate(Hour) AS day, toInt64(sum(RowCount)) AS rows FROM {table}
WHERE Hour >= toDateTime(today() - 30) AND Hour < toDateTime(today() + 1) GROUP BY day ORDER BY day
"""
_BY_EVENTS: Final = """
SELECT toDate(Timestamp) AS day, toInt64(count()) AS rows FROM {table}
WHERE Timestamp >= toDateTime(today() - 30) AND Timestamp < toDateTime(today() + 1) GROUP BY day ORDER BY day
"""
_BY_ARRIVAL: Final = """
SELECT event_date AS day, toInt64(sum(rows)) AS rows FROM system.part_log
WHERE event_date >= today() - 30 AND event_type = 'NewPart' AND database = currentDatabase()
    AND table = {table:String}
GROUP BY day ORDER BY day
"""
_PARTITION_DAYS: Final = (
    (re.compile("toYYYYMM\\(|toStartOfMonth"), 31),
    (re.compile("toMonday|toStartOfWeek"), 7),
    (re.compile("toDate\\(|toYYYYMMDD|toStartOfDay"), 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRows:
    """Rows of a day (UTC), and the bytes they take at the store's average."""

    day: date
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """
    Growth by day.

    Attributes:
        by_event_day: the last 30 days and today, by the events' own times; days without events are left out.
        by_arrival_day: the same by when rows were written; None where the server keeps no part log.
        source: which of the two the rates are of: ``part_log`` or ``event_times``.
        rows_per_day_7, rows_per_day_30: over the last whole days; None when not one whole day is known.
        bytes_per_day_7, bytes_per_day_30: the same in bytes, roll-ups included.
        trend_rows_per_day: by how many rows a day grows from one day to the next (least squares over the last 30
            whole days); None with fewer than 3 days.
    """

    by_event_day: tuple[DayRows, ...]
    by_arrival_day: tuple[DayRows, ...] | None
    source: str
    rows_per_day_7: float | None
    rows_per_day_30: float | None
    bytes_per_day_7: float | None
    bytes_per_day_30: float | None
    trend_rows_per_day: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """
    When the disk is full.

    Attributes:
        full_on: the day; None when that day does not come, or is not known.
        levels_off_bytes: with a retention, the size at which the store stays; None without one, or when the disk
            is full before.
        bytes_per_day: the rate that was assumed, the larger one of the last 7 and the last 30 days.
        retention_days: of the table's TTL.
        free_bytes: of all disks of the table; None where there is no limit.
        says: the answer in words.
    """

    full_on: date | None
    levels_off_bytes: int | None
    bytes_per_day: float | None
    retention_days: float | None
    free_bytes: int | None
    says: str


def growth(database: Database, bytes_per_event: float) -> Growth:
    """Ask for the growth of the table of events."""
    hourly = database.local(HOURLY_TABLE)
    by_event = (
        database.rows(_BY_HOURLY.replace("{table}", quoted(hourly)))
        if database.holds(hourly)
        else database.rows(_BY_EVENTS.replace("{table}", quoted(database.events)))
    )
    by_arrival = database.rows_if_there(_BY_ARRIVAL, table=database.events)
    today = database.row("SELECT today() AS today")["today"]
    event_days = tuple(_day(row, bytes_per_event) for row in by_event)
    arrival_days = tuple(_day(row, bytes_per_event) for row in by_arrival) if by_arrival else None
    return measured(event_days, arrival_days, today=today, bytes_per_event=bytes_per_event)


def _day(row: dict[str, object], bytes_per_event: float) -> DayRows:
    day, rows = row["day"], row["rows"]
    assert isinstance(day, date) and isinstance(rows, int)  # noqa: S101, PT018 - what the SQL says
    return DayRows(day=day, rows=rows, bytes=round(rows * bytes_per_event))


def measured(
    by_event_day: tuple[DayRows, ...],
    by_arrival_day: tuple[DayRows, ...] | None,
    *,
    today: date,
    bytes_per_event: float,
) -> Growth:
    """The rates of these days, today left out because it is not over."""
    days = by_event_day if by_arrival_day is None else by_arrival_day
    whole = {item.day: item.rows for item in days if item.day < today}
    week, month = (mean_rows(whole, today=today, days=length) for length in (_SHORT, _LONG))
    return Growth(
        by_event_day=by_event_day,
        by_arrival_day=by_arrival_day,
        source="event_times" if by_arrival_day is None else "part_log",
        rows_per_day_7=week,
        rows_per_day_30=month,
        bytes_per_day_7=None if week is None else week * bytes_per_event,
        bytes_per_day_30=None if month is None else month * bytes_per_event,
        trend_rows_per_day=_slope(whole, today),
    )


def mean_rows(rows_by_day: dict[date, int], *, today: date, days: int) -> float | None:
    """
    Rows a day over the last whole days.

    The days before the first one that has any are no part of the mean (the store was not there yet); a day without
    rows after it is.
    """
    known = [day for day in rows_by_day if day >= today - timedelta(days=_LONG)]
    if not known:
        return None
    length = min(days, (today - min(known)).days)
    first = today - timedelta(days=length)
    return sum(rows for day, rows in rows_by_day.items() if first <= day < today) / length


def _slope(rows_by_day: dict[date, int], today: date) -> float | None:
    known = [day for day in rows_by_day if day >= today - timedelta(days=_LONG)]
    length = (today - min(known)).days if known else 0
    if length < 3:
        return None
    points = [rows_by_day.get(today - timedelta(days=length - place), 0) for place in range(length)]
    middle, mean = (length - 1) / 2, sum(points) / length
    spread = sum((place - middle) ** 2 for place in range(length))
    return sum((place - middle) * (rows - mean) for place, rows in enumerate(points)) / spread


def forecast(
    found: Growth,
    *,
    today: date,
    free_bytes: int | None,
    tables: Sequence[TableSize] = (),
    partitions: Sequence[PartitionSize] = (),
    retention_days: float | None = None,
    partition_days: int = 31,
    disk_known: bool = True,
) -> Forecast:
    """
    Say when the disk is full.

    Args:
        free_bytes: that are left now; None: no limit.
        tables: of ours, the events first: their share of the bytes tells what a retention cannot drop.
        partitions: of the table of events.
        retention_days: of the events' TTL.
        partition_days: length of one partition.
        disk_known: False where the server does not show its disks.
    """
    rates = [rate for rate in (found.bytes_per_day_7, found.bytes_per_day_30) if rate is not None]
    rate = max(rates) if rates else None
    kept = None if retention_days is None else round(retention_days) + partition_days
    course = _Course(rate or 0.0, _dropped_share(tables), kept, _drops(partitions, today, retention_days))
    full_on = course.full_on(today, free_bytes) if rate else None
    levels_off = course.level if rate and full_on is None else None
    return Forecast(
        full_on=full_on,
        levels_off_bytes=levels_off,
        bytes_per_day=rate,
        retention_days=retention_days,
        free_bytes=free_bytes,
        says=_in_words(rate, full_on, levels_off, free_bytes, disk_known=disk_known),
    )


def _in_words(
    rate: float | None, full_on: date | None, levels_off: int | None, free_bytes: int | None, *, disk_known: bool
) -> str:
    if rate is None:
        return "not known: there is not one whole day of events in the last 30 days"
    if rate == 0:
        return "never at this rate: nothing came in during the last 30 days"
    if full_on is not None:
        return f"full on {full_on}"
    if levels_off is not None:
        return "never: with this retention the events level off"
    if not disk_known:
        return "not known: the server does not show its disks to this user"
    return "never: the disk has no limit" if free_bytes is None else "not within a hundred years"


@dataclass(frozen=True, slots=True)
class _Course:
    """
    How the size goes on: bytes a day, the share of them that the TTL drops, after how many days, and the bytes
    that it drops of what is there now, by days from today.
    """

    rate: float
    dropped_share: float
    kept_days: int | None
    drops: Mapping[int, int]

    @property
    def level(self) -> int | None:
        """Where the table of events stays."""
        return None if self.kept_days is None else round(self.rate * self.dropped_share * self.kept_days)

    def full_on(self, today: date, free_bytes: int | None) -> date | None:
        """The first day that begins without a byte left."""
        if free_bytes is None:
            return None
        free = float(free_bytes)
        for day in range(_HORIZON):
            if free <= 0:
                return today + timedelta(days=day)
            free += self.drops.get(day, 0) - self.rate
            if self.kept_days is not None and day >= self.kept_days:
                free += self.rate * self.dropped_share
        return None


def _dropped_share(tables: Sequence[TableSize]) -> float:
    """Of the bytes of our tables, the share of the events: the TTL drops those, not the roll-ups."""
    total = sum(table.bytes for table in tables)
    return tables[0].bytes / total if total else 1.0


def _drops(partitions: Sequence[PartitionSize], today: date, retention_days: float | None) -> dict[int, int]:
    """Bytes that the TTL drops, by days from today."""
    drops: dict[int, int] = {}
    for partition in partitions if retention_days is not None else ():
        if partition.newest is not None and retention_days is not None:
            last = today_utc(partition.newest) + timedelta(days=round(retention_days) + 1)
            day = max((last - today).days, 1)
            drops[day] = drops.get(day, 0) + partition.bytes
    return drops


def partition_length(partition_key: str) -> int:
    """Days in one partition, from the table's partition key; 31 where it says nothing of time."""
    return next((days for pattern, days in _PARTITION_DAYS if pattern.search(partition_key)), 31)


def today_utc(now: datetime) -> date:
    """The day in UTC."""
    return now.astimezone(UTC).date()
