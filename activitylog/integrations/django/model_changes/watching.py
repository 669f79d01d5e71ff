"""
Which classes are watched: the models that are registered, their proxies, and their children in other tables.

A child's row is a row of its parent, too: saving a ``Restaurant`` tells of the registered ``Place`` as well. A
proxy is told as the model whose table it is, unless it is registered itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, NamedTuple

from django.db import models

from activitylog.integrations.django.model_changes.fields import CapturedField, type_of
from activitylog.integrations.django.model_changes.frozen import freeze
from activitylog.integrations.django.model_changes.loaded import Loaded
from activitylog.integrations.django.model_changes.options import Captured


class Plan(NamedTuple):
    """
    How what is kept is picked from a row that was loaded.

    Attributes:
        names: of the columns that are kept.
        plain: picks those whose values cannot be changed in place, which come first.
        changeable: indexes of the others.
        width: columns of a row from which nothing was deferred.
    """

    names: tuple[str, ...]
    plain: Callable[[Sequence[Any]], tuple[Any, ...]]
    changeable: tuple[int, ...]
    width: int


class Watched:
    """
    One class whose instances are watched.

    Attributes:
        model: the class.
        captured: what is captured of its rows, the nearest model first.
        fields: all fields of these, by the name of their column.
        keys: columns of the primary keys.
    """

    def __init__(self, model: type[models.Model], captured: tuple[Captured, ...]) -> None:
        self.model = model
        self.captured = captured
        self.fields: dict[str, CapturedField] = {one.attname: one for each in captured for one in each.fields}
        tables = (model, *(each.model for each in captured))
        self.keys = tuple({key.attname: None for table in tables for key in table._meta.pk_fields})

    @property
    def own(self) -> tuple[Captured, ...]:
        """What is captured of the class's own table."""
        table = self.model._meta.concrete_model
        return tuple(one for one in self.captured if one.model._meta.concrete_model is table)

    def loaded(self, field_names: Collection[str], values: Sequence[Any]) -> Loaded:
        """What is kept of ``values`` of ``field_names``, as ``from_db`` is given them."""
        plan = self.plan
        if len(values) == plan.width:
            if not plan.changeable:
                return plan.names, plan.plain(values)
            return plan.names, (*plan.plain(values), *[freeze(values[index]) for index in plan.changeable])
        columns = [one.attname for one in self.model._meta.concrete_fields if one.attname in field_names]
        row = {name: freeze(value) for name, value in zip(columns, values, strict=True) if name in plan.names}
        return tuple(row), tuple(row.values())

    # Made late: what a foreign key points to may be declared after the model.
    @cached_property
    def plan(self) -> Plan:
        """How rows are read."""
        fields = list(self.model._meta.concrete_fields)
        wanted = {*self.keys, *self.fields}
        indexes = [index for index, one in enumerate(fields) if one.attname in wanted]
        plain = [index for index in indexes if type_of(fields[index]) is not None]
        changeable = tuple(index for index in indexes if index not in plain)
        names = tuple(fields[index].attname for index in (*plain, *changeable))
        return Plan(names, _picker(plain), changeable, len(fields))


def _picker(indexes: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """As ``itemgetter``, but a tuple of one, or of none, is a tuple, too."""
    if len(indexes) > 1:
        return itemgetter(*indexes)
    return lambda values: tuple([values[index] for index in indexes])


#: By class. What is not here is not watched.
watched: Final[dict[type[models.Model], Watched]] = {}

_paused: ContextVar[bool] = ContextVar("activitylog_capture_paused", default=False)


def is_paused() -> bool:
    """Whether nothing is to be told now."""
    return _paused.get()


@contextmanager
def capture_paused() -> Iterator[None]:
    """
    Tell nothing of what is done to models in the block: an import, a repair, what has an event of its own.

    Old values stay right: what is saved in the block counts as known afterwards.
    """
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)
