"""The end of the chain: what OpenTelemetry is given."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import TraceFlags

import activitylog
from activitylog.identity import Producer
from activitylog.output import EventLogger, RenderLogRecord
from activitylog.testing import CapturedActivities


def rendered(_method: str = "info", /, **event_dict: Any) -> Any:
    """The record of one event."""
    event_dict = {"event": "a.b", "timestamp": 1_000, **event_dict}
    (record,), kwargs = RenderLogRecord(Producer(1))(None, _method, event_dict)
    assert kwargs == {}
    return record


class TestRenderLogRecord:
    def test_fields_and_attributes(self) -> None:
        """Name, time and body are fields; everything else is an attribute; nothing is both."""
        record = rendered(message="hello", channel="general")
        assert (record.event_name, record.timestamp, record.body) == ("a.b", 1_000, "hello")
        assert record.attributes == {
            "channel": "general",
            "log.record.uid": "00000000-0000-7001-8000-000000000001",
            "activity.producer": "00000000001",
            "activity.seq": 1,
        }

    @pytest.mark.parametrize(
        ("method", "outcome", "severity"),
        [
            ("info", None, SeverityNumber.INFO),
            ("info", "failure", SeverityNumber.ERROR),
            ("info", "denied", SeverityNumber.WARN),
            ("info", "unknown", SeverityNumber.INFO),
            ("critical", "failure", SeverityNumber.FATAL),
            ("error", "denied", SeverityNumber.ERROR),
            ("debug", None, SeverityNumber.DEBUG),
        ],
    )
    def test_severity_is_the_higher_of_method_and_outcome(
        self, method: str, outcome: str | None, severity: SeverityNumber
    ) -> None:
        """A failure is an error however it was logged."""
        attributes = {} if outcome is None else {"activity.outcome": outcome}
        record = rendered(method, **attributes)
        assert (record.severity_number, record.severity_text) == (severity, severity.name)

    @pytest.mark.parametrize("outcome", [[], ["failure"], {"a": 1}, 7, True])
    def test_an_outcome_that_is_none_costs_no_event(self, outcome: Any) -> None:
        """Not even one that no dictionary takes for a key."""
        record = rendered("warning", **{"activity.outcome": outcome})
        assert record.severity_number is SeverityNumber.WARN

    def test_given_trace_ids(self) -> None:
        """An import brings its own."""
        record = rendered(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331", trace_flags=1)
        assert record.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
        assert record.span_id == 0xB7AD6B7169203331
        assert record.trace_flags == TraceFlags(1)
        assert "trace_id" not in record.attributes

    @pytest.mark.parametrize("wrong", ["xyz", -1, 1 << 128, 1.5, None])
    def test_trace_ids_that_are_none(self, wrong: Any) -> None:
        """Zero is OpenTelemetry's word for none."""
        assert rendered(trace_id=wrong).trace_id == 0

    def test_a_request_id_that_is_the_trace_id_is_left_out(self) -> None:
        """One fact has one home."""
        trace_id = "0af7651916cd43dd8448eb211c80319c"
        record = rendered(trace_id=trace_id, **{"activity.request.id": trace_id})
        assert "activity.request.id" not in record.attributes


class TestTraceCorrelation:
    def test_the_active_span_is_noted(self, activity: CapturedActivities) -> None:
        """An event inside a span carries its ids, one outside carries none."""
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        with tracer.start_as_current_span("request") as span:
            activitylog.emit("page.viewed")
        activitylog.emit("page.viewed")
        context = span.get_span_context()
        assert [(event.trace_id, event.span_id) for event in activity] == [
            (context.trace_id, context.span_id),
            (0, 0),
        ]


class TestEventLogger:
    def test_our_record_is_the_same_otlp_as_the_sdks_own(self) -> None:
        """The lean record and a plain one, through the stock encoder, are equal byte by byte."""
        exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(Resource.create({"service.name": "chat"}), shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        logger = provider.get_logger("activitylog", "1", "https://example.org/schema")
        attributes = {"user.id": "1", "n": 5, "ratio": 0.5, "ok": True, "many": ["a", "b"], "nested": {"a": [1]}}
        ours = rendered(message="hello", **attributes)
        EventLogger(logger).emit(ours)
        logger.emit(
            LogRecord(
                timestamp=ours.timestamp,
                observed_timestamp=ours.observed_timestamp,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body="hello",
                attributes=dict(ours.attributes),
                event_name="a.b",
            )
        )
        first, second = exporter.get_finished_logs()
        assert encode_logs([first]).SerializeToString() == encode_logs([second]).SerializeToString()

    def test_it_ends_a_chain_of_the_application(self) -> None:
        """wrap_logger with our last processor and our logger emits records."""
        exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        log = structlog.wrap_logger(
            EventLogger(provider.get_logger("app")),
            processors=[activitylog.processors.add_timestamp, RenderLogRecord(Producer())],
            wrapper_class=structlog.make_filtering_bound_logger(20),
        )
        log.warning("disk.filled", mount="/")
        log.debug("disk.read")
        (data,) = exporter.get_finished_logs()
        assert data.log_record.event_name == "disk.filled"
        assert data.log_record.severity_text == "WARN"
