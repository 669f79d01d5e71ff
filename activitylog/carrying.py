"""
What is bound here goes along to where work is really done: other threads, pools, other processes.

A thread of a pool and a process know nothing of the task that gave them work. :func:`carry` wraps the work, so
that it finds what was bound where it was wrapped; :func:`portable` says the same in plain data, for task queues.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from activitylog import context
from activitylog.entities import is_user_entity, reference
from activitylog.event import ATTRIBUTE_OF_KEY, ENTITY_KEYS, Limits
from activitylog.redaction import RedactionSettings, Redactor
from activitylog.sanitize import sanitize

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Keys whose values name somebody or something.
_NAMING: Final = frozenset({*ENTITY_KEYS, "on_behalf_of"})
#: Values that are carried as plain data, what one of them may say, and all together.
PORTABLE_LIMITS: Final = Limits(max_depth=4, max_attributes=64, max_value_bytes=4 * 1024, max_event_bytes=8 * 1024)
_redactor: Final = Redactor(RedactionSettings())


def carry(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """
    The same function, which finds what is bound here wherever it is called.

    .. code-block:: python

        pool.submit(activitylog.carry(resize), image)              # a thread pool, a process pool
        threading.Thread(target=activitylog.carry(watch)).start()

    Wrap it where work is handed over: a decorator would carry what is bound when the module is imported. It may be
    called often and by many threads at once. The active span of OpenTelemetry comes along.

    In threads lazy values stay lazy: they are called there, with the context variables of here. Pickled (process
    pools, ``multiprocessing``) they are resolved, by whoever pickles: an actor becomes its type and id. Coroutine
    functions work, too; tasks of asyncio, ``asyncio.to_thread`` and callbacks of the loop need none of this, they
    have their context. A generator function is returned as it is, with a warning: its body runs elsewhere and
    later.

    Raises:
        TypeError: it cannot be called; ``carry(f)(x)`` was meant, not ``carry(f(x))``.
    """
    if not callable(function):
        raise TypeError(f"carry takes a function and not its result; it was given a {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        warnings.warn(
            f"activitylog.carry leaves the generator function {function.__qualname__} as it is; "
            "carry what consumes it",
            stacklevel=2,
        )
        return cast(Callable[_P, _R], function)
    return _carried(function, _frame_here(), otel_context.get_current())


def _carried(function: Callable[_P, _R], frame: context.Frame, trace: Any) -> Callable[_P, _R]:
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    return cast(Callable[_P, _R], (_CarriedCoroutine if is_async else _Carried)(function, frame, trace))


def _frame_here() -> context.Frame:
    """What is bound here, its lazy values to be called with the context variables of here."""
    frame = context.frame()
    lazy = {key: value for key, value in frame.values.items() if context.is_lazy(value)}
    if not lazy:
        return frame
    here = contextvars.copy_context()
    called_here = {key: _called_in(here, value) for key, value in lazy.items()}
    return context.Frame(MappingProxyType({**frame.values, **called_here}), frame.owner, frame.outer)


def _called_in(here: contextvars.Context, value: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: here.copy().run(value)  # a copy each time: two threads may not run in one context


class _Carried:
    """A function and what was bound where it was wrapped."""

    def __init__(self, function: Callable[..., Any], frame: context.Frame, trace: Any) -> None:
        functools.update_wrapper(
            self, function
        )  # before ours: attributes of a callable object may have their names
        self._function = function
        self._frame = frame
        self._trace = trace

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        token, traced = context.enter(self._frame), otel_context.attach(self._trace)
        try:
            return self._function(*args, **kwargs)
        finally:
            context.pop(token)
            otel_context.detach(traced)

    def __reduce__(self) -> tuple[Any, ...]:
        token = context.enter(self._frame)
        try:
            return _unpickled, (self._function, portable(), _span_of(self._trace))
        finally:
            context.pop(token)

    def __repr__(self) -> str:
        return f"<activitylog.carry({self._function!r})>"


class _CarriedCoroutine(_Carried):
    """The same for a coroutine function; frameworks look at ``__call__`` to know one."""

    async def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        token, traced = context.enter(self._frame), otel_context.attach(self._trace)
        try:
            return await self._function(*args, **kwargs)
        finally:
            context.pop(token)
            otel_context.detach(traced)


#: Ids of trace and span, and the trace's flags.
_Span = tuple[int, int, int]


def _span_of(trace: Any) -> _Span | None:
    """The span that is active in a context of OpenTelemetry, as plain data."""
    span = otel_trace.get_current_span(trace).get_span_context()
    return (span.trace_id, span.span_id, int(span.trace_flags)) if span.is_valid else None


def _unpickled(function: Callable[..., Any], values: Mapping[str, Any], span: _Span | None) -> Any:
    """In another process."""
    trace = otel_context.Context()
    if span is not None:
        remote = SpanContext(span[0], span[1], is_remote=True, trace_flags=TraceFlags(span[2]))
        trace = otel_trace.set_span_in_context(NonRecordingSpan(remote), trace)
    return _carried(function, context.Frame(MappingProxyType(dict(values))), trace)


def portable() -> dict[str, Any]:
    """
    What is bound here as plain data: texts, numbers, lists and dicts of them, such as JSON can say.

    Lazy values are called. Who and what becomes ``[type, id]`` or ``[type, id, name]``. What cannot be said (a
    callable that fails, an object that nobody can name) is left out; secrets are replaced, as the redaction does
    that is on by default. At most :data:`PORTABLE_LIMITS`.
    """
    found: dict[str, Any] = {}
    for key, value in context.current().items():
        try:
            said = _said(key, context.resolve(value))
        except Exception:  # noqa: BLE001, S112 - the application's values may raise anything; the event goes without
            continue
        if said is not None:
            found[key] = said
    if not found:
        return found
    sanitize(found, PORTABLE_LIMITS)
    # By the names of attributes, by which the redaction knows what is an id.
    keys = {ATTRIBUTE_OF_KEY.get(key, key): key for key in found}
    clean = _redactor.redact({attribute: found[key] for attribute, key in keys.items() if key not in _NAMING})
    named = {key: [_clean_id(text) for text in found[key]] for key in found if key in _NAMING}
    return {**named, **{keys.get(attribute, attribute): _plain(value) for attribute, value in clean.items()}}


def _clean_id(text: str) -> str:
    return str(_redactor.redact_value("activity.object.id", text))


def _said(key: str, value: Any) -> Any:
    if value is None:
        return None
    if key in _NAMING:
        return _named(key, value)
    if key == "tenant":
        return value if type(value) is str else reference(value).id
    return value


def _named(role: str, value: Any) -> list[str]:
    entity = reference(value)
    if role == "actor" and is_user_entity(entity, value):
        return ["user", entity.id]
    return [*entity] if entity.name else [entity.type, entity.id]


def _plain(value: Any) -> Any:
    """A value of the pipeline without what JSON has no word for."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_plain(item) for item in value if item is not None]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return value
