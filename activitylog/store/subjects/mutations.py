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
from activitylog.store.servers import Server

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Told after each look: the table, and the parts that are still to do.
Progress = Callable[[str, int], None]

_SHORTEST_POLL_SECONDS: Final = 0.02
_LONGEST_POLL_SECONDS: Final = 2.0
_CLEANUP_SECONDS: Final = 30.0
_MANY_PARTITIONS: Final = 10
_LIFETIME: Final = re.compile(r"old_parts_lifetime = (\d+)")
#: How long a replica may take to hear of a mutation.
_HEARD_SECONDS: Final = 60.0
_STATE: Final = """
SELECT sumIf(parts_to_do, open), anyIf(latest_fail_reason, open), anyIf(mutation_id, open), countIf(open), count()
FROM (SELECT *, NOT is_done AND NOT is_killed AS open FROM system.mutations
    WHERE database = currentDatabase() AND table = {table:String} AND position(command, {mark:String}) > 0)
"""
#: With every mutation. Each replica of a table looks into its own memory for whom it is about: so the text that
#: Keeper has names nobody.
_SETTINGS: Final = {
    "mutations_sync": 0,
    "log_queries": 0,
    "allow_nondeterministic_mutations": 1,
    "mutations_execute_subqueries_on_initiator": 0,
}
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
        server: of a cluster.
    """

    table: str
    parts: int
    bytes: int
    until: int
    server: str = ""


def rewrite(
    replicas: Sequence[Server],
    table: str,
    command: str,
    parameters: Mapping[str, str] | None = None,
    *,
    mark: str,
    progress: Progress | None = None,
) -> None:
    """
    Run a mutation to its end, on all replicas of a table.

    Args:
        replicas: the servers that have the table. The first one is given the statement.
        command: what follows ``ALTER TABLE name``. It stays in the list of mutations, its parameters written out.
        parameters: of the command.
        mark: a text of the command that no other one has.
        progress: told while it runs.

    Raises:
        StoreError: the engine cannot do it, and keeps trying; or a replica does not hear of it.
        clickhouse_connect.driver.exceptions.DatabaseError: the statement is refused.
    """
    replicas[0].client.command(
        f"ALTER TABLE {table} {command}", parameters=dict(parameters or {}), settings=_SETTINGS
    )
    for replica in replicas:
        _wait(replica, table, mark, progress)


def _wait(replica: Server, table: str, mark: str, progress: Progress | None) -> None:
    client = replica.client
    deadline = time.monotonic() + _HEARD_SECONDS
    nudged = lifetimes(client, [table]).get(table) == 0
    pause = _SHORTEST_POLL_SECONDS
    while True:
        rows = client.query(_STATE, parameters={"table": table, "mark": mark}).result_rows
        parts, reason, name, unfinished, known = rows[0]
        if known and not unfinished:
            return
        if not known and time.monotonic() > deadline:
            raise StoreError(
                f"{replica.name or 'The server'} does not take over a mutation of {table}; its rows may be there.",
                hint="See system.replicas there (activitylog doctor); then run this again.",
            )
        if reason:
            where = replica.name and f" on {replica.name}"
            raise StoreError(
                f"The mutation {name} of {table}{where} fails: "
                f"{str(reason).partition('(version')[0].strip()[:300]}.",
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
    replicas: Sequence[Server], table: str, partitions: Sequence[str], *, progress: Progress | None = None
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
        rewrite(replicas, table, mark, mark=mark, progress=progress)


def _partition(partition: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z_-]+", partition):
        raise StoreError(f"{partition!r} is no id of a partition.")
    return partition


def inactive(server: Server, tables: Sequence[str]) -> list[Inactive]:
    """The old parts of the tables that are still on a server's disk."""
    client = server.client
    lifetime = lifetimes(client, tables)
    rows = client.query(_INACTIVE, parameters={"tables": list(tables)}).result_rows
    return [
        Inactive(table, int(n), int(size), int(at) + lifetime.get(table, 0), server.name)
        for table, n, size, at in rows
    ]


def lifetimes(client: Client, tables: Sequence[str]) -> dict[str, int]:
    """Seconds for which an inactive part stays on disk, by table. The embedded engine has 0, a server 480."""
    rows = client.query(_LIFETIMES, parameters={"tables": list(tables)}).result_rows
    found: dict[str, Any] = {name: _LIFETIME.search(full) or default for name, full, default in rows}
    return {name: int(value[1] if isinstance(value, re.Match) else value) for name, value in found.items()}


def remove_inactive(server: Server, tables: Sequence[str]) -> list[Inactive]:
    """
    Have old parts removed that are due at once, and wait for it.

    The embedded engine cleans up when it has other work; a process that ends after one command would leave the
    parts on disk for good. Where parts have a lifetime this does nothing: a server cleans up on its own.

    Returns:
        What is still there.
    """
    client = server.client
    due = [table for table, seconds in lifetimes(client, tables).items() if seconds == 0]
    deadline = time.monotonic() + _CLEANUP_SECONDS
    pause = _SHORTEST_POLL_SECONDS
    while inactive(server, due) and time.monotonic() < deadline:
        for table in due:
            client.command(f"SYSTEM START CLEANUP {table}")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
    return inactive(server, tables)
