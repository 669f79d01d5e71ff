"""
Which table a record goes to: events to theirs, exact counters to another one, out of the same batches.

A process reports what it counted before sampling as log records of the name ``activity.counted``, by the same way
as its events. They are no activity, and must not become rows of the table of events.

Where a store has no place for counters (its schema is older, or somebody else's; the user may not insert there)
they are given up at once: waiting for one would hold up the events behind them.

``export`` lets each half go its own way. ``deliver`` is for batches that somebody keeps until all of them is
settled: events first, counters when the events are, both under the token of the batch (they are different tables).
What is settled of an unfinished batch is remembered in this process; after a restart it is sent again, and the
table knows its token.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from activitylog.counters_place import CountersPlace
from activitylog.event import COUNTER_EVENT_NAME
from otel_delivery import Answer

#: As what counters are lost that the store has no place for.
NO_PLACE: Final = "no_counters_table"
#: Parts of unfinished batches that are remembered.
_MOST_PARTS: Final = 4096


class AccountableExporter(Protocol):
    """An exporter that counts by reason whatever it does not deliver, and whose waiting can be ended."""

    def export(self, batch: Sequence[ReadableLogRecord], /) -> LogRecordExportResult:
        """Deliver the batch; FAILURE where records of it are lost, which are then counted."""

    def deliver(
        self, records: Sequence[ReadableLogRecord], /, *, token: str, first_attempt_ns: int | None
    ) -> Answer:
        """Make one attempt, as :meth:`CountersApart.deliver` says."""

    def dropped(self) -> Mapping[str, int]:
        """Records given up so far, by reason."""

    def interrupt(self) -> None:
        """End a wait that is under way; later exports try once."""

    def force_flush(self, timeout_millis: int = ..., /) -> bool:
        """Wait until nothing is under way."""

    def shutdown(self) -> None:
        """Close what is open."""


class SettledParts:
    """Answers for parts that are not to be sent again, while their batch is: by token. Thread-safe, bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}

    def get(self, token: str) -> Answer | None:
        """The answer for a part that is settled."""
        with self._lock:
            return self._answers.get(token)

    def keep(self, token: str, answer: Answer) -> None:
        """Remember it; the oldest one is forgotten when there are too many."""
        with self._lock:
            if len(self._answers) >= _MOST_PARTS:
                del self._answers[next(iter(self._answers))]
            self._answers[token] = answer

    def forget(self, token: str) -> None:
        """Drop what belongs to a batch that is settled."""
        with self._lock:
            for part in [part for part in self._answers if part == token or part.startswith(f"{token}/")]:
                del self._answers[part]


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
        self._settled_events = SettledParts()
        self._settled_counters = SettledParts()
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

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """
        Make one attempt to deliver a batch.

        Args:
            records: the same at each attempt, in the same order.
            token: the batch's deduplication token, the same at each attempt.
            first_attempt_ns: when the first attempt began, nanoseconds since the epoch; None at the first one.

        Returns:
            ``delivered`` when both parts are. ``refused`` only where nothing of either part is stored: where
            events are and their counters would be refused, these are sent in pieces until what cannot be stored is
            left out by itself.
        """
        counters = [i for i, one in enumerate(records) if one.log_record.event_name == COUNTER_EVENT_NAME]
        if not counters:
            return self.events.deliver(records, token=token, first_attempt_ns=first_attempt_ns)
        events = [i for i in range(len(records)) if records[i].log_record.event_name != COUNTER_EVENT_NAME]
        of_events = self._deliver_events([records[i] for i in events], token, first_attempt_ns)
        if of_events.status != "delivered":
            return of_events
        deliver = self._deliver_counters if not events else self._deliver_counters_in_pieces
        of_counters = deliver([records[i] for i in counters], token, first_attempt_ns)
        if of_counters.status != "delivered":
            return of_counters
        self._settled_events.forget(token)
        self._settled_counters.forget(token)
        return _both(of_events, events, of_counters, counters)

    def _deliver_events(
        self, events: Sequence[ReadableLogRecord], token: str, first_attempt_ns: int | None
    ) -> Answer:
        if not events:
            return Answer("delivered")
        answer = self._settled_events.get(token)
        if answer is None:
            answer = self.events.deliver(events, token=token, first_attempt_ns=first_attempt_ns)
            if answer.status == "delivered":
                self._settled_events.keep(token, answer)
        return answer

    def _deliver_counters(
        self, counters: Sequence[ReadableLogRecord], token: str, first_attempt_ns: int | None
    ) -> Answer:
        if self._place is not None and not self._interrupted and self._place.missing():
            return Answer("delivered", rejected=dict.fromkeys(range(len(counters)), NO_PLACE))
        answer = self.counters.deliver(counters, token=token, first_attempt_ns=first_attempt_ns)
        if answer.status != "delivered" and self._place is not None:
            self._place.doubt()
        return answer

    def _deliver_counters_in_pieces(
        self, counters: Sequence[ReadableLogRecord], token: str, first_attempt_ns: int | None
    ) -> Answer:
        """As above, but never refused. What was cut stays cut: the whole might be taken later, parts and all."""
        answer = self._settled_counters.get(token) or self._deliver_counters(counters, token, first_attempt_ns)
        if answer.status == "refused" and len(counters) == 1:
            answer = Answer("delivered", rejected={0: f"{answer.reason}: {answer.detail}"})
        if answer.status == "refused":
            self._settled_counters.keep(token, answer)
            middle = len(counters) // 2
            first, second = counters[:middle], counters[middle:]
            answer = self._deliver_counters_in_pieces(first, f"{token}/0", first_attempt_ns)
            if answer.status == "delivered":
                rest = self._deliver_counters_in_pieces(second, f"{token}/1", first_attempt_ns)
                whole = range(len(counters))
                answer = (
                    _both(answer, whole[:middle], rest, whole[middle:]) if rest.status == "delivered" else rest
                )
        if answer.status == "delivered":
            self._settled_counters.keep(token, answer)
        return answer

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


def _both(first: Answer, firsts: Sequence[int], second: Answer, seconds: Sequence[int]) -> Answer:
    """Two deliveries as one, with the indices that the records have in the batch."""
    return Answer(
        "delivered",
        reason=first.reason or second.reason,
        detail=first.detail or second.detail,
        rejected={
            **{firsts[index]: why for index, why in first.rejected.items()},
            **{seconds[index]: why for index, why in second.rejected.items()},
        },
        rejected_unknown=first.rejected_unknown + second.rejected_unknown,
    )
