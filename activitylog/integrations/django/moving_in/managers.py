"""Managers whose ``bulk_create`` asks where to write, in the place of the old model's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from django.db import models


class WritesRows(Protocol):
    """Who decides what becomes of rows."""

    def bulk_create(
        self, rows: Iterable[models.Model], using: str, original: Callable[[list[Any]], list[Any]]
    ) -> list[Any]:
        """Write them, or emit their events."""


#: Of a queryset: who decides; None where it is not of an old model.
Find = Callable[[models.QuerySet[Any]], WritesRows | None]


def _made(queryset_class: type[Any]) -> Any:
    """An empty queryset, to be filled by ``pickle``."""
    return object.__new__(queryset_class)


def writing_through(model: type[models.Model], find: Find) -> None:
    """Have the managers of a model ask, those that it inherits included."""
    own = {manager.name for manager in model._meta.local_managers}
    for manager in model._meta.local_managers:
        _have_ask(manager, find)
    for manager in [] if model._meta.abstract else list(model._meta.managers):
        if manager.name not in own:
            inherited = copy.copy(manager)
            _have_ask(inherited, find)
            model.add_to_class(inherited.name, inherited)
    model._meta._expire_cache()  # type: ignore[attr-defined]


def _have_ask(manager: Any, find: Find) -> None:
    if not hasattr(manager, _ASKS):
        manager.__class__ = _manager_class(type(manager), find)


#: On the class of a manager or a queryset: it asks.
_ASKS: Final = "_activitylog_asks"


def _manager_class(base: type[Any], find: Find) -> type[Any]:
    """
    A subclass under the name of its base, which is what migrations write and compare.

    Managers of related objects are made of it by Django, and so ask as well.
    """

    def get_queryset(self: Any) -> Any:
        queryset = super(made, self).get_queryset()  # type: ignore[arg-type]
        queryset.__class__ = _queryset_class(type(queryset), find)
        return queryset

    def equals(self: Any, other: Any) -> bool:
        return isinstance(other, base) and self._constructor_args == other._constructor_args

    names = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    made = type(
        base.__name__,
        (base,),
        {**names, _ASKS: True, "get_queryset": get_queryset, "__eq__": equals, "__hash__": base.__hash__},
    )
    return made


#: Class and who is asked -> the class that asks; made once, so that querysets of one manager are of one class.
_queryset_classes: dict[tuple[type, Find], type[Any]] = {}


def _queryset_class(base: type[Any], find: Find) -> type[Any]:
    """A subclass that asks in ``bulk_create``; the class itself where it does."""
    if hasattr(base, _ASKS):
        return base
    found = _queryset_classes.get((base, find))
    if found is None:
        found = _queryset_classes[base, find] = _new_queryset_class(base, find)
    return found


def _new_queryset_class(base: type[Any], find: Find) -> type[Any]:
    def bulk_create(self: Any, objs: Iterable[Any], *args: Any, **options: Any) -> Any:
        def original(rows: list[Any]) -> list[Any]:
            return super(made, self).bulk_create(rows, *args, **options)  # type: ignore[arg-type, no-any-return]

        writer = find(self)
        if writer is None:
            return original(list(objs))
        self._for_write = True
        return writer.bulk_create(objs, self.db, original)

    def reduce(self: Any, _protocol: Any = None) -> Any:
        # A queryset that is pickled, to be cached, is only to be read; this class has no name to find it by.
        return _made, (base,), self.__getstate__()

    bulk_create.alters_data = True  # type: ignore[attr-defined]
    names = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    made = type(
        base.__name__, (base,), {**names, _ASKS: True, "bulk_create": bulk_create, "__reduce_ex__": reduce}
    )
    return made
