"""
What the rules do with one event, and why: for people, and for tests of rules.

:func:`explain` asks the rules as the pipeline does, but for the reasons too: which condition of each earlier rule
fails, which step of the rule that takes the event settles what becomes of it, and what is left to chance or to the
events around it. Units (sessions, traces, ...) are decided for good, under the key that is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from activitylog.rules import Rule, RuleSet
from activitylog.rules.reading import SEVERITIES, outcome_of, reader, severity_of, tenant_of, unit_reader
from activitylog.rules.reasons import says, why_not
from activitylog.rules.wording import does, duration, literal, percent, takes
from activitylog.sampling.randomness import (
    encode_randomness,
    encode_threshold,
    parse_threshold,
    threshold_of,
    unit_randomness,
    weight_of,
)
from activitylog.sampling.verdict import THRESHOLD, earlier_weight

#: ``kept``, ``dropped`` and ``folded`` settle it; ``depends`` is left to chance or to other events.
Answer = Literal["kept", "dropped", "folded", "depends", "goes on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """
    A rule that was asked.

    Attributes:
        number: its place among the rules, from 1.
        name: of the rule.
        takes: what it takes, in words.
        why_not: the condition that fails; None for the rule that takes the event.
    """

    number: int
    name: str
    takes: str
    why_not: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One step of the rule, in the order in which they are taken.

    Attributes:
        key: of the rule: ``keep``, ``first``, ``sample``, ...
        answer: what it means for the event.
        reason: in words.
    """

    key: str
    answer: Answer
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """
    What is kept or dropped as a whole.

    Attributes:
        by: its kind: ``session``, ``actor``, ...
        text: which one.
        randomness: its R, 14 hexadecimal digits.
        threshold: what R must reach, as OpenTelemetry's ``th``; empty where no share is fixed.
    """

    by: str
    text: str
    randomness: str
    threshold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """
    What becomes of an event, and why.

    Attributes:
        event: its name.
        outcome: that the record will have.
        severity: likewise.
        tenant: likewise; empty without one.
        becomes: ``kept``, ``dropped``, ``folded`` (into one with similar events) or ``depends``.
        earlier: rules before the one that takes it, with the reason why they do not; all rules where none does.
        rule: the rule that takes it; None when none does, and the event is kept.
        does: what that rule does, in words.
        because: what the event says about what the rule asks for.
        steps: of the rule, up to the one that settles it.
        share: the fixed probability with which it is kept; None where there is none or it is not fixed.
        weight: for how many events it stands when it is kept; None where that depends on other events.
        unit: decided as a whole; None for single events.
        dry_run: the rule only says what it would do: the event is kept at weight 1 whatever becomes of it here.
    """

    event: str
    outcome: str
    severity: str
    tenant: str
    becomes: str
    earlier: tuple[Considered, ...]
    rule: Considered | None = None
    does: str = ""
    because: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    share: float | None = None
    weight: float | None = 1.0
    unit: Unit | None = None
    dry_run: bool = False


def explain(
    rules: RuleSet, method_name: str, event_dict: dict[str, Any], *, key: bytes, dry_run: bool = False
) -> Explanation:
    """
    Explain what the rules do with one event.

    Args:
        rules: compiled rules.
        method_name: of the logger, which tells the severity: ``info``, ``warning``, ...
        event_dict: the keywords of ``emit``, and the name under ``event``.
        key: of the decisions about whole units, as in the settings.
        dry_run: of the settings.
    """
    index = rules.find(method_name, event_dict)
    asked = rules.rules if index < 0 else rules.rules[:index]
    facts: dict[str, Any] = {
        "event": str(event_dict.get("event")),
        "outcome": outcome_of(method_name, event_dict),
        "severity": _severity(severity_of(method_name, event_dict)),
        "tenant": tenant_of(event_dict),
        "earlier": tuple(
            _considered(number, rule, method_name, event_dict) for number, rule in enumerate(asked, 1)
        ),
    }
    if index < 0:
        return Explanation(**facts, becomes="kept", weight=earlier_weight(event_dict))
    rule = rules.rules[index]
    way = _Way(rule, method_name, event_dict, key)
    steps = tuple(way.steps())
    return Explanation(
        **facts,
        becomes=_becomes(steps),
        rule=Considered(number=index + 1, name=rule.name, takes=takes(rule.match), why_not=None),
        does=does(rule),
        because=tuple(says(rule.match, method_name, event_dict)),
        steps=steps,
        share=way.share,
        weight=way.weight(steps),
        unit=way.unit,
        dry_run=dry_run or rule.dry_run,
    )


def _severity(number: int) -> str:
    return next(name for name, other in SEVERITIES.items() if other == number)


def _considered(number: int, rule: Rule, method_name: str, event_dict: dict[str, Any]) -> Considered:
    reason = why_not(rule.match, method_name, event_dict)
    return Considered(
        number=number, name=rule.name, takes=takes(rule.match), why_not=reason or "it does not match"
    )


def _becomes(steps: Sequence[Step]) -> str:
    """The last answer, unless an earlier step may have settled it otherwise."""
    last = steps[-1].answer
    if any(step.answer == "depends" for step in steps):
        return "depends"
    return "kept" if last == "goes on" else last


class _Way:
    """The steps of one rule with one event."""

    def __init__(self, rule: Rule, method_name: str, event_dict: dict[str, Any], key: bytes) -> None:
        self._rule = rule
        self._event_dict = event_dict
        self._outcome = outcome_of(method_name, event_dict)
        self.unit = self._read_unit(key)
        self.share = rule.sample

    def _read_unit(self, key: bytes) -> Unit | None:
        rule = self._rule
        if rule.by == "event":
            return None
        text, randomness = unit_reader(rule.by)(self._event_dict), unit_randomness(rule.by, key)(self._event_dict)
        if text is None or randomness is None:
            return None
        threshold = "" if rule.sample is None else encode_threshold(threshold_of(rule.sample))
        return Unit(by=rule.by, text=text, randomness=encode_randomness(randomness), threshold=threshold)

    def steps(self) -> Iterator[Step]:
        """Each step, up to the one that settles it."""
        rule = self._rule
        kept = self._keep()
        if kept is not None:
            yield kept
            return
        if rule.drop:
            yield Step(key="drop", answer="dropped", reason="the rule drops what it takes")
            return
        if rule.first:
            yield self._first()
        for step in (self._target(), self._sample(), self._budget(), self._rollup()):
            if step is not None:
                yield step
                if step.answer == "dropped":
                    return

    def _keep(self) -> Step | None:
        rule = self._rule
        if rule.durable:
            return Step(key="durable", answer="kept", reason="never sampled; to be on disk before emit returns")
        if rule.keep is True:
            return Step(key="keep", answer="kept", reason="the rule keeps what it takes")
        if rule.keep and self._outcome in rule.keep:
            verb = "dropped" if rule.drop else "sampled"
            return Step(key="keep", answer="kept", reason=f"outcome {self._outcome} is never {verb}")
        return None

    def _first(self) -> Step:
        rule = self._rule
        key = [str(self._event_dict.get("event")), tenant_of(self._event_dict) or "no tenant", self._outcome]
        if rule.first_per is not None:
            key.append(unit_reader(rule.first_per)(self._event_dict) or f"no {rule.first_per}")
        reason = (
            f"kept at weight 1 if fewer than {rule.first:,} of its kind ({', '.join(key)}) came before it in the "
            f"same {duration(rule.first_window_seconds)}; else the next step decides"
        )
        return Step(key="first", answer="depends", reason=reason)

    def _target(self) -> Step | None:
        rule = self._rule
        if rule.target_per_second is None:
            return None
        per = rule.per or "name"
        key = unit_reader(per)(self._event_dict) or f"no {per}"
        reason = (
            f"the share of {per} {literal(key)} follows from how many came in the seconds before, so that all "
            f"together come to {rule.target_per_second:g} a second; what is rare is kept whole"
        )
        return Step(key="target_per_second", answer="depends", reason=reason)

    def _sample(self) -> Step | None:
        rule = self._rule
        if rule.sample is None:
            return None
        weight = f"at weight {weight_of(threshold_of(rule.sample)):,.6g}"
        if self.unit is None:
            without = "" if rule.by == "event" else f"it has no {rule.by}, so it is decided by itself: "
            reason = f"{without}kept with probability {percent(rule.sample)}, {weight}"
            return Step(key="sample", answer="depends", reason=reason)
        passes = int(self.unit.randomness, 16) >= threshold_of(rule.sample)
        reason = (
            f"{rule.by} {literal(self.unit.text)} has R {self.unit.randomness} {'>=' if passes else '<'} "
            f"{self.unit.threshold.ljust(14, '0')}, the threshold of {percent(rule.sample)}: it is "
            f"{f'kept as a whole, {weight}' if passes else 'dropped as a whole'}"
        )
        if passes and self._consistent_before():
            reason += "; what an earlier stage has already paid is not counted twice"
        return Step(key="sample", answer="goes on" if passes else "dropped", reason=reason)

    def _consistent_before(self) -> bool:
        return self._rule.by == "trace" and parse_threshold(self._event_dict.get(THRESHOLD)) is not None

    def _budget(self) -> Step | None:
        rule = self._rule
        if rule.max_per_second is None:
            return None
        of_key = ""
        if rule.per is not None:
            of_key = f" of {rule.per} {literal(unit_reader(rule.per)(self._event_dict) or 'none')}"
        reason = (
            f"kept if it is among the {rule.max_per_second:,} that are drawn from what comes{of_key} in its "
            "second; its weight is what came by what is kept, 1 while there is room"
        )
        return Step(key="max_per_second", answer="depends", reason=reason)

    def _rollup(self) -> Step | None:
        rule = self._rule
        if rule.rollup_seconds is None:
            return None
        same = [f"{key} {literal(str(value))}" for key, value in self._similar().items()]
        reason = (
            f"becomes one with the others of its name, tenant and outcome{''.join(f', {item}' for item in same)} "
            f"within {duration(rule.rollup_seconds)}"
        )
        return Step(key="rollup", answer="folded", reason=reason)

    def _similar(self) -> Mapping[str, Any]:
        values = {key: reader(key)("info", self._event_dict) for key in self._rule.rollup_by}
        return {key: "none" if value is None else value for key, value in values.items()}

    def weight(self, steps: Sequence[Step]) -> float | None:
        """For how many events it stands when it is kept; None where that depends on other events."""
        keys = {step.key for step in steps}
        if keys & {"target_per_second", "max_per_second", "first"} or self._consistent_before():
            return None
        sampled = self._rule.sample if "sample" in keys else None
        own = 1.0 if sampled is None else weight_of(threshold_of(sampled))
        return own * earlier_weight(self._event_dict)
