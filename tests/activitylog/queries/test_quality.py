"""Is everything there, once? Whole answers about a few rows, with literal values."""

from __future__ import annotations

from datetime import date
from typing import Any

from activitylog.queries import ask
from tests.activitylog.queries.rows import at, put, row

_ID = "019caa3e-9580-7000-8000-00000000000"


class TestGaps:
    """``gaps``."""

    def test_missing_and_repeated(self, empty_store: Any) -> None:
        """Missing numbers, runs of them, the first one, what came twice; rows without a producer are nothing."""
        for producer, numbers in (("p1", (1, 2, 5, 6, 9)), ("p2", (7, 8, 8, 9)), ("p3", (3,)), ("", (1, 4))):
            put(
                empty_store,
                *(row(f"2026-03-01 10:00:0{n}", Producer=producer, Seq=n, ServiceName="web") for n in numbers),
            )
        put(empty_store, row("2026-03-01 10:00", Producer="p1"))
        answer = ask(empty_store, "gaps")
        assert answer.columns == (
            "producer", "service", "first_seq", "last_seq", "rows", "missing", "repeated", "gaps", "first_missing",
            "last",
        )  # fmt: skip
        assert answer.rows == [
            ("p1", "web", 1, 9, 5, 4, 0, 2, 3, at("2026-03-01 10:00:09")),
            ("p2", "web", 7, 9, 4, 0, 1, 0, 0, at("2026-03-01 10:00:09")),
            ("p3", "web", 3, 3, 1, 0, 0, 0, 0, at("2026-03-01 10:00:03")),
        ]

    def test_counters_have_numbers_too(self, empty_store: Any) -> None:
        """A number that a counter has is not missing."""
        put(empty_store, *(row("2026-03-01 10:00:30", Producer="p1", Seq=n) for n in (1, 3)))
        put(empty_store, {"Minute": "2026-03-01 10:00:00", "Producer": "p1", "Seq": 2}, table="activity_counters")
        assert ask(empty_store, "gaps", days=2).rows[0][4:7] == (3, 0, 0)

    def test_many_numbers(self, empty_store: Any) -> None:
        """A million numbers with one hole."""
        empty_store.command(
            "INSERT INTO activity_events (Timestamp, Producer, Seq) "
            "SELECT toDateTime64('2026-03-01 10:00:00', 9, 'UTC'), 'p', number + 1 FROM numbers(1000000) "
            "WHERE number != 123456"
        )
        assert ask(empty_store, "gaps").rows[0][2:9] == (1, 1_000_000, 999_999, 1, 0, 1, 123_457)


class TestDuplicates:
    """``duplicates``."""

    def test_copies(self, empty_store: Any) -> None:
        """Ids that are there more than once, with their copies; rows without an id are none."""
        time = "2026-03-01 15:31:14.560"
        put(
            empty_store,
            *[row(time, "order.paid", EventId=f"{_ID}1", Producer="p", Seq=4)] * 3,
            row(time, "order.paid", EventId=f"{_ID}2", Producer="p", Seq=5),
            *[row(time, "order.placed", EventId=f"{_ID}3", Producer="p", Seq=6)] * 2,
            *[row(time, "order.placed")] * 2,
        )
        answer = ask(empty_store, "duplicates")
        assert answer.columns == ("event_id", "copies", "first", "last", "event", "producer", "seq")
        rows = [(str(line[0]), *line[1:]) for line in answer.rows]
        assert rows == [
            (f"{_ID}1", 3, at(time), at(time), "order.paid", "p", 4),
            (f"{_ID}3", 2, at(time), at(time), "order.placed", "p", 6),
        ]


class TestSilent:
    """``silent``."""

    def test_missed_events(self, empty_store: Any) -> None:
        """Who sent one a minute and has been silent for an hour has missed sixty; who is slow anyway has not."""
        put(
            empty_store,
            *(row(f"2026-03-01 10:{n:02}", "ping", ServiceName="web", Producer="p1") for n in range(31)),
            *(row(f"2026-03-01 {n:02}:00", "report", ServiceName="batch", Producer="p2") for n in range(9)),
            *(row(f"2026-03-01 11:{n:02}", "ping", ServiceName="api", Producer="p3") for n in range(31)),
        )
        answer = ask(empty_store, "silent")
        assert answer.columns == ("what", "rows", "events", "first", "last", "silent_minutes", "expected")
        assert answer.rows == [("web", 31, 31.0, at("2026-03-01 10:00"), at("2026-03-01 10:30"), 60.0, 60.0)]
        assert [line[0] for line in ask(empty_store, "silent", expected=3).rows] == ["web", "batch"]
        assert [line[0] for line in ask(empty_store, "silent", by="producer", expected=3).rows] == ["p1", "p2"]
        assert [line[0] for line in ask(empty_store, "silent", by="event", expected=3).rows] == ["report"]


class TestRollupCoverage:
    """``rollup-coverage``."""

    def test_rows_past_the_views(self, own_store: Any) -> None:
        """A row that came while the views were gone is missing in the roll-ups, on its day."""
        own_store.command("DROP VIEW activity_events_hourly_mv")
        own_store.command("DROP VIEW activity_events_actor_daily_mv")
        put(own_store, row("2026-03-03 12:00", "a", "ann"), row("2026-03-03 12:00", "a"))
        answer = ask(own_store, "rollup-coverage")
        assert answer.columns == (
            "day", "rows", "hourly_rows", "missing_hourly", "actor_rows", "daily_rows", "missing_daily"
        )  # fmt: skip
        assert answer.rows == [(date(2026, 3, 1), 4, 4, 0, 4, 4, 0), (date(2026, 3, 3), 5, 3, 2, 3, 2, 1)]
        assert ask(own_store, "rollup-coverage", limit=1).rows == [(date(2026, 3, 3), 5, 3, 2, 3, 2, 1)]
