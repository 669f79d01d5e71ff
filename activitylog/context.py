"""
What is known about the current task: actor, tenant, request, bound once and added to every event.

The values live in one context variable that holds an immutable mapping, so a thread, an asyncio task and a
greenlet each see their own, and reading them costs one look-up. Leaving a block restores by token what was
bound before it; nothing is ever cleared for others.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar, cast

_F = TypeVar("_F", bound=Callable[..., Any])

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Any]] = ContextVar("activitylog_context", default=_EMPTY)


def current() -> Mapping[str, Any]:
    """The values bound in this context; callables as they were bound, not called."""
    return _bound.get()


def push(values: Mapping[str, Any]) -> Token[Mapping[str, Any]]:
    """
    Bind values on top of what is bound, for code that cannot use a ``with`` block (hooks of frameworks).

    A value None leaves the outer one in place. Hand the token to :func:`pop`.
    """
    outer = _bound.get()
    given = {key: value for key, value in values.items() if value is not None}
    return _bound.set(MappingProxyType({**outer, **given}))


def pop(token: Token[Mapping[str, Any]]) -> None:
    """
    Restore what was bound before :func:`push`.

    A token from another context (a generator finalised elsewhere) is ignored: that context is gone, and the
    values went with it.
    """
    try:
        _bound.reset(token)
    except ValueError:
        return


def resolve_once() -> Token[Mapping[str, Any]]:
    """Bind the current values again, each callable called once at the most; undo with :func:`pop`."""
    return _bound.set(
        MappingProxyType(
            {key: functools.cache(value) if is_lazy(value) else value for key, value in _bound.get().items()}
        )
    )


def is_lazy(value: Any) -> bool:
    """True for a callable to be called at emit; an object that is somebody (``pk``, ``id``) is not one."""
    return (
        callable(value) and not isinstance(value, type) and not hasattr(value, "pk") and not hasattr(value, "id")
    )


class bind:  # noqa: N801 - reads as a verb: with bind(...)
    """
    Bind values for a block or a function: every event emitted inside carries them.

    .. code-block:: python

        with activitylog.bind(actor=lambda: request.user, tenant=org.slug):
            ...

    A callable is called when an event is emitted, on the emitting thread, and only for events that are kept.
    An explicit argument of ``emit`` wins over a bound value, and an inner block over an outer one; None never
    does. As a decorator it works for functions and coroutine functions; a generator needs the block inside.
    """

    __slots__ = ("_tokens", "_values")

    def __init__(self, /, **values: Any) -> None:
        self._values = values
        self._tokens: list[Token[Mapping[str, Any]]] = []

    def __enter__(self) -> Self:
        self._tokens.append(push(self._values))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop(self._tokens.pop())

    def __call__(self, function: _F) -> _F:
        values = self._values
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def bound_coroutine(*args: Any, **kwargs: Any) -> Any:
                with bind(**values):
                    return await function(*args, **kwargs)

            return cast(_F, bound_coroutine)

        @functools.wraps(function)
        def bound_function(*args: Any, **kwargs: Any) -> Any:
            with bind(**values):
                return function(*args, **kwargs)

        return cast(_F, bound_function)
