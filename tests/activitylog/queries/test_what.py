"""Questions about events and hours: whole answers about a few rows, with literal values."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.queries import ask
from tests.activitylog.queries.rows import at, put, row


class TestTopMovers:
    """``top-movers``."""

    def test_two_times_of_the_same_length(self, empty_store: Any) -> None:
        """The hours up to the newest event against as many before; what was not there before has no percentage."""
        put(
            empty_store,
            row("2026-03-01 10:59", "old", "ann"),
            row("2026-03-01 11:00", "sent", "ann", EventCount=10, HttpRoute="/send"),
            row("2026-03-01 12:59", "read", "ben", TenantId="acme", HttpRoute="/read"),
            row("2026-03-01 13:00", "sent", "ann", EventCount=3, HttpRoute="/send"),
            row("2026-03-01 14:10", "read", "ben", TenantId="acme", SampleWeight=2, HttpRoute="/read"),
            row("2026-03-01 14:20", "new", "ben"),
        )
        answer = ask(empty_store, "top-movers", hours=2)
        assert answer.columns == ("what", "before", "now", "change", "percent")
        assert answer.rows == [
            ("sent", 10.0, 3.0, -7.0, -70.0),
            ("new", 0.0, 1.0, 1.0, None),
            ("read", 1.0, 2.0, 1.0, 100.0),
        ]
        actors = ask(empty_store, "top-movers", hours=2, by="actor").rows
        assert actors == [("user:ann", 10.0, 3.0, -7.0, -70.0), ("user:ben", 1.0, 3.0, 2.0, 200.0)]
        routes = ask(empty_store, "top-movers", hours=2, by="route").rows
        assert routes == [("/send", 10.0, 3.0, -7.0, -70.0), ("/read", 1.0, 2.0, 1.0, 100.0)]
        assert ask(empty_store, "top-movers", hours=2, by="tenant").rows == [("acme", 1.0, 2.0, 1.0, 100.0)]
        assert ask(empty_store, "top-movers", hours=1, until="2026-03-01 12:00").rows == [
            ("sent", 0.0, 10.0, 10.0, None), ("old", 1.0, 0.0, -1.0, -100.0),
        ]  # fmt: skip


class TestNewEvents:
    """``new-events``."""

    def test_never_seen_before(self, empty_store: Any) -> None:
        """A name is new when its first hour lies in the newest days; one that came back is not."""
        put(
            empty_store,
            row("2026-03-01 10:00", "old"),
            row("2026-03-10 09:59", "just.too.old"),
            row("2026-03-11 10:00", "new", SampleWeight=3, EventCount=2),
            row("2026-03-17 10:20", "old"),
            row("2026-03-17 10:30", "new"),
            row("2026-03-17 10:30", "newest"),
        )
        answer = ask(empty_store, "new-events")
        assert answer.columns == ("event", "first_hour", "rows", "events")
        assert answer.rows == [("new", at("2026-03-11 10:00"), 2, 7.0), ("newest", at("2026-03-17 10:00"), 1, 1.0)]
        assert [line[0] for line in ask(empty_store, "new-events", until="2026-03-15").rows] == [
            "new", "just.too.old",
        ]  # fmt: skip


class TestNextEvents:
    """``next-events``."""

    def test_pairs(self, empty_store: Any) -> None:
        """The next event of the same actor, unless the pause is too long; of one time by their number."""
        put(
            empty_store,
            row("2026-03-01 10:00", "placed", "ann"),
            row("2026-03-01 10:01", "paid", "ann"),
            row("2026-03-01 10:00", "placed", "ben"),
            row("2026-03-01 10:03", "paid", "ben", Seq=1),
            row("2026-03-01 10:03", "shipped", "ben", Seq=2),
            row("2026-03-01 11:04", "placed", "ben"),
            row("2026-03-01 10:02", "placed", "cid"),
            row("2026-03-01 10:05", "viewed", "cid"),
            row("2026-03-01 10:05", "viewed"),
        )
        answer = ask(empty_store, "next-events")
        assert answer.columns == ("event", "next", "pairs", "percent", "median_seconds")
        assert answer.rows == [
            ("placed", "paid", 2, 66.67, 120.0),
            ("paid", "shipped", 1, 100.0, 0.0),
            ("placed", "viewed", 1, 33.33, 180.0),
        ]
        assert ask(empty_store, "next-events", event="paid").rows == [("paid", "shipped", 1, 100.0, 0.0)]
        assert ("shipped", "placed", 1, 100.0, 3660.0) in ask(empty_store, "next-events", minutes=61).rows


class TestHourOfWeek:
    """``hour-of-week``."""

    def test_whole_weeks(self, empty_store: Any) -> None:
        """All 168 hours, with what happened in each in the newest weeks, and on average a week."""
        put(
            empty_store,
            row("2026-03-02 10:59", "a", EventCount=100),  # Monday, four weeks and an hour before the newest
            row("2026-03-02 11:00", "a", EventCount=100),  # and four weeks before: the same hour of the week
            row("2026-03-09 11:30", "a"),
            row("2026-03-29 23:59", "a", SampleWeight=2),  # Sunday
            row("2026-03-30 11:10", "a", EventCount=5),
        )
        answer = ask(empty_store, "hour-of-week")
        assert answer.columns == ("weekday", "hour", "rows", "events", "events_a_week")
        assert [line[:2] for line in answer.rows] == [(day, hour) for day in range(1, 8) for hour in range(24)]
        assert [line for line in answer.rows if line[2]] == [(1, 11, 2, 6.0, 1.5), (7, 23, 1, 2.0, 0.5)]

    @pytest.mark.parametrize("weeks", [0, 1])
    def test_one_week_at_least(self, store: Any, weeks: int) -> None:
        """No weeks are one."""
        assert sum(line[3] for line in ask(store, "hour-of-week", weeks=weeks).rows) == 12.0
