"""Rules that no event reaches."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.rules import parse_rules
from activitylog.rules.reach import hidden_rules

FAILED = {"event": "a.*", "outcome": "failure"}


@pytest.mark.parametrize(
    ("later", "is_hidden"),
    [
        (FAILED, True),
        ({**FAILED, "event": "a.b"}, True),
        ({**FAILED, "tenant": "t"}, True),
        ({**FAILED, "attributes": {"n": 1}}, True),
        ({**FAILED, "event": ["a.b", "a.c"]}, True),
        ({**FAILED, "event": ["a.b", "b.c"]}, False),
        ({**FAILED, "outcome": "denied"}, False),
        ({"event": "a.b"}, False),
        ("a.b", False),
        ({"outcome": "failure"}, False),
        (lambda _event: True, False),
    ],
)
def test_a_rule_behind_one_with_fewer_conditions(later: Any, is_hidden: bool) -> None:
    """It is hidden when every event that it would take is taken before."""
    rules = parse_rules(
        [{"match": "z.*", "drop": True}, {"match": FAILED, "keep": True}, {"match": later, "keep": True}]
    )
    assert hidden_rules(rules) == ({2: 1} if is_hidden else {})


def test_a_match_in_code_hides_nothing() -> None:
    """Nobody knows what it takes."""
    rules = parse_rules([{"match": lambda _event: True, "keep": True}, {"match": FAILED, "keep": True}])
    assert hidden_rules(rules) == {}
