"""One at a time: who changes a folder of archives holds it locked."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from activitylog.exceptions import ArchiveError

_LOCK: Final = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Hold a folder for as long as the ``with`` block lasts. A process that dies lets go of it.

    Raises:
        ArchiveError: somebody else has it, or it cannot be written to.
    """
    descriptor = _acquire(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def check_free(folder: Path) -> None:
    """
    Make sure that nobody changes a folder at this moment. It may be one that cannot be written to.

    Raises:
        ArchiveError: somebody does.
    """
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ArchiveError(f"The folder {str(folder)!r} cannot be read: {error.strerror}.") from error
    try:
        _lock(descriptor, folder)
    finally:
        os.close(descriptor)


def _acquire(folder: Path) -> int:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ArchiveError(f"The folder {str(folder)!r} cannot be written to: {error.strerror}.") from error
    try:
        _lock(descriptor, folder)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ArchiveError(
            f"Another process works on the archives in {str(folder)!r}.", hint="Wait until it is done."
        ) from None
