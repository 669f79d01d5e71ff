"""Pairs of expected and captured events, against all the ways there are."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from activitylog.testing import CapturedEvent, IsEvent
from activitylog.testing.arrangement import Pair, in_any_order, in_order

#: What an event has, and what is expected of one, by key; some events are many expected ones.
CAPTURED = st.lists(st.fixed_dictionaries({"x": st.integers(0, 1), "y": st.integers(0, 1)}), max_size=5)
EXPECTED = st.lists(st.dictionaries(st.sampled_from("xy"), st.integers(0, 1), max_size=2), max_size=5)


def events_of(values: list[dict[str, int]]) -> list[CapturedEvent]:
    """Captured events with these attributes."""
    return [CapturedEvent("a.b", value, None, 0, "INFO", 0, 0) for value in values]


def expected_of(values: list[dict[str, int]]) -> list[IsEvent]:
    """Expected ones with these values."""
    return [IsEvent("a.b", **value) for value in values]


def are_pairs(pairs: list[Pair], expected: list[IsEvent], events: list[CapturedEvent]) -> bool:
    """Whether they are equal, and nothing is in two of them."""
    return all(expected[i] == events[j] for i, j in pairs) and all(
        len(set(side)) == len(pairs) for side in zip(*pairs, strict=True)
    )


class TestInOrder:
    @given(EXPECTED, CAPTURED)
    def test_there_are_no_more_pairs(self, wanted: list[dict[str, int]], given: list[dict[str, int]]) -> None:
        """As many as the longest common subsequence, which is looked for among all of them."""
        expected, events = expected_of(wanted), events_of(given)
        pairs = in_order(expected, events)
        assert are_pairs(pairs, expected, events)
        assert pairs == sorted(pairs)
        assert [j for _, j in pairs] == sorted(j for _, j in pairs)
        longer = len(pairs) + 1
        assert not any(
            all(item == event for item, event in zip(some, others, strict=True))
            for some in itertools.combinations(expected, longer)
            for others in itertools.combinations(events, longer)
        )

    def test_thousands_of_equal_ones(self) -> None:
        """One that differs in their midst costs no more than the others."""
        values = [{"x": n % 7} for n in range(3000)]
        events = events_of(values)
        values[1500] = {"x": 9}
        pairs = in_order(expected_of(values), events)
        assert [i for i in range(3000) if (i, i) not in set(pairs)] == [1500]


class TestInAnyOrder:
    @given(EXPECTED, CAPTURED)
    def test_there_are_no_more_pairs(self, wanted: list[dict[str, int]], given: list[dict[str, int]]) -> None:
        """As many as any assignment has."""
        expected, events = expected_of(wanted), events_of(given)
        pairs = in_any_order(expected, events)
        assert are_pairs(pairs, expected, events)
        longer = len(pairs) + 1
        assert not any(
            all(item == event for item, event in zip(some, others, strict=True))
            for some in itertools.combinations(expected, longer)
            for others in itertools.permutations(events, longer)
        )

    def test_the_first_that_comes_need_not_be_the_right_one(self) -> None:
        """A wide expectation leaves to a narrow one the only event that it has."""
        expected = expected_of([{}, {"x": 1}, {"x": 1, "y": 1}])
        events = events_of([{"x": 1, "y": 1}, {"x": 1, "y": 0}, {"x": 0, "y": 0}])
        assert in_any_order(expected, events) == [(0, 2), (1, 1), (2, 0)]

    def test_many_that_are_one_too_few(self) -> None:
        """No recursion, whatever their number."""
        expected = expected_of([{"x": 1}] * 1500)
        assert len(in_any_order(expected, events_of([{"x": 1}] * 1499))) == 1499
