"""Ask a named question, and get its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activitylog.exceptions import QueryError
from activitylog.queries.question import question

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_UNKNOWN_TABLE = 60


@dataclass(frozen=True, slots=True)
class Result:
    """
    An answer.

    Attributes:
        columns: names of k columns.
        types: their k ClickHouse types.
        rows: tuples of k values; times are datetimes in UTC, to the microsecond.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def ask(client: Client, name: str, **parameters: Any) -> Result:
    """
    Ask the question of this name in the client's current database.

    Args:
        client: as :func:`activitylog.store.connect` gives it.
        parameters: values by name; what is left out has its default.

    Raises:
        QueryError: no such question or parameter, a value of another type, no such table, or the engine refuses.
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    asked = question(name)
    values = asked.values(parameters)
    try:
        answer = client.query(asked.sql, parameters=values, tz_mode="aware")
    except DatabaseError as error:
        reason = str(error).splitlines()[0][:300]
        if error.code == _UNKNOWN_TABLE:
            raise QueryError(
                f"The question {asked.name!r} finds no table to ask: {reason}",
                hint="Run: activitylog schema apply --url URL.",
            ) from error
        raise QueryError(f"The question {asked.name!r} was refused: {reason}") from error
    return Result(
        columns=tuple(answer.column_names),
        types=tuple(column_type.name for column_type in answer.column_types),
        rows=[tuple(row) for row in answer.result_rows],
    )
