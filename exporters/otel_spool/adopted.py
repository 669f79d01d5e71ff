"""Folders that this process has taken over: what dead ones, and those that could not deliver, left in a spool."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from otel_spool.accounts import Accounts
from otel_spool.filesystem import FileSystem
from otel_spool.folder import Folder, Unreadable, orphans
from otel_spool.log import SpoolLog
from otel_spool.quarantine import Quarantine

#: Folders that are held at once: each costs two file descriptors.
_MOST: Final = 16


class AdoptedFolders:
    """
    The folders that this process has taken over. The spool's lock protects them.

    Args:
        directory: of the spool.
        lock: of the spool; reentrant.
        current: the folder that this process writes to.
        synced: whether what is settled is to be on the medium before its segment is removed.

    Attributes:
        taking: held while folders are being taken. A fork in the midst of that would leave the child with a lock
            that nobody knows of.
    """

    def __init__(
        self,
        filesystem: FileSystem,
        directory: Path,
        *,
        lock: threading.RLock,
        current: Callable[[], Folder | None],
        accounts: Accounts,
        quarantine: Quarantine,
        synced: bool,
        log: SpoolLog,
    ) -> None:
        self._filesystem = filesystem
        self._directory = directory
        self._lock = lock
        self._current = current
        self._accounts = accounts
        self._quarantine = quarantine
        self._synced = synced
        self._log = log
        self._folders: list[Folder] = []
        self._closed = False
        self._avoided: set[Path] = set()
        self.taking = threading.Lock()

    def __iter__(self) -> Iterator[Folder]:
        return iter(list(self._folders))

    def __len__(self) -> int:
        return len(self._folders)

    def take(self, most: int = _MOST) -> int:
        """
        Take over what there is; returns how many folders were found.

        Args:
            most: how many folders to have at a time.
        """
        left = max(most - len(self), 0)
        found = 0
        with self.taking, suppress(OSError):  # the directory itself cannot be looked at
            ours = {folder.path for folder in (self._current(), *self) if folder is not None} | self._avoided
            free = orphans(self._filesystem, self._directory, ours, making=self._lock, synced=self._synced)
            for folder in itertools.islice(free, left):
                found += 1
                with self._lock:
                    if self._closed:
                        self._leave_alone(folder)
                        return 0
                    if isinstance(folder, Unreadable):
                        self._put_aside(folder)
                    else:
                        self._folders.append(folder)
                        self._accounts.adopt(folder)
        return found

    def _leave_alone(self, folder: Folder | Unreadable) -> None:
        """Closed meanwhile: nobody here would send it, and nobody else could while this process lives."""
        if isinstance(folder, Folder):
            folder.close(keep=self._accounts.has_untold(folder))
        else:
            with suppress(OSError):
                folder.lock.release()

    def _put_aside(self, folder: Unreadable) -> None:
        self._quarantine.put_aside(folder.path)
        self._log.tell("quarantine", "%s cannot be read (%s); it is put aside", folder.path.name, folder.why)
        with suppress(OSError):
            folder.lock.release()

    def release(self, folder: Folder) -> None:
        """Let go of a folder."""
        with self._lock:
            if folder in self._folders:
                self._folders.remove(folder)
            self._accounts.let_go(folder, folder.label)

    def leave_alone(self, folder: Folder) -> None:
        """Let go of a folder that only another process can read."""
        self._avoided.add(folder.path)
        self.release(folder)

    def release_all(self) -> None:
        """Let go of all of them: this process cannot deliver what is in them."""
        with self._lock:
            for folder in self:
                self.release(folder)

    def close(self) -> None:
        """Let go of all, and take nothing more."""
        with self._lock:
            self._closed = True
            self.release_all()
