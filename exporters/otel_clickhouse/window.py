"""
Whether a table remembers its inserts at all. Plain MergeTree tables do not unless they are told to, in silence.
"""

from __future__ import annotations

import re
from typing import Final

from otel_clickhouse.client import Client
from otel_clickhouse.exceptions import ExporterError

_WINDOW: Final = re.compile(r"\b((?:non_)?replicated_deduplication_window) = (\d+)")
#: What keeps nothing itself: the tables behind it matter, and those are not looked at here.
_PASSED_ON: Final = frozenset({"Null", "Distributed", "MaterializedView"})


def why_doubled(client: Client, table: str) -> str:
    """
    Why a batch that is sent twice would be stored twice, for the log.

    Args:
        table: quoted, with its database or without.

    Returns:
        A sentence with what to do; empty where it would not be, or where nobody can tell.
    """
    try:
        found = client.command(_question(table))
        if not isinstance(found, (list, tuple)) or len(found) != 2:
            return ""  # there is no such table, or it may not be seen
        engine, definition = map(str, found)
        if engine in _PASSED_ON:
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
    """
    try:
        found = client.command(_question(table))
    except ExporterError:
        return False
    return isinstance(found, (list, tuple)) and str(found[0]).endswith("MergeTree") and _is_plain(str(found[0]))


def uptime_seconds(client: Client) -> float:
    """How long the server has been up, whole seconds; -1 where nobody can tell."""
    try:
        return float(client.command("SELECT uptime()"))
    except (ExporterError, TypeError, ValueError):
        return -1.0


def _question(table: str) -> str:
    database, _, name = table.replace("`", "").rpartition(".")
    where = f"'{database}'" if database else "currentDatabase()"
    return f"SELECT engine, engine_full FROM system.tables WHERE database = {where} AND name = '{name}'"  # noqa: S608


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
