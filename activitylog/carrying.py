"""
What is bound here goes along to where work is really done: other threads, pools, other processes.

A thread of a pool and a process know nothing of the task that gave them work. :func:`carry` wraps the work, so
that it finds what was bound where it was wrapped; :func:`portable` says the same in plain data, for task queues.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context

from activitylog import context
from activitylog.entities import is_user_entity, reference
from activitylog.event import ENTITY_KEYS

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Keys whose values name somebody or something.
_NAMING: Final = frozenset({*ENTITY_KEYS, "on_behalf_of"})
_PLAIN: Final = (str, int, float, bool)
#: Values that one request may carry along; what is over it is left behind.
MAX_PORTABLE: Final = 64
MAX_PORTABLE_LENGTH: Final = 1024


def carry(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """
    The same function, which finds what is bound here wherever it is called.

    .. code-block:: python

        pool.submit(activitylog.carry(resize), image)              # a thread pool, a process pool
        threading.Thread(target=activitylog.carry(watch)).start()

    In threads lazy values stay lazy, and the active span of OpenTelemetry comes along. Pickled (process pools,
    ``multiprocessing``) they are resolved, by whoever pickles: an actor becomes its type and id. Coroutine
    functions work, too; tasks of asyncio need none of this, they have their context.
    """
    return cast(Callable[_P, _R], _Carried(function, context.frame(), otel_context.get_current()))


class _Carried:
    """A function and what was bound where it was wrapped."""

    def __init__(self, function: Callable[..., Any], frame: context.Frame, span: Any) -> None:
        self._function = function
        self._frame = frame
        self._span = span
        functools.update_wrapper(self, function)
        if inspect.iscoroutinefunction(function):
            inspect.markcoroutinefunction(self) if hasattr(inspect, "markcoroutinefunction") else None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if inspect.iscoroutinefunction(self._function):
            return self._awaited(args, kwargs)
        token, span = self._enter()
        try:
            return self._function(*args, **kwargs)
        finally:
            self._leave(token, span)

    async def _awaited(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        token, span = self._enter()
        try:
            return await cast(Awaitable[Any], self._function(*args, **kwargs))
        finally:
            self._leave(token, span)

    def _enter(self) -> tuple[Any, Any]:
        return context.enter(self._frame), None if self._span is None else otel_context.attach(self._span)

    def _leave(self, token: Any, span: Any) -> None:
        context.pop(token)
        if span is not None:
            otel_context.detach(span)

    def __reduce__(self) -> tuple[Any, ...]:
        token = context.enter(self._frame)
        try:
            return _carried, (self._function, portable())
        finally:
            context.pop(token)


def _carried(function: Callable[..., Any], values: Mapping[str, Any]) -> _Carried:
    """As unpickled, in another process."""
    return _Carried(function, context.Frame(dict(values)), None)


def portable() -> dict[str, Any]:
    """
    What is bound here as plain data: texts, numbers, lists and dicts of them, such as JSON can say.

    Lazy values are called. Who and what becomes ``[type, id]`` or ``[type, id, name]``. What cannot be said (a
    callable that fails, an object that nobody can name) is left out.
    """
    found = {}
    for key, value in list(context.current().items())[:MAX_PORTABLE]:
        try:
            said = _said(key, context.resolve(value))
        except Exception:  # noqa: BLE001, S112 - the application's values may raise anything; the event goes without
            continue
        if said is not None:
            found[key] = said
    return found


def _said(key: str, value: Any) -> Any:
    if value is None:
        return None
    if key in _NAMING:
        return _named(key, value)
    if key == "tenant":
        return value if type(value) is str else reference(value).id
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in list(value.items())[:MAX_PORTABLE] if item is not None}
    return _plain(value)


def _named(role: str, value: Any) -> list[str]:
    entity = reference(value)
    if role == "actor" and is_user_entity(entity, value):
        return ["user", entity.id]
    return [*entity[:2], entity.name] if entity.name else [*entity[:2]]


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN and (type(value) is not str or len(value) <= MAX_PORTABLE_LENGTH):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in list(value)[:MAX_PORTABLE]]
    return str(value)[:MAX_PORTABLE_LENGTH]
