"""What was decided about one event."""

from __future__ import annotations

from typing import Any, Final

from activitylog.rules import Rule

WEIGHT: Final = "activity.sample.weight"
RULE: Final = "activity.sample.rule"
THRESHOLD: Final = "activity.sample.threshold"
UNIT: Final = "activity.sample.by"
DRY_RUN: Final = "activity.sample.dry_run"

_MAX_WEIGHT: Final = 1e15


class Verdict:
    """
    Kept or not, by which rule, and what a kept event then stands for.

    Attributes:
        rule: name of the rule that took the event; empty when none did.
        reason: empty when it is kept, else why not: ``drop``, ``sample``, ``budget`` or ``reentrant``.
        weight: how many events a kept one stands for by this decision alone.
        threshold: OpenTelemetry's ``th`` where whole units were decided by it; else empty.
        by: the unit that was decided as a whole; empty for single events.
        durable: the rule asks for it to be durable.
        rollup: the rule that folds it with similar events; None where it stays an event of its own.
        dry_run: what would have become of it, where the rule only says so: ``drop``, ``sample``, ``budget``,
            ``rollup``, ``keep``, or ``keep`` with the weight (``keep 20``); else empty.
    """

    __slots__ = ("by", "dry_run", "durable", "reason", "rollup", "rule", "threshold", "weight")

    def __init__(
        self,
        rule: str = "",
        reason: str = "",
        *,
        weight: float = 1.0,
        threshold: str = "",
        by: str = "",
        durable: bool = False,
        rollup: Rule | None = None,
        dry_run: str = "",
    ) -> None:
        self.rule = rule
        self.reason = reason
        self.weight = weight
        self.threshold = threshold
        self.by = by
        self.durable = durable
        self.rollup = rollup
        self.dry_run = dry_run

    def __repr__(self) -> str:
        return f"Verdict(rule={self.rule!r}, reason={self.reason!r}, weight={self.weight!r})"

    def mark(self, event_dict: Any) -> None:
        """
        Write to a kept event what it stands for: its weight times this one, and the rule.

        A weight that the event brings along (an earlier stage's) is multiplied if it is a number from 1 up; any
        other is replaced. An event that no rule took is left as it is.
        """
        if self.weight != 1.0:
            event_dict[WEIGHT] = self.weight * earlier_weight(event_dict)
        if self.rule:
            event_dict[RULE] = self.rule
        if self.threshold:
            event_dict[THRESHOLD] = self.threshold
        if self.by:
            event_dict[UNIT] = self.by
        if self.dry_run:
            event_dict[DRY_RUN] = self.dry_run


def earlier_weight(event_dict: Any) -> float:
    """The weight that an event brings along from an earlier stage; 1 without a usable one."""
    given = event_dict.get(WEIGHT)
    return given if type(given) in (int, float) and 1 <= given <= _MAX_WEIGHT else 1.0
