"""
Which key of a JSON object is which word of an event.

A record of somebody else's log has the facts under its own names. :class:`Fields` says under which keys to
look for each word of ``activitylog.emit``; the first key that is present is taken, everything that nobody
took stays an attribute under its own name and with its own value. Nothing is left out, except ``null``,
which means absent.

A key of the record that is a word of ``emit`` and could not be used as that word (``"outcome": "ok"``)
becomes the attribute ``source.<key>``, because ``outcome`` itself has a meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Final

from activitylog.event import (
    ATTRIBUTE_OF_KEY,
    ENTITY_KEYS,
    EVENT_NAME_PATTERN,
    EVENT_NAME_RULE,
    MAX_EVENT_NAME_LENGTH,
    OUTCOMES,
    RECORD_KEYS,
)
from activitylog.exceptions import ConfigurationError
from activitylog.ingest.timestamps import timestamp_ns

#: Keyword arguments of ``activitylog.emit``: the event name under "event", ``timestamp`` in nanoseconds,
#: people and things as ``(type, id)``, attributes under their own names.
Event = dict[str, Any]
Record = dict[str, Any]

#: Words of ``emit``, which no attribute can be called.
_RESERVED: Final = frozenset({*ATTRIBUTE_OF_KEY, *ENTITY_KEYS, *RECORD_KEYS, "objects", "exc_info", "stack_info"})
#: Attributes that the words of ``emit`` set, and those that the pipeline sets itself (the word is then None).
_WORD_OF_ATTRIBUTE: Final[dict[str, str | None]] = {
    **{attribute: word for word, attribute in ATTRIBUTE_OF_KEY.items()},
    **{f"activity.{word}.{part}": word for word in ENTITY_KEYS for part in ("type", "id")},
    "user.id": "actor",
    "activity.object.name": "object",
    "log.record.uid": None,
    "activity.producer": None,
    "activity.seq": None,
    "activity.sanitized": None,
}
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Fields:
    """
    Where each word of an event is found: keys of the record, tried in order. No key: the word is not
    looked for.

    A key with dots that the record does not have itself is a path: ``user.login`` is the ``login`` inside
    ``user``. The n-th key of a type belongs to the n-th key of its id, and the last one to all that follow.
    """

    event: tuple[str, ...] = ("event_name", "event", "action", "name")
    timestamp: tuple[str, ...] = ("timestamp", "ts", "time", "@timestamp", "datetime")
    actor: tuple[str, ...] = ("actor", "actor_id", "user", "user_id")
    actor_type: tuple[str, ...] = ("actor_type",)
    object: tuple[str, ...] = ("object", "object_id", "target_id")
    object_type: tuple[str, ...] = ("object_type", "object_type", "target_type")
    target: tuple[str, ...] = ("target", "target_id")
    target_type: tuple[str, ...] = ("target_type",)
    tenant: tuple[str, ...] = ("tenant", "tenant_id")
    outcome: tuple[str, ...] = ("outcome",)
    message: tuple[str, ...] = ("message", "msg")
    request_id: tuple[str, ...] = ("request_id",)
    session: tuple[str, ...] = ("session", "session_id")
    duration: tuple[str, ...] = ("duration", "duration_seconds")
    """Seconds."""


WORDS: Final = tuple(field.name for field in fields(Fields))


@dataclass(frozen=True, slots=True)
class Defaults:
    """
    What an event gets where the record says nothing.

    Attributes:
        event: one event name for every line; the record's own key is then an attribute.
        actor_type: type of an actor that comes without one.
        object_type: type of an object that comes without one.
        target_type: type of a target that comes without one.
        tenant: tenant of a record that names none.
    """

    event: str | None = None
    actor_type: str = "user"
    object_type: str = "object"
    target_type: str = "object"
    tenant: str | None = None


def mapped(assignments: Mapping[str, str], base: Fields | None = None) -> Fields:
    """
    Change where words are found.

    Args:
        assignments: word -> key, or several keys with commas; an empty key stops looking for that word.

    Raises:
        ConfigurationError: a word that does not exist, with the near ones.
    """
    changes: dict[str, Any] = {}
    for word, keys in assignments.items():
        if word not in WORDS:
            near = get_close_matches(word, WORDS, n=2, cutoff=0.5)
            raise ConfigurationError(
                f"{word!r} is not a word of an event.",
                hint=(f"Did you mean {' or '.join(near)}? " if near else "") + f"There are: {', '.join(WORDS)}.",
            )
        changes[word] = tuple(key.strip() for key in keys.split(",") if key.strip())
    return replace(base or Fields(), **changes)


def reader(where: Fields | None = None, defaults: Defaults | None = None) -> Callable[[Record], Event]:
    """
    Build the function that turns one record into the keyword arguments of ``emit``.

    Raises:
        ConfigurationError: a default that cannot be used.

    The function owns the record that it is given, and raises ValueError with a reason for people when
    there is no event name or no time that could be used.
    """
    where = where or Fields()
    defaults = defaults or Defaults()
    _check_defaults(defaults)
    entities = (
        _Entity("actor", where.actor, where.actor_type, defaults.actor_type),
        _Entity("object", where.object, where.object_type, defaults.object_type),
        _Entity("target", where.target, where.target_type, defaults.target_type),
    )
    simple = tuple((word, getattr(where, word), check) for word, check in _SIMPLE)

    def read(record: Record) -> Event:
        event: Event = {"event": defaults.event or _event_name(record, where.event)}
        if where.timestamp:
            event["timestamp"] = _timestamp(record, where.timestamp)
        for entity in entities:
            entity.add(event, record)
        if defaults.tenant is not None:
            event["tenant"] = defaults.tenant
        for word, keys, check in simple:
            _add(event, record, word, keys, check)
        for key, value in record.items():
            if value is not None:
                event[f"source.{key}" if _is_spoken_for(key, event) else key] = value
        return event

    return read


def _is_spoken_for(key: str, event: Event) -> bool:
    """Whether an attribute of this name would be read as a word of ``emit``, or be overwritten by one."""
    if key in _RESERVED:
        return True
    word = _WORD_OF_ATTRIBUTE.get(key, "")
    return word is None or word in event


def _check_defaults(defaults: Defaults) -> None:
    if defaults.event is not None and not _is_event_name(defaults.event):
        raise ConfigurationError(
            f"The name for all events, {defaults.event[:60]!r}, is none.",
            hint=f"Names are made of {EVENT_NAME_RULE}.",
        )


def _take(record: Record, keys: tuple[str, ...]) -> tuple[Any, str]:
    """The first value that is present, taken out of the record, and its key."""
    for key in keys:
        value = record.get(key)
        if value is not None:
            del record[key]
            return value, key
        if "." in key and (value := _take_path(record, key.split("."))) is not None:
            return value, key
    return _ABSENT, ""


def _take_path(record: Record, path: list[str]) -> Any:
    for key in path[:-1]:
        inner = record.get(key)
        if not isinstance(inner, dict):
            return None
        record = inner
    return record.pop(path[-1], None)


def _event_name(record: Record, keys: tuple[str, ...]) -> str:
    name, key = _take(record, keys)
    if name is _ABSENT:
        raise ValueError(f"no event name: none of the keys {', '.join(keys) or '(none given)'} is there")
    if not isinstance(name, str):
        raise ValueError(f"the event name in {key!r} is no text but {type(name).__name__}")
    if not _is_event_name(name):
        raise ValueError(f"the event name {name[:60]!r} is not made of {EVENT_NAME_RULE}")
    return name


def _is_event_name(name: str) -> bool:
    return len(name) <= MAX_EVENT_NAME_LENGTH and EVENT_NAME_PATTERN.fullmatch(name) is not None


def _timestamp(record: Record, keys: tuple[str, ...]) -> int:
    value, _ = _take(record, keys)
    if value is _ABSENT:
        raise ValueError(f"no time: none of the keys {', '.join(keys)} is there")
    return timestamp_ns(value)


@dataclass(frozen=True, slots=True)
class _Entity:
    """How one person or thing is read: its id, and the type that belongs to it."""

    word: str
    keys: tuple[str, ...]
    type_keys: tuple[str, ...]
    default_type: str

    def add(self, event: Event, record: Record) -> None:
        """Move the id and its type from the record to the event; what cannot be an id stays."""
        value, key = _take(record, self.keys)
        if value is _ABSENT:
            return
        own_type: object = None
        name: object = None
        identity = _identity(value)
        if isinstance(value, dict) and value.keys() in self._shapes():
            identity, own_type, name = _identity(value["id"]), value.get("type"), value.get("name")
        if identity is None or not isinstance(own_type, str | None) or not isinstance(name, str | None):
            record[key] = value
            return
        kind = own_type or self._type(key, record)
        event[self.word] = (kind, identity, name) if name else (kind, identity)

    def _shapes(self) -> tuple[set[str], ...]:
        # Only an object has a name in an event.
        return _NAMED_SHAPES if self.word == "object" else _ENTITY_SHAPES

    def _type(self, key: str, record: Record) -> str:
        if not self.type_keys:
            return self.default_type
        place = min(self.keys.index(key), len(self.type_keys) - 1)
        value, type_key = _take(record, self.type_keys[place : place + 1])
        if isinstance(value, str) and value:
            return value
        if value is not _ABSENT:
            record[type_key] = value
        return self.default_type


_ENTITY_SHAPES: Final = ({"id"}, {"id", "type"})
_NAMED_SHAPES: Final = (*_ENTITY_SHAPES, {"id", "name"}, {"id", "type", "name"})


def _identity(value: object) -> str | None:
    """The id as text; None when it is nothing an id can be."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _outcome(value: object) -> str | None:
    return value if isinstance(value, str) and value in OUTCOMES else None


def _seconds(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


_SIMPLE: Final[tuple[tuple[str, Callable[[object], Any]], ...]] = (
    ("tenant", _identity),
    ("outcome", _outcome),
    ("message", _text),
    ("request_id", _identity),
    ("session", _identity),
    ("duration", _seconds),
)


def _add(event: Event, record: Record, word: str, keys: tuple[str, ...], check: Callable[[object], Any]) -> None:
    value, key = _take(record, keys)
    if value is _ABSENT:
        return
    usable = check(value)
    if usable is None:
        record[key] = value
    else:
        event[word] = usable
