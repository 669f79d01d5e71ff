"""
What is told of rows that were deleted.

Django says it row by row, by signals; where somebody listens to them it loads what it deletes, and deletes in
batches of a hundred. What belongs to one operation on one model is collected until the transaction is committed.

Rows that nothing points to Django would delete by one statement, if nobody listened. Where nobody else does, and
no values are to be told, a queryset still deletes them so, and the statement is asked for them.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any, Final

from django.db import models, transaction
from django.db.models import signals
from django.db.models.deletion import Collector

from activitylog import config
from activitylog.deferred import defer
from activitylog.integrations.django.bulk.affected import MAX_IDS, Rows, tells_rows
from activitylog.integrations.django.bulk.telling import counted, tell
from activitylog.integrations.django.model_changes.fields import UNKNOWN
from activitylog.integrations.django.model_changes.frozen import thaw
from activitylog.integrations.django.model_changes.loaded import kept
from activitylog.integrations.django.model_changes.options import Captured
from activitylog.integrations.django.model_changes.saving import key_of
from activitylog.integrations.django.model_changes.telling import Telling, new_values
from activitylog.integrations.django.model_changes.watching import Watched, is_paused, watched


class _Deletion:
    """The rows of one model that one operation deletes."""

    def __init__(self, captured: Captured, name: str, operation: str, origin: Any) -> None:
        self._captured = captured
        self._emit = defer(name, operation=operation)
        self._own: dict[Any, dict[str, Any]] = {}
        self._count = 0
        # Its id() is the key of this deletion: nobody else may get it meanwhile.
        self._origin = origin

    def add(self, pk: Any, values: dict[str, Any]) -> None:
        self._count += 1
        if self._count <= MAX_IDS:
            self._own[pk] = values

    def tell(self) -> None:
        rows = Rows(self._count, list(self._own) if self._count <= MAX_IDS else None)
        tell(self._emit, self._captured.label, rows, max_events=self._captured.max_events, own=self._own)


#: Those that are not committed yet. Django has the only reference to one, among the hooks of the transaction, and
#: forgets it when that is rolled back.
_open: Final[weakref.WeakValueDictionary[tuple[Any, ...], _Deletion]] = weakref.WeakValueDictionary()


def deleted(sender: type[models.Model], instance: models.Model, using: str, origin: Any = None, **_: Any) -> None:
    """A receiver of ``post_delete``."""
    one = watched.get(sender)
    if one is None or is_paused():
        return
    try:
        for captured in one.own:
            name = captured.names.get("deleted")
            if name is not None:
                _delete(captured, name, instance, using, origin)
    except Exception as error:  # noqa: BLE001 - deleting goes on whatever is told of it; counted
        config.fail(error, f"{sender._meta.model_name}.deleted")


def _delete(captured: Captured, name: str, instance: models.Model, using: str, origin: Any) -> None:
    pk, operation = key_of(captured, instance), _operation(captured, instance, origin)
    values = _values(captured, instance) if "deleted" in captured.values else {}
    connection = transaction.get_connection(using)
    if not (captured.on_commit and connection.in_atomic_block):
        Telling(using).row(captured, name, pk, operation=operation, **values)
        return
    key = (using, id(origin), captured.label, operation, *connection.savepoint_ids)
    deletion = _open.get(key)
    if deletion is None:
        deletion = _open[key] = _Deletion(captured, name, operation, origin)
        connection.on_commit(partial(counted, deletion.tell, name))
    deletion.add(pk, values)


def _operation(captured: Captured, instance: models.Model, origin: Any) -> str:
    table = captured.model._meta.concrete_model
    if isinstance(origin, models.QuerySet):
        of = origin.model._meta
        return "queryset_delete" if table in (of.concrete_model, *of.all_parents) else "cascade"
    if isinstance(origin, captured.model._meta.concrete_model or captured.model):
        return (
            "delete" if origin is instance or key_of(captured, origin) == key_of(captured, instance) else "cascade"
        )
    return "cascade" if isinstance(origin, models.Model) else "delete"


def _values(captured: Captured, instance: models.Model) -> dict[str, Any]:
    """What the row had, as far as it was loaded; else what the instance has."""
    known = {**vars(instance), **kept(instance)}
    return new_values(
        captured.fields,
        {one.attname: thaw(known[one.attname], UNKNOWN) for one in captured.fields if one.attname in known},
    )


class _WithoutUs(Collector):
    """Decides as if nobody of ours listened."""

    def _has_signal_listeners(self, model: type[models.Model]) -> bool:
        sync, asynchronous = signals.post_delete._live_receivers(model)
        return bool(signals.pre_delete.has_listeners(model)) or [*sync, *asynchronous] != [deleted]


def is_told_by_statement(queryset: Any, one: Watched) -> bool:
    """Whether a queryset's rows can be deleted by one statement that tells them."""
    query = queryset.query
    if query.is_sliced or query.combinator or query.distinct or queryset._fields is not None:
        return False  # what Django refuses, or does in its own way
    queryset._for_write = True
    if not any("deleted" in each.names for each in one.own) or any("deleted" in each.values for each in one.own):
        return False
    try:
        fast = _WithoutUs(using=queryset.db, origin=queryset).can_fast_delete(queryset)
    except Exception:  # noqa: BLE001 - an inner part of another Django; its own way is always right
        return False
    return fast and tells_rows(queryset.db, queryset.model)


def delete_at_once(queryset: Any) -> tuple[int, dict[str, int]]:
    """What ``QuerySet.delete`` does when nothing else is deleted with the rows."""
    rows = queryset._chain()
    rows._for_write = True
    rows.query.select_for_update = False
    rows.query.select_related = False
    rows.query.clear_ordering(force=True)
    with transaction.atomic(using=rows.db, savepoint=False):
        count = rows._raw_delete(using=rows.db)
    queryset._result_cache = None
    return count, {rows.model._meta.label: count} if count else {}
