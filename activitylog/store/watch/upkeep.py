"""What the server does on its own: merges, mutations, and the disks it does them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.watch.asking import Database

_RUNNING: Final = """
SELECT count() AS running, max(elapsed) AS longest_seconds, sum(total_size_bytes_compressed) AS bytes
FROM system.merges WHERE database = currentDatabase() AND NOT is_mutation
"""
_MERGED_LOG: Final = """
SELECT toUInt64(count()) AS done FROM system.part_log
WHERE event_date >= today() - 1 AND event_time > now() - 86400 AND event_type = 'MergeParts'
    AND database = currentDatabase()
"""
_MERGED_EVENTS: Final = "SELECT sum(value) AS done FROM system.events WHERE event = 'Merge'"
_MUTATIONS: Final = """
SELECT count() AS pending, countIf(latest_fail_reason != '') AS failing, sum(parts_to_do) AS parts_to_do
FROM system.mutations WHERE database = currentDatabase() AND NOT is_done
"""
#: What an object store answers: there is no limit.
_UNLIMITED: Final = 1 << 60
_DISKS: Final = """
SELECT name, path, toUInt64(free_space) AS free_bytes, toUInt64(total_space) AS total_bytes
FROM system.disks WHERE name IN {names:Array(String)} ORDER BY name
"""
_POLICY_DISKS: Final = """
SELECT DISTINCT arrayJoin(disks) AS name FROM system.storage_policies WHERE policy_name = {policy:String}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merges:
    """
    Attributes:
        done: merges that ended.
        done_source: ``part_log`` (of this database, in the last 24 h) or ``events`` (of the whole server since it
            started).
    """

    running: int
    running_bytes: int
    longest_seconds: float
    done: int | None
    done_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutations:
    """Changes of stored parts that are not done: of these, how many fail, and how many parts they have to do."""

    pending: int
    failing: int
    parts_to_do: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk of the table's storage policy; None in bytes where it has no limit that the server knows."""

    name: str
    path: str
    free_bytes: int | None
    total_bytes: int | None


def merges(database: Database) -> Merges:
    """Merges of the database."""
    running = database.row(_RUNNING)
    logged = database.rows_if_there(_MERGED_LOG)
    done = logged or database.rows_if_there(_MERGED_EVENTS) or []
    return Merges(
        running=running["running"],
        running_bytes=running["bytes"],
        longest_seconds=running["longest_seconds"],
        done=int(done[0]["done"]) if done else None,
        done_source="part_log" if logged else "events",
    )


def mutations(database: Database) -> Mutations:
    """Mutations of the database."""
    return Mutations(**database.row(_MUTATIONS))


def disks(database: Database) -> tuple[Disk, ...]:
    """The disks that the events may be on; empty where the server does not tell."""
    table = database.tables.get(database.events) or database.tables.get(EVENTS_TABLE)
    policy = table.storage_policy if table and table.storage_policy else "default"
    names = database.rows_if_there(_POLICY_DISKS, policy=policy) or []
    found = database.rows_if_there(_DISKS, names=[row["name"] for row in names]) or []
    return tuple(
        Disk(
            name=row["name"],
            path=row["path"],
            free_bytes=_limited(row["free_bytes"]),
            total_bytes=_limited(row["total_bytes"]),
        )
        for row in found
    )


def _limited(space: int) -> int | None:
    return space if 0 <= space < _UNLIMITED else None
