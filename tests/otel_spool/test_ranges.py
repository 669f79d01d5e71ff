"""Ranges against plain sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_spool.ranges import Ranges, in_order, numbers_of

pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(pairs)
def test_a_set_of_numbers(given_ranges):
    """It holds exactly the numbers of its ranges, as sorted ranges that do not touch."""
    ranges, plain = Ranges(given_ranges), {n for first, last in given_ranges for n in range(first, last + 1)}
    assert [number for number in range(-2, 80) if number in ranges] == sorted(plain)
    assert len(ranges) == len(plain)
    assert list(ranges) == in_order(sorted(plain))
    assert set(numbers_of(ranges)) == plain


@given(pairs, pairs)
def test_a_copy_is_another_set(before, later):
    """What is added to the one is not in the other."""
    ranges = Ranges(before)
    copy = ranges.copy()
    copy.update(later)
    assert ranges == Ranges(before)
    assert copy == Ranges([*before, *later])


@pytest.mark.slow
@given(st.lists(st.integers(0, 30)))
def test_runs_keep_the_order(numbers):
    """A batch comes back in its order, whatever that is."""
    assert list(numbers_of(in_order(numbers))) == numbers


def test_runs():
    """The example of the documentation."""
    assert in_order([5, 6, 7, 3]) == [(5, 7), (3, 3)]
    assert in_order([]) == []


def test_a_million_numbers_are_a_pair():
    """However they come, what is whole is one range."""
    ranges = Ranges((number, number) for number in range(0, 20_000, 2))
    ranges.update((number, number) for number in range(1, 20_000, 2))
    assert repr(ranges) == "Ranges([(0, 19999)])"


def test_sets_cannot_be_hashed():
    """They change."""
    with pytest.raises(TypeError):
        hash(Ranges())
