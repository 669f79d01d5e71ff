"""Questions about failures, denials and slowness: whole answers about a few rows, with literal values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activitylog.queries import ask
from tests.activitylog.queries.rows import at, put, row

_MONDAY = datetime(2026, 3, 30, 10, tzinfo=UTC)


def _weekly(event: str, counts: list[int], hour: datetime = _MONDAY) -> list[dict[str, Any]]:
    """Events in the same hour of one week after the other, the last in that hour; 0 is no row."""
    weeks = len(counts) - 1
    return [
        row(f"{hour - timedelta(weeks=weeks - place):%Y-%m-%d %H:%M:%S}", event, EventCount=count)
        for place, count in enumerate(counts)
        if count
    ]


class TestAnomalies:
    """``anomalies``."""

    @pytest.fixture
    def store(self, empty_store: Any) -> Any:
        """Events that are as always, too many, too few, gone, new, too rare, or never alike; and an hour more."""
        put(
            empty_store,
            *_weekly("usual", [100, 110, 90, 105, 108]),
            *_weekly("risen", [100, 110, 90, 105, 300]),
            *_weekly("fallen", [400, 400, 400, 400, 100]),
            *_weekly("gone", [200, 210, 190, 200, 0]),
            *_weekly("appeared", [0, 0, 0, 0, 50]),
            *_weekly("rare", [0, 1, 0, 0, 9]),
            *_weekly("noisy", [100, 300, 200, 250, 400]),
            *_weekly("one.off.before", [100, 5000, 100, 100, 100]),
            row("2026-03-30 11:20", "usual", EventCount=100),
        )
        return empty_store

    def test_too_many_and_too_few(self, store: Any) -> None:
        """The farthest from the median first; one odd week among the earlier ones changes nothing."""
        answer = ask(store, "anomalies")
        assert answer.columns == ("hour", "event", "events", "usual", "deviation", "score", "weeks")
        hour = at("2026-03-30 10:00")
        assert answer.rows == [
            (hour, "appeared", 50.0, 0.0, 1.0, 50.0, 4),
            (hour, "risen", 300.0, 102.5, 10.12, 19.5, 4),
            (hour, "fallen", 100.0, 400.0, 20.0, -15.0, 4),
            (hour, "gone", 0.0, 200.0, 14.14, -14.1, 4),
        ]
        assert len(ask(store, "anomalies", score=15).rows) == 3
        assert ask(store, "anomalies", event="gone").rows == answer.rows[3:]

    def test_few_weeks_are_no_evidence(self, empty_store: Any) -> None:
        """An hour with fewer earlier weeks than asked for is left out, or compared with those there are."""
        put(empty_store, *_weekly("risen", [10, 10, 900]), row("2026-03-30 11:20", "risen"))
        assert ask(empty_store, "anomalies", until="2026-03-30 11:30").rows == []
        rows = ask(empty_store, "anomalies", until="2026-03-30 11:30", least_weeks=2).rows
        assert [line[1:4] + line[6:] for line in rows] == [("risen", 900.0, 10.0, 2)]

    def test_the_running_hour_is_not_judged(self, empty_store: Any) -> None:
        """The hour of the newest event is not over; an earlier end of the range is."""
        put(empty_store, *_weekly("fallen", [400, 400, 400, 400, 10]))
        assert ask(empty_store, "anomalies").rows == []
        assert len(ask(empty_store, "anomalies", until="2026-03-30 11:00").rows) == 1

    def test_sampling_is_no_anomaly(self, empty_store: Any) -> None:
        """What sampling may do by chance widens the deviation: one row of weight 100 instead of two is nothing."""
        for weeks in range(4, 0, -1):
            hour = _MONDAY - timedelta(weeks=weeks)
            put(empty_store, *(row(f"{hour:%Y-%m-%d %H}:0{n}:00", "viewed", SampleWeight=100) for n in range(2)))
        put(empty_store, row("2026-03-30 10:00", "viewed", SampleWeight=100), row("2026-03-30 11:00", "other"))
        assert ask(empty_store, "anomalies", until="2026-03-30 11:00").rows == []


class TestFailures:
    """``failures`` and ``failures-by-hour``."""

    def test_kinds(self, store: Any) -> None:
        """Each event, route, outcome and error, with counts, actors, times and the last message."""
        put(
            store,
            row(
                "2026-03-03 09:00", "order.paid", "cid", Outcome="failure", ErrorType="CardError",
                HttpMethod="POST", HttpRoute="/payments", SampleWeight=3, BodyTemplate="no money: \x01",
            ),
        )  # fmt: skip
        answer = ask(store, "failures")
        assert answer.columns == (
            "event", "route", "outcome", "error", "rows", "events", "actors", "first", "last", "last_message"
        )  # fmt: skip
        paid = ("order.paid", "POST /payments", "failure", "CardError", 2, 4.0, 2)
        archived = (
            "order.archived",
            "",
            "denied",
            "",
            1,
            1.0,
            1,
            at("2026-03-03 10:00"),
            at("2026-03-03 10:00"),
            "",
        )
        assert answer.rows == [
            (*paid, at("2026-03-01 11:30"), at("2026-03-03 09:00"), "no money: cid"),
            archived,
        ]
        assert ask(store, "failures", outcome="denied").rows == [archived]

    def test_by_hour(self, store: Any) -> None:
        """Failures and denials of each hour and their part; hours without events are there."""
        answer = ask(store, "failures-by-hour", until="2026-03-02")
        assert answer.columns == ("hour", "failures", "denials", "events", "percent")
        assert answer.rows == [
            (at("2026-03-01 09:00"), 0.0, 0.0, 2.0, 0.0),
            (at("2026-03-01 10:00"), 0.0, 0.0, 0.0, 0.0),
            (at("2026-03-01 11:00"), 1.0, 0.0, 2.0, 50.0),
        ]
        assert ask(store, "failures-by-hour", limit=1).rows == [(at("2026-03-03 10:00"), 0.0, 1.0, 2.0, 50.0)]


class TestDenialBursts:
    """``denial-bursts``."""

    def test_actors_and_addresses(self, empty_store: Any) -> None:
        """Many denials within ten minutes, of an actor or of an address that nobody is known of."""
        guesses = [
            row(
                f"2026-03-01 10:0{n}", "user.logged_in", Outcome="denied",
                ClientAddress="192.0.2.7", ObjectType="user", ObjectId=f"u{n % 3}",
            )
            for n in range(6)
        ]  # fmt: skip
        slow = [row(f"2026-03-01 1{n}:00", "file.read", "ann", Outcome="denied") for n in range(6)]
        bulk = [row("2026-03-01 12:31", "file.read", "ben", Outcome="denied", EventCount=5, ClientAddress="::1")]
        failing = [row(f"2026-03-01 09:0{n}", "file.read", "cid", Outcome="failure") for n in range(5)]
        put(empty_store, *guesses, *slow, *bulk, *failing)
        answer = ask(empty_store, "denial-bursts")
        assert answer.columns == (
            "began", "tenant", "who_type", "who", "denials", "rows", "common_event", "objects", "addresses",
            "first", "last",
        )  # fmt: skip
        assert answer.rows == [
            (
                at("2026-03-01 10:00"), "", "address", "192.0.2.7", 6.0, 6, "user.logged_in", 3, 1,
                at("2026-03-01 10:00"), at("2026-03-01 10:05"),
            ),
            (
                at("2026-03-01 12:30"), "", "user", "ben", 5.0, 1, "file.read", 1, 1,
                at("2026-03-01 12:31"), at("2026-03-01 12:31"),
            ),
        ]  # fmt: skip
        assert [line[3] for line in ask(empty_store, "denial-bursts", outcome="failure").rows] == ["cid"]
        assert [line[3] for line in ask(empty_store, "denial-bursts", at_least=6).rows] == ["192.0.2.7"]


class TestDurations:
    """``slow-operations`` and ``durations``."""

    @pytest.fixture
    def timed(self, empty_store: Any) -> Any:
        """A hundred short and one long request of one route, a sampled one, and one without a time."""
        put(
            empty_store,
            *(
                row(
                    f"2026-03-01 10:00:{n // 2:02}",
                    "file.read",
                    HttpMethod="GET",
                    HttpRoute="/f",
                    DurationUs=1000 * n,
                )
                for n in range(1, 101)
            ),
            row("2026-03-01 10:01", "file.read", HttpMethod="GET", HttpRoute="/f", DurationUs=987_654),
            row("2026-03-01 10:02", "report.made", DurationUs=1_234_567, SampleWeight=99),
            row("2026-03-01 10:03", "report.made", DurationUs=2_000_000),
            row("2026-03-01 10:04", "report.made"),
        )
        return empty_store

    def test_quantiles(self, timed: Any) -> None:
        """Weighted quantiles to three digits, the exact maximum, the slowest first."""
        answer = ask(timed, "slow-operations")
        assert answer.columns == ("event", "route", "rows", "events", "max_ms", "p50_ms", "p95_ms", "p99_ms")
        assert answer.rows == [
            ("report.made", "report.made", 2, 100.0, 2000.0, 1230.0, 1230.0, 1230.0),
            ("file.read", "GET /f", 101, 101.0, 987.654, 51.0, 96.0, 100.0),
        ]
        assert [line[0] for line in ask(timed, "slow-operations", at_least=3).rows] == ["file.read"]

    def test_totals(self, timed: Any) -> None:
        """Sum, mean and maximum of the rows as they are stored; rows without a duration do not count."""
        answer = ask(timed, "durations")
        assert answer.columns == ("event", "route", "rows", "total_seconds", "mean_ms", "max_ms")
        assert answer.rows == [
            ("file.read", "/f", 101, 6.037654, 59.779, 987.654),
            ("report.made", "", 2, 3.234567, 1617.284, 2000.0),
        ]

    def test_a_quantile_is_never_above_the_maximum(self, empty_store: Any) -> None:
        """Rounding to three digits stops at the longest duration there is."""
        put(empty_store, row("2026-03-01 10:00", "a", DurationUs=1_235_999))
        assert ask(empty_store, "slow-operations").rows == [
            ("a", "a", 1, 1.0, 1235.999, 1235.999, 1235.999, 1235.999)
        ]
