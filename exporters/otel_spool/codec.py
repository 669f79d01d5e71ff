"""
Log records to bytes and back, with everything that an exporter may read.

A record is an array; what records share (resource, scope) is written once a file as a *source* and named by its
number::

    [source, timestamp, observed timestamp, severity number, severity text, event name, body,
     trace id, span id, trace flags, attributes, dropped attributes]

With msgspec installed it is MessagePack: 1 us a record against 6 us for JSON by the standard library, which is
what is written without it. What MessagePack cannot hold (integers beyond 64 bits, lone surrogates) is written as
JSON, too, which is Python's: it knows NaN, and escapes surrogates. JSON is ``[mark, value]``: in the value, bytes
are ``{mark: base64}``, where the mark is a text that the value does not have elsewhere; without bytes it is empty.
Sequences come back as lists. Objects that neither OpenTelemetry nor MessagePack knows come back as their ``str``.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordLimits, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

from otel_spool.exceptions import CorruptError, MissingCodecError
from otel_spool.frame import Kind

_NO_CONTEXT: Final = Context()
_LIMITS: Final = LogRecordLimits()
_MARK: Final = "$bytes"


def encode_record(record: ReadableLogRecord | ReadWriteLogRecord, source: int) -> tuple[Kind, bytes]:
    """
    The payload of a record, and its kind.

    Args:
        source: the number under which its resource and scope are written.

    Raises:
        Exception: whatever the ``str`` of an unknown object raises, or RecursionError for a value in itself.
    """
    log_record = record.log_record
    attributes = log_record.attributes
    dropped = 0
    if attributes is not None and type(attributes) is not dict:
        if isinstance(attributes, BoundedAttributes):
            dropped = attributes.dropped
        attributes = dict(attributes)
    severity = log_record.severity_number
    trace_id, flags = log_record.trace_id, log_record.trace_flags
    row = (
        source,
        log_record.timestamp,
        log_record.observed_timestamp,
        severity._value_ if severity is not None else None,
        log_record.severity_text,
        log_record.event_name,
        log_record.body,
        trace_id.to_bytes(16, "big") if trace_id else None,
        log_record.span_id,
        int(flags) if flags is not None else None,
        attributes,
        dropped,
    )
    if _msgpack is not None:
        try:
            return Kind.EVENT_MSGPACK, _msgpack(row)
        except (OverflowError, ValueError, TypeError):
            pass  # what MessagePack cannot hold, JSON can
    return Kind.EVENT_JSON, _json(row)


def decode_record(kind: int, payload: bytes, source: Callable[[int], Source]) -> ReadableLogRecord:
    """
    The record of a payload.

    Args:
        source: gives the source of a number.

    Raises:
        CorruptError: it is no record.
        MissingCodecError: it needs msgspec, which is not installed.
    """
    try:
        row = _from_json(payload) if kind == Kind.EVENT_JSON else _from_msgpack(payload)
        return _record(row, source)
    except MissingCodecError:
        raise
    except Exception as error:
        raise CorruptError(f"A record cannot be read ({type(error).__name__}).") from error


def _record(row: list[Any], source: Callable[[int], Source]) -> ReadableLogRecord:
    (
        number,
        timestamp,
        observed,
        severity,
        severity_text,
        event_name,
        body,
        trace_id,
        span_id,
        flags,
        found,
        lost,
    ) = row
    log_record = LogRecord(
        timestamp=timestamp,
        observed_timestamp=observed if observed is not None else 0,
        context=_NO_CONTEXT,
        severity_text=severity_text,
        severity_number=SeverityNumber(severity) if severity is not None else None,
        body=body,
        attributes=_bounded(found, lost) if lost else found,
        event_name=event_name,
    )
    log_record.observed_timestamp = observed
    log_record.context = _NO_CONTEXT
    log_record.trace_id = int.from_bytes(trace_id, "big") if trace_id else 0
    log_record.span_id = span_id or 0
    log_record.trace_flags = TraceFlags(flags or 0)
    resource, scope = source(number)
    return ReadableLogRecord(log_record, resource, scope, _LIMITS)


def _bounded(attributes: Mapping[str, Any] | None, dropped: int) -> BoundedAttributes:
    bounded = BoundedAttributes(attributes=attributes, immutable=False, extended_attributes=True)
    bounded.dropped = dropped
    return bounded


#: What records share: their resource and their instrumentation scope.
Source = tuple[Resource, InstrumentationScope | None]


def encode_source(resource: Resource | None, scope: InstrumentationScope | None) -> bytes:
    """The payload of a source."""
    found = resource or Resource.get_empty()
    parts: list[Any] = [dict(found.attributes), found.schema_url]
    if scope is not None:
        parts += [scope.name, scope.version, scope.schema_url, dict(scope.attributes or {})]
    return _json(parts)


def decode_source(payload: bytes) -> Source:
    """
    The source of a payload.

    Raises:
        CorruptError: it is none.
    """
    try:
        attributes, schema_url, *scope = _from_json(payload)
        return Resource(attributes, schema_url), InstrumentationScope(*scope) if scope else None
    except Exception as error:
        raise CorruptError(f"A resource cannot be read ({type(error).__name__}).") from error


def _other(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset, Sequence)) and not isinstance(value, str):
        return list(value)
    return str(value)


def _json(value: Any) -> bytes:
    found, text = _dump(value, _MARK)
    if not found:
        return b'["",%b]' % text
    mark = _MARK
    while text.count(mark.encode("ascii")) != found:  # the value has it, too
        mark += "'"
        found, text = _dump(value, mark)
    return b'["%b",%b]' % (mark.encode("ascii"), text)


def _dump(value: Any, mark: str) -> tuple[int, bytes]:
    """How many bytes objects the value has, and its JSON."""
    found = 0

    def other(part: Any) -> Any:
        nonlocal found
        if isinstance(part, (bytes, bytearray, memoryview)):
            found += 1
            return {mark: b64encode(part).decode("ascii")}
        return _other(part)

    text = json.dumps(value, default=other, separators=(",", ":"), skipkeys=True)
    return found, text.encode("ascii")


def _from_json(payload: bytes) -> Any:
    if payload.startswith(b'["",'):
        return json.loads(payload)[1]
    mark = json.loads(payload[: payload.index(b",")] + b"]")[0]

    def back(found: dict[str, Any]) -> Any:
        return b64decode(found[mark]) if mark in found else found

    return json.loads(payload, object_hook=back)[1]


def _msgspec() -> tuple[Callable[[Any], bytes] | None, Callable[[bytes], Any] | None]:
    try:
        from msgspec import msgpack
    except ImportError:
        return None, None
    return msgpack.Encoder(enc_hook=_other).encode, msgpack.Decoder().decode


_msgpack, _unpack = _msgspec()


def _from_msgpack(payload: bytes) -> Any:
    if _unpack is None:
        raise MissingCodecError("Records of the spool are in MessagePack.", hint="Run: pip install msgspec.")
    return _unpack(payload)
