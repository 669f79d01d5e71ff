"""
A partition written into Parquet files of a bounded size.

Each file holds a range of time, whole hours where they fit, and is streamed from the engine to the disk in the
table's order: neither side holds more than one file, and a reader finds a time without opening the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activitylog.exceptions import ArchiveError
from activitylog.store.archive.file_engine import FileEngine
from activitylog.store.archive.fingerprint import names, quoted
from activitylog.store.archive.manifest import File, new_file_name, private, sync_folder
from activitylog.store.archive.reading import described
from activitylog.store.archive.table import Table

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Rows of one file, unless one second has more.
ROWS_PER_FILE: Final = 1_000_000

_SECOND: Final = 1_000_000_000
#: Nanoseconds of the ranges into which a partition is cut; a finer one where a range has too many rows.
_UNITS: Final = (3600 * _SECOND, 60 * _SECOND, _SECOND)
_BLOCK: Final = 1 << 20
_UNKNOWN_TYPE: Final = 50
_NANOSECONDS: Final = "toUnixTimestamp64Nano(Timestamp)"
_WHERE: Final = (
    "_partition_id = {partition:String} AND Timestamp >= fromUnixTimestamp64Nano({begin:Int64}, 'UTC') "
    "AND Timestamp < fromUnixTimestamp64Nano({end:Int64}, 'UTC')"
)
_WHOLE: Final = (-(2**63), 2**63 - 1)
_SETTINGS: Final = {
    "output_format_parquet_compression_method": "zstd",
    "output_format_parquet_row_group_size": 131_072,
    "optimize_read_in_order": 1,
}


def write_partition(
    client: Client,
    engine: FileEngine,
    path: Path,
    table: Table,
    partition: str,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    progress: Callable[[int], None] = lambda _rows: None,
) -> list[File]:
    """
    Write the rows of a partition into a folder, and read each file back.

    Args:
        client: of the store.
        engine: reads the files back.
        path: the folder; it is there.
        progress: told how many rows have been written so far.

    Returns:
        What the files hold, as the engine that read them says. They are on disk.

    Raises:
        ArchiveError: a file cannot be written or read back.
    """
    files = []
    ranges = _ranges(client, table, partition, rows_per_file)
    for number, (begin, end) in enumerate(ranges, start=1):
        target = path / new_file_name(number)
        _stream(client, target, table, {"partition": partition, "begin": begin, "end": end})
        files.append(described(engine, target, table.columns))
        progress(sum(file.rows for file in files))
    sync_folder(path)
    return files


def _stream(client: Client, target: Path, table: Table, parameters: dict[str, str | int]) -> None:
    sql = (
        f"SELECT {names(table.columns)} FROM {quoted(table.name)} WHERE {_WHERE} "  # noqa: S608 - quoted, ours
        f"ORDER BY {table.sorting_key or 'Timestamp'}"
    )
    rows = _asked(client, sql, parameters)
    try:
        with closing(rows), open(target, "xb", opener=private) as file:
            while block := rows.read(_BLOCK):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        target.unlink(missing_ok=True)
        raise ArchiveError(
            f"The file {str(target)!r} cannot be written: {error.strerror or error}. The table is untouched.",
            hint="Make room, or name another folder. What is complete there stays.",
        ) from error


def _asked(client: Client, sql: str, parameters: dict[str, str | int]) -> Any:
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        return client.raw_stream(sql, parameters=parameters, settings=_SETTINGS, fmt="Parquet")
    except DatabaseError as error:
        if error.code == _UNKNOWN_TYPE:
            raise ArchiveError(
                f"A column has a type that Parquet has not: {str(error).splitlines()[0][:300]}",
                hint="Nothing was dropped. Change the column's type.",
            ) from error
        raise


def _ranges(client: Client, table: Table, partition: str, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of nanoseconds, one after the other, that hold all rows: at most ``most`` each, where possible."""
    begin, rows = None, 0
    end = _WHOLE[0]
    for start, stop, count in _buckets(client, table, partition, most=most):
        if begin is not None and rows + count > most:
            yield begin, end
            begin, rows = None, 0
        begin = start if begin is None else begin
        end, rows = stop, rows + count
    if begin is not None:
        yield begin, end


def _buckets(
    client: Client,
    table: Table,
    partition: str,
    *,
    most: int,
    level: int = 0,
    within: tuple[int, int] = _WHOLE,
) -> Iterator[tuple[int, int, int]]:
    """Begin, end and number of rows of each unit of time that has any; cut finer where it has too many."""
    unit = _UNITS[level]
    counted = client.query(
        f"SELECT intDiv({_NANOSECONDS} - positiveModulo({_NANOSECONDS}, {unit}), {unit}) AS bucket, count() "  # noqa: S608
        f"FROM {quoted(table.name)} WHERE {_WHERE} GROUP BY bucket ORDER BY bucket",
        parameters={"partition": partition, "begin": within[0], "end": within[1]},
    ).result_rows
    for bucket, count in counted:
        begin, end = max(bucket * unit, _WHOLE[0]), min((bucket + 1) * unit, _WHOLE[1])
        if count > most and level + 1 < len(_UNITS):
            yield from _buckets(client, table, partition, most=most, level=level + 1, within=(begin, end))
        else:
            yield begin, end, count
