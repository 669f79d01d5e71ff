"""
OpenTelemetry's part: for each destination a ``BatchLogRecordProcessor`` and an exporter, nothing lost unseen.

The SDK's batch processor loses events in silence: it drops the oldest when its queue is full, forgets a batch
whose export failed, and tells nobody. So it never gets to see a full queue, and every batch is counted::

    on_emit ──> BoundedProcessor ──> BatchLogRecordProcessor ──> AccountedExporter ──> the exporter
                refuses or waits     queue, worker thread        counts what became    built on first use,
                when full, counts                                of each batch         in the worker thread
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)

from activitylog.losses import Deltas
from activitylog.settings import Settings
from activitylog.stats import Counter, DestinationStats, Loss, ReasonCounters
from activitylog.visible import visible
from otel_delivery.reasons import Reasons

_log = logging.getLogger("activitylog")

#: Threads that are inside an export: an event emitted there would feed the export that emits it.
_exporting: set[int] = set()

#: Told of each attempt to deliver: seconds it took, records, outcome.
Observe = Callable[[float, int, str], object]

#: Room in the SDK's queue beyond ours: threads that passed our check at the same moment.
_SLACK: Final = 1024


@runtime_checkable
class ReportsLosses(Protocol):
    """An exporter that tells how many events it gave up, by reason, since it was made."""

    def dropped(self) -> Mapping[str, int]:
        """Events given up so far, by reason."""


@runtime_checkable
class Interruptible(Protocol):
    """An exporter whose waiting between attempts can be ended."""

    def interrupt(self) -> None:
        """End a wait that is under way; later exports try once."""


class Holder(Protocol):
    """Writes events down that wait: until something is decided about them, or for others; of the spool."""

    def hold(self, log_record: ReadWriteLogRecord, /) -> Any | None:
        """Write one down; None when it cannot be."""

    def forget(self, held: Sequence[Held], /) -> None:
        """These are not to be sent."""

    def write_gathered(self, gathered: MutableMapping[Any, list[Any]], /) -> None:
        """Write down together what was gathered of one call."""


#: Where an event that waits is written down, by its holder.
Held = Mapping[Any, Any]


class Destination(Protocol):
    """What the pipeline needs of a destination: OpenTelemetry's ``LogRecordProcessor``, and more."""

    name: str
    """Its URL, without secrets."""
    keeps_late_events: bool
    """Whether events that come after the shutdown are kept for the next process."""

    def on_emit(self, log_record: ReadWriteLogRecord, /) -> None:
        """Take one record."""

    def force_flush(self, timeout_millis: int = 30_000, /) -> bool:
        """Send what is queued; True when nothing is left."""

    def shutdown(self) -> None:
        """Stop, sending what waits."""

    @property
    def holder(self) -> Holder | None:
        """What writes events down that wait, where there is a spool."""

    def has_room(self, records: int) -> bool:
        """Whether so many records more would be taken, as far as one can tell."""

    def begin_producer(self, name: str) -> None:
        """Whose events come from now on; in a forked child before the first of them."""

    def take_losses(self) -> Sequence[Loss]:
        """What was lost since the last time."""

    def stats(self) -> DestinationStats:
        """What became of the events so far."""

    def flush_within(self, seconds: float) -> bool:
        """Send what waits, for at most ``seconds``; True when it ended in time."""

    def interrupt(self) -> None:
        """End waits between attempts."""

    def shutdown_within(self, seconds: float) -> None:
        """Stop, sending what waits, for at most ``seconds``."""

    def reset_after_fork(self) -> None:
        """In a forked child: begin empty."""


class AccountedExporter(LogRecordExporter):
    """
    Counts what became of each batch, and builds the exporter when the first one comes.

    Args:
        build: makes the exporter; called once, in the exporting thread, where slow drivers are then imported.
        name: of the destination, for log lines.
        observe: told of each export: seconds, records, outcome.

    Exports never overlap: the batch processor holds a lock around them.
    """

    def __init__(self, build: Callable[[], LogRecordExporter], name: str, observe: Observe | None = None) -> None:
        self._build = build
        self._observe = observe
        self._name = name
        self._exporter: LogRecordExporter | None = None
        self._interrupted = False
        self.reset()

    def reset(self) -> None:
        """Begin to count anew: in a forked child."""
        self.taken = 0
        self.delivered = 0
        self.lost: dict[str, int] = {}
        self._reasons = Reasons()
        self.space = threading.Condition()

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Hand the batch on; never raises."""
        self.taken += len(batch)
        self.tell_waiting()
        _exporting.add(threading.get_ident())
        try:
            exporter = self._exporter or self._built()
            before = _losses(exporter)
            began = time.perf_counter()
            result = exporter.export(batch)
            if self._observe is not None:
                delivered = result is LogRecordExportResult.SUCCESS
                self._observe(time.perf_counter() - began, len(batch), "delivered" if delivered else "failed")
            self._count(len(batch), result, before, _losses(exporter))
        except BaseException as error:  # noqa: BLE001 - anything else would end the SDK's worker thread for good
            self._lose("export_error", len(batch))
            _log.warning(
                "activitylog: %d events for %s are lost: %s",
                len(batch),
                visible(self._name),
                visible(type(error).__name__),
            )
            result = LogRecordExportResult.FAILURE
        finally:
            _exporting.discard(threading.get_ident())
        return result

    def tell_waiting(self) -> None:
        """Have the callers that wait for room look again."""
        with self.space:
            self.space.notify_all()

    def _built(self) -> LogRecordExporter:
        self._exporter = exporter = self._build()
        if self._interrupted and isinstance(exporter, Interruptible):
            exporter.interrupt()
        return exporter

    def _count(
        self, size: int, result: LogRecordExportResult, before: Mapping[str, int], after: Mapping[str, int]
    ) -> None:
        lost = 0
        for reason, total in after.items():
            given_up = total - before.get(reason, 0)
            if given_up:
                lost += given_up
                self._lose(reason, given_up)
        if result is not LogRecordExportResult.SUCCESS and not lost:
            lost = size
            self._lose("export_failed", size)
        self.delivered += size - lost

    def _lose(self, reason: str, count: int) -> None:
        reason = self._reasons.name(reason)
        self.lost[reason] = self.lost.get(reason, 0) + count

    def interrupt(self) -> None:
        """End a wait between attempts; what cannot be sent at once is then given up, and counted."""
        self._interrupted = True
        exporter: object = self._exporter
        if isinstance(exporter, Interruptible):
            exporter.interrupt()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter, if there is one yet."""
        return self._exporter is None or self._exporter.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Shut the exporter down, if there is one yet."""
        if self._exporter is not None:
            self._exporter.shutdown()  # type: ignore[no-untyped-call]


def _losses(exporter: LogRecordExporter) -> Mapping[str, int]:
    return dict(exporter.dropped()) if isinstance(exporter, ReportsLosses) else {}


class BoundedProcessor(LogRecordProcessor):
    """
    A batch processor that is never overfilled: when the queue is full the new event is refused, or waits.

    Args:
        build: makes the exporter.
        name: of the destination, without secrets.
        settings: queue, batch, delay and overflow.
        observe: told of each export.
    """

    keeps_late_events = False
    holder = None

    def __init__(
        self,
        build: Callable[[], LogRecordExporter],
        name: str,
        settings: Settings,
        observe: Observe | None = None,
    ) -> None:
        self.name = name
        self._capacity = settings.max_queue_size
        self._wait_seconds = settings.overflow_timeout_seconds if settings.overflow == "block" else 0.0
        self.exporter = AccountedExporter(build, name, observe)
        self._processor = BatchLogRecordProcessor(
            self.exporter,
            schedule_delay_millis=settings.schedule_delay_millis,
            max_export_batch_size=settings.max_export_batch_size,
            max_queue_size=settings.max_queue_size + _SLACK,
        )
        self._closed = False
        self._abandoned = False
        self._flush: threading.Thread | None = None
        self._reset_counts()

    def _reset_counts(self) -> None:
        self._deltas = Deltas()
        self._accepted = Counter()
        self._last = 0
        self._refused = ReasonCounters()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue one record."""
        reason = self._reason_to_refuse()
        if reason is None:
            self._last = self._accepted.increment() + 1
            self._processor.on_emit(log_record)
        else:
            self._refused.increment(reason)

    def has_room(self, records: int) -> bool:
        """Whether so many records more would be queued, as far as one can tell."""
        return not self._closed and self._last - self.exporter.taken + records <= self._capacity

    def begin_producer(self, name: str) -> None:
        """Nothing is kept that would outlive the process."""

    def take_losses(self) -> Sequence[Loss]:
        """What was lost since the last time."""
        return self._deltas.of(self.stats().dropped)

    def _reason_to_refuse(self) -> str | None:
        if self._closed:
            return "shutdown"
        if _exporting and threading.get_ident() in _exporting:
            return "reentrant"
        if self._last - self.exporter.taken < self._capacity:
            return None
        return self._wait_for_space()

    def _wait_for_space(self) -> str | None:
        condition = self.exporter.space
        if self._wait_seconds:
            with condition:
                condition.wait_for(
                    lambda: self._last - self.exporter.taken < self._capacity or self._closed, self._wait_seconds
                )
        if self._closed:
            return "shutdown"
        return None if self._last - self.exporter.taken < self._capacity else "queue_full"

    def queued(self) -> int:
        """Events that wait or are being sent; none once they were abandoned."""
        return 0 if self._abandoned else self._unsettled()

    def _unsettled(self) -> int:
        return max(0, self._accepted.value() - self.exporter.delivered - sum(list(self.exporter.lost.values())))

    def stats(self) -> DestinationStats:
        """What became of the events so far."""
        dropped = self._refused.values()
        for reason, count in list(self.exporter.lost.items()):
            dropped[reason] = dropped.get(reason, 0) + count
        # Counted when asked for: a batch that was under way when time ran out may still be delivered.
        if self._abandoned and (left := self._unsettled()):
            dropped["shutdown"] = dropped.get("shutdown", 0) + left
        delivered, queued = self.exporter.delivered, self.queued()
        accepted = delivered + queued + sum(dropped.values())
        return DestinationStats(
            accepted=accepted, delivered=delivered, queued=queued, in_queue=queued, dropped=dropped
        )

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """
        Send what is queued. The SDK ignores the timeout; :meth:`flush_within` keeps it.

        Returns:
            True when nothing is left.
        """
        self._processor.force_flush(timeout_millis)
        return self.queued() == 0

    def flush_within(self, seconds: float) -> bool:
        """
        Send what is queued, in a thread of its own that is left behind when time is up.

        Returns:
            True when it ended in time. There is one such thread at a time: a hung backend costs no more.
        """
        left = deadline(seconds)
        if self._flush is not None:
            self._flush.join(left())
            if self._flush.is_alive():
                return False
        self._flush = self._in_thread(self.force_flush)
        return self._joined(self._flush, left())

    def shutdown_within(self, seconds: float) -> None:
        """Stop, sending what is queued, for at most ``seconds``; what is left then counts as lost."""
        self._joined(self._in_thread(self.shutdown), seconds)
        self._abandoned = True

    def _in_thread(self, work: Callable[[], Any]) -> threading.Thread | None:
        thread = threading.Thread(target=work, name="activitylog-flush", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The interpreter ends and starts no thread: do it here, each batch with one attempt.
            self.interrupt()
            work()
            return None
        return thread

    @staticmethod
    def _joined(thread: threading.Thread | None, seconds: float) -> bool:
        if thread is None:
            return True
        thread.join(seconds)
        return not thread.is_alive()

    def interrupt(self) -> None:
        """Make a batch that waits for its next attempt give up."""
        self.exporter.interrupt()

    def shutdown(self) -> None:
        """Send what is queued and stop. Later records are refused and counted."""
        self._closed = True
        self.exporter.tell_waiting()
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def reset_after_fork(self) -> None:
        """In the child: the SDK has emptied the queue, whose events belong to the parent."""
        _exporting.clear()  # the parent's threads; the child's may get their numbers
        self.exporter.reset()
        self._flush = None
        self._reset_counts()


def deadline(seconds: float) -> Callable[[], float]:
    """A function that tells how many seconds are left of ``seconds`` from now, never below zero."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())
