"""
An old function that wrote a row, which emits an event instead. Its call sites stay as they are.

.. code-block:: python

    @legacy_function()
    def safe_log_activity(user, action, description="", obj=None, request=None, **metadata):
        ...                              # the old body: runs while rows are written, and may be deleted afterwards

The names of its parameters are read as those of columns are, and ``request`` as what asks: its client, method,
path and user, unless the middleware has said that already.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

from django.contrib.auth import get_user_model

from activitylog import config
from activitylog.integrations.django.moving_in import emission, switch
from activitylog.integrations.django.moving_in.columns import Column
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.of_request import values_of_request
from activitylog.integrations.django.moving_in.plan import Plan

_F = TypeVar("_F", bound=Callable[..., Any])
#: Plans of one function, by the names that its calls have.
_MOST_PLANS: Final = 256
_OWNERS: Final = frozenset({"self", "cls"})
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
#: Parameters whose ids are users'.
_USERS: Final = frozenset({"target_user", "affected_user", "to_user", "recipient"})


def legacy_function(
    mapping: LegacyMapping | None = None,
    *,
    write: switch.Write = None,
    on_commit: bool = True,
    using: str = "default",
    returns: Any = None,
) -> Callable[[_F], _F]:
    """
    Have an old function emit an event.

    Args:
        mapping: which parameter is which word; without one their names decide.
        write: as for :func:`.legacy_model`. With ``both`` the body runs, and where it wrote no row of an old
            model, which has its event, one is emitted; with ``table`` the body runs and that is all.
        on_commit: emit when the transaction of ``using`` is committed, and not at all when it is rolled back.
        using: alias of that database.
        returns: what callers get when the body does not run. Where they need the row, leave the function as it is:
            the ``ActivityLog.objects.create(...)`` in it is enough.

    The decorated function raises nothing of its own, not even for arguments that do not fit: the event has what
    was given. It works for functions, methods and coroutine functions.

    Raises:
        ConfigurationError: a mode that is none.
    """
    checked = switch.checked(write)

    def decorate(function: _F) -> _F:
        call = LegacyCall(function, mapping or LegacyMapping())
        committing = using if on_commit else None

        @functools.wraps(function)
        def emitting(*args: Any, **kwargs: Any) -> Any:
            mode = switch.mode(checked)
            if mode == "table":
                return function(*args, **kwargs)
            if mode == "events":
                call.emit(args, kwargs, using=committing)
                return returns
            with emission.noting_rows() as rows:
                result = function(*args, **kwargs)
            if not rows:
                call.emit(args, kwargs, using=committing)
            return result

        @functools.wraps(function)
        async def emitting_asynchronously(*args: Any, **kwargs: Any) -> Any:
            mode = switch.mode(checked)
            if mode == "table":
                return await function(*args, **kwargs)
            if mode == "events":
                call.emit(args, kwargs, using=committing)
                return returns
            with emission.noting_rows() as rows:
                result = await function(*args, **kwargs)
            if not rows:
                call.emit(args, kwargs, using=committing)
            return result

        return cast(_F, emitting_asynchronously if inspect.iscoroutinefunction(function) else emitting)

    return decorate


class LegacyCall:
    """From the arguments of an old function to an event."""

    def __init__(self, function: Callable[..., Any], mapping: LegacyMapping) -> None:
        self._function = function
        self._mapping = mapping
        self._plan = functools.lru_cache(maxsize=_MOST_PLANS)(self._new_plan)

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        # Of a task of Celery: what it runs, which is found when it is needed.
        return inspect.signature(getattr(self._function, "run", self._function))

    def emit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, using: str | None) -> None:
        """Emit the event of one call. Never raises, unless activitylog is strict."""
        try:
            event = self._event(self._arguments(args, kwargs))
            if event is not None:
                emission.emit(event, using=using)
        except Exception as error:  # noqa: BLE001 - a log call never breaks the operation; counted
            config.fail(error, getattr(self._function, "__name__", None))

    def _event(self, arguments: dict[str, Any]) -> dict[str, Any] | None:
        request = arguments.pop("request", None)
        plan = self._plan(tuple((name, hasattr(value, "_meta")) for name, value in arguments.items()))
        by_name = arguments.get
        event = plan.event([by_name(name) for name in plan.reads])
        if event is None or request is None:
            return event
        return {**values_of_request(request), **event}

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """By name; what goes by ``**`` stands beside the others."""
        signature = self._signature
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            config.fail(error, getattr(self._function, "__name__", None))
            names = (name for name, one in signature.parameters.items() if one.kind in _POSITIONAL)
            return {**dict(zip(names, args, strict=False)), **kwargs}
        bound.apply_defaults()
        found: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                found |= {key: item for key, item in value.items() if key not in found}
            elif name not in _OWNERS and not (kind is inspect.Parameter.VAR_POSITIONAL and not value):
                found[name] = value
        return found

    def _new_plan(self, names: tuple[tuple[str, bool], ...]) -> Plan:
        users = get_user_model()._meta.label_lower
        columns = [
            Column(name, users if name in _USERS else "", names_something=is_object) for name, is_object in names
        ]
        return Plan(columns, self._mapping)
