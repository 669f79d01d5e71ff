"""Compiled rules: the first that takes an event, at once."""

from __future__ import annotations

import enum
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activitylog import context
from activitylog.exceptions import ConfigurationError
from activitylog.rules import Rule, compile_rules
from activitylog.rules.ruleset import MAX_NAMES
from tests.activitylog.rules.events import (
    METHODS,
    bound_values,
    event_dicts,
    matches,
    naively,
    one_actor,
    record_of,
)
from tests.strategies import any_value


class Name(enum.Enum):
    """Names of events that are no text themselves."""

    SENT = "message.sent"
    THREE = 3


class TestFind:
    @pytest.mark.slow
    @settings(max_examples=80, deadline=None)
    @given(
        written=st.lists(matches(), min_size=1, max_size=6),
        events=st.lists(event_dicts(), min_size=1, max_size=4),
        bound=bound_values(),
        method_name=st.sampled_from(METHODS),
    )
    def test_is_the_first_match(
        self, written: list[Any], events: list[dict[str, Any]], bound: dict[str, Any], method_name: str
    ) -> None:
        """What is remembered for a name changes nothing: the rules in their order, the first that matches."""
        assume(one_actor(bound, *events))
        try:
            rules = compile_rules([{"match": match, "keep": True} for match in written])
        except ConfigurationError as error:
            assume("can never take an event" not in str(error))
            raise
        for event in [*events, *events]:
            record = record_of(method_name, event, bound)
            takes = [naively(match, method_name, record) for match in written]
            token = context.push(bound)
            try:
                assert rules.find(method_name, dict(event)) == (takes.index(True) if True in takes else -1)
            finally:
                context.pop(token)

    @given(event=any_value(), others=st.dictionaries(st.text(max_size=5), any_value(), max_size=3))
    def test_never_raises(self, event: Any, others: dict[str, Any]) -> None:
        """Whatever is given as a name; without one, too."""
        rules = compile_rules([{"match": {"event": "a.*", "attributes": {"n": 1}}, "drop": True}])
        assert rules.find("info", {**others, "event": event}) == -1
        assert rules.find("info", {}) == -1

    def test_names_that_are_no_text(self) -> None:
        """They are taken by the glob for everything and by callables; an enumeration stands for its value."""
        rules = compile_rules(
            [
                {"match": "message.*", "drop": True},
                Rule(match=lambda event: event.get("n") == 1, keep=True),
                {"match": "*", "durable": True},
            ]
        )
        assert rules.find("info", {"event": Name.SENT}) == 0
        assert rules.find("info", {"event": Name.THREE, "n": 1}) == 1
        assert rules.find("info", {"event": object()}) == 2
        assert rules.find("info", {"event": ["unhashable"]}) == 2

    def test_a_long_name_is_matched_as_it_is_stored(self) -> None:
        """Its first 128 characters, and it is not remembered."""
        rules = compile_rules([{"match": "x" * 128, "drop": True}])
        assert [rules.find("info", {"event": "x" * 5000}) for _ in range(2)] == [0, 0]
        assert rules.always_dropped("x" * 200) == 0

    def test_names_without_end_do_not_fill_the_memory(self) -> None:
        """And those that come again are remembered again."""
        rules = compile_rules([{"match": "a.*", "drop": True}, {"match": {"tenant": "t"}, "keep": True}])
        for number in range(3 * MAX_NAMES):
            assert rules.find("info", {"event": f"a.{number}"}) == 0
        assert len(rules._by_name) <= MAX_NAMES
        assert rules.find("info", {"event": "b", "tenant": "t"}) == 1

    def test_what_is_remembered_is_what_is_left_to_ask(self) -> None:
        """Nothing about rules for other names, nor about those behind one that takes them all."""
        rules = compile_rules(
            [
                *({"match": {"event": f"b{n}.*", "tenant": "t"}, "drop": True} for n in range(50)),
                {"match": {"event": "a.*", "tenant": "t"}, "drop": True},
                {"match": ["a.*", "c"], "drop": True},
                {"match": {"session": "s"}, "drop": True},
            ]
        )
        assert rules.find("info", {"event": "a.created"}) == 51
        assert [[index for index, _ in candidates] for candidates in rules._by_name.values()] == [[50, 51]]
        assert list(rules._by_name) == ["a.created"]

    def test_many_threads_at_once(self) -> None:
        """New names from all of them."""
        rules = compile_rules([{"match": f"a{n}.*", "drop": True} for n in range(20)])

        def find(seed: int) -> bool:
            return all(rules.find("info", {"event": f"a{n % 20}.{seed}.{n}"}) == n % 20 for n in range(2000))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(find, range(8)))


class TestCallables:
    def test_one_that_fails_does_not_match_and_is_counted(self) -> None:
        """The event goes on to the next rule; the count says which rule it was."""

        def fails(event: Any) -> bool:
            raise RuntimeError

        rules = compile_rules(
            [
                Rule(match=fails, drop=True, name="bad"),
                Rule(match=lambda event: 1, drop=True, name="no bool"),  # type: ignore[arg-type, return-value]
                Rule(match={"not": fails}, drop=True, name="inside"),
                Rule(match="a", keep=True),
            ]
        )
        assert [rules.find("info", {"event": "a"}) for _ in range(2)] == [3, 3]
        assert rules.errors == {"bad": 2, "no bool": 2, "inside": 2}

    def test_sees_the_event_and_the_context(self) -> None:
        """As a mapping."""
        rules = compile_rules([Rule(match=lambda event: event["tenant"] == event["n"], drop=True)])
        with context.bind(tenant=lambda: 3):
            assert rules.find("info", {"event": "a", "n": 3}) == 0
            assert rules.find("info", {"event": "a", "n": 4}) == -1


class TestAlwaysDropped:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ({"match": "health.*", "drop": True}, 1),
            ({"match": ["x", "health.*"], "drop": True}, 1),
            ({"match": {"not": {"event": "a.*"}}, "drop": True}, 1),
            ({"match": "health.*", "drop": True, "keep": ["failure"]}, -1),
            ({"match": "health.*", "drop": True, "dry_run": True}, -1),
            ({"match": {"event": "health.*", "tenant": "t"}, "drop": True}, -1),
            ({"match": "health.*", "sample": 0.5}, -1),
            ({"match": "other", "drop": True}, -1),
        ],
    )
    def test_only_what_nothing_can_save(self, rule: dict[str, Any], expected: int) -> None:
        """A rule that drops all outcomes of the name, with nothing before it that might take one."""
        rules = compile_rules([{"match": "a.*", "keep": True}, rule])
        assert rules.always_dropped("health.checked") == expected

    def test_an_earlier_rule_may_save_some(self) -> None:
        """Then each event has to be looked at."""
        rules = compile_rules([{"match": {"tenant": "t"}, "keep": True}, {"match": "health.*", "drop": True}])
        assert rules.always_dropped("health.checked") == -1
