"""
What could not be read: pieces of files, and whole folders, kept for whoever wants to look, within a bound.

Each has a name that begins with its time, in nanoseconds since the epoch; the oldest go when there is no room.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from otel_spool.filesystem import FileSystem

FOLDER: Final = "quarantine"


class Quarantine:
    """
    The quarantine of a spool. A disk that does not take what is put aside disturbs nobody.

    Args:
        directory: of the spool.
        max_bytes: of everything in it.

    Attributes:
        pieces: what this process has put aside, files and folders.
    """

    def __init__(
        self, filesystem: FileSystem, directory: Path, *, max_bytes: int, now_ns: Callable[[], int]
    ) -> None:
        self._filesystem = filesystem
        self._folder = directory / FOLDER
        self._max_bytes = max_bytes
        self._now_ns = now_ns
        self.pieces = 0

    def keep(self, name: str, data: bytes) -> None:
        """Keep bytes that could not be read; of a piece larger than the bound, its beginning."""
        self.pieces += 1
        data = data[: self._max_bytes]
        with suppress(OSError):
            self._make_room(len(data))
            file = self._filesystem.open_append(self._new_path(name))
            try:
                file.write(data)
            finally:
                file.close()

    def put_aside(self, folder: Path) -> bool:
        """Move a folder here; False when it stays where it is."""
        try:
            self._make_room(size_of(self._filesystem, folder))
            self._filesystem.rename(folder, self._new_path(folder.name))
            self._make_room(0)  # even of one that is larger than the bound
        except OSError:
            return False
        self.pieces += 1
        return True

    def _new_path(self, name: str) -> Path:
        self._filesystem.make_folder(self._folder)
        return self._folder / f"{self._now_ns():020d}-{name}"

    def _make_room(self, size: int) -> None:
        paths = self._paths()
        sizes = [size_of(self._filesystem, path) for path in paths]
        total = sum(sizes) + size
        for path, bytes_of_path in zip(paths, sizes, strict=True):
            if total <= self._max_bytes:
                return
            remove(self._filesystem, path)
            total -= bytes_of_path

    def _paths(self) -> list[Path]:
        with suppress(OSError):
            return [self._folder / name for name in self._filesystem.names(self._folder)]
        return []


def size_of(filesystem: FileSystem, path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 of what is not there."""
    with suppress(OSError):
        if not filesystem.is_folder(path):
            return filesystem.size(path)
        return sum(size_of(filesystem, path / name) for name in filesystem.names(path))
    return 0


def remove(filesystem: FileSystem, path: Path) -> None:
    """Remove a file, or a folder and what is in it, as far as that can be done."""
    with suppress(OSError):
        if not filesystem.is_folder(path):
            filesystem.unlink(path)
            return
        for name in filesystem.names(path):
            remove(filesystem, path / name)
        filesystem.remove_folder(path)
