"""
What waits in memory: the SDK's batch processor, never overfilled, and what its thread does with a batch.

Each record carries where it is on disk. Records that the disk did not take are here only.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult

from otel_spool.delivery import Batch, Outcome
from otel_spool.folder import Entry
from otel_spool.sending import Sender
from otel_spool.spool import Spool

#: A batch processor that has taken nothing for that long, with events waiting, has lost its thread.
_SECONDS_UNTIL_DEAD: Final = 10.0
#: Room in the SDK's queue beyond ours: it drops the oldest when it is full.
_SLACK: Final = 1024


class Unspooled:
    """What a record that is on no disk is tagged with: its size, and when it was queued."""

    __slots__ = ("epoch", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.epoch = 0


_Tagged = tuple[ReadableLogRecord, Entry | Unspooled]


class LiveQueue:
    """
    The events that are in memory, and the batch processor that holds them.

    Args:
        spool: its lock protects the numbers here, too.
        batching: arguments of the batch processor.
        max_records: that may wait.

    Attributes:
        queued: how many wait.
        queued_bytes: of them, as the disk has or would have them.
        in_memory: how many of them are on no disk.
        kept: how many there were of those, so far.
        restarts: how often the batch processor's thread was found dead.
        sending: threads that send, of the backlog as well: what they emit would feed the export that emits it.
    """

    def __init__(self, spool: Spool, batching: Mapping[str, Any], *, max_records: int) -> None:
        self._spool = spool
        self._batching = {**batching, "max_queue_size": max_records + _SLACK}
        self._max_records = max_records
        self._max_bytes = spool.options.max_queue_bytes
        self._tag = f"_otel_spool_{id(self):x}"
        self._generation = 1
        self._batch = BatchLogRecordProcessor(_Export(self, 1), **self._batching)
        self.sending: set[int] = set()
        self.restarts = 0
        self.begin_process()

    def begin_process(self) -> None:
        """Begin empty: at first, and in a forked child, where the SDK has emptied its queue and begun a thread."""
        self._handing = False
        self._late: deque[ReadWriteLogRecord] = deque()
        self._put_off: list[tuple[Batch, Outcome]] = []  # of what is on no disk
        self._epoch = 0  # how often what is in memory only was given up
        self._last_taken = time.monotonic()
        self._sender: Sender | None = None
        self.only_disk = False
        self.sending.clear()
        self._exporting = 0
        self.queued = self.queued_bytes = self.in_memory = self.kept = self.restarts = 0

    def send_with(self, sender: Sender) -> None:
        """What batches are sent with."""
        self._sender = sender

    def put(self, log_record: ReadWriteLogRecord, entry: Entry | Unspooled) -> None:
        """
        Queue a record. The spool's lock is held.

        Args:
            entry: where it is on disk, if it is.
        """
        self.queued += 1
        self.queued_bytes += entry.size
        if isinstance(entry, Unspooled):
            entry.epoch = self._epoch
            self.in_memory += 1
            self.kept += 1
        setattr(log_record.log_record, self._tag, entry)
        if self._handing:  # a signal handler is in the midst of this thread's own hand-over
            self._late.append(log_record)
        else:
            self._hand_over(log_record)
        if self.queued_bytes > self._max_bytes or self.queued > self._max_records:
            self._spool.writer.deferring = True

    def _hand_over(self, log_record: ReadWriteLogRecord) -> None:
        self._handing = True
        try:
            self._batch.on_emit(log_record)
            while self._late:
                self._batch.on_emit(self._late.popleft())
        finally:
            self._handing = False

    def has_room(self, size: int) -> bool:
        """Whether one more record may wait here that is on no disk."""
        return self.queued < self._max_records and (not self.queued or self.queued_bytes + size <= self._max_bytes)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is being sent. The spool's lock is held."""
        return not self.queued and not self._exporting

    def export(self, batch: Sequence[ReadableLogRecord], generation: int) -> LogRecordExportResult:
        """Freeze and send what the batch processor has put together; called in its thread."""
        me = threading.get_ident()
        with self._spool.lock:
            if generation != self._generation:
                return (
                    LogRecordExportResult.FAILURE
                )  # of a thread that was taken for dead: they are sent from disk
            self._last_taken = time.monotonic()
            self._exporting += 1
        self.sending.add(me)
        tagged: list[_Tagged] = [
            (record, getattr(record.log_record, self._tag, None) or Unspooled(0)) for record in batch
        ]
        complete = False
        try:
            complete = self._send(tagged)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end the SDK's thread; they are on disk
            self._spool.log.tell("export", "a batch is left on disk: %s", type(error).__name__)
        finally:
            self.sending.discard(me)
            self._take_out(tagged)
        return LogRecordExportResult.SUCCESS if complete else LogRecordExportResult.FAILURE

    def _send(self, tagged: Sequence[_Tagged]) -> bool:
        spooled = [(record, entry) for record, entry in tagged if isinstance(entry, Entry)]
        epoch = self._epoch  # what was queued before it is counted as lost
        unspooled = [record for record, entry in tagged if isinstance(entry, Unspooled) and entry.epoch == epoch]
        complete = not spooled or self._send_spooled(spooled)
        if not unspooled:
            return complete
        batch = Batch(unspooled, range(len(unspooled)), uuid.uuid4().hex)
        return self._send_unspooled(batch, epoch) and complete

    def _send_spooled(self, found: Sequence[tuple[ReadableLogRecord, Entry]]) -> bool:
        with self._spool.lock:
            folder = self._spool.writer.folder
            ours = [] if folder is None else [pair for pair in found if folder.has(pair[1].segment)]
        if folder is None or not ours or self.only_disk or self._sender is None:
            return False  # left on disk, for another process
        records, entries = [record for record, _ in ours], [entry for _, entry in ours]
        return self._sender.freeze_and_send(folder, entries, records).complete

    def send_put_off(self) -> None:
        """Try once more what is on no disk and was put off; called by who sends the backlog."""
        with self._spool.lock:
            put_off, self._put_off = self._put_off, []
            epoch = self._epoch
        for batch, _ in put_off:
            self._send_unspooled(batch, epoch)

    def _send_unspooled(self, batch: Batch, epoch: int) -> bool:
        if self._sender is None or self._epoch != epoch:
            return False
        outcome = self._sender.send_unspooled(batch)
        with self._spool.lock:
            if self._epoch != epoch:
                return False  # it took too long: they are counted
            if outcome.put_off:
                self._put_off.append((batch, outcome))
                return False
            self._count_unspooled(batch, outcome, "elsewhere" if outcome.elsewhere else "shutdown")
        return outcome.complete

    def _count_unspooled(self, batch: Batch, outcome: Outcome, reason: str) -> None:
        """Count a batch of which nothing is kept any more."""
        events = len(batch.records)
        self.in_memory -= events
        settled = outcome.delivered + len(outcome.refused) + outcome.unknown
        self._spool.accounts.own.drop(reason, events - settled)
        self._spool.count_unspooled(outcome)

    def _take_out(self, tagged: Sequence[_Tagged]) -> None:
        half = self._max_bytes // 2
        with self._spool.lock:
            self._exporting -= 1
            self._last_taken = time.monotonic()
            self.queued -= len(tagged)
            self.queued_bytes -= sum(entry.size for _, entry in tagged)
            if self.queued_bytes <= half and self.queued <= self._max_records // 2:
                self._spool.writer.deferring = self.only_disk

    def use_only_disk(self) -> None:
        """From now on events are left on disk: this process does not deliver at the moment."""
        with self._spool.lock:
            self.only_disk = self._spool.writer.deferring = True

    def use_memory(self) -> None:
        """The counterpart: new events wait here, too."""
        with self._spool.lock:
            self.only_disk = self._spool.writer.deferring = False

    def give_up_memory(self, reason: str) -> None:
        """Count what is in memory only as lost."""
        with self._spool.lock:
            put_off = self._give_up(reason)
        self._post(put_off)

    def _give_up(self, reason: str) -> Sequence[tuple[Batch, Outcome]]:
        """The spool's lock is held; returns what is to be posted when it is not any more."""
        self._epoch += 1
        put_off, self._put_off = self._put_off, []
        for batch, outcome in put_off:
            self._count_unspooled(batch, outcome, reason)
        self._spool.accounts.own.drop(reason, self.in_memory)
        self.in_memory = 0
        return put_off

    def _post(self, put_off: Sequence[tuple[Batch, Outcome]]) -> None:
        # Who writes a letter may wait for the spool's lock: a finalizer that runs meanwhile may emit.
        for batch, outcome in put_off:
            if self._sender is not None:
                self._sender.post(batch.records, outcome)

    def watch(self, schedule_seconds: float) -> None:
        """Replace a batch processor whose thread has died; its events are on disk, and are sent from there."""
        with self._spool.lock:
            if self.queued == 0 or self._exporting:
                self._last_taken = time.monotonic()
            if time.monotonic() - self._last_taken < schedule_seconds + _SECONDS_UNTIL_DEAD:
                return
            self._generation += 1
            self.restarts += 1
            put_off = self._give_up("worker_died")
            self.queued = self.queued_bytes = 0
            self._spool.writer.deferring = self.only_disk
            self._spool.defer_all()
            old, self._batch = (
                self._batch,
                BatchLogRecordProcessor(_Export(self, self._generation), **self._batching),
            )
        self._post(put_off)
        self._spool.log.tell("worker", "the thread of the batch processor had died; there is a new one")
        with suppress(Exception):
            old.shutdown()  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Send what is queued; it may take as long as the backend is away."""
        self._batch.force_flush()

    def shutdown(self) -> None:
        """Send what is queued, and end the thread."""
        self._batch.shutdown()  # type: ignore[no-untyped-call]


class _Export(LogRecordExporter):
    """What the batch processor calls."""

    def __init__(self, queue: LiveQueue, generation: int) -> None:
        self._queue = queue
        self._generation = generation

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Freeze and send a batch."""
        return self._queue.export(batch, self._generation)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        del timeout_millis
        return True

    def shutdown(self) -> None:
        """The exporter itself is shut down by the processor."""
