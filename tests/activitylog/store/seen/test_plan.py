"""Which rows are looked at: bounded, spread, always the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.store.seen.plan import MAX_PAIRS, EventHour, choose, spread

_START = datetime(2026, 5, 1, tzinfo=UTC)


def hours(event: str, rows: dict[int, int], first_pair: int = 0) -> list[EventHour]:
    """Hours of an event, by their number from the start."""
    return [
        EventHour(event, _START + timedelta(hours=number), count, first_pair + place)
        for place, (number, count) in enumerate(rows.items())
    ]


class TestSpread:
    def test_the_ends_are_among_them(self) -> None:
        """Evenly, from the first to the last."""
        assert spread(range(11), 3) == [0, 5, 10]
        assert spread(range(3), 5) == [0, 1, 2]
        assert spread(range(9), 1) == [8]
        assert spread(range(9), 0) == []

    @given(st.integers(0, 300), st.integers(0, 300))
    def test_no_more_than_that_and_none_twice(self, count: int, most: int) -> None:
        """In the order that they had."""
        found = spread(range(count), most)
        assert len(found) == min(count, most)
        assert found == sorted(set(found))


class TestChoose:
    def test_few_rows_are_all_looked_at(self) -> None:
        """Every hour, every row."""
        sample = choose(hours("a.b", {0: 3, 7: 2}))
        assert sample.hours == (_START, _START + timedelta(hours=7))
        assert (sample.pairs, sample.steps) == ((1, 0), (1, 1))

    def test_many_rows_are_thinned(self) -> None:
        """About a thousand of an event, by the same step in each of its hours."""
        sample = choose(hours("a.b", {0: 90_000, 1: 10_000}))
        assert sample.steps == (100, 100)

    def test_a_rare_event_gets_hours_of_its_own(self) -> None:
        """Beside those that all share, until it has enough."""
        often = hours("a.often", dict.fromkeys(range(1000), 5000))
        sample = choose([*often, *hours("b.rare", {500: 1, 501: 1}, first_pair=2000)], max_rows=200_000)
        assert {2000, 2001} <= set(sample.pairs)

    def test_no_more_rows_are_read_than_may_be(self) -> None:
        """Rows of all events in the hours that are read."""
        found = [*hours("a.b", dict.fromkeys(range(100), 900)), *hours("c.d", dict.fromkeys(range(100), 100), 500)]
        sample = choose(found, max_rows=20_000)
        assert len(sample.hours) <= 20
        assert len(sample.hours) > 5

    def test_one_hour_is_read_whatever_it_has(self) -> None:
        """The newest one."""
        sample = choose(hours("a.b", {0: 10**9, 1: 10**9}), max_rows=1000)
        assert (sample.hours, sample.steps) == ((_START + timedelta(hours=1),), (10**6,))

    def test_the_newest_hour_of_each_event_is_among_them(self) -> None:
        """What happens now is looked at first."""
        found = [event for number in range(50) for event in hours(f"e.{number}", {number: 10, 99: 1}, number * 10)]
        sample = choose(found)
        assert _START + timedelta(hours=99) in sample.hours
        assert {number * 10 + 1 for number in range(50)} <= set(sample.pairs)

    @pytest.mark.slow
    @given(
        st.lists(
            st.builds(
                EventHour,
                st.sampled_from([f"e.{number}" for number in range(30)]),
                st.integers(0, 400).map(lambda number: _START + timedelta(hours=number)),
                st.integers(1, 10**7),
                st.integers(0, 2**64 - 1),
            ),
            max_size=80,
            unique_by=lambda one: (one.event, one.hour),
        )
    )
    def test_bounds(self, found: list[EventHour]) -> None:
        """Hours, events' hours and rows, whatever there is; and the same each time."""
        sample = choose(found, max_rows=10**7)
        assert len(sample.pairs) == len(sample.steps) <= MAX_PAIRS
        chosen = [one for one in found if one.hour in sample.hours]
        if len(sample.hours) > 1:
            assert sum(one.rows for one in chosen) <= 10**7
        assert bool(sample.hours) == bool(found)
        assert all(step >= 1 for step in sample.steps)
        assert choose(reversed(found), max_rows=10**7) == sample

    def test_nothing(self) -> None:
        """An empty store."""
        assert choose([]).hours == ()
