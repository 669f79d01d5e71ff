"""What becomes of one event, and why; what is said is what the sampler does."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.explanation import Explanation, explain
from activitylog.rules import compile_rules
from activitylog.sampling import Sampler, Ticket, Verdict

KEY = b"a key of the tests"


def explained(rule: dict[str, Any], method: str = "info", **event: Any) -> Explanation:
    """Of one rule for ``a.*`` and one event."""
    return explain(compile_rules([{"match": "a.*", **rule}]), method, {"event": "a.b", **event}, key=KEY)


class TestWhichRule:
    RULES = (
        {"name": "denials", "match": {"outcome": "denied"}, "keep": True},
        {"name": "slow", "match": {"event": "a.*", "attributes": {"ms": {"above": 100}}}, "keep": True},
        {"name": "rest", "match": "a.*", "sample": 0.5},
    )

    def test_the_first_that_matches_and_why_the_earlier_do_not(self) -> None:
        """Each earlier rule comes with the condition that fails and what the event says."""
        found = explain(compile_rules(self.RULES), "info", {"event": "a.b", "ms": 7}, key=KEY)
        assert [(rule.number, rule.name, rule.why_not) for rule in found.earlier] == [
            (1, "denials", "outcome is success, and it takes outcome is denied"),
            (2, "slow", "ms is 7, and it takes ms > 100"),
        ]
        assert found.rule is not None
        assert (found.rule.number, found.rule.name, found.rule.why_not) == (3, "rest", None)

    def test_none(self) -> None:
        """An event that no rule takes is kept, and every rule says why it does not."""
        found = explain(compile_rules(self.RULES), "info", {"event": "c.d"}, key=KEY)
        assert (found.rule, found.becomes, found.weight, len(found.earlier)) == (None, "kept", 1.0, 3)

    def test_facts_are_those_of_the_record(self) -> None:
        """Outcome, severity and tenant as they will be stored."""
        found = explain(compile_rules([]), "info", {"event": "c.d", "error": "E1", "tenant": "acme"}, key=KEY)
        assert (found.outcome, found.severity, found.tenant) == ("failure", "error", "acme")


class TestSteps:
    @pytest.mark.parametrize(
        ("rule", "event", "becomes", "weight", "keys"),
        [
            ({"drop": True}, {}, "dropped", 1.0, ["drop"]),
            ({"drop": True, "keep": ["failure"]}, {"outcome": "failure"}, "kept", 1.0, ["keep"]),
            ({"keep": True}, {}, "kept", 1.0, ["keep"]),
            ({"durable": True}, {}, "kept", 1.0, ["durable"]),
            ({"sample": 0.25}, {}, "depends", 4.0, ["sample"]),
            ({"sample": 0.25}, {"outcome": "denied"}, "kept", 1.0, ["keep"]),
            ({"sample": 0.25, "by": "session"}, {}, "depends", 4.0, ["sample"]),
            ({"sample": 0.25, "first": 2}, {}, "depends", None, ["first", "sample"]),
            ({"max_per_second": 5}, {}, "depends", None, ["max_per_second"]),
            ({"target_per_second": 5}, {}, "depends", None, ["target_per_second"]),
            ({"rollup": "10s"}, {}, "folded", 1.0, ["rollup"]),
            ({"rollup": "10s"}, {"outcome": "failure"}, "kept", 1.0, ["keep"]),
        ],
    )
    def test_each_kind(
        self, rule: dict[str, Any], event: dict[str, Any], becomes: str, weight: float | None, keys: list[str]
    ) -> None:
        """What settles it, and the weight as far as it is known."""
        found = explained(rule, **event)
        assert (found.becomes, found.weight, [step.key for step in found.steps]) == (becomes, weight, keys)

    def test_a_weight_that_the_event_brings_is_multiplied(self) -> None:
        """As the sampler does."""
        brought: dict[str, Any] = {"activity.sample.weight": 3}
        assert explained({"sample": 0.25}, **brought).weight == 12

    def test_a_dry_run_is_said(self) -> None:
        """Of the rule, or of the settings."""
        assert explained({"drop": True, "dry_run": True}).dry_run
        assert not explained({"drop": True}).dry_run
        assert explain(
            compile_rules([{"match": "*", "drop": True}]), "info", {"event": "a.b"}, key=KEY, dry_run=True
        ).dry_run


class TestAgreesWithTheSampler:
    @pytest.mark.parametrize("by", ["session", "actor", "tenant", "trace", "plan"])
    def test_units_are_decided_alike(self, by: str) -> None:
        """For 300 units the explanation says what the sampler does with the same key."""
        rules = compile_rules([{"match": "a.*", "sample": 0.3, "by": by}])
        sampler = Sampler(rules, key=KEY, settle=lambda _payload, _verdict: None)
        seen = set()
        for number in range(1, 301):
            unit = f"{number * 0x9E3779B97F4A7C15 % (1 << 128):032x}" if by == "trace" else f"u{number}"
            event = {"event": "a.b", "trace_id" if by == "trace" else by: unit}
            found = explain(rules, "info", dict(event), key=KEY)
            verdict = sampler.decide("info", event)
            assert isinstance(verdict, Verdict)
            assert found.becomes == ("dropped" if verdict.reason else "kept")
            assert found.unit is not None
            if not verdict.reason:
                assert (found.weight, found.unit.threshold) == (verdict.weight, verdict.threshold)
            seen.add(found.becomes)
        assert seen == {"kept", "dropped"}

    def test_what_depends_on_a_budget_gets_a_ticket(self) -> None:
        """And what is settled gets none."""
        rules = compile_rules([{"match": "a.*", "max_per_second": 5}])
        sampler = Sampler(rules, key=KEY, settle=lambda _payload, _verdict: None)
        assert isinstance(sampler.decide("info", {"event": "a.b"}), Ticket)
        assert explain(rules, "info", {"event": "a.b"}, key=KEY).becomes == "depends"
