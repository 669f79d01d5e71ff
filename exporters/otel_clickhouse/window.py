"""
Whether a table remembers its inserts at all. Plain MergeTree tables do not unless they are told to, in silence.

And whether it can be asked: a question that failed is no answer, since a guess stores a batch twice or not at all.
"""

from __future__ import annotations

import re
from typing import Final

from otel_clickhouse.client import Client
from otel_clickhouse.exceptions import ExporterError, RetryableError

_WINDOW: Final = re.compile(r"\b((?:non_)?replicated_deduplication_window) = (\d+)")
#: What keeps nothing itself: the tables behind it matter, and those are not looked at here.
_PASSED_ON: Final = frozenset({"Null", "Distributed", "MaterializedView"})

_NO_GRANT: Final = "access_denied"
#: Who is not let in stores nothing either; and a server that is about to know the user answers later.
_NOT_LET_IN: Final = frozenset(
    {"unknown_user", "wrong_password", "required_password", "ip_address_not_allowed", "authentication_failed"}
)


def is_unanswerable(error: ExporterError) -> bool:
    """
    Whether a question fails for good: the user may not ask it, or the server does not take it.

    All else passes, a status without a code, too: that one is of somebody in between.
    """
    if isinstance(error, RetryableError):
        return error.code == _NO_GRANT
    return error.code not in _NOT_LET_IN and not error.code.startswith("http_")


def why_doubled(client: Client, table: str) -> str:
    """
    Why a batch that is sent twice would be stored twice, for the log.

    Args:
        table: quoted, with its database or without.

    Returns:
        A sentence with what to do; empty where it would not be, or where nobody can tell.
    """
    try:
        engine, definition = _engine(client, table)
        if not engine or engine in _PASSED_ON:
            return ""
        if not engine.endswith("MergeTree"):
            return f"The engine {engine} of {table} remembers no inserts. Use a table of the MergeTree family."
        return _why_forgotten(client, table, definition, replicated=not _is_plain(engine))
    except ExporterError:
        return ""


def forgets_blocks(client: Client, table: str) -> bool:
    """
    Whether a server that is killed may remember a block of the table that it did not store.

    That is so where the table keeps the tokens itself; a replicated one stores both in one step.

    Args:
        table: quoted, with its database or without.

    Returns:
        False where it may not be asked.

    Raises:
        RetryableError, PermanentError: nobody has answered; somebody may.
    """
    try:
        engine, _ = _engine(client, table)
    except ExporterError as error:
        if not is_unanswerable(error):
            raise
        return False
    return engine.endswith("MergeTree") and _is_plain(engine)


def uptime_seconds(client: Client) -> float:
    """
    How long the server has been up, whole seconds; -1 where it may not be asked.

    Raises:
        RetryableError, PermanentError: nobody has answered; somebody may.
    """
    try:
        return float(client.command("SELECT uptime()"))
    except (TypeError, ValueError):
        raise _not_clickhouse() from None
    except ExporterError as error:
        if not is_unanswerable(error):
            raise
        return -1.0


def _engine(client: Client, table: str) -> tuple[str, str]:
    """Of the table, and its settings; both empty where there is no such table, or it may not be seen."""
    database, _, name = table.replace("`", "").rpartition(".")
    where = f"'{database}'" if database else "currentDatabase()"
    sql = f"SELECT engine, engine_full FROM system.tables WHERE database = {where} AND name = '{name}'"  # noqa: S608
    found = client.command(sql)
    if found == "":
        return "", ""
    if not isinstance(found, (list, tuple)) or len(found) != 2:
        raise _not_clickhouse()
    return str(found[0]), str(found[1])


def _not_clickhouse() -> RetryableError:
    """A page with the status 200, or nothing at all, which ClickHouse says otherwise."""
    return RetryableError("Whoever was asked about the table is not a ClickHouse.", code="not_clickhouse")


def _is_plain(engine: str) -> bool:
    return not engine.startswith(("Replicated", "Shared"))


def _why_forgotten(client: Client, table: str, definition: str, *, replicated: bool) -> str:
    setting = "replicated_deduplication_window" if replicated else "non_replicated_deduplication_window"
    windows = dict(_WINDOW.findall(definition))
    if setting not in windows:
        sql = f"SELECT value FROM system.merge_tree_settings WHERE name = '{setting}'"  # noqa: S608 - of two words
        windows[setting] = str(client.command(sql))
    if windows[setting] != "0":
        return ""
    return (
        f"{table} remembers no inserts: {setting} is 0. "
        f"Run: ALTER TABLE {table.replace('`', '')} MODIFY SETTING {setting} = 10000"
    )
