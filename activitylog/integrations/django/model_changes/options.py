"""What is captured of a model: the arguments of ``register``, checked."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from django.db import models

from activitylog.event import EVENT_NAME_PATTERN, EVENT_NAME_RULE, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.django.model_changes.fields import CapturedField

#: What can happen to a row. ``upserted``: it was created or updated, the database does not say which.
KINDS: Final = ("created", "updated", "deleted", "upserted")
#: What can happen between rows.
RELATION_KINDS: Final = ("added", "removed")
#: Up to so many rows of one operation have an event each. A hundred events take 3 to 8 ms, as long as the
#: statement itself takes; more than that an operation on many rows should not pay without having been asked.
MAX_EVENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Captured:
    """
    What is captured of one model.

    Attributes:
        model: whose rows.
        label: their type, as in ``activity.object.type``.
        names: names of events by what happened: one of :data:`KINDS`, or ``members.added``.
        fields: what updates are told of.
        relations: many-to-many fields.
        values: kinds whose events tell values, not names of fields only.
        on_commit: whether events are emitted when the transaction is committed, or at once.
        max_events: how many rows of one operation have an event each.
    """

    model: type[models.Model]
    label: str
    names: Mapping[str, str]
    fields: tuple[CapturedField, ...]
    relations: tuple[str, ...]
    values: frozenset[str]
    on_commit: bool
    max_events: int

    def fields_among(self, names: Collection[str]) -> tuple[CapturedField, ...]:
        """Those of the fields that are named, in one way or the other."""
        return tuple(field for field in self.fields if field.name in names or field.attname in names)


def captured_of(
    model: type[models.Model],
    *,
    fields: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    m2m: Iterable[str] | bool = (),
    name: str | None = None,
    events: Iterable[str] | Mapping[str, str] = KINDS,
    values: Iterable[str] = ("updated",),
    without_values: Iterable[str] = (),
    on_commit: bool = True,
    max_events: int = MAX_EVENTS,
) -> Captured:
    """
    Check the arguments of :func:`activitylog.integrations.django.model_changes.register`.

    Raises:
        ConfigurationError: one cannot be used.
    """
    relations = _relations(model, m2m)
    untold = _names("without_values", without_values)
    chosen = _fields(model, fields, _names("exclude", exclude), untold)
    return Captured(
        model=model,
        label=model._meta.label_lower,
        names=MappingProxyType(_event_names(model, name, events, relations)),
        fields=chosen,
        relations=relations,
        values=frozenset(_among("values", values, ("created", "updated", "deleted"))),
        on_commit=_checked("on_commit", on_commit, bool),
        max_events=_checked("max_events", max_events, int),
    )


#: Names of the options, for settings.
OPTIONS: Final = tuple(name for name in inspect.signature(captured_of).parameters if name != "model")


def _fields(
    model: type[models.Model], names: Iterable[str] | None, exclude: Collection[str], untold: Collection[str]
) -> tuple[CapturedField, ...]:
    own = {field.name: field for field in _capturable(model)}
    asked = None if names is None else _names("fields", names)
    for option, given in (("fields", asked or ()), ("exclude", exclude), ("without_values", untold)):
        for given_name in given:
            _check_field(model, option, given_name, own)
    chosen = [
        field
        for field in own.values()
        if field.name not in exclude and (field.name in asked if asked is not None else not is_noise(field))
    ]
    return tuple(CapturedField(field, tells_values=field.name not in untold) for field in chosen)


def _capturable(model: type[models.Model]) -> list[Any]:
    """Concrete fields that may change: no keys of rows, nothing that the database computes."""
    keys = {field for one in (model, *model._meta.all_parents) for field in one._meta.pk_fields}
    return [
        field
        for field in model._meta.concrete_fields
        if field not in keys
        and not field.primary_key
        and not field.generated
        and not getattr(field.remote_field, "parent_link", False)
    ]


def is_noise(field: models.Field[Any, Any]) -> bool:
    """Whether a field changes with each save: captured only when it is named in ``fields``."""
    return bool(getattr(field, "auto_now", False))


def _check_field(model: type[models.Model], option: str, name: str, own: Collection[str]) -> None:
    if name in own:
        return
    if name in {field.name for field in model._meta.many_to_many}:
        hint = f"It is a many-to-many field: write m2m=[{name!r}]."
    elif near := difflib.get_close_matches(name, own, n=1):
        hint = f"Did you mean {near[0]!r}?"
    else:
        hint = f"There are: {', '.join(own)}. Keys of rows and generated fields are not captured."
    raise ConfigurationError(f"{option}: {model._meta.label} has no field {shown(name)} to capture.", hint=hint)


def _relations(model: type[models.Model], given: Iterable[str] | bool) -> tuple[str, ...]:
    concrete = model._meta.concrete_model or model
    own = {field.name: field for field in concrete._meta.local_many_to_many}
    if isinstance(given, bool):
        return tuple(own) if given else ()
    names = _names("m2m", given)
    for name in names:
        if name not in own:
            near = difflib.get_close_matches(name, own, n=1)
            there_are = (
                f"There are: {', '.join(own) or 'none'}. Register the model that declares the field; what is "
            )
            hint = f"Did you mean {near[0]!r}?" if near else f"{there_are}done from its other side is told, too."
            raise ConfigurationError(
                f"m2m: {model._meta.label} has no many-to-many field {shown(name)}.", hint=hint
            )
    return names


def _event_names(
    model: type[models.Model],
    prefix: str | None,
    events: Iterable[str] | Mapping[str, str],
    relations: Iterable[str],
) -> dict[str, str]:
    prefix = str(model._meta.model_name) if prefix is None else _checked("name", prefix, str)
    of_relations = [f"{relation}.{kind}" for relation in relations for kind in RELATION_KINDS]
    if isinstance(events, Mapping):
        _among("events", events, [*KINDS, *of_relations])
        names = {kind: _checked("events", name, str) for kind, name in events.items()}
    else:
        kinds = [*_among("events", events, KINDS), *of_relations]
        names = {kind: f"{prefix}.{kind}" for kind in kinds}
    for name in names.values():
        if len(name) > MAX_EVENT_NAME_LENGTH or not EVENT_NAME_PATTERN.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} is no event name.", hint=f"Write {EVENT_NAME_RULE}; the option name= is its beginning."
            )
    return names


def _names(option: str, given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{option}: expected a list of names, got {shown(given)}.")
    names = tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise ConfigurationError(f"{option}: expected names, got {shown(name)}.")
    return names


def _among(option: str, given: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    names = _names(option, given)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
            raise ConfigurationError(f"{option}: there is no {shown(name)}.", hint=hint)
    return names


def _checked(option: str, value: Any, kind: type) -> Any:
    if type(value) is not kind or (type(value) is int and value < 0):
        what = {bool: "True or False", int: "a number from 0", str: "a text"}[kind]
        raise ConfigurationError(f"{option}: expected {what}, got {shown(value)}.")
    return value
