"""
Is an archive what it was when it was made?

Bytes first (presence, size, SHA-256), then rows: each file is read by the engine, and its rows are counted and
summed up as they were when they left the table. Files that no manifest names are told, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activitylog.exceptions import ArchiveError
from activitylog.store.archive.file_engine import FileEngine, file_engine
from activitylog.store.archive.fingerprint import EMPTY, Fingerprint
from activitylog.store.archive.manifest import (
    MANIFEST,
    UNFINISHED,
    Archive,
    File,
    archives,
    lost_manifest,
    piece_folders,
    read,
)
from activitylog.store.archive.reading import of_file, sha256


@dataclass(frozen=True, slots=True)
class Checked:
    """
    A piece, looked at.

    Attributes:
        name: of the piece.
        rows: that its manifest promises.
        bytes: of its files, as promised.
        problems: what is wrong, a sentence each; empty when the archive is sound.
    """

    name: str
    rows: int
    bytes: int
    problems: tuple[str, ...] = ()


def verify(folder: Path) -> Iterator[Checked]:
    """
    Check all pieces of a folder, or the one that the folder is.

    Yields:
        Each piece, as it has been checked.

    Raises:
        ArchiveError: there is no such folder, or nothing in it that could be checked.
        StoreError: the embedded engine is not installed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        archives(folder)  # says so
    paths = [folder] if (folder / MANIFEST).exists() else piece_folders(folder)
    if not paths:
        raise ArchiveError(
            f"There are no archives in {str(folder)!r}.", hint="Name the folder of `archive create`."
        )
    with file_engine() as engine:
        for path in paths:
            yield _checked(engine, path)


def problems(engine: FileEngine, archive: Archive) -> list[str]:
    """What is wrong with a piece whose manifest can be read."""
    manifest = archive.manifest
    found = [problem for file in manifest.files if (problem := _of_bytes(archive, file))]
    if found:
        return found + _unnamed(archive)
    read_back = EMPTY
    for file in manifest.files:
        try:
            rows = of_file(engine, archive.path / file.name, manifest.columns)
        except ArchiveError as error:
            found.append(f"{file.name} cannot be read: {error.message}")
            continue
        if not rows.same_rows(Fingerprint(file.rows, file.checksum)):
            found.append(f"{file.name} holds other rows than the manifest says")
        read_back = _sum(read_back, rows)
    expected = Fingerprint(manifest.rows, manifest.checksum, manifest.min_time, manifest.max_time)
    if not found and read_back != expected:
        found.append("the files hold other rows than the manifest says")
    return found + _unnamed(archive)


def _checked(engine: FileEngine, path: Path) -> Checked:
    if not (path / MANIFEST).exists():
        if lost_manifest(path):
            return Checked(
                path.name, 0, 0, ("it has lost its manifest; any tool can read its Parquet files still",)
            )
        return Checked(path.name, 0, 0, ("it is unfinished: a run was killed, and the next one begins it again",))
    try:
        archive = read(path)
    except ArchiveError as error:
        return Checked(path.name, 0, 0, (error.message,))
    manifest = archive.manifest
    return Checked(archive.name, manifest.rows, manifest.bytes, tuple(problems(engine, archive)))


def _of_bytes(archive: Archive, file: File) -> str:
    path = archive.path / file.name
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"{file.name} has {size:,} bytes instead of {file.bytes:,}"
        if sha256(path) != file.sha256:
            return f"{file.name} has other bytes than when it was written"
    except FileNotFoundError:
        return f"{file.name} is missing"
    except OSError as error:
        return f"{file.name} cannot be read: {error.strerror or error}"
    return ""


def _unnamed(archive: Archive) -> list[str]:
    named = {file.name for file in archive.manifest.files} | {MANIFEST, UNFINISHED}
    extra = sorted(path.name for path in archive.path.iterdir() if path.name not in named)
    return [f"{name} is not in the manifest" for name in extra]


def _sum(one: Fingerprint, other: Fingerprint) -> Fingerprint:
    checksum = (int(one.checksum, 16) + int(other.checksum, 16)) % 2**128
    return Fingerprint(
        one.rows + other.rows,
        f"{checksum:032x}",
        min(one.min_time or other.min_time, other.min_time),
        max(one.max_time, other.max_time),
    )
