"""Estimates of what was there before sampling: values, trust, and whether the intervals keep their promise."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from activitylog.queries import ask
from tests.activitylog.queries.rows import at, put, row


class TestEstimates:
    """``estimates``."""

    def test_values(self, empty_store: Any) -> None:
        """Sum of weights, its standard error, the interval, and the rows that carry it; exact beside it."""
        put(
            empty_store,
            *(row(f"2026-03-01 10:00:{n:02}", "viewed", SampleWeight=10) for n in range(40)),
            row("2026-03-01 10:05", "viewed", Outcome="failure"),
            *(row(f"2026-03-01 10:10:{n:02}", "rare", SampleWeight=20, EventCount=2) for n in range(3)),
            row("2026-03-01 10:20", "paid", EventCount=5),
            row("2026-03-01 10:20", "odd", SampleWeight=0.5),
        )
        counters = {"Minute": "2026-03-01 10:00:00"}
        put(
            empty_store,
            {**counters, "EventName": "viewed", "EventCount": 41, "Reason": ""},
            {**counters, "EventName": "viewed", "EventCount": 351, "Reason": "sample"},
            {**counters, "EventName": "paid", "EventCount": 5},
            {**counters, "EventName": "rare", "EventCount": 90, "Minute": "2026-02-01 10:00:00"},
            table="activity_counters",
        )
        answer = ask(empty_store, "estimates")
        assert answer.columns == (
            "event", "rows", "events", "standard_error", "low", "high", "effective_rows",
            "largest_percent", "trust", "exact", "ratio",
        )  # fmt: skip
        assert answer.rows == [
            ("viewed", 41, 401.0, 60.0, 283.4, 518.6, 40.0, 2.5, "yes", 392, 1.023),
            ("rare", 3, 120.0, 67.53, 6.0, 252.35, 3.0, 33.33, "no", None, None),
            ("paid", 1, 5.0, 0.0, 5.0, 5.0, 0.0, 0.0, "exact", 5, 1.0),
            ("odd", 1, 0.5, 0.0, 0.5, 0.5, 0.0, 0.0, "no", None, None),
        ]

    def test_names_of_which_no_sampled_row_is_left(self, empty_store: Any) -> None:
        """Where counters know of events that no row stands for, nothing is exact; names without rows are lines."""
        put(
            empty_store,
            row("2026-03-01 10:00", "viewed", Outcome="failure"),
            row("2026-03-01 10:00", "paid"),
        )
        counters = {"Minute": "2026-03-01 10:00:00"}
        put(
            empty_store,
            {**counters, "EventName": "viewed", "EventCount": 1, "Outcome": "failure"},
            {**counters, "EventName": "viewed", "EventCount": 1000, "Reason": "sample"},
            {**counters, "EventName": "paid", "EventCount": 1},
            {**counters, "EventName": "gone", "EventCount": 7, "Reason": "sample"},
            table="activity_counters",
        )
        assert ask(empty_store, "estimates").rows == [
            ("paid", 1, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, "exact", 1, 1.0),
            ("viewed", 1, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, "no", 1001, 0.001),
            ("gone", 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, "no", 7, 0.0),
        ]

    def test_a_giant_that_was_not_drawn(self, empty_store: Any) -> None:
        """Rows cannot know of it; the counters do. What a rule drops on purpose is not missed."""
        put(empty_store, *(row(f"2026-03-01 10:00:{n:02}", "viewed", SampleWeight=10) for n in range(40)))
        counters = {"Minute": "2026-03-01 10:00:00", "EventName": "viewed"}
        put(
            empty_store,
            {**counters, "EventCount": 40},
            {**counters, "EventCount": 550, "Reason": "sample"},
            {**counters, "EventCount": 9000, "Reason": "drop"},
            table="activity_counters",
        )
        assert [line[8:10] for line in ask(empty_store, "estimates").rows] == [("yes", 9590)]
        put(empty_store, {**counters, "EventCount": 60, "Reason": "budget"}, table="activity_counters")
        assert [line[8:10] for line in ask(empty_store, "estimates").rows] == [("no", 9650)]

    def test_units(self, empty_store: Any) -> None:
        """Rows of one session are one draw where sampling keeps sessions: the same total, a larger error."""
        put(
            empty_store,
            *(
                row(f"2026-03-01 10:00:{n:02}", "viewed", f"a{n % 2}", SessionId=f"s{n // 4}", SampleWeight=2)
                for n in range(40)
            ),
            *(row(f"2026-03-01 10:01:{n:02}", "viewed", SampleWeight=2) for n in range(2)),
        )
        errors = {unit: ask(empty_store, "estimates", unit=unit).rows[0] for unit in ("event", "session", "actor")}
        # sqrt(2 * 42), sqrt(2 * (10 * 16 + 2)), sqrt(2 * (2 * 400 + 2)): rows without a session or actor are alone
        assert {unit: line[2:4] for unit, line in errors.items()} == {
            "event": (84.0, 9.17),
            "session": (84.0, 18.0),
            "actor": (84.0, 40.05),
        }
        assert {unit: line[6:9] for unit, line in errors.items()} == {
            "event": (42.0, 2.38, "yes"),
            "session": (10.9, 9.52, "no"),
            "actor": (2.2, 47.62, "no"),
        }

    def test_units_that_the_rows_name(self, empty_store: Any) -> None:
        """Unless told otherwise each row is what it says: part of its session, its actor, or a draw of its own."""
        by: dict[str, list[dict[str, Any]]] = {
            "session": [{"SessionId": f"s{n // 4}"} for n in range(40)],
            "actor": [{"ActorType": "user", "ActorId": f"a{n // 2}"} for n in range(40)],
            "http.route": [{"HttpRoute": "/"}] * 40,
            "channel": [{"Attributes": {"channel": f"c{n // 8}"}} for n in range(40)],
            "": [{}] * 40,
        }
        rows = [
            row(
                f"2026-03-01 10:00:{n:02}", f"by.{unit or 'event'}", SampleWeight=2,
                **{**columns, "Attributes": {**columns.get("Attributes", {}), "activity.sample.by": unit}},
            )
            for unit, lines in by.items()
            for n, columns in enumerate(lines)
        ]  # fmt: skip
        put(empty_store, *rows)
        answer = {line[0]: (line[3], line[6], line[8]) for line in ask(empty_store, "estimates").rows}
        assert answer == {
            "by.event": (8.94, 40.0, "yes"),  # sqrt(2 * 40)
            "by.session": (17.89, 10.0, "no"),  # sqrt(2 * 10 * 16)
            "by.actor": (12.65, 20.0, "no"),  # sqrt(2 * 20 * 4)
            "by.channel": (25.3, 5.0, "no"),  # sqrt(2 * 5 * 64)
            "by.http.route": (56.57, 1.0, "no"),  # a column that is not looked at: one unit, and no trust
        }

    def test_one_unit_that_outweighs_the_others(self, empty_store: Any) -> None:
        """Thirty draws in effect are not enough where one of them has more than a twentieth."""
        lines = [1] * 200 + [16]
        put(
            empty_store,
            *(
                row(f"2026-03-01 10:{n // 60:02}:{n % 60:02}", "viewed", SampleWeight=4, EventCount=count)
                for n, count in enumerate(lines)
            ),
        )
        (line,) = ask(empty_store, "estimates").rows
        assert line[6:9] == (102.3, 7.41, "no")

    def test_counters_that_came_twice(self, empty_store: Any) -> None:
        """By their producer's number; those without one all count."""
        put(empty_store, row("2026-03-01 10:00", "viewed", SampleWeight=4))
        counter = {"Minute": "2026-03-01 10:00:00", "EventName": "viewed", "EventCount": 3}
        numbered = [
            {**counter, "Producer": producer, "Seq": seq} for producer, seq in (("a", 1), ("a", 2), ("b", 1))
        ]
        put(empty_store, *numbered, *numbered, counter, counter, table="activity_counters")
        (line,) = ask(empty_store, "estimates").rows
        assert line[-2:] == (15, round(4 / 15, 4))

    @pytest.mark.parametrize("unit", ["event", "session"])
    def test_intervals_hold_the_truth(self, empty_store: Any, unit: str) -> None:
        """Of 400 events, each sampled on its own, about 95 of 100 intervals hold the true number."""
        random = Random(5)
        truths = {}
        rows = []
        for number in range(400):
            name, probability = f"e{number:03}", random.choice([0.1, 0.25, 0.5])
            truths[name] = 0
            for session in range(random.randint(300, 900) // (1 if unit == "event" else 2)):
                size = 1 if unit == "event" else random.randint(1, 5)
                truths[name] += size
                if random.random() < probability:
                    columns: dict[str, Any] = {"SessionId": f"s{session}", "SampleWeight": 1 / probability}
                    rows += [row("2026-03-01 10:00", name, **columns)] * size
        put(empty_store, *rows)
        answers = ask(empty_store, "estimates", unit=unit, limit=1000).rows
        held = [
            low <= truths[event] <= high
            for event, _, _, _, low, high, _, _, trust, _, _ in answers
            if trust == "yes"
        ]
        assert len(held) >= 250
        # The share of 250 or more has a standard deviation of at most 1.4 %; wider than needed would hold all.
        assert 0.90 <= sum(held) / len(held) <= 0.99
        if unit == "session":  # taken event by event the same rows promise too much
            naive = ask(empty_store, "estimates", unit="event", limit=1000).rows
            kept = [low <= truths[event] <= high for event, _, _, _, low, high, *_ in naive]
            assert sum(kept) / len(kept) < 0.85


class TestSampledOut:
    """``sampled-out``."""

    def test_rules_and_reasons(self, empty_store: Any) -> None:
        """What was kept, and what was not by which rule and why, each with its part of the event."""
        for minute, count, reason in (("10:00", 5, ""), ("10:00", 90, "sampled"), ("10:01", 5, "rate_limit")):
            put(
                empty_store,
                {
                    "Minute": f"2026-03-01 {minute}:00", "EventName": "viewed", "Rule": "views",
                    "Reason": reason, "EventCount": count,
                },
                table="activity_counters",
            )  # fmt: skip
        answer = ask(empty_store, "sampled-out")
        assert answer.columns == ("event", "rule", "reason", "events", "percent", "first", "last")
        ten, after = at("2026-03-01 10:00"), at("2026-03-01 10:01")
        assert answer.rows == [
            ("viewed", "views", "sampled", 90, 90.0, ten, ten),
            ("viewed", "views", "", 5, 5.0, ten, ten),
            ("viewed", "views", "rate_limit", 5, 5.0, after, after),
        ]

    def test_counters_that_came_twice(self, empty_store: Any) -> None:
        """Delivered at least once, counted once; the percentages are those of one delivery."""
        counter = {"Minute": "2026-03-01 10:00:00", "EventName": "viewed", "Producer": "a"}
        kept, dropped = (
            {**counter, "Seq": 7, "EventCount": 1},
            {**counter, "Seq": 8, "EventCount": 3, "Reason": "sample"},
        )
        put(empty_store, kept, dropped, dropped, dropped, table="activity_counters")
        lines = ask(empty_store, "sampled-out").rows
        assert [line[2:5] for line in lines] == [("sample", 3, 75.0), ("", 1, 25.0)]
