"""Answers beside the truth."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.sampling.asking import ABSENT, Answers, Estimate, Truth

Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Judged:
    """One line of one answer, and what is true."""

    question: str
    key: str
    truth: int
    estimate: Estimate

    @property
    def percent(self) -> float:
        """The error, in per cent of the truth."""
        return 100 * (self.estimate.events - self.truth) / self.truth

    @property
    def z(self) -> float | None:
        """The error in stated standard errors; None where none is stated."""
        return (self.estimate.events - self.truth) / self.estimate.error if self.estimate.error else None

    @property
    def covered(self) -> bool:
        """Whether the interval of 95 % holds the truth."""
        return abs(self.estimate.events - self.truth) <= Z * self.estimate.error + 1e-6 * self.truth


def judge(truth: Truth, answers: Answers) -> list[Judged]:
    """Every line of the truth, with what the rows say of it."""
    return [
        Judged(question, key, count, answers[question].get(key, ABSENT))
        for question, lines in truth.items()
        for key, count in lines.items()
    ]


@dataclass(frozen=True, slots=True)
class Summary:
    """
    All lines of one question, over all draws.

    Attributes:
        lines: keys times draws.
        absent: without a row, in per cent, as the next ones.
        median_error: of the absolute errors, per cent of the truth; an absent line is off by 100.
        bias: of the sums of all lines, the mean over the draws: per cent of the true sum.
        z_deviation: root of the mean square of the errors in standard errors; 1 if these are right.
        covered: of the lines with rows.
        trusted: of all lines (``yes``).
        exact: of all lines (``exact``).
        exact_wrong: of these, those that are not the truth; None without any.
        trusted_covered: of the trusted lines; None without any.
    """

    question: str
    lines: int
    absent: float
    median_error: float
    bias: float
    z_deviation: float | None
    covered: float | None
    trusted: float
    exact: float
    exact_wrong: float | None
    trusted_covered: float | None


def summarize(draws: Sequence[list[Judged]]) -> list[Summary]:
    """A line for each question."""
    names = dict.fromkeys(line.question for line in draws[0])
    return [_summary(name, [line for draw in draws for line in draw if line.question == name]) for name in names]


def _summary(question: str, lines: Sequence[Judged]) -> Summary:
    present = [line for line in lines if line.estimate.rows]
    trusted = [line for line in lines if line.estimate.trust == "yes"]
    exact = [line for line in lines if line.estimate.trust == "exact"]
    z = [line.z for line in lines if line.z is not None]
    true_sum = sum(line.truth for line in lines)
    return Summary(
        question,
        lines=len(lines),
        absent=100 * (1 - len(present) / len(lines)),
        median_error=statistics.median(abs(line.percent) for line in lines),
        bias=100 * (sum(line.estimate.events for line in lines) - true_sum) / true_sum,
        z_deviation=(sum(value * value for value in z) / len(z)) ** 0.5 if z else None,
        covered=_percent(line.covered for line in present),
        trusted=100 * len(trusted) / len(lines),
        exact=100 * len(exact) / len(lines),
        exact_wrong=_percent(not line.covered for line in exact),
        trusted_covered=_percent(line.covered for line in trusted),
    )


def _percent(values: Iterable[bool]) -> float | None:
    found = list(values)
    return 100 * sum(found) / len(found) if found else None
