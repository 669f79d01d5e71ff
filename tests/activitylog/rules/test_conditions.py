"""The grammar of ``match``."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activitylog import context
from activitylog.exceptions import ConfigurationError
from activitylog.rules.conditions import compile_match, frozen
from activitylog.rules.reading import name_of
from tests.activitylog.rules.events import (
    METHODS,
    bound_values,
    event_dicts,
    matches,
    naively,
    one_actor,
    record_of,
)


def holds(match: Any, event_dict: dict[str, Any], method_name: str = "info") -> bool:
    """Whether a match takes an event."""
    answer = compile_match(frozen(match))(name_of(event_dict))
    return answer if isinstance(answer, bool) else answer(method_name, event_dict)


class TestMeaning:
    @pytest.mark.slow
    @settings(max_examples=250, deadline=None)
    @given(match=matches(), event=event_dicts(), bound=bound_values(), method_name=st.sampled_from(METHODS))
    def test_a_match_says_what_the_record_will_say(
        self, match: Any, event: dict[str, Any], bound: dict[str, Any], method_name: str
    ) -> None:
        """Asked before the chain, a match answers what the grammar's words say about the record after it."""
        assume(one_actor(event, bound))
        expected = naively(match, method_name, record_of(method_name, event, bound))
        token = context.push(bound)
        try:
            assert holds(match, dict(event), method_name) is expected
        finally:
            context.pop(token)

    @pytest.mark.parametrize(
        ("match", "event", "expected"),
        [
            ("message.*", {"event": "message.sent"}, True),
            ("message.*", {"event": "Message.sent"}, False),
            ("message.?ent", {"event": "message.sent"}, True),
            ("message.[st]*", {"event": "message.typing"}, True),
            (["a.*", "b.c"], {"event": "b.c"}, True),
            ("*", {"event": 3}, True),
            ("[0-9]*", {"event": 3}, False),
            ({"tenant": 42}, {"event": "a", "tenant": "42"}, True),
            ({"tenant": "acme"}, {"event": "a", "activity.tenant.id": "acme"}, True),
            ({"actor": "42"}, {"event": "a", "actor": ("user", 42)}, True),
            ({"actor": {"prefix": "service:"}}, {"event": "a", "actor": "service:cron"}, True),
            ({"actor_type": "User"}, {"event": "a", "actor": "42"}, True),
            ({"object_type": "message"}, {"event": "a", "objects": ["message:1", "message:2"]}, True),
            ({"severity": {"min": "warning"}}, {"event": "a", "outcome": "denied"}, True),
            ({"severity": "info"}, {"event": "a"}, True),
            ({"attributes": {"n": 1}}, {"event": "a", "n": True}, False),
            ({"attributes": {"n": True}}, {"event": "a", "n": 1}, False),
            ({"attributes": {"n": 1}}, {"event": "a", "n": 1.0}, True),
            ({"attributes": {"n": "1"}}, {"event": "a", "n": 1}, False),
            ({"attributes": {"n": [1, "x"]}}, {"event": "a", "n": ["x"]}, False),
            ({"attributes": {"n": {"above": 5, "max": 6}}}, {"event": "a", "n": 6}, True),
            ({"attributes": {"n": {"above": 5}}}, {"event": "a", "n": 5}, False),
            ({"attributes": {"n": {"min": 5}}}, {"event": "a", "n": "9"}, False),
            ({"attributes": {"n": {"min": "2026-01-01"}}}, {"event": "a", "n": "2026-02-01"}, True),
            ({"attributes": {"n": {"below": 5}}}, {"event": "a", "n": float("nan")}, False),
            ({"attributes": {"n": {"present": False}}}, {"event": "a", "n": None}, True),
            ({"attributes": {"http.route": "/x"}}, {"event": "a", "request": {"http.route": "/x"}}, True),
            ({"not": {"event": "a.*"}, "or": [{"tenant": "t"}, "b.*"]}, {"event": "b.c"}, True),
            ({"not": {"event": "a.*"}, "or": [{"tenant": "t"}, "b.*"]}, {"event": "a.c", "tenant": "t"}, False),
        ],
    )
    def test_examples(self, match: Any, event: dict[str, Any], expected: bool) -> None:
        """The grammar, case by case."""
        assert holds(match, event) is expected


class TestMistakes:
    @pytest.mark.parametrize(
        ("match", "message"),
        [
            ({}, "match is an empty table"),
            ([], "match is empty"),
            ("", "match has '' in it"),
            (5, "match is 5. Accepted: an event name glob"),
            (["a.*", 5], "match has 5 in it"),
            ({"evnt": "x"}, "match has no key 'evnt'. Did you mean 'event'?"),
            ({"channel": "x"}, "attributes of your own go into the table 'attributes'"),
            ({"outcome": "failed"}, "match.outcome is 'failed'. Did you mean 'failure'?"),
            ({"outcome": {"min": "failure"}}, "outcomes, which have no order"),
            ({"severity": {"min": "loud"}}, "match.severity.min is 'loud'. Accepted: debug, info"),
            ({"severity": {"prefix": "w"}}, "not for outcome and severity"),
            ({"attributes": {}}, "match.attributes is an empty table"),
            ({"attributes": {"n": {"mn": 1}}}, "match.attributes.n has no operator 'mn'. Did you mean 'min'?"),
            ({"attributes": {"http": {"route": "/"}}}, "write names of attributes with dots in quotes"),
            ({"attributes": {"n": float("nan")}}, "a finite number"),
            ({"attributes": {"n": {"min": True}}}, "match.attributes.n.min is True"),
            ({"attributes": {"n": {"present": 1}}}, "match.attributes.n.present is 1. Accepted: true or false"),
            ({"attributes": {"n": {"in": 1}}}, "match.attributes.n.in is 1. Accepted: a list"),
            ({"attributes": {"": 1}}, "a key that no attribute has: ''"),
            ({"tenant": True}, "match.tenant is True"),
            ({"tenant": None}, "match.tenant is NoneType"),
            ({"or": []}, "match.or is empty"),
            ({"or": {"event": "x"}}, "match.or is mappingproxy. Accepted: a list"),
            ({"and": ["a", {"not": {"tenants": "x"}}]}, "match.and[1].not has no key 'tenants'"),
        ],
    )
    def test_say_where_what_and_what_else(self, match: Any, message: str) -> None:
        """The path in the match, what was given, and what is accepted."""
        with pytest.raises(ConfigurationError, match=re.escape(message)):
            compile_match(frozen(match))

    def test_endless_nesting(self) -> None:
        """A table that contains itself is nested too deeply, and not an endless loop."""
        table: dict[str, Any] = {}
        table["not"] = table
        with pytest.raises(ConfigurationError, match="nested too deeply"):
            frozen(table)


class TestFrozen:
    def test_nobody_can_change_a_rule_later(self) -> None:
        """What was checked is a copy."""
        table: dict[str, Any] = {"event": ["a.*"], "attributes": {"n": [1]}}
        copy = frozen(table)
        table["event"].append("b.*")
        table["attributes"]["n"].append(2)
        assert copy == {"event": ("a.*",), "attributes": {"n": (1,)}}
        with pytest.raises(TypeError):
            copy["attributes"]["n"] = 3
