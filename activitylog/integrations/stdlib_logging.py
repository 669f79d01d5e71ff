"""
Activity events from an application that logs with ``logging``: the handler that takes them.

.. code-block:: python

    logging.getLogger("shop").addHandler(ActivityHandler())

    logger.info("order.paid", extra={"actor": user, "object": order, "amount": 312})

is ``activitylog.emit("order.paid", actor=user, object=order, amount=312)``: through the pipeline of ``configure``,
with its rules, redaction and roll-up. In ``logging.config.dictConfig`` the class is
``activitylog.integrations.stdlib_logging.ActivityHandler``.

What is an event, and under which name:

``extra={"activity_event": ...}``   its name, whatever it looks like, or an instance of a class declared with
                                    ``@activitylog.event``; the record's text becomes the event's message
``extra={"event": ...}``            the same, when it is a well-formed name or such an instance
the message itself                  when it is a well-formed name without arguments (``"order.paid"``), or such an
                                    instance
any other record                    is none and is left to the other handlers; with ``other_records="log.written"``
                                    it becomes an event of that name, with its text as the message

The keys of ``extra`` are keywords of ``emit``, or attributes by their own names. Level, time and ``exc_info`` come
along: custom levels count as the next lower one, and an exception makes the outcome a failure. The ids that
OpenTelemetry's instrumentation of ``logging`` leaves on records become the event's trace.

The handler does no I/O, so it needs no ``QueueHandler`` in front. Behind one it works, with three losses that are
the queue's: what ``activitylog.bind`` has bound stays with the thread that logged, ``"order.%s"`` with arguments
cannot be told from a name, and a stack has become text (it is taken out of the message again).
"""

from __future__ import annotations

import logging
import re
import threading
from typing import Any, Final

from activitylog import config
from activitylog.event import EVENT_NAME_PATTERN, EVENT_NAME_RULE, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError
from activitylog.typed import event_type

#: What every record has; all else came by ``extra``.
_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: What OpenTelemetry's instrumentation adds to every record.
_OF_OPENTELEMETRY: Final = frozenset({"otelTraceID", "otelSpanID", "otelServiceName", "otelTraceSampled"})
_NOT_EXTRA: Final = _OF_EVERY_RECORD | _OF_OPENTELEMETRY | {"activity_event", "event"}
#: Loggers whose lines are about the delivery of events.
_OWN_LOGGERS: Final = ("activitylog", "otel_clickhouse", "otel_spool", "opentelemetry")

_LEVELS: Final = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)
_STACK: Final = "Traceback (most recent call last):\n"
_LAST_OF_A_STACK: Final = re.compile(r"^([A-Za-z_][\w.]*)(?:: |$)", re.MULTILINE)
_emitting = threading.local()


class ActivityHandler(logging.Handler):
    """
    Emits the records that are activity events; never raises, never waits for a backend.

    Args:
        level: records below it are not looked at.
        other_records: name of the event for records that are none by themselves; without it they are ignored.

    Raises:
        ConfigurationError: ``other_records`` is no event name. (It is a ``ValueError``, which ``dictConfig``
            reports with the handler's name.)

    Not taken are records of our own loggers and OpenTelemetry's, and what is logged while this thread emits an
    event for a record (by a processor of the application): they would go round in circles. What goes wrong is
    counted by the pipeline; under ``strict`` the error is shown by ``logging.Handler.handleError``.
    """

    def __init__(self, level: int | str = logging.NOTSET, *, other_records: str | None = None) -> None:
        super().__init__(level)
        if other_records is not None and not _is_name(other_records):
            raise ConfigurationError(
                f"other_records is {other_records!r}.", hint=f"Give an event name: {EVENT_NAME_RULE}."
            )
        self._other_records = other_records

    def handle(self, record: logging.LogRecord) -> Any:
        """
        Emit the record if the filters let it pass; they may return another one in its place.

        Without the handler's lock: emitting needs none, and threads that log are not to wait for each other.
        """
        passed: Any = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Emit the event that the record is, if it is one."""
        if record.name.partition(".")[0] in _OWN_LOGGERS or getattr(_emitting, "now", False):
            return
        _emitting.now = True
        try:
            values: dict[str, Any] = {}
            event = self._read(record, values)
            if event is not None:
                config.submit(_method(record.levelno), event, values)
        except Exception:  # noqa: BLE001 - whatever it is, the application only wanted to log
            self.handleError(record)
        finally:
            _emitting.now = False

    def _read(self, record: logging.LogRecord, values: dict[str, Any]) -> Any:
        """The event that a record is, None for none; its keywords go into ``values``."""
        extra = vars(record)
        name, stack = _split(record.msg)
        given = extra.get("activity_event") or _event_or_none(extra.get("event"))
        itself = None if record.args else _event_or_none(name)
        event = given or itself or self._other_records
        if event is None:
            return None
        values.update((key, value) for key, value in extra.items() if key not in _NOT_EXTRA and value is not None)
        if given is None and "event" in extra:
            values["event_"] = extra["event"]
        if itself is None or given is not None:
            values.setdefault("message", name if stack else record.getMessage())
        if given is None and itself is None:
            values.setdefault("log.logger", record.name)
        _set_error(record, stack, values)
        _set_trace(extra, values)
        values.setdefault("timestamp", round(record.created * 1_000_000) * 1000)
        return event


def _set_error(record: logging.LogRecord, stack: str, values: dict[str, Any]) -> None:
    if record.exc_info:
        values.setdefault("exc_info", record.exc_info)
    elif stack:
        named = _LAST_OF_A_STACK.findall(stack.removeprefix(_STACK))
        values.setdefault("error", named[-1] if named else "Exception")
        values.setdefault("exception.stacktrace", stack)


def _set_trace(extra: dict[str, Any], values: dict[str, Any]) -> None:
    trace_id = extra.get("otelTraceID")
    if isinstance(trace_id, str) and "trace_id" not in values:
        values["trace_id"] = trace_id
        values["span_id"] = extra.get("otelSpanID")


def _split(message: Any) -> tuple[Any, str]:
    """A message and the stack that a ``QueueHandler`` wrote below it; empty when there is none."""
    if type(message) is not str or _STACK not in message:
        return message, ""
    name, _, stack = message.partition("\n" + _STACK)
    return (name, _STACK + stack) if stack else (message, "")


def _event_or_none(value: Any) -> Any:
    """A well-formed name or an instance of a declared class as it is, else None."""
    return value if _is_name(value) or event_type(value) is not None else None


def _is_name(value: Any) -> bool:
    return (
        type(value) is str
        and len(value) <= MAX_EVENT_NAME_LENGTH
        and EVENT_NAME_PATTERN.fullmatch(value) is not None
    )


def _method(level: int) -> str:
    """The method of that level; between two levels that of the lower one."""
    return next((method for limit, method in _LEVELS if level >= limit), "debug")
