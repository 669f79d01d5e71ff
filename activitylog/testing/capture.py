"""Events of a test go through the real chain into memory; what was configured before is back afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from structlog.typing import Processor

from activitylog import config
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.identity import Producer
from activitylog.output import DURABLE
from activitylog.pipeline import Pipeline
from activitylog.settings import Settings, settings_of
from activitylog.stats import FlushResult
from activitylog.testing.captured import OF_THE_PROCESS, CapturedEvent
from activitylog.testing.clock import Clock


class Recorder(LogRecordProcessor):
    """
    Keeps events in their order, without the exact counts that rules bring along; from any thread.

    Args:
        clock: while it is frozen, events have predictable ids.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._producer = Producer(0)
        self.events: list[CapturedEvent] = []

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Keep one event."""
        record: Any = log_record.log_record
        if record.event_name == COUNTER_EVENT_NAME:
            return
        with self._lock:
            attributes = dict(record.attributes)
            if self._clock.frozen:
                seq, uid = self._producer.next_id(record.timestamp)
                attributes |= dict(zip(OF_THE_PROCESS, (uid, self._producer.name, seq), strict=True))
            self.events.append(_captured(record, attributes))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Nothing waits here."""
        return True

    def shutdown(self) -> None:
        """Nothing to stop."""


def _captured(record: Any, attributes: dict[str, Any]) -> CapturedEvent:
    return CapturedEvent(
        name=record.event_name,
        attributes=attributes,
        message=record.body,
        timestamp_ns=record.timestamp,
        severity=record.severity_text,
        trace_id=record.trace_id,
        span_id=record.span_id,
        durable=getattr(record, "context", None) is DURABLE,
    )


class CapturingPipeline(Pipeline):
    """
    A pipeline that stays in place when the application configures or shuts down activitylog.

    Args:
        settings: checked settings.
        processors: of the application.
        recorder: where events go.
        clock: of the rules.

    Attributes:
        failures: what ``emit`` raised under ``strict``, or counted as ``error``.
    """

    stays = True

    def __init__(
        self, settings: Settings, *, processors: Sequence[Processor], recorder: Recorder, clock: Clock
    ) -> None:
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(recorder)
        self.failures: list[Exception] = []
        super().__init__(settings, processors=processors, logger_provider=provider, clock=clock)

    def fail(self, error: Exception, event: Any) -> None:
        """Keep the error, which whoever called ``emit`` may swallow."""
        self.failures.append(error)
        super().fail(error, event)

    def shutdown(self, timeout: float) -> FlushResult:
        """The application's own, such as at the end of its lifespan: the test is not over."""
        return self.flush(timeout)

    def close(self) -> None:
        """The end of the capture."""
        super().shutdown(0)


class Capture:
    """
    What is captured, and the pipeline in force for it.

    Args:
        options: ``strict``, ``processors``, and settings of the pipeline.
    """

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.recorder = Recorder(self.clock)
        self._options = {"strict": True, "processors": (), **options}
        self.pipeline = self._new_pipeline(**self._options)
        self._previous = config.swap(self.pipeline)

    def configure(self, **options: Any) -> None:
        """Put a pipeline with other options in place; what waits in windows of the one before is emitted."""
        options = {**self._options, **options}
        replaced, self.pipeline = self.pipeline, self._new_pipeline(**options)
        self._options = options
        config.swap(self.pipeline)
        replaced.close()
        self.pipeline.failures[:0] = replaced.failures

    def _new_pipeline(self, *, processors: Iterable[Processor], **settings: Any) -> CapturingPipeline:
        return CapturingPipeline(
            settings_of(settings), processors=tuple(processors), recorder=self.recorder, clock=self.clock
        )

    def close(self) -> None:
        """Put back what was configured before."""
        self.clock.release()
        config.swap(self._previous)
        self.pipeline.close()
