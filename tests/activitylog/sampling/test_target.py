"""Rates to aim at."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.sampling import target
from activitylog.sampling.randomness import SPACE, weight_of
from activitylog.sampling.target import TargetRates, shares
from tests.activitylog.sampling.simulation import Clock

RATES = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.floats(0.01, 1e6), min_size=1, max_size=20)


class TestShares:
    @given(RATES, st.floats(0.1, 1e5))
    def test_they_come_to_the_target(self, rates: dict[str, float], goal: float) -> None:
        """Or to all there is, when that is less."""
        found = shares(rates, goal)
        assert found.keys() == rates.keys()
        assert all(0 < share <= 1 for share in found.values())
        kept = sum(rates[key] * share for key, share in found.items())
        assert kept == pytest.approx(min(goal, sum(rates.values())), rel=1e-6)

    @given(RATES, st.floats(0.1, 1e5))
    def test_no_rarer_key_has_a_smaller_share(self, rates: dict[str, float], goal: float) -> None:
        """Rare ones are kept, frequent ones thinned."""
        found = shares(rates, goal)
        in_order = [found[key] for key in sorted(rates, key=lambda key: rates[key])]
        assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(in_order))

    def test_fixed_rates_give_fixed_shares(self) -> None:
        """The frequent one gets what the rare one leaves."""
        found = shares({"rare": 2, "frequent": 980}, 100)
        assert found == {"rare": 1.0, "frequent": 98 / 980}


def second_of(rates: TargetRates, clock: Clock, second: int, **arrivals: int) -> dict[str, int]:
    """So many arrivals of each key in a second; the thresholds in force."""
    clock.at(second)
    return {key: [rates.threshold(key) for _ in range(count)][-1] for key, count in arrivals.items()}


class TestTargetRates:
    def test_a_new_key_is_kept_whole_until_its_first_second_is_over(self) -> None:
        """Then its share follows from what has arrived."""
        clock = Clock()
        rates = TargetRates(10, clock)
        assert second_of(rates, clock, 0, a=1000) == {"a": 0}
        found = second_of(rates, clock, 1, a=1, b=1)
        assert weight_of(found["a"]) == pytest.approx(100)
        assert found["b"] == 0

    def test_shares_depend_on_earlier_arrivals_only(self) -> None:
        """Nothing that happens in a second changes its own."""
        clock = Clock()
        rates = TargetRates(10, clock)
        second_of(rates, clock, 0, a=100)
        clock.at(1)
        assert len({rates.threshold("a") for _ in range(5000)}) == 1

    def test_half_of_the_average_is_the_newest_second(self) -> None:
        """So a burst counts for half at once."""
        clock = Clock()
        rates = TargetRates(10, clock)
        second_of(rates, clock, 0, a=100)
        second_of(rates, clock, 1, a=300)
        assert weight_of(second_of(rates, clock, 2, a=1)["a"]) == pytest.approx(20)

    def test_a_silent_time_counts_in_seconds(self) -> None:
        """What arrived is divided by the time that has passed."""
        clock = Clock()
        rates = TargetRates(10, clock)
        second_of(rates, clock, 0, a=400)
        assert weight_of(second_of(rates, clock, 4, a=1)["a"]) == pytest.approx(10)

    def test_a_clock_that_goes_back_changes_no_share(self) -> None:
        """It only begins the second anew."""
        clock = Clock()
        rates = TargetRates(10, clock)
        second_of(rates, clock, 0, a=1000)
        before = second_of(rates, clock, 1, a=500)
        assert second_of(rates, clock, -100, a=1) == before
        assert 0 < second_of(rates, clock, -99, a=1)["a"] < SPACE

    def test_keys_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beyond the bound they share one, which is thinned like a frequent one."""
        monkeypatch.setattr(target, "MAX_KEYS", 3)
        clock = Clock()
        rates = TargetRates(10, clock)
        second_of(rates, clock, 0, **{f"k{n}": 50 for n in range(20)})
        found = second_of(rates, clock, 1, new=1, k0=1, **{f"n{n}": 1 for n in range(10)})
        assert len(rates._rates) <= 3
        assert found["k0"] > 0
        assert found["n9"] > found["k0"]

    def test_what_is_no_longer_seen_is_forgotten(self) -> None:
        """Its average falls until nothing is left of it."""
        clock = Clock()
        rates = TargetRates(10, clock)
        second_of(rates, clock, 0, a=100)
        for second in range(1, 20):
            second_of(rates, clock, second, b=1)
        assert "a" not in rates._rates
