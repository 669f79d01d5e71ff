"""``register``: which models are captured, and what is connected for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.db.models import signals
from django.db.models.fields.related import lazy_related_operation

from activitylog.integrations.django.model_changes import hooks, managers
from activitylog.integrations.django.model_changes.deleting import deleted
from activitylog.integrations.django.model_changes.options import Captured, captured_of
from activitylog.integrations.django.model_changes.relations import relation_receiver
from activitylog.integrations.django.model_changes.saving import before_save, saved
from activitylog.integrations.django.model_changes.watching import Watched, watched

_UID: Final = "activitylog"
_captured: Final[dict[type[models.Model], Captured]] = {}
_abstract: Final[dict[type[models.Model], dict[str, Any]]] = {}


def add(model: type[models.Model], options: dict[str, Any]) -> None:
    """
    Capture a model, or every model that is derived from an abstract one.

    Raises:
        ConfigurationError: an option cannot be used.
    """
    signals.class_prepared.connect(_prepared, dispatch_uid=_UID)
    if model._meta.abstract:
        _abstract[model] = options
        for child in _concrete_below(model):
            if _nearest_abstract(child) is model:
                add(child, options)
        return
    captured = captured_of(model, **options)
    remove(model)
    _captured[model] = captured
    _watch_again(model)
    for name in captured.relations:
        _connect_relation(captured, model._meta.get_field(name))


def remove(model: type[models.Model]) -> None:
    """Capture a model no more; one that is not captured is left as it is."""
    if model._meta.abstract:
        _abstract.pop(model, None)
        for child in _concrete_below(model):
            remove(child)
        return
    captured = _captured.pop(model, None)
    if captured is None:
        return
    for name in captured.relations:
        through = getattr(model._meta.get_field(name).remote_field, "through", None)
        signals.m2m_changed.disconnect(sender=through, dispatch_uid=_relation_uid(captured, name))
    _watch_again(model)


def _watch_again(model: type[models.Model]) -> None:
    """Watch the class and those below it for all that is captured of their rows now."""
    for one in (model, *_concrete_below(model)):
        captured = tuple(_captured_of_rows_of(one))
        if captured:
            _watch(one, captured)
        else:
            _unwatch(one)


def _watch(model: type[models.Model], captured: tuple[Captured, ...]) -> None:
    watched[model] = one = Watched(model, captured)
    hooks.install(model)
    managers.install(model)
    signals.post_save.connect(saved, sender=model, weak=False, dispatch_uid=_UID)
    if any("deleted" in each.names for each in one.own):
        signals.post_delete.connect(deleted, sender=model, weak=False, dispatch_uid=_UID)
    else:
        signals.post_delete.disconnect(sender=model, dispatch_uid=_UID)
    if len(one.own) < len(captured):
        signals.pre_save.connect(before_save, sender=model, weak=False, dispatch_uid=_UID)


def _unwatch(model: type[models.Model]) -> None:
    watched.pop(model, None)
    hooks.uninstall(model)
    managers.uninstall(model)
    for signal in (signals.pre_save, signals.post_save, signals.post_delete):
        signal.disconnect(sender=model, dispatch_uid=_UID)


def _captured_of_rows_of(model: type[models.Model]) -> Iterator[Captured]:
    """What is captured of each table that a row of the model is in, by the class that is nearest."""
    tables = set()
    for base in model.__mro__:
        found = _captured.get(base)
        if found is not None and found.model._meta.concrete_model not in tables:
            tables.add(found.model._meta.concrete_model)
            yield found


def _concrete_below(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for child in model.__subclasses__():
        if not child._meta.abstract:
            yield child
        yield from _concrete_below(child)


def _nearest_abstract(model: type[models.Model]) -> type[models.Model] | None:
    return next((base for base in model.__mro__ if base in _abstract), None)


def _prepared(sender: type[models.Model], **_: Any) -> None:
    """A receiver of ``class_prepared``: a class that is made later is watched like the others."""
    if sender._meta.apps is not apps:
        return  # of a migration
    nearest = _nearest_abstract(sender)
    concrete = any(base in _captured for base in sender.__mro__)
    if nearest is not None and not sender._meta.proxy:
        add(sender, _abstract[nearest])
    elif concrete:
        _watch_again(sender)


def _connect_relation(captured: Captured, field: Any) -> None:
    receiver = relation_receiver(captured, field)
    uid = _relation_uid(captured, field.name)

    def connect(through: Any) -> None:
        if _captured.get(captured.model) is captured:
            signals.m2m_changed.connect(receiver, sender=through, weak=False, dispatch_uid=uid)

    through = field.remote_field.through
    if isinstance(through, str):
        lazy_related_operation(lambda _, resolved: connect(resolved), captured.model, through)
    else:
        connect(through)


def _relation_uid(captured: Captured, name: str) -> tuple[str, str, str]:
    return _UID, captured.label, name
