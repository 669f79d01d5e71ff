"""
Counts stay right: what the statistics of the samplers must show, and that naive samplers do not.

All seeds are fixed, so a run that passes passes always. The limit |z| < 4 would be broken by chance once in about
16,000 statistics. Each property is checked by one function, which is also given a sampler with the flaw that it is
there to find.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from activitylog.sampling.randomness import BITS, Hasher, scrambled
from tests.activitylog.sampling import naive
from tests.activitylog.sampling.simulation import (
    POPULATIONS,
    Event,
    Make,
    Outcome,
    relative_sd,
    ruled,
    run,
    unbiased,
    uniform,
    zipf,
)

BUDGET = 100
LIMIT = 4.0

RULES: dict[str, dict[str, Any]] = {
    "events in a budget": {"max_per_second": BUDGET},
    "sessions in a budget": {"max_per_second": BUDGET, "by": "session"},
    "sampled events in a budget": {"sample": 0.3, "max_per_second": BUDGET},
    "sampled sessions in a budget": {"sample": 0.3, "by": "session", "max_per_second": BUDGET},
    "a budget for each name": {"max_per_second": BUDGET // 4, "per": "name", "by": "session"},
    "events": {"sample": 0.1},
    "sessions": {"sample": 0.1, "by": "session"},
    "a target": {"target_per_second": BUDGET},
    "sessions at a target": {"target_per_second": BUDGET, "by": "session"},
    "a target in a budget": {"target_per_second": 2 * BUDGET, "max_per_second": BUDGET},
    "sessions at a target in a budget": {
        "target_per_second": 2 * BUDGET,
        "max_per_second": BUDGET,
        "by": "session",
    },
    "the first, then a share": {"first": 3, "sample": 0.1},
    "the first, then sessions in a budget": {"first": 3, "max_per_second": BUDGET, "by": "session"},
}


def worst(events: list[Event], make: Make, seeds: range) -> float:
    """The largest |z| of a population's statistics."""
    return max(abs(z) for z in unbiased(events, make, seeds).values())


class TestUnbiased:
    @pytest.mark.slow
    @pytest.mark.parametrize("population", ["bursty", "zipf"])
    @pytest.mark.parametrize(
        "rule",
        ["events in a budget", "sessions in a budget", "sampled sessions in a budget", "a target in a budget"],
    )
    def test_a_binding_budget_leaves_counts_right(self, rule: str, population: str) -> None:
        """In all, and for each event name."""
        assert worst(POPULATIONS[population](2_000), ruled(**RULES[rule]), range(50)) < LIMIT

    @pytest.mark.slow
    @pytest.mark.parametrize("population", POPULATIONS)
    @pytest.mark.parametrize("rule", RULES)
    def test_no_rule_and_no_population_shows_a_bias(self, rule: str, population: str) -> None:
        """Over 400 seeds."""
        assert worst(POPULATIONS[population](), ruled(**RULES[rule]), range(400)) < LIMIT

    @pytest.mark.parametrize("flawed", [naive.stop_when_full, naive.feedback_on_kept])
    def test_the_same_check_finds_naive_samplers(self, flawed: Callable[[int], Make]) -> None:
        """Stopping when the budget is full, and thinning by what was kept, are biased."""
        assert worst(uniform(2_000), flawed(BUDGET), range(50)) > 2 * LIMIT

    @pytest.mark.slow
    def test_one_unit_larger_than_the_budget_is_counted(self) -> None:
        """It has a stratum of its own: without that it could never be kept."""
        events = [Event(0, "page.viewed", f"s{n // 4}") for n in range(400)]
        events += [Event(0, "page.viewed", "robot") for _ in range(600)]
        events = events[::2] + events[1::2]
        assert worst(events, ruled(max_per_second=50, by="session"), range(200)) < LIMIT
        assert worst(events, naive.whole_units_until_full(50), range(200)) > 2 * LIMIT

    @pytest.mark.slow
    def test_the_spread_of_a_budget_over_sessions_is_small(self) -> None:
        """Of the total, at a ninth of the events: under 6 % of it; that of a single unit would be 100 %."""
        events = uniform(36_000, 8, burst=8)
        totals = [run(events, ruled(max_per_second=500, by="session"), seed=seed).total for seed in range(10)]
        assert relative_sd(totals, len(events)) < 0.06


def over_budget(outcome: Outcome, budget: int) -> dict[int, int]:
    """The seconds in which more was kept than the budget."""
    return {second: kept for second, kept in outcome.kept_in_second.items() if kept > budget}


class TestHardBudget:
    @pytest.mark.parametrize("population", POPULATIONS)
    @pytest.mark.parametrize("by", ["event", "session"])
    @pytest.mark.parametrize("budget", [2, 7, 40, 500])
    def test_no_second_ever_keeps_more(self, population: str, by: str, budget: int) -> None:
        """Bursts and heavy units included; and no second wastes more than a tenth and one head of it."""
        events = POPULATIONS[population](3_000)
        arrived = Counter(event.second for event in events)
        outcome = run(events, ruled(max_per_second=budget, by=by), seed=1)
        assert over_budget(outcome, budget) == {}
        for second, kept in outcome.kept_in_second.items():
            assert kept >= min(arrived[second], budget) - (max(1, budget // 20) - 1 if by == "session" else 0)

    def test_the_same_check_finds_a_target_that_is_no_bound(self) -> None:
        """Shares from earlier arrivals are unbiased, but a burst goes over them."""
        outcome = run(POPULATIONS["bursty"](), ruled(target_per_second=BUDGET), seed=1)
        assert over_budget(outcome, BUDGET) != {}


def conserved(outcome: Outcome) -> bool:
    """For every event name: emitted = kept + dropped, over the reasons."""
    found = Counter(outcome.kept)
    for (name, _reason), count in outcome.dropped.items():
        found[name] += count
    return found == outcome.emitted


class TestConservation:
    @pytest.mark.parametrize("rule", RULES)
    def test_every_event_is_kept_or_dropped_for_a_reason(self, rule: str) -> None:
        """Exactly, by event name."""
        outcome = run(POPULATIONS["bursty"](2_000), ruled(**RULES[rule]), seed=3)
        assert conserved(outcome)
        assert {reason for _, reason in outcome.dropped} <= {"sample", "budget"}


def broken_units(events: list[Event], outcome: Outcome, *, largest: int) -> list[tuple[int, str]]:
    """Units of up to ``largest`` events in a second of which some were kept and some were not."""
    sizes = Counter((event.second, event.session) for event in events)
    kept = Counter((event.second, event.session) for event, _ in outcome.rows)
    return [unit for unit, size in sizes.items() if size <= largest and kept[unit] not in (0, size)]


class TestWholeUnits:
    @pytest.mark.parametrize("population", POPULATIONS)
    def test_units_are_kept_or_dropped_whole(self, population: str) -> None:
        """All that are not larger than a twentieth of the budget."""
        events = POPULATIONS[population](4_000)
        outcome = run(events, ruled(max_per_second=200, by="session"), seed=4)
        assert outcome.dropped
        assert broken_units(events, outcome, largest=10) == []

    def test_the_same_check_finds_a_budget_over_events(self) -> None:
        """It breaks units."""
        events = POPULATIONS["uniform"](4_000)
        assert broken_units(events, run(events, ruled(max_per_second=200), seed=4), largest=10) != []


class TestNeverDropped:
    def _events(self, total: int) -> list[Event]:
        failing = range(total // 1000, total, total // 500)
        events = [Event(index * 5 // total, "page.viewed", f"s{index % 999}") for index in range(total)]
        for index in failing:
            events[index] = events[index]._replace(outcome="failure")
        return events

    def _check(self, total: int) -> None:
        for rule in ({"max_per_second": 1}, {"max_per_second": 2, "by": "session"}):
            outcome = run(self._events(total), ruled(**rule), seed=5)
            kept = [verdict.weight for event, verdict in outcome.rows if event.outcome]
            assert kept == [1.0] * 500
            assert sum(1 for event, _ in outcome.rows if not event.outcome) <= 5 * rule["max_per_second"]  # type: ignore[operator]

    def test_failures_are_exempt_from_a_budget_of_one(self) -> None:
        """500 of them among 20,000 events: none is missing."""
        self._check(20_000)

    @pytest.mark.slow
    def test_not_one_failure_in_a_million_is_missing(self) -> None:
        """500 of them among a million events, at one event a second."""
        self._check(1_000_000)


class TestRareEvents:
    def test_an_action_seen_once_is_present_at_weight_1(self) -> None:
        """``first`` keeps it, whatever the share of the rest is."""
        outcome = run(POPULATIONS["rare"](), ruled(sample=1e-6, first=1), seed=6)
        rows = [verdict.weight for event, verdict in outcome.rows if event.name == "account.deleted"]
        assert rows == [1.0]

    def test_the_same_check_finds_a_share_alone(self) -> None:
        """Which loses it."""
        outcome = run(POPULATIONS["rare"](), ruled(sample=1e-6), seed=6)
        assert outcome.kept["account.deleted"] == 0


def chi_square(randomness: Callable[[str], int]) -> float:
    """Of 200,000 numbered ids in 256 bins: about 255 for draws, with a standard deviation of 23."""
    bins = [0] * 256
    for number in range(200_000):
        bins[randomness(f"user:{number}") >> BITS - 8] += 1
    expected = 200_000 / 256
    return sum((count - expected) ** 2 for count in bins) / expected


class TestRandomness:
    @pytest.mark.slow
    def test_numbered_ids_are_spread_like_draws(self) -> None:
        """Neither worse nor more evenly: 170 to 330 has a probability of 99.9 % for draws."""
        hashed = Hasher(b"key", "actor")
        assert 170 < chi_square(hashed) < 330
        assert 170 < chi_square(lambda text: scrambled(hashed(text))) < 330

    def test_the_same_check_finds_a_checksum(self) -> None:
        """crc32 is too even for a draw."""
        assert chi_square(naive.crc32_randomness) < 170

    def test_a_second_number_of_a_unit_says_nothing_about_the_first(self) -> None:
        """Of the units in the upper tenth by the one, a tenth are there by the other."""
        hashed = Hasher(b"key", "actor")
        upper = [r for n in range(100_000) if (r := hashed(f"user:{n}")) >= 0.9 * 2**BITS]
        both = sum(scrambled(r) >= 0.9 * 2**BITS for r in upper)
        assert abs(both - len(upper) / 10) < 4 * (len(upper) * 0.09) ** 0.5

    def test_events_of_one_unit_are_kept_together_no_more_often_than_they_should(self) -> None:
        """By different units: at 10 % of each, 1 % of the pairs; crc32 of ``user:n`` and ``user:m`` gave 3.8 %."""
        hashed = Hasher(b"key", "attribute")
        threshold, users = 0.9 * 2**BITS, 50_000
        pairs = sum(hashed(f"u{n}:1") >= threshold and hashed(f"u{n}:2") >= threshold for n in range(users))
        assert abs(pairs - users / 100) < 4 * (users * 0.0099) ** 0.5

    @pytest.mark.parametrize("by", ["event", "session"])
    def test_the_share_is_kept(self, by: str) -> None:
        """Of 100,000 events or units at a tenth: 10,000, to four standard deviations."""
        events = (Event(0, "page.viewed", f"s{number}") for number in range(100_000))
        outcome = run(events, ruled(sample=0.1, by=by), seed=7)
        assert abs(len(outcome.rows) - 10_000) < 4 * 95

    @pytest.mark.slow
    def test_the_share_of_a_million_is_kept(self) -> None:
        """100,000, to four standard deviations."""
        events = (Event(0, "page.viewed", "s") for _ in range(1_000_000))
        assert abs(len(run(events, ruled(sample=0.1), seed=8).rows) - 100_000) < 4 * 300


def interval_covers(outcome: Outcome, truth: int, *, whole_units: bool) -> bool:
    """Whether the total lies within 1.96 standard errors, as they are computed from the kept rows alone."""
    squares: defaultdict[Any, float] = defaultdict(float)
    weight = 1.0
    for row, (event, verdict) in enumerate(outcome.rows):
        squares[event.session if whole_units else row] += 1
        weight = verdict.weight
    variance = sum(size**2 for size in squares.values()) * weight * (weight - 1)
    return abs(outcome.total - truth) <= 1.96 * math.sqrt(variance)


def trusted(outcome: Outcome) -> bool:
    """Whether an interval may be shown: 30 units or more, and none with more than 5 % of the weight."""
    sizes = Counter(event.session for event, _ in outcome.rows)
    return len(sizes) >= 30 and max(sizes.values()) <= 0.05 * len(outcome.rows)


def coverage(events: list[Event], share: float, by: str, simulations: int) -> tuple[float, float]:
    """In how many simulations the interval covers the truth, and in how many it may be shown."""
    covering = shown = 0
    for seed in range(simulations):
        outcome = run(events, ruled(sample=share, by=by), seed=seed)
        covering += interval_covers(outcome, len(events), whole_units=by != "event")
        shown += trusted(outcome)
    return covering / simulations, shown / simulations


class TestIntervals:
    @pytest.mark.slow
    @pytest.mark.parametrize("by", ["event", "session"])
    def test_intervals_cover_the_truth(self, by: str) -> None:
        """95 of 100 times; 200 simulations tell that to four standard deviations of 1.5 points."""
        covering, _ = coverage(uniform(1_000, 1), 0.2, by, 200)
        assert abs(covering - 0.95) < 0.062

    @pytest.mark.slow
    @pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
    @pytest.mark.parametrize("by", ["event", "session"])
    def test_intervals_cover_the_truth_within_two_points(self, by: str, share: float) -> None:
        """2,000 simulations at each share."""
        covering, _ = coverage(uniform(3_000, 1), share, by, 2_000)
        assert abs(covering - 0.95) < 0.02

    @pytest.mark.slow
    def test_intervals_over_very_unequal_units_are_not_shown(self) -> None:
        """One unit with a sixth of the events: the interval would cover far less often than it says."""
        covering, shown = coverage(zipf(2_000, 1), 0.2, "session", 100)
        assert covering < 0.9
        assert shown < 0.5
