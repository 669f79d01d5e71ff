"""
Rows taken out of an archive: what erasing a person needs.

A file is rewritten only if it holds such rows. The new one is read back and compared with what it should hold, the
manifest is replaced, and then the old one is removed: a crash leaves the old piece or the new one, and the next
call removes what is left over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from activitylog.exceptions import ArchiveError
from activitylog.store.archive.file_engine import FileEngine, file_engine
from activitylog.store.archive.fingerprint import (
    TIMES,
    Fingerprint,
    aggregates,
    computed,
    from_row,
    names,
    structure,
    text,
)
from activitylog.store.archive.lock import locked
from activitylog.store.archive.manifest import (
    Archive,
    File,
    Manifest,
    check_path,
    new_file_name,
    read,
    remove_leftovers,
    sync_folder,
    write,
)
from activitylog.store.archive.reading import described, sha256, source


def count_rows(archive: Archive, *, where: str, parameters: Mapping[str, Any]) -> int:
    """
    Count the rows of a piece for which a condition holds.

    Args:
        where: a condition of ClickHouse's SQL over the columns and aliases of the table, with ``{name:Type}``.
        parameters: its values.

    Raises:
        ArchiveError: a file is missing or cannot be read, or the condition is refused.
        StoreError: the embedded engine is not installed.
    """
    with file_engine() as engine:
        return sum(_count(engine, archive, path, where, parameters) for path in archive.files)


def rewrite(archive: Archive, *, keep: str, parameters: Mapping[str, Any]) -> int:
    """
    Keep the rows of a piece for which a condition holds, and remove the others.

    Args:
        keep: as ``where`` of :func:`count_rows`. A row for which it is NULL is removed.
        parameters: its values.

    Returns:
        How many rows were removed. A piece without rows keeps its manifest.

    Raises:
        ArchiveError: as :func:`count_rows`, or a file is not what the manifest says, or the new one does not hold
            what it should; the piece is as it was.
        StoreError: the embedded engine is not installed.

    Call :func:`archives` again afterwards: ``archive`` describes what was there before.
    """
    with locked(archive.path.parent), file_engine() as engine:
        current = read(archive.path)
        remove_leftovers(current)
        files = [_rewritten(engine, current, file, keep, parameters) for file in current.manifest.files]
        manifest = current.manifest.with_files(file for file in files if file is not None)
        removed = current.manifest.rows - manifest.rows
        if removed:
            sync_folder(current.path)
            write(current.path, _with_times(engine, current.path, manifest))
    return removed


def _count(engine: FileEngine, archive: Archive, path: Path, where: str, parameters: Mapping[str, Any]) -> int:
    sql = f"SELECT countIf(ifNull(({where}), 0)) FROM {_with_aliases(archive.manifest, path)}"  # noqa: S608
    return int(engine.rows(sql, parameters)[0][0])


def _rewritten(
    engine: FileEngine, archive: Archive, file: File, keep: str, parameters: Mapping[str, Any]
) -> File | None:
    """The file, or another one in its place; None when no row is left."""
    manifest, old = archive.manifest, archive.path / file.name
    kept = _count(engine, archive, old, keep, parameters)
    if kept == file.rows:
        return file
    if sha256(old) != file.sha256:
        raise ArchiveError(
            f"The file {str(old)!r} is not the one that was archived; nothing was removed from it.",
            hint=f"See what is wrong: activitylog archive verify {archive.path.parent}",
        )
    if kept == 0:
        return None
    new = archive.path / new_file_name(int(file.name.partition(".")[0]))
    rows = f"FROM {_with_aliases(manifest, old)} WHERE ifNull(({keep}), 0)"
    try:
        engine.rows(
            f"INSERT INTO FUNCTION file({text(str(check_path(new)))}, 'Parquet', "
            f"{text(structure(manifest.columns))}) SELECT {names(manifest.columns)} {rows} "
            f"ORDER BY {manifest.sorting_key}",
            parameters,
        )
        written = described(engine, new, manifest.columns)
        expected = from_row(engine.rows(f"SELECT {aggregates(manifest.columns)} {rows}", parameters)[0])
        if not expected.same_rows(Fingerprint(written.rows, written.checksum)):
            raise ArchiveError(f"The new file {str(new)!r} does not hold what it should; the old one was kept.")
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return written


def _with_times(engine: FileEngine, path: Path, manifest: Manifest) -> Manifest:
    """The manifest with the first and the last time of the rows that are left."""
    found = [
        engine.rows(f"SELECT {TIMES} FROM {source(path / file.name, manifest.columns)}")[0]  # noqa: S608
        for file in manifest.files
    ]
    return replace(
        manifest,
        min_time=min((str(first) for first, _ in found), default=""),
        max_time=max((str(last) for _, last in found), default=""),
    )


def _with_aliases(manifest: Manifest, path: Path) -> str:
    """A file as a table that has the aliases, too."""
    columns = f"{names(manifest.columns)}{computed(manifest.aliases)}"
    return f"(SELECT {columns} FROM {source(path, manifest.columns)})"  # noqa: S608
