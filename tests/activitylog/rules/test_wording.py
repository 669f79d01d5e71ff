"""Rules in words."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.rules import parse_rules
from activitylog.rules.rule import Rule
from activitylog.rules.wording import does, duration, literal, percent, takes


def rule(match: Any = "a.*", **values: Any) -> Rule:
    """One checked rule."""
    return parse_rules([{"match": match, **(values or {"keep": True})}])[0]


def odd(event: Any) -> bool:
    """A match in code."""
    return bool(event)


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ("*", "any event"),
        (["a.b", "c.*"], "a.b or c.*"),
        ([f"a{n}.*" for n in range(10)], " or ".join(f"a{n}.*" for n in range(8)) + " or 2 more"),
        ({"event": "a.*", "outcome": ["failure", "denied"]}, "a.* where outcome is failure or denied"),
        ({"severity": {"min": "warning"}}, "any event where severity >= warning"),
        ({"attributes": {"ms": {"above": 5, "max": 9}}}, "any event where ms > 5 and ms <= 9"),
        ({"attributes": {"path": {"prefix": ["/a", "/b"]}}}, "any event where path starts with /a or /b"),
        ({"attributes": {"plan": {"present": False}}}, "any event where plan is not there"),
        ({"attributes": {"ok": True, "code": "7"}}, 'any event where ok is true and code is "7"'),
        (
            {"or": ["a.*", {"event": "b.*", "attributes": {"n": {"above": 1}}}]},
            "any event where (event is a.* or (event is b.* and n > 1))",
        ),
        ({"event": "a.*", "not": {"tenant": "t"}}, "a.* where not tenant is t"),
        (odd, "what odd() says"),
    ],
)
def test_what_a_rule_takes(match: Any, words: str) -> None:
    """Every form of a match."""
    assert takes(rule(match).match) == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"drop": True}, "drops all"),
        ({"drop": True, "keep": ["failure"]}, "drops all but failures"),
        ({"keep": True}, "keeps all"),
        ({"durable": True}, "keeps all, durable"),
        ({"sample": 0.05, "by": "session"}, "keeps 5 % of the sessions; failures and denials always"),
        ({"sample": 0.05, "keep": []}, "keeps 5 % of the events; failures and denials like the others"),
        ({"sample": 0.05, "by": "plan"}, "keeps 5 % of the values of plan; failures and denials always"),
        (
            {"sample": 0.5, "first": 3, "first_per": "actor", "first_window": "2h"},
            "keeps the first 3 of each name, tenant, outcome and actor in 2 h; then 50 % of the events; "
            "failures and denials always",
        ),
        ({"max_per_second": 50}, "at most 50 a second; failures and denials always"),
        (
            {"max_per_second": 1000, "per": "tenant", "by": "trace"},
            "at most 1,000 a second for each tenant, whole traces; failures and denials always",
        ),
        ({"target_per_second": 2.5}, "aims at 2.5 a second over the event names; failures and denials always"),
        (
            {"rollup": "10s", "rollup_sum": ["bytes"]},
            "folds what is similar within 10 s into one by actor, object, target, sums bytes; "
            "failures and denials always",
        ),
        ({"drop": True, "dry_run": True}, "drops all (dry run: only said on the events)"),
    ],
)
def test_what_a_rule_does(values: dict[str, Any], words: str) -> None:
    """Every kind of rule."""
    assert does(rule(**values)) == words


def test_numbers_and_texts() -> None:
    """Shares and durations in the units of people; texts in quotes where they are not plain words."""
    assert [percent(share) for share in (0.5, 0.001, 1e-9)] == ["50 %", "0.1 %", "1e-07 %"]
    assert [duration(seconds) for seconds in (0.5, 1.5, 60, 90, 7200, 86_400)] == [
        "500 ms",
        "1.5 s",
        "1 m",
        "90 s",
        "2 h",
        "1 d",
    ]
    assert [literal(value) for value in ("a-b", "a b", "7", 7, False, "")] == [
        "a-b",
        '"a b"',
        '"7"',
        "7",
        "false",
        '""',
    ]
