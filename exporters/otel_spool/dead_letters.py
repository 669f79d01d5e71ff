"""
Dead letters: events that the backend refused for good, kept with the reason.

Each process writes files of its own into the folder ``dead``, in the format of all files of a spool: a header,
then for each event its source, a ``LETTER`` frame with the reason, and the event itself. A file that is written to
is locked. The oldest files go when they are more than their share of the spool. Who delivers letters after all
adds ``TOLD`` frames until the file goes, with the offsets of those that are done with: they arrived, and somebody
was told so, or they were refused again, and there is another letter.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_spool.codec import decode_record, decode_source, encode_record, encode_source
from otel_spool.exceptions import CorruptError
from otel_spool.filesystem import AppendFile, FileSystem, Lock
from otel_spool.frame import EVENT_KINDS, Frame, Kind, pack, scan
from otel_spool.quarantine import size_of
from otel_spool.segment import header, seed_of

FOLDER: Final = "dead"
SUFFIX: Final = ".letters"
#: A file is not written to beyond that, or a quarter of what all may take.
_FILE_BYTES: Final = 4 * 1024 * 1024
#: New files that somebody may take from us, one after the other, before a letter is given up.
_FILES_TRIED: Final = 5


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that was refused; ``offset`` is its place in the file."""

    record: ReadableLogRecord
    reason: str
    detail: str
    refused_ns: int
    path: Path
    offset: int


class DeadLetters:
    """
    Writes letters. Thread-safe; not to be used on after a fork.

    Args:
        directory: of the spool.
        max_bytes: of all files together.
    """

    def __init__(
        self, filesystem: FileSystem, directory: Path, *, max_bytes: int, now_ns: Callable[[], int]
    ) -> None:
        self._filesystem = filesystem
        self._folder = directory / FOLDER
        self._max_bytes = max_bytes
        self._file_bytes = min(_FILE_BYTES, max_bytes // 4)
        self._now_ns = now_ns
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._file: AppendFile | None = None
        self._path: Path | None = None
        self._letters = 0
        self._held: Lock | None = None
        self._size = 0
        self._seed = 0

    def write(self, record: ReadableLogRecord, reason: str, detail: str) -> bool:
        """Keep one event; False when that could not be written."""
        try:
            about = json.dumps({"reason": reason, "detail": detail, "ns": self._now_ns()}).encode("ascii")
            source = encode_source(record.resource, record.instrumentation_scope)
            # Before the lock is taken: the text of a value may be made by code that emits, and waits for others.
            kind, payload = encode_record(record, 1)
            with self._lock:
                self._write((Kind.SOURCE, 1, source), (Kind.LETTER, 0, about), (kind, 0, payload))
        except Exception:  # noqa: BLE001 - a full disk, or a value that cannot be written: the loss is counted anyway
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def abandon(self) -> None:
        """In a forked child: close our copies of the parent's file and its lock, and leave both to it."""
        self._close(forked=True)  # without our own lock: a thread that the child does not have may hold it

    def _close(self, *, forked: bool = False) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()
        held, self._held = self._held, None
        if held is not None:
            with suppress(OSError):
                if forked:
                    held.abandon()
                else:
                    held.release()

    def _write(self, *letter: tuple[int, int, bytes]) -> None:
        file = self._open_file() or self._open()
        frames = b"".join(pack(kind, number, payload, self._seed) for kind, number, payload in letter)
        try:
            if file.write(frames) != len(frames):
                file.truncate(self._size)
                raise OSError("a write was cut short")
        except OSError:
            self._give_up_file()  # the next letter goes to another one
            raise
        self._size += len(frames)
        self._letters += 1

    def _give_up_file(self) -> None:
        """Close it, and leave none without letters: on a full disk each event that is refused would add one."""
        if not self._letters and self._path is not None:
            with suppress(OSError):
                self._filesystem.unlink(self._path)
        self._close()

    def _open_file(self) -> AppendFile | None:
        """The file that is open, if it takes more and nobody has removed it."""
        is_there = self._held is not None and self._held.is_there()
        return self._file if is_there and self._size < self._file_bytes else None

    def _open(self) -> AppendFile:
        self._close()
        self._filesystem.make_folder(self._folder)
        self._make_room()
        self._seed, self._letters = int.from_bytes(os.urandom(4), "little"), 0
        try:
            path = self._lock_new_file()
            self._file = file = self._filesystem.open_append(path)
            first = header(self._seed, self._now_ns(), os.getpid())
            if file.write(first) != len(first):
                raise OSError("a write was cut short")
        except OSError:
            self._give_up_file()
            raise
        self._size = len(first)
        return file

    def _lock_new_file(self) -> Path:
        # Locked before it is opened: of one that is not, another process may take the letters, and remove it.
        for _ in range(_FILES_TRIED):
            name = f"{self._now_ns():020d}-{self._name}-{next(self._numbers):06d}{SUFFIX}"
            self._path = path = self._folder / name
            self._held = self._filesystem.lock(path)
            if self._held is not None:
                return path
            self._path = None  # theirs
        raise OSError("other processes have taken each new file")

    def _make_room(self) -> None:
        paths = letter_files(self._filesystem, self._folder.parent)
        sizes = [size_of(self._filesystem, path) for path in paths]
        total = sum(sizes) + self._file_bytes
        for path, size in zip(paths, sizes, strict=True):
            if total <= self._max_bytes:
                return
            with suppress(FileNotFoundError):  # another process was faster
                self._filesystem.unlink(path)
            total -= size


def letter_files(filesystem: FileSystem, directory: Path) -> list[Path]:
    """The files of letters of a spool, oldest first."""
    folder = directory / FOLDER
    with suppress(FileNotFoundError):
        return [folder / name for name in filesystem.names(folder) if name.endswith(SUFFIX)]
    return []


def read_letters(filesystem: FileSystem, path: Path) -> Iterator[Letter]:
    """
    The letters of one file; what is damaged is left out.

    Raises:
        OSError: the file cannot be read.
        MissingCodecError: it needs msgspec.
    """
    data = filesystem.read(path)
    seed = seed_of(data)
    if seed is None:
        return
    source = b""
    about: dict[str, Any] = {}
    for found in scan(data, seed):
        if not isinstance(found, Frame):
            source, about = b"", {}
        elif found.kind == Kind.SOURCE:
            source, about = found.payload, {}
        elif found.kind == Kind.LETTER:
            about = json.loads(found.payload)
        elif found.kind in EVENT_KINDS and source and about:
            with suppress(CorruptError):
                record = decode_record(found.kind, found.payload, lambda _: decode_source(source))  # noqa: B023
                yield Letter(record, about["reason"], about["detail"], about["ns"], path, found.offset)
            source, about = b"", {}


def offsets_done(filesystem: FileSystem, path: Path) -> set[int]:
    """
    Offsets of the letters that are done with.

    Raises:
        OSError: the file cannot be read.
    """
    data = filesystem.read(path)
    done: set[int] = set()
    for found in scan(data, seed_of(data) or 0):
        if isinstance(found, Frame) and found.kind == Kind.TOLD:
            done.update(json.loads(found.payload))
    return done


def note_done(filesystem: FileSystem, path: Path, offsets: Sequence[int]) -> None:
    """
    Note in a file, which is locked, which letters are done with.

    Raises:
        OSError: it cannot be written.
    """
    if not offsets:
        return
    frame = pack(Kind.TOLD, 0, json.dumps(offsets).encode("ascii"), seed_of(filesystem.read(path)) or 0)
    file = filesystem.open_append(path)
    try:
        if file.write(frame) != len(frame):
            raise OSError("a write was cut short")
    finally:
        file.close()
