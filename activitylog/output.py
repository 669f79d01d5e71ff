"""
The end of the chain: event dict -> log record -> ``Logger.emit``.

``opentelemetry._logs`` is touched here and in provider.py only; it still changes from release to release.

A record is built once and read once. The SDK's own way costs four times as much, because it cleans every
value again (``BoundedAttributes``) and copies the record before it queues it; values are clean here already.
Both classes below are what the SDK's are, by inheritance, without these steps; the OTLP bytes are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final, Self, cast

from opentelemetry._logs import Logger as APILogger
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import Logger, LogRecordLimits, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags, get_current_span
from structlog.typing import EventDict, WrappedLogger

from activitylog.identity import Producer

_NO_LIMITS: Final = LogRecordLimits()

_OF_METHOD: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "warn": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "exception": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
    "fatal": SeverityNumber.FATAL,
}
_OF_OUTCOME: Final = {
    None: SeverityNumber.UNSPECIFIED,
    "failure": SeverityNumber.ERROR,
    "denied": SeverityNumber.WARN,
    "unknown": SeverityNumber.UNSPECIFIED,
}


def _severities() -> dict[tuple[str, str | None], tuple[SeverityNumber, str]]:
    """The higher severity of each method and outcome, with its name, which is slow to ask an enumeration for."""
    higher = {
        (method, outcome): max(of_method, of_outcome, key=lambda severity: int(severity.value))
        for method, of_method in _OF_METHOD.items()
        for outcome, of_outcome in _OF_OUTCOME.items()
    }
    return {key: (severity, severity.name) for key, severity in higher.items()}


_SEVERITIES: Final = _severities()
_INFO: Final = (SeverityNumber.INFO, "INFO")


_NO_CONTEXT: Final = Context()
#: What otel_spool understands: the record is to be on the medium before ``Logger.emit`` returns.
DURABLE: Final = Context({"otel_spool.durable": True})


def replacing(held: Sequence[Any]) -> Context:
    """What otel_spool understands: the record takes the place of those that it holds."""
    return Context({"otel_spool.replaces": held})


def gathering(gathered: MutableMapping[Any, list[Any]], context: Context = _NO_CONTEXT) -> Context:
    """What otel_spool understands: the record waits in there, to be written down together with others."""
    return Context({**context, "otel_spool.gathered": gathered})


class ActivityRecord(LogRecord):
    """A log record with what an activity has; ``copy.copy`` returns the record itself."""

    exception: BaseException | None = None
    _told = _NO_CONTEXT

    def __init__(
        self,
        *,
        timestamp: int,
        event_name: str,
        severity: tuple[SeverityNumber, str],
        body: Any,
        attributes: dict[str, Any],
        trace: tuple[int, int, TraceFlags],
    ) -> None:
        self.timestamp = self.observed_timestamp = timestamp
        self.event_name = event_name
        self.severity_number, self.severity_text = severity
        self.body = body
        self.attributes = attributes
        self.trace_id, self.span_id, self.trace_flags = trace

    @property
    def context(self) -> Context:
        """What the processors are told beside the record."""
        return self._told

    @context.setter
    def context(self, context: Context) -> None:
        """Nothing: the SDK's batch processor clears it in its copy, which is the record itself."""

    def tell(self, context: Context) -> None:
        """Say what the processors are to be told."""
        self._told = context

    def __copy__(self) -> Self:
        return self


class CleanLogRecord(ReadWriteLogRecord):
    """
    A record in the SDK's envelope, its attributes taken as they are.

    Attributes:
        destinations: where it goes, of those that the provider has; None for all.
    """

    def __init__(
        self,
        log_record: LogRecord,
        resource: Resource,
        instrumentation_scope: InstrumentationScope,
        destinations: Sequence[object] | None = None,
    ) -> None:
        self.destinations = destinations
        self.log_record = log_record
        self.resource = resource
        self.instrumentation_scope = instrumentation_scope
        self.limits = _NO_LIMITS


#: Ids of trace and span, and the trace's flags.
Trace = tuple[int, int, TraceFlags]
NO_TRACE: Final[Trace] = (0, 0, TraceFlags(TraceFlags.DEFAULT))


class RenderLogRecord:
    """
    The last processor: turns the event dict into the log record that the wrapped logger emits.

    Args:
        producer: the source of event ids.
        note: is told of each record and its number, before it is emitted.

    Attributes:
        producer: its name.

    Returns ``((record,), {})``, structlog's form of "call the logger's method with this record". The severity
    is the higher of the method's (``log.warning``) and the outcome's (failure: ERROR, denied: WARN).
    """

    def __init__(self, producer: Producer, note: Callable[[int, Any], None] | None = None) -> None:
        self._producer = producer
        self.producer = producer.name
        self._undecided = Producer()
        self._note = note

    def __call__(
        self, _logger: WrappedLogger, method_name: str, event_dict: EventDict
    ) -> tuple[tuple[LogRecord], dict[str, Any]]:
        return (self.record(method_name, event_dict, trace_of(event_dict)),), {}

    def record(self, method_name: str, event_dict: EventDict, trace: Trace) -> ActivityRecord:
        """The record of an event that happened inside ``trace``, perhaps some time ago and in another thread."""
        seq, event_dict["log.record.uid"] = self._producer.next_id(event_dict["timestamp"])
        event_dict["activity.producer"] = self._producer.name
        event_dict["activity.seq"] = seq
        record = _record(method_name, event_dict, trace)
        if self._note is not None:
            self._note(seq, record)
        return record

    def about(self, producer: str, event_dict: EventDict) -> ActivityRecord:
        """The record of what was counted of a producer's events, in whose sequence it has no number."""
        _, event_dict["log.record.uid"] = self._undecided.next_id(event_dict["timestamp"])
        if producer:
            event_dict["activity.producer"] = producer
        return _record("info", event_dict, NO_TRACE)

    def undecided(self, method_name: str, event_dict: EventDict, trace: Trace) -> ActivityRecord:
        """
        The record of an event that waits, to be kept should the process die.

        It is no number in the sequence of its producer, which knows nothing of it where it is decided after all.
        """
        event_dict = dict(event_dict)
        _, event_dict["log.record.uid"] = self._undecided.next_id(event_dict["timestamp"])
        event_dict["activity.undecided"] = True
        return _record(method_name, event_dict, trace)


def _record(method_name: str, event_dict: EventDict, trace: Trace) -> ActivityRecord:
    name = event_dict.pop("event")
    timestamp = event_dict.pop("timestamp")
    body = event_dict.pop("message", None)
    request_id = event_dict.get("activity.request.id")
    if request_id is not None and request_id == f"{trace[0]:032x}":
        del event_dict["activity.request.id"]  # one fact has one home
    outcome = event_dict.get("activity.outcome")
    severity = _SEVERITIES.get((method_name, outcome if outcome.__class__ is str else None), _INFO)
    return ActivityRecord(
        timestamp=timestamp,
        event_name=name,
        severity=severity,
        body=body,
        attributes=cast(dict[str, Any], event_dict),
        trace=trace,
    )


def trace_of(event_dict: EventDict) -> Trace:
    """The ids given with the event (32 and 16 hexadecimal digits, taken out), else those of the active span."""
    if "trace_id" in event_dict or "span_id" in event_dict or "trace_flags" in event_dict:
        return _given_trace(event_dict)  # type: ignore[arg-type]
    span_context = get_current_span().get_span_context()
    return span_context.trace_id, span_context.span_id, span_context.trace_flags


def _given_trace(event_dict: dict[str, Any]) -> Trace:
    given = event_dict.pop("trace_id", None), event_dict.pop("span_id", None), event_dict.pop("trace_flags", None)
    return _same_trace(*given) if tuple(map(type, given)) == (str, str, int) else _trace(*given)


def _trace(trace_id: Any, span_id: Any, flags: Any) -> Trace:
    flags = TraceFlags(flags & 0xFF if isinstance(flags, int) else TraceFlags.DEFAULT)
    return _from_hex(trace_id, 128), _from_hex(span_id, 64), flags


#: Many events of one call have the same.
_same_trace: Final = functools.lru_cache(maxsize=64)(_trace)


def _from_hex(value: Any, bits: int) -> int:
    """An id as an integer, zero (OpenTelemetry's "none") when it is not one."""
    if isinstance(value, str):
        try:
            value = int(value, 16)
        except ValueError:
            return 0
    return value if isinstance(value, int) and 0 <= value < 1 << bits else 0


class EventLogger:
    """
    The wrapped logger: whatever the method is called, it is ``Logger.emit``.

    Args:
        logger: an OpenTelemetry logger, of the SDK or of any other implementation of its API.
        destinations: where its records go, where others use the provider, too.
    """

    def __init__(self, logger: APILogger, destinations: Sequence[object] | None = None) -> None:
        self._logger = logger
        self._destinations = destinations
        self._is_sdk = isinstance(logger, Logger)

    def emit(self, record: LogRecord) -> None:
        """Hand one record to OpenTelemetry."""
        self._logger.emit(self.envelope(record) if self._is_sdk else record)  # type: ignore[arg-type]

    def envelope(self, record: LogRecord) -> CleanLogRecord:
        """The record as processors of the SDK get it."""
        # The resource is asked for each time: the SDK replaces it after a fork.
        logger: Any = self._logger
        return CleanLogRecord(record, logger.resource, logger.instrumentation_scope, self._destinations)

    debug = info = warning = warn = error = exception = critical = fatal = msg = log = emit
