"""
The way out of records that no caller waits for: what has waited in windows, exact counts, losses, seals.

They come from threads of our own, when something is due. Nobody is there to be told of an error: it is counted
where an event is lost by it, and logged, once a minute at the most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from structlog.typing import EventDict

from activitylog.counters import Cell
from activitylog.error_log import ErrorLog
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.output import NO_TRACE, ActivityRecord, EventLogger, RenderLogRecord, Trace, replacing
from activitylog.processors import now, stored_name
from activitylog.provider import Destination, Held
from activitylog.redaction import Redactor
from activitylog.sanitize import sanitize
from activitylog.seals import SEAL_EVENT_NAME
from activitylog.stats import Counter


class Outlet:
    """
    Emits what has no caller, of one process.

    Args:
        logger: of the pipeline.
        render: gives records their numbers; the same as for all other events.
        redactor: what must not leave the process does not leave it in a count either.
        destinations: where records go.
        sent: called for each event that was handed on.
        failed: called for each event that was lost by an error.
        errors: where errors are told.

    Attributes:
        holders: the spools, of those destinations that have one.
        counted: records that were sent beside the events.
    """

    def __init__(
        self,
        logger: EventLogger,
        render: RenderLogRecord,
        redactor: Redactor,
        destinations: Sequence[Destination],
        *,
        sent: Callable[[], object],
        failed: Callable[[], object],
        errors: ErrorLog,
    ) -> None:
        self._logger = logger
        self._render = render
        self._redactor = redactor
        self._destinations = destinations
        self.holders = [holder for destination in destinations if (holder := destination.holder) is not None]
        self._sent = sent
        self._failed = failed
        self._errors = errors
        self.counted = Counter()

    def hold(self, method_name: str, event_dict: EventDict, trace: Trace | None) -> Held | None:
        """Have an event that waits written down where there is a spool; it is sent should this process die."""
        if not self.holders:
            return None
        record = self._render.undecided(method_name, event_dict, trace or NO_TRACE)
        return self._held(record)

    def _held(self, record: ActivityRecord) -> Held:
        envelope = self._logger.envelope(record)
        return {holder: entry for holder in self.holders if (entry := holder.hold(envelope)) is not None}

    def forget(self, held: Sequence[Held]) -> None:
        """Events that were written down while they waited are not to be sent."""
        for holder in self.holders:
            holder.forget(held)

    def send(
        self, method_name: str, event_dict: EventDict, trace: Trace | None, held: Sequence[Held] = ()
    ) -> bool:
        """Emit an event that went through the chain and has waited; False when that failed, and was counted."""
        try:
            record = self._render.record(method_name, event_dict, trace or NO_TRACE)
            if held:
                record.tell(replacing(held))
            self._logger.emit(record)
        except Exception as error:  # noqa: BLE001 - counted, and logged once a minute
            self.forget(held)
            self._failed()
            self._log(error, event_dict.get("event"))
            return False
        self._sent()
        return True

    @property
    def holds(self) -> bool:
        """Whether there is a spool."""
        return bool(self.holders)

    def hold_count(self, cell: Cell, increment: int) -> Held | None:
        """Have what was added to an exact count written down; it is sent should this process die unreported."""
        try:
            record = self._render.about(self._render.producer, self._counter(cell, increment))
            return self._held(record)
        except Exception as error:  # noqa: BLE001 - logged once a minute
            self._log(error, COUNTER_EVENT_NAME)
            return None

    def report(self, cell: Cell, count: int, held: Sequence[Held] = ()) -> None:
        """Emit one exact count, in place of its increments that were written down."""

        def record() -> ActivityRecord:
            record = self._render.record("info", self._counter(cell, count), NO_TRACE)
            if held:
                record.tell(replacing(held))
            return record

        self._emit_counter(record)

    def report_loss(self, event_dict: dict[str, Any], producer: str | None) -> None:
        """Emit the count of what a destination lost; of another producer's events it has no number."""
        self._emit_counter(lambda: self._loss(event_dict, producer))

    def report_seal(self, attributes: dict[str, Any]) -> None:
        """Emit a seal."""
        event_dict = {"event": SEAL_EVENT_NAME, "timestamp": now(), **attributes}
        self._logger.emit(self._render.record("info", event_dict, NO_TRACE))
        self.counted.increment()

    def stored_name(self, name: Any) -> str:
        """What the chain makes of a name that is none."""
        return stored_name(name, self._redactor.redact_text)

    def has_room(self, records: int) -> bool:
        """Whether every destination would queue so many records."""
        return all(destination.has_room(records) for destination in self._destinations)

    def _counter(self, cell: Cell, count: int) -> dict[str, Any]:
        found = {
            "activity.tenant.id": cell.tenant,
            "activity.counter.event": cell.event,
            "activity.counter.reason": cell.reason,
            "activity.outcome": cell.outcome if cell.outcome != "success" else "",
            "activity.sample.rule": cell.rule,
        }
        event_dict: dict[str, Any] = {key: value for key, value in found.items() if value}
        event_dict |= {"event": COUNTER_EVENT_NAME, "timestamp": cell.minute_ns, "activity.count": count}
        sanitize(event_dict)
        return self._redactor.redact(event_dict)

    def _loss(self, event_dict: dict[str, Any], producer: str | None) -> ActivityRecord:
        sanitize(event_dict)
        if producer is None:
            return self._render.record("info", event_dict, NO_TRACE)
        return self._render.about(producer, event_dict)

    def _emit_counter(self, record: Callable[[], ActivityRecord]) -> None:
        try:
            self._logger.emit(record())
        except Exception as error:  # noqa: BLE001 - logged once a minute
            self._log(error, COUNTER_EVENT_NAME)
            return
        self.counted.increment()

    def _log(self, error: Exception, event: Any) -> None:
        with suppress(Exception):  # a handler or filter of the application's logging that fails
            self._errors.report(error, event)
