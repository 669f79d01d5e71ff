"""
How the rows of verified pieces leave the table, and how a later run ends what a killed one began.

A table of one server moves its partition into the table beside (``side_table``), and a replicated one drops its
parts (``dropping``). ``create`` says what comes before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from activitylog.exceptions import ArchiveError
from activitylog.store.archive import side_table
from activitylog.store.archive.dropping import MixedError, begun, drop_parts, part_names, synchronise
from activitylog.store.archive.file_engine import FileEngine
from activitylog.store.archive.fingerprint import of_partition, of_parts
from activitylog.store.archive.manifest import Archive, pieces_of
from activitylog.store.archive.presence import presence
from activitylog.store.archive.side_table import ARCHIVING
from activitylog.store.archive.table import Partition, Parts, Table, parts, record
from activitylog.store.servers import Server

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Changed(Exception):  # noqa: N818 - no error: it begins again
    """Rows came while the partition was archived."""


@dataclass(frozen=True, slots=True)
class Run:
    """
    What all partitions of a shard share.

    Attributes:
        elsewhere: other shards, which have the rows of their pieces themselves.
    """

    server: Server
    elsewhere: frozenset[int]
    engine: FileEngine
    folder: Path
    table: Table
    rows_per_file: int
    progress: Callable[[Partition, int], None]

    @property
    def client(self) -> Client:
        return self.server.client

    @property
    def shard(self) -> int:
        return self.server.shard


def recover(run: Run, *, force: bool) -> None:
    """Bring to an end what a killed run left between the table and the archive."""
    if not run.table.replicated:
        side_table.recover(run.client, run.table, run.folder, force=force)
        return
    synchronise(run.server, run.table.name)
    for one in begun(run.client):
        if (one.folder, one.shard) != (str(run.folder), run.shard):
            continue
        pieces = [piece for piece in pieces_of(run.folder, one.partition) if piece.name == one.piece]
        if pieces and pieces[0].manifest.checksum == one.checksum:
            _finish(run, pieces, one.partition, one.parts)


def _finish(run: Run, pieces: Sequence[Archive], partition: str, names: Sequence[str]) -> bool:
    """
    Drop the parts that hold the rows of some pieces.

    Returns:
        Whether that was done; not, and nothing was dropped, if rows that came later are in a part with them.

    Raises:
        ArchiveError: they are, and some were dropped before.
    """
    try:
        drop_parts(run.client, run.table.name, partition, names)
    except MixedError as mixed:
        if any(presence(run.client, run.engine, run.table.name, piece) != "all" for piece in pieces):
            raise ArchiveError(
                f"The part {mixed.part} of {run.table.name} has rows that are archived, and some that came later; "
                "the other archived rows were dropped before.",
                hint=f"Nothing is lost. Move {pieces[0].path} away, restore it with --into beside, insert from "
                f"there what {run.table.name} lacks, and archive again.",
            ) from mixed
        action = "copied"
    else:
        action = "archived"
    for piece in pieces:
        record(run.client, action, piece, shard=run.shard)
    return action == "archived"


def take_out(run: Run, partition: str, pieces: Sequence[Archive], before: Parts) -> None:
    """
    Take the rows of verified pieces out of the table: steps 4 to 6 of ``create``.

    Args:
        before: the parts that held them when they were verified.

    Raises:
        Changed: rows came since; the table has all of them.
        ArchiveError: rows that came later are in a part with some of them.
    """
    if run.table.replicated:
        _drop_out(run, partition, pieces, before)
    else:
        _move_out(run, partition, pieces, before)


def _move_out(run: Run, partition: str, pieces: Sequence[Archive], before: Parts) -> None:
    """By way of the table beside."""
    client, table = run.client, run.table
    side_table.create(client, ARCHIVING, table, expires=True)
    try:
        side_table.move(client, table.name, ARCHIVING, partition)
        if parts(client, ARCHIVING, partition) != before:
            moved = of_partition(client, ARCHIVING, table.columns, partition)
            if not moved.same_rows(side_table.total(pieces)):
                side_table.move(client, ARCHIVING, table.name, partition)
                raise Changed
        for piece in pieces:
            record(client, "archived", piece)
        side_table.drop_partition(client, ARCHIVING, partition)
    finally:
        side_table.drop(client, ARCHIVING)


def _drop_out(run: Run, partition: str, pieces: Sequence[Archive], before: Parts) -> None:
    """Part by part, see ``dropping``."""
    client, table = run.client, run.table
    names = part_names(client, table.name, partition)
    if parts(client, table.name, partition) != before or part_names(client, table.name, partition) != names:
        names = part_names(client, table.name, partition)
        there = of_parts(client, table.name, table.columns, partition, names)
        if not there.same_rows(side_table.total(pieces)):
            raise Changed
    for piece in pieces:
        record(client, "dropping", piece, shard=run.shard, parts=names)
    if not _finish(run, pieces, partition, names):
        raise Changed
