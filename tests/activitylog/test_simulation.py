"""What rules would have kept, and how well it tells the true counts, which are known here."""

from __future__ import annotations

import random
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.rules import parse_rules
from activitylog.simulation import NameOutcome, Simulation, simulate

KEY = b"a key of the tests"
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def past(number: int, name: str = "a.b", every_ns: int = SECOND // 100, **values: Any) -> list[dict[str, Any]]:
    """So many events at even distances."""
    return [{"event": name, "timestamp": START + n * every_ns, "n": n, **values} for n in range(number)]


def run(events: list[dict[str, Any]], *rules: Any, **options: Any) -> Simulation:
    """Of rules in tables."""
    return simulate(events, parse_rules(rules), key=KEY, **options)


def named(result: Simulation, name: str) -> NameOutcome:
    """The outcome of one name."""
    return next(outcome for outcome in result.names if outcome.event == name)


MIXED = (
    {"match": "gone.*", "drop": True},
    {"match": "b.seen", "sample": 0.2, "by": "session"},
    {"match": "c.*", "max_per_second": 10},
    {"match": "d.*", "rollup": "10s", "rollup_by": ["actor"]},
    {"match": "e.*", "target_per_second": 5, "first": 2},
)


def mixed(seed: int = 1, count: int = 4000) -> list[dict[str, Any]]:
    """Events for each of these rules and for none, in no order."""
    chance = random.Random(seed)
    names = ["gone.one", "b.seen", "c.one", "c.two", "d.one", "e.one", "free.one"]
    return [
        {
            "event": chance.choice(names),
            "timestamp": START + chance.randrange(60 * SECOND),
            "session": f"s{chance.randrange(300)}",
            "actor": f"user:{chance.randrange(5)}",
            "outcome": chance.choice(["success"] * 9 + ["failure"]),
        }
        for _ in range(count)
    ]


class TestConservation:
    def test_every_event_is_in_one_place(self) -> None:
        """Of each rule: taken is rows, folded or dropped for a reason; and all events were taken by one."""
        result = run(mixed(), *MIXED, draws=3)
        for rule in result.rules:
            assert rule.events == rule.rows + rule.folded + sum(rule.dropped.values()), rule
            assert rule.least_rows <= rule.rows <= rule.most_rows
        assert sum(rule.events for rule in result.rules) == 4000
        assert sum(outcome.events for outcome in result.names) == result.total.events == 4000
        assert sum(outcome.rows for outcome in result.names) == sum(rule.rows for rule in result.rules)
        assert {reason for rule in result.rules for reason in rule.dropped} == {"drop", "sample", "budget"}

    def test_counts_of_their_own(self) -> None:
        """An event about many things is as many events, before and after."""
        result = run(past(10, count=7), {"match": "x.*", "drop": True})
        assert (result.total.events, result.total.rows, result.total.estimate.total) == (70, 10, 70)

    def test_input_is_left_as_it_is(self) -> None:
        """The caller's events are not marked."""
        events = past(50)
        run(events, {"match": "*", "sample": 0.5})
        assert events == past(50)


class TestKinds:
    def test_without_rules_everything_is_exact(self) -> None:
        """Every event is a row."""
        result = run(past(20))
        assert (result.total.rows, result.total.error, result.total.estimate.trust) == (20, 0, "exact")
        assert [(rule.number, rule.events) for rule in result.rules] == [(0, 20)]

    def test_dropped_names_are_left_out_of_the_truth(self) -> None:
        """No estimate is meant to know what a rule drops."""
        result = run([*past(20), *past(5, "gone.one")], {"match": "gone.*", "drop": True})
        gone = named(result, "gone.one")
        assert (gone.events, gone.left_out, gone.truth, gone.rows) == (5, 5, 0, 0)
        assert (result.total.truth, result.total.error) == (20, 0)

    def test_a_budget_is_held_by_the_clock_of_the_events(self) -> None:
        """100 events a second for 20 seconds, 10 are kept of each, and all together are told exactly."""
        result = run(past(2000), {"match": "*", "max_per_second": 10}, draws=2)
        assert (result.total.rows, result.rules[0].dropped) == (200, {"budget": 1800})
        assert result.total.estimate.total == pytest.approx(2000)
        assert result.rules[0].heaviest == pytest.approx(10)
        # No draw builds on the marks of the one before.
        assert result.total.bias == pytest.approx(0)
        assert result.total.deviation == pytest.approx(0)

    def test_a_roll_up_is_cut_by_the_clock_of_the_events(self) -> None:
        """100 events a second for 20 seconds in windows of 10 are two rows that say 1,000 each."""
        result = run(past(2000, actor="user:1"), {"match": "*", "rollup": "10s"}, draws=2)
        assert (result.total.rows, result.rules[0].folded) == (2, 1998)
        assert (result.total.estimate.total, result.total.estimate.trust) == (2000, "exact")

    def test_failures_are_not_drawn(self) -> None:
        """What a rule never samples is there whole."""
        result = run(past(100, outcome="failure"), {"match": "*", "sample": 0.01})
        assert (result.total.rows, result.total.estimate.trust) == (100, "exact")

    def test_a_dry_run_is_taken_in_earnest(self) -> None:
        """Its weights and drops are what it would do."""
        wet = run(past(500), {"match": "*", "sample": 0.2})
        dry = run(past(500), {"match": "*", "sample": 0.2, "dry_run": True})
        assert dry.total == wet.total
        assert dry.total.rows < 500

    def test_events_without_the_unit_are_told(self) -> None:
        """A rule that keeps by what the events do not have is a mistake to be seen."""
        result = run([*past(10, session="s"), *past(30)], {"match": "*", "sample": 0.2, "by": "session"})
        assert result.rules[0].without_unit == 30


class TestOrderAndDraws:
    def test_the_order_of_the_file_does_not_matter(self) -> None:
        """Times do: a log may be written in any order."""
        events = mixed()
        events.sort(key=lambda event: event["timestamp"])
        times = {event["timestamp"] for event in events}
        assert len(times) == len(events)
        shuffled = random.Random(3).sample(events, len(events))
        one, other = run(shuffled, *MIXED, draws=2), run(events, *MIXED, draws=2)
        # Only the length of an event is measured on those that come first.
        assert (one.rules, one.names, one.total) == (other.rules, other.names, other.total)

    def test_a_seed_gives_the_same_again(self) -> None:
        """And another seed something else."""
        rule = {"match": "*", "sample": 0.2}
        assert run(past(500), rule, seed=4) == run(past(500), rule, seed=4)
        assert run(past(500), rule, seed=4).total != run(past(500), rule, seed=5).total

    def test_the_first_draw_is_that_of_the_deployment(self) -> None:
        """Units are decided under the key that is given, whatever the seed is."""
        events = [event for n in range(200) for event in past(3, session=f"s{n}")]
        rows = {
            run(events, {"match": "*", "sample": 0.3, "by": "session"}, seed=seed, draws=1).total.rows
            for seed in (1, 2, 3)
        }
        assert len(rows) == 1

    def test_progress_ends_at_the_total(self) -> None:
        """It is told in events times draws, and never goes back."""
        told: list[tuple[int, int]] = []
        run(mixed(), *MIXED, draws=3, progress=lambda done, total: told.append((done, total)))
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]

    def test_mistakes(self) -> None:
        """No draw at all, and an event without a time, are refused."""
        with pytest.raises(ConfigurationError, match="draws is 0"):
            run(past(1), draws=0)
        with pytest.raises(ConfigurationError, match=r"'a\.b' has no time"):
            run([{"event": "a.b"}])


@pytest.mark.slow
class TestHonesty:
    """200 draws of each way: the estimates are right on average, and the intervals hold the truth."""

    @pytest.mark.parametrize(
        "rule",
        [
            {"sample": 0.2},
            {"sample": 0.2, "by": "session"},
            {"max_per_second": 20},
            {"max_per_second": 40, "by": "session"},
            {"target_per_second": 20},
            {"sample": 0.5, "rollup": "5s", "rollup_by": ["actor"], "keep": []},
        ],
        ids=str,
    )
    def test_means_are_right_and_intervals_cover(self, rule: dict[str, Any]) -> None:
        """Bias within 4 standard errors of the mean; 95 % intervals hold in 180 of 200 draws at the least."""
        events = [event for event in mixed(count=3000) if event["event"] in ("c.one", "c.two", "b.seen")]
        result = run(events, {"match": "*", **rule}, draws=200)
        for outcome in (*result.names, result.total):
            assert abs(outcome.bias) <= 4 * outcome.deviation / 200**0.5 + 1e-6, outcome
            assert outcome.covered >= 180, outcome
