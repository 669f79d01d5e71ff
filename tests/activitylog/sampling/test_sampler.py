"""The sampler as the pipeline sees it: verdicts, marks, tickets, reload, shutdown."""

from __future__ import annotations

from typing import Any

import pytest

import activitylog
from activitylog.rules import RuleSet, compile_rules
from activitylog.sampling import Sampler, Ticket, Verdict
from tests.activitylog.sampling.simulation import START, Clock


def sampler(*rules: dict[str, Any], **options: Any) -> Sampler:
    """A sampler of these rules for every event, unless they say another match."""
    options.setdefault("settle", lambda payload, verdict: None)
    return Sampler(compile_rules([{"match": "*", **rule} for rule in rules]), key=b"key", **options)


def decide(of: Sampler, method: str = "info", /, **values: Any) -> tuple[Verdict | Ticket, dict[str, Any]]:
    """The decision about one event, and the event dict after it."""
    event_dict = {"event": "page.viewed", **values}
    return of.decide(method, event_dict), event_dict


class TestDecide:
    def test_an_event_that_no_rule_takes_is_kept_as_it_is(self) -> None:
        """Rules only speak of what they match."""
        verdict, event_dict = decide(sampler({"match": "message.*", "drop": True}), n=1)
        assert isinstance(verdict, Verdict)
        assert (verdict.reason, verdict.rule, verdict.weight) == ("", "", 1.0)
        assert event_dict == {"event": "page.viewed", "n": 1}

    def test_a_dropped_event_is_left_alone(self) -> None:
        """Nothing is written to what nobody will read."""
        verdict, event_dict = decide(sampler({"drop": True, "name": "noise"}))
        assert isinstance(verdict, Verdict)
        assert (verdict.reason, verdict.rule) == ("drop", "noise")
        assert event_dict == {"event": "page.viewed"}

    @pytest.mark.parametrize("kind", ["keep", "durable"])
    def test_a_kept_event_says_which_rule_kept_it(self, kind: str) -> None:
        """Its weight is 1, which is not written."""
        verdict, event_dict = decide(sampler({kind: True, "name": "audit"}), "error", error="broken")
        assert isinstance(verdict, Verdict)
        assert verdict.durable is (kind == "durable")
        assert event_dict["activity.sample.rule"] == "audit"
        assert "activity.sample.weight" not in event_dict

    @pytest.mark.parametrize(
        ("method", "values"),
        [
            ("info", {"outcome": "failure"}),
            ("info", {"outcome": "denied"}),
            ("info", {"error": "timeout"}),
            ("info", {"exc_info": ValueError()}),
            ("info", {"activity.outcome": "denied"}),
        ],
    )
    @pytest.mark.parametrize(
        "rule",
        [
            {"sample": 1e-9},
            {"sample": 1e-9, "by": "session"},
            {"max_per_second": 1, "sample": 1e-9},
            {"target_per_second": 1, "max_per_second": 1},
            {"rollup": "10s"},
        ],
        ids=str,
    )
    def test_failures_and_denials_are_never_sampled(
        self, rule: dict[str, Any], method: str, values: dict[str, Any]
    ) -> None:
        """Unless a rule says so in words."""
        of = sampler(rule)
        for _ in range(5):
            verdict, _ = decide(of, method, session="s", **values)
            assert isinstance(verdict, Verdict)
            assert (verdict.reason, verdict.weight, verdict.rollup) == ("", 1.0, None)

    def test_a_bound_outcome_counts_as_the_event_s_own(self) -> None:
        """What ``activitylog.bind`` says is part of the event, though it is merged later."""
        of = sampler({"sample": 1e-9})
        with activitylog.bind(outcome="failure"):
            verdict, _ = decide(of)
        assert isinstance(verdict, Verdict)
        assert verdict.reason == ""

    def test_an_exception_that_is_being_handled_is_a_failure(self) -> None:
        """``log.exception`` says so by its name."""
        of = sampler({"sample": 1e-9})
        try:
            raise ValueError("broken")
        except ValueError:
            verdict, _ = decide(of, "exception")
        assert isinstance(verdict, Verdict)
        assert verdict.reason == ""

    def test_a_rule_may_sample_failures_in_words(self) -> None:
        """``keep = []`` is such a word."""
        verdict, _ = decide(sampler({"sample": 1e-9, "keep": []}), outcome="failure")
        assert isinstance(verdict, Verdict)
        assert verdict.reason == "sample"

    def test_a_sampled_event_stands_for_all_that_were_not_kept(self) -> None:
        """At a share of one half each stands for two."""
        of = sampler({"sample": 0.5, "name": "half"})
        kept = [marked for verdict, marked in (decide(of) for _ in range(50)) if not verdict.reason]  # type: ignore[union-attr]
        assert 0 < len(kept) < 50
        assert kept[0] == {"event": "page.viewed", "activity.sample.weight": 2.0, "activity.sample.rule": "half"}

    def test_weights_multiply_over_stages(self) -> None:
        """An event that stood for ten stands for twenty."""
        of, incoming = sampler({"sample": 0.5}), {"activity.sample.weight": 10}
        marked = [event for _, event in (decide(of, **incoming) for _ in range(50))]
        assert {event["activity.sample.weight"] for event in marked} == {10, 20.0}

    def test_whole_units_carry_the_threshold_and_the_unit(self) -> None:
        """So that a later stage, and SQL, know what was decided as a whole."""
        of = sampler({"sample": 0.5, "by": "session"})
        marked = [event for _, event in (decide(of, session=f"s{n}") for n in range(50))]
        kept = [event for event in marked if "activity.sample.weight" in event]
        assert 0 < len(kept) < 50
        assert {event["activity.sample.threshold"] for event in kept} == {"8"}
        assert {event["activity.sample.by"] for event in kept} == {"session"}

    def test_events_without_the_unit_are_decided_one_by_one(self) -> None:
        """And claim no threshold."""
        of = sampler({"sample": 0.5, "by": "session"})
        kept = [event for verdict, event in (decide(of) for _ in range(50)) if not verdict.reason]  # type: ignore[union-attr]
        assert 0 < len(kept) < 50
        assert all("activity.sample.by" not in event for event in kept)

    def test_a_rollup_is_handed_over_with_its_rule(self) -> None:
        """The pipeline folds it; the sampler only says so."""
        of = sampler({"rollup": "10s", "name": "typing"})
        verdict, _ = decide(of)
        assert isinstance(verdict, Verdict)
        assert verdict.rollup is not None
        assert verdict.rollup.name == "typing"

    def test_a_bug_of_ours_does_not_cost_the_event(self) -> None:
        """Decide never raises: what cannot be decided is kept, for itself."""

        class Broken(RuleSet):
            def find(self, method_name: str, event_dict: Any) -> int:
                raise RuntimeError("broken")

        of = Sampler(
            Broken(compile_rules([{"match": "*", "drop": True}]).rules), key=b"k", settle=lambda p, v: None
        )
        verdict, _ = decide(of)
        assert isinstance(verdict, Verdict)
        assert verdict.reason == ""


class TestDryRun:
    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ({"drop": True}, {"drop"}),
            ({"sample": 0.5}, {"sample", "keep 2"}),
            ({"sample": 0.5, "by": "session"}, {"sample", "keep 2"}),
            ({"rollup": "10s"}, {"rollup"}),
        ],
        ids=["drop", "event", "session", "rollup"],  # not the sets: their order is another one in each process
    )
    def test_everything_is_kept_and_says_what_would_have_been(self, rule: dict[str, Any], said: set[str]) -> None:
        """At weight 1: a dry run changes no count."""
        for of in (sampler({**rule, "dry_run": True}), sampler(rule, dry_run=True)):
            found = set()
            for number in range(50):
                verdict, event_dict = decide(of, session=f"s{number}")
                assert isinstance(verdict, Verdict)
                assert (verdict.reason, verdict.weight, verdict.rollup) == ("", 1.0, None)
                assert "activity.sample.weight" not in event_dict
                found.add(event_dict["activity.sample.dry_run"])
            assert found == said

    def test_losers_of_a_budget_are_kept_at_once(self) -> None:
        """And winners when their second is over, with the weight they would have had."""
        clock, settled = Clock(), []
        of = sampler(
            {"max_per_second": 2, "dry_run": True}, clock=clock, settle=lambda p, v: settled.append((p, v.dry_run))
        )
        for number in range(6):
            verdict, event_dict = decide(of)
            if isinstance(verdict, Ticket):
                verdict.place(number)
            else:
                settled.append((number, event_dict["activity.sample.dry_run"]))
        assert [said for _, said in settled] == ["budget"] * 4
        clock.at(1)
        of.tick()
        assert sorted(number for number, _ in settled) == list(range(6))
        assert [said for _, said in settled[4:]] == ["keep 3"] * 2


class TestReload:
    def test_equal_rules_go_on_where_they_are(self) -> None:
        """A reload in the middle of a second gives no second budget."""
        clock, settled = Clock(), []
        first = sampler({"max_per_second": 3}, clock=clock, settle=lambda p, v: settled.append(v.weight))
        for _ in range(5):
            verdict, _ = decide(first)
            if isinstance(verdict, Ticket):
                verdict.place("old")
        second = sampler(
            {"match": "x.y", "drop": True},
            {"max_per_second": 3},
            clock=clock,
            settle=lambda p, v: settled.append((p, v.reason, v.weight)),
            previous=first,
        )
        assert (first.held(), second.held()) == (0, 3)
        for _ in range(5):
            verdict, _ = decide(second)
            if isinstance(verdict, Ticket):
                verdict.place("new")
        clock.at(1)
        first.tick()
        second.tick()
        kept = [weight for _, reason, weight in settled[-3:]]
        assert kept == [10 / 3] * 3

    def test_what_other_rules_hold_stays_with_the_previous_sampler(self) -> None:
        """Its windows go on to their end, and nothing is lost."""
        clock, settled = Clock(), []
        first = sampler({"max_per_second": 3}, clock=clock, settle=lambda p, v: settled.append(p))
        verdict, _ = decide(first)
        assert isinstance(verdict, Ticket)
        verdict.place("old")
        second = sampler({"max_per_second": 4}, clock=clock, previous=first)
        assert (first.held(), second.held()) == (1, 0)
        assert first.last_end_ns() == (START + 1) * 10**9
        clock.at(1)
        first.tick()
        assert settled == ["old"]
        assert first.last_end_ns() is None

    def test_two_equal_rules_do_not_share_a_budget(self) -> None:
        """Each takes over one of the previous sampler's, or has a new one."""
        first = sampler({"match": "a.*", "max_per_second": 3})
        twice = compile_rules([{"match": "a.*", "max_per_second": 3}]).rules * 2
        second = Sampler(RuleSet(twice), key=b"key", settle=lambda p, v: None, previous=first)
        assert len({id(budget) for budget in second._budgets}) == 2

    def test_another_key_starts_anew(self) -> None:
        """Units are then decided by other numbers, and no window can go on."""
        first = sampler({"max_per_second": 3})
        second = Sampler(first.rules, key=b"other", settle=lambda p, v: None, previous=first)
        assert second._budgets[0] is not first._budgets[0]
