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
    """
    A compiled rule.

    Attributes:
        decide: about an event.
        decide_durable: about one whose caller asks for it to be durable: nothing thins it, or has it wait.
        budget: what of it holds events.
    """

    rule: Rule
    decide: Decide
    decide_durable: Decide
    budget: Budget | None = None


def compile_stage(rule: Rule, surroundings: Surroundings) -> Stage:
    """The cheapest function that does what the rule says."""
    verdicts = Verdicts(rule, dry_run=surroundings.dry_run or rule.dry_run)
    always = _always(verdicts.kept)
    if rule.keep is True or rule.durable:
        return Stage(rule=rule, decide=always, decide_durable=always)
    if rule.drop:
        dropped = _unless_kept(rule, verdicts, verdicts.dropped("drop"))
        return Stage(rule=rule, decide=dropped, decide_durable=dropped)
    if rule.first or rule.max_per_second is not None or rule.target_per_second is not None:
        thinning = Thinning(rule, verdicts, surroundings)
        return Stage(rule=rule, decide=thinning.decide, decide_durable=always, budget=thinning.budget)
    if rule.sample is not None:
        sample = _sample(rule, rule.sample, verdicts, surroundings)
        return Stage(rule=rule, decide=sample, decide_durable=always)
    unless_kept = _unless_kept(rule, verdicts, verdicts.kept_as(1.0))
    return Stage(rule=rule, decide=unless_kept, decide_durable=always)


def _always(verdict: Verdict) -> Decide:
    return lambda _method_name, _event_dict: verdict


def _kept_outcomes(rule: Rule) -> frozenset[str]:
    return frozenset() if isinstance(rule.keep, bool) else frozenset(rule.keep)


def _unless_kept(rule: Rule, verdicts: Verdicts, verdict: Verdict) -> Decide:
    """One verdict for all but the outcomes that are kept."""
    keep, kept = _kept_outcomes(rule), verdicts.kept
    if not keep:
        return _always(verdict)
    return lambda method_name, event_dict: kept if outcome_of(method_name, event_dict) in keep else verdict


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
        if outcome_of(method_name, event_dict) in keep:
            return kept
        return single if draw(BITS) >= threshold else dropped

    if rule.by == "event":
        return by_event
    randomness_of = unit_randomness(rule.by, surroundings.key)
    whole = verdicts.kept_as(weight, threshold=encode_threshold(threshold), by=rule.by)

    def by_unit(method_name: str, event_dict: EventDict) -> Verdict:
        if outcome_of(method_name, event_dict) in keep:
            return kept
        randomness = randomness_of(event_dict)
        if randomness is None:
            return single if draw(BITS) >= threshold else dropped
        return whole if randomness >= threshold else dropped

    return by_unit


_MAX_KNOWN: Final = 4_096


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
        self._priors = {by: Prior(1.0, self._threshold, by) for by in ("", self._by)}
        self._known: dict[tuple[int, str], Verdict] = {}

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
            whole_units=rule.by != "event",
            consistent=self._rates is None,
            verdicts=self._verdicts,
            settle=surroundings.settle,
            clock=surroundings.clock,
            draw=self._draw,
        )

    def decide(self, method_name: str, event_dict: EventDict) -> Verdict | Ticket:
        """The verdict, or a ticket of the budget."""
        outcome = outcome_of(method_name, event_dict)
        if outcome in self._keep or (self._first is not None and self._first.takes(event_dict, outcome)):
            return self._verdicts.kept
        threshold, rates = self._threshold, self._rates
        if rates is not None:
            threshold = rates.threshold(self._rate_key(event_dict) or "")
        randomness, by = self._randomness(event_dict), self._by
        if randomness is None:
            randomness, by = self._draw(), ""
        elif by == "trace" and THRESHOLD in event_dict:
            earlier = self._earlier_threshold(event_dict, randomness)
            if earlier:
                return self._decide_again(event_dict, randomness, earlier, max(threshold, earlier))
        if randomness < threshold:
            return self._dropped
        if self.budget is None:
            return self._known.get((threshold, by)) or self._kept_at(threshold, by)
        if rates is None:
            return self.budget.decide(self._key(event_dict), randomness, self._priors[by])
        # Thresholds that differ within a unit would tie the size of its head to its own R.
        prior = Prior(weight_of(threshold), 0, by)
        return self.budget.decide(self._key(event_dict), scrambled(randomness), prior)

    def _decide_again(
        self, event_dict: EventDict, randomness: int, earlier: int, threshold: int
    ) -> Verdict | Ticket:
        """For an event that an earlier stage has let through: it stands for what that one did not count yet."""
        if randomness < threshold:
            return self._dropped
        paid = 1 / weight_of(earlier)
        if self.budget is None:
            th = encode_threshold(threshold)
            return self._verdicts.kept_as(weight_of(threshold) * paid, threshold=th, by=self._by)
        if self._rates is None:
            return self.budget.decide(self._key(event_dict), randomness, Prior(paid, threshold, self._by))
        prior = Prior(weight_of(threshold) * paid, 0, self._by)
        return self.budget.decide(self._key(event_dict), scrambled(randomness), prior)

    def _key(self, event_dict: EventDict) -> str:
        """The key of the budget."""
        return "" if self._budget_key is None else self._budget_key(event_dict) or ""

    def _kept_at(self, threshold: int, by: str) -> Verdict:
        """The verdict for what was kept at a threshold, remembered: there are as many as keys of the rates."""
        th = encode_threshold(threshold) if by else ""
        verdict = self._verdicts.kept_as(weight_of(threshold), threshold=th, by=by)
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[threshold, by] = verdict
        return verdict

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
