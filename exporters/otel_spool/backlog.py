"""
The backlog: events that are on disk only, of this process and of dead ones, back into records and out.

Of a folder the frozen batches go first, exactly as they were: the same events, the same order, the same token.
What remains goes segment by segment in new batches, each frozen before it is sent.

Where bytes of a frozen batch are damaged, its other events go with its token: if it has arrived, they have, too.
Unless it was sent in halves: nobody knows which those were, so what is left gets a token of its own. So do the
halves of what is left, as a loss of power may have taken what the journal said of others. The first attempt counts
as long ago: the exporter then looks what the backend has before it sends. That holds for events of a folder whose
journal is damaged, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zlib import crc32

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_spool.codec import decode_record
from otel_spool.delivery import Batch, Outcome
from otel_spool.exceptions import CorruptError, MissingCodecError
from otel_spool.folder import Entry, Folder
from otel_spool.frame import Damage
from otel_spool.journal import Frozen, events_in
from otel_spool.ranges import Ranges, in_order, numbers_of
from otel_spool.segment import HELD, UNDECIDED, Contents, Segment, StoredEvent
from otel_spool.sending import Sender
from otel_spool.spool import Spool

_MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
#: When the first attempt of a batch began of which nobody knows whether it was sent.
_LONG_AGO_NS: Final = 0

#: Earlier times are those of a machine that did not know the time yet (the start of 2020).
_NO_CLOCK_NS: Final = 1_577_836_800_000_000_000

_Found = tuple[Entry, ReadableLogRecord]


@dataclass(slots=True)
class _Learned:
    """
    What is known of an adopted folder.

    Attributes:
        given_up_before: events of segments that were given up before we had it, so not among those that were
            ``read``; what we give up ourselves is, as far as it was counted.
        read: numbers of the events that were in its segments.
        held_damaged: what is missing may be held ones.
    """

    given_up_before: int
    read: Ranges = field(default_factory=Ranges)
    held_damaged: bool = False

    @property
    def missing_as(self) -> str:
        """As what the missing ones count."""
        return UNDECIDED if self.held_damaged else "corrupt"


class Backlog:
    """
    Sends what is on disk only. One thread at a time.

    Args:
        max_records: of a new batch.
        turn: called before each batch; False ends the work for now.
    """

    def __init__(
        self,
        spool: Spool,
        sender: Sender,
        *,
        max_records: int,
        turn: Callable[[], bool] = lambda: True,
    ) -> None:
        self._spool = spool
        self._sender = sender
        self._max_records = max_records
        self._turn = turn
        self._learned: dict[Folder, _Learned] = {}
        self._ended = False
        self._known_damages: set[tuple[Path, int]] = set()

    def work(self) -> bool:
        """Send everything there is; False when something is left."""
        self._ended = False
        done = [self._own()]
        done += [self._adopted(folder) for folder in list(self._spool.adopted)]
        return all(done)

    def forget(self) -> None:
        """The adopted folders are let go of, with what was learned of them."""
        self._learned.clear()

    def _own(self) -> bool:
        folder = self._spool.writer.folder
        done = folder is None or self._pending(folder)
        taken: list[Segment] = []
        try:
            while not self._ended and (found := self._spool.take_deferred()) is not None:
                folder, segment = found
                taken.append(segment)
                sent = self._segment(folder, segment)
                if sent and segment.unsettled > 0:
                    sent = self._give_up_unreadable(folder, segment)
                done = sent and done
        finally:
            for segment in taken:
                segment.taken = False
        return done and not self._ended

    def _give_up_unreadable(self, folder: Folder, segment: Segment) -> bool:
        """All that can be read of a segment is sent. False while other events of it are being sent."""
        with self._spool.lock:
            if segment.frozen:
                return False
            self._spool.give_up(folder, segment, "corrupt")
            return True

    def _adopted(self, folder: Folder) -> bool:
        self._learned.setdefault(folder, _Learned(sum(folder.journal.given_up.values())))
        try:
            done = self._pending(folder)
            for segment in sorted(folder.segments.values(), key=_order):
                done = (
                    not self._ended and self._may_send(folder, segment) and self._segment(folder, segment) and done
                )
        except MissingCodecError as error:
            self._spool.log.tell("codec", "%s is left as it is: %s", folder.path.name, error)
            del self._learned[folder]
            self._spool.adopted.leave_alone(folder)
            return True
        if done and not folder.segments:
            self._note_missing(folder)
            if not self._spool.accounts.has_untold(folder):
                del self._learned[folder]
                self._spool.adopted.release(folder)
        return done

    @staticmethod
    def _may_send(folder: Folder, segment: Segment) -> bool:
        """Held events not before all others are known: one of those may take their place."""
        return segment.lane != HELD or all(
            other.measured for other in folder.segments.values() if other.lane != HELD
        )

    def _pending(self, folder: Folder) -> bool:
        """Send the frozen batches again."""
        with self._spool.lock:
            in_flight = self._spool.in_flight
            waiting = [frozen for frozen in folder.journal.pending.values() if frozen.token not in in_flight]
            if not waiting:
                return True
            if folder is self._spool.writer.folder:
                self._spool.writer.seal_frozen()  # a file that is read is not written to
            settled = folder.journal.settled.copy()
        found = self._collect(folder, events_in(waiting), settled)
        done = found is not None
        for frozen in waiting if found is not None else ():
            done = not self._ended and self._again(folder, frozen, found or {}) and done
        return done

    def _collect(self, folder: Folder, wanted: Ranges, settled: Ranges) -> dict[int, _Found] | None:
        found: dict[int, _Found] = {}
        is_own = folder is self._spool.writer.folder
        for segment in sorted(folder.segments.values(), key=_order):
            if is_own and not segment.frozen:
                continue
            contents = self._read(folder, segment)
            if contents is None:
                return None
            events = [event for event in contents.events if event.number in wanted and event.number not in settled]
            decoded = self._decode(folder, segment, contents, events)
            found.update((entry.number, (entry, record)) for entry, record in decoded)
        return found

    def _again(self, folder: Folder, frozen: Frozen, found: dict[int, _Found]) -> bool:
        numbers = list(numbers_of(frozen.ranges))
        entries = [found[number][0] for number in numbers if number in found]
        records = [found[number][1] for number in numbers if number in found]
        self._note_lost(folder, [number for number in numbers if number not in found])
        if not records:
            with self._spool.lock:
                folder.settle({}, frozen.token)
            return True
        batch = Batch(records, range(len(records)), frozen.token, frozen.first_attempt_ns)
        if len(records) < len(numbers):
            left = crc32(repr(in_order(entry.number for entry in entries)).encode("ascii"))
            rest = f"{frozen.token}/rest-{left:08x}"
            token = rest if frozen.token in folder.journal.split else frozen.token
            batch = replace(batch, token=token, halves_token=rest, first_attempt_ns=_LONG_AGO_NS)
        if not self._has_turn():
            return False
        return self._went_on(self._sender.send(folder, entries, batch, token=frozen.token))

    def _has_turn(self) -> bool:
        self._ended = self._ended or not self._turn()
        return not self._ended

    def _went_on(self, outcome: Outcome) -> bool:
        """Whether that is done. What was put off holds nothing else up; any other reason ends the work."""
        self._ended = not (outcome.complete or outcome.put_off)
        return outcome.complete

    def _note_lost(self, folder: Folder, numbers: Sequence[int]) -> None:
        """Of a frozen batch these events are nowhere, unless they were given up before."""
        with self._spool.lock:
            lost = [number for number in numbers if number not in folder.journal.settled]
            if not lost:
                return
            if folder is self._spool.writer.folder:
                folder.journal.settle(in_order(lost))  # their segment has them in its own count
            else:
                self._spool.lose(folder, in_order(lost), self._learned[folder].missing_as, len(lost))

    def _segment(self, folder: Folder, segment: Segment) -> bool:
        """Send what is unsettled of a segment; False when some of it waits."""
        if not segment.measured or segment.unsettled > 0:
            contents = self._read(folder, segment)
            if contents is None:
                return False
            if self._is_expired(segment) and not self._has_frozen(folder, contents):
                self._spool.give_up(folder, segment, "expired")
                return True
            if not self._send_rest(folder, segment, contents):
                return False
        with self._spool.lock:
            folder.remove_if_settled(segment)
        return True

    def _has_frozen(self, folder: Folder, contents: Contents) -> bool:
        with self._spool.lock:
            pending = events_in(folder.journal.pending.values())
        return any(event.number in pending for event in contents.events)

    def _send_rest(self, folder: Folder, segment: Segment, contents: Contents) -> bool:
        with self._spool.lock:
            settled, pending = folder.journal.settled.copy(), events_in(folder.journal.pending.values())
        events = [event for event in contents.events if event.number not in settled]
        waiting = [event for event in events if event.number in pending]  # another thread is sending them
        events = [event for event in events if event.number not in pending] if waiting else events
        done = not waiting
        for part in self._parts(events):
            found = list(self._decode(folder, segment, contents, part))
            if found:
                done = self._new(folder, found) and done
            if self._ended:
                return False
        return done

    def _new(self, folder: Folder, found: Sequence[_Found]) -> bool:
        if not self._has_turn():
            return False
        entries, records = [entry for entry, _ in found], [record for _, record in found]
        doubtful = folder.journal.damaged
        return self._went_on(self._sender.freeze_and_send(folder, entries, records, doubtful=doubtful))

    def _read(self, folder: Folder, segment: Segment) -> Contents | None:
        """What is in a segment; None when that cannot be read for now."""
        try:
            contents = folder.read(segment)
        except FileNotFoundError:
            contents = Contents(b"", folder.seed)
            if not segment.frozen:
                self._spool.give_up(folder, segment, "vanished")
        except OSError as error:
            self._spool.log.tell("read", "%s cannot be read for now: %s", segment.path.name, error)
            return None
        for damage in contents.damages:
            self._put_aside(folder, segment, damage)
        if contents.damages and segment.lane == HELD and folder in self._learned:
            self._learned[folder].held_damaged = True
        self._measure(folder, segment, contents)
        return contents

    def _measure(self, folder: Folder, segment: Segment, contents: Contents) -> None:
        """Learn of an adopted segment what its writer knew."""
        if segment.measured:
            return
        with self._spool.lock:  # who closes the folder meanwhile removes what is measured and has no events
            replaced = [pair for event in contents.events for pair in event.replaces]
            if replaced:
                folder.journal.settle(replaced)
            segment.created_ns = contents.created_ns
            segment.events = len(contents.events)
            segment.settled = sum(event.number in folder.journal.settled for event in contents.events)
            segment.measured = True
        self._learned[folder].read.update((event.number, event.number) for event in contents.events)

    def _is_expired(self, segment: Segment) -> bool:
        """Whether even its newest event is too old."""
        options = self._spool.options
        age_ns = self._spool.now_ns() - segment.created_ns
        limit_ns = (options.max_age_seconds + options.segment_age_seconds) * 1e9
        return segment.created_ns > _NO_CLOCK_NS and age_ns > limit_ns

    def _decode(
        self, folder: Folder, segment: Segment, contents: Contents, events: Sequence[StoredEvent]
    ) -> Iterator[_Found]:
        for event in events:
            entry = Entry(segment, event.number, len(event.payload))
            try:
                record = decode_record(event.kind, event.payload, contents.source)
            except CorruptError:
                self._spool.quarantine.keep(
                    f"{folder.path.name}-{segment.path.name}-{event.number}", event.payload
                )
                self._spool.drop(folder, [entry], "corrupt")
                continue
            yield entry, record

    def _put_aside(self, folder: Folder, segment: Segment, damage: Damage) -> None:
        if (segment.path, damage.offset) in self._known_damages:
            return
        self._known_damages.add((segment.path, damage.offset))
        with suppress(OSError):
            data = self._spool.filesystem.read(segment.path)[damage.offset : damage.offset + damage.length]
            self._spool.quarantine.keep(f"{folder.path.name}-{segment.path.name}-{damage.offset}", data)
        self._spool.log.tell(
            "damage", "%d bytes of %s are damaged and put aside", damage.length, segment.path.name
        )

    def _note_missing(self, folder: Folder) -> None:
        """Count the events that were written, as the numbers of others show, and are not there any more."""
        learned = self._learned[folder]
        known = learned.read
        known.update(folder.journal.settled)
        highest = max((last for _, last in known), default=0)
        missing = highest - len(known) - learned.given_up_before
        if missing > 0 and not folder.journal.damaged:
            self._spool.lose(folder, [(1, highest)], learned.missing_as, missing)

    def _parts(self, events: Sequence[StoredEvent]) -> Iterator[list[StoredEvent]]:
        part: list[StoredEvent] = []
        size = 0
        for event in events:
            if part and (len(part) >= self._max_records or size + len(event.payload) > _MAX_BATCH_BYTES):
                yield part
                part, size = [], 0
            part.append(event)
            size += len(event.payload)
        if part:
            yield part


def _order(segment: Segment) -> tuple[bool, int]:
    """Held ones last: until then it is known what takes their place."""
    return segment.lane == HELD, segment.number
