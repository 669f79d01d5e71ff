"""The verdicts of one rule, in earnest or as a dry run."""

from __future__ import annotations

from activitylog.rules import Rule
from activitylog.sampling.verdict import Verdict


class Verdicts:
    """
    Makes them.

    Args:
        rule: whose they are.
        dry_run: every event is kept at weight 1, and its verdict says what would have become of it.
    """

    def __init__(self, rule: Rule, *, dry_run: bool) -> None:
        self._rule = rule
        self.dry_run = dry_run
        self.kept = Verdict(rule.name, dry_run="keep" if dry_run else "", durable=rule.durable)

    def dropped(self, reason: str) -> Verdict:
        """Not kept, because of ``reason``."""
        if self.dry_run:
            return Verdict(self._rule.name, dry_run=reason)
        return Verdict(self._rule.name, reason)

    def kept_as(self, weight: float, *, threshold: str = "", by: str = "") -> Verdict:
        """Kept, or to be folded, for ``weight`` events."""
        rule = self._rule
        folded = rule.rollup_seconds is not None
        if self.dry_run:
            said = "rollup" if folded else "keep"
            return Verdict(rule.name, dry_run=said if weight == 1 else f"{said} {weight:g}")
        return Verdict(rule.name, weight=weight, threshold=threshold, by=by, rollup=rule if folded else None)
