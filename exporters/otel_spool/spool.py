"""
A spool: what is on disk of one destination's events, and what became of them. No threads, no exporter.

::

    append ──> active segment ──seal──> segment ──all settled──> removed
                    │ entries                │ deferred ones
                    ▼                        ▼
             batch processor             backlog        (and what dead processes left)
                    └────> freeze ──sent──> settle <────┘

One reentrant lock protects it. Everything that is counted is counted here, so that the counts add up at every
moment.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

from otel_spool.accounts import Accounts, count
from otel_spool.adopted import AdoptedFolders
from otel_spool.delivery import Outcome
from otel_spool.encoding import Encoded, RecordEncoder
from otel_spool.exceptions import FolderError
from otel_spool.filesystem import FileSystem, LocalFileSystem
from otel_spool.folder import Entry, Folder, is_ours, shares_of
from otel_spool.journal import Frozen
from otel_spool.ledger import Loss
from otel_spool.log import SpoolLog
from otel_spool.options import SpoolOptions
from otel_spool.quarantine import Quarantine, size_of
from otel_spool.ranges import Range, in_order
from otel_spool.room import Room
from otel_spool.segment import HELD, LANES, UNDECIDED, Segment
from otel_spool.syncing import Syncing
from otel_spool.writer import NotWritten, Writer


class Spool:
    """
    The spool in one folder, as this process sees it.

    Args:
        directory: of the spool; made if it is missing.
        clock: monotonic seconds.
        now_ns: nanoseconds since the epoch.

    Raises:
        FolderError: the folder belongs to another user, or is none.
        OSError: it cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        options: SpoolOptions | None = None,
        *,
        filesystem: FileSystem | None = None,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
        log: SpoolLog | None = None,
    ) -> None:
        self.directory = directory
        self.options = options or SpoolOptions()
        self.filesystem = filesystem or LocalFileSystem()
        self.log = log or SpoolLog()
        self._power = self.options.durability == "power"
        self.label = ""
        self._clock = clock
        self.now_ns = now_ns
        self._check_directory()
        self.begin_process()
        self.log.wait_while(self.is_inside)

    def _check_directory(self) -> None:
        self.filesystem.make_folder(self.directory)
        if not is_ours(self.filesystem, self.directory):
            raise FolderError(
                f"The spool folder {self.directory} is not a folder of user {os.geteuid()}.",
                hint="Name a folder that belongs to the user of this process.",
            )

    def begin_process(self) -> None:
        """Begin without events: at first, and in a forked child, whose parent keeps what was there."""
        self.lock = threading.RLock()
        self.space = threading.Condition(self.lock)
        self._encoder = RecordEncoder(self.options, self.log)
        self.encode = self._encoder.encode
        self.writer = Writer(
            self.filesystem,
            self.directory,
            self.options,
            clock=self._clock,
            now_ns=self.now_ns,
            log=self.log,
        )
        self.writer.label = self.label
        self.room = Room(self.writer, self.options, space=self.space, give_up=self.give_up)
        self.writer.room = self.room.make
        self.accounts = Accounts(self._current, reporting=self.options.report_losses)
        self.quarantine = Quarantine(
            self.filesystem, self.directory, max_bytes=self.options.quarantine_bytes, now_ns=self.now_ns
        )
        self.adopted = AdoptedFolders(
            self.filesystem,
            self.directory,
            lock=self.lock,
            current=self._current,
            accounts=self.accounts,
            quarantine=self.quarantine,
            synced=self._power,
            log=self.log,
        )
        self.in_flight: set[str] = set()
        self._batches = itertools.count(1)
        self._leaving = False
        self._syncing = Syncing(self.filesystem, self.directory, self.log, self._doubt)

    def _current(self) -> Folder | None:
        return self.writer.folder

    def label_events(self, label: str) -> None:
        """Say whose events these are, for who reports their losses; before the first of them."""
        self.label = self.writer.label = label

    def is_inside(self) -> bool:
        """Whether this thread is inside the lock: a signal handler in the midst of an emit is."""
        return bool(self.lock._is_owned())  # type: ignore[attr-defined]

    def abandon(self) -> None:
        """In a forked child, before ``begin_process``: close our copies of what is the parent's."""
        for folder in (self.writer.folder, *self.adopted):
            if folder is not None:
                folder.abandon()

    def append(
        self, record: ReadableLogRecord | ReadWriteLogRecord, *, replaces: Sequence[Entry] = ()
    ) -> Entry | NotWritten:
        """
        Write a record down.

        Args:
            replaces: held ones whose place it takes.

        Returns:
            Where it is, or why it is not on disk.
        """
        event = self.encode(record)
        with self.lock:
            return self.write(event, replaces)

    def write(self, event: Encoded | None, replaces: Sequence[Entry] = ()) -> Entry | NotWritten:
        """As ``append``, of what ``encode`` made of a record. The lock is held."""
        entry: Entry | NotWritten
        entry = NotWritten.UNWRITABLE if event is None else self.writer.append(event, replaces)
        if self._power and isinstance(entry, Entry):
            self._syncing.note(entry.segment)
        if replaces:
            self.forget(replaces)
        if self._leaving and not self.writer.writing:
            self._leave_own()
        return entry

    def write_together(self, events: Sequence[Encoded | None]) -> Sequence[Entry | NotWritten]:
        """As ``write``, of many events, whose order stays within a lane; at one go. The lock is held."""
        entries: list[Entry | NotWritten] = [NotWritten.UNWRITABLE] * len(events)
        for lane in LANES:
            places = [place for place, event in enumerate(events) if event is not None and event.lane == lane]
            of_lane = [event for event in events if event is not None and event.lane == lane]
            for place, entry in zip(places, self.writer.append_together(of_lane), strict=True):
                entries[place] = entry
        if self._power:
            for segment in {entry.segment for entry in entries if isinstance(entry, Entry)}:
                self._syncing.note(segment)
        if self._leaving and not self.writer.writing:
            self._leave_own()
        return entries

    def hold(self, record: ReadableLogRecord | ReadWriteLogRecord) -> Entry | None:
        """Write down a record about which nothing is decided yet; None when the disk does not take it."""
        event = self.encode(record)
        if event is None:
            return None
        event.lane = HELD
        with self.lock:
            entry = self.write(event)
        return entry if isinstance(entry, Entry) else None

    def forget(self, held: Sequence[Entry]) -> None:
        """These held records are decided: others take their place, or they are sampled out. Idempotent."""
        with self.lock:
            folder = self.writer.folder
            if folder is None:
                return
            settled = folder.journal.settled
            ours = {entry.number: entry for entry in self._ours(held) if entry.number not in settled}
            if ours:
                folder.settle(shares_of(ours.values()), None, in_order(sorted(ours)))

    def _ours(self, entries: Sequence[Entry]) -> list[Entry]:
        folder = self.writer.folder
        return [] if folder is None else [entry for entry in entries if folder.has(entry.segment)]

    def make_durable(self, entry: Entry) -> bool:
        """
        Have an event, and all of its segment, on the medium before this returns, with what other threads wait for.

        Returns:
            Whether it is there, as far as the system says. It is written, and will be sent, anyway.
        """
        return self._syncing.make_durable(entry.segment)

    def sync(self) -> None:
        """
        Have everything on the medium that asks for it.

        Raises:
            NotSyncedError: some of it is not.
        """
        self._syncing.sync()

    def _doubt(self, segment: Segment) -> None:
        """After an error of the medium the system calls everything synced: what comes goes to another file."""
        with self.lock:
            if self.writer.active(segment.lane) is segment:
                self.writer.seal(segment.lane)

    def give_up(self, folder: Folder, segment: Segment, reason: str) -> None:
        """Remove a segment with its unsent events, and count them."""
        with self.lock:
            if folder.released:
                return
            counted_as = _reason(reason, (segment,))
            events = folder.give_up(segment, counted_as)
            self.accounts.lose(folder, counted_as, events)
            self.log.tell(reason, "%d events are given up: %s", events, reason)
            self.space.notify_all()

    def lose(self, folder: Folder, ranges: Sequence[Range], reason: str, events: int) -> None:
        """Count so many of the events with these numbers as given up: they are in no segment any more."""
        with self.lock:
            if folder.released:
                return
            self.accounts.lose(folder, reason, events)
            folder.journal.settle(ranges, {reason: events})

    def take_losses(self) -> list[Loss]:
        """Losses since the last time, to be reported by the caller: nobody else will tell of them."""
        with self.lock:
            for folder in (self.writer.folder, *self.adopted):
                if folder is not None:
                    folder.journal.tell()
            return self.accounts.take_losses()

    def freeze(
        self, folder: Folder, entries: Sequence[Entry], *, first_attempt_ns: int | None = None
    ) -> str | None:
        """
        Give a batch its token, and note both before its first attempt. It is in flight from here on.

        Under ``power`` its events and the note are on the medium then: what was sent can be sent again, unchanged.

        Args:
            first_attempt_ns: when an attempt that nobody knows of may have been; None where there was none.

        Returns:
            The token; None when the folder was let go of: whoever has it now sends its events.
        """
        ranges = tuple(in_order(entry.number for entry in entries))
        shares = shares_of(entries)
        # The process's own name: its number may be that of an earlier one, as in a container it always is.
        token = f"{folder.path.name}-{self.writer.producer}-{next(self._batches)}"
        synced = self.options.durability == "power"
        if synced:
            with suppress(OSError):
                self.sync()
        with self.lock:
            if folder.released:
                return None
            first_ns = self.now_ns() if first_attempt_ns is None else first_attempt_ns
            noted = folder.freeze(Frozen(token, ranges, first_ns), shares)
            self.in_flight.add(token)
        if noted and synced:
            noted = self._sync_journal(folder)
        if not noted:
            self.log.tell("journal", "a batch could not be noted; it may arrive twice if this process is killed")
        return token

    @staticmethod
    def _sync_journal(folder: Folder) -> bool:
        try:
            folder.journal.sync()
        except OSError:
            return False
        return True

    def settle(self, folder: Folder, entries: Sequence[Entry], token: str | None, outcome: Outcome) -> None:
        """
        Note a definite answer: its events are delivered, or refused for good.

        Of a folder that was let go of nothing is noted: its events count as left, and whoever has it now gets the
        same answer for the same token.
        """
        shares, ranges = shares_of(entries), in_order(entry.number for entry in entries)
        with self.lock:
            if folder.released:
                return
            lost = Counter[str]()
            for reason, events in outcome.lost().items():
                lost[_reason(reason, shares)] += events
            self.accounts.settle(folder, outcome, lost)
            folder.settle(shares, token, ranges, lost)
            self.space.notify_all()

    def drop(self, folder: Folder, entries: Sequence[Entry], reason: str) -> None:
        """Give up events one by one, and count them."""
        with self.lock:
            if folder.released:
                return
            shares, ranges = shares_of(entries), in_order(entry.number for entry in entries)
            reason = _reason(reason, shares)
            self.accounts.lose(folder, reason, len(entries))
            folder.settle(shares, None, ranges, {reason: len(entries)})
            self.space.notify_all()

    def count_unspooled(self, outcome: Outcome) -> None:
        """Count a definite answer about events that were on no disk."""
        with self.lock:
            count(self.accounts.own, outcome, outcome.lost())
            self.space.notify_all()

    def unsent(self) -> int:
        """Events of this process on disk that are not settled, as far as it knows."""
        with self.lock:
            return self.waiting() + sum(self.accounts.left.values())

    def waiting(self) -> int:
        """Those of them that wait for this process itself."""
        folder = self.writer.folder
        return _unsettled(folder, held=False) if folder is not None else 0

    def take_deferred(self) -> tuple[Folder, Segment] | None:
        """The oldest segment of this process that is for the backlog; sealed, and marked as being sent."""
        with self.lock:
            folder = self.writer.folder
            if folder is None:
                return None
            waiting = [
                segment
                for segment in folder.segments.values()
                if segment.deferred and not segment.taken and segment.unsettled > 0
            ]
            if not waiting:
                return None
            segment = min(waiting, key=lambda segment: segment.number)
            if not segment.sealed:
                self.writer.seal(segment.lane)
            if not folder.has(segment):
                return self.take_deferred()
            segment.taken = True
            return folder, segment

    def defer_all(self) -> None:
        """Leave everything that is unsent to the backlog: nobody has it in memory any more."""
        with self.lock:
            self.writer.seal_all()
            folder = self.writer.folder
            for segment in list(folder.segments.values()) if folder is not None else ():
                segment.deferred = segment.lane != HELD

    def defer_stranded(self) -> None:
        """As ``defer_all``, where events are unsent though the queue is empty: their batch was left on disk."""
        with self.lock:
            folder = self.writer.folder
            segments = list(folder.segments.values()) if folder is not None else []
            if any(segment.unsettled and not segment.deferred and segment.lane != HELD for segment in segments):
                self.defer_all()

    def leave(self) -> None:
        """Leave what is unsent for other processes, and go on in a new folder; unless something is undecided."""
        with self.lock:
            folder = self.writer.folder
            if folder is not None and not _unsettled(folder, held=True):
                folder.journal.reserve.give_up()  # a process that cannot deliver leaves many folders
                self._leave_own()

    def _leave_own(self) -> None:
        # A signal handler leaves no folder in which an event is being written: whoever writes it does.
        self._leaving = self.writer.writing
        if self._leaving:
            return
        folder = self.writer.leave()
        if folder is not None:
            self.accounts.leave(folder, _unsettled(folder, held=False))
            self.space.notify_all()

    def look_at_others(self) -> None:
        """
        Learn what else there is: bytes beside our own segments, folders that we left and that are gone.

        And whether our own is still there.
        """
        self._look_at_own()
        left = set(self.accounts.left)
        try:
            with self.lock:  # no folder of ours is being made meanwhile: it would count as another's
                names = self.filesystem.names(self.directory)
                folder = self.writer.folder
        except OSError:
            return
        own = folder.path.name if folder is not None else ""
        total = sum(size_of(self.filesystem, self.directory / name) for name in names if name != own)
        with self.lock:
            self.room.of_others = total
            self.accounts.see_gone(names, left)
            self.space.notify_all()

    def _look_at_own(self) -> None:
        with suppress(OSError), self.lock:
            if self.writer.check():
                return
            folder = self.writer.leave()
            if folder is not None:
                self.accounts.own.drop("vanished", _unsettled(folder, held=False))
                folder.abandon()

    def close(self) -> None:
        """Let go of everything, and adopt nothing more; what is unsent is left for whoever comes next."""
        with self.lock:
            self.adopted.close()
            self._leave_own()  # whoever comes next sends what was never decided, too


def _reason(reason: str, segments: Iterable[Segment]) -> str:
    """As what events of these segments count that are given up; a batch has held ones only, or none."""
    return UNDECIDED if any(segment.lane == HELD for segment in segments) else reason


def _unsettled(folder: Folder, *, held: bool) -> int:
    """Events of a folder of ours that wait: those about which something is decided, or the others."""
    return sum(segment.unsettled for segment in list(folder.segments.values()) if (segment.lane == HELD) is held)
