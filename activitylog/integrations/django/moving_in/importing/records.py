"""A row's event through the chain of every event: the application's processors, names, clean values, redaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from structlog.exceptions import DropEvent
from structlog.typing import Processor

from activitylog import context
from activitylog._version import __version__
from activitylog.chain import processor_chain
from activitylog.integrations.django.moving_in.importing.ids import RowProducer
from activitylog.integrations.django.moving_in.plan import LEGACY_ACTION, LEGACY_MODEL, LEGACY_PK
from activitylog.logger_provider import resource_of
from activitylog.output import CleanLogRecord, RenderLogRecord, trace_of
from activitylog.pipeline import SCHEMA_URL, SCOPE_NAME
from activitylog.processors import FLAGS
from activitylog.redaction import Redactor
from activitylog.settings import Settings


class Records:
    """
    Makes log records of the events of one table's rows.

    Args:
        table: what it is called in events.
        settings: of the pipeline. Its rules are not asked: what happened is history.
        processors: of the application; one that drops an event leaves the row out.

    Attributes:
        changed: events of which a value was cut or repaired.
    """

    def __init__(self, table: str, settings: Settings, processors: Iterable[Processor] = ()) -> None:
        redactor = Redactor(settings.redaction)
        self._chain = processor_chain(settings.limits, processors, redactor)
        self._own = processor_chain(settings.limits, (), redactor)
        self._table = table
        self._producer = RowProducer(table)
        self._render = RenderLogRecord(self._producer)
        self._resource = resource_of(settings)
        self._scope = InstrumentationScope(SCOPE_NAME, __version__, SCHEMA_URL)
        self.changed = 0

    def of_chunk(
        self, token: str, events: Iterable[tuple[Any, dict[str, Any]]]
    ) -> tuple[list[CleanLogRecord], list[Any]]:
        """
        The records of one insert.

        Args:
            token: of the insert.
            events: primary key and keywords of ``emit``, which are taken.

        Returns:
            The records, and the keys of rows that a processor has dropped.
        """
        self._producer.begin(token)
        records, dropped = [], []
        bound = context.enter(None)
        try:
            for key, event in events:
                try:
                    records.append(self._record(key, event))
                except DropEvent:
                    dropped.append(key)
        finally:
            context.pop(bound)
        return records, dropped

    def _record(self, key: Any, event: dict[str, Any]) -> CleanLogRecord:
        event[LEGACY_MODEL], event[LEGACY_PK] = self._table, str(key)
        for processor in self._chain:
            event = processor(None, "info", event)  # type: ignore[assignment]
        if FLAGS in event:
            self.changed += 1
        self._producer.take(key)
        record = self._render.record("info", event, trace_of(event))
        return CleanLogRecord(record, self._resource, self._scope)

    def as_stored(self, action: str) -> str:
        """The text of an action as events have it, which may have been cut or redacted."""
        event: Any = {"event": "action.read", LEGACY_ACTION: action}
        bound = context.enter(None)
        try:
            for processor in self._own:
                event = processor(None, "info", event)
        finally:
            context.pop(bound)
        return str(event.get(LEGACY_ACTION, ""))
