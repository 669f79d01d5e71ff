"""
What an archive is on disk: a folder a partition, Parquet files in it, and a manifest that says what they hold.

::

    FOLDER/
      202401/                     a piece: the rows of one partition, at one time
        manifest.json
        0001.5f0c9d.parquet       rows of a range of time, sorted as the table
        0002.5f0c9d.parquet
      202401.2/                   rows of the same partition that came after the first piece was taken

A piece exists when its manifest does; Parquet files that it does not name are what a killed process left. Files
are written under a name of their own, synced, and only then named by a manifest, which is replaced as a whole
(temporary file, fsync, rename, fsync of the folder). So a piece is whole or it is not there, and a rewritten one
is the old one or the new one. A folder that is being written says so by a file ``unfinished``: one that has
neither that nor a manifest has lost its manifest, and nobody writes there or clears it. Nothing here says whether
the rows are also in the table: the table is asked. Folders and files are their owner's alone (0700 and 0600).

The manifest, version 1, is JSON in UTF-8:

===============  =======================================================================================
format, version  ``"activitylog archive"``, 1. A reader refuses a version that it does not know
table            name of the table
partition        id of the partition, as in ``system.parts``
partition_key    its expression
sorting_key      of the table, and of each file
columns          of the files, in order: name, ClickHouse type. All stored columns of the table
aliases          columns that are computed when they are read: name, type, expression
rows             how many
min_time         of ``Timestamp``: ``2024-01-01T00:00:00.123456789Z``; empty without rows
max_time         likewise
checksum         over all rows, in any order: the sum, modulo 2^128, of ``sipHash128`` over each row in
                 RowBinary, maps sorted by key. 32 hexadecimal digits
files            name, rows, checksum, bytes, and sha256 of the bytes, for each
schema           the newest schema step of the database: ``0010_name``
made_at          when, in UTC
made_by          which version of activitylog, and of the engine
shard            of the cluster that the rows are from; 0 or missing where there was none
seal             SHA-256 of this document without ``seal``: keys sorted, ``separators=(",", ":")``
===============  =======================================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from activitylog.exceptions import ArchiveError

FORMAT: Final = "activitylog archive"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
UNFINISHED: Final = "unfinished"
#: The checksum of no rows.
NO_ROWS: Final = "0" * 32

_PIECE: Final = re.compile(r"([0-9A-Za-z_-]+)(?:\.([0-9]+))?")
#: Names of files that this package writes, finished or not.
_OURS: Final = re.compile(r"[0-9]{4,}\.[0-9a-f]{6}\.parquet|manifest\.json\.tmp|unfinished")
_PARQUET: Final = re.compile(r"[0-9]{4,}\.[0-9a-f]{6}\.parquet")
_GLOB: Final = re.compile(r"[*?{}\[\]]")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the files."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A column that is computed when it is read."""

    name: str
    type: str
    expression: str


@dataclass(frozen=True, slots=True)
class File:
    """
    A Parquet file of a piece.

    Attributes:
        checksum: over its rows, as the manifest's.
        sha256: of its bytes, 64 hexadecimal digits.
    """

    name: str
    rows: int
    checksum: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a piece holds; the table at the top of this module says what each field means."""

    table: str
    partition: str
    partition_key: str
    sorting_key: str
    columns: tuple[Column, ...]
    aliases: tuple[Alias, ...]
    rows: int
    min_time: str
    max_time: str
    checksum: str
    files: tuple[File, ...]
    schema: str
    made_at: str
    made_by: str
    shard: int = 0

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)

    def with_files(self, files: Iterable[File]) -> Manifest:
        """The same piece with other files; rows and checksum are theirs."""
        kept = tuple(files)
        total = sum(int(file.checksum, 16) for file in kept) % 2**128
        return replace(self, files=kept, rows=sum(file.rows for file in kept), checksum=f"{total:032x}")


@dataclass(frozen=True, slots=True)
class Archive:
    """
    A piece: the rows of one partition in one folder.

    Attributes:
        path: its folder.
        manifest: what it says it holds. Nothing is checked: :func:`~activitylog.store.archive.verify` does that.
    """

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """``202401``, or ``202401.2`` for rows that came later."""
        return self.path.name

    @property
    def files(self) -> list[Path]:
        """Paths of the Parquet files, in order."""
        return [self.path / file.name for file in self.manifest.files]


def archives(folder: Path) -> list[Archive]:
    """
    All pieces in a folder, oldest partition first; or the one, if the folder is a piece itself.

    Raises:
        ArchiveError: the folder is not there, or a manifest cannot be read or was edited.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArchiveError(f"There is no folder {str(folder)!r}.", hint="Name the one given to `archive create`.")
    if (folder / MANIFEST).is_file():
        return [read(folder)]
    return [read(path) for path in piece_folders(folder) if (path / MANIFEST).exists()]


def pieces_of(folder: Path, partition: str) -> list[Archive]:
    """
    The pieces of one partition, in order; reads no other manifest.

    Raises:
        ArchiveError: as :func:`archives`.
    """
    paths = (path for path in piece_folders(folder) if partition_of(path) == partition)
    return [read(path) for path in paths if (path / MANIFEST).exists()]


def piece_folders(folder: Path) -> list[Path]:
    """Folders that are named as pieces are, in order, whether or not they have a manifest."""
    found = [path for path in folder.iterdir() if path.is_dir() and _PIECE.fullmatch(path.name)]
    return sorted(found, key=lambda path: (partition_of(path), _number(path)))


def partition_of(path: Path) -> str:
    """The partition that a piece's folder is named after."""
    return path.name.partition(".")[0]


def next_path(folder: Path, partition: str) -> Path:
    """The folder of a partition's next piece: the first number that no piece has, with or without manifest."""
    if not _PIECE.fullmatch(partition):
        raise ArchiveError(f"The partition id {partition!r} cannot be the name of a folder.")
    number = 1
    while True:
        path = folder / (partition if number == 1 else f"{partition}.{number}")
        if not (path / MANIFEST).exists() and not lost_manifest(path):
            return path
        number += 1


def lost_manifest(path: Path) -> bool:
    """Whether a folder holds files of a piece, and nothing that says which or that they are unfinished."""
    if not path.is_dir() or (path / MANIFEST).exists() or (path / UNFINISHED).exists():
        return False
    return any(_PARQUET.fullmatch(child.name) for child in path.iterdir())


def new_file_name(number: int) -> str:
    """A name for a piece's file that it never had before."""
    return f"{number:04d}.{secrets.token_hex(3)}.parquet"


def _number(path: Path) -> int:
    return int(path.name.partition(".")[2] or 1)


def check_path(folder: Path) -> Path:
    """
    The folder's absolute path, which the engine will read as a pattern.

    Raises:
        ArchiveError: a character in it means something in a pattern.
    """
    absolute = Path(folder).absolute()
    if _GLOB.search(str(absolute)):
        raise ArchiveError(
            f"The folder {str(folder)!r} has one of the characters * ? {{ }} [ ] in its path.",
            hint="The engine takes them for a pattern. Name another folder.",
        )
    return absolute


def read(path: Path) -> Archive:
    """
    Read a piece's manifest.

    Raises:
        ArchiveError: it is not there, not of a version that this one knows, or was edited.
    """
    try:
        document = json.loads((path / MANIFEST).read_bytes())
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("it is no manifest of an archive")
        if document.get("version") != VERSION:
            raise ArchiveError(
                f"The archive {str(path)!r} has version {document.get('version')!r}; this one reads {VERSION}.",
                hint="Install a newer version of activitylog.",
            )
        if document.get("seal") != _seal(document):
            raise ValueError("it does not match its seal: it was edited or damaged")
        return Archive(path, _parse(document))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ArchiveError(
            f"The manifest of the archive {str(path)!r} cannot be used: {reason}.",
            hint="Take the folder from a backup. Its Parquet files can still be read by any tool.",
        ) from error


def _parse(document: dict[str, Any]) -> Manifest:
    document = {"shard": 0, **document}
    fields = {name: document[name] for name in Manifest.__dataclass_fields__}
    fields["columns"] = tuple(Column(**column) for column in document["columns"])
    fields["aliases"] = tuple(Alias(**alias) for alias in document["aliases"])
    fields["files"] = tuple(File(**file) for file in document["files"])
    if any(not _PARQUET.fullmatch(file.name) for file in fields["files"]):
        raise ValueError("it names files that no archive has")
    return Manifest(**fields)


def write(path: Path, manifest: Manifest) -> Archive:
    """
    Make the manifest the piece's, in one step that a crash leaves undone or done; then remove what it lacks.

    The files that it names must be on disk and synced.
    """
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
    document["seal"] = _seal(document)
    temporary = path / f"{MANIFEST}.tmp"
    temporary.unlink(missing_ok=True)
    with open(temporary, "xb", opener=private) as file:
        file.write(json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path / MANIFEST)
    sync_folder(path)
    archive = Archive(path, manifest)
    remove_leftovers(archive)
    return archive


def remove(archive: Archive) -> None:
    """Remove a piece: it is whole, and then it is unfinished."""
    mark_unfinished(archive.path)
    (archive.path / MANIFEST).unlink(missing_ok=True)
    sync_folder(archive.path)
    clear(archive.path)
    archive.path.rmdir()
    sync_folder(archive.path.parent)


def mark_unfinished(path: Path) -> None:
    """Say that the files in a folder without a manifest are nothing yet, or nothing any more."""
    (path / UNFINISHED).touch(mode=0o600)
    sync_folder(path)


def clear(path: Path) -> None:
    """Remove the files that this package wrote into a folder without a manifest; the mark goes last."""
    for leftover in sorted(_ours(path), key=lambda path: path.name == UNFINISHED):
        leftover.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> int:
    """
    Remove what killed runs left in a folder of archives: files that belong to no piece, but hold rows.

    The folder must not be worked on at the same time: :func:`~activitylog.store.archive.lock.locked`.

    Returns:
        How many files that were.

    Raises:
        ArchiveError: as :func:`archives`.
    """
    removed = 0
    for path in piece_folders(folder):
        before = len(list(path.iterdir()))
        if (path / MANIFEST).exists():
            remove_leftovers(read(path))
        elif (path / UNFINISHED).exists():
            clear(path)
        removed += before - len(list(path.iterdir()))
    return removed


def remove_leftovers(archive: Archive) -> None:
    """Remove files that a killed process left in a piece: ours by their name, and not in the manifest."""
    named = {file.name for file in archive.manifest.files}
    for leftover in _ours(archive.path):
        if leftover.name not in named:
            leftover.unlink(missing_ok=True)
    sync_folder(archive.path)


def _ours(path: Path) -> Iterator[Path]:
    return (child for child in list(path.iterdir()) if _OURS.fullmatch(child.name))


def private(path: str, flags: int) -> int:
    """The ``opener`` of a file that holds personal data: nobody but its owner reads it, whatever the umask."""
    return os.open(path, flags, 0o600)


def sync_folder(path: Path) -> None:
    """Make names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seal(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "seal"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
