"""Reservoirs against their definitions: sorting everything at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.sampling import strata
from activitylog.sampling.randomness import SPACE
from activitylog.sampling.strata import EventReservoir, Prior, UnitCounts, UnitReservoir

PLAIN = Prior(1.0, 0, "")


@dataclass(eq=False)
class Place:
    """Stands for a ticket."""

    number: int
    randomness: int
    prior: Prior = PLAIN


class TestEventReservoir:
    @given(st.lists(st.integers(0, SPACE - 1), max_size=60, unique=True), st.integers(1, 20))
    def test_the_largest_are_kept(self, drawn: list[int], places: int) -> None:
        """And what gives way is given back, once."""
        reservoir, given_up = EventReservoir(places), []
        for number, randomness in enumerate(drawn):
            place = Place(number, randomness)
            if not reservoir.admits(randomness):
                given_up.append(place)
            elif (lost := reservoir.put(randomness, place)) is not None:
                given_up.append(lost)
        kept = [place.randomness for place in reservoir.kept()]
        assert sorted(kept) == sorted(drawn)[-places:]
        assert sorted(kept + [place.randomness for place in given_up]) == sorted(drawn)
        if drawn:
            assert reservoir.weight(PLAIN) * len(kept) == pytest.approx(len(drawn))

    def test_ties_do_not_break_the_order(self) -> None:
        """Places cannot be compared, and need not be."""
        reservoir = EventReservoir(2)
        for number in range(5):
            if reservoir.admits(7):
                reservoir.put(7, Place(number, 7))
        assert len(reservoir.kept()) == 2

    def test_earlier_weights_are_multiplied(self) -> None:
        """By what was thinned before, at a threshold and otherwise."""
        reservoir = EventReservoir(1)
        for number in range(4):
            if reservoir.admits(number):
                reservoir.put(number, Place(number, number))
        assert reservoir.weight(Prior(3.0, SPACE // 2, "")) == 3 * 2 * 4


def offline(arrivals: list[int], budget: int) -> tuple[set[int], int]:
    """The units kept and the threshold, by the definition: the longest run of largest R whose heads fit."""
    head, quota = max(1, budget // 20), max(1, budget // 10)
    sizes = Counter(arrivals)
    tail = sum(size - head for size in sizes.values() if size > head)
    room = budget - min(tail, quota)
    kept: set[int] = set()
    for randomness in sorted(sizes, reverse=True):
        room -= min(head, sizes[randomness])
        if room < 0:
            return kept, randomness + 1
        kept.add(randomness)
    return kept, 0


class TestUnitReservoir:
    @given(st.lists(st.integers(0, 25), max_size=150), st.integers(2, 60))
    def test_deciding_at_once_comes_to_what_sorting_would(self, arrivals: list[int], budget: int) -> None:
        """Whatever the order of events, and the budget holds after every one of them."""
        reservoir, counts, refused = UnitReservoir(budget, 0), UnitCounts(), 0
        given_up: list[Place] = []
        for number, randomness in enumerate(arrivals):
            count = reservoir.counts.get(randomness)
            if count is None:
                count = counts.first(reservoir.counts, randomness)
            else:
                reservoir.counts[randomness] = count = count + 1
            place = Place(number, randomness, Prior(1.0, 0, "session"))
            if count > reservoir.head:
                if reservoir.tail.seen < reservoir.tail.places:
                    reservoir.make_room_for_tail(given_up)
                if reservoir.tail.admits(hash((number, 7)) % SPACE):
                    reservoir.tail.put(hash((number, 7)) % SPACE, place)
            elif reservoir.admits(randomness, given_up):
                reservoir.put(randomness, place)
            else:
                refused += 1
            assert len(reservoir.kept()) + len(reservoir.tail.kept()) <= budget
        units, threshold = offline(arrivals, budget)
        kept = Counter(place.randomness for place in reservoir.kept())
        assert set(kept) == units
        assert all(size == min(reservoir.head, arrivals.count(unit)) for unit, size in kept.items())
        assert reservoir.threshold(PLAIN) == threshold
        heads = sum(min(reservoir.head, size) for size in Counter(arrivals).values())
        assert heads == refused + len(given_up) + kept.total()

    def test_the_weight_is_that_of_the_higher_threshold(self) -> None:
        """Of the window's and of the one that the event has met before, which is paid for in part."""
        reservoir = UnitReservoir(2, SPACE // 2)
        assert reservoir.weight(PLAIN) == 2
        assert reservoir.weight(Prior(0.5, SPACE // 4 * 3, "trace")) == 2
        assert reservoir.weight(Prior(5.0, 0, "session")) == 10


class TestUnitCounts:
    def test_units_beyond_the_bound_share_counters(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are counted all the same, so that a heavy one still gets into the stratum of its own."""
        monkeypatch.setattr(strata, "MAX_COUNTED_UNITS", 2)
        counts, known = UnitCounts(), dict[int, int]()
        assert [counts.first(known, randomness) for randomness in (1, 2, 3, 3, 3, 4)] == [1, 1, 1, 2, 3, 1]
        assert known == {1: 1, 2: 1}

    def test_sharing_depends_on_no_draw(self) -> None:
        """Only the last bits of R tell with whom a unit shares, and only its first ones whether it is kept."""
        counts, known = UnitCounts(), dict[int, int]()
        counts.units = strata.MAX_COUNTED_UNITS
        assert counts.first(known, 5) == 1
        assert counts.first(known, 5 + (9 << 40)) == 2
