"""Rates by day and the day on which the disk is full: arithmetic on days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.store.watch import DayRows, Forecast, Growth, PartitionSize, TableSize, forecast
from activitylog.store.watch.growth import measured, partition_length

TODAY = date(2026, 7, 31)


def days(*rows: int, until: date = TODAY) -> tuple[DayRows, ...]:
    """Rows of the days that end with ``until``."""
    first = until - timedelta(days=len(rows) - 1)
    return tuple(DayRows(day=first + timedelta(days=n), rows=count, bytes=count) for n, count in enumerate(rows))


def growth(*rows: int, arrival: tuple[DayRows, ...] | None = None, per: float = 10.0) -> Growth:
    return measured(days(*rows), arrival, today=TODAY, bytes_per_event=per)


def partition(newest: date, size: int) -> PartitionSize:
    at = datetime(newest.year, newest.month, newest.day, tzinfo=UTC)
    return PartitionSize(
        table="activity_events",
        partition="x",
        parts=1,
        rows=1,
        bytes=size,
        oldest=at,
        newest=at,
        changed=at,
        disk="default",
    )


def table(name: str, size: int) -> TableSize:
    return TableSize(
        table=name,
        engine="MergeTree",
        rows=1,
        bytes=size,
        uncompressed_bytes=0,
        compression=0,
        bytes_per_row=0,
        index_bytes=0,
        parts=1,
        partitions=1,
    )


class TestRates:
    def test_today_does_not_count(self) -> None:
        """Today is not over: its rows are no rate."""
        found = growth(100, 100, 7)
        assert (found.rows_per_day_7, found.rows_per_day_30, found.bytes_per_day_7) == (100, 100, 1000)

    def test_only_today(self) -> None:
        """On the first day nothing is known."""
        found = growth(100)
        assert (found.rows_per_day_7, found.rows_per_day_30, found.trend_rows_per_day) == (None, None, None)

    def test_quiet_days_count(self) -> None:
        """A day without events after the first one is part of the mean, the days before it are not."""
        found = measured(
            (*days(90, until=TODAY - timedelta(days=3)), *days(5)), None, today=TODAY, bytes_per_event=1.0
        )
        assert found.rows_per_day_7 == 30

    def test_last_week_and_last_month(self) -> None:
        """Each over its own length."""
        found = growth(*[100] * 23, *[200] * 7, 0)
        assert (found.rows_per_day_7, found.rows_per_day_30) == (200, (23 * 100 + 7 * 200) / 30)

    def test_trend(self) -> None:
        """A rate that grows by 10 rows from day to day has this slope."""
        found = growth(*range(10, 210, 10), 0)
        assert found.trend_rows_per_day == pytest.approx(10)

    def test_arrival_is_better_known(self) -> None:
        """Where the server knows when rows were written, the rates are of that."""
        found = growth(1, 1, 1, arrival=days(500, 500, 0))
        assert (found.source, found.rows_per_day_7) == ("part_log", 500)


def ask(found: Growth, free: int | None, **options: Any) -> Forecast:
    return forecast(found, today=TODAY, free_bytes=free, **options)


class TestForecast:
    def test_without_retention(self) -> None:
        """1,000 bytes a day into 10,000: full after ten days."""
        found = ask(growth(100, 100, 0), 10_000)
        assert (found.full_on, found.says) == (date(2026, 8, 10), "full on 2026-08-10")

    def test_the_faster_of_two_rates(self) -> None:
        """A rate that doubled last week is the one that counts."""
        found = ask(growth(*[100] * 23, *[200] * 7, 0), 10_000)
        assert (found.bytes_per_day, found.full_on) == (2000, date(2026, 8, 5))

    def test_levels_off(self) -> None:
        """With 30 days of retention and daily partitions, 31 days are the most that there ever is."""
        found = ask(growth(100, 100, 0), 100_000, retention_days=30, partition_days=1)
        assert (found.full_on, found.levels_off_bytes) == (None, 31_000)
        assert found.says == "never: with this retention the events level off"

    def test_full_before_it_levels_off(self) -> None:
        """The disk is smaller than the level."""
        found = ask(growth(100, 100, 0), 10_000, retention_days=30, partition_days=1)
        assert (found.full_on, found.levels_off_bytes) == (date(2026, 8, 10), None)

    def test_what_is_there_is_dropped(self) -> None:
        """A full partition that leaves in five days makes room just in time."""
        old = [partition(TODAY - timedelta(days=26), 25_000)]
        without = ask(growth(100, 100, 0), 8_000, retention_days=30, partition_days=1)
        found = ask(growth(100, 100, 0), 8_000, retention_days=30, partition_days=1, partitions=old)
        assert (without.full_on, found.full_on) == (date(2026, 8, 8), None)

    def test_rollups_stay(self) -> None:
        """What the TTL does not drop goes on growing: a fifth of 1,000 bytes a day fills what is left."""
        tables = [table("activity_events", 80), table("activity_events_hourly", 20)]
        found = ask(growth(100, 100, 0), 40_000, retention_days=30, partition_days=1, tables=tables)
        assert found.full_on == TODAY + timedelta(days=76)

    def test_no_limit(self) -> None:
        """An object store is never full."""
        assert ask(growth(100, 100, 0), None).says == "never: the disk has no limit"

    def test_unknown_disk(self) -> None:
        """A user who may not look at disks learns that, and no date."""
        found = ask(growth(100, 100, 0), None, disk_known=False)
        assert (found.full_on, found.says) == (None, "not known: the server does not show its disks to this user")

    def test_nothing_known(self) -> None:
        """No date is made up."""
        assert ask(growth(), 10).says == "not known: there is not one whole day of events in the last 30 days"

    def test_nothing_came_in(self) -> None:
        """A store that was filled and then left alone."""
        assert ask(growth(0, 0, 0), 10).says == "never at this rate: nothing came in during the last 30 days"

    @given(
        rows=st.integers(1, 10**6),
        free=st.integers(1, 10**12),
        kept=st.integers(1, 3000),
        length=st.sampled_from([1, 7, 31]),
    )
    def test_either_full_or_level(self, rows: int, free: int, kept: int, length: int) -> None:
        """With a retention and no roll-ups: full exactly when what will be there is more than what is free."""
        found = ask(growth(rows, rows, 0, per=1.0), free, retention_days=kept, partition_days=length)
        level = rows * (kept + length)
        assert (found.full_on is not None) == (free <= level)
        assert found.levels_off_bytes == (None if free <= level else level)

    @given(rows=st.integers(1, 10**6), free=st.integers(1, 10**9), more=st.integers(1, 10**9))
    def test_more_room_is_never_full_earlier(self, rows: int, free: int, more: int) -> None:
        """A larger disk is full on the same day or later."""
        found = growth(rows, rows, 0, per=1.0)
        small, large = ask(found, free).full_on, ask(found, free + more).full_on
        assert small is None or large is None or small <= large
        assert not (small is None and large is not None)


@pytest.mark.parametrize(
    ("key", "length"),
    [
        ("toYYYYMM(Timestamp)", 31),
        ("toMonday(Timestamp)", 7),
        ("toDate(Timestamp)", 1),
        ("toStartOfDay(Timestamp)", 1),
        ("", 31),
    ],
)
def test_partition_length(key: str, length: int) -> None:
    """Days in one partition, by its key."""
    assert partition_length(key) == length
