"""
The spool in front of the SDK's batch processor: what users of OpenTelemetry add to their ``LoggerProvider``.

::

    on_emit ──> Spool ──> LiveQueue (BatchLogRecordProcessor) ──┐
                  │                                             ├──> Sender ──> Deliverer ──> the exporter
                  └─ beyond the queue's bytes, of dead ones ──> Backlog (thread otel-spool) ──┘

An event is on disk when ``on_emit`` returns. The batch processor stays the batcher of what is fresh; what does not
fit its queue is sent from disk by a thread of our own, so fresh events do not wait behind a backlog.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter

from otel_delivery.forks import at_each_fork
from otel_delivery.waiting import Interrupt
from otel_spool.context import NOTHING_TOLD, gathered_in, is_durable, replaced_by
from otel_spool.delivery import Observe, observed_by_nobody
from otel_spool.exceptions import ConfigurationError
from otel_spool.filesystem import FileSystem
from otel_spool.folder import Entry
from otel_spool.late_exporter import LateExporter
from otel_spool.ledger import Loss
from otel_spool.live_queue import LiveQueue, Unspooled
from otel_spool.log import SpoolLog
from otel_spool.options import SpoolOptions
from otel_spool.segment import Segment
from otel_spool.sending import new_sender
from otel_spool.spool import Spool
from otel_spool.stats import SpoolStats
from otel_spool.threads import started, started_or_done
from otel_spool.worker import Worker
from otel_spool.writer import NotWritten

#: How long the forks of a process may wait, in all, for what other threads are in the midst of.
_SECONDS_FOR_FORKS: Final = 5.0
#: What a record takes in memory that cannot be written down: nobody knows.
_GUESSED_BYTES: Final = 16 * 1024
#: A label as JSON: the header of each file has it, and is looked for in the first 4 KiB.
_MAX_LABEL_BYTES: Final = 2048


#: What was held, for each processor that holds it.
Held = Mapping["SpooledLogRecordProcessor", Entry]


@dataclass(frozen=True, slots=True)
class FlushResult:
    """
    What ``flush`` and ``shutdown`` achieved.

    Attributes:
        complete: nothing waits any more, in this process or left by it on disk.
        stats: the counts at the end.
    """

    complete: bool
    stats: SpoolStats


class SpooledLogRecordProcessor(LogRecordProcessor):
    """
    Writes each record to a spool before it returns, and delivers it in batches.

    Args:
        exporter: an exporter, or a function that makes one: called in an exporting thread when the first batch is
            there, so that slow drivers are imported there.
        directory: of the spool; one for each destination, shared by processes.
        options: of the spool.
        schedule_delay_millis: longest wait before a small batch is sent.
        max_export_batch_size: records of a batch.
        max_queue_size: records that wait in memory, too.
        shutdown_timeout_seconds: of ``shutdown()``, which OpenTelemetry calls without a time.
        adopt_at_once: look for what dead processes left before the first event of this one.
        observe: told of each attempt to deliver.

    Raises:
        FolderError: the folder belongs to another user, or is none.
        OSError: it cannot be made.
    """

    def __init__(
        self,
        exporter: LogRecordExporter | Callable[[], LogRecordExporter],
        directory: Path | str,
        *,
        options: SpoolOptions | None = None,
        schedule_delay_millis: float = 1_000,
        max_export_batch_size: int = 8_192,
        max_queue_size: int = 65_536,
        shutdown_timeout_seconds: float = 10.0,
        adopt_at_once: bool = True,
        observe: Observe = observed_by_nobody,
        filesystem: FileSystem | None = None,
        log: SpoolLog | None = None,
    ) -> None:
        self._log = log or SpoolLog()
        self.spool = Spool(Path(directory), options, filesystem=filesystem, log=self._log)
        self._exporter = LateExporter(exporter)
        self._schedule_seconds = schedule_delay_millis / 1000
        self._max_records = min(max_export_batch_size, max_queue_size)
        self._shutdown_timeout_seconds = shutdown_timeout_seconds
        batching = {"schedule_delay_millis": schedule_delay_millis, "max_export_batch_size": self._max_records}
        self._live = LiveQueue(self.spool, batching, max_records=max_queue_size)
        self._closed = False
        self._observe = observe
        self._interrupt = Interrupt()
        self._held_for_fork: dict[int, list[Any]] = {}  # by thread: several may fork at once
        self._patience_seconds = _SECONDS_FOR_FORKS
        self._begin_process()
        at_each_fork(
            self,
            before=SpooledLogRecordProcessor.before_fork,
            after_in_parent=SpooledLogRecordProcessor.after_fork_in_parent,
            after_in_child=SpooledLogRecordProcessor.reset_after_fork,
        )
        if adopt_at_once:
            self.start()

    def _begin_process(self) -> None:
        spool = self.spool
        self._refused = 0
        self._flushing: threading.Thread | None = None
        self._sender = new_sender(
            spool, self._exporter, interrupt=self._interrupt, log=self._log, observe=self._observe
        )
        self._live.send_with(self._sender)
        self._worker = Worker(
            spool,
            self._live,
            self._sender,
            max_records=self._max_records,
            schedule_seconds=self._schedule_seconds,
            interrupt=self._interrupt,
            log=self._log,
        )

    def start(self) -> None:
        """Start the thread that sends the backlog, unless it runs. Without it, it starts with the first event."""
        if not self._closed:
            self._worker.start()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Write the record down, and have it sent. Raises nothing, waits for no backend."""
        context = log_record.log_record.context or NOTHING_TOLD  # read now: the batch processor clears it
        if context and (gathered := gathered_in(context)) is not None:
            gathered.setdefault(self, []).append(log_record)
            return
        held = self._mine(replaced_by(context)) if context else ()
        if threading.get_ident() in self._live.sending:
            with self.spool.lock:
                self._refuse("reentrant")
                self.spool.forget(held)
            return
        if not self._worker.is_started:
            self.start()
        event = self.spool.encode(log_record)
        with self.spool.lock:
            entry = self.spool.write(event, held)
            if isinstance(entry, NotWritten):
                self._keep_in_memory(log_record, entry, _GUESSED_BYTES if event is None else event.size)
            elif not entry.segment.deferred:
                self._live.put(log_record, entry)
        if context and is_durable(context) and isinstance(entry, Entry):
            self.spool.make_durable(entry)
        if self._log.waiting:
            self._log.write()

    def write_gathered(self, gathered: MutableMapping[Any, list[Any]]) -> None:
        """
        Write the records down that wait in there for this processor (:func:`gathering`), and have them sent.

        They go to disk together, which costs a fraction of as many single writes. Like ``on_emit`` it raises
        nothing and waits for no backend; those that are to be durable are on the medium when it returns.
        """
        log_records: list[ReadWriteLogRecord] = gathered.pop(self, [])
        if threading.get_ident() in self._live.sending:
            with self.spool.lock:
                for _ in log_records:
                    self._refuse("reentrant")
            return
        if not self._worker.is_started:
            self.start()
        events = [self.spool.encode(log_record) for log_record in log_records]
        asked: dict[Segment, Entry] = {}
        with self.spool.lock:
            entries = self.spool.write_together(events)
            for log_record, event, entry in zip(log_records, events, entries, strict=True):
                if isinstance(entry, NotWritten):
                    self._keep_in_memory(log_record, entry, _GUESSED_BYTES if event is None else event.size)
                    continue
                context = log_record.log_record.context
                if context and is_durable(context):
                    asked[entry.segment] = entry
                if not entry.segment.deferred:
                    self._live.put(log_record, entry)
        for entry in asked.values():
            self.spool.make_durable(entry)
        if self._log.waiting:
            self._log.write()

    def hold(self, log_record: ReadableLogRecord | ReadWriteLogRecord) -> Entry | None:
        """
        Write down a record about which nothing is decided yet: it may be sampled out, or folded with others.

        It is sent, as it is, when this process dies before something takes its place (:func:`replacing`) or it is
        forgotten (:meth:`forget`). None when it cannot be written, or this process only leaves events for others.
        """
        self.start()
        return None if self._live.only_disk else self.spool.hold(log_record)

    def forget(self, held: Sequence[Held]) -> None:
        """These held records are not to be sent."""
        self.spool.forget(self._mine(held))

    def _mine(self, held: Sequence[Held]) -> list[Entry]:
        return [entry for holders in held if (entry := holders.get(self)) is not None]

    def _keep_in_memory(self, log_record: ReadWriteLogRecord, why: NotWritten, size: int) -> None:
        if why is NotWritten.FULL:
            self._refuse("spool_full")
        elif self._closed:
            self._refuse("shutdown")
        elif not self._live.has_room(size):
            self._refuse("queue_full")
        else:
            self._live.put(log_record, Unspooled(size))

    def _refuse(self, reason: str) -> None:
        self.spool.accounts.own.drop(reason)
        self._refused += 1

    def stats(self) -> SpoolStats:
        """The counts so far, of one moment."""
        with self.spool.lock:
            while (stats := self._stats()).accepted != self._accepted():
                continue  # a signal handler has emitted in between
            return stats

    def _accepted(self) -> int:
        return self.spool.writer.written + self._live.kept + self._refused

    def _stats(self) -> SpoolStats:
        spool, live = self.spool, self._live
        with spool.lock:
            folder = spool.writer.folder
            unsent = [segment for segment in folder.segments.values() if segment.unsettled] if folder else []
            return SpoolStats(
                accepted=self._accepted(),
                delivered=spool.accounts.own.delivered,
                spooled=spool.unsent(),
                in_memory=live.in_memory,
                dropped=dict(spool.accounts.own.dropped),
                recovered=spool.accounts.recovered.delivered,
                recovered_dropped=dict(spool.accounts.recovered.dropped),
                retries=self._sender.retries,
                spool_bytes=folder.held_bytes if folder else 0,
                queue_bytes=live.queued_bytes,
                queued=live.queued,
                oldest_unsent_ns=min((segment.created_ns for segment in unsent), default=None),
                degraded=spool.writer.degraded,
                taken_over=spool.accounts.taken_over,
                worker_restarts=live.restarts,
                quarantined=spool.quarantine.pieces,
            )

    def label_events(self, label: str) -> None:
        """
        Say whose events these are, for who reports their losses; before the first of them, also in a fork.

        Raises:
            ConfigurationError: it is too long.
        """
        if len(json.dumps(label)) > _MAX_LABEL_BYTES:
            raise ConfigurationError(
                f"The label of a spool's events has {len(label):,} characters.",
                hint=f"As JSON, in ASCII, it may have {_MAX_LABEL_BYTES:,} bytes.",
            )
        self.spool.label_events(label)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more fit into the spool, as of the last look."""
        return self.spool.room.has(size)

    def take_losses(self) -> list[Loss]:
        """
        Events that were given up since the last time, those of dead processes included; each is told of once.

        For who reports losses elsewhere; set ``report_losses``, so that they outlive a process that did not ask.
        """
        return self.spool.take_losses()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is queued, for at most so long; True when nothing of this process waits any more."""
        return self.flush(timeout_millis / 1000).complete

    def flush(self, timeout_seconds: float) -> FlushResult:
        """
        Send what is unsent, for at most ``timeout_seconds``; what is left is on disk.

        In a signal handler that has interrupted an emit it begins to send, and does not wait. Where no thread can
        be had (Python 3.12.1 starts none in ``atexit`` handlers) it waits for the batch processor's next round: in
        this thread nothing would end the attempts, as long as the backend is away.
        """
        end = time.monotonic() + timeout_seconds
        if self._flushing is None or not self._flushing.is_alive():
            self._flushing = started(self._live.flush, "otel-spool-flush")
        if self.spool.is_inside():
            return self._result()  # what would be waited for waits for this very thread
        if self._flushing is not None:
            self._flushing.join(max(0.0, end - time.monotonic()))
        with self.spool.space:
            self.spool.space.wait_for(
                lambda: not self._waiting() or self._interrupt.is_set(), max(0.0, end - time.monotonic())
            )
        return self._result()

    def _waiting(self) -> int:
        return self.spool.waiting() + self._live.in_memory

    def _result(self) -> FlushResult:
        stats = self.stats()
        return FlushResult(complete=stats.spooled + stats.in_memory == 0, stats=stats)

    def shutdown(self) -> None:
        """Send what is unsent for a while, then stop; what is left is on disk, for the next process."""
        self.shutdown_within(self._shutdown_timeout_seconds)

    def shutdown_within(self, timeout_seconds: float) -> FlushResult:
        """
        Send what is unsent, for at most ``timeout_seconds``, and stop. Idempotent.

        Records that come later are written to disk and left for the next process. Where no thread can be had the
        caller shuts the exporter down itself, which may take longer: no wait, but an attempt that is under way.
        """
        if self._closed:
            return self._result()
        end = time.monotonic() + timeout_seconds
        self.flush(timeout_seconds / 2)
        self._closed = True
        self._worker.close()
        self._live.use_only_disk()
        self.interrupt()
        closing = started_or_done(self._shut_down, "otel-spool-shutdown", may_wait=not self.spool.is_inside())
        for thread in (closing, *self._worker.threads()):
            if thread is not None:
                thread.join(max(0.0, end - time.monotonic()))
        self._live.give_up_memory("shutdown")
        with suppress(OSError):
            self.spool.sync()
        self._sender.close()
        self.spool.close()
        self._log.write()
        return self._result()

    def _shut_down(self) -> None:
        self._live.shutdown()
        self._exporter.shutdown()

    def interrupt(self) -> None:
        """End all waiting between attempts, for good. May be called from a signal handler."""
        self._interrupt.set()

    def before_fork(self) -> None:
        """
        Have other threads end what a child could not go on with; all forks of a process together wait seconds.

        A driver that is being imported is one that the child can never import; a folder that is being taken is one
        whose lock the child would hold, unknown to all.
        """
        began = time.monotonic()
        held = self._held_for_fork.setdefault(threading.get_ident(), [])
        for lock in (self._exporter.starting, self.spool.adopted.taking, self.spool.lock):
            if lock.acquire(timeout=self._patience_seconds):
                held.append(lock)
        self._patience_seconds = max(0.0, self._patience_seconds - (time.monotonic() - began))

    def after_fork_in_parent(self) -> None:
        """Let other threads go on."""
        for lock in reversed(self._held_for_fork.pop(threading.get_ident(), [])):
            lock.release()

    def reset_after_fork(self) -> None:
        """In the child: events, files and locks so far are the parent's."""
        held, self._held_for_fork = self._held_for_fork, {}
        # Where another thread was about to fork, too, it is that one that has the lock, and nobody imports.
        half_imported = not any(self._exporter.starting in locks for locks in held.values())
        self.spool.abandon()
        self._sender.abandon()
        self.spool.begin_process()
        self._exporter.reset_after_fork(half_imported)
        self._live.begin_process()
        if self._closed:
            self._live.use_only_disk()
        else:
            self._interrupt = Interrupt()
        self._begin_process()
