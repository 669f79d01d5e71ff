"""The tables, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean
from typing import Final

from tests.benchmarks.sampling.judging import Judged, Summary, summarize
from tests.benchmarks.sampling.run import Outcome, Study

_SHOWN: Final = ("total", "event name", "outcome", "actor (10)", "status", "file type (10)")


def markdown(study: Study) -> str:
    """Every plan over all draws, then each line of the first draw."""
    return "\n".join([*_overview(study), *_summaries(study), *_details(study)])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _overview(study: Study) -> Iterable[str]:
    yield f"### {study.name}: {study.events:,} events, {study.actors:,} actors\n"
    yield _row(
        "plan",
        "rows stored (mean)",
        "of all %",
        "total: mean error %, of single draws",
        "exact total",
        "actors seen",
    )
    yield _row(*["---"] * 6)
    for outcome in study.outcomes:
        totals = [line.percent for draw in outcome.draws for line in draw if line.question == "total"]
        yield _row(
            outcome.plan.name,
            f"{fmean(outcome.rows):,.0f}",
            f"{100 * fmean(outcome.rows) / study.events:.2f}",
            f"{fmean(map(abs, totals)):.2f}: {', '.join(f'{value:+.1f}' for value in totals)}",
            f"{study.events:,}",
            f"{fmean(outcome.actors):,.0f} of {study.actors:,}: not estimable",
        )
    yield ""


def _summaries(study: Study) -> Iterable[str]:
    head = ("plan", "question", "lines", "no row %", "median error %", "bias %", "rms z", "covered %")
    yield _row(*head, "trusted %", "trusted: covered %", "exact %", "exact: wrong %")
    yield _row(*["---"] * 12)
    for outcome in study.outcomes:
        for summary in summarize(outcome.draws):
            yield _summary_row(outcome, summary)
    yield ""


def _summary_row(outcome: Outcome, summary: Summary) -> str:
    return _row(
        outcome.plan.name,
        summary.question,
        f"{summary.lines:,}",
        f"{summary.absent:.0f}",
        f"{summary.median_error:.1f}",
        f"{summary.bias:+.1f}",
        _number(summary.z_deviation, 2),
        _number(summary.covered, 1),
        f"{summary.trusted:.0f}",
        _number(summary.trusted_covered, 1),
        f"{summary.exact:.0f}",
        _number(summary.exact_wrong, 0),
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _details(study: Study) -> Iterable[str]:
    yield "The first draw of each plan, line by line:\n"
    yield _row(
        "plan",
        "question",
        "key",
        "truth",
        "rows",
        "estimate",
        "error %",
        "standard error",
        "z",
        "in 95 %",
        "trust",
    )
    yield _row(*["---"] * 11)
    for outcome in study.outcomes:
        for line in outcome.draws[0]:
            if line.question in _SHOWN:
                yield _detail_row(outcome, line)
    yield ""


def _detail_row(outcome: Outcome, line: Judged) -> str:
    estimate = line.estimate
    return _row(
        outcome.plan.name,
        line.question,
        line.key.replace("|", "\\|") or "all",
        f"{line.truth:,}",
        f"{estimate.rows:,}",
        f"{estimate.events:,.0f}",
        f"{line.percent:+.1f}",
        f"{estimate.error:,.0f}",
        "" if line.z is None else f"{line.z:+.2f}",
        ("yes" if line.covered else "NO") if estimate.rows else "no row",
        estimate.trust,
    )
