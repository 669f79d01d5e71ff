"""
What a spool holds, seen from outside: who has which folder, what is unsent, what was refused, what is damaged.

Nothing is taken over, changed or removed. Whether a folder's process lives is asked by a shared lock that is let
go at once. A process that wants the folder in the same microseconds finds it taken, which costs it nothing: one
that begins takes another name, and one that adopts looks again.

A process may write meanwhile: the numbers are those of a moment in the last seconds.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from otel_spool.dead_letters import FOLDER as LETTERS
from otel_spool.dead_letters import SUFFIX, letter_files
from otel_spool.exceptions import FolderError
from otel_spool.filesystem import FileSystem, LocalFileSystem
from otel_spool.folder import LOCK, about_folder, is_folder_name
from otel_spool.frame import Frame, Kind, scan
from otel_spool.journal import Journal
from otel_spool.quarantine import FOLDER as QUARANTINE
from otel_spool.segment import HELD, Contents, parse_name, seed_of

#: In the uppermost folder of a file system, closed to all but root.
_OF_THE_VOLUME: Final = "lost+found"
#: ``alive``: a process has it. ``orphan``: its process is gone, and whoever comes next sends what is in it.
#: ``unreadable``: this user may not look, or no file of it has a header.
State = Literal["alive", "orphan", "unreadable"]


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """
    A folder of one process.

    Attributes:
        pid: of the process that made it; None when that cannot be read.
        events: that must be sent, those about which nothing is decided yet included.
        undecided: of them, those that are only held: what waits in a window of a sampler, counts that go on.
        bytes: of all its files.
        oldest_unsent_ns: when the oldest segment with unsent events was begun, in nanoseconds since the epoch.
        batches: that were begun to be sent, and have no definite answer.
        damages: pieces that cannot be read; the end of a file that is written to is none.
    """

    name: str
    state: State
    pid: int | None = None
    events: int = 0
    undecided: int = 0
    bytes: int = 0
    oldest_unsent_ns: int | None = None
    batches: int = 0
    damages: int = 0


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """
    A spool: the folder of one destination.

    Attributes:
        letters: events that were refused for good, by reason.
        letters_bytes: of their files.
        quarantined: pieces that could not be read and were put aside.
        free_bytes: what the disk has left for this user; None when it does not say.
    """

    directory: Path
    folders: tuple[FolderStatus, ...] = ()
    letters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    letters_bytes: int = 0
    quarantined: int = 0
    quarantined_bytes: int = 0
    free_bytes: int | None = None

    @property
    def events(self) -> int:
        """Unsent events."""
        return sum(folder.events for folder in self.folders)

    @property
    def orphaned(self) -> int:
        """Of them, those of processes that are gone."""
        return sum(folder.events for folder in self.folders if folder.state == "orphan")

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum(folder.bytes for folder in self.folders) + self.letters_bytes + self.quarantined_bytes

    @property
    def oldest_unsent_ns(self) -> int | None:
        """When the oldest segment with unsent events was begun."""
        found = (folder.oldest_unsent_ns for folder in self.folders)
        return min((at for at in found if at is not None), default=None)

    @property
    def needs_attention(self) -> bool:
        """Whether something is in it that no running process will see to."""
        unreadable = any(folder.state == "unreadable" or folder.damages for folder in self.folders)
        return bool(self.orphaned or self.letters or self.quarantined or unreadable)


def spools_in(path: Path) -> list[Path]:
    """
    The spools in a folder: it is one itself, or those below it may be.

    Raises:
        FolderError: it is a part of one; that there are no spools in it would be no answer.
        OSError: it cannot be read.
    """
    names = sorted(os.listdir(path))  # noqa: PTH208 - the names alone
    if any(is_folder_name(name) or name in (LETTERS, QUARANTINE) for name in names):
        return [path]
    part = _part(path, names)
    if part:
        raise FolderError(f"{path} is {part} in a spool.", hint=f"Name the spool: {path.parent}")
    below = [path / name for name in names if name != _OF_THE_VOLUME]
    return [folder for folder in below if folder.is_dir() and not folder.is_symlink()]


def _part(path: Path, names: Iterable[str]) -> str:
    """What a folder is in a spool; empty when it is nothing of that kind."""
    if is_folder_name(path.name):
        return "the folder of one process"
    if path.name == LETTERS and any(name.endswith(SUFFIX) for name in names):
        return "the folder of refused events"
    if path.name == QUARANTINE and any(name[:20].isdecimal() for name in names):
        return "the quarantine"
    return ""


def look(
    directory: Path,
    *,
    filesystem: FileSystem | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> SpoolStatus:
    """
    Look at a spool, and change nothing.

    Args:
        directory: of the spool.
        progress: told how many bytes were read so far.

    Raises:
        OSError: the folder cannot be read.
    """
    files = filesystem or LocalFileSystem()
    read = 0
    folders = []
    for name in files.names(directory):
        if is_folder_name(name) and files.is_folder(directory / name):
            with suppress(FileNotFoundError):  # delivered, and removed while we look
                folders.append(_folder(files, directory / name))
                read += folders[-1].bytes
                progress(read)
    letters, letters_bytes = _letters(files, directory)
    quarantined, quarantined_bytes = _quarantine(directory / QUARANTINE)
    return SpoolStatus(
        directory=directory,
        folders=tuple(folders),
        letters=letters,
        letters_bytes=letters_bytes,
        quarantined=quarantined,
        quarantined_bytes=quarantined_bytes,
        free_bytes=free_bytes(directory),
    )


def free_bytes(path: Path) -> int | None:
    """What the disk below a path has left for this user; None when it does not say."""
    with suppress(OSError):
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize
    return None


def is_held(path: Path) -> bool:
    """
    Whether a process holds this lock file. False when there is none.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _folder(files: FileSystem, path: Path) -> FolderStatus:
    try:
        held = is_held(path / LOCK)
        seed, about = about_folder(files, path)
        pid = about.get("pid")
        found = _Found(held)
        for name in files.names(path):
            found.take(files, path, name, seed or 0)
        found.settle(files, path, seed or 0)
    except FileNotFoundError:
        raise
    except OSError:
        return FolderStatus(path.name, "unreadable")
    lost = seed is None and found.segments > 0
    return FolderStatus(
        name=path.name,
        state="alive" if held else "unreadable" if lost else "orphan",
        pid=pid if isinstance(pid, int) else None,
        events=sum(found.unsent.values()),
        undecided=found.unsent[HELD],
        bytes=found.bytes,
        oldest_unsent_ns=found.oldest_ns,
        batches=found.batches,
        damages=found.damages,
    )


class _Found:
    """What is found in a folder: the segments first, then the journal, which tells what is settled meanwhile."""

    def __init__(self, held: bool) -> None:
        self._held = held
        self._contents: list[tuple[tuple[int, int], Contents]] = []
        self.segments = self.bytes = self.batches = self.damages = 0
        self.unsent: Counter[int] = Counter()
        self.oldest_ns: int | None = None

    def take(self, files: FileSystem, folder: Path, name: str, seed: int) -> None:
        with suppress(FileNotFoundError):
            self.bytes += files.size(folder / name)
            parsed = parse_name(name)
            if parsed is not None:
                self.segments += 1
                contents = Contents(files.read(folder / name), seed)
                self._contents.append((parsed, contents))
                self.damages += sum(not (damage.cut and self._held) for damage in contents.damages)

    def settle(self, files: FileSystem, folder: Path, seed: int) -> None:
        journal = Journal(files, folder, seed)
        journal.read()
        self.batches = len(journal.pending)
        for _, contents in self._contents:
            for event in contents.events:
                journal.settled.update(event.replaces)
        for (number, lane), contents in self._contents:
            if number in journal.given_up:
                continue
            unsent = sum(event.number not in journal.settled for event in contents.events)
            self.unsent[lane] += unsent
            if unsent and contents.created_ns:
                self.oldest_ns = min(self.oldest_ns or contents.created_ns, contents.created_ns)


def _letters(files: FileSystem, directory: Path) -> tuple[dict[str, int], int]:
    reasons: Counter[str] = Counter()
    total = 0
    for path in letter_files(files, directory):
        with suppress(OSError):
            total += files.size(path)
            reasons.update(_reasons(files.read(path)))
    return dict(reasons.most_common()), total


def _reasons(data: bytes) -> Iterator[str]:
    for found in scan(data, seed_of(data) or 0):
        if isinstance(found, Frame) and found.kind == Kind.LETTER:
            with suppress(ValueError, KeyError, TypeError):
                yield str(json.loads(found.payload)["reason"])


def _quarantine(folder: Path) -> tuple[int, int]:
    pieces = total = 0
    with suppress(OSError):
        pieces = len(os.listdir(folder))  # noqa: PTH208 - how many
        for path in folder.rglob("*"):
            total += path.lstat().st_size if path.is_file() else 0
    return pieces, total
