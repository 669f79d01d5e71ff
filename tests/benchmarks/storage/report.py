"""The one table: sizes, inserts and questions, ours beside the others, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

from tests.benchmarks.storage.asking import Asked
from tests.benchmarks.storage.loading import InsertCost
from tests.benchmarks.storage.sizes import Size


@dataclass(frozen=True, slots=True)
class Result:
    """
    One run.

    Attributes:
        data: what was stored, in words.
        events: how many of it.
        sizes, inserts: by table, and by variant of ours.
        asked: question by question, ``ours`` first, then the peers.
        extra: names of the questions that no mean counts.
        named: the named questions of the project, in the peers behind views.
    """

    data: str
    events: int
    sizes: dict[str, Size]
    inserts: dict[str, InsertCost]
    asked: list[Asked]
    extra: frozenset[str]
    named: list[Asked]


def markdown(result: Result, peers: Sequence[str]) -> str:
    """The report: one table, then ours by column and by index."""
    lines = [
        f"{result.data}: {result.events:,} events.",
        "",
        _row("", "ours", *peers, *(f"{peer} / ours" for peer in peers)),
        _row(*["---"] * (2 + 2 * len(peers))),
        *_size_rows(result, peers),
        *_insert_rows(result, peers),
        *_question_rows(result.asked, result.extra, peers),
        _row("**the named questions, behind views**", *[""] * (1 + 2 * len(peers))),
        *_question_rows(result.named, frozenset(), peers),
        "",
        *_variant_lines(result),
        _listed("Bytes an event by column", result.sizes["ours"].columns),
        _listed("by index", result.sizes["ours"].each_index),
    ]
    return "\n".join(lines)


def _size_rows(result: Result, peers: Sequence[str]) -> Iterable[str]:
    for title, attribute in (
        ("bytes/event", "total"),
        ("- data", "data"),
        ("- indexes", "indexes"),
        ("- roll-ups", "rollups"),
    ):
        values = [getattr(result.sizes[name], attribute) for name in ("ours", *peers)]
        yield _compared(title, values, "{:.1f}", ratios=attribute == "total")


def _insert_rows(result: Result, peers: Sequence[str]) -> Iterable[str]:
    for title, attribute in (
        ("insert, CPU us/event", "insert_us"),
        ("merge to one part, CPU us/event", "merge_us"),
    ):
        values = [getattr(result.inserts[name], attribute) for name in ("ours", *peers)]
        yield _compared(title, values, "{:.2f}")
    if "landing" in result.inserts:
        yield _row(
            "insert through the landing table",
            f"{result.inserts['landing'].insert_us:.2f}",
            *[""] * 2 * len(peers),
        )


def _question_rows(asked_of_all: list[Asked], extra: frozenset[str], peers: Sequence[str]) -> Iterable[str]:
    by_question: dict[str, dict[str, Asked]] = {}
    for one in asked_of_all:
        by_question.setdefault(one.question, {})[one.table] = one
    plain: dict[str, list[float]] = {peer: [] for peer in peers}
    best: dict[str, list[float]] = {peer: [] for peer in peers}
    walls: dict[str, list[float]] = {peer: [] for peer in peers}
    for name, asked in by_question.items():
        yield _compared(f"{name} (CPU ms)", [asked[table].cpu_ms for table in ("ours", *peers)], "{:.1f}")
        least = min((asked[table] for table in ("ours", "rollup") if table in asked), key=lambda one: one.cpu_ms)
        if least.table == "rollup":
            yield _compared(
                "- from the roll-up", [least.cpu_ms, *(asked[peer].cpu_ms for peer in peers)], "{:.1f}"
            )
        for peer in peers if name not in extra else ():
            plain[peer].append(asked[peer].cpu_ms / asked["ours"].cpu_ms)
            best[peer].append(asked[peer].cpu_ms / least.cpu_ms)
            walls[peer].append(asked[peer].wall_ms / least.wall_ms)
    for title, ratios in (
        ("CPU, table alone", plain),
        ("CPU, with roll-ups", best),
        ("time, with roll-ups", walls),
    ):
        means = [f"**{geometric_mean(ratios[peer]):.1f} x**" for peer in peers]
        yield _row(
            f"**geometric mean of {len(next(iter(ratios.values())))}: {title}**", "1", *[""] * len(peers), *means
        )


def geometric_mean(values: Sequence[float]) -> float:
    """The mean of ratios."""
    return exp(sum(map(log, values)) / len(values)) if values else float("nan")


def _compared(title: str, values: Sequence[float], form: str, *, ratios: bool = True) -> str:
    own, *others = values
    quotients = [f"{other / own:.1f} x" if ratios and own else "" for other in others]
    return _row(title, *(form.format(value) for value in values), *quotients)


def _variant_lines(result: Result) -> Iterable[str]:
    """What indexes and roll-ups cost: the table without them."""
    whole = result.inserts["ours"].insert_us
    for name, cost in result.inserts.items():
        if name.startswith("with"):
            yield (
                f"{name.replace('_', ' ')}: insert {cost.insert_us:.2f} us/event (whole {whole:.2f}), "
                f"{result.sizes[name].total:.1f} bytes/event"
            )
    yield ""


def _listed(title: str, values: dict[str, float]) -> str:
    return f"{title}: " + ", ".join(f"{name} {size:.2f}" for name, size in values.items() if size >= 0.005) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
