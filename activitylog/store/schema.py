"""
Is the database what this version needs? Compares what the SQL files define, and what the settings ask for, with
what the engine says it has.

Only system tables are read. Further columns, indexes and tables of the owner's own are no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from activitylog.exceptions import SchemaError
from activitylog.store.columns import COUNTERS_VIEW, EVENTS_TABLE, INGEST_TABLE
from activitylog.store.definitions import changed_object, definitions
from activitylog.store.differences import Difference, definition_differences, rendered, setting_differences
from activitylog.store.migrations import migrations, pending
from activitylog.store.rendering import statements
from activitylog.store.snapshot import Snapshot
from activitylog.store_settings import StoreSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SYNTAX_ERROR: Final = 62
_ACCESS_DENIED: Final = 497


def show(settings: StoreSettings | None = None) -> str:
    """
    The SQL that makes the schema on this deployment, as one text that ``clickhouse-client --multiquery`` runs.

    Args:
        settings: those of the deployment; None for the files as they are.
    """
    if settings is None:
        return "\n".join(f"-- {migration}.sql\n{migration.sql}" for migration in migrations())
    parts = [(f"{migration}.sql", statements(migration.sql, settings)) for migration in migrations()]
    parts += [
        (difference.where, rendered(difference, settings))
        for definition in definitions()
        for difference in setting_differences(definition, None, settings)
    ]
    return "\n".join(f"-- {name}\n" + "".join(f"{sql};\n" for sql in run) for name, run in parts)


def diff(client: Client, settings: StoreSettings | None = None) -> list[Difference]:
    """
    Compare the client's current database with the files and the settings. Only reads.

    Args:
        settings: those of the deployment; None leaves out what settings decide (partitions, retention, storage
            policy, columns of the application's own).

    Returns:
        The differences, in the order of the files; empty when the database is what this version needs.

    Raises:
        SchemaError: the database was made by a newer version or by other files.
    """
    missing = pending(client)
    found = [Difference(f"the step {step}", "applied") for step in missing]
    changing = {changed_object(step) for step in missing}
    snapshot = Snapshot(client)
    for definition in definitions():
        actual = snapshot.objects.get(definition.name)
        if actual is None and definition.name in changing:
            found.append(Difference(definition.name, f"a {definition.kind}"))
            continue
        found += definition_differences(definition, actual, snapshot)
        if settings is not None and actual is not None and definition.kind == "table":
            found += setting_differences(definition, actual, settings, snapshot)
    return found


def check(client: Client, settings: StoreSettings | None = None) -> None:
    """
    Make sure that the database is what this version, and these settings, need.

    Raises:
        SchemaError: it is not; says what is wrong first and which command repairs it.
    """
    differences = diff(client, settings)
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
    _check_exists(client, "table", EVENTS_TABLE)


def check_countable(client: Client) -> None:
    """
    As :func:`check_writable`, for exact counters: the landing table, and the view that takes them out of it.

    Without the view the landing table would take them and keep nothing. Where the user is denied to insert into it
    (a grant that older versions did not need) is a definite answer, too.

    Raises:
        SchemaError: one of them is not there, or not for this user; says which command helps.
    """
    _check_exists(client, "table", INGEST_TABLE)
    _check_exists(client, "view", COUNTERS_VIEW)
    _check_granted(client, INGEST_TABLE)


def _check_granted(client: Client, table: str) -> None:
    """A server that cannot be asked for it (before 24.11) says it by refusing the insert."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        granted = client.command(f"CHECK GRANT INSERT ON {table}")
    except DatabaseError as error:
        if error.code in (_SYNTAX_ERROR, _ACCESS_DENIED):
            return
        raise
    if not int(str(granted)):
        raise SchemaError(
            f"The user of the URL may not insert into {table}.",
            hint=f"Run: GRANT INSERT ON {table} TO its user, as `activitylog schema access` prints for writers.",
        )


def _check_exists(client: Client, kind: Literal["table", "view"], name: str) -> None:
    """Who may not ask for it finds out by inserting."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        exists = client.command(f"EXISTS {kind.upper()} {name}")
    except DatabaseError as error:
        if error.code == _ACCESS_DENIED:
            return
        raise
    if not int(str(exists)):
        raise SchemaError(
            f"There is no {kind} {name} in the database {client.database or 'default'!r}.",
            hint="Run: activitylog schema apply --url URL.",
        )
