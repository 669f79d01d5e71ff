"""System checks of old models: ``manage.py check`` says what of a mapping cannot be, before a request does."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.core import checks
from django.db import models

from activitylog.integrations.django.moving_in.rows import columns_of

if TYPE_CHECKING:
    from activitylog.integrations.django.moving_in.old_model import LegacyModel

_watched: list[LegacyModel] = []


def watch(legacy: LegacyModel) -> None:
    """Check this one, too."""
    if not _watched:
        checks.register(check_legacy_models)
    _watched.append(legacy)


def check_legacy_models(**_options: Any) -> list[checks.CheckMessage]:
    """All that is wrong with old models."""
    return [message for legacy in _watched if not legacy.model._meta.abstract for message in _of(legacy)]


def _of(legacy: LegacyModel) -> Iterator[checks.CheckMessage]:
    model = legacy.model
    names = [column.name for column in columns_of(model)]
    for column in dict.fromkeys(legacy.mapping.columns()):
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
            text = f"The mapping of {model._meta.label} names a column {column!r}, which the model does not have."
            yield checks.Error(text, hint=hint, obj=model, id="activitylog.E101")
    if legacy.plan.event_column is None and not legacy.mapping.names and legacy.mapping.adjust is None:
        yield checks.Warning(
            f"No column of {model._meta.label} says what happened: every event will be {legacy.plan.names('')!r}.",
            hint='Name it, LegacyMapping(event="..."), or give all events one name, '
            'LegacyMapping(names={"": "..."}).',
            obj=model,
            id="activitylog.W101",
        )
    if legacy.mode() == "events":
        yield from _references(model)


def _references(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    for relation in model._meta.related_objects:
        field = relation.field
        if getattr(field, "auto_created", False):
            continue
        yield checks.Warning(
            f"{field.model._meta.label}.{field.name} refers to rows of {model._meta.label}, "
            "and new ones are events.",
            hint='Write both for as long as it is needed: legacy_model(write="both").',
            obj=model,
            id="activitylog.W102",
        )
