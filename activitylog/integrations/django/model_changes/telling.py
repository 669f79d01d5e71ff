"""The events of one operation: emitted when its transaction is committed, or at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from django.db import transaction

from activitylog.deferred import defer
from activitylog.emit import emit
from activitylog.integrations.django.bulk.affected import Rows
from activitylog.integrations.django.bulk.telling import counted, tell
from activitylog.integrations.django.model_changes.fields import UNKNOWN, CapturedField, told
from activitylog.integrations.django.model_changes.loaded import Fate
from activitylog.integrations.django.model_changes.options import Captured

#: Names of changed fields that one event tells.
MAX_CHANGED = 256


class Telling:
    """
    What is to be told of one operation.

    Args:
        using: alias of the database that it is done in.
    """

    def __init__(self, using: str) -> None:
        self._connection = transaction.get_connection(using)
        self._later: list[Callable[[], object]] = []

    def row(self, captured: Captured, name: str, pk: Any, **values: Any) -> None:
        """An event about one row of the model."""
        self.about(captured, name, (captured.label, pk), **values)

    def about(self, captured: Captured, name: str, entity: tuple[str, Any], **values: Any) -> None:
        """An event about anything."""
        if captured.on_commit and self._connection.in_atomic_block:
            self._later.append(defer(name, object=entity, **values))
        else:
            emit(name, object=entity, **values)

    def rows(
        self,
        captured: Captured,
        name: str,
        rows: Rows,
        own: Mapping[Any, Mapping[str, Any]] | None = None,
        kind: str | None = None,
        **values: Any,
    ) -> None:
        """
        Events about rows, as :func:`activitylog.integrations.django.bulk.telling.tell` has it.

        Args:
            own: values of a row's own event, by id, instead of those that all share.
            kind: their type, when they are not of the model itself.
        """
        if not rows.count:
            return
        taken, kind = defer(name, **values), kind or captured.label
        events = partial(tell, taken, kind, rows, max_events=captured.max_events, own=own)
        if captured.on_commit and self._connection.in_atomic_block:
            self._later.append(events)
        else:
            events()

    def done(self) -> Fate | None:
        """
        No more is to be told.

        Returns:
            What becomes of the transaction; None where there is none, and what was done is done.
        """
        if not self._connection.in_atomic_block:
            return None
        fate = Fate()
        self._connection.on_commit(fate.hook(self._emit))
        return fate

    def _emit(self) -> None:
        for event in self._later:
            counted(event, "activitylog.integrations.django.model_changes")


def changed(fields: Iterable[CapturedField]) -> list[str]:
    """The names of fields, as many as an event can hold."""
    return [field.name for field in fields][:MAX_CHANGED]


def new_values(fields: Iterable[CapturedField], values: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of values by themselves: ``{"values": {"text": "hello"}}``; empty when nothing is."""
    texts = ((field.name, (field.text(values.get(field.attname, UNKNOWN)),)) for field in fields)
    found = told(texts)
    return {"values": found} if found else {}


def changes(fields: Iterable[CapturedField], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """
    What is told of values that changed: ``changes`` with the old and the new text of each field; ``values`` with
    the new one alone where the old one is not known.
    """
    known: list[CapturedField] = []
    unknown: list[CapturedField] = []
    for field in fields:
        (known if old.get(field.attname, UNKNOWN) is not UNKNOWN else unknown).append(field)
    texts = ((one.name, (one.text(old[one.attname]), one.text(new[one.attname]))) for one in known)
    found = told(texts)
    return {**({"changes": found} if found else {}), **new_values(unknown, new)}
