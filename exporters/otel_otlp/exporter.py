"""
What both exporters share: attempts of a batch, and what becomes of it.

    deliver(records) ── encode ──> Transport.send ──> Answer                    one attempt; others own the waiting
    export(batch)    ── encode ──> Transport.send ──> Answer ── again? ──> SUCCESS or FAILURE, counted by reason

OTLP has no deduplication token: an attempt whose answer was lost may store its records twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_delivery import Answer
from otel_delivery.forks import at_each_fork
from otel_delivery.losses import Losses
from otel_delivery.printable import one_line
from otel_delivery.rare_log import RareLog
from otel_delivery.under_way import UnderWay
from otel_delivery.waiting import Interrupt, waits
from otel_otlp.reentrancy import REENTRANCY
from otel_otlp.request import EncodedRequest, encode_request, import_encoder

DEFAULT_MAX_REQUEST_BYTES: Final = 64 * 1024 * 1024

#: The reason of an answer after which a smaller batch may be taken.
TOO_LARGE: Final = "too_large"


class Transport(Protocol):
    """One way to a server."""

    def send(self, payload: bytes, records: int, timeout_seconds: float) -> Answer:
        """One attempt with so many records. Never raises an Exception."""

    def close(self) -> None:
        """Let go of the connections. Idempotent."""

    def before_fork(self) -> None:
        """Leave nothing half done that a child could not live with."""

    def after_fork_in_parent(self) -> None:
        """Go on."""


class OTLPExporter(LogRecordExporter):
    """
    Sends log records through a transport.

    Args:
        connect: makes the transport, in each process one; opens nothing.
        shown: the endpoint, for people.
        timeout_seconds: how long one attempt may take in all.
        retry_deadline_seconds: after that ``export`` begins no further attempt.
        max_request_bytes: what is larger is not sent, before compression.
    """

    def __init__(
        self,
        connect: Callable[[], Transport],
        *,
        shown: str,
        timeout_seconds: float,
        retry_deadline_seconds: float,
        max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES,
    ) -> None:
        self._connect = connect
        self._endpoint = shown
        self._timeout_seconds = timeout_seconds
        self._deadline_seconds = retry_deadline_seconds
        self._max_request_bytes = max_request_bytes
        self._closed = False
        self._inherited: list[Transport] = []
        self._interrupt = Interrupt()
        self._begin_process()
        at_each_fork(
            self,
            before=lambda exporter: exporter._transport.before_fork(),
            after_in_parent=lambda exporter: exporter._transport.after_fork_in_parent(),
            after_in_child=lambda exporter: exporter._after_fork(),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint!r})"

    def deliver(
        self,
        records: Sequence[ReadableLogRecord],
        *,
        token: str,  # noqa: ARG002 - OTLP has no place for it
        first_attempt_ns: int | None,  # noqa: ARG002 - and cannot be asked what it has
    ) -> Answer:
        """
        Make one attempt to deliver the records. Never raises, except what interrupts the main thread.

        Args:
            token: of the batch.
            first_attempt_ns: when an earlier attempt of this batch began, whose outcome is unknown.

        Returns:
            What became of them. The same records are sent as the same bytes, at each attempt.
        """
        if self._closed:
            return Answer("retry", "shutdown", "The exporter is shut down.")
        if REENTRANCY.is_exporting():
            return Answer("retry", "reentrant", "This thread is in the middle of another attempt.")
        try:
            with self._under_way.one(), REENTRANCY.exporting():
                return self._attempt(self._encoded(records))
        except Exception as error:  # noqa: BLE001 - an exporter's worker must live on
            return Answer("retry", "unexpected", one_line(type(error).__name__))
        except BaseException as error:
            if threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, or sys.exit() in a signal handler
            return Answer("retry", "interrupted", one_line(type(error).__name__))

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """
        Deliver the batch, or count it as dropped. Never raises, except what interrupts the main thread.

        Returns:
            SUCCESS when every record is delivered; otherwise FAILURE, and :meth:`dropped` has the reason. It may
            take the retry deadline and one timeout.
        """
        if REENTRANCY.is_exporting():
            self._losses.add("reentrant", len(batch))
            return LogRecordExportResult.FAILURE
        with self._under_way.one(), REENTRANCY.exporting():
            return self._export(batch)

    def dropped(self) -> Mapping[str, int]:
        """
        Records given up so far in this process, by reason.

        ``permanent`` (the server refuses them), ``too_large`` (a record by itself is), ``partial_success`` (the
        server took the batch without them), ``deadline`` (no success in time), ``shutdown`` (interrupted, or
        after shutdown), ``encode`` (not writable as OTLP), ``reentrant`` (log lines about the export itself).
        """
        return self._losses.counts()

    def interrupt(self) -> None:
        """End a wait between attempts; later exports try once. Idempotent, for signal handlers, too."""
        self._interrupt.set()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until nothing is under way. Nothing is kept here, so there is nothing else to flush."""
        return self._under_way.wait_for_none(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Close the connections. An export that is under way gets no further attempt. Idempotent."""
        self._closed = True
        self._interrupt.set()
        self._transport.close()

    def _encoded(self, records: Sequence[ReadableLogRecord]) -> EncodedRequest | Answer:
        """The request for the records, or why there is none."""
        try:
            import_encoder()
        except Exception as error:  # noqa: BLE001 - half a package raises anything
            return _not_now(error)
        try:
            request = encode_request(records)
        except MemoryError as error:
            return _not_now(error)
        except Exception as error:  # noqa: BLE001 - half of them may be encodable
            return Answer("refused", TOO_LARGE, one_line(f"Not encoded: {type(error).__name__}."))
        if len(request.payload) > self._max_request_bytes:
            detail = f"The request has {len(request.payload)} bytes; {self._max_request_bytes} are allowed."
            return Answer("refused", TOO_LARGE, detail)
        return request

    def _attempt(self, request: EncodedRequest | Answer) -> Answer:
        if isinstance(request, Answer):
            return request
        answer = Answer("delivered")
        if request.records:
            answer = self._transport.send(request.payload, request.records, self._timeout_seconds)
        return replace(answer, rejected=request.rejected) if answer.status == "delivered" else answer

    def _export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        records = [record for record in batch if not REENTRANCY.is_own_line(record)]
        if len(records) < len(batch):
            self._losses.add("reentrant", len(batch) - len(records))
        try:
            lost = self._deliver_all(records, time.monotonic() + self._deadline_seconds)
        except BaseException as error:
            interrupted = not isinstance(error, Exception)
            self._losses.add("shutdown" if interrupted else "permanent", len(records), type(error).__name__)
            if interrupted and threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, or sys.exit() in a signal handler
            return LogRecordExportResult.FAILURE  # SystemExit would end the SDK's worker for good
        whole = not lost and len(records) == len(batch)
        return LogRecordExportResult.SUCCESS if whole else LogRecordExportResult.FAILURE

    def _deliver_all(self, records: Sequence[ReadableLogRecord], ends: float) -> int:
        """Deliver until the deadline, halves of what is too large; returns how many are lost, and counts them."""
        if not records:
            return 0
        answer = self._persist(records, ends)
        if answer.status == "refused" and answer.reason == TOO_LARGE and len(records) > 1:
            half = len(records) // 2
            return self._deliver_all(records[:half], ends) + self._deliver_all(records[half:], ends)
        return self._count(answer, len(records))

    def _persist(self, records: Sequence[ReadableLogRecord], ends: float) -> Answer:
        """Attempts with growing waits, or those that the server asks for; the last one at the deadline."""
        if self._closed:
            return Answer("retry", "shutdown", "the exporter is shut down")
        request = self._encoded(records)
        for wait in waits():
            answer = self._attempt(request)
            if answer.status != "retry":
                return answer
            if self._interrupt.is_set():
                return replace(answer, reason="shutdown")
            left = ends - time.monotonic()
            if left <= 0:
                return replace(answer, reason="deadline")
            self._losses.tell("retry", "Export failed, trying again: %s", answer.detail)
            if self._interrupt.wait(min(max(wait, answer.retry_after_seconds or 0.0), left)):
                return replace(answer, reason="shutdown")
            if isinstance(request, Answer):  # what was missing may be there now
                request = self._encoded(records)
        raise AssertionError("waits() never ends")  # pragma: no cover

    def _count(self, answer: Answer, records: int) -> int:
        if answer.status != "delivered":
            reason = "permanent" if answer.status == "refused" and answer.reason != TOO_LARGE else answer.reason
            self._losses.add(reason, records, answer.detail)
            return records
        if answer.rejected:
            self._losses.add("encode", len(answer.rejected), next(iter(answer.rejected.values())))
        if answer.rejected_unknown:
            self._losses.add("partial_success", answer.rejected_unknown, answer.detail)
        elif answer.detail:
            self._losses.tell("warning", "Delivered: %s", answer.detail)
        return len(answer.rejected) + answer.rejected_unknown

    def _begin_process(self) -> None:
        """Make what belongs to one process: locks that are free, counts at zero, connections of its own."""
        self._losses = Losses(RareLog(REENTRANCY.logger_name))
        self._transport = self._connect()
        self._under_way = UnderWay()

    def _after_fork(self) -> None:
        self._inherited.append(self._transport)  # kept, unused: its connections are the parent's
        self._interrupt = self._interrupt.renewed()
        self._begin_process()


def _not_now(error: Exception) -> Answer:
    return Answer("retry", "unexpected", one_line(f"Not encoded: {type(error).__name__}."))
