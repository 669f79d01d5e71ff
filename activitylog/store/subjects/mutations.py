"""
Rewriting parts: statements that change rows already stored, run to their end, and what they leave on disk.

``ALTER TABLE ... DELETE`` writes every part that has such rows anew, without them. (The lightweight ``DELETE
FROM`` only marks rows; they stay on disk until a merge happens to touch their part.) The engine works in the
background and may take hours: a statement is handed over, and then asked after, so no connection has to stay
open meanwhile. The old parts become inactive and are removed ``old_parts_lifetime`` seconds later.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activitylog.exceptions import StoreError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Told after each look: the table, and the parts that are still to do.
Progress = Callable[[str, int], None]

_SHORTEST_POLL_SECONDS: Final = 0.02
_LONGEST_POLL_SECONDS: Final = 2.0
_CLEANUP_SECONDS: Final = 30.0
_MANY_PARTITIONS: Final = 10
_LIFETIME: Final = re.compile(r"old_parts_lifetime = (\d+)")
_UNFINISHED: Final = """
SELECT sum(parts_to_do), any(latest_fail_reason), any(mutation_id), count() FROM system.mutations
WHERE database = currentDatabase() AND table = {table:String} AND position(command, {mark:String}) > 0
AND NOT is_done AND NOT is_killed
"""
_INACTIVE: Final = """
SELECT table, count(), sum(bytes_on_disk), toUnixTimestamp(max(remove_time)) FROM system.parts
WHERE database = currentDatabase() AND has({tables:Array(String)}, table) AND NOT active AND rows > 0
GROUP BY table ORDER BY table
"""
_LIFETIMES: Final = """
SELECT name, engine_full, (SELECT value FROM system.merge_tree_settings WHERE name = 'old_parts_lifetime')
FROM system.tables WHERE database = currentDatabase() AND has({tables:Array(String)}, name)
"""


@dataclass(frozen=True, slots=True)
class Inactive:
    """
    Old parts of a table that wait for their removal.

    Attributes:
        bytes: on disk.
        until: Unix time in seconds at which the last of them is due; the engine looks about once a minute.
    """

    table: str
    parts: int
    bytes: int
    until: int


def rewrite(
    client: Client,
    table: str,
    command: str,
    parameters: Mapping[str, str] | None = None,
    *,
    mark: str,
    progress: Progress | None = None,
) -> None:
    """
    Run a mutation to its end.

    Args:
        command: what follows ``ALTER TABLE name``. It stays in the list of mutations, its parameters written out.
        parameters: of the command.
        mark: a text of the command that no other one has.
        progress: told while it runs.

    Raises:
        StoreError: the engine cannot do it; it keeps trying.
        clickhouse_connect.driver.exceptions.DatabaseError: the statement is refused.
    """
    client.command(
        f"ALTER TABLE {table} {command}",
        parameters=dict(parameters or {}),
        settings={"mutations_sync": 0, "log_queries": 0},
    )
    _wait(client, table, mark, progress)


def _wait(client: Client, table: str, mark: str, progress: Progress | None) -> None:
    nudged = lifetimes(client, [table]).get(table) == 0
    pause = _SHORTEST_POLL_SECONDS
    while True:
        rows = client.query(_UNFINISHED, parameters={"table": table, "mark": mark}).result_rows
        parts, reason, name, unfinished = rows[0]
        if not unfinished:
            return
        if reason:
            raise StoreError(
                f"The mutation {name} of {table} fails: {str(reason).partition('(version')[0].strip()[:300]}.",
                hint="It stays and is tried again; remove the cause, then run this again. "
                f"To give it up: KILL MUTATION WHERE table = '{table}' AND mutation_id = '{name}'.",
            )
        if progress is not None:
            progress(table, int(parts))
        if nudged:
            # The embedded engine starts four parts and then looks again in half a second, unless it is woken up.
            client.command(f"SYSTEM START MERGES {table}")
        time.sleep(pause)
        pause = min(pause * 1.5, _SHORTEST_POLL_SECONDS if nudged else _LONGEST_POLL_SECONDS)


def apply_deleted_mask(
    client: Client, table: str, partitions: Sequence[str], *, progress: Progress | None = None
) -> None:
    """
    Remove rows from disk that a lightweight ``DELETE`` has only marked: ``ALTER TABLE ... DELETE`` does not see
    them.

    Args:
        partitions: ids of the partitions that have such rows.
    """
    places = [f" IN PARTITION ID '{_partition(partition)}'" for partition in partitions]
    # One mutation goes over all parts in about the time of some that go over one partition each.
    for place in places if len(places) < _MANY_PARTITIONS else [""]:
        mark = f"APPLY DELETED MASK{place}"
        rewrite(client, table, mark, mark=mark, progress=progress)


def _partition(partition: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z_-]+", partition):
        raise StoreError(f"{partition!r} is no id of a partition.")
    return partition


def inactive(client: Client, tables: Sequence[str]) -> list[Inactive]:
    """The old parts of the tables that are still on disk."""
    lifetime = lifetimes(client, tables)
    rows = client.query(_INACTIVE, parameters={"tables": list(tables)}).result_rows
    return [Inactive(table, int(n), int(size), int(at) + lifetime.get(table, 0)) for table, n, size, at in rows]


def lifetimes(client: Client, tables: Sequence[str]) -> dict[str, int]:
    """Seconds for which an inactive part stays on disk, by table. The embedded engine has 0, a server 480."""
    rows = client.query(_LIFETIMES, parameters={"tables": list(tables)}).result_rows
    found: dict[str, Any] = {name: _LIFETIME.search(full) or default for name, full, default in rows}
    return {name: int(value[1] if isinstance(value, re.Match) else value) for name, value in found.items()}


def remove_inactive(client: Client, tables: Sequence[str]) -> list[Inactive]:
    """
    Have old parts removed that are due at once, and wait for it.

    The embedded engine cleans up when it has other work; a process that ends after one command would leave the
    parts on disk for good. Where parts have a lifetime this does nothing: a server cleans up on its own.

    Returns:
        What is still there.
    """
    due = [table for table, seconds in lifetimes(client, tables).items() if seconds == 0]
    deadline = time.monotonic() + _CLEANUP_SECONDS
    pause = _SHORTEST_POLL_SECONDS
    while inactive(client, due) and time.monotonic() < deadline:
        for table in due:
            client.command(f"SYSTEM START CLEANUP {table}")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
    return inactive(client, tables)
