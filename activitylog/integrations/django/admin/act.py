"""What an admin action did: as it says itself, or else as its result tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase

from activitylog.integrations.django.admin.telling import (
    Selected,
    contained,
    nothing_of,
    selected_by,
    selected_of,
    tell,
    tell_failure,
)
from activitylog.integrations.django.bulk.affected import Rows


class Act:
    """One run of an action; what it gets as its parameter ``act``."""

    def __init__(self, event: str, selected: Selected, max_events: int, values: Mapping[str, Any]) -> None:
        self._event = event
        self._selected = selected
        self._max_events = max_events
        self._values: dict[str, Any] = {}
        self._done: Selected | None = None
        self.add(**values)

    @property
    def selected(self) -> tuple[Any, ...]:
        """Primary keys of the selected objects, as they were before the action; of more than 100,000 none."""
        return tuple(self._selected.rows.ids or ())

    def add(self, /, **values: Any) -> None:
        """Set or replace keywords of the events that will be emitted; None leaves one as it is."""
        self._values.update({key: value for key, value in values.items() if value is not None})

    def done(self, objects: Iterable[Any] | None = None) -> None:
        """
        Say what was done; what the action returns says nothing then.

        Args:
            objects: those it was done to, as objects or primary keys; there may be none. By default all that were
                selected. Called again, it adds to them.
        """
        if objects is None:
            self._done = self._selected
            return
        with contained(self._event):
            before = self._done or nothing_of(self._selected.model)
            if before.rows.ids is not None:
                self._done = self._selected.only([*before.rows.ids, *(self._named(objects).rows.ids or ())])

    def _named(self, objects: Iterable[Any]) -> Selected:
        if isinstance(objects, QuerySet):
            return selected_by(objects)
        return selected_of(self._selected.model, objects)

    def _succeeded(self, result: Any) -> None:
        """Emit what was done, if anything was."""
        selected = self._selected
        if self._done is not None:
            self._tell(self._done)
        elif isinstance(result, HttpResponseBase):
            pass  # the page that asks whether to go on, or a file: nothing was done, as far as anybody can tell
        elif (number := _number(result, selected.model)) is not None:
            self._tell_number(number)
        elif isinstance(result, (list, tuple, set, frozenset, QuerySet)):
            with contained(self._event):
                self._tell(self._named(result))
        else:
            self._tell(selected)

    def _failed(self, error: BaseException) -> None:
        """Emit what was done before, should it be committed, and what failed."""
        done = self._done or nothing_of(self._selected.model)
        self._tell(done)
        said = {
            **self._values,
            "error": error if isinstance(error, Exception) else type(error),
            "outcome": _outcome(error),
        }
        tell_failure(self._event, self._selected.without(done), said)

    def _tell(self, about: Selected, **more: Any) -> None:
        if about.rows.count:
            tell(
                self._event, replace(about, using=self._selected.using), self._max_events, {**self._values, **more}
            )

    def _tell_number(self, number: int) -> None:
        """It was done to so many. Unless these are all, nobody knows to which."""
        selected = self._selected
        if number >= selected.rows.count:
            self._tell(selected)
        else:
            self._tell(replace(selected, rows=Rows(number, None)), selected=selected.rows.count)


def _number(result: Any, model: type[Model]) -> int | None:
    """How many objects a result says: ``update()`` gives a number, ``delete()`` one for each model."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping):
        return int(result[1].get(model._meta.label, 0))
    if isinstance(result, int) and result is not True:
        return int(result)
    return None


def _outcome(error: BaseException) -> str:
    if not isinstance(error, Exception):
        return "unknown"  # the worker was told to stop
    return "denied" if isinstance(error, (PermissionDenied, PermissionError)) else "failure"
