"""Why a match does not take an event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.rules import compile_rules, parse_rules
from activitylog.rules.reasons import says, why_not

EVENT = {"event": "a.b", "ms": 7, "plan": "free", "tenant": "acme", "actor": ("user", 42)}


def failing(event: Any) -> bool:
    """A match in code that fails."""
    raise ValueError(event)


def never(event: Any) -> bool:
    """A match in code that takes nothing."""
    return event is None


def reason(match: Any, **values: Any) -> str | None:
    """For one match and the event above."""
    return why_not(parse_rules([{"match": match, "keep": True}])[0].match, "info", {**EVENT, **values})


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("a.*", None),
        ("b.*", "the event is a.b, and it takes b.*"),
        ({"event": "b.*", "tenant": "x"}, "the event is a.b, and it takes b.*"),
        ({"event": "a.*", "tenant": "x"}, "tenant is acme, and it takes tenant is x"),
        ({"outcome": "failure"}, "outcome is success, and it takes outcome is failure"),
        ({"severity": {"min": "error"}}, "severity is info, and it takes severity >= error"),
        ({"actor_type": "service"}, "actor_type is user, and it takes actor_type is service"),
        ({"object_type": "file"}, "there is no object_type, and it takes object_type is file"),
        ({"session": {"present": True}}, "there is no session, and it takes session is there"),
        ({"attributes": {"plan": "free", "ms": {"above": 9}}}, "ms is 7, and it takes ms > 9"),
        ({"and": ["a.*", {"tenant": "x"}]}, "tenant is acme, and it takes tenant is x"),
        ({"not": {"tenant": "acme"}}, "it takes none where tenant is acme"),
        (
            {"or": ["b.*", {"tenant": "x"}]},
            "the event is a.b, and it takes b.*; tenant is acme, and it takes tenant is x",
        ),
        ({"or": [f"b{n}.*" for n in range(6)]}, None),
        (failing, "failing() failed with ValueError"),
        (never, "never() says no"),
    ],
)
def test_the_first_condition_that_fails(match: Any, expected: str | None) -> None:
    """Each form says what the event has and what the rule asks for."""
    found = reason(match)
    if isinstance(match, dict) and len(match.get("or", ())) > 4:
        assert found is not None
        assert found.endswith("; and 2 more that do not hold")
    else:
        assert found == expected


def test_long_values_are_cut() -> None:
    """A reason stays a sentence."""
    assert len(reason({"attributes": {"plan": "x"}}, plan="y" * 5000) or "") < 200


def test_what_the_event_says_about_a_match() -> None:
    """Of conditions on their own; names and combinations are left out."""
    match = parse_rules(
        [{"match": {"event": "a.*", "tenant": "acme", "not": "b.*", "attributes": {"ms": 7}}, "keep": True}]
    )
    assert says(match[0].match, "info", dict(EVENT)) == ["tenant is acme", "ms is 7"]


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(["a.*", "b.*", "*"]),
        "outcome": st.sampled_from(["success", "failure", ["failure", "denied"]]),
        "tenant": st.sampled_from(["acme", "x"]),
        "attributes": st.sampled_from([{"ms": {"min": 5}}, {"ms": {"min": 9}}, {"plan": {"present": True}}]),
    },
).filter(bool)
MATCHES = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(lambda items: {"and": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda items: {"or": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda item: {"not": item}, inner),
    ),
    max_leaves=6,
)


@given(match=MATCHES, outcome=st.sampled_from([None, "failure"]), plan=st.sampled_from([None, "free"]))
def test_a_reason_is_there_exactly_where_the_rule_does_not_match(match: Any, outcome: Any, plan: Any) -> None:
    """Whatever the nesting is, the reasons agree with the rules themselves."""
    event = {**EVENT, "outcome": outcome, "plan": plan}
    rules = compile_rules([{"match": match, "keep": True}])
    assert (rules.find("info", dict(event)) == 0) is (why_not(rules.rules[0].match, "info", event) is None)
