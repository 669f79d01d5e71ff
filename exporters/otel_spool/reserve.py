"""
A little of the disk, kept for when it is full.

Without it a full disk is a trap: what frees space is delivering, and a batch that is sent without a note of it may
arrive twice.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Final

from otel_spool.filesystem import FileSystem

NAME: Final = "reserve"
#: Room for notes of some 400 batches.
_BYTES: Final = 64 * 1024
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Reserve:
    """
    The reserve of one folder.

    Attributes:
        kept: whether it is there.
    """

    def __init__(self, filesystem: FileSystem, folder: Path) -> None:
        self._filesystem = filesystem
        self._path = folder / NAME
        self.kept = False

    def keep(self) -> None:
        """Have it, if the disk has room."""
        if self.kept or self._is_there():
            self.kept = True
            return
        with suppress(OSError):
            self._remove()
            file = self._filesystem.open_append(self._path)
            try:
                self.kept = file.write(bytes(_BYTES)) == _BYTES
            finally:
                file.close()
                if not self.kept:
                    self._remove()

    def spend(self, error: OSError) -> bool:
        """Give the space back to the disk, if that is what failed; False when there is none to give."""
        if not self.kept or error.errno not in _NO_SPACE:
            return False
        self.kept = False
        with suppress(OSError):
            self._remove()
            return True
        return False

    def give_up(self) -> None:
        """Have it no more: whoever has the folder next makes one anew."""
        self.kept = False
        with suppress(OSError):
            self._remove()

    def _is_there(self) -> bool:
        with suppress(OSError):
            return self._filesystem.size(self._path) == _BYTES
        return False

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            self._filesystem.unlink(self._path)
