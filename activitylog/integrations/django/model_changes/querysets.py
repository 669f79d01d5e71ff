"""
What is told of operations on many rows.

``update`` tells the rows that matched and the new values that are constants; what they had before it does not
read. ``bulk_update`` tells old and new values, of instances that were loaded. Rows that are saved one by one are
told by signals; so are those that a queryset deletes, unless Django can leave it to one statement, which is then
asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import QuerySet

from activitylog import config
from activitylog.integrations.django.bulk.affected import Rows, tables_of
from activitylog.integrations.django.bulk.operations import (
    Created,
    created_rows,
    deleted_rows,
    rewritten_rows,
    updated_rows,
)
from activitylog.integrations.django.model_changes.comparing import Difference, difference, loaded_now
from activitylog.integrations.django.model_changes.deleting import delete_at_once, is_told_by_statement
from activitylog.integrations.django.model_changes.fields import CapturedField
from activitylog.integrations.django.model_changes.loaded import keep_written
from activitylog.integrations.django.model_changes.options import Captured
from activitylog.integrations.django.model_changes.saving import key_of
from activitylog.integrations.django.model_changes.telling import Telling, changed, changes, new_values
from activitylog.integrations.django.model_changes.watching import Watched, is_paused, watched

#: The model whose rows a bulk_update is rewriting, by statements that are updates themselves.
_rewriting: ContextVar[Any] = ContextVar("activitylog_rewriting", default=None)


class TellingQuerySet:
    """In front of a queryset's own class."""

    model: Any
    db: Any

    def update(self, **kwargs: Any) -> int:
        """As the class itself has it; the rows are told."""
        update: Callable[[], int] = partial(super().update, **kwargs)  # type: ignore[misc]
        one = _telling(self.model)
        if one is None or _rewriting.get() is self.model or not any(_updates(one, kwargs)):
            return update()
        count, rows = updated_rows(self, update)
        with _counting_failures(one):
            _tell_update(one, kwargs, rows, self.db)
        return count

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """As the class itself has it; the rows are told."""
        one = _telling(self.model)
        if one is None:
            return super().bulk_create(objs, *args, **kwargs)  # type: ignore[misc, no-any-return]
        create = partial(super().bulk_create, list(objs), *args, **kwargs)  # type: ignore[misc]
        ignoring, updating = (
            _option(args, kwargs, index, f"{what}_conflicts") for index, what in ((1, "ignore"), (2, "update"))
        )
        created = created_rows(self, create, ignoring_conflicts=ignoring)
        with _counting_failures(one):
            kind = "upserted" if updating or not created.is_certain else "created"
            _tell_creation(one, kind, created, self.db)
        return created.returned

    def bulk_update(self, objs: Iterable[Any], fields: Sequence[str], *args: Any, **kwargs: Any) -> int:
        """As the class itself has it; the rows are told."""
        one = _telling(self.model)
        if one is None:
            return super().bulk_update(objs, fields, *args, **kwargs)  # type: ignore[misc, no-any-return]
        objs, fields = list(objs), list(fields)
        update = partial(super().bulk_update, objs, fields, *args, **kwargs)  # type: ignore[misc]
        token = _rewriting.set(self.model)
        try:
            count, rows = rewritten_rows(self, objs, update)
        finally:
            _rewriting.reset(token)
        with _counting_failures(one):
            _tell_rewriting(one, objs, set(_columns(self.model, fields)), rows, self.db)
        return count

    def delete(self) -> tuple[int, dict[str, int]]:
        """As the class itself has it; where Django can leave it to one statement, that tells the rows."""
        one = _telling(self.model)
        default = super().delete  # type: ignore[misc]
        if one is not None and default.__func__ is QuerySet.delete and is_told_by_statement(self, one):
            deleted, rows = deleted_rows(self, partial(delete_at_once, self))
            with _counting_failures(one):
                _tell_deletion(one, rows, self.db)
            return deleted
        return default()  # type: ignore[no-any-return]

    delete.queryset_only = True  # type: ignore[attr-defined]
    delete.alters_data = True  # type: ignore[attr-defined]
    update.alters_data = True  # type: ignore[attr-defined]
    bulk_create.alters_data = True  # type: ignore[attr-defined]
    bulk_update.alters_data = True  # type: ignore[attr-defined]


def _telling(model: Any) -> Watched | None:
    return None if is_paused() else watched.get(model)


@contextmanager
def _counting_failures(one: Watched) -> Any:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the rows are written whatever is told of them; counted
        config.fail(error, f"{one.model._meta.model_name}.updated")


def _option(args: Sequence[Any], kwargs: dict[str, Any], index: int, name: str) -> bool:
    return bool(kwargs.get(name, args[index] if len(args) > index else False))


def _columns(model: Any, names: Iterable[str]) -> dict[str, str]:
    """The columns of fields, and the names under which they were given."""
    found = {}
    for name in names:
        try:
            found[model._meta.get_field(name).attname] = name
        except (FieldDoesNotExist, AttributeError):
            continue  # Django says what is wrong with it
    return found


def _updates(one: Watched, given: dict[str, Any]) -> Iterable[tuple[Captured, str, list[Any]]]:
    """What is to be told of an update: of which model, by which name, which of its fields."""
    columns = _columns(one.model, given)
    tables = tables_of(one.model)
    for captured in one.captured:
        name = captured.names.get("updated")
        fields = [field for field in captured.fields if field.attname in columns]
        # Of a parent with other keys the rows are not known.
        if name is not None and fields and captured.model._meta.concrete_model in tables:
            yield captured, name, fields


def _tell_update(one: Watched, given: dict[str, Any], rows: Rows, using: str) -> None:
    columns, telling = _columns(one.model, given), Telling(using)
    if not rows.count:
        return
    for captured, name, fields in _updates(one, given):
        values: dict[str, Any] = {"operation": "update", "changed": changed(fields)}
        if "updated" in captured.values:
            new = {field.attname: field.current(_key(given[columns[field.attname]])) for field in fields}
            values |= new_values(fields, new)
        telling.rows(captured, name, rows, **values)
    telling.done()


def _key(value: Any) -> Any:
    """An instance that is given for a foreign key is its primary key."""
    return value.pk if isinstance(value, models.Model) else value


def _tell_deletion(one: Watched, rows: Rows, using: str) -> None:
    telling = Telling(using)
    for captured in one.own if rows.count else ():
        name = captured.names.get("deleted")
        if name is not None:
            telling.rows(captured, name, rows, operation="queryset_delete")
    telling.done()


def _tell_creation(one: Watched, kind: str, created: Created, using: str) -> None:
    telling, found = Telling(using), {}
    # With conflicts the rows may have other values than the instances.
    if kind == "created" and len(created.returned) == created.rows.count and created.rows.ids is not None:
        for instance in created.returned:
            found[instance.pk] = instance, difference(one, instance, None, created=True)
    for captured in one.own if created.rows.count else ():
        name = captured.names.get(kind)
        if name is None:
            continue
        own = {}
        if "created" in captured.values and len(found) <= captured.max_events:
            own = {pk: new_values(captured.fields, one_found.written) for pk, (_, one_found) in found.items()}
        telling.rows(captured, name, created.rows, own, operation="bulk_create")
    _keep(one, list(found.values()), telling)


def _tell_rewriting(one: Watched, objs: list[Any], columns: set[str], rows: Rows, using: str) -> None:
    telling = Telling(using)
    there = None if rows.ids is None else set(rows.ids)
    found = {
        instance.pk: (instance, difference(one, instance, columns))
        for instance in objs
        if there is None or instance.pk in there
    }
    for captured in one.captured if rows.count else ():
        name = captured.names.get("updated")
        if name is not None:
            _tell_rewritten(captured, name, found, rows, telling)
    _keep(one, list(found.values()), telling)


def _tell_rewritten(
    captured: Captured,
    name: str,
    found: dict[Any, tuple[Any, Difference]],
    there: Rows,
    telling: Telling,
) -> None:
    """Of instances that were rewritten, those that differ."""
    own: dict[Any, tuple[list[CapturedField], Difference]] = {}
    names: dict[CapturedField, None] = {}
    for instance, one in found.values():
        fields = [field for field in captured.fields if field.attname in one.changed]
        if fields:
            names |= dict.fromkeys(fields)
            own[key_of(captured, instance)] = fields, one
    rows = Rows(min(len(own), there.count), None) if there.ids is None else Rows.of(own)
    values: dict[Any, dict[str, Any]] = {}
    if rows.ids is not None and rows.count <= max(captured.max_events, 1):
        for pk, (fields, one) in own.items():
            values[pk] = {"changed": changed(fields)}
            if "updated" in captured.values:
                values[pk] |= changes(fields, one.old(), one.changed)
    every = [field for field in captured.fields if field in names]
    telling.rows(captured, name, rows, values, operation="bulk_update", changed=changed(every))


def _keep(one: Watched, found: list[tuple[Any, Difference]], telling: Telling) -> None:
    fate = telling.done()
    for instance, difference_of_it in found:
        keep_written(instance, loaded_now(one, instance, difference_of_it), fate)
