"""
What it costs to find the rule that takes an event, as the number of rules grows.

    pytest tests/benchmarks/test_rules_cost.py --benchmark-enable --benchmark-columns=median,iqr,ops

Compare within a run: the ratio to one rule is what lasts. Most rules speak of other events, as in a program with
many; the one that takes the event is the last.
"""

from __future__ import annotations

from typing import Any

import pytest

import activitylog
from activitylog.rules import RuleSet, compile_rules

NUMBERS = [1, 10, 50, 200]
EVENT: dict[str, Any] = {
    "event": "message.sent",
    "actor": "user:42",
    "object": "message:7",
    "tenant": "acme",
    "channel": "general",
    "length": 312,
    "pinned": True,
    "ratio": 0.5,
}


def rules_of_others(number: int) -> list[dict[str, Any]]:
    """Rules for names of their own: globs, exact names, conditions."""
    kinds: list[dict[str, Any]] = [
        {"match": "part{n}.*", "drop": True},
        {"match": "part{n}.viewed", "sample": 0.1, "by": "session"},
        {"match": {"event": "part{n}.*", "attributes": {"length": {"min": 100}}}, "max_per_second": 50},
        {"match": {"event": ["part{n}.typed", "part{n}.seen"], "outcome": "failure"}, "keep": True},
    ]
    rules = [dict(kinds[n % len(kinds)]) for n in range(number)]
    for n, rule in enumerate(rules):
        rule["match"] = _numbered(rule["match"], n)
    return rules


def _numbered(match: Any, n: int) -> Any:
    if isinstance(match, str):
        return match.replace("{n}", str(n))
    if isinstance(match, list):
        return [_numbered(glob, n) for glob in match]
    return {**match, "event": _numbered(match["event"], n)}


def with_last(number: int, last: Any) -> RuleSet:
    """So many rules, of which the last one is about the event."""
    return compile_rules([*rules_of_others(number - 1), {"match": last, "drop": True}])


@pytest.mark.benchmark(group="by name")
class TestByName:
    @pytest.mark.parametrize("number", NUMBERS)
    def test_find(self, benchmark: Any, number: int) -> None:
        """The event's name settles it."""
        rules = with_last(number, "message.*")
        assert benchmark(rules.find, "info", EVENT) == number - 1

    @pytest.mark.parametrize("number", NUMBERS)
    def test_find_none(self, benchmark: Any, number: int) -> None:
        """No rule speaks of the event."""
        rules = with_last(number, "other.*")
        assert benchmark(rules.find, "info", EVENT) == -1

    @pytest.mark.parametrize("number", NUMBERS)
    def test_a_new_name(self, benchmark: Any, number: int) -> None:
        """What the first event of a name costs, and each one where names are made out of data without end."""
        rules = with_last(number, "message.*")

        def find() -> int:
            rules._by_name.clear()
            return rules.find("info", EVENT)

        assert benchmark(find) == number - 1


@pytest.mark.benchmark(group="by conditions")
class TestByConditions:
    @pytest.mark.parametrize(
        "match",
        [
            {"event": "message.*", "attributes": {"channel": "general"}},
            {"event": "message.*", "tenant": "acme"},
            {"event": "message.*", "actor": "user:42"},
            {"event": "message.*", "outcome": "success"},
            {"event": "message.*", "severity": {"max": "info"}},
            {"event": "message.*", "attributes": {"length": {"above": 100, "max": 1000}}},
            {"attributes": {"absent": {"present": False}}},
            {"event": "message.*", "tenant": ["a", "acme"], "or": [{"session": "s"}, {"outcome": "success"}]},
        ],
        ids=["attribute", "tenant", "actor", "outcome", "severity", "range", "absent", "four"],
    )
    def test_find(self, benchmark: Any, match: Any) -> None:
        """One rule for the event's name that has to look into the event, behind 200 others."""
        rules = with_last(200, match)
        assert benchmark(rules.find, "info", EVENT) == 199

    def test_find_in_the_context(self, benchmark: Any) -> None:
        """The tenant is bound to the request, and not in the event."""
        rules = with_last(200, {"event": "message.*", "tenant": "acme"})
        event = {key: value for key, value in EVENT.items() if key != "tenant"}
        with activitylog.bind(tenant="acme", session="s-1"):
            assert benchmark(rules.find, "info", event) == 199

    @pytest.mark.parametrize("number", NUMBERS)
    def test_rules_without_a_name(self, benchmark: Any, number: int) -> None:
        """The worst case: every rule is about all names, and each has to be asked."""
        rules = compile_rules([{"match": {"tenant": f"t{n}"}, "drop": True} for n in range(number)])
        assert benchmark(rules.find, "info", EVENT) == -1
