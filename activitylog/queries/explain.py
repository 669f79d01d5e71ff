"""What a question would read in a store, without asking it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activitylog.queries.question import Question

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: A parameter is read as a field of TabSeparated, from the command line as over HTTP.
_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What would be read of a table, after partitions and the primary key were used (indexes leave out more).

    Attributes:
        parts, rows: how many; rows by whole blocks, so more than match.
    """

    table: str
    parts: int
    rows: int


def estimate(client: Client, asked: Question, given: Mapping[str, Any]) -> list[Estimate]:
    """
    Ask the engine what the question would read (``EXPLAIN ESTIMATE``). Parts of it whose answer is one value, such
    as the time of the newest event, are asked for that and are not in the estimate.

    Args:
        client: of the store.
        asked: the question.
        given: its parameters.

    Returns:
        A line a table that is read, the largest first; empty when nothing would be read.

    Raises:
        QueryError: a parameter that it does not have, or a value that cannot be one.
        clickhouse_connect.driver.exceptions.DatabaseError: the engine refuses, or has no such table.
    """
    rows = client.query(f"EXPLAIN ESTIMATE {asked.sql}", parameters=asked.values(given)).result_rows
    found: dict[str, Estimate] = {}
    for _, table, parts, count, _ in (row for row in rows if row[2]):
        before = found.get(table, Estimate(table, 0, 0))
        found[table] = Estimate(table, before.parts + parts, before.rows + count)
    return sorted(found.values(), key=lambda one: (-one.rows, one.table))


def client_command(asked: Question, given: Mapping[str, Any], *, file: str = "") -> str:
    """
    The words that ask the same with ``clickhouse-client``.

    Args:
        asked: the question.
        given: its parameters; all of them are written, since that client knows no defaults.
        file: where the SQL is; ``NAME.sql`` unless given.
    """
    words = ["clickhouse-client", "--queries-file", file or f"{asked.name}.sql"]
    for name, value in asked.values(given).items():
        words.append(f"--param_{name}={str(value).translate(_ESCAPED)}")
    return shlex.join(words)
