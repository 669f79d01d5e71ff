"""
A disk with a page cache, in memory: what was written and not synced may be there after a crash, or not.

A :class:`Process` is a ``FileSystem`` of one process. When it is killed, its locks and open files go and nothing
that was written is lost. When the power goes, every 512-byte sector that was not synced is new, old or zero, each
by itself; a file's length is the synced one, the new one or one between; and each name in a folder that was not
synced is there as it was or as it became.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

SECTOR = 512


class Killed(BaseException):
    """The process is gone in the midst of an operation."""


class File:
    """What is in a file, and what of that is on the medium."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced = b""

    def lose(self, rng: Random, fate: str) -> None:
        """The power goes."""
        if fate != "kept":
            self.data = bytearray(self.synced) if fate == "lost" else self._mixed(rng)
        self.synced = bytes(self.data)

    def _mixed(self, rng: Random) -> bytearray:
        new, old = bytes(self.data), self.synced
        length = rng.choice([len(new), len(old), rng.randint(*sorted((len(old), len(new))))])
        out = bytearray(length)
        for start in range(0, length, SECTOR):
            end = min(start + SECTOR, length)
            unsynced = new[start:end] != old[start:end]
            choices = [new, old if len(old) > start else bytes(length)]
            source = rng.choice(choices) if unsynced else new
            piece = source[start:end]
            out[start : start + len(piece)] = piece
        return out


class Folder:
    """The names in a folder, and those on the medium."""

    def __init__(self) -> None:
        self.names: dict[str, File | Folder] = {}
        self.synced: dict[str, File | Folder] = {}

    def lose(self, rng: Random, fate: str) -> None:
        """The power goes."""
        for name in sorted({*self.names, *self.synced}):
            new, old = self.names.get(name), self.synced.get(name)
            if new is not old and (fate == "lost" or (fate == "mixed" and rng.random() < 0.5)):
                self._put(name, old)
        self.synced = dict(self.names)
        for node in self.names.values():
            node.lose(rng, fate)

    def _put(self, name: str, node: File | Folder | None) -> None:
        self.names.pop(name, None)
        if node is not None:
            self.names[name] = node


class Disk:
    """One disk, and who holds which locks."""

    def __init__(self) -> None:
        self.root = Folder()
        self.holders: dict[File, Process] = {}

    def cut_power(self, rng: Random, fate: str) -> None:
        """All processes are gone, and what was not synced is ``lost``, ``kept`` or ``mixed``."""
        self.holders.clear()
        self.root.lose(rng, fate)

    def find(self, path: Path) -> File | Folder:
        node: File | Folder = self.root
        for part in path.parts[1:]:
            if not isinstance(node, Folder) or part not in node.names:
                raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
            node = node.names[part]
        return node

    def folder(self, path: Path) -> Folder:
        node = self.find(path)
        if not isinstance(node, Folder):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(path))
        return node

    def file(self, path: Path) -> File:
        node = self.find(path)
        if not isinstance(node, File):
            raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
        return node

    def files(self, path: Path) -> Iterator[Path]:
        """Paths of all files below a folder."""
        for name, node in sorted(self.folder(path).names.items()):
            if isinstance(node, Folder):
                yield from self.files(path / name)
            else:
                yield path / name


class Process:
    """
    A disk as one process sees it: a ``FileSystem``.

    Attributes:
        operations: so many were done.
        kill_at: in the midst of the operation with this number the process is killed; None for never.
        alive: whether it was not.
    """

    def __init__(self, disk: Disk, rng: Random | None = None) -> None:
        self.disk = disk
        self.rng = rng or Random(0)
        self.operations = 0
        self.kill_at: int | None = None
        self.alive = True

    def kill(self) -> None:
        """Like SIGKILL: locks go, what was written stays."""
        self.alive = False
        for file in [file for file, holder in self.disk.holders.items() if holder is self]:
            del self.disk.holders[file]

    def step(self, torn: Callable[[], object] = lambda: None) -> None:
        """One operation begins; ``torn`` is what is done of it when the process is killed in its midst."""
        if not self.alive:
            raise Killed
        self.operations += 1
        if self.kill_at is not None and self.operations >= self.kill_at:
            torn()
            self.kill()
            raise Killed

    def make_folder(self, path: Path) -> None:
        self.step()
        node = self.disk.root
        for part in path.parts[1:]:
            found = node.names.setdefault(part, Folder())
            if not isinstance(found, Folder):
                raise FileExistsError(errno.EEXIST, "a file", str(path))
            node = found

    def owner(self, path: Path) -> int:
        self.step()
        self.disk.find(path)
        return os.geteuid()

    def is_folder(self, path: Path) -> bool:
        self.step()
        try:
            return isinstance(self.disk.find(path), Folder)
        except OSError:
            return False

    def names(self, path: Path) -> list[str]:
        self.step()
        return sorted(self.disk.folder(path).names)

    def size(self, path: Path) -> int:
        self.step()
        node = self.disk.find(path)
        return len(node.data) if isinstance(node, File) else 4096

    def open_append(self, path: Path) -> OpenFile:
        self.step()
        file = self.disk.folder(path.parent).names.setdefault(path.name, File())
        if not isinstance(file, File):
            raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
        return OpenFile(self, file)

    def read(self, path: Path) -> bytes:
        self.step()
        return bytes(self.disk.file(path).data)

    def rename(self, path: Path, target: Path) -> None:
        self.step()
        node = self.disk.find(path)
        del self.disk.folder(path.parent).names[path.name]
        self.disk.folder(target.parent).names[target.name] = node

    def unlink(self, path: Path) -> None:
        self.step()
        self.disk.file(path)
        del self.disk.folder(path.parent).names[path.name]

    def remove_folder(self, path: Path) -> None:
        self.step()
        if self.disk.folder(path).names:
            raise OSError(errno.ENOTEMPTY, "not empty", str(path))
        del self.disk.folder(path.parent).names[path.name]

    def sync_file(self, path: Path) -> None:
        self.step()
        file = self.disk.file(path)
        file.synced = bytes(file.data)

    def sync_folder(self, path: Path) -> None:
        self.step()
        folder = self.disk.folder(path)
        folder.synced = dict(folder.names)

    def lock(self, path: Path) -> HeldLock | None:
        self.step()
        file = self.disk.folder(path.parent).names.setdefault(path.name, File())
        assert isinstance(file, File)
        if file in self.disk.holders:
            return None
        self.disk.holders[file] = self
        return HeldLock(self, path, file)


class OpenFile:
    """A file that is open for appending."""

    def __init__(self, process: Process, file: File) -> None:
        self._process = process
        self._file = file
        self._open = True

    def write(self, data: bytes) -> int:
        self._check()
        self._process.step(lambda: self._file.data.extend(data[: self._process.rng.randint(0, len(data))]))
        self._file.data.extend(data)
        return len(data)

    def sync(self) -> None:
        self._check()
        self._process.step()
        self._file.synced = bytes(self._file.data)

    def truncate(self, size: int) -> None:
        self._check()
        self._process.step()
        del self._file.data[size:]

    def close(self) -> None:
        self._open = False

    def _check(self) -> None:
        if not self._open:
            raise OSError(errno.EBADF, "closed")


class HeldLock:
    """A lock that is held."""

    def __init__(self, process: Process, path: Path, file: File) -> None:
        self._process = process
        self._path = path
        self._file = file

    def is_there(self) -> bool:
        self._process.step()
        try:
            return self._process.disk.find(self._path) is self._file
        except FileNotFoundError:
            return False

    def release(self) -> None:
        if self._process.alive:
            self._process.disk.holders.pop(self._file, None)

    def abandon(self) -> None:
        """Nothing of the parent's changes."""
