"""
A folder: the segments and the journal of one producer and epoch, and the lock that says whether it lives.

::

    <spool>/                        one for each destination, shared by processes
        <producer>-<epoch>/         of one process (or forked child), and which of its folders
            lock                    held by flock while the process lives; it begins with the header
            00000001.0.seg  ...     events
            journal                 what became of them
            reserve                 room for the journal on a full disk
        dead/                       events that were refused for good
        quarantine/                 what could not be read

A folder whose lock is free belongs to whoever takes the lock. It is removed when all its events are settled.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from otel_spool.filesystem import FileSystem, Lock
from otel_spool.frame import Frame, Kind, scan
from otel_spool.journal import FILES as JOURNAL_FILES
from otel_spool.journal import NOTHING_LOST, Frozen, Journal, Lost
from otel_spool.ranges import Range
from otel_spool.segment import Contents, Segment, header, segments_in

LOCK: Final = "lock"
_NAME: Final = re.compile(r"[0-9a-f]{16}-[0-9]{6}")


def is_folder_name(name: str) -> bool:
    """Whether a folder of a spool may be called that."""
    return _NAME.fullmatch(name) is not None


class Entry:
    """Where an event is: its segment, its number in the folder, the bytes it takes."""

    __slots__ = ("number", "segment", "size")

    def __init__(self, segment: Segment, number: int, size: int) -> None:
        self.segment = segment
        self.number = number
        self.size = size


#: How many of the events of each segment.
Shares = Mapping[Segment, int]


def shares_of(entries: Iterable[Entry]) -> Shares:
    """Of which segments the events are, and how many of each."""
    return Counter(entry.segment for entry in entries)


class Folder:
    """
    The state of one folder. Not thread-safe: the spool's lock protects it.

    Args:
        lock: of the folder, held.
        label: whose events these are, in the words of who wrote them.
        synced: whether what was settled is to be on the medium before its segment is removed.

    Attributes:
        numbers: of events and of segments that are still to be written.
        held_bytes: of all segments.
        released: the folder belongs to whoever takes its lock.
    """

    def __init__(
        self,
        filesystem: FileSystem,
        path: Path,
        lock: Lock,
        seed: int,
        *,
        label: str = "",
        synced: bool = False,
    ) -> None:
        self.filesystem = filesystem
        self.path = path
        self.seed = seed
        self.label = label
        self.lock = lock
        self.synced = synced
        self.journal = Journal(filesystem, path, seed)
        self.segments: dict[int, Segment] = {}
        self.numbers = itertools.count(1)
        self.segment_numbers = itertools.count(1)
        self.held_bytes = 0
        self.released = False
        self._frozen: dict[str, tuple[Segment, ...]] = {}
        self._unremoved: set[Segment] = set()

    def begin(self, now_ns: int) -> None:
        """
        Write the header into the lock's file, and have what else a folder has.

        Raises:
            OSError: that cannot be written.
        """
        file = self.filesystem.open_append(self.path / LOCK)
        try:
            first = header(self.seed, now_ns, os.getpid(), self.label)
            if file.write(first) != len(first):
                raise OSError(errno.ENOSPC, "a write was cut short")
            if self.synced:
                file.sync()
        finally:
            file.close()
        if self.synced:
            self.filesystem.sync_folder(self.path)
            self.filesystem.sync_folder(self.path.parent)
        self.journal.reserve.keep()

    def restore(self, now_ns: int) -> bool:
        """
        Make the folder anew that somebody has removed under us, so that what is in memory can still be noted.

        Returns:
            Whether it is ours; no when another process has taken it.

        Raises:
            OSError: it cannot be made.
        """
        self.filesystem.make_folder(self.path)
        lock = self.filesystem.lock(self.path / LOCK)
        if lock is None:
            return False
        self.lock.abandon()
        self.lock = lock
        self.begin(now_ns)
        self.journal.rewrite()
        return True

    def is_there(self) -> bool:
        """Whether the folder is where we made it, and ours."""
        return self.lock.is_there()

    def add(self, segment: Segment) -> None:
        """Take in a segment."""
        self.segments[segment.number] = segment
        self.held_bytes += segment.size

    def has(self, segment: Segment) -> bool:
        """Whether this very segment is one of ours, still."""
        return self.segments.get(segment.number) is segment

    def freeze(self, frozen: Frozen, shares: Shares) -> bool:
        """Note a batch before it is sent for the first time; False when it could not be written."""
        self._frozen[frozen.token] = tuple(shares)
        for segment in shares:
            segment.frozen += 1
        return self.journal.freeze(frozen)

    def settle(
        self,
        shares: Shares,
        token: str | None = None,
        ranges: Iterable[Range] = (),
        lost: Lost = NOTHING_LOST,
    ) -> None:
        """
        These events need not be sent any more; segments of which that is true of all are removed.

        Args:
            token: of the frozen batch that they are, if they are one.
            ranges: their numbers, if not.
            lost: those of them that are given up.
        """
        if token is not None and token in self.journal.pending:
            self.journal.settle_batch(token, lost)
            for segment in self._frozen.pop(token, ()):
                segment.frozen -= 1
        else:
            self.journal.settle(ranges, lost)
        for segment, events in shares.items():
            segment.settled += events
        for segment in {*shares, *self._unremoved}:
            self.remove_if_settled(segment)
        self.journal.compact_if_grown()

    def remove_remaining(self) -> bool:
        """Try again to remove what could not be removed; whether nothing of that is left."""
        for segment in list(self._unremoved):
            self.remove_if_settled(segment)
        return not self._unremoved

    def give_up(self, segment: Segment, reason: str) -> int:
        """Remove a segment with what is unsettled in it; returns how many events that are."""
        events = segment.events - segment.settled
        segment.settled = segment.events  # at once: a signal handler's event finds nothing to give up here
        self.journal.give_up(segment.number, events, {reason: events} if events else NOTHING_LOST)
        segment.sealed = segment.measured = True
        self.remove_if_settled(segment)
        return events

    def remove_if_settled(self, segment: Segment) -> None:
        """Remove a sealed segment whose events are all settled; one that cannot be removed is tried again."""
        settled = segment.sealed and segment.measured and segment.unsettled <= 0
        if self.released or not settled or not self.has(segment):
            return
        segment.close()
        segment.removed = True
        try:
            self._unlink(segment)
        except OSError:
            segment.removed = False
            self._unremoved.add(segment)
            return
        self._unremoved.discard(segment)
        del self.segments[segment.number]
        self.held_bytes -= segment.size

    def _unlink(self, segment: Segment) -> None:
        with suppress(FileNotFoundError):
            if self.synced:
                self.journal.sync()
        with suppress(FileNotFoundError):
            self.filesystem.unlink(segment.path)

    def read(self, segment: Segment) -> Contents:
        """
        The contents of a segment's file.

        Raises:
            OSError: it cannot be read.
        """
        return Contents(self.filesystem.read(segment.path), self.seed)

    def unsettled(self) -> int:
        """Events that must be sent."""
        return sum(segment.unsettled for segment in list(self.segments.values()))

    def close(self, *, keep: bool = False) -> None:
        """Let go of the folder, which is removed when nothing in it must be sent, unless it is to be kept."""
        if self.released:
            return
        for segment in list(self.segments.values()):
            segment.sealed = True
            self.remove_if_settled(segment)
            segment.close()
        if self.journal.behind:
            self.journal.rewrite()
        self.journal.release()
        if not self.segments and not keep:
            self._remove()
        self.released = True
        with suppress(OSError):
            self.lock.release()

    def _remove(self) -> None:
        # While a segment is there, the journal must be, or its events would be sent again. The lock goes last: a
        # process that looks meanwhile finds a folder that is held, or none.
        with suppress(OSError):
            if any(segments_in(self.filesystem, self.path)):
                return
            if self.synced:
                self.filesystem.sync_folder(self.path)
            for name in (*JOURNAL_FILES, LOCK):
                with suppress(FileNotFoundError):
                    self.filesystem.unlink(self.path / name)
            self.filesystem.remove_folder(self.path)

    def abandon(self) -> None:
        """In a forked child: close our copies of the parent's files, and leave everything else to it."""
        self.released = True
        for segment in self.segments.values():
            with suppress(OSError):
                segment.close()
        self.journal.release()
        with suppress(OSError):
            self.lock.abandon()


def new_folder(
    filesystem: FileSystem, path: Path, now_ns: int, *, label: str = "", synced: bool = False
) -> Folder | None:
    """
    Make a folder and hold it; None when somebody else was faster in taking its lock.

    Raises:
        OSError: it cannot be made.
    """
    filesystem.make_folder(path)
    try:
        lock = filesystem.lock(path / LOCK)
    except FileNotFoundError:
        return None  # somebody took it for an empty one of a dead process, and removed it
    if lock is None:
        return None
    seed = int.from_bytes(os.urandom(4), "little")
    folder = Folder(filesystem, path, lock, seed, label=label, synced=synced)
    try:
        folder.begin(now_ns)
    except OSError:
        folder.close()
        raise
    return folder


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder that is held, and of which nothing can be read."""

    path: Path
    lock: Lock
    why: str


def orphans(
    filesystem: FileSystem,
    directory: Path,
    ours: Collection[Path] = (),
    *,
    making: AbstractContextManager[object] | None = None,
    synced: bool = False,
) -> Iterator[Folder | Unreadable]:
    """
    The folders of a spool whose process is gone, each now held by us.

    Args:
        ours: folders that are held already, even where somebody has removed the lock.
        making: held while this process makes a folder: one that it has not locked yet looks like an orphan.

    Folders of other users and everything that is no folder of a spool are left alone. A folder that cannot be
    looked at (permissions, a failing disk) is left for another time.
    """
    for name in filesystem.names(directory):
        path = directory / name
        if path in ours or not is_folder_name(name):
            continue
        with suppress(OSError):
            if not is_ours(filesystem, path):
                continue
            with making or nullcontext():
                lock = filesystem.lock(path / LOCK)
            if lock is not None:
                yield _opened(filesystem, path, lock, synced=synced)


def is_ours(filesystem: FileSystem, path: Path) -> bool:
    """Whether a path is a folder, not a link to one, and belongs to this process's user."""
    return filesystem.is_folder(path) and filesystem.owner(path) == os.geteuid()


def _opened(filesystem: FileSystem, path: Path, lock: Lock, *, synced: bool) -> Folder | Unreadable:
    try:
        seed, about = about_folder(filesystem, path)
        found = list(segments_in(filesystem, path))
        if seed is None and found:
            return Unreadable(path, lock, "no file has a readable header")
        folder = Folder(filesystem, path, lock, seed or 0, label=str(about.get("label", "")), synced=synced)
        folder.journal.load()
        folder.journal.reserve.keep()
        for file, number, lane in found:
            size = filesystem.size(file)
            segment = Segment(file, number, lane, 0, size=size, sealed=True, deferred=True)
            folder.add(segment)
            if number in folder.journal.given_up:
                segment.measured = True  # and settled: nothing of it is wanted
                folder.remove_if_settled(segment)
    except OSError:
        lock.release()
        raise
    return folder


def about_folder(filesystem: FileSystem, path: Path) -> tuple[int | None, dict[str, Any]]:
    """
    The seed of a folder, and what the header of its lock file says, else that of a segment.

    Raises:
        OSError: a file cannot be read.
    """
    for file in (path / LOCK, *(file for file, _, _ in segments_in(filesystem, path))):
        with suppress(FileNotFoundError, ValueError):
            first = next(iter(scan(filesystem.read(file)[:4096], 0)), None)
            if isinstance(first, Frame) and first.kind == Kind.HEADER:
                about = json.loads(first.payload)
                return first.number, about if isinstance(about, dict) else {}
    return None, {}
