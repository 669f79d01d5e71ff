"""Parquet files of an archive, as the engine and as SHA-256 see them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from activitylog.store.archive.file_engine import FileEngine
from activitylog.store.archive.fingerprint import Fingerprint, aggregates, from_row, structure, text
from activitylog.store.archive.manifest import Archive, Column, File, check_path

_BLOCK: Final = 1 << 20


def source(path: Path, columns: Sequence[Column]) -> str:
    """A file as a table, for FROM."""
    return f"file({text(str(check_path(path)))}, 'Parquet', {text(structure(columns))})"


def of_file(engine: FileEngine, path: Path, columns: Sequence[Column]) -> Fingerprint:
    """
    The fingerprint of the rows in a file.

    Raises:
        ArchiveError: it cannot be read.
    """
    sql = f"SELECT {aggregates(columns)} FROM {source(path, columns)}"  # noqa: S608 - quoted, ours
    return from_row(engine.rows(sql)[0])


def described(engine: FileEngine, path: Path, columns: Sequence[Column]) -> File:
    """What a manifest says of a file. Makes sure that its bytes are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    found = of_file(engine, path, columns)
    return File(path.name, found.rows, found.checksum, path.stat().st_size, sha256(path))


def sha256(path: Path) -> str:
    """Of a file's bytes, in 64 hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(archive: Archive) -> Fingerprint:
    """Of a piece, as its manifest says."""
    manifest = archive.manifest
    return Fingerprint(manifest.rows, manifest.checksum, manifest.min_time, manifest.max_time)
