"""Log records and a mapping for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

TIME_NS: Final = 1_764_000_000_123_456_789

#: A table with a few typed columns, as an application might describe it.
ACTOR_COLUMNS: Final[Mapping[str, Any]] = {
    "attributes": {
        "log.record.uid": {"column": "EventId", "type": "UUID"},
        "user.id": {"column": "ActorId", "implies": {"ActorType": "user"}},
        "activity.actor.type": {"column": "ActorType", "unless": {"ActorType": "user"}},
        "activity.actor.id": {"column": "ActorId", "unless": {"ActorType": "user"}},
        "activity.object.id": {"column": "ObjectId"},
        "activity.outcome": {"column": "Outcome", "default": "success"},
        "activity.count": {"column": "EventCount", "type": "UInt64", "default": 1},
        "activity.duration": {"column": "DurationUs", "type": "UInt64", "scale": 1_000_000},
        "http.response.status_code": {"column": "HttpStatus", "type": "UInt16"},
        "activity.sample.weight": {"column": "SampleWeight", "type": "Float64", "default": 1.0},
    },
    "other_attributes": "Attributes",
    "body": {"column": "BodyTemplate", "marks": {"\x01": "ActorId", "\x02": "ObjectId"}},
    "resource": {"column": "Resource", "format": "json"},
    "scope": {"column": "ScopeAttrs", "format": "json"},
}

ACTOR_TABLE_SQL: Final = """
CREATE TABLE {table}
(
    Timestamp DateTime64(9), TraceId String, SpanId String, TraceFlags UInt8,
    SeverityText LowCardinality(String), SeverityNumber UInt8, ServiceName LowCardinality(String),
    ResourceSchemaUrl LowCardinality(String), ScopeSchemaUrl LowCardinality(String),
    ScopeName LowCardinality(String), ScopeVersion LowCardinality(String), EventName LowCardinality(String),
    EventId UUID, ActorId String, ActorType LowCardinality(String), ObjectId String,
    Outcome LowCardinality(String), EventCount UInt64, DurationUs UInt64, HttpStatus UInt16,
    SampleWeight Float64, BodyTemplate String, Resource LowCardinality(String),
    ScopeAttrs LowCardinality(String), Attributes Map(LowCardinality(String), String)
)
ENGINE = MergeTree ORDER BY Timestamp SETTINGS non_replicated_deduplication_window = 100
"""

RESOURCE: Final = Resource({"service.name": "shop", "host.name": "web-1"}, "https://example.org/schema")
SCOPE: Final = InstrumentationScope("shop.orders", "1.2", "https://example.org/scope")

_UNSET: Final = object()


def record(
    attributes: Mapping[Any, Any] | None = None,
    *,
    body: Any = None,
    resource: Resource = RESOURCE,
    scope: InstrumentationScope | None = SCOPE,
    timestamp: Any = TIME_NS,
    **fields: Any,
) -> ReadableLogRecord:
    """A log record as a processor hands it to an exporter; what is not given is absent or zero."""
    log_record = LogRecord.__new__(_Record)
    log_record.__dict__.update(
        {
            "timestamp": timestamp,
            "observed_timestamp": None,
            "trace_id": 0,
            "span_id": 0,
            "trace_flags": TraceFlags(0),
            "severity_text": None,
            "severity_number": None,
            "event_name": None,
            "exception": None,
            "context": None,
            "attributes": attributes,
            "body": body,
            **fields,
        }
    )
    return ReadableLogRecord(log_record, resource, scope)


class _Record(LogRecord):
    """LogRecord is abstract in name only."""


FULL_RECORD: Final = record(
    {"order.id": 7, "paid": True},
    body="order 7 was paid",
    trace_id=0x0AF7651916CD43DD8448EB211C80319C,
    span_id=0x00F067AA0BA902B7,
    trace_flags=TraceFlags(1),
    severity_text="INFO",
    severity_number=SeverityNumber.INFO,
    event_name="order.paid",
)
