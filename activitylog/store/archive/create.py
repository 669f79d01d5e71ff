"""
Partitions out of the table, into archives.

The order, for one partition, and why it is this one:

1. The rows are written to Parquet from the table itself, and each file is read back by another engine. Queries see
   all rows meanwhile.
2. The files' rows are compared with the table's, by number and checksum. If rows came in the meantime, again.
3. The manifest makes the piece exist. From here on the archive is whole, and nothing has left the table.
4. ``MOVE PARTITION`` takes the partition out of the table in one step, into a table beside it. Rows that come
   later form the partition anew and are touched by nothing: there is no moment between a last look and a drop.
5. What was moved is compared with what was written: the parts by the engine's own hashes, or, if they were merged
   meanwhile, the rows by checksum. If a row slipped in before the move, the partition moves back, and all begins
   again.
6. The record is written, and the partition is dropped in the table beside.

Of a cluster each shard is archived for itself, from one server of it that has all rows. There, and wherever a
table is replicated, steps 4 to 6 are others: see ``leaving``.

Exporting from the table beside (moving first) would need no second look, but would hide the rows from queries for
as long as the export takes; here it is the time of two short statements. A run that is killed leaves a piece
without a manifest (written again), a piece and the rows in the table (compared, not written again), or the
partition in the table beside (dropped if the archive holds it, else moved back): see ``side_table``.

Roll-ups and counters stay as they are: they outlive the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from activitylog._version import __version__
from activitylog.exceptions import ArchiveError
from activitylog.store.archive import side_table
from activitylog.store.archive.export import ROWS_PER_FILE, write_partition
from activitylog.store.archive.file_engine import file_engine
from activitylog.store.archive.fingerprint import Fingerprint, of_partition, of_table, row_hash
from activitylog.store.archive.leaving import Changed, Run, recover, take_out
from activitylog.store.archive.lock import locked
from activitylog.store.archive.manifest import (
    MANIFEST,
    NO_ROWS,
    Archive,
    File,
    Manifest,
    check_path,
    clear,
    mark_unfinished,
    next_path,
    pieces_of,
    read,
    remove,
    remove_leftovers,
    sync_folder,
    write,
)
from activitylog.store.archive.presence import presence
from activitylog.store.archive.reading import of_file, source
from activitylog.store.archive.table import (
    Partition,
    Parts,
    announce,
    describe,
    partitions_of,
    parts,
    record,
)
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.migrations import MIGRATIONS_TABLE
from activitylog.store.servers import servers

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Action = Literal["archived", "copied", "failed"]

#: Rows of a piece that are compared at once, by hashes of 16 bytes.
_COMPARED_ROWS: Final = 20_000_000
#: How often a partition into which rows come is begun again.
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a partition.

    Attributes:
        action: ``archived``: its rows are in the archive only; ``copied``: in the table, too; ``failed``: the
            table has them, and the archive is as it was.
        pieces: names of the pieces that hold it.
        rows: of these.
        bytes: of their files.
        written: whether files were written now, or were there already.
        reason: why it failed.
        shard: of a cluster; 0 where there is none.
    """

    partition: str
    action: Action
    pieces: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    written: bool = False
    reason: str = ""
    shard: int = 0


def create(
    client: Client,
    folder: Path,
    *,
    before: datetime,
    keep: bool = False,
    rows_per_file: int = ROWS_PER_FILE,
    take_over: bool = False,
    progress: Callable[[Partition, int], None] = lambda _partition, _rows: None,
) -> Iterator[Outcome]:
    """
    Archive the partitions whose newest event is older than a time.

    Args:
        client: of the store; in the database that holds the table.
        folder: where the pieces go; made if need be. One folder a store.
        before: an aware time.
        keep: leave the rows in the table.
        rows_per_file: at most, unless one second has more.
        take_over: what a killed run of another machine left belongs to nobody.
        progress: told the partition and how many of its rows have been written.

    Yields:
        What became of each partition, shard by shard, oldest first. Nothing happens before the first is asked
        for. A partition that fails does not stop the others.

    Raises:
        ArchiveError: the folder cannot be used, or somebody else is at work.
        SchemaError: a table is missing.
        StoreUnavailableError: no server of a shard answers; nothing was changed.
        StoreError: the embedded engine, which reads the files back, is not installed.
    """
    folder = check_path(folder)
    with servers(client) as reached:
        table = reached.table(EVENTS_TABLE)
        described = [(server, describe(server.client, table)) for server in reached.one_of_each]
        _make(folder)
        with locked(folder), file_engine() as engine:
            shards = frozenset(server.shard for server in reached.one_of_each)
            runs = [
                Run(server, shards - {server.shard}, engine, folder, table, rows_per_file, progress)
                for server, table in described
            ]
            for run in runs:
                recover(run, force=take_over)
            for run in runs:
                yield from _archive_all(run, before, keep)


def _archive_all(run: Run, before: datetime, keep: bool) -> Iterator[Outcome]:
    for partition in partitions_of(run.server, run.table.name, before=before):
        announce(run.client, run.folder)
        try:
            yield _archive(run, partition, keep)
        except ArchiveError as error:
            yield Outcome(partition.id, "failed", reason=str(error), shard=run.shard)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f"The folder {str(folder)!r} cannot be made: {error.strerror}.") from error


def _archive(run: Run, partition: Partition, keep: bool) -> Outcome:
    for _ in range(_ATTEMPTS):
        try:
            return _attempt(run, partition, keep)
        except Changed:
            continue
    raise ArchiveError(
        f"Rows came into the partition {partition.id} each of the {_ATTEMPTS} times that it was being archived.",
        hint="Its time is not over yet. Try again later, or with an earlier limit.",
    )


def _attempt(run: Run, partition: Partition, keep: bool) -> Outcome:
    before = parts(run.client, run.table.name, partition.id)
    rows = of_partition(run.client, run.table.name, run.table.columns, partition.id)
    held = _pieces_in_table(run, partition.id, rows)
    pieces = side_table.archived_as(rows, run.table.columns, held)
    written = not pieces
    for other in [piece for piece in held if pieces and piece not in pieces]:
        # A run that was killed has put its rows into a piece together with later ones.
        _check_replaced(run, other, pieces[0].path, pieces[0].manifest.files)
        remove(other)
    if written:
        piece, before = _write(run, partition, held)
        pieces = [piece]
    if not keep:
        take_out(run, partition.id, pieces, before)
    elif written:
        record(run.client, "copied", pieces[0], shard=run.shard)
    return Outcome(
        partition.id,
        "copied" if keep else "archived",
        tuple(piece.name for piece in pieces),
        sum(piece.manifest.rows for piece in pieces),
        sum(piece.manifest.bytes for piece in pieces),
        written,
        shard=run.shard,
    )


def _pieces_in_table(run: Run, partition: str, rows: Fingerprint) -> list[Archive]:
    """
    The pieces of a partition whose rows the table has: copies, or restored ones.

    Raises:
        ArchiveError: of one it has some rows and others not; which are right nobody can tell.
    """
    held = []
    for piece in pieces_of(run.folder, partition):
        if piece.manifest.shard in run.elsewhere:
            continue
        found = presence(run.client, run.engine, run.table.name, piece, rows)
        if found == "some":
            raise _some_of(piece)
        if found == "all":
            held.append(piece)
    return held


def _write(run: Run, partition: Partition, replaced: list[Archive]) -> tuple[Archive, Parts]:
    """
    Write a piece in place of those that the table holds, and compare it.

    Returns:
        The piece, and the parts of the table that hold its rows.
    """
    path = replaced[0].path if replaced else next_path(run.folder, partition.id)
    with _cleared(path):
        files = write_partition(
            run.client,
            run.engine,
            path,
            run.table,
            partition.id,
            rows_per_file=run.rows_per_file,
            progress=lambda done: run.progress(partition, done),
        )
        before = parts(run.client, run.table.name, partition.id)
        rows = of_partition(run.client, run.table.name, run.table.columns, partition.id)
        manifest = _manifest(run, partition.id, rows, files)
        if not rows.same_rows(Fingerprint(manifest.rows, manifest.checksum)):
            _check_lossless(run, partition.id, path, files, rows)
            raise Changed
        for other in replaced:
            _check_replaced(run, other, path, files)
    archive = write(path, manifest)
    for other in replaced[1:]:
        remove(other)
    return archive, before


def _check_replaced(run: Run, old: Archive, path: Path, files: Iterable[File]) -> None:
    """
    Make sure that files have every row of a piece that they replace: that the table has them was only sampled.

    Raises:
        ArchiveError: they lack some.
    """
    columns, times = old.manifest.columns, range(1 + old.manifest.rows // _COMPARED_ROWS)
    hashes = row_hash(columns, cast=True)
    read = [(1, source(one, columns)) for one in old.files]
    read += [(-1, source(path / one.name, run.table.columns)) for one in files]
    every = " UNION ALL ".join(f"SELECT {hashes} AS h, {side} AS old FROM {rows}" for side, rows in read)  # noqa: S608
    for rest in times:
        sql = (
            f"SELECT count() FROM (SELECT h FROM ({every}) "  # noqa: S608
            f"WHERE h % {len(times)} = {rest} GROUP BY h HAVING sum(old) > 0)"
        )
        if old.files and int(run.engine.rows(sql)[0][0]):
            raise _some_of(old)


def _some_of(piece: Archive) -> ArchiveError:
    return ArchiveError(
        f"The table has some of the rows of the piece {piece.name}, and others not.",
        hint=f"If the table is right, move {piece.path} away; if the archive is, drop the partition.",
    )


@contextmanager
def _cleared(path: Path) -> Iterator[None]:
    """A folder for a piece, without what a killed run left; after an error it is as it was."""
    path.mkdir(mode=0o700, exist_ok=True)
    sync_folder(path.parent)
    _remove_unnamed(path)
    if not (path / MANIFEST).exists():
        mark_unfinished(path)
    try:
        yield
    except BaseException:
        _remove_unnamed(path)
        if not (path / MANIFEST).exists() and not list(path.iterdir()):
            path.rmdir()
        raise


def _remove_unnamed(path: Path) -> None:
    if (path / MANIFEST).exists():
        remove_leftovers(read(path))
    else:
        clear(path)


def _manifest(run: Run, partition: str, rows: Fingerprint, files: list[File]) -> Manifest:
    empty = Manifest(
        table=EVENTS_TABLE,
        partition=partition,
        partition_key=run.table.partition_key,
        sorting_key=run.table.sorting_key,
        columns=run.table.columns,
        aliases=run.table.aliases,
        rows=0,
        min_time=rows.min_time,
        max_time=rows.max_time,
        checksum=NO_ROWS,
        files=(),
        schema=_schema_step(run.client),
        made_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        made_by=f"activitylog {__version__}, ClickHouse {run.client.server_version}",
        shard=run.shard,
    )
    return empty.with_files(files)


def _schema_step(client: Client) -> str:
    if not side_table.exists(client, MIGRATIONS_TABLE):
        return ""
    found = client.query(f"SELECT number, name FROM {MIGRATIONS_TABLE} ORDER BY number DESC LIMIT 1").result_rows  # noqa: S608
    return f"{found[0][0]:04d}_{found[0][1]}" if found else ""


def _check_lossless(run: Run, partition: str, path: Path, files: list[File], rows: Fingerprint) -> None:
    """
    Files and table differ: did rows come, or is there a column that does not survive the way?

    Raises:
        ArchiveError: the latter.
    """
    if sum(file.rows for file in files) != rows.rows:
        return
    time = tuple(column for column in run.table.columns if column.name == "Timestamp")
    for column in run.table.columns:
        one = time if column in time else (*time, column)
        where = "_partition_id = {partition:String}"
        table = of_table(run.client, run.table.name, one, where=where, parameters={"partition": partition})
        read = [of_file(run.engine, path / file.name, one) for file in files]
        checksum = sum(int(found.checksum, 16) for found in read) % 2**128
        if (table.rows, int(table.checksum, 16)) != (sum(found.rows for found in read), checksum):
            raise ArchiveError(
                f"The column {column.name} ({column.type}) reads differently from Parquet than from the table.",
                hint="Nothing was dropped. Change its type to one that Parquet has, or leave this table as it is.",
            )
