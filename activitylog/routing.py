"""
Which table a record goes to: events to theirs, exact counters to another one, out of the same batches.

A process reports what it counted before sampling as log records of the name ``activity.counted``, by the same way
as its events. They are no activity, and must not become rows of the table of events.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from activitylog.event import COUNTER_EVENT_NAME


class AccountableExporter(Protocol):
    """An exporter that counts by reason whatever it does not deliver, and whose waiting can be ended."""

    def export(self, batch: Sequence[ReadableLogRecord], /) -> LogRecordExportResult:
        """Deliver the batch; FAILURE where records of it are lost, which are then counted."""

    def dropped(self) -> Mapping[str, int]:
        """Records given up so far, by reason."""

    def interrupt(self) -> None:
        """End a wait that is under way; later exports try once."""

    def force_flush(self, timeout_millis: int = ..., /) -> bool:
        """Wait until nothing is under way."""

    def shutdown(self) -> None:
        """Close what is open."""


class CountersApart(LogRecordExporter):
    """
    Splits a batch over two exporters; a batch without counters goes on as it is.

    Args:
        events: gets what is no counter, first.
        counters: gets the counters, whatever became of the events.

    A batch has succeeded when both parts have. Each part counts its own losses.
    """

    def __init__(self, *, events: AccountableExporter, counters: AccountableExporter) -> None:
        self.events = events
        self.counters = counters

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Hand each record to the exporter that its name says, in order."""
        counters = [record for record in batch if record.log_record.event_name == COUNTER_EVENT_NAME]
        if not counters:
            return self.events.export(batch)
        events = [record for record in batch if record.log_record.event_name != COUNTER_EVENT_NAME]
        results = [self.events.export(events)] if events else []
        results.append(self.counters.export(counters))
        delivered = all(result is LogRecordExportResult.SUCCESS for result in results)
        return LogRecordExportResult.SUCCESS if delivered else LogRecordExportResult.FAILURE

    def dropped(self) -> Mapping[str, int]:
        """Records of both kinds given up so far in this process, by reason."""
        return Counter(self.events.dropped()) + Counter(self.counters.dropped())

    def interrupt(self) -> None:
        """End a wait between attempts; later exports try once. Idempotent, for signal handlers, too."""
        self.events.interrupt()
        self.counters.interrupt()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until neither has an export under way, for so long over both."""
        deadline = time.monotonic() + timeout_millis / 1000
        flushed = self.events.force_flush(timeout_millis)
        left = max(0, round((deadline - time.monotonic()) * 1000))
        return self.counters.force_flush(left) and flushed

    def shutdown(self) -> None:
        """Shut both down. Idempotent."""
        self.events.shutdown()
        self.counters.shutdown()
