"""What is told of a row that was saved: by ``save``, ``create``, ``get_or_create`` and the like."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.db import models

from activitylog import config
from activitylog.integrations.django.model_changes.comparing import Difference, difference, loaded_now
from activitylog.integrations.django.model_changes.loaded import keep_written
from activitylog.integrations.django.model_changes.options import Captured
from activitylog.integrations.django.model_changes.telling import Telling, changed, changes, new_values
from activitylog.integrations.django.model_changes.watching import Watched, is_paused, watched

#: In an instance's ``_state``: it is loaded from a fixture; the row of a parent may have been there before.
RAW: Final = "activitylog_raw"
_WITH_PARENT: Final = "activitylog_with_parent"


def before_save(sender: type[models.Model], instance: models.Model, raw: bool, **_: Any) -> None:
    """A receiver of ``pre_save``, for classes whose rows are rows of a captured parent, too."""
    try:
        state, parents = instance._state, _parents(watched[sender])
        if state.adding and not raw:
            vars(state)[_WITH_PARENT] = any(_may_be_there(instance, parent.model) for parent in parents)
    except Exception as error:  # noqa: BLE001 - saving goes on whatever is told of it; counted
        config.fail(error, f"{sender._meta.model_name}.saved")


def saved(
    sender: type[models.Model],
    *,
    instance: models.Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_: Any,
) -> None:
    """A receiver of ``post_save``."""
    one = watched.get(sender)
    if one is None:
        return
    try:
        vars(instance._state).pop(RAW, None)
        if raw:
            vars(instance._state)[RAW] = True
        found = difference(one, instance, update_fields, created=created)
        if created or found.changed:
            telling = Telling(using)
            if not raw and not is_paused():
                _tell(one, instance, found, created, telling)
            keep_written(instance, loaded_now(one, instance, found), telling.done())
    except Exception as error:  # noqa: BLE001 - saving goes on whatever is told of it; counted
        config.fail(error, f"{sender._meta.model_name}.saved")


def _tell(one: Watched, instance: models.Model, found: Difference, created: bool, telling: Telling) -> None:
    old = found.old()
    for captured in one.captured:
        kind = _kind(one, captured, instance, created)
        name = captured.names.get(kind)
        fields = [field for field in captured.fields if field.attname in found.changed]
        if name is None or (kind == "updated" and not fields):
            continue
        values: dict[str, Any] = {"operation": "save"}
        if kind == "updated":
            values["changed"] = changed(fields)
            if kind in captured.values:
                values |= changes(fields, old, found.changed)
        elif "created" in captured.values:
            values |= new_values(captured.fields, found.written)
        telling.row(captured, name, key_of(captured, instance), **values)


def _kind(one: Watched, captured: Captured, instance: models.Model, created: bool) -> str:
    if not created:
        return "updated"
    if captured in one.own or not vars(instance._state).get(_WITH_PARENT):
        return "created"
    return "upserted"


def key_of(captured: Captured, instance: models.Model) -> Any:
    """The primary key that an instance, perhaps of a child, has in a model's table."""
    keys = [getattr(instance, key.attname) for key in captured.model._meta.pk_fields]
    return keys[0] if len(keys) == 1 else tuple(keys)


def _parents(one: Watched) -> list[Captured]:
    own = one.own
    return [captured for captured in one.captured if captured not in own]


def _may_be_there(instance: models.Model, parent: type[models.Model]) -> bool:
    """Whether saving a new child may find the parent's row: its key is given, and was not made for it."""
    return any(
        getattr(instance, key.attname) is not None and not key.has_default() for key in parent._meta.pk_fields
    )
