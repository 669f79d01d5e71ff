"""
Which table a record goes to: events to theirs, exact counters to another one, out of the same batches.

A process reports what it counted before sampling as log records of the name ``activity.counted``, by the same way
as its events. They are no activity, and must not become rows of the table of events.

Where a store has no place for counters (its schema is older, or somebody else's; the user may not insert there)
they are given up at once: waiting for one would hold up the events behind them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from activitylog.event import COUNTER_EVENT_NAME
from activitylog.exceptions import SchemaError
from activitylog.visible import visible

#: As what counters are lost that the store has no place for.
NO_PLACE: Final = "no_counters_table"
#: Between two looks at a store that had no place for counters: someone may have applied the schema.
_SECONDS_BETWEEN_LOOKS: Final = 300.0

_log = logging.getLogger("activitylog")


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


class CountersPlace:
    """
    Whether a store takes counters: asked before the first ones, and then rarely.

    Args:
        check: raises SchemaError where it does not; any other error is no answer.
        clock: monotonic seconds.
    """

    def __init__(self, check: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._found = False
        self._look_again = float("-inf")
        self._told = ""

    def missing(self) -> bool:
        """True where there is none for certain; the log has the reason once."""
        if self._found:
            return False
        if self._clock() < self._look_again:
            return True
        try:
            self._check()
        except SchemaError as error:
            self._look_again = self._clock() + _SECONDS_BETWEEN_LOOKS
            self._tell(str(error))
            return True
        except Exception:  # noqa: BLE001 - nobody answers: the exporter has that, too, and knows how long to wait
            return False
        self._found = True
        self._told = ""
        return False

    def doubt(self) -> None:
        """Look again before the next ones: some were not delivered, and the reason may be that it is gone."""
        self._found = False

    def _tell(self, why: str) -> None:
        if why != self._told:
            self._told = why
            _log.error("activitylog: exact counters are not stored, events are: %s", visible(why))


class CountersApart(LogRecordExporter):
    """
    Splits a batch over two exporters; a batch without counters goes on as it is.

    Args:
        events: gets what is no counter, first.
        counters: gets the counters, whatever became of the events.
        place: whether counters can be stored at all; None for yes.

    A batch has succeeded when both parts have. Each part counts its own losses.
    """

    def __init__(
        self, *, events: AccountableExporter, counters: AccountableExporter, place: CountersPlace | None = None
    ) -> None:
        self.events = events
        self.counters = counters
        self._place = place
        self._given_up = 0
        self._interrupted = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Hand each record to the exporter that its name says, in order."""
        counters = [record for record in batch if record.log_record.event_name == COUNTER_EVENT_NAME]
        if not counters:
            return self.events.export(batch)
        events = [record for record in batch if record.log_record.event_name != COUNTER_EVENT_NAME]
        results = [self.events.export(events)] if events else []
        results.append(self._export_counters(counters))
        delivered = all(result is LogRecordExportResult.SUCCESS for result in results)
        return LogRecordExportResult.SUCCESS if delivered else LogRecordExportResult.FAILURE

    def _export_counters(self, counters: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        if self._place is None or self._interrupted:
            return self.counters.export(counters)
        if self._place.missing():
            self._given_up += len(counters)
            return LogRecordExportResult.FAILURE
        result = self.counters.export(counters)
        if result is not LogRecordExportResult.SUCCESS:
            self._place.doubt()
        return result

    def dropped(self) -> Mapping[str, int]:
        """Records of both kinds given up so far, by reason; :data:`NO_PLACE` beside those of the halves."""
        no_place = Counter({NO_PLACE: self._given_up})
        return Counter(self.events.dropped()) + Counter(self.counters.dropped()) + no_place

    def interrupt(self) -> None:
        """End a wait between attempts; later exports try once. Idempotent, for signal handlers, too."""
        self._interrupted = True
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
