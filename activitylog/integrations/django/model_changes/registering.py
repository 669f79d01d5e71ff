"""``register``, ``unregister`` and ``@captured``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from django.db import models

from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.django.model_changes import registry
from activitylog.integrations.django.model_changes.options import KINDS, MAX_EVENTS

_M = TypeVar("_M", bound=type[models.Model])


def register(
    model: _M,
    *,
    fields: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    m2m: Iterable[str] | bool = (),
    name: str | None = None,
    events: Iterable[str] | Mapping[str, str] = KINDS,
    values: Iterable[str] = ("updated",),
    without_values: Iterable[str] = (),
    on_commit: bool = True,
    max_events: int = MAX_EVENTS,
) -> _M:
    """
    Tell changes of a model as events. Registered again, the new options count.

    Args:
        model: concrete, proxy, or abstract: then of every model that is derived from it.
        fields: captured ones; by default all columns but keys, generated ones and those with ``auto_now``.
        exclude: of them.
        m2m: many-to-many fields, or True for all that the model declares.
        name: beginning of the events' names, by default the model's name: ``message`` for ``message.created``.
        events: which of ``created``, ``updated``, ``deleted`` and ``upserted``, or a dict of those that are
            wanted and their names: ``{"created": "message.sent", "members.added": "conversation.joined"}``.
        values: which events tell values of fields, as texts, of ``created``, ``updated`` and ``deleted``; the
            others tell names only. Values that are secret, binary or longer than 512 characters are never told.
        without_values: fields whose values are not told, only their names.
        on_commit: False emits at once, whatever becomes of the transaction.
        max_events: how many rows of one operation have an event each. Of more there is one about all of them
            (``activity.object.ids``, ``activity.count``), or a few where one cannot hold the ids.

    Returns:
        The model.

    Raises:
        ConfigurationError: an argument cannot be used.
    """
    if not (isinstance(model, type) and issubclass(model, models.Model)):
        raise ConfigurationError(
            f"expected a model, got {shown(model)}.", hint="Labels of models go into ACTIVITYLOG['models']."
        )
    registry.add(
        model,
        {
            "fields": fields,
            "exclude": exclude,
            "m2m": m2m,
            "name": name,
            "events": events,
            "values": values,
            "without_values": without_values,
            "on_commit": on_commit,
            "max_events": max_events,
        },
    )
    return model


def unregister(model: type[models.Model]) -> None:
    """Tell nothing more of a model; one that is not registered is left as it is."""
    registry.remove(model)


@overload
def captured(model: _M, /) -> _M: ...
@overload
def captured(**options: Any) -> Callable[[_M], _M]: ...


def captured(model: Any = None, /, **options: Any) -> Any:
    """
    :func:`register` as a decorator: ``@captured`` or ``@captured(exclude=["search_vector"])``.

    Args:
        options: as for :func:`register`.

    Raises:
        ConfigurationError: an option cannot be used.
    """
    if model is not None:
        return register(model, **options)
    return lambda decorated: register(decorated, **options)
