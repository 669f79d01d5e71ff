"""From values to the keywords of ``emit``: the assignment of columns, made into steps once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from activitylog.integrations.django.moving_in import values as read
from activitylog.integrations.django.moving_in.columns import Column, Thing, assign
from activitylog.integrations.django.moving_in.content_types import type_of
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.names import EventNames, action_text, noun_of

Event = dict[str, Any]
#: Changes the event by the values of its columns; raises ValueError where they say nothing that could be used.
_Step = Callable[..., None]

#: Of the row that an event is of, or has beside it: its model, its key, and its action where the name is another.
LEGACY_MODEL: Final = "legacy.model"
LEGACY_PK: Final = "legacy.pk"
LEGACY_ACTION: Final = "legacy.action"

_MILLISECOND: Final = 0.001


class RowRefused(ValueError):  # noqa: N818 - what it says of a row, not an error of the program
    """No event can be made of a row; says why."""


class Plan:
    """
    Makes events of values.

    Args:
        columns: what there is.
        mapping: what the team says of it.
        noun: what was acted upon, where no text names it, nor the mapping, and it is not one kind of thing.
        type_of: type of things by the id of their content type.

    Attributes:
        reads: names of the values, in the order in which they are to be given.
        assignment: which column answers to what.
        names: names of events by the texts of actions.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        mapping: LegacyMapping,
        *,
        noun: str = "activity",
        type_of: Callable[[Any], str] = type_of,
    ) -> None:
        self.assignment = assign(columns, mapping)
        self.names = EventNames(mapping.names, mapping.noun or self._noun_of_things() or noun)
        self._mapping = mapping
        self._type_of = type_of
        self._event_column = self.assignment.words.get("event")
        reads: dict[str, int] = {}
        #: Step, place of the value that decides whether there is anything, places of what goes before it, column.
        self._steps: list[tuple[_Step, int, tuple[int, ...], str]] = []
        for step, used in self._compiled():
            places = tuple(
                reads.setdefault(name, len(reads)) for column in used for name in column.reads or (column.name,)
            )
            self._steps.append((step, places[-1], places[:-1], used[-1].name))
        for column in columns:  # what adjust may want to see
            for name in column.reads or (column.name,):
                if mapping.adjust is not None:
                    reads.setdefault(name, len(reads))
        self.reads = tuple(reads)

    def _noun_of_things(self) -> str:
        """What all objects are, where they are of one kind."""
        thing = self.assignment.things.get("object")
        return "" if thing is None else noun_of(thing.identifier.entity.rpartition(".")[2], "")

    @property
    def event_column(self) -> Column | None:
        """The column of actions."""
        return self._event_column

    @property
    def timestamp_column(self) -> Column | None:
        """The column of times."""
        return self.assignment.words.get("timestamp")

    def action(self, value: Any) -> str:
        """The text of an action by the value of its column."""
        return action_text(value, self._event_column.labels if self._event_column else None)

    def event(self, values: Sequence[Any], *, strict: bool = False) -> Event | None:
        """
        The keywords of ``emit``, the name under ``event``; None for what the mapping leaves out.

        Args:
            values: of :attr:`reads`.
            strict: refuse what has no usable time. Otherwise what cannot be used as a word becomes an attribute.

        Raises:
            RowRefused: under ``strict``; and whatever the mapping's ``adjust`` raises.
        """
        event: Event = {}
        for step, place, others, name in self._steps:
            value = values[place]
            if value is None or (type(value) is str and not value):
                continue
            try:
                if others:
                    step(event, *[values[other] for other in others], value)
                else:
                    step(event, value)
            except Exception as error:  # noqa: BLE001 - values of the application may raise anything
                if strict and step is _take_timestamp:
                    raise RowRefused(f"{name}: {error}") from None
                _take_attribute(name, event, value)
        if strict and "timestamp" not in event:
            raise RowRefused("no time" if self.timestamp_column else "no column has the time")
        return self._finished(event, values)

    def _finished(self, event: Event, values: Sequence[Any]) -> Event | None:
        action = event.pop(LEGACY_ACTION, "")
        event["event"] = name = self.names(action)
        event.update(self._mapping.constants)
        if self._mapping.adjust is not None:
            adjusted = self._mapping.adjust(event, dict(zip(self.reads, values, strict=True)))
            if adjusted is None:
                return None
            event = adjusted
        # By it table and store are compared, whatever adjust makes of the name.
        if event["event"] != (action or name):
            event[LEGACY_ACTION] = action or name
        return event

    def _compiled(self) -> list[tuple[_Step, tuple[Column, ...]]]:
        """Each step and the columns whose values it takes; what is taken apart comes last, words win."""
        assignment = self.assignment
        steps: list[tuple[_Step, tuple[Column, ...]]] = []
        for word, column in assignment.words.items():
            steps.append((self._step_of(word, column), (column,)))
        for word, thing in assignment.things.items():
            steps.append(self._step_of_thing(word, thing))
        steps += [(partial(_take_attribute, self._attribute(column)), (column,)) for column in assignment.others]
        steps += [(partial(_take_apart, column.name), (column,)) for column in assignment.attributes]
        return steps

    def _attribute(self, column: Column) -> str:
        return self._mapping.rename.get(column.name, column.name)

    def _step_of(self, word: str, column: Column) -> _Step:
        if word == "event":
            return partial(_take_action, labels=column.labels)
        if word == "timestamp":
            return _take_timestamp
        if word == "outcome":
            return partial(_take_outcome, known=self._mapping.outcomes)
        if word == "duration":
            return partial(_take_duration, scale=_MILLISECOND if column.name.endswith("_ms") else 1.0)
        if word in ("actor", "tenant"):
            if column.is_generic:
                return partial(_take_pair, word, self._type_of)
            is_user = word == "actor" and (column.is_user or not column.entity)
            return partial(_take_entity, word, "user" if is_user else column.entity)
        return _STEPS[word]

    def _step_of_thing(self, word: str, thing: Thing) -> tuple[_Step, tuple[Column, ...]]:
        columns: tuple[Column, ...]
        if thing.identifier.is_generic or thing.kind is not None:
            columns = (thing.identifier,) if thing.kind is None else (thing.kind, thing.identifier)
            step: _Step = partial(_take_pair, word, self._type_of)
        else:
            columns, step = (thing.identifier,), partial(_take_entity, word, thing.identifier.entity)
        if thing.label is None:
            return step, columns
        # The last one decides whether there is anything: the id, not the name.
        return partial(_take_labelled, word, step), (thing.label, *columns)


def _take_action(event: Event, value: Any, *, labels: Mapping[Any, Any] | None) -> None:
    event[LEGACY_ACTION] = action_text(value, labels)


def _take_timestamp(event: Event, value: Any) -> None:
    event["timestamp"] = read.nanoseconds(value)


def _take_entity(word: str, kind: str, event: Event, value: Any) -> None:
    event[word] = read.entity(value, kind)


def _take_pair(word: str, type_of: Callable[[Any], str], event: Event, kind: Any, identifier: Any) -> None:
    event[word] = (type_of(kind), str(read.plain_id(identifier)))


def _take_labelled(word: str, step: _Step, event: Event, label: Any, *given: Any) -> None:
    step(event, *given)
    if label and word == "object":
        event["activity.object.name"] = str(label)


def _take_outcome(event: Event, value: Any, *, known: Mapping[str, str]) -> None:
    event["outcome"] = read.outcome(value, known)


def _take_error(event: Event, value: Any) -> None:
    key, told = read.error(value)
    event[key] = told
    event.setdefault("outcome", "failure")


def _take_duration(event: Event, value: Any, *, scale: float) -> None:
    event["duration"] = read.seconds(value, scale)


def _taking(key: str, reading: Callable[[Any], Any]) -> _Step:
    def take(event: Event, value: Any) -> None:
        event[key] = reading(value)

    return take


#: Steps of words that one function reads.
_STEPS: Final[Mapping[str, _Step]] = {
    "message": _taking("message", str),
    "error": _take_error,
    "session": _taking("session", read.session),
    "request_id": _taking("request_id", str),
    "client_address": _taking("client.address", str),
    "user_agent": _taking("user_agent.original", str),
    "method": _taking("http.request.method", str),
    "path": _taking("url.path", read.path),
    "status_code": _taking("http.response.status_code", int),
}


def _take_attribute(name: str, event: Event, value: Any) -> None:
    event[f"legacy.{name}" if read.is_reserved(name) else name] = read.plain_id(value)


def _take_apart(name: str, event: Event, value: Any) -> None:
    for key, item in read.mapping(value).items():
        if item is None:
            continue
        text = str(key)
        event[f"{name}.{text}" if text in event or read.is_reserved(text) else text] = read.plain_id(item)
