"""
Ask a named question, and get its answer: as rows, as an Arrow table, or as a pandas data frame.

    from activitylog.queries import ask, ask_frame
    from activitylog.store import connect

    client = connect("chdb:///var/lib/activity")
    ask(client, "top-actors", limit=5).rows
    ask_frame(client, "events-by-hour", limit=168).plot(x="hour", y="events")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from activitylog.exceptions import QueryError
from activitylog.queries.question import Question, question

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped, unused-ignore]
    import pyarrow
    from clickhouse_connect.driver.client import Client

_UNKNOWN_TABLE: Final = 60

_Answer = TypeVar("_Answer")


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

    def rows(asked: Question, values: Mapping[str, Any]) -> Result:
        answer = client.query(asked.sql, parameters=dict(values), tz_mode="aware")
        columns, types = tuple(answer.column_names), tuple(type_.name for type_ in answer.column_types)
        if not columns:
            columns, types = _described(client, asked, values)
        return Result(columns, types, [tuple(row) for row in answer.result_rows])

    return _asked(name, parameters, rows)


def ask_arrow(client: Client, name: str, **parameters: Any) -> pyarrow.Table:
    """
    As :func:`ask`, as an Arrow table: times to the nanosecond in UTC. Needs pyarrow, which the extra ``embedded``
    brings.

    Raises:
        QueryError: as in :func:`ask`.
    """

    def table(asked: Question, values: Mapping[str, Any]) -> Any:
        return client.query_arrow(asked.sql, parameters=dict(values), use_strings=True)

    return _asked(name, parameters, table)


def ask_frame(client: Client, name: str, **parameters: Any) -> pandas.DataFrame:
    """
    As :func:`ask`, as a pandas data frame. Needs pandas and pyarrow, which the extra ``embedded`` brings.

    Raises:
        QueryError: as in :func:`ask`.
    """
    return ask_arrow(client, name, **parameters).to_pandas()


def _asked(
    name: str, parameters: Mapping[str, Any], answer: Callable[[Question, Mapping[str, Any]], _Answer]
) -> _Answer:
    """The answer to a question, or why there is none in one sentence."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    asked = question(name)
    try:
        return answer(asked, asked.values(parameters))
    except DatabaseError as error:
        reason = str(error).splitlines()[0][:300]
        if error.code == _UNKNOWN_TABLE:
            raise QueryError(
                f"The question {asked.name!r} finds no table to ask: {reason}",
                hint="Run: activitylog schema apply --url URL.",
            ) from error
        raise QueryError(f"The question {asked.name!r} was refused: {reason}") from error


def _described(
    client: Client, asked: Question, values: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns of an answer without rows, which come without their names."""
    lines = client.query(f"DESCRIBE TABLE ({asked.sql})", parameters=dict(values)).result_rows
    return tuple(name for name, *_ in lines), tuple(type_ for _, type_, *_ in lines)
