"""Under which rules the records are sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.benchmarks.sampling.records import Records

SHARES: Final = (0.01, 0.05, 0.2)
#: Events a second of the budgets' clock, and the budget.
FAST_RATE: Final = 1_000
FAST_BUDGET: Final = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """
    One way of sampling.

    Attributes:
        name: in words.
        rules: as in a settings file; none for the truth.
        speed: how much faster than the records' times the clock runs.
    """

    name: str
    rules: list[dict[str, Any]] = field(default_factory=list)
    speed: float = 1.0


def plans(records: Records) -> Iterator[Plan]:
    """All of them: shares, then budgets."""
    for share in SHARES:
        for by in ("event", records.unit, "actor"):
            yield Plan(f"{share * 100:g} % by {by}", [{"name": "study", "match": "*", "sample": share, "by": by}])
    speed = FAST_RATE / records.mean_rate()
    for by in ("event", records.unit, "actor"):
        rule = {"name": "study", "match": "*", "max_per_second": FAST_BUDGET, "by": by}
        yield Plan(f"{FAST_BUDGET}/s of {FAST_RATE:,}/s by {by}", [rule], speed)
    yield Plan("2/s, the records' clock, by event", [{"name": "study", "match": "*", "max_per_second": 2}])
