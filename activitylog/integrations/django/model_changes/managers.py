"""
How a watched class sees operations on many rows: its managers return querysets that tell of them.

The class's own ``_meta`` gets managers of a subclass of the class that each had, in which ``get_queryset`` returns
a queryset of a subclass of its class. So all of them are seen: custom managers, ``as_manager``, the default and
the base manager, related ones (``conversation.messages``), which Django derives from the class of the default
manager, and the managers of models of others. Parents, siblings and Django's classes stay as they are. Both
subclasses have the names of what they stand for, and are equal to it where migrations compare managers.
"""

from __future__ import annotations

import copyreg
from functools import cached_property
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.db.models.manager import BaseManager
from django.db.models.options import Options

from activitylog.integrations.django.model_changes.querysets import TellingQuerySet
from activitylog.integrations.django.model_changes.watching import watched

_MADE_OF_META: Final = ("managers", "managers_map", "base_manager", "default_manager")


def install(model: type[models.Model]) -> None:
    """Have the managers of a class tell of what is done to many rows."""
    if not isinstance(model._meta, _TellingOptions):
        model._meta.__class__ = _subclass(_options, type(model._meta), _TellingOptions)
    _forget_managers(model)


def uninstall(model: type[models.Model]) -> None:
    """Give a class its managers back."""
    if isinstance(model._meta, _TellingOptions):
        model._meta.__class__ = type(model._meta).__mro__[2]
    _forget_managers(model)


def _forget_managers(model: type[models.Model]) -> None:
    """Django makes them again: those of ``_meta``, and the classes of related ones, which it keeps elsewhere."""
    for name in _MADE_OF_META:
        vars(model._meta).pop(name, None)
    if not apps.models_ready:
        return
    for one in apps.get_models(include_auto_created=True):
        for descriptor in vars(one).values():
            if isinstance(getattr(descriptor, "__dict__", None), dict):
                vars(descriptor).pop("related_manager_cls", None)


class _TellingOptions(Options):  # type: ignore[type-arg]
    @cached_property
    def managers(self) -> Any:
        found = super().managers
        for manager in found:
            manager.__class__ = telling_manager(type(manager))
        return found

    @cached_property
    def base_manager(self) -> Any:
        manager = super().base_manager
        manager.__class__ = telling_manager(type(manager))
        return manager


class _TellingManager:
    """In front of a manager's own class."""

    _told_of: type

    def get_queryset(self) -> Any:
        queryset = super().get_queryset()  # type: ignore[misc]
        if isinstance(queryset, models.QuerySet) and queryset.model in watched:
            queryset.__class__ = telling_queryset(type(queryset))
        return queryset

    # As BaseManager has it; to Python a subclass would be the one to be asked first.
    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, self._told_of) and self._constructor_args == other._constructor_args  # type: ignore[attr-defined]
        )

    __hash__ = BaseManager.__hash__


_options: Final[dict[type, type]] = {}
_managers: Final[dict[type, type]] = {}
_querysets: Final[dict[type, type]] = {}


def telling_manager(cls: type) -> type:
    """The subclass of a manager's class."""
    return cls if issubclass(cls, _TellingManager) else _subclass(_managers, cls, _TellingManager, _told_of=cls)


def telling_queryset(cls: type) -> type:
    """The subclass of a queryset's class; pickled, its querysets are of the class itself."""
    if issubclass(cls, TellingQuerySet):
        return cls

    def __reduce_ex__(self: Any, _protocol: Any) -> Any:  # noqa: N807 - a method of the subclass
        return copyreg._reconstructor, (cls, object, None), self.__getstate__()  # type: ignore[attr-defined]

    return _subclass(_querysets, cls, TellingQuerySet, __reduce_ex__=__reduce_ex__)


def _subclass(made: dict[type, type], cls: type, mixin: type, **namespace: Any) -> type:
    known = made.get(cls)
    if known is None:
        named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        known = made[cls] = type(cls)(cls.__name__, (mixin, cls), {**named, **namespace})
    return known
