"""
What is put on a watched class: ``from_db``, which keeps what was loaded, and ``refresh_from_db``.

Only on the class itself; models that are not registered, and Django's own, stay as they are.
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import Any, Final

from django.db import models

from activitylog import config
from activitylog.integrations.django.model_changes.loaded import KEY, keep, kept
from activitylog.integrations.django.model_changes.watching import watched

#: On functions of ours; the function that was there before.
_BEFORE: Final = "_activitylog_before"

#: The instance that refresh_from_db loads to copy from it: of which class, and once it is loaded, what it has.
_refreshed: ContextVar[list[Any] | None] = ContextVar("activitylog_refreshed", default=None)


def install(model: type[models.Model]) -> None:
    """Put them on a class, unless it inherits them."""
    for name, wrap in (("from_db", _from_db), ("refresh_from_db", _refresh_from_db)):
        present = getattr(model, name)
        if not hasattr(getattr(present, "__func__", present), _BEFORE):
            wrap(model, present)


def uninstall(model: type[models.Model]) -> None:
    """Take them off a class."""
    for name in ("from_db", "refresh_from_db"):
        own = vars(model).get(name)
        before = getattr(getattr(own, "__func__", own), _BEFORE, None)
        if before is None:
            continue
        if before[0] is None:
            delattr(model, name)
        else:
            setattr(model, name, before[0])


def _from_db(model: type[models.Model], present: Any) -> None:
    before = present.__func__

    @functools.wraps(before)
    def from_db(cls: type[models.Model], db: Any, field_names: Any, values: Any, **options: Any) -> Any:
        instance = before(cls, db, field_names, values, **options)
        one = watched.get(cls)
        if one is not None:
            try:
                instance._state.__dict__[KEY] = one.loaded(field_names, values)
            except Exception as error:  # noqa: BLE001 - a query does not fail because of what is kept of it; counted
                config.fail(error, f"{cls._meta.model_name}.loaded")
            holder = _refreshed.get()
            if holder is not None and holder[0] is cls and len(holder) == 1:
                holder.append(kept(instance))
        return instance

    _set(model, "from_db", from_db, classmethod)


def _refresh_from_db(model: type[models.Model], present: Any) -> None:
    @functools.wraps(present)
    def refresh_from_db(self: Any, *args: Any, **options: Any) -> None:
        holder: list[Any] = [type(self)]
        token = _refreshed.set(holder)
        try:
            present(self, *args, **options)
        finally:
            _refreshed.reset(token)
        if len(holder) == 2:
            values = {**kept(self), **holder[1]}
            keep(self, (tuple(values), tuple(values.values())))

    _set(model, "refresh_from_db", refresh_from_db, lambda function: function)


def _set(model: type[models.Model], name: str, function: Any, kind: Any) -> None:
    setattr(function, _BEFORE, (vars(model).get(name),))
    setattr(model, name, kind(function))
