"""
What is known about the current task: actor, tenant, request, bound once and added to every event.

The values live in one context variable that holds an immutable mapping, so a thread, an asyncio task and a
greenlet each see their own, and reading them costs one look-up. Leaving a block restores by token what was
bound before it; nothing is ever cleared for others.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import FunctionType, MappingProxyType, MethodType, TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar, cast

_F = TypeVar("_F", bound=Callable[..., Any])


#: What is called most often; without attributes of their own they are nobody.
_FUNCTIONS: Final = (FunctionType, MethodType)


class Frame(NamedTuple):
    """One block: what is bound inside it, whose it is, and the frame around it."""

    values: Mapping[str, Any]
    owner: object = None
    outer: Frame | None = None


_OUTERMOST: Final = Frame(MappingProxyType({}))
_frame: ContextVar[Frame] = ContextVar("activitylog_context", default=_OUTERMOST)
_resolving: ContextVar[bool] = ContextVar("activitylog_resolving", default=False)


def current() -> Mapping[str, Any]:
    """The values bound in this context; callables as they were bound, not called."""
    return _frame.get().values


def push(values: Mapping[str, Any], owner: object = None) -> Token[Frame]:
    """
    Bind values on top of what is bound, for code that cannot use a ``with`` block (hooks of frameworks).

    A value None leaves the outer one in place. Hand the token to :func:`pop`.
    """
    outer = _frame.get()
    given = {key: value for key, value in values.items() if value is not None}
    return _frame.set(Frame(MappingProxyType({**outer.values, **given}), owner, outer))


def pop(token: Token[Frame]) -> None:
    """
    Restore what was bound before :func:`push`.

    A token from another context (a generator finalised elsewhere) is ignored: that context is gone, and the
    values went with it.
    """
    try:  # noqa: SIM105 - suppress() takes 0.5 us more, and this is once a request
        _frame.reset(token)
    except ValueError:
        pass


def frame() -> Frame:
    """What is bound here as a whole, to be bound elsewhere by :func:`enter`."""
    return _frame.get()


def enter(frame: Frame | None) -> Token[Frame]:
    """Bind what was bound where ``frame`` was taken, and nothing else (None: nothing); undo with :func:`pop`."""
    return _frame.set(_OUTERMOST if frame is None else frame)


def underlaid(values: dict[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """``values``, with those of ``below`` where it says nothing; None says nothing."""
    for key, value in below.items():
        if values.get(key) is None:
            values[key] = value
    return values


def resolve_once() -> Token[Frame]:
    """Bind the current values again, each callable called once at the most; undo with :func:`pop`."""
    # partial: what cache() copies from a function it would ask a proxy for, too.
    values = {
        key: functools.cache(functools.partial(value)) if is_lazy(value) else value
        for key, value in current().items()
    }
    return push(values)


def resolve(value: Any) -> Any:
    """
    Call a lazy value, or return any other as it is.

    A lazy value that emits an event itself is not called again for that event: None.
    """
    if not is_lazy(value):
        return value
    if _resolving.get():
        return None
    token = _resolving.set(True)
    try:
        return value()
    finally:
        _resolving.reset(token)


def is_lazy(value: Any) -> bool:
    """True for a callable to be called at emit; an object that is somebody (``pk``, ``id``) is not one."""
    if type(value) in _FUNCTIONS and not value.__dict__:
        return True
    if not callable(value) or isinstance(value, type):
        return False
    try:
        return not hasattr(value, "pk") and not hasattr(value, "id")
    except Exception:  # noqa: BLE001 - a proxy outside its request; whoever calls it will see the reason
        return True


def around(function: _F, block: Callable[[], AbstractContextManager[Any]], name: str) -> _F:
    """
    Run each call of ``function`` inside a new ``block()``.

    Functions, coroutine functions, class methods and static methods. A generator function is returned as it is,
    with a warning that names ``name``: its body runs elsewhere and later.
    """
    if isinstance(function, (classmethod, staticmethod)):
        return cast(_F, type(function)(around(function.__func__, block, name)))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        warnings.warn(
            f"@{name} leaves the generator function {function.__qualname__} as it is; "
            f"write `with {name}` around what emits",
            stacklevel=3,
        )
        return function
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):

        @functools.wraps(function)
        async def coroutine_inside(*args: Any, **kwargs: Any) -> Any:
            with block():
                return await function(*args, **kwargs)

        return cast(_F, coroutine_inside)

    @functools.wraps(function)
    def function_inside(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return cast(_F, function_inside)


class bind:  # noqa: N801 - reads as a verb: with bind(...)
    """
    Bind values for a block or a function: every event emitted inside carries them.

    .. code-block:: python

        with activitylog.bind(actor=lambda: request.user, tenant=org.slug):
            ...

    A callable is called when an event is emitted, on the emitting thread, and only for events that are kept.
    An explicit argument of ``emit`` wins over a bound value, and an inner block over an outer one; None never
    does. As a decorator it works for functions and coroutine functions. Not across the ``yield`` of a generator:
    what is bound there is seen by whoever consumes it; use ``get_logger().bind(...)`` inside generators.

    One object may be used by many tasks and threads at once, as a decorator is.
    """

    __slots__ = ("_values",)

    def __init__(self, /, **values: Any) -> None:
        self._values = values

    def __enter__(self) -> Self:
        push(self._values, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        frame = _frame.get()
        if frame.owner is self and frame.outer is not None:
            _frame.set(frame.outer)

    def __call__(self, function: _F) -> _F:
        values = self._values
        return around(function, lambda: bind(**values), "activitylog.bind(...)")
