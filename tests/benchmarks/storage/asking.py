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

_SETTINGS: Final = {
    "use_query_condition_cache": 0,
    "max_threads": 2,
    # Expressions are compiled in the round that compares. By default that is done the third and fourth time that a
    # question is asked, takes 10 ms and more, and would be two of the three rounds that count.
    "min_count_to_compile_expression": 0,
    "min_count_to_compile_aggregate_expression": 0,
    "min_count_to_compile_sort_description": 0,
}


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


def ask(
    client: Client, question: Question, tables: Iterable[str], values: dict[str, Any], *, rounds: int
) -> list[Asked]:
    """
    Ask one question of every table, round by round, after one round that only compares the answers.

    Raises:
        UnequalAnswersError: a table answers otherwise than the first.
    """
    kinds = [*tables, *(["rollup"] if question.rollup else [])]
    spellings = [(kind, sql) for kind in kinds for sql in question.spellings(kind)]
    answers = [(kind, _run(client, kind, sql, question, values)) for kind, sql in spellings]
    if question.equal:
        _compare(question, answers)
    spent: list[list[tuple[float, float]]] = [[] for _ in spellings]
    for _ in range(rounds):
        for times, (kind, sql) in zip(spent, spellings, strict=True):
            cpu, wall = time.process_time(), time.perf_counter()
            _run(client, kind, sql, question, values)
            times.append((time.process_time() - cpu, time.perf_counter() - wall))
    asked = [
        Asked(question.name, kind, _median_ms(times, 0), _median_ms(times, 1), len(rows))
        for times, (kind, rows) in zip(spent, answers, strict=True)
    ]
    return [min((one for one in asked if one.table == kind), key=lambda one: one.cpu_ms) for kind in kinds]


def _median_ms(times: list[tuple[float, float]], column: int) -> float:
    return 1000 * median(pair[column] for pair in times)


def _run(
    client: Client, kind: str, sql: str, question: Question, values: dict[str, Any]
) -> Sequence[Sequence[Any]]:
    client.database = "ours" if kind == "rollup" else kind
    needed = {name: values[name] for name in question.needs}
    return client.query(sql, parameters=needed, settings=_SETTINGS).result_rows


def _compare(question: Question, answers: list[tuple[str, Sequence[Sequence[Any]]]]) -> None:
    (first, expected), *others = answers
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
