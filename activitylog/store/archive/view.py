"""Archives asked in place: an engine in memory, with a view over the Parquet files that looks like the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import ArchiveError
from activitylog.store.archive.fingerprint import computed, names, quoted, structure, text
from activitylog.store.archive.manifest import Archive, Column, archives, check_path
from activitylog.store.client import connect
from activitylog.store.columns import EVENTS_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: The view's second name.
ARCHIVE_VIEW: Final = "archive"


def open_archives(folder: Path, *, partitions: Sequence[str] = ()) -> Client:
    """
    Open a folder of archives as a store that can be asked: ``activity_events``, also called ``archive``.

    It has the columns and aliases of the table, so the named questions about events run on it as they are.
    Roll-ups and counters are not in it: the database has them still. A limit on the time opens only the files that
    it needs.

    Args:
        folder: of archives, or one of its pieces.
        partitions: only these; all by default.

    Returns:
        A client, to be closed by the caller.

    Raises:
        ArchiveError: no such folder or partition, a manifest that cannot be read, a file that is missing or cut.
        StoreError: the embedded engine is not installed, or this process has an embedded store open.
    """
    chosen = choose(archives(folder), partitions, folder)
    client = connect("chdb://memory")
    try:
        attach(client, chosen)
    except BaseException:
        client.close()
        raise
    return client


def choose(found: Sequence[Archive], partitions: Sequence[str], folder: Path) -> list[Archive]:
    """
    The pieces of these partitions, or all.

    Raises:
        ArchiveError: there is none of a partition.
    """
    there = {archive.manifest.partition for archive in found}
    for partition in partitions:
        if partition not in there:
            raise ArchiveError(
                f"There is no archive of the partition {partition!r} in {str(folder)!r}.",
                hint=f"There are: {', '.join(sorted(there)) or 'none'}.",
            )
    return [archive for archive in found if not partitions or archive.manifest.partition in partitions]


def attach(client: Client, pieces: Sequence[Archive]) -> None:
    """
    Make the views over some pieces in an embedded engine.

    Raises:
        ArchiveError: there are no pieces, or one lacks a file: its rows would be missing in every answer.
    """
    if not pieces:
        raise ArchiveError("There are no archives to ask.", hint="`activitylog archive create` makes them.")
    for piece in pieces:
        _check_files(piece)
    newest = max(pieces, key=lambda piece: (len(piece.manifest.columns), piece.manifest.made_at)).manifest
    columns = _all_columns(newest.columns, pieces)
    aliases = computed(newest.aliases)
    rows = " UNION ALL ".join(f"({_select(group, columns)})" for group in _groups(pieces))
    for view in (EVENTS_TABLE, ARCHIVE_VIEW):
        client.command(f"CREATE VIEW {view} AS SELECT {names(columns)}{aliases} FROM ({rows})")  # noqa: S608


def _check_files(piece: Archive) -> None:
    for file, path in zip(piece.manifest.files, piece.files, strict=True):
        size = path.stat().st_size if path.is_file() else None
        if size != file.bytes:
            wrong = "is missing" if size is None else f"has {size:,} bytes instead of {file.bytes:,}"
            raise ArchiveError(
                f"The file {str(path)!r} {wrong}: answers would lack its rows.",
                hint=f"See what else is wrong: activitylog archive verify {piece.path.parent}",
            )


def _all_columns(newest: tuple[Column, ...], pieces: Iterable[Archive]) -> tuple[Column, ...]:
    """The newest columns, and those that only older pieces have."""
    known = {column.name: column for column in newest}
    for piece in pieces:
        for column in piece.manifest.columns:
            known.setdefault(column.name, column)
    return tuple(known.values())


def _groups(pieces: Sequence[Archive]) -> list[list[Archive]]:
    """Pieces of one folder with the same columns, together."""
    groups: dict[tuple[Path, tuple[Column, ...]], list[Archive]] = {}
    for piece in pieces:
        groups.setdefault((check_path(piece.path.parent), piece.manifest.columns), []).append(piece)
    return list(groups.values())


def _select(group: Sequence[Archive], columns: Sequence[Column]) -> str:
    """The rows of a group with all columns; those that it lacks have their type's default."""
    own = {column.name: column for column in group[0].manifest.columns}
    values = ", ".join(_value(column, own.get(column.name)) for column in columns)
    paths = [f"{piece.name}/{path.name}" for piece in group for path in piece.files]
    shape = text(structure(group[0].manifest.columns))
    if not paths:
        return f"SELECT {values} FROM null({shape})"  # noqa: S608 - quoted, ours
    pattern = f"{{{','.join(paths)}}}" if len(paths) > 1 else paths[0]
    files = text(f"{check_path(group[0].path.parent)}/{pattern}")
    return f"SELECT {values} FROM file({files}, 'Parquet', {shape})"  # noqa: S608 - quoted, ours


def _value(column: Column, own: Column | None) -> str:
    if own is None:
        return f"defaultValueOfTypeName({text(column.type)}) AS {quoted(column.name)}"
    if own.type != column.type:
        return f"CAST({quoted(column.name)}, {text(column.type)}) AS {quoted(column.name)}"
    return quoted(column.name)
