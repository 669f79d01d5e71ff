"""
The writing side: records to the end of the active segment, under one lock, one ``write`` each, or for many.

What fails here never reaches the caller. An error of the disk seals the segment, after cutting it back to its last
whole frame; a new one is tried at once, and where that fails, too, records are told to be kept in memory for five
seconds.

The lock is reentrant: a signal handler may emit in the midst of an emit. Such an event gets a segment of its own,
so that nothing changes under the write that was interrupted.
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Final

from otel_spool.encoding import Encoded, NumberedSource
from otel_spool.filesystem import FileSystem
from otel_spool.folder import Entry, Folder, new_folder
from otel_spool.frame import Kind, pack
from otel_spool.log import SpoolLog
from otel_spool.options import SpoolOptions
from otel_spool.ranges import in_order
from otel_spool.segment import HELD, LANES, Segment, header, segment_name

_SECONDS_BETWEEN_TRIES: Final = 5.0
#: Behind so many bytes sources are written again, so that damage does not take those of a whole segment.
_BYTES_BETWEEN_SOURCES: Final = 256 * 1024
#: New folders that are tried before it is the disk's fault.
_FOLDERS_AT_ONCE: Final = 8


class NotWritten(Enum):
    """Why an event is not on disk."""

    BROKEN = "the disk does not take it"
    FULL = "the spool is full"
    UNWRITABLE = "the record cannot be written down"


class Writer:
    """
    Appends records to a folder of this process. The spool's lock, a reentrant one, is held by whoever calls.

    Args:
        directory: of the spool; it exists.
        clock: monotonic seconds.
        now_ns: nanoseconds since the epoch.

    Attributes:
        producer: a name of this process, which no other has.
        folder: the current one; None before the first event.
        room: whether an event of a lane and a size has room, made if need be.
        writing: whether an event is being written at the moment: only a signal handler sees that.
        written: events so far, in all folders, without those that are only held.
        deferring: whether new events are for the backlog only.
        degraded: why events are not written at the moment; empty when they are.
        label: whose events these are; goes into folders that are made from now on.
    """

    def __init__(
        self,
        filesystem: FileSystem,
        directory: Path,
        options: SpoolOptions,
        *,
        clock: Callable[[], float],
        now_ns: Callable[[], int],
        log: SpoolLog,
    ) -> None:
        self._filesystem = filesystem
        self._directory = directory
        self._clock = clock
        self._now_ns = now_ns
        self._log = log
        self.producer = secrets.token_hex(8)
        self._synced = options.durability == "power"
        self._segment_bytes = options.segment_bytes
        self._segment_age_ns = options.segment_age_seconds * 1e9
        self._epochs = itertools.count(1)
        self._active: dict[int, Segment] = {}
        self.writing = False
        self._try_again = float("-inf")
        self.written = 0
        self.folder: Folder | None = None
        self.deferring = False
        self.degraded = ""
        self.label = ""
        self.room: Callable[[int, int], bool] = lambda lane, size: True  # noqa: ARG005

    def append(self, event: Encoded, replaces: Sequence[Entry] = ()) -> Entry | NotWritten:
        """
        Write an event, or say why it is not written. Raises nothing but what interrupts the thread.

        Args:
            replaces: held ones whose place it takes, where it goes to the folder that they are in.
        """
        if self._rests():
            return NotWritten.BROKEN
        if not self.room(event.lane, _in_place_of(replaces, event, self.folder).size):
            return NotWritten.FULL
        interrupted = self.writing
        self.writing = True
        entry: Entry | NotWritten
        try:
            entry = self._append(event, replaces, apart=interrupted)
        except OSError:
            entry = self._append_elsewhere(event, replaces, apart=interrupted)
        finally:
            self.writing = interrupted
        if self.degraded and entry is not NotWritten.BROKEN:
            self.degraded = ""
        return entry

    def _rests(self) -> bool:
        return bool(self.degraded) and self._clock() < self._try_again

    def append_together(self, events: Sequence[Encoded]) -> Sequence[Entry | NotWritten]:
        """
        Write events of one lane, with one ``write`` if all goes well; else one by one, as ``append`` does.

        What is in the midst of that when the process dies is there to some extent.
        """
        if len(events) > 1 and not self.writing and not self._rests():
            lane, size = events[0].lane, sum(event.size for event in events)
            if self.room(lane, size):
                self.writing = True
                try:
                    folder = self.folder or self._new_folder()
                    entries = self._write(folder, self._segment(folder, lane), events)
                    self.degraded = ""
                    return entries
                except OSError:
                    pass  # whatever it is, the attempts below will see it, and say so
                finally:
                    self.writing = False
        return [self.append(event) for event in events]

    def _append(self, event: Encoded, replaces: Sequence[Entry], *, apart: bool) -> Entry:
        folder = self.folder or self._new_folder()
        event = _in_place_of(replaces, event, folder)
        if not apart:
            return self._write(folder, self._segment(folder, event.lane), (event,))[0]
        segment = self._open_segment(folder, event.lane)
        entry = self._write(folder, segment, (event,))[0]
        self._finish(folder, segment)
        return entry

    def _append_elsewhere(self, event: Encoded, replaces: Sequence[Entry], *, apart: bool) -> Entry | NotWritten:
        """The first attempt has failed, and sealed its segment."""
        try:
            return self._append(event, replaces, apart=apart)
        except OSError as error:
            self._break(error)
            return NotWritten.BROKEN

    def _write(self, folder: Folder, segment: Segment, events: Sequence[Encoded]) -> list[Entry]:
        seed, entries, frames, size = folder.seed, [], [], 0
        for event in events:
            number = next(folder.numbers)
            frames.append(pack(event.kind, number, event.payload, seed))
            entries.append(Entry(segment, number, event.size))
            size += event.size
        count = len(entries)
        counted = count if segment.lane != HELD else 0
        # Counted first: a signal handler that lets go of the folder must not take the segment for settled. No call
        # between these two: one that asks for the counts sees both or none.
        segment.events += count
        self.written += counted
        try:
            for event in events:
                source = event.source
                if source[0] not in segment.sources or segment.size > segment.sources_until:
                    self._write_source(folder, segment, source)
            segment.append(frames[0] if count == 1 else b"".join(frames))
        except BaseException:
            segment.events -= count
            self.written -= counted
            # Where the segment ends is not known, and the numbers are not used again.
            self._finish(folder, segment)
            if not folder.released:
                folder.journal.settle(in_order(entry.number for entry in entries))
            raise
        folder.held_bytes += size
        return entries

    def _write_source(self, folder: Folder, segment: Segment, source: NumberedSource) -> None:
        if segment.size > segment.sources_until:
            segment.sources.clear()
            segment.sources_until = segment.size + _BYTES_BETWEEN_SOURCES
        frame = pack(Kind.SOURCE, source[0], source[1], folder.seed)
        segment.append(frame)
        segment.sources.add(source[0])
        folder.held_bytes += len(frame)

    def _segment(self, folder: Folder, lane: int) -> Segment:
        segment = self._active.get(lane)
        if segment is not None:
            if self._takes_more(segment):
                return segment
            self._finish(folder, segment)
        segment = self._open_segment(folder, lane)
        if self.folder is folder:  # else a signal handler has left it meanwhile
            self._active[lane] = segment
        return segment

    def _takes_more(self, segment: Segment) -> bool:
        return (
            segment.size < self._segment_bytes
            and segment.deferred is self._defers(segment.lane)
            and not segment.sealed
            and abs(self._now_ns() - segment.created_ns) <= self._segment_age_ns
        )

    def _defers(self, lane: int) -> bool:
        return self.deferring and lane != HELD

    def _new_folder(self) -> Folder:
        for _ in range(_FOLDERS_AT_ONCE):
            path = self._directory / f"{self.producer}-{next(self._epochs):06d}"
            folder = new_folder(self._filesystem, path, self._now_ns(), label=self.label, synced=self._synced)
            if folder is None:
                continue
            if self.folder is not None:  # a signal handler was faster
                folder.close()
                return self.folder
            self.folder = folder
            return folder
        raise OSError(errno.EBUSY, "other processes take all new folders")

    def _open_segment(self, folder: Folder, lane: int) -> Segment:
        if folder.released:
            raise OSError(errno.EBADF, "a signal handler has left the folder meanwhile")
        number, now_ns = next(folder.segment_numbers), self._now_ns()
        path = folder.path / segment_name(number, lane)
        segment = Segment(path, number, lane, now_ns, deferred=self._defers(lane), measured=True)
        try:
            segment.file = self._filesystem.open_append(path)
        except FileNotFoundError:
            if folder.released or not folder.restore(now_ns):
                raise
            segment.file = self._filesystem.open_append(path)
        try:
            segment.append(header(folder.seed, now_ns, os.getpid(), folder.label))
        except BaseException:
            segment.close()
            with suppress(OSError):
                self._filesystem.unlink(path)
            raise
        segment.sources_until = segment.size + _BYTES_BETWEEN_SOURCES
        folder.add(segment)
        return segment

    def _break(self, error: OSError | None) -> None:
        """Give the disk up for a while."""
        self.degraded = f"{type(error).__name__}: {error}"
        self._try_again = self._clock() + _SECONDS_BETWEEN_TRIES
        self._log.tell("broken", "events are kept in memory only: %s", self.degraded)

    def active(self, lane: int) -> Segment | None:
        """The segment that the next event of this lane goes to, if there is one."""
        return self._active.get(lane)

    def seal(self, lane: int) -> None:
        """No further event goes into the active segment of this lane."""
        segment = self._active.get(lane)
        if segment is None or self.folder is None or self.writing:
            return  # of an event that is being written at the moment, a signal handler's must not seal it
        del self._active[lane]
        self._finish(self.folder, segment)

    def _finish(self, folder: Folder, segment: Segment) -> None:
        segment.sealed = True
        segment.close()
        if not folder.released:
            folder.remove_if_settled(segment)

    def seal_all(self) -> None:
        """Seal the active segments of all lanes."""
        for lane in (*LANES, HELD):
            self.seal(lane)

    def seal_frozen(self) -> None:
        """Seal the active segments of which events are in batches without an answer."""
        for lane, segment in list(self._active.items()):
            if segment.frozen:
                self.seal(lane)

    def leave(self) -> Folder | None:
        """Seal everything and begin a new folder with the next event; returns the one that was left."""
        self.seal_all()
        self._active.clear()
        folder, self.folder = self.folder, None
        return folder

    def check(self) -> bool:
        """
        Look whether somebody has removed our files under us, and go on in new ones.

        Returns:
            Whether the folder is ours; no when another process has taken it.

        Raises:
            OSError: it is gone, and cannot be made anew.
        """
        folder = self.folder
        if folder is None:
            return True
        for lane, segment in list(self._active.items()):
            if not self._is_there(segment):
                self.seal(lane)
        if folder.is_there():
            folder.journal.check()
            return True
        self._log.tell("vanished", "somebody has removed %s; it is made anew", folder.path)
        return folder.restore(self._now_ns())

    def _is_there(self, segment: Segment) -> bool:
        try:
            self._filesystem.size(segment.path)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # nobody can say at the moment
        return True


def _in_place_of(replaces: Sequence[Entry], event: Encoded, folder: Folder | None) -> Encoded:
    """The event, in the place of held ones of this very folder: in another one their numbers are other events'."""
    if not replaces or folder is None:
        return event
    ranges = in_order(held.number for held in replaces if folder.has(held.segment))
    return event.replacing(ranges) if ranges else event
