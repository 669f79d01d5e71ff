"""The file system of this machine, of which one call fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from otel_spool.filesystem import AppendFile, LocalFileSystem, Lock

SHORT = "short"


class FailingFileSystem(LocalFileSystem):
    """
    Counts calls, and has some of them fail.

    Args:
        error: of ``errno``; or ``SHORT``: only writes are counted then, and half of the bytes are written.
        fails: called with the number of a call; without it all calls fail while it is ``broken``.
        only: names of the calls that it is about.

    Attributes:
        calls: how many there were.
        failed: the names of those that failed.
        broken: whether calls fail.
        also: names of calls that always fail.
    """

    def __init__(
        self,
        error: int | str,
        fails: Callable[[int], bool] | None = None,
        *,
        only: Collection[str] = (),
        also: Collection[str] = (),
    ) -> None:
        self.calls = 0
        self.failed: list[str] = []
        self.broken = False
        self.error = error
        self._fails = fails or (lambda call: self.broken)
        self._only = only
        self._also = also

    def check(self, name: str, *, short: bool = False) -> bool:
        """Count a call; raises when it is to fail, or returns True when it is to be short."""
        if name in self._also:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if (self.error == SHORT and not short) or (self._only and name not in self._only):
            return False
        self.calls += 1
        if not self._fails(self.calls):
            return False
        self.failed.append(name)
        if isinstance(self.error, int):
            raise OSError(self.error, os.strerror(self.error))
        return True

    def open_append(self, path: Path) -> AppendFile:
        self.check("open_append")
        return _File(self, super().open_append(path))

    def lock(self, path: Path) -> Lock | None:
        self.check("lock")
        return super().lock(path)


def _failing(name: str) -> Any:
    def call(self: FailingFileSystem, *args: Any) -> Any:
        self.check(name)
        return getattr(LocalFileSystem, name)(self, *args)

    return call


for _name in ("make_folder", "owner", "is_folder", "names", "size", "read", "rename", "unlink", "remove_folder"):
    setattr(FailingFileSystem, _name, _failing(_name))
for _name in ("sync_file", "sync_folder"):
    setattr(FailingFileSystem, _name, _failing(_name))


class _File:
    def __init__(self, filesystem: FailingFileSystem, file: AppendFile) -> None:
        self._filesystem = filesystem
        self._file = file

    def write(self, data: bytes) -> int:
        if self._filesystem.check("write", short=True):
            return self._file.write(data[: len(data) // 2])
        return self._file.write(data)

    def sync(self) -> None:
        self._filesystem.check("sync")
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._filesystem.check("truncate")
        self._file.truncate(size)

    def close(self) -> None:
        self._file.close()
        self._filesystem.check("close")
