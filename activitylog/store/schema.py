"""
Is the database what this version needs? Compares what the SQL files define with what the engine says it has.

Only system tables are read: an insert-only writer and a read-only analyst can ask, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import SchemaError
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.definitions import ColumnDefinition, definitions
from activitylog.store.migrations import migrations, pending
from activitylog.store.rendering import statements
from activitylog.store_settings import StoreSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ACCESS_DENIED: Final = 497
_WINDOW: Final = re.compile(r"non_replicated_deduplication_window = (\d+)")


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One way in which the database is not what the files define.

    Attributes:
        where: table, view, ``table.column``, or step.
        expected: what the files define.
        found: what the database has; empty when it has nothing.
    """

    where: str
    expected: str
    found: str = ""

    def __str__(self) -> str:
        found = f"is {self.found}" if self.found else "is missing"
        return f"{self.where} {found}; it should be {self.expected}"


def show(settings: StoreSettings | None = None) -> str:
    """
    The SQL that makes the schema, as one text that ``clickhouse-client --multiquery`` runs.

    Args:
        settings: of the deployment; None for the files as they are.
    """
    if settings is None or settings.cluster is None:
        return "\n".join(f"-- {migration}.sql\n{migration.sql}" for migration in migrations())
    return "\n".join(
        f"-- {migration}.sql\n" + "".join(f"{statement};\n" for statement in statements(migration.sql, settings))
        for migration in migrations()
    )


def diff(client: Client) -> list[Difference]:
    """
    Compare the client's current database with the files. Only reads.

    Returns:
        The differences, in the order of the files; empty when the database is what this version needs. Further
        columns and indexes of the user's own are no difference.

    Raises:
        SchemaError: the database was made by a newer version or by other files.
    """
    found = [Difference(f"the step {step}", "applied") for step in pending(client)]
    tables = {
        name: (engine, engine_full)
        for name, engine, engine_full in client.query(
            "SELECT name, engine, engine_full FROM system.tables WHERE database = currentDatabase()"
        ).result_rows
    }
    for definition in definitions():
        if definition.name not in tables:
            found.append(Difference(definition.name, f"a {definition.kind}"))
            continue
        engine, engine_full = tables[definition.name]
        if definition.kind == "view" and engine not in ("MaterializedView", "View"):
            found.append(Difference(definition.name, "a materialized view", f"a table of engine {engine}"))
        found += _column_differences(client, definition.name, definition.columns)
        if definition.name == EVENTS_TABLE:
            found += _window_difference(engine, engine_full)
    return found


def check(client: Client) -> None:
    """
    Make sure that the database is what this version needs.

    Raises:
        SchemaError: it is not; says what is wrong first and which command repairs it.
    """
    differences = diff(client)
    if not differences:
        return
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    raise SchemaError(
        f"The database is not what this version of activitylog needs: {differences[0]}{more}.",
        hint="Run: activitylog schema apply --url URL. What it does not repair, `activitylog schema diff` lists.",
    )


def check_writable(client: Client) -> None:
    """
    Make sure that there is a table to insert into. Asks no more than a user that may only insert is allowed to.

    Raises:
        SchemaError: there is none; says which command makes it.
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        exists = client.command(f"EXISTS TABLE {EVENTS_TABLE}")
    except DatabaseError as error:
        if error.code == _ACCESS_DENIED:
            return  # who may not ask finds out by inserting
        raise
    if not int(str(exists)):
        raise SchemaError(
            f"There is no table {EVENTS_TABLE} in the database {client.database or 'default'!r}.",
            hint="Run: activitylog schema apply --url URL.",
        )


def _column_differences(client: Client, table: str, columns: tuple[ColumnDefinition, ...]) -> list[Difference]:
    rows = client.query(
        "SELECT name, type, default_kind, default_expression FROM system.columns "
        "WHERE database = currentDatabase() AND table = {table:String}",
        parameters={"table": table},
    ).result_rows
    actual = {name: _described(type_, kind, expression) for name, type_, kind, expression in rows}
    normal = _normal_expressions(client, columns)
    differences = []
    for column in columns:
        expected = _described(column.type, column.default_kind, normal[column.name])
        if actual.get(column.name) != expected:
            differences.append(Difference(f"{table}.{column.name}", expected, actual.get(column.name, "")))
    return differences


def _described(type_: str, kind: str, expression: str) -> str:
    return f"{type_} {kind} {expression}".rstrip()


def _normal_expressions(client: Client, columns: tuple[ColumnDefinition, ...]) -> dict[str, str]:
    """Default and alias expressions as this server prints them, which is how it lists those it has."""
    given = {column.name: column.expression for column in columns}
    texts = [f"SELECT {expression}" for expression in given.values() if expression]
    if not texts:
        return given
    rows = client.query(
        "SELECT formatQuerySingleLine(arrayJoin({texts:Array(String)}))", parameters={"texts": texts}
    ).result_rows
    normal = iter([text.removeprefix("SELECT ") for (text,) in rows])
    return {name: next(normal) if expression else "" for name, expression in given.items()}


def _window_difference(engine: str, engine_full: str) -> list[Difference]:
    """Without a window a plain MergeTree counts a batch twice that is sent twice. Replicated ones have another."""
    window = _WINDOW.search(engine_full)
    if engine.startswith(("Replicated", "Shared")) or (window and int(window[1]) > 0):
        return []
    return [
        Difference(f"{EVENTS_TABLE}.non_replicated_deduplication_window", "above 0", window[1] if window else "0")
    ]
