"""An old table's columns by its model, and the values of a row that is about to be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.utils import translation

from activitylog.integrations.django.moving_in.columns import Column


def columns_of(model: type[models.Model]) -> list[Column]:
    """All columns but the primary key, and the generic foreign keys."""
    users = get_user_model()
    found = [_column(field, users) for field in model._meta.concrete_fields if not field.primary_key]
    for key in model._meta.private_fields:
        kind, identifier = getattr(key, "ct_field", None), getattr(key, "fk_field", None)
        if kind and identifier:
            found.append(_generic(model, key.name, kind, identifier))
    return found


def _column(field: models.Field[Any, Any], users: type[models.Model]) -> Column:
    remote = field.remote_field
    if remote is not None and field.is_relation:
        other = remote.model
        is_user = isinstance(other, type) and issubclass(other, users)
        label = str(other) if isinstance(other, str) else other._meta.label_lower
        return Column(field.name, label, is_user=is_user, names_something=True, reads=(field.attname,))
    # The value of a text choice is its text; a number means nothing without its label, in whatever language it is.
    with translation.override(None):
        labels = {value: str(label) for value, label in field.flatchoices}
    return Column(field.name, labels=labels or None)


def _generic(model: type[models.Model], name: str, kind: str, identifier: str) -> Column:
    reads = tuple(str(getattr(model._meta.get_field(part), "attname", part)) for part in (kind, identifier))
    return Column(name, names_something=True, is_generic=True, reads=reads, covers=(kind, identifier))


def values_of(instance: models.Model, names: Sequence[str]) -> list[Any]:
    """Values of a row by the names of its columns; None for what only the database knows."""
    held = instance.__dict__
    return [None if hasattr(value := held.get(name), "resolve_expression") else value for name in names]
