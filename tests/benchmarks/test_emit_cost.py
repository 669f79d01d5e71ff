"""
What one event costs its caller, beside the peers, on the same event, in one run.

    pytest tests/benchmarks/test_emit_cost.py --benchmark-enable --benchmark-columns=median,iqr,ops

Compare within a run: the ratio to ``stock OpenTelemetry`` is what lasts. The exporter is null, so no background
work is measured; the queue is large enough that nothing is dropped.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import structlog
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from structlog.exceptions import DropEvent

import activitylog
from activitylog import config
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings

ATTRIBUTES: dict[str, Any] = {"channel": "general", "length": 312, "pinned": True, "ratio": 0.5}
QUEUE = 1_000_000


class NullExporter(LogRecordExporter):
    """Takes everything and keeps nothing."""

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


@pytest.fixture
def pipeline() -> Iterator[Callable[..., Pipeline]]:
    """Puts a pipeline into a null exporter in place."""
    made: list[Pipeline] = []

    def build(**kwargs: Any) -> Pipeline:
        settings = Settings(max_queue_size=QUEUE)
        destination = BoundedProcessor(NullExporter, "null:", settings)
        made.append(Pipeline(settings, destinations=[destination], **kwargs))
        config.swap(made[-1])
        return made[-1]

    yield build
    config.swap(None)
    for one in made:
        one.shutdown(10)


@pytest.fixture
def stock_provider() -> Iterator[LoggerProvider]:
    """The SDK's own provider and batch processor, with the same queue."""
    provider = LoggerProvider(shutdown_on_exit=False)
    processor = BatchLogRecordProcessor(NullExporter(), max_queue_size=QUEUE, max_export_batch_size=8192)
    provider.add_log_record_processor(processor)
    yield provider
    provider.shutdown()


def emit() -> bool:
    """The event of all cases: who, what, to which object, four attributes."""
    return activitylog.emit("message.sent", actor="user:42", object="message:7", tenant="acme", **ATTRIBUTES)


NAMED = {
    "user.id": "42",
    "activity.object.type": "message",
    "activity.object.id": "7",
    "activity.tenant.id": "acme",
}


@pytest.mark.benchmark(group="kept")
class TestKept:
    def test_activitylog_emit(self, benchmark: Any, pipeline: Callable[..., Pipeline]) -> None:
        """The whole public call, through the real chain and the real batch processor."""
        pipeline()
        assert benchmark(emit)

    def test_activitylog_logger(self, benchmark: Any, pipeline: Callable[..., Pipeline]) -> None:
        """The same through the structlog face, with the actor bound."""
        pipeline()
        log = activitylog.get_logger(actor="user:42", tenant="acme")
        assert benchmark(lambda: log.info("message.sent", object="message:7", **ATTRIBUTES))

    def test_activitylog_in_a_request(self, benchmark: Any, pipeline: Callable[..., Pipeline]) -> None:
        """With three values bound to the request, one of them lazy."""
        pipeline()
        with activitylog.bind(actor=lambda: ("user", 42), tenant="acme", session="s-1"):
            assert benchmark(lambda: activitylog.emit("message.sent", object="message:7", **ATTRIBUTES))

    def test_activitylog_emit_many_per_100(self, benchmark: Any, pipeline: Callable[..., Pipeline]) -> None:
        """A hundred events in one call: divide by a hundred."""
        pipeline()
        items = [("message", n) for n in range(100)]
        common = {"actor": "user:42", "tenant": "acme", **ATTRIBUTES}
        assert benchmark(lambda: activitylog.emit_many("message.sent", items, **common)) == 100

    def test_stock_opentelemetry(self, benchmark: Any, stock_provider: LoggerProvider) -> None:
        """The attributes already named: no context, no ids, no cleaning."""
        logger = stock_provider.get_logger("bench")
        benchmark(
            lambda: logger.emit(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                event_name="message.sent",
                attributes={**NAMED, **ATTRIBUTES},
            )
        )

    def test_structlog_into_stock_opentelemetry(self, benchmark: Any, stock_provider: LoggerProvider) -> None:
        """structlog with a last processor of three lines."""
        logger = stock_provider.get_logger("bench")

        def into_otel(_logger: Any, _name: str, event: Any) -> Any:
            return (), {"event_name": event.pop("event"), "attributes": event, "timestamp": time.time_ns()}

        class Wrapped:
            info = staticmethod(logger.emit)

        log = structlog.wrap_logger(
            Wrapped(),
            processors=[structlog.contextvars.merge_contextvars, into_otel],
            wrapper_class=structlog.make_filtering_bound_logger(20),
        ).bind()
        benchmark(lambda: log.info("message.sent", **NAMED, **ATTRIBUTES))

    def test_logging_queue_handler(self, benchmark: Any) -> None:
        """The standard library's way not to wait: a queue and a thread."""
        waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        logger = logging.Logger("bench", logging.INFO)
        logger.addHandler(logging.handlers.QueueHandler(waiting))
        benchmark(lambda: logger.info("message.sent", extra={"attributes": {**NAMED, **ATTRIBUTES}}))


@pytest.mark.benchmark(group="dropped")
class TestDropped:
    def test_activitylog_filtered(self, benchmark: Any, pipeline: Callable[..., Pipeline]) -> None:
        """An application's processor that drops the event, first in the chain."""

        def drop(_logger: Any, _name: str, _event: Any) -> Any:
            raise DropEvent

        pipeline(processors=[drop])
        assert not benchmark(emit)

    def test_activitylog_disabled(self, benchmark: Any) -> None:
        """The kill switch."""
        pipeline = Pipeline(Settings(enabled=False))
        previous = config.swap(pipeline)
        assert not benchmark(emit)
        config.swap(previous)

    def test_structlog_drop_event(self, benchmark: Any) -> None:
        """structlog's own way."""

        def drop(_logger: Any, _name: str, _event: Any) -> Any:
            raise DropEvent

        log = structlog.wrap_logger(None, processors=[drop], wrapper_class=structlog.BoundLogger).bind()
        benchmark(lambda: log.info("message.sent", **NAMED, **ATTRIBUTES))
