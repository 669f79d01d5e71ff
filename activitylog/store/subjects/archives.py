"""
A subject in archives: which of their files hold its rows, and the same files without them.

Archives are folders of Parquet files on this machine. Those that the database has a record of are looked at
without being named; one that is recorded and not here is reported: it may be on another machine, and hold the
person still.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.store.archive import Archive, archives, count_rows, rewrite
from activitylog.store.archive.file_engine import file_engine
from activitylog.store.archive.lock import check_free
from activitylog.store.archive.manifest import MANIFEST, partition_of
from activitylog.store.subjects.mentions import MentionsMode, erased_rows, holds_text, mentioned
from activitylog.store.subjects.subject import Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_RECORDED: Final = """
SELECT Folder, groupUniqArrayIf(Partition, Piece != '') FROM activity_archives GROUP BY Folder ORDER BY Folder
"""


@dataclass(frozen=True, slots=True)
class ArchiveFound:
    """
    A subject's rows in one piece of an archive.

    Attributes:
        path: folder of the piece.
        files: that hold such rows.
        rows: that go.
        mentions: rows that stay and mention the subject, exactly or in texts.
        strays: Parquet files beside it that no manifest names: what a killed process left.
    """

    path: Path
    files: int
    rows: int
    mentions: int
    strays: int


def folders(client: Client, given: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """
    The folders of archives: those given, and those that the database has a record of.

    Returns:
        The folders to look at, and recorded ones that are not on this machine. A folder that lacks partitions
        that were archived to it counts as one that is not: a disk may be mounted there.
    """
    rows = client.query(_RECORDED).result_rows
    recorded = [Path(folder) for folder, _ in rows]
    every = sorted({path.absolute() for path in given} | {path for path in recorded if path.is_dir()})
    return every, [Path(folder) for folder, partitions in rows if not _is_here(Path(folder), set(partitions))]


def _is_here(folder: Path, partitions: set[str]) -> bool:
    """Whether a recorded folder is on this machine, with pieces of all partitions that were archived there."""
    return folder.is_dir() and partitions <= {partition_of(path.parent) for path in folder.glob(f"*/{MANIFEST}")}


def find_in_archives(paths: Sequence[Path], subject: Subject, mode: MentionsMode) -> list[ArchiveFound]:
    """
    Count a subject's rows in archives, piece by piece; pieces without any are left out.

    Raises:
        ArchiveError: a folder is not there, or a file cannot be read.
        StoreError: the embedded engine, which reads Parquet, is not installed.
    """
    if not paths:
        return []
    with file_engine():
        found = [_found(piece, subject, mode) for piece in _pieces(paths)]
    unnamed = [_unnamed(path) for folder in paths for path in sorted(folder.iterdir()) if path.is_dir()]
    return [one for one in [*found, *unnamed] if one.files or one.mentions or one.strays]


def erase_from_archives(paths: Sequence[Path], subject: Subject, mode: MentionsMode) -> tuple[int, int]:
    """
    Rewrite the files that hold rows of a subject.

    Returns:
        The number of files, and of rows that went.

    Raises:
        ArchiveError: as :func:`find_in_archives`, or somebody is archiving, or a file is damaged; then it is as it
            was.
    """
    for path in paths:
        # Who archives has read the table before its rows went, and writes them where nobody has looked.
        check_free(path.parent if (path / MANIFEST).exists() else path)
    found = {one.path: one for one in find_in_archives(paths, subject, mode)}
    files = rows = 0
    if not any(one.files or one.strays for one in found.values()):
        return files, rows
    with file_engine():
        for piece in _pieces(paths):
            one = found.get(piece.path)
            if one is None or not (one.files or one.strays):
                continue
            # In a column of the owner's that may be NULL nobody is mentioned: without ifNull the row would go.
            keep = f"NOT ifNull(({_condition(piece, subject, mode)}), 0)"
            rows += rewrite(piece, keep=keep, parameters=subject.parameters)
            files += one.files
    return files, rows


def _pieces(paths: Sequence[Path]) -> list[Archive]:
    """All pieces, each once: a folder of pieces and one of its pieces may both be named."""
    return list({piece.path.resolve(): piece for path in paths for piece in archives(path)}.values())


def _found(piece: Archive, subject: Subject, mode: MentionsMode) -> ArchiveFound:
    condition = _condition(piece, subject, mode)
    rows = [count_rows(one, where=condition, parameters=subject.parameters) for one in _single_files(piece)]
    kept = f"NOT ifNull(({condition}), 0) AND {subject.within} AND ({mentioned(subject, 'text', _texts(piece))})"
    mentions = count_rows(piece, where=kept, parameters=subject.parameters)
    return ArchiveFound(piece.path, sum(n > 0 for n in rows), sum(rows), mentions, len(_strays(piece)))


def _single_files(piece: Archive) -> Iterator[Archive]:
    return (replace(piece, manifest=piece.manifest.with_files([file])) for file in piece.manifest.files)


def _condition(piece: Archive, subject: Subject, mode: MentionsMode) -> str:
    return erased_rows(subject, mode, _texts(piece))


def _texts(piece: Archive) -> list[str]:
    return [column.name for column in piece.manifest.columns if holds_text(column.name, column.type)]


def _strays(piece: Archive) -> list[Path]:
    named = set(piece.files)
    return [path for path in piece.path.glob("*.parquet") if path not in named]


def _unnamed(path: Path) -> ArchiveFound:
    """A folder that is no piece, and what lies in it."""
    is_piece = (path / "manifest.json").exists()
    return ArchiveFound(path, 0, 0, 0, 0 if is_piece else len(list(path.glob("*.parquet"))))
