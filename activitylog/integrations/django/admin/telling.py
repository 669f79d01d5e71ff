"""The objects that an action is about, and the events that tell what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import router
from django.db.models import Model

from activitylog import config
from activitylog.deferred import defer
from activitylog.integrations.django.bulk.affected import MAX_IDS, Rows
from activitylog.integrations.django.bulk.telling import after_commit
from activitylog.integrations.django.bulk.telling import tell as tell_rows


@dataclass(frozen=True, slots=True)
class Selected:
    """
    Objects of a model.

    Attributes:
        model: whose objects they are.
        rows: how many, and which; of more than 100,000 only how many.
        using: alias of the database that is written to.
    """

    model: type[Model]
    rows: Rows
    using: str

    def only(self, ids: list[Any]) -> Selected:
        """Others of the same model."""
        return replace(self, rows=Rows.of(ids))

    def without(self, done: Selected) -> Selected:
        """Those that are not among ``done``."""
        ids, gone = self.rows.ids, done.rows.ids
        if ids is None or gone is None:
            return replace(self, rows=Rows(max(self.rows.count - done.rows.count, 0), None))
        texts = set(map(str, gone))
        return self.only([key for key in ids if str(key) not in texts])


def nothing_of(model: type[Model]) -> Selected:
    """No object of a model."""
    return Selected(model, Rows(0, []), router.db_for_write(model))


def selected_by(queryset: Any) -> Selected:
    """What a queryset selects: one query for primary keys, and beyond 100,000 one for their number."""
    # Without its order: sorting by columns of other tables is what may take long.
    ids = list(queryset.order_by().values_list("pk", flat=True)[: MAX_IDS + 1])
    rows = Rows(len(ids), ids) if len(ids) <= MAX_IDS else Rows(queryset.count(), None)
    model = queryset.model
    return Selected(model, rows, queryset._db or router.db_for_write(model))


def selected_of(model: type[Model], items: Iterable[Any]) -> Selected:
    """
    Objects of a model, or their primary keys.

    Raises:
        TypeError: an object of another model.
    """
    return nothing_of(model).only([_key(item, model) for item in items])


def _key(item: Any, model: type[Model]) -> Any:
    if not isinstance(item, Model):
        return item
    if item._meta.concrete_model is not model._meta.concrete_model:
        raise TypeError(f"expected objects of {model._meta.label} or their keys, got a {item._meta.label}")
    return item.pk


def tell(event: str, selected: Selected, max_events: int, values: Mapping[str, Any]) -> None:
    """
    Emit the events about the selected objects once the transaction is committed; never raises.

    Args:
        max_events: up to so many objects have an event each; more are told in one, or in as few as hold their ids.
        values: keywords of ``emit``, read now.
    """
    with contained(event):
        told = partial(
            tell_rows,
            defer(event, **values),
            selected.model._meta.label_lower,
            selected.rows,
            max_events=max_events,
        )
        after_commit(told, selected.using, event)


def tell_failure(event: str, selected: Selected, values: Mapping[str, Any]) -> None:
    """Emit what failed, now and as one: the transaction is rolled back."""
    with contained(event):
        emit = defer(event, **values)
        if not tell_rows(emit, selected.model._meta.label_lower, selected.rows, max_events=0):
            emit()


class contained:  # noqa: N801 - reads as a word: with contained(event)
    """
    What goes wrong inside is counted, and harms nobody: the application's managers and models may raise anything.

    Under ``strict``, in tests, it is raised.
    """

    def __init__(self, event: str) -> None:
        self._event = event

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        config.fail(error, self._event)
        return True
