"""
What rows say about how many events there were, and how sure that is.

The same arithmetic as the view ``activity_estimates_by_unit``, in Python, over rows that are not stored. A row of
weight w stands for w times its count. What was drawn together (single rows, or all rows of a unit that was kept as
a whole) is one draw; the variance is the sum over the draws of w(w - 1)y², y the events of a draw. Rows of
weight 1 were not drawn and add nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

#: Of what is drawn: fewer, and an interval of 1.96 standard errors promises too much.
LEAST_DRAWS: Final = 30
#: And with one draw that has more of the total than this.
LARGEST_SHARE: Final = 0.05
_Z: Final = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """
    A count, from rows.

    Attributes:
        total: the sum of weight times count.
        standard_error: that the rows claim.
        draws: how many of what was drawn have a weight above 1.
        draws_in_effect: as many equal ones would carry that part of the total as surely (Kish).
        largest_share: of the largest draw in that part.
        trust: ``exact`` (nothing was drawn), ``yes``, or ``no``.
        reason: why not; else empty.
    """

    total: float
    standard_error: float
    draws: int
    draws_in_effect: float
    largest_share: float
    trust: str
    reason: str

    def covers(self, truth: float) -> bool:
        """Whether the 95 % interval holds a count, up to what floats can tell."""
        return abs(self.total - truth) <= _Z * self.standard_error + 1e-9 * max(1.0, abs(truth))


class Tally:
    """
    Adds up rows.

    Attributes:
        rows: how many were added.
    """

    __slots__ = ("_amount", "_drawn", "_largest", "_sampled", "_squares", "_total", "_units", "_variance", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self._amount = 0
        self._total = 0.0
        # Of the single rows with a weight above 1.
        self._variance = 0.0
        self._drawn = 0
        self._sampled = 0.0
        self._squares = 0.0
        self._largest = 0.0
        # Of units: the root of w(w - 1) times y, summed up, and the part of the total.
        self._units: dict[tuple[str, str], tuple[float, float]] = {}

    def add(self, weight: float, amount: int, unit: tuple[str, str] | None = None) -> None:
        """
        Add one row.

        Args:
            weight: 1 or more.
            amount: events that the row stands for before sampling is thought of: its count.
            unit: kind and text of what was kept as a whole; None for a single row, an empty text where the row
                does not have it.
        """
        self.rows += 1
        self._amount += amount
        part = weight * amount
        self._total += part
        if weight <= 1:
            return
        if unit is not None:
            deviation, together = self._units.get(unit, (0.0, 0.0))
            own = math.sqrt(weight * (weight - 1)) * amount
            self._units[unit] = (deviation + own, together + part)
            return
        self._variance += weight * (weight - 1) * amount * amount
        self._drawn += 1
        self._sampled += part
        self._squares += part * part
        self._largest = max(self._largest, part)

    def add_all(self, other: Tally) -> None:
        """Add the rows of another."""
        self.rows += other.rows
        self._amount += other._amount
        self._total += other._total
        self._variance += other._variance
        self._drawn += other._drawn
        self._sampled += other._sampled
        self._squares += other._squares
        self._largest = max(self._largest, other._largest)
        for unit, (deviation, part) in other._units.items():
            earlier = self._units.get(unit, (0.0, 0.0))
            self._units[unit] = (earlier[0] + deviation, earlier[1] + part)

    def estimate(self) -> Estimate:
        """What the rows say together."""
        parts = [part for _, part in self._units.values()]
        variance = self._variance + sum(deviation * deviation for deviation, _ in self._units.values())
        sampled = self._sampled + sum(parts)
        squares = self._squares + sum(part * part for part in parts)
        in_effect = sampled * sampled / squares if squares else 0.0
        share = max([self._largest, *parts]) / sampled if sampled else 0.0
        reason = self._reason(variance, in_effect, share)
        return Estimate(
            total=self._total,
            standard_error=math.sqrt(variance),
            draws=self._drawn + len(parts),
            draws_in_effect=in_effect,
            largest_share=share,
            trust="no" if reason else "yes" if variance else "exact",
            reason=reason,
        )

    def _reason(self, variance: float, in_effect: float, share: float) -> str:
        """Why the estimate must not be trusted; empty when it may."""
        if not self.rows:
            return "no row was kept"
        if not variance:
            return ""
        if any(not text for _, text in self._units):
            return "the rows do not have the unit that they were kept by"
        if in_effect < LEAST_DRAWS:
            return f"fewer than {LEAST_DRAWS} draws in effect"
        return f"one draw has more than {LARGEST_SHARE * 100:g} %" if share > LARGEST_SHARE else ""
