"""
What one rule does with an event that it takes, compiled once.

The order: outcomes in ``keep`` are kept; the ``first`` ones are kept; ``sample`` or ``target_per_second`` thins
the rest; ``max_per_second`` bounds what is left, or ``rollup`` folds it. What is not asked for costs nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from activitylog.context import current
from activitylog.rules import Rule
from activitylog.rules.reading import outcome_of, unit_reader
from activitylog.sampling.budget import Budget, Clock, Settle, Ticket
from activitylog.sampling.first import FirstOfKey
from activitylog.sampling.randomness import (
    BITS,
    SPACE,
    UnitRandomness,
    encode_threshold,
    parse_threshold,
    scrambled,
    threshold_of,
    unit_randomness,
    weight_of,
)
from activitylog.sampling.strata import Prior
from activitylog.sampling.target import TargetRates
from activitylog.sampling.verdict import THRESHOLD, WEIGHT, Verdict
from activitylog.sampling.verdicts import Verdicts

EventDict = MutableMapping[str, Any]
Decide = Callable[[str, EventDict], Verdict | Ticket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """
    What the stages of a sampler share.

    Attributes:
        key: the secret of the hash of units.
        clock: wall nanoseconds.
        settle: is given what budgets held.
        generator: draws for single events.
        dry_run: all rules only say what they would do.
    """

    key: bytes
    clock: Clock
    settle: Settle
    generator: random.Random
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """A compiled rule, and what of it holds events."""

    rule: Rule
    decide: Decide
    budget: Budget | None = None


def compile_stage(rule: Rule, surroundings: Surroundings) -> Stage:
    """The cheapest function that does what the rule says."""
    verdicts = Verdicts(rule, dry_run=surroundings.dry_run or rule.dry_run)
    if rule.keep is True or rule.durable:
        return Stage(rule=rule, decide=_always(verdicts.kept))
    if rule.drop:
        return Stage(rule=rule, decide=_unless_kept(rule, verdicts, verdicts.dropped("drop")))
    if rule.first or rule.max_per_second is not None or rule.target_per_second is not None:
        thinning = Thinning(rule, verdicts, surroundings)
        return Stage(rule=rule, decide=thinning.decide, budget=thinning.budget)
    if rule.sample is not None:
        return Stage(rule=rule, decide=_sample(rule, rule.sample, verdicts, surroundings))
    return Stage(rule=rule, decide=_unless_kept(rule, verdicts, verdicts.kept_as(1.0)))


def _always(verdict: Verdict) -> Decide:
    return lambda _method_name, _event_dict: verdict


def _kept_outcomes(rule: Rule) -> frozenset[str]:
    return frozenset() if isinstance(rule.keep, bool) else frozenset(rule.keep)


def _unless_kept(rule: Rule, verdicts: Verdicts, verdict: Verdict) -> Decide:
    """One verdict for all but the outcomes that are kept."""
    keep, kept = _kept_outcomes(rule), verdicts.kept
    if not keep:
        return _always(verdict)
    return lambda method_name, event_dict: kept if outcome(method_name, event_dict) in keep else verdict


_SAY_OUTCOME: Final = frozenset({"outcome", "activity.outcome", "error", "exc_info"})


def outcome(method_name: str, event_dict: EventDict) -> str:
    """The outcome of the event; most say nothing about it, which is seen in a fifth of the time."""
    if (
        "outcome" in event_dict
        or "error" in event_dict
        or "exc_info" in event_dict
        or "activity.outcome" in event_dict
        or method_name == "exception"
    ):
        return outcome_of(method_name, event_dict)
    bound = current()
    return "success" if not bound or _SAY_OUTCOME.isdisjoint(bound) else outcome_of(method_name, event_dict)


def _sample(rule: Rule, share: float, verdicts: Verdicts, surroundings: Surroundings) -> Decide:
    """``sample`` and nothing else, the commonest rule."""
    if rule.by == "trace":
        return Thinning(rule, verdicts, surroundings).decide
    keep, kept, dropped = _kept_outcomes(rule), verdicts.kept, verdicts.dropped("sample")
    threshold = threshold_of(share)
    weight = weight_of(threshold)
    single = verdicts.kept_as(weight)
    draw = surroundings.generator.getrandbits

    def by_event(method_name: str, event_dict: EventDict) -> Verdict:
        if outcome(method_name, event_dict) in keep:
            return kept
        return single if draw(BITS) >= threshold else dropped

    if rule.by == "event":
        return by_event
    randomness_of = unit_randomness(rule.by, surroundings.key)
    whole = verdicts.kept_as(weight, threshold=encode_threshold(threshold), by=rule.by)

    def by_unit(method_name: str, event_dict: EventDict) -> Verdict:
        if outcome(method_name, event_dict) in keep:
            return kept
        randomness = randomness_of(event_dict)
        if randomness is None:
            return single if draw(BITS) >= threshold else dropped
        return whole if randomness >= threshold else dropped

    return by_unit


class Thinning:
    """
    Any combination of ``first``, ``sample``, ``target_per_second`` and ``max_per_second``.

    Args:
        rule: with one of them at least.
        verdicts: of the rule.
        surroundings: of the sampler.
    """

    def __init__(self, rule: Rule, verdicts: Verdicts, surroundings: Surroundings) -> None:
        self._keep = _kept_outcomes(rule)
        self._verdicts = verdicts
        self._dropped = verdicts.dropped("sample")
        self._by = "" if rule.by == "event" else rule.by
        self._first = FirstOfKey(rule, surroundings.clock) if rule.first else None
        self._rates = self._target_rates(rule, surroundings)
        self._rate_key = unit_reader(rule.per or "name")
        self._threshold = 0 if rule.sample is None else threshold_of(rule.sample)
        self._randomness: UnitRandomness = unit_randomness(rule.by, surroundings.key)
        self._draw = partial(surroundings.generator.getrandbits, BITS)
        self._budget_key = None if rule.per is None else unit_reader(rule.per)
        self.budget = self._make_budget(rule, surroundings)

    @staticmethod
    def _target_rates(rule: Rule, surroundings: Surroundings) -> TargetRates | None:
        if rule.target_per_second is None:
            return None
        return TargetRates(rule.target_per_second, surroundings.clock)

    def _make_budget(self, rule: Rule, surroundings: Surroundings) -> Budget | None:
        if rule.max_per_second is None:
            return None
        return Budget(
            rule.max_per_second,
            # A budget of one event has no room for units.
            whole_units=rule.by != "event" and rule.max_per_second > 1,
            consistent=self._rates is None,
            threshold=self._threshold,
            verdicts=self._verdicts,
            settle=surroundings.settle,
            clock=surroundings.clock,
            draw=self._draw,
        )

    def decide(self, method_name: str, event_dict: EventDict) -> Verdict | Ticket:
        """The verdict, or a ticket of the budget."""
        said = outcome(method_name, event_dict)
        if said in self._keep or (self._first is not None and self._first.takes(event_dict, said)):
            return self._verdicts.kept
        threshold = self._threshold
        if self._rates is not None:
            threshold = self._rates.threshold(self._rate_key(event_dict) or "")
        randomness, by, earlier = self._randomness(event_dict), self._by, 0
        if randomness is None:
            randomness, by = self._draw(), ""
        elif by == "trace" and THRESHOLD in event_dict:
            earlier = self._earlier_threshold(event_dict, randomness)
            threshold = max(threshold, earlier)
        if randomness < threshold:
            return self._dropped
        paid = weight_of(earlier)
        if self.budget is None:
            th = encode_threshold(threshold) if by else ""
            return self._verdicts.kept_as(weight_of(threshold) / paid, threshold=th, by=by)
        key = "" if self._budget_key is None else self._budget_key(event_dict) or ""
        if self._rates is None:
            return self.budget.decide(key, randomness, Prior(1 / paid, threshold, by))
        # Thresholds that differ within a unit would tie the size of its head to its own R.
        return self.budget.decide(key, scrambled(randomness), Prior(weight_of(threshold) / paid, 0, by))

    def _earlier_threshold(self, event_dict: EventDict, randomness: int) -> int:
        """
        The threshold that an earlier stage with the same randomness has applied; 0 for none.

        One that would not have let the event through is not consistent, and erased. Where the stage has left no
        weight, the one that follows is written.
        """
        threshold = parse_threshold(event_dict[THRESHOLD])
        if threshold is None or randomness < threshold:
            del event_dict[THRESHOLD]
            return 0
        if threshold and event_dict.get(WEIGHT) is None and not self._verdicts.dry_run:
            event_dict[WEIGHT] = SPACE / (SPACE - threshold)
        return threshold
