"""
Records as protobuf can hold them: what it cannot hold becomes text, as ``otel_clickhouse`` stores it.

===========================  =====================================================
text                         surrogates, which UTF-8 cannot hold, become U+FFFD
whole number beyond 64 bits  decimal
sequence, mapping            as they are, with each value and each key by itself
of a type that OTLP has not  ``str(value)``
===========================  =====================================================

All else stays as it is, and gives the same bytes.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_INT64_ENDS: Final = 1 << 63


class HoldableCopies:
    """Copies the records of one batch; the records themselves stay as they are."""

    def __init__(self) -> None:
        self._resources: dict[int, Resource] = {}
        self._scopes: dict[int, InstrumentationScope] = {}

    def of(self, record: ReadableLogRecord) -> ReadableLogRecord:
        """
        The copy of a record.

        Raises:
            Exception: whatever ``str(value)`` raises, or RecursionError for a value that contains itself.
        """
        log_record = copy.copy(record.log_record)
        log_record.body = _value(log_record.body)
        log_record.severity_text = _value(log_record.severity_text)
        log_record.event_name = _value(log_record.event_name)
        log_record.attributes = _attributes(log_record.attributes)
        return ReadableLogRecord(
            log_record, self._resource(record.resource), self._scope(record.instrumentation_scope)
        )

    def _resource(self, given: Resource) -> Resource:
        found = self._resources.get(id(given))
        if found is None:
            found = Resource(_attributes(given.attributes) or {}, _value(given.schema_url))
            self._resources[id(given)] = found
        return found

    def _scope(self, given: InstrumentationScope | None) -> InstrumentationScope | None:
        if given is None:
            return None
        found = self._scopes.get(id(given))
        if found is None:
            name, version, schema_url = _value(given.name), _value(given.version), _value(given.schema_url)
            found = InstrumentationScope(name, version, schema_url, _attributes(given.attributes))
            self._scopes[id(given)] = found
        return found


def _attributes(given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not given:
        return given
    found: dict[str, Any] = {_text(key): _value(value) for key, value in given.items()}
    if not isinstance(given, BoundedAttributes):
        return found
    bounded = BoundedAttributes(attributes=found)
    bounded.dropped = given.dropped  # the request tells how many the SDK's limits took
    return bounded


def _value(value: Any) -> Any:
    """The value itself, or its text; types in the order in which OpenTelemetry's encoder asks for them."""
    if value is None or isinstance(value, (bool, float, bytes)):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if -_INT64_ENDS <= value < _INT64_ENDS else int.__repr__(value)
    if isinstance(value, Sequence):
        return [_value(item) for item in value]
    if isinstance(value, Mapping):
        return {_text(key): _value(item) for key, item in value.items()}
    return _text(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
