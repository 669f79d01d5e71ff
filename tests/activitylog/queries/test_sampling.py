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
            {**counters, "EventName": "viewed", "EventCount": 351, "Reason": "sampled"},
            {**counters, "EventName": "paid", "EventCount": 5},
            {**counters, "EventName": "rare", "EventCount": 90, "Minute": "2026-02-01 10:00:00"},
            table="activity_counters",
        )
        answer = ask(empty_store, "estimates")
        assert answer.columns == (
            "event", "rows", "events", "standard_error", "low", "high", "effective_rows", "trust", "exact", "ratio"
        )  # fmt: skip
        assert answer.rows == [
            ("viewed", 41, 401.0, 60.0, 283.4, 518.6, 40.0, "yes", 392, 1.023),
            ("rare", 3, 120.0, 67.53, 6.0, 252.35, 3.0, "no", None, None),
            ("paid", 1, 5.0, 0.0, 5.0, 5.0, 0.0, "exact", 5, 1.0),
            ("odd", 1, 0.5, 0.0, 0.5, 0.5, 0.0, "no", None, None),
        ]

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
        assert {unit: line[6:8] for unit, line in errors.items()} == {
            "event": (42.0, "yes"),
            "session": (10.9, "no"),
            "actor": (2.2, "no"),
        }

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
            low <= truths[event] <= high for event, _, _, _, low, high, _, trust, _, _ in answers if trust == "yes"
        ]
        assert len(held) >= 250
        # The share of 250 or more has a standard deviation of at most 1.4 %; wider than needed would hold all.
        assert 0.90 <= sum(held) / len(held) <= 0.99
        if unit == "session":  # taken event by event the same rows promise too much
            naive = ask(empty_store, "estimates", limit=1000).rows
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
