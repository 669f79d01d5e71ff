"""
See in a test what was emitted: the real chain, into memory, strict.

.. code-block:: python

    def test_sending(activity):                 # the fixture of the pytest plugin
        send_message(...)
        activity.one("message.sent", channel="general")

    with activitylog.testing.capture_activities() as captured:
        ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from structlog.typing import Processor

from activitylog import config
from activitylog.event import ATTRIBUTE_OF_KEY, COUNTER_EVENT_NAME
from activitylog.pipeline import Pipeline
from activitylog.settings import Settings
from activitylog.visible import visible


@dataclass(frozen=True, slots=True)
class CapturedEvent:
    """One event as it left the chain."""

    name: str
    """Its name."""
    attributes: Mapping[str, Any]
    """Attributes of the log record, by their OpenTelemetry names."""
    message: Any
    """The body."""
    timestamp_ns: int
    """Nanoseconds since the epoch."""
    severity: str
    """``INFO``, ``WARN``, ``ERROR``, ..."""
    trace_id: int
    """Zero when there was no active span."""
    span_id: int
    """Zero when there was no active span."""

    @property
    def actor(self) -> str:
        """The actor as ``type:id``; empty when there is none."""
        if "user.id" in self.attributes:
            return f"user:{self.attributes['user.id']}"
        return self._entity("actor")

    @property
    def object(self) -> str:
        """The object as ``type:id``; empty when there is none."""
        return self._entity("object")

    @property
    def target(self) -> str:
        """The target as ``type:id``; empty when there is none."""
        return self._entity("target")

    @property
    def outcome(self) -> str:
        """``success`` unless the event says otherwise."""
        return str(self.attributes.get("activity.outcome", "success"))

    def _entity(self, role: str) -> str:
        parts = (self.attributes.get(f"activity.{role}.{part}", "") for part in ("type", "id"))
        return ":".join(filter(None, parts))

    def matches(self, expected: Mapping[str, Any]) -> bool:
        """Whether every expected value is there; keys as in ``emit``, or names of attributes."""
        return all(self._value(key) == value for key, value in expected.items())

    def _value(self, key: str) -> Any:
        if key in ("actor", "object", "target", "outcome", "message", "timestamp_ns", "severity"):
            return getattr(self, key)
        return self.attributes.get(ATTRIBUTE_OF_KEY.get(key, key))


class CapturedActivities(Sequence[CapturedEvent]):
    """The events emitted so far, in their order, and the questions tests ask about them."""

    def __init__(self, exporter: InMemoryLogRecordExporter) -> None:
        self._exporter = exporter

    @property
    def events(self) -> list[CapturedEvent]:
        """All events so far, without the exact counts that rules bring along."""
        records: list[Any] = [data.log_record for data in self._exporter.get_finished_logs()]
        return [_captured(record) for record in records if record.event_name != COUNTER_EVENT_NAME]

    @property
    def names(self) -> list[str]:
        """The names of all events so far."""
        return [event.name for event in self.events]

    def find(self, name: str | None = None, /, **expected: Any) -> list[CapturedEvent]:
        """The events of this name (or of any) with these values."""
        return [event for event in self.events if name in (None, event.name) and event.matches(expected)]

    def one(self, name: str | None = None, /, **expected: Any) -> CapturedEvent:
        """
        The only event of this name with these values.

        Raises:
            AssertionError: there is none, or more than one; the message lists what was emitted.
        """
        self.assert_emitted(name, times=1, **expected)
        return self.find(name, **expected)[0]

    def assert_emitted(self, name: str | None = None, /, *, times: int | None = None, **expected: Any) -> None:
        """
        Check that such an event was emitted, so many times when ``times`` is given.

        Raises:
            AssertionError: it was not; the message lists what was emitted.
        """
        found = len(self.find(name, **expected))
        if found == times or (times is None and found):
            return
        emitted = (
            "\n".join(visible(f"  {event.name} {dict(event.attributes)}") for event in self.events) or "  nothing"
        )
        wanted = visible(f"{name or 'any event'} {expected or ''}".strip())
        often = "once or more" if times is None else f"{times} times"
        raise AssertionError(f"expected {wanted} {often}, found {found}. Emitted:\n{emitted}")

    def clear(self) -> None:
        """Forget what was emitted so far."""
        self._exporter.clear()

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: Any) -> Any:
        return self.events[index]


@contextmanager
def capture_activities(
    *, strict: bool = True, processors: Sequence[Processor] = (), **settings: Any
) -> Iterator[CapturedActivities]:
    """
    Capture every event of the block instead of sending it; what was configured before is back afterwards.

    Args:
        strict: raise from ``emit`` whatever would be repaired or counted in production.
        processors: of the application, as for ``configure``.
        settings: fields of :class:`activitylog.settings.Settings`, such as the limits or ``rules``. Without them
            no rules apply; what a rule holds in a window is captured after ``activitylog.flush()``.
    """
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    pipeline = Pipeline(Settings(strict=strict, **settings), processors=processors, logger_provider=provider)
    previous = config.swap(pipeline)
    try:
        yield CapturedActivities(exporter)
    finally:
        config.swap(previous)
        pipeline.shutdown(0)


def _captured(record: Any) -> CapturedEvent:
    return CapturedEvent(
        name=record.event_name,
        attributes=dict(record.attributes),
        message=record.body,
        timestamp_ns=record.timestamp,
        severity=record.severity_text,
        trace_id=record.trace_id,
        span_id=record.span_id,
    )
