"""Where the bytes are: by table, by column and index, by partition. From ``system.parts`` and its relatives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activitylog.store.watch.asking import Database

_TABLES: Final = """
SELECT t.name AS table, t.engine AS engine, p.rows AS rows, p.bytes AS bytes,
       p.uncompressed AS uncompressed_bytes, if(p.compressed = 0, 0, p.uncompressed / p.compressed) AS compression,
       if(p.rows = 0, 0, p.bytes / p.rows) AS bytes_per_row, p.indexes AS index_bytes, p.parts AS parts,
       p.partitions AS partitions
FROM system.tables AS t
LEFT JOIN (
    SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, countIf(part.rows > 0) AS parts,
           uniqExactIf(partition_id, part.rows > 0) AS partitions, sum(data_uncompressed_bytes) AS uncompressed,
           sum(data_compressed_bytes) AS compressed,
           sum(secondary_indices_compressed_bytes + secondary_indices_marks_bytes) AS indexes
    FROM system.parts AS part WHERE active AND database = currentDatabase() GROUP BY table
) AS p ON p.table = t.name
WHERE t.database = currentDatabase() AND NOT t.is_temporary
ORDER BY bytes DESC, table
"""
#: The parts of less than ``min_bytes_for_wide_part`` keep their columns in one file: only their sum is known.
_COLUMNS: Final = """
WITH parts AS (
    SELECT sum(p.rows) AS rows, sum(p.bytes_on_disk) AS bytes, sum(p.data_compressed_bytes) AS data,
           sumIf(p.data_compressed_bytes, p.part_type = 'Compact') AS small,
           sumIf(p.data_uncompressed_bytes, p.part_type = 'Compact') AS small_uncompressed,
           sumIf(p.rows, p.part_type = 'Compact') AS small_rows,
           sum(p.secondary_indices_compressed_bytes) AS indexes
    FROM system.parts AS p WHERE p.active AND p.database = currentDatabase() AND p.table = {table:String}
)
SELECT what, kind, bytes, if(rows = 0, 0, bytes / rows) AS bytes_per_row, uncompressed_bytes
FROM (
    SELECT column AS what, 'column' AS kind, sum(column_data_compressed_bytes) AS bytes,
           sum(column_data_uncompressed_bytes) AS uncompressed_bytes, sum(p.rows) AS rows
    FROM system.parts_columns AS p
    WHERE active AND database = currentDatabase() AND table = {table:String} AND part_type != 'Compact'
    GROUP BY what
    UNION ALL
    SELECT '(columns of small parts)', 'small parts', small, small_uncompressed, small_rows FROM parts
    UNION ALL
    SELECT name, 'index', data_compressed_bytes, data_uncompressed_bytes, (SELECT rows FROM parts)
    FROM system.data_skipping_indices WHERE database = currentDatabase() AND table = {table:String}
    UNION ALL
    SELECT '(marks, keys and descriptions)', 'other',
           toUInt64(greatest(bytes, data + indexes) - data - indexes), 0, rows
    FROM parts
) WHERE bytes > 0 ORDER BY bytes DESC, what
"""
_PARTITIONS: Final = """
SELECT table, partition, count() AS parts, sum(rows) AS rows, sum(bytes_on_disk) AS bytes,
       nullIf(minIf(min_time, max_time > 0), toDateTime(0)) AS oldest,
       nullIf(max(max_time), toDateTime(0)) AS newest,
       max(modification_time) AS changed, any(disk_name) AS disk
FROM system.parts WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}
GROUP BY table, partition_id, partition ORDER BY table, partition_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """
    A table's rows and bytes on this server.

    Attributes:
        bytes: on disk, with indexes, marks and keys.
        uncompressed_bytes: of the columns' data before compression.
        compression: the columns' data before compression by after.
        index_bytes: of :attr:`bytes`, the skipping indexes.
        parts: active ones that hold rows: a dropped partition leaves empty ones for a while.
    """

    table: str
    engine: str
    rows: int
    bytes: int
    uncompressed_bytes: int
    compression: float
    bytes_per_row: float
    index_bytes: int
    parts: int
    partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSize:
    """
    Bytes of a column or index of the table of events.

    Attributes:
        kind: ``column``, ``index``, ``small parts`` (columns of parts that keep them together) or ``other``.
        bytes_per_row: of the rows in the parts that were looked at; columns of small parts are not among them.
    """

    what: str
    kind: str
    bytes: int
    bytes_per_row: float
    uncompressed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionSize:
    """
    A partition of a table.

    Attributes:
        oldest, newest: times of its rows, where the partition key is of times.
        changed: when its newest part was written, by insert or merge.
    """

    table: str
    partition: str
    parts: int
    rows: int
    bytes: int
    oldest: datetime | None
    newest: datetime | None
    changed: datetime
    disk: str


def table_sizes(database: Database) -> tuple[TableSize, ...]:
    """All tables and views of the database, the largest first."""
    return tuple(TableSize(**row) for row in database.rows(_TABLES))


def column_sizes(database: Database) -> tuple[ColumnSize, ...]:
    """Columns and indexes of the table of events, the largest first."""
    return tuple(ColumnSize(**row) for row in database.rows(_COLUMNS, table=database.events))


def partition_sizes(database: Database) -> tuple[PartitionSize, ...]:
    """The partitions of our tables, by table and from old to new."""
    return tuple(PartitionSize(**row) for row in database.rows(_PARTITIONS, tables=list(database.ours)))
