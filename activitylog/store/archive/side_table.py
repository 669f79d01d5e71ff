"""
Tables of the same structure as the table of events, between which whole partitions move.

``ALTER TABLE ... MOVE PARTITION ... TO TABLE`` takes the parts that are there at one moment, by hard links, and
fires no view. Killed in the middle it leaves parts in both tables, never in none (the target is committed first).
So whatever is found in a side table is compared with the table, row by row, before anything is moved or dropped.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activitylog.exceptions import ArchiveError
from activitylog.store.archive.fingerprint import EMPTY, Fingerprint, of_partition, quoted, row_hash, text
from activitylog.store.archive.manifest import Archive, Column, pieces_of
from activitylog.store.archive.presence import Presence, as_presence
from activitylog.store.archive.reading import fingerprint
from activitylog.store.archive.table import Table, record, recorded

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Where a partition is between the table and nowhere.
ARCHIVING: Final = "activity_events_archiving"
#: Where a partition is before it comes back.
RESTORING: Final = "activity_events_restoring"

#: Rows of a part that are compared; of a larger part a sample, chosen by the rows' hashes.
_COMPARED_ROWS: Final = 100_000
_OWNER: Final = "activitylog archive"
_WHOLE: Final = " whole"


def create(client: Client, side: str, table: Table, *, expires: bool) -> None:
    """
    Make an empty side table.

    Args:
        expires: keep the table's TTL; without, rows of any age stay.

    Raises:
        clickhouse_connect.driver.exceptions.DatabaseError: somebody made it in the meantime.
    """
    engine = f" ENGINE = {table.engine}" if table.replicated else ""
    client.command(f"CREATE TABLE {quoted(side)} AS {quoted(table.name)}{engine} COMMENT {text(_owner())}")
    # What comes in must stay as it is, part by part, to be compared.
    client.command(f"ALTER TABLE {quoted(side)} MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")
    if table.expires and not expires:
        client.command(f"ALTER TABLE {quoted(side)} REMOVE TTL")


def exists(client: Client, side: str) -> bool:
    """Whether the side table is there."""
    return bool(int(str(client.command(f"EXISTS TABLE {quoted(side)}"))))


def drop(client: Client, side: str) -> None:
    """Remove an empty side table; one with rows stays, and is found by the next run."""
    if not partition_ids(client, side):
        client.command(f"DROP TABLE {quoted(side)}")


def partition_ids(client: Client, side: str) -> list[str]:
    """The partitions of which a table has rows."""
    found = client.query(f"SELECT DISTINCT _partition_id FROM {quoted(side)} ORDER BY 1").result_rows  # noqa: S608
    return [str(partition) for (partition,) in found]


def move(client: Client, source: str, target: str, partition: str) -> None:
    """Move a partition, as it is at this moment, from one table to another."""
    client.command(
        f"ALTER TABLE {quoted(source)} MOVE PARTITION ID {{partition:String}} TO TABLE {quoted(target)}",
        parameters={"partition": partition},
    )


def bring_in(client: Client, side: str, table: Table, partition: str) -> None:
    """
    Move a partition from a side table into the table.

    A replicated table takes no partition of another kind of table as its own, but a copy: all of its parts at
    once, and those that it has taken before not again.
    """
    if not table.replicated:
        move(client, side, table.name, partition)
        return
    client.command(
        f"ALTER TABLE {quoted(table.name)} ATTACH PARTITION ID {{partition:String}} FROM {quoted(side)}",
        parameters={"partition": partition},
    )
    drop_partition(client, side, partition)


def drop_partition(client: Client, side: str, partition: str) -> None:
    """Remove a partition's rows for good."""
    client.command(
        f"ALTER TABLE {quoted(side)} DROP PARTITION ID {{partition:String}}", parameters={"partition": partition}
    )


def check_abandoned(client: Client, side: str, *, force: bool = False) -> None:
    """
    Make sure that nobody works with a side table that was found.

    Args:
        force: its process is gone, says the user.

    Raises:
        ArchiveError: somebody does, or it was made on another machine and nobody can tell.
    """
    owner = _comment(client, side)
    host, pid, started = [*owner.removeprefix(_OWNER).split(), "", "", ""][:3]
    if force or not owner.startswith(_OWNER) or owner.removesuffix(_WHOLE) == _owner():
        return
    if host == socket.gethostname() and _start_of(pid) != started:
        return
    raise ArchiveError(
        f"The process {pid} on {host} is archiving or restoring in this database, or was killed there.",
        hint="Wait, or run the same command there. If that machine is gone: --take-over.",
    )


def mark_whole(client: Client, side: str) -> None:
    """Say that a side table has all that was to come into it: from now on its partitions move out."""
    client.command(f"ALTER TABLE {quoted(side)} MODIFY COMMENT {text(_owner() + _WHOLE)}")


def was_whole(client: Client, side: str) -> bool:
    """Whether the process that left a side table had begun, or was about, to move out what was in it."""
    return _comment(client, side).endswith(_WHOLE)


def _comment(client: Client, side: str) -> str:
    found = client.query(
        "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": side},
    ).result_rows
    return str(found[0][0]) if found else ""


def remove_copies(client: Client, side: str, table: Table, partition: str) -> int:
    """
    Remove from a side table the parts whose rows the table has, too: what a move that was killed left in both.

    Returns:
        How many parts that were.

    Raises:
        ArchiveError: the table has some rows of a part and others not.
    """
    shared = _shared_columns(client, side, table)
    found = client.query(
        "SELECT name, rows FROM system.parts WHERE database = currentDatabase() AND table = {table:String} "
        "AND partition_id = {partition:String} AND active AND rows > 0",
        parameters={"table": side, "partition": partition},
    ).result_rows
    removed = 0
    for part, rows in found:
        presence = _presence(client, side, table.name, shared, part=part, rows=rows, partition=partition)
        if presence == "some":
            raise ArchiveError(
                f"Some rows of the part {part} in {side} are in {table.name}, and others are not.",
                hint=f"Compare both tables; then move the partition {partition} or drop it in {side} by hand.",
            )
        if presence == "all":
            client.command(f"ALTER TABLE {quoted(side)} DROP PART {text(str(part))}")
            removed += 1
    return removed


def _presence(
    client: Client, side: str, name: str, columns: tuple[Column, ...], *, part: str, rows: int, partition: str
) -> Presence:
    """How many rows of a side table's part the table has."""
    hashes = f"SELECT {row_hash(columns)} AS h FROM"
    every = max(1, rows // _COMPARED_ROWS)
    theirs = f"{hashes} {quoted(name)} WHERE _partition_id = {{partition:String}} AND h % {every} = 0"
    ours = f"{hashes} {quoted(side)} WHERE _part = {{part:String}} AND h % {every} = 0"
    total, there = client.query(
        f"SELECT count(), countIf(h IN ({theirs})) FROM ({ours})",  # noqa: S608 - quoted, ours
        parameters={"partition": partition, "part": part},
    ).result_rows[0]
    return as_presence(int(total), int(there))


def _shared_columns(client: Client, side: str, table: Table) -> tuple[Column, ...]:
    """The columns of the table that a side table of an earlier run has."""
    found = client.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}",
        parameters={"table": side},
    ).result_rows
    names = {str(name) for (name,) in found}
    return tuple(column for column in table.columns if column.name in names)


def recover(client: Client, table: Table, folder: Path, *, force: bool = False) -> None:
    """
    Bring to an end what a killed run left in :data:`ARCHIVING`, and remove that table.

    Rows that are archived in this folder are dropped; all others go back where they were.

    Raises:
        ArchiveError: another process works with it, or the rows were archived to another folder.
    """
    if not exists(client, ARCHIVING):
        return
    check_abandoned(client, ARCHIVING, force=force)
    for partition in partition_ids(client, ARCHIVING):
        remove_copies(client, ARCHIVING, table, partition)
        _settle(client, table, folder, partition)
    drop(client, ARCHIVING)


def _settle(client: Client, table: Table, folder: Path, partition: str) -> None:
    columns = _shared_columns(client, ARCHIVING, table)
    rows = of_partition(client, ARCHIVING, columns, partition)
    if rows.rows == 0:
        return
    archived = archived_as(rows, columns, pieces_of(folder, partition))
    if archived:
        for piece in archived:
            if recorded(client, partition=partition, checksum=piece.manifest.checksum) is None:
                record(client, "archived", piece)
        drop_partition(client, ARCHIVING, partition)
        return
    elsewhere = recorded(client, partition=partition, checksum=rows.checksum)
    if elsewhere is not None and Path(elsewhere) != folder.absolute():
        raise ArchiveError(
            f"The partition {partition} was archived to {elsewhere!r} by a run that was killed before its end.",
            hint=f"Let it end: run `activitylog archive create` once more with --to {elsewhere}",
        )
    adapt(client, ARCHIVING, table)
    move(client, ARCHIVING, table.name, partition)


def adapt(client: Client, side: str, table: Table) -> None:
    """Give a side table of an earlier run what the table has got since: partitions move between equal ones."""
    for name, type_, kind, expression in _lacking(client, side, table, "columns", _COLUMN):
        default = f" {kind} {expression}" if kind else ""
        client.command(f"ALTER TABLE {quoted(side)} ADD COLUMN {quoted(name)} {type_}{default}")
    for name, type_, expression, granularity in _lacking(client, side, table, "data_skipping_indices", _INDEX):
        index = f"{quoted(name)} {expression} TYPE {type_} GRANULARITY {granularity}"
        client.command(f"ALTER TABLE {quoted(side)} ADD INDEX {index}")


_COLUMN: Final = "name, type, default_kind, default_expression"
_INDEX: Final = "name, type_full, expr, granularity"


def _lacking(client: Client, side: str, table: Table, kind: str, what: str) -> Sequence[Sequence[Any]]:
    sql = f"SELECT {what} FROM system.{kind} WHERE database = currentDatabase() AND table = {{table:String}}"  # noqa: S608
    has = {row[0] for row in client.query(sql, parameters={"table": side}).result_rows}
    return [row for row in client.query(sql, parameters={"table": table.name}).result_rows if row[0] not in has]


def archived_as(rows: Fingerprint, columns: tuple[Column, ...], pieces: list[Archive]) -> list[Archive]:
    """The pieces that hold exactly these rows, with these columns; none if there are no such ones."""
    same = [piece for piece in pieces if piece.manifest.columns == columns]
    for piece in same:
        if fingerprint(piece).same_rows(rows):
            return [piece]
    return same if same and total(same).same_rows(rows) else []


def total(pieces: Sequence[Archive]) -> Fingerprint:
    """The fingerprint of all rows of some pieces."""
    if not pieces:
        return EMPTY
    checksum = sum(int(piece.manifest.checksum, 16) for piece in pieces) % 2**128
    return Fingerprint(sum(piece.manifest.rows for piece in pieces), f"{checksum:032x}")


def _owner() -> str:
    pid = str(os.getpid())
    return f"{_OWNER} {socket.gethostname()} {pid} {_start_of(pid)}"


def _start_of(pid: str) -> str:
    """When a process of this machine began, in ticks since it was booted: its id may be another one's by now."""
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, ValueError):
        return "gone"
