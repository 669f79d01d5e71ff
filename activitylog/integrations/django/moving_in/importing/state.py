"""
How far an import is, on disk: written whole, and synced, before each chunk is sent.

One process has it at a time. It says which keys are done, which chunk may be under way, and what became of rows so
far; a process that was killed at any moment is followed by one that reads it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from activitylog.exceptions import StoreBusyError

_FORMAT: Final = 1
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._-]+")
_OWNER_ONLY: Final = 0o600


@dataclass(slots=True)
class Chunk:
    """
    A chunk that was begun.

    Attributes:
        after, last: its keys are behind the one, up to and with the other.
        began_ns: when, nanoseconds since the epoch.
    """

    after: Any
    last: Any
    began_ns: int


@dataclass(slots=True)
class Progress:
    """
    How far an import is.

    Attributes:
        run: random, part of the tokens of its inserts.
        check_from_ns: chunks with rows of this time or later are asked for before they are sent.
        after: the last key that is done; None before the first.
        begun: the chunk that was begun and may be under way.
        counts: what became of rows: ``read``, ``stored``, ``present``, ``refused``, ``left_out``, ``changed``.
        not_stored: rows refused or left out, by day and action (``"19723 LOGIN"``).
        refused_bytes: length of the file of refused rows.
        finished: the end of the table was reached.
    """

    run: str = field(default_factory=lambda: secrets.token_hex(8))
    check_from_ns: int = 0
    after: Any = None
    begun: Chunk | None = None
    counts: Counter[str] = field(default_factory=Counter)
    not_stored: Counter[str] = field(default_factory=Counter)
    refused_bytes: int = 0
    finished: bool = False

    def as_json(self) -> dict[str, Any]:
        """As it is written."""
        begun = None if self.begun is None else [self.begun.after, self.begun.last, self.begun.began_ns]
        return {
            "format": _FORMAT,
            "run": self.run,
            "check_from_ns": self.check_from_ns,
            "after": self.after,
            "begun": begun,
            "counts": self.counts,
            "not_stored": self.not_stored,
            "refused_bytes": self.refused_bytes,
            "finished": self.finished,
        }

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Progress:
        """As it was written."""
        begun = found["begun"]
        return cls(
            run=found["run"],
            check_from_ns=found["check_from_ns"],
            after=found["after"],
            begun=None if begun is None else Chunk(*begun),
            counts=Counter(found["counts"]),
            not_stored=Counter(found["not_stored"]),
            refused_bytes=found["refused_bytes"],
            finished=found["finished"],
        )


class State:
    """
    The files of one import: of one table, into one store.

    Args:
        directory: where they are; made if need be, for nobody else to read.
        table: what it is called in events.
        store: the store's URL, without secrets.

    Attributes:
        refused: path of the file of refused rows.
    """

    def __init__(self, directory: Path, table: str, store: str) -> None:
        name = f"{_UNUSUAL.sub('-', table)[:64]}-{hashlib.sha256(f'{table} {store}'.encode()).hexdigest()[:8]}"
        self._directory = directory
        self._path = directory / f"{name}.json"
        self._lock = directory / f"{name}.lock"
        self.refused = directory / f"{name}.refused.ndjson"

    @contextmanager
    def held(self) -> Iterator[None]:
        """
        Have it to oneself.

        Raises:
            StoreBusyError: another process has it.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreBusyError(
                    "Another process imports this table.", hint="Let it end, or end it; then go on with --resume."
                ) from None
            yield
        finally:
            os.close(lock)

    def load(self) -> Progress | None:
        """What the last import has left; None where there is none, or nobody can read it."""
        try:
            return Progress.of_json(json.loads(self._path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, progress: Progress) -> None:
        """Write it, so that it is there whatever happens from now on."""
        text = json.dumps(progress.as_json(), default=str).encode()
        new = self._path.with_suffix(".new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _OWNER_ONLY)
        try:
            os.write(file, text)
            os.fsync(file)
        finally:
            os.close(file)
        new.replace(self._path)
        self._sync_directory()

    def _sync_directory(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class RefusedRows:
    """
    The file of rows that no event could be made of: a JSON object a line, with the key, the reason and the row.

    Args:
        path: of the file.
        size: bytes of it that are to stay; what a process wrote for a chunk that it did not end is cut off.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        os.ftruncate(self._file, min(size, os.fstat(self._file).st_size))
        os.lseek(self._file, 0, os.SEEK_END)

    def write(self, key: Any, reason: str, row: Mapping[str, Any]) -> None:
        """Add one."""
        line = json.dumps({"pk": key, "reason": reason, "row": row}, default=str) + "\n"
        rest = memoryview(line.encode())
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def sync(self) -> int:
        """Have it on disk; returns how long it is."""
        os.fsync(self._file)
        return os.fstat(self._file).st_size

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
