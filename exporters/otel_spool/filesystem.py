"""
The few operations that a spool needs of a file system, so that tests can give it one that fails and forgets.

Everything is opened without following symbolic links, files are 0600 and folders 0700. No operation retries or
hides an error: each raises the ``OSError`` that the system gave.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


class AppendFile(Protocol):
    """A file that is open for appending."""

    def write(self, data: bytes, /) -> int:
        """Append; returns how many bytes were written, which may be fewer."""

    def sync(self) -> None:
        """Have the data on the medium before this returns (fdatasync)."""

    def truncate(self, size: int, /) -> None:
        """Cut the file to ``size`` bytes."""

    def close(self) -> None:
        """Close it."""


class Lock(Protocol):
    """A lock that is held; it goes with the process."""

    def is_there(self) -> bool:
        """Whether its file is where it was: nobody has removed or replaced it. Yes where nobody can say."""

    def release(self) -> None:
        """Let go of it."""

    def abandon(self) -> None:
        """In a forked child: close our copy, which leaves it with the parent."""


class FileSystem(Protocol):
    """What a spool does with files and folders."""

    def make_folder(self, path: Path, /) -> None:
        """Make a folder and those above it; fine where it exists."""

    def owner(self, path: Path, /) -> int:
        """The user id that owns the path itself (not what a symbolic link leads to)."""

    def is_folder(self, path: Path, /) -> bool:
        """Whether it is a folder, and not a symbolic link to one."""

    def names(self, path: Path, /) -> list[str]:
        """Of what is in a folder, sorted."""

    def size(self, path: Path, /) -> int:
        """Bytes of a file."""

    def open_append(self, path: Path, /) -> AppendFile:
        """Open a file to append to, new or not."""

    def read(self, path: Path, /) -> bytes:
        """The whole file."""

    def rename(self, path: Path, target: Path, /) -> None:
        """Rename, replacing the target."""

    def unlink(self, path: Path, /) -> None:
        """Remove a file."""

    def remove_folder(self, path: Path, /) -> None:
        """Remove an empty folder."""

    def sync_file(self, path: Path, /) -> None:
        """Have everything that was ever written to a file on the medium before this returns."""

    def sync_folder(self, path: Path, /) -> None:
        """Have the names in a folder on the medium before this returns."""

    def lock(self, path: Path, /) -> Lock | None:
        """Take the lock of this file, made where it is missing; None when another process has it."""


class _LocalFile:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        # Forgotten first: its number may soon be that of another file.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class _FlockLock:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    def is_there(self) -> bool:
        if self._descriptor is None:
            return False
        try:
            return _same_file(self._path, self._descriptor)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            finally:
                os.close(descriptor)

    def abandon(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class LocalFileSystem:
    """The file system of this machine."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it; fine where it exists."""
        path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    def owner(self, path: Path) -> int:
        """The user id that owns the path itself."""
        return path.lstat().st_uid

    def is_folder(self, path: Path) -> bool:
        """Whether it is a folder, and not a symbolic link to one."""
        return path.is_dir() and not path.is_symlink()

    def names(self, path: Path) -> list[str]:
        """Of what is in a folder, sorted."""
        return sorted(os.listdir(path))  # noqa: PTH208 - the names alone

    def size(self, path: Path) -> int:
        """Bytes of a file."""
        return path.lstat().st_size

    def open_append(self, path: Path) -> AppendFile:
        """Open a file to append to, new or not."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return _LocalFile(os.open(path, flags, _FILE_MODE))

    def read(self, path: Path) -> bytes:
        """The whole file."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def rename(self, path: Path, target: Path) -> None:
        """Rename, replacing the target."""
        path.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def sync_file(self, path: Path) -> None:
        """Have everything that was ever written to a file on the medium before this returns."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def sync_folder(self, path: Path) -> None:
        """Have the names in a folder on the medium before this returns."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lock(self, path: Path) -> Lock | None:
        """Take the lock of this file, made where it is missing; None when another process has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            still_there = _same_file(path, descriptor)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        if not still_there:
            os.close(descriptor)  # the file was removed, or replaced, between opening and locking it
            return None
        return _FlockLock(path, descriptor)


def _same_file(path: Path, descriptor: int) -> bool:
    named, held = path.lstat(), os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)
