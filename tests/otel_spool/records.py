"""Log records for the tests of this folder, told apart by their number."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordLimits, ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

TIME_NS: Final = 1_764_000_000_123_456_789
RESOURCE: Final = Resource({"service.name": "shop", "host.name": "web-1"}, "https://example.org/schema")
SCOPE: Final = InstrumentationScope("shop.orders", "1.2", "https://example.org/scope", {"team": "orders"})
_LIMITS: Final = LogRecordLimits()


def record(
    number: int = 1,
    *,
    text: Any = "",
    important: bool = False,
    resource: Resource = RESOURCE,
    scope: InstrumentationScope | None = SCOPE,
    **fields: Any,
) -> ReadableLogRecord:
    """A record whose body is ``[number, text]``."""
    given: dict[str, Any] = {
        "timestamp": TIME_NS,
        "observed_timestamp": TIME_NS + 1,
        "context": Context(),
        "severity_number": SeverityNumber.ERROR if important else SeverityNumber.INFO,
        "body": [number, text],
        "attributes": {"order.id": number},
    }
    return ReadableLogRecord(LogRecord(**{**given, **fields}), resource, scope, _LIMITS)


def number_of(log: Any) -> int:
    """The number of such a record."""
    body = log.log_record.body
    return int(body[0])
