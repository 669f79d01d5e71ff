"""The imagined service of the demo."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from activitylog.cli.demo_service import generate
from activitylog.event import EVENT_NAME_PATTERN, OUTCOMES

NOW = 1_790_000_000_123_456_789
HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return list(generate(20_000, seed=1, end_ns=NOW))


class TestGenerate:
    @pytest.mark.parametrize("number", [1, 7, 99, 100, 1000])
    def test_exactly_as_many_as_asked_for(self, number: int) -> None:
        """Any number gives that number of events."""
        assert len(list(generate(number, seed=3, end_ns=NOW))) == number

    def test_same_seed_same_events(self) -> None:
        """The same seed and end give the same events, another seed gives others."""
        first = list(generate(500, seed=3, end_ns=NOW))
        assert list(generate(500, seed=3, end_ns=NOW)) == first
        assert list(generate(500, seed=4, end_ns=NOW)) != first

    def test_in_the_order_of_their_time_and_never_later_than_now(self, events: list[dict[str, Any]]) -> None:
        """Events come in order, in the days before the end, in whole microseconds."""
        times = [event["timestamp"] for event in events]
        assert all(a <= b for a, b in pairwise(times))
        assert times[-1] < NOW
        assert NOW - 14 * 24 * HOUR < times[0] < NOW - 13 * 24 * HOUR
        assert all(at % 1000 == 0 for at in times)

    def test_events_are_events(self, events: list[dict[str, Any]]) -> None:
        """Names and outcomes are those that the pipeline accepts without a flag."""
        assert all(EVENT_NAME_PATTERN.fullmatch(event["event"]) for event in events)
        assert {event.get("outcome", "success") for event in events} == OUTCOMES - {"unknown"}


class TestBelievable:
    def test_few_people_do_most(self, events: list[dict[str, Any]]) -> None:
        """The busiest tenth does well over a third of the work."""
        counts = sorted(Counter(event["actor"] for event in events).values(), reverse=True)
        assert len(counts) > 200
        assert sum(counts[: len(counts) // 10]) / sum(counts) > 0.35

    def test_weekends_are_quiet(self, events: list[dict[str, Any]]) -> None:
        """A day of the weekend has less than half of a working day's events."""
        days = Counter((event["timestamp"] // (24 * HOUR) + 3) % 7 for event in events)
        assert max(days[5], days[6]) < min(days[day] for day in range(5)) / 2

    def test_bad_hour_can_be_found(self, events: list[dict[str, Any]]) -> None:
        """One hour has most of the failures that timed out."""
        timeouts = Counter(e["timestamp"] // HOUR for e in events if e.get("http.response.status_code") == 503)
        assert len(timeouts) == 1
        assert sum(timeouts.values()) > 20

    def test_bulk_activation_is_one_request(self, events: list[dict[str, Any]]) -> None:
        """All activations share a request and an actor."""
        activations = [event for event in events if event["event"] == "user.activated"]
        assert len(activations) == 200
        assert len({(event["request_id"], event["actor"]) for event in activations}) == 1

    def test_guessed_passwords_come_from_one_address(self, events: list[dict[str, Any]]) -> None:
        """The guesses are denied log-ins by one client."""
        guesses = [event for event in events if event["actor"][0] == "client"]
        assert {(e["event"], e["outcome"], e["client.address"]) for e in guesses} == {
            ("user.logged_in", "denied", "203.0.113.77")
        }
