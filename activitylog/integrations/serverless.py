"""
Activity events in functions that are frozen between two invocations: AWS Lambda and its kind.

.. code-block:: python

    activitylog.configure("clickhouses://...", service_name="thumbnails", spool_directory="/tmp/activitylog")

    @flush_per_invocation
    def handler(event, context):
        activitylog.emit("image.resized", object=("image", event["id"]))

Threads stand still while nobody asks for anything, and the process may never go on. So what was emitted is sent
before the answer is given, within a bounded time; what could not be sent waits in the spool for the next
invocation. ``configure`` opens no connection. An event that is emitted and flushed when the module is imported has
drivers imported then, where the platform does not count the time.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import Token
from typing import Any, Final, TypeVar, cast, overload

from activitylog import config, context

_F = TypeVar("_F", bound=Callable[..., Any])

#: What platforms call the id of an invocation: AWS Lambda, Azure Functions, Google Cloud Functions.
_IDS: Final = ("aws_request_id", "invocation_id", "event_id")
#: Where the invocation is a request over HTTP.
_ID_HEADER: Final = "Function-Execution-Id"
#: Of the platform's time limit, left to the answer.
_MARGIN_SECONDS: Final = 0.2


@overload
def flush_per_invocation(handler: _F, /) -> _F: ...
@overload
def flush_per_invocation(*, timeout_seconds: float = 2.0) -> Callable[[_F], _F]: ...
def flush_per_invocation(handler: _F | None = None, /, *, timeout_seconds: float = 2.0) -> Any:
    """
    Have a handler's events sent before it returns, or raises.

    Args:
        handler: a function or a coroutine function, with whatever arguments the platform gives.
        timeout_seconds: how long an answer waits for that at the most; never longer than the invocation may take,
            where the platform says it (``context.get_remaining_time_in_millis``).

    Events inside carry ``faas.invocation_id`` and ``faas.name`` where the arguments say them, and the id as that
    of the request unless a middleware knows a better one.
    """
    if handler is None:
        return functools.partial(_decorated, timeout_seconds=timeout_seconds)
    return _decorated(handler, timeout_seconds=timeout_seconds)


def _decorated(handler: _F, *, timeout_seconds: float) -> _F:
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def flushed_later(*args: Any, **kwargs: Any) -> Any:
            token = _bind(args, kwargs)
            try:
                return await handler(*args, **kwargs)
            finally:
                context.pop(token)
                with suppress(Exception):
                    await config.aflush(_time_left(args, kwargs, timeout_seconds))

        return cast(_F, flushed_later)

    @functools.wraps(handler)
    def flushed(*args: Any, **kwargs: Any) -> Any:
        token = _bind(args, kwargs)
        try:
            return handler(*args, **kwargs)
        finally:
            context.pop(token)
            with suppress(Exception):
                config.flush(_time_left(args, kwargs, timeout_seconds))

    return cast(_F, flushed)


def _bind(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Token[context.Frame]:
    try:
        invocation = _invocation(args, kwargs)
    except Exception:  # noqa: BLE001 - the platform's objects, of any kind; the events go without
        invocation = {}
    return context.push(invocation)


def _invocation(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    given = (*args, *kwargs.values())
    identifier = next((found for name in _IDS if (found := _text(given, name))), None) or _execution_id(given)
    values: dict[str, Any] = {"faas.invocation_id": identifier, "faas.name": _text(given, "function_name")}
    if identifier is not None:
        values["request"] = {"activity.request.id": identifier}
    return values


def _text(given: tuple[Any, ...], name: str) -> str | None:
    found = (getattr(argument, name, None) for argument in given)
    return next((value for value in found if isinstance(value, str) and value), None)


def _execution_id(given: tuple[Any, ...]) -> str | None:
    headers: Any = getattr(given[0], "headers", None) if given else None
    value = headers.get(_ID_HEADER) if hasattr(headers, "get") else None
    return value if isinstance(value, str) and value else None


def _time_left(args: tuple[Any, ...], kwargs: Mapping[str, Any], timeout_seconds: float) -> float:
    """Seconds for a flush."""
    try:
        ask = next(ask for given in (*args, *kwargs.values()) if (ask := _remaining(given)) is not None)
        return max(0.0, min(timeout_seconds, float(ask()) / 1000 - _MARGIN_SECONDS))
    except Exception:  # noqa: BLE001 - no platform that says it, or something else of this name
        return timeout_seconds


def _remaining(given: Any) -> Callable[[], Any] | None:
    found = getattr(given, "get_remaining_time_in_millis", None)
    return found if callable(found) else None
