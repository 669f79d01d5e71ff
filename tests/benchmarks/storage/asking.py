"""What a question costs on each table: CPU and time of the process, in the same rounds, warm."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.benchmarks.storage.questions import Question

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SETTINGS: Final = {"use_query_condition_cache": 0, "max_threads": 2}


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One question on one table.

    Attributes:
        table: ``ours``, ``rollup`` (ours, from the roll-ups) or a peer.
        cpu_ms, wall_ms: medians.
        rows: of the answer.
    """

    question: str
    table: str
    cpu_ms: float
    wall_ms: float
    rows: int


class UnequalAnswersError(AssertionError):
    """Two tables that hold the same records answered differently."""


def ask(client: Client, question: Question, tables: Iterable[str], values: dict[str, Any], *, rounds: int) -> list[Asked]:
    """
    Ask one question of every table, round by round, after one round that only compares the answers.

    Raises:
        UnequalAnswersError: a table answers otherwise than the first.
    """
    kinds = [*tables, *(["rollup"] if question.rollup else [])]
    answers = {kind: _run(client, question, kind, values) for kind in kinds}
    if question.equal:
        _compare(question, answers)
    spent: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            cpu, wall = time.process_time(), time.perf_counter()
            _run(client, question, kind, values)
            spent[kind].append((time.process_time() - cpu, time.perf_counter() - wall))
    return [
        Asked(question.name, kind, *(1000 * median(column) for column in zip(*times, strict=True)), len(answers[kind]))
        for kind, times in spent.items()
    ]


def _run(client: Client, question: Question, kind: str, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
    client.database = "ours" if kind == "rollup" else kind
    needed = {name: values[name] for name in question.needs}
    return client.query(question.sql(kind), parameters=needed, settings=_SETTINGS).result_rows


def _compare(question: Question, answers: dict[str, Sequence[Sequence[Any]]]) -> None:
    (first, expected), *others = answers.items()
    for kind, rows in others:
        if _comparable(rows) != _comparable(expected):
            raise UnequalAnswersError(
                f"{question.name}: {first} has {len(expected)} rows, {kind} has {len(rows)}: "
                f"{_comparable(expected)[:2]} and {_comparable(rows)[:2]}"
            )


def _comparable(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Times without their zones, which the tables' types differ in; in an order of their own: ties have none."""
    naive = [tuple(_naive(value) for value in row) for row in rows]
    return sorted(naive, key=repr)


def _naive(value: Any) -> Any:
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value
