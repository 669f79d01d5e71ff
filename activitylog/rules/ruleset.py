"""
Checked rules, compiled into what finds the first one that takes an event.

Most rules are told apart by the event's name. For each name that is seen the rules are looked through once, and
what is left to be asked is remembered: the rules that may take events of this name, each with its predicate, up
to the first that takes them all. So the cost of 200 rules is the cost of the few that speak of the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from structlog.typing import EventDict

from activitylog.event import MAX_EVENT_NAME_LENGTH
from activitylog.rules.conditions import Predicate, compile_match
from activitylog.rules.parsing import parse_rules
from activitylog.rules.reading import name_of
from activitylog.rules.rule import Rule
from activitylog.stats import ReasonCounters

#: Names that are remembered. A program has few; the bound is for those that make names out of data.
MAX_NAMES: Final = 4096

#: Rules that may take events of a name: index, and what is to be asked; None when there is nothing left to ask.
Candidates = tuple[tuple[int, Predicate | None], ...]


class RuleSet:
    """
    Rules that are in force together; may be used by any number of threads at once.

    Attributes:
        rules: the checked rules, in their order.
    """

    __slots__ = ("_by_name", "_conditions", "_errors", "rules")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._conditions = tuple(compile_match(rule.match) for rule in self.rules)
        self._by_name: dict[str, Candidates] = {}
        self._errors = ReasonCounters()

    def find(self, method_name: str, event_dict: EventDict) -> int:
        """
        The index of the first rule that matches, -1 when none does. Never raises.

        Args:
            method_name: structlog's, which tells the severity.
            event_dict: the keywords of ``emit``, and the name under ``event`` (:mod:`activitylog.rules.reading`).
        """
        try:
            candidates = self._by_name[event_dict["event"]]
        except Exception:  # noqa: BLE001 - a new name, or an object that is none and may raise anything
            candidates = self._remembered(name_of(event_dict))
        for index, predicate in candidates:
            if predicate is None:
                return index
            try:
                if predicate(method_name, event_dict):
                    return index
            except Exception:  # noqa: BLE001 - a match in the application's code; counted
                self._errors.increment(self.rules[index].name)
        return -1

    def always_dropped(self, name: str) -> int:
        """
        The index of the rule that drops every event of this name, whatever else it says, else -1.

        Not one that spares outcomes or that is a dry run.
        """
        candidates = self._remembered(name_of({"event": name}))
        if not candidates or candidates[0][1] is not None:
            return -1
        rule = self.rules[candidates[0][0]]
        return candidates[0][0] if rule.drop and not rule.keep and not rule.dry_run else -1

    @property
    def errors(self) -> Mapping[str, int]:
        """How often a match in code failed or gave no bool, by the name of its rule; it then did not match."""
        return self._errors.values()

    def _remembered(self, name: str | None) -> Candidates:
        """The candidates for a name, worked out on the first time; two threads at once work out the same."""
        if name is None:
            return self._candidates(None)
        candidates = self._by_name.get(name)
        if candidates is None:
            candidates = self._candidates(name)
            if len(self._by_name) >= MAX_NAMES:
                self._by_name = {}  # a new one: other threads may be looking into this one
            if len(name) < MAX_EVENT_NAME_LENGTH:
                self._by_name[name] = candidates
        return candidates

    def _candidates(self, name: str | None) -> Candidates:
        candidates: list[tuple[int, Predicate | None]] = []
        for index, condition in enumerate(self._conditions):
            answer = condition(name)
            if answer is True:
                candidates.append((index, None))
                break
            if answer is not False:
                candidates.append((index, answer))
        return tuple(candidates)


def compile_rules(rules: Iterable[Rule | Mapping[str, Any]]) -> RuleSet:
    """
    Check rules, as :func:`~activitylog.rules.parsing.parse_rules` does, and compile them.

    Raises:
        ConfigurationError: a rule that cannot be used.
    """
    return RuleSet(parse_rules(rules))
