"""The table whose partitions are archived: what it is, what it holds, and the record of what was done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import ArchiveError, SchemaError
from activitylog.store.archive.fingerprint import quoted, stored_columns
from activitylog.store.archive.manifest import Alias, Archive, Column
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.servers import Server, servers

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: What was archived, restored, copied: one row each time.
RECORD_TABLE: Final = "activity_archives"

#: ``ReplicatedMergeTree('/path', '{replica}'``, and the comma where more follows.
_REPLICATED: Final = re.compile(r"^(?:Replicated|Shared)(\w*MergeTree)\('[^']*', '[^']*'(?:, )?")

Parts = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table, as the database has it now.

    Attributes:
        columns: those that are stored.
        aliases: those that are computed when they are read.
        insertable: names of the stored columns that take values; the others compute theirs.
        expires: it has a TTL.
        engine: what makes a table of the same kind that is not replicated, for CREATE TABLE.
        replicated: other servers may have a copy, and rows that have not come here yet.
    """

    name: str
    columns: tuple[Column, ...]
    aliases: tuple[Alias, ...]
    insertable: frozenset[str]
    partition_key: str
    sorting_key: str
    expires: bool
    engine: str
    replicated: bool


@dataclass(frozen=True, slots=True)
class Partition:
    """
    A partition of the table.

    Attributes:
        bytes: on disk.
        min_time, max_time: of its events, in UTC.
        shard: of a cluster that has these rows; 0 where there is none.
    """

    id: str
    rows: int
    bytes: int
    min_time: datetime
    max_time: datetime
    shard: int = 0


def describe(client: Client, name: str = EVENTS_TABLE) -> Table:
    """
    Look at the table.

    Raises:
        SchemaError: it is not there, or there is no record of archives.
        ArchiveError: its engine has no partitions that could be moved.
    """
    tables = {
        table: row
        for table, *row in client.query(
            "SELECT name, engine, partition_key, sorting_key, engine_full FROM system.tables "
            "WHERE database = currentDatabase()"
        ).result_rows
    }
    if name not in tables or RECORD_TABLE not in tables:
        missing = name if name not in tables else RECORD_TABLE
        raise SchemaError(f"There is no table {missing}.", hint="Run: activitylog schema apply --url URL.")
    engine, partition_key, sorting_key, engine_full = tables[name]
    if not engine.endswith("MergeTree"):
        raise ArchiveError(
            f"{name} is a table of the engine {engine}, which holds no partitions.",
            hint="Name a table of the MergeTree family.",
        )
    columns, aliases = stored_columns(client, name)
    computed = client.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND default_kind = 'MATERIALIZED'",
        parameters={"table": name},
    ).result_rows
    insertable = frozenset(column.name for column in columns) - {column for (column,) in computed}
    expires = " TTL " in engine_full
    replicated = engine.startswith(("Replicated", "Shared"))
    plain = _REPLICATED.sub(r"\1(", engine_full) if replicated else engine_full
    return Table(name, columns, aliases, insertable, partition_key, sorting_key, expires, plain, replicated)


def partitions(client: Client, *, before: datetime) -> list[Partition]:
    """
    The partitions whose newest event is older than a time: shard by shard, and the oldest first.

    Args:
        before: an aware time.

    Raises:
        StoreUnavailableError: no server of a shard answers.
    """
    with servers(client) as reached:
        table = reached.table(EVENTS_TABLE)
        return [one for each in reached.one_of_each for one in partitions_of(each, table, before=before)]


def partitions_of(server: Server, table: str, *, before: datetime) -> list[Partition]:
    """The same, of one server."""
    client = server.client
    found = client.query(
        "SELECT _partition_id, count(), min(Timestamp), max(Timestamp) "  # noqa: S608 - quoted
        f"FROM {quoted(table)} GROUP BY _partition_id "
        "HAVING max(Timestamp) < {before:DateTime64(6, 'UTC')} ORDER BY min(Timestamp)",
        parameters={"before": f"{before.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"},
        tz_mode="aware",
    ).result_rows
    sizes = client.query(
        "SELECT partition_id, sum(bytes_on_disk) FROM system.parts WHERE database = currentDatabase() "
        "AND table = {table:String} AND active GROUP BY partition_id",
        parameters={"table": table},
    ).result_rows
    on_disk = {str(id_): int(size) for id_, size in sizes}
    return [
        Partition(id_, rows, on_disk.get(id_, 0), first, last, server.shard) for id_, rows, first, last in found
    ]


def parts(client: Client, table: str, partition: str) -> Parts:
    """The rows and the engine's hash of each active part of a partition: equal ones hold equal rows."""
    found = client.query(
        "SELECT rows, hash_of_all_files FROM system.parts WHERE database = currentDatabase() "
        "AND table = {table:String} AND partition_id = {partition:String} AND active AND rows > 0 ORDER BY 1, 2",
        parameters={"table": table, "partition": partition},
    ).result_rows
    return tuple((int(rows), str(hash_)) for rows, hash_ in found)


def record(client: Client, action: str, archive: Archive, *, shard: int = 0, parts: Sequence[str] = ()) -> None:
    """
    Note in the database what was done.

    Args:
        action: ``dropping``, ``archived``, ``copied`` or ``restored``. :func:`announce` has noted ``begun``.
        shard: of a cluster.
        parts: that are dropped.
    """
    manifest = archive.manifest
    more = {"Shard": "{shard:UInt32}", "Parts": "{parts:Array(String)}"} if shard or parts else {}
    client.command(
        f"INSERT INTO {RECORD_TABLE} "
        f"({', '.join(['Action, Partition, Folder, Piece, RowCount, Bytes, Checksum, MinTime, MaxTime', *more])}) "
        "SELECT {action:String}, {partition:String}, {folder:String}, {piece:String}, {rows:UInt64}, "
        f"{', '.join(['{bytes:UInt64}, {checksum:String}, {min:String}, {max:String}', *more.values()])}",
        parameters={
            "action": action,
            "partition": manifest.partition,
            "folder": str(archive.path.parent.absolute()),
            "piece": archive.name,
            "rows": manifest.rows,
            "bytes": manifest.bytes,
            "checksum": manifest.checksum,
            "min": manifest.min_time,
            "max": manifest.max_time,
            "shard": shard,
            "parts": list(parts),
        },
        settings={"async_insert": 0},
    )


def announce(client: Client, folder: Path) -> None:
    """Note before anything is written to a folder that it may hold rows: whoever erases a person looks there."""
    client.command(
        f"INSERT INTO {RECORD_TABLE} (Action, Folder) SELECT 'begun', {{folder:String}} "  # noqa: S608
        f"WHERE {{folder:String}} NOT IN (SELECT Folder FROM {RECORD_TABLE})",
        parameters={"folder": str(folder.absolute())},
        settings={"async_insert": 0},
    )


def recorded(client: Client, *, partition: str, checksum: str) -> str | None:
    """The folder to which these rows were archived, if the record has them as archived."""
    found = client.query(
        f"SELECT Folder FROM {RECORD_TABLE} WHERE Action = 'archived' AND Partition = {{partition:String}} "  # noqa: S608
        "AND Checksum = {checksum:String} ORDER BY Time DESC LIMIT 1",
        parameters={"partition": partition, "checksum": checksum},
    ).result_rows
    return str(found[0][0]) if found else None
