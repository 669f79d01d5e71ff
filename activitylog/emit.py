"""
What applications call: ``emit``, ``emit_many``, ``get_logger`` and ``activity``.

All of them are synchronous, never wait for a backend and never raise (unless ``strict``), so they are the same in
``def`` and ``async def``. Their only I/O is one write to a local file, where there is a spool.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from activitylog import config, context

_F = TypeVar("_F", bound=Callable[..., Any])


def emit(
    event: Any,
    /,
    *,
    actor: Any = None,
    object: Any = None,
    objects: Iterable[Any] | None = None,
    target: Any = None,
    tenant: Any = None,
    outcome: str | None = None,
    message: str | None = None,
    error: Any = None,
    duration: float | dt.timedelta | None = None,
    session: str | None = None,
    request_id: str | None = None,
    timestamp: int | float | dt.datetime | None = None,
    durable: bool = False,
    **attributes: Any,
) -> bool:
    """
    Record that something happened.

    .. code-block:: python

        activitylog.emit("message.sent", actor=user, object=message, channel="general", length=312)

    Args:
        event: its name, ``noun.verbed``, or an instance of a class declared with ``@activitylog.event``.
        actor: who did it; ``"user:42"``, ``("user", 42)`` or an object with ``pk`` or ``id``.
        object: what it was done to, in the same forms.
        objects: the things it was done to, for one event about many; their number becomes ``activity.count``.
        target: the second thing, when there is one: added the object *to* it.
        tenant: whose data it is.
        outcome: ``success`` (the default), ``failure``, ``denied`` or ``unknown``.
        message: a sentence for people; the ``Body``. Leave out ids, they have their own columns.
        error: an exception or a short code; makes the outcome ``failure``.
        duration: how long it took, in seconds.
        session: id of the session.
        request_id: id of the request, where it is not the trace id.
        timestamp: when it happened, for imports: integer nanoseconds, or an aware ``datetime``. Default: now.
        durable: have it on the medium before this returns, where the destination has a spool. It costs a sync of
            the disk, which threads that wait share. No rule thins it or has it wait; one may drop it.
        attributes: anything else, by the application's own names.

    Returns:
        True when the event was handed to OpenTelemetry, False when it was dropped before, and counted. A
        destination that refuses it (its queue is full) shows in ``stats()`` only.
    """
    if actor is not None:
        attributes["actor"] = actor
    if object is not None:
        attributes["object"] = object
    if objects is not None:
        attributes["objects"] = objects
    if target is not None:
        attributes["target"] = target
    if tenant is not None:
        attributes["tenant"] = tenant
    if outcome is not None:
        attributes["outcome"] = outcome
    if message is not None:
        attributes["message"] = message
    if error is not None:
        attributes["error"] = error
    if duration is not None:
        attributes["duration"] = duration
    if session is not None:
        attributes["session"] = session
    if request_id is not None:
        attributes["request_id"] = request_id
    if timestamp is not None:
        attributes["timestamp"] = timestamp
    if durable:
        attributes["durable"] = True
    return config.submit("info", event, attributes)


def emit_many(event: str, items: Iterable[Any], /, **common: Any) -> int:
    """
    Record one event for each item, reading the context once.

    .. code-block:: python

        activitylog.emit_many("user.activated", users, actor=admin)

    For thousands of items consider one event about all of them: ``emit(..., objects=users)``. Where there is a
    spool the events are written down together, a hundred at a time: all are on disk when this returns.

    Args:
        event: name of every event.
        items: each is the ``object`` of its event, or a mapping of further keywords of ``emit``.
        common: keywords of ``emit`` that all share.

    Returns:
        How many were handed on.
    """
    token = context.resolve_once()
    try:
        return config.submit_many(event, items, common)
    finally:
        context.pop(token)


class ActivityLogger(structlog.BoundLoggerBase):
    """
    What :func:`get_logger` returns: a structlog bound logger whose methods emit activity events.

    ``log.info("message.sent", actor=user)`` is ``emit("message.sent", actor=user)``; the method sets the
    severity. ``bind``, ``unbind`` and ``new`` are structlog's.
    """

    # Not structlog's _proxy_to_logger: its own parameters would clash with attributes of the same name.
    def _submit(self, method_name: str, event: Any, args: tuple[Any, ...], values: dict[str, Any]) -> bool:
        if args:
            values["positional_arguments"] = args
        return config.submit(method_name, event, context.underlaid(values, self._context))

    def debug(self, event: Any = None, /, *args: Any, **values: Any) -> bool:
        """Emit with severity DEBUG."""
        return self._submit("debug", event, args, values)

    def info(self, event: Any = None, /, *args: Any, **values: Any) -> bool:
        """Emit with severity INFO (or what the outcome says)."""
        return self._submit("info", event, args, values)

    def warning(self, event: Any = None, /, *args: Any, **values: Any) -> bool:
        """Emit with severity WARN."""
        return self._submit("warning", event, args, values)

    def error(self, event: Any = None, /, *args: Any, **values: Any) -> bool:
        """Emit with severity ERROR."""
        return self._submit("error", event, args, values)

    def exception(self, event: Any = None, /, *args: Any, **values: Any) -> bool:
        """Emit with severity ERROR and the exception that is being handled."""
        return self._submit("exception", event, args, values)

    def critical(self, event: Any = None, /, *args: Any, **values: Any) -> bool:
        """Emit with severity FATAL."""
        return self._submit("critical", event, args, values)

    msg = log = info
    warn = warning
    fatal = critical


def get_logger(**initial_values: Any) -> ActivityLogger:
    """
    A structlog bound logger that emits activity events, with ``initial_values`` bound.

    It may be made before ``configure``, at import time of a module. The application's own
    ``structlog.configure`` is neither used nor changed.
    """
    return ActivityLogger(None, (), dict(initial_values))


class activity:  # noqa: N801 - reads as a verb: with activity(...), @activity(...)
    """
    Emit one event when a block or a function ends, with its duration and its outcome.

    .. code-block:: python

        @activitylog.activity("report.exported")
        def export(report_id): ...

        with activitylog.activity("import.run", object=job) as act:
            act.add(rows=run(job))

    An exception makes the outcome ``failure`` (``denied`` for a ``PermissionError``), is noted as the error,
    and goes on to the caller. Functions and coroutine functions can be decorated. A generator function is
    returned as it is, with a warning: its body runs elsewhere and later; put the block inside.
    """

    def __init__(self, event: str, /, **values: Any) -> None:
        self._event = event
        self._values = values
        self._entered: list[tuple[int, dict[str, Any]]] = []

    def add(self, /, **values: Any) -> None:
        """Set or replace keywords of the event that will be emitted; None leaves one as it is."""
        below = self._entered[-1][1] if self._entered else self._values
        below.update({key: value for key, value in values.items() if value is not None})

    def __enter__(self) -> Self:
        self._entered.append((perf_counter_ns(), dict(self._values)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        started_ns, values = self._entered.pop()
        found: dict[str, Any] = {"duration": (perf_counter_ns() - started_ns) / 1e9}
        if isinstance(error, Exception):
            found["error"] = error
            found["outcome"] = "denied" if isinstance(error, PermissionError) else "failure"
        elif error is not None:
            found |= {"error": type(error), "outcome": "unknown"}
        config.submit("info", self._event, context.underlaid(values, found))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: _F) -> _F:
        event, values = self._event, self._values
        return context.around(function, lambda: activity(event, **values), f"activitylog.activity({event!r})")
