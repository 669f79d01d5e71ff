"""
What an event says, read before it is processed: for conditions, units and counters.

At that time the event dict holds the keywords of ``emit`` as they were given. A reader answers what the record
will say once it has been through the chain: the keyword before the attribute of the same meaning, what the event
says itself before what is bound to the task and what is in ``request``, entities by their type and id, other
values as they will be stored. None says nothing.

Readers never raise: what cannot be read is None. A bound callable is called at most once for an event when it
gives a value, which then is put into the event dict; the callables of keys that nobody reads are not called.
"""

from __future__ import annotations

import datetime as dt
import enum
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from opentelemetry.trace import get_current_span
from structlog.typing import EventDict

from activitylog.context import current
from activitylog.entities import Entity, is_user_entity, reference
from activitylog.event import ATTRIBUTE_OF_KEY, FIELDS, MAX_EVENT_NAME_LENGTH, OUTCOMES
from activitylog.rules.lookup import found, given, plain, text

Reader = Callable[[str, EventDict], Any]
UnitReader = Callable[[EventDict], str | None]

MAX_TENANT_LENGTH: Final = 256
MAX_UNIT_LENGTH: Final = 1024

#: Severities by name, with OpenTelemetry's numbers.
SEVERITIES: Final[Mapping[str, int]] = {
    "debug": 5,
    "info": 9,
    "warning": 13,
    "warn": 13,
    "error": 17,
    "critical": 21,
    "fatal": 21,
}
_OF_METHOD: Final = {**SEVERITIES, "exception": SEVERITIES["error"]}
_OF_OUTCOME: Final = {"failure": SEVERITIES["error"], "denied": SEVERITIES["warning"]}
_KEY_OF_ATTRIBUTE: Final = {field.attribute: field.key for field in FIELDS if field.key is not None}


# Readers of facts that take more than one look.


def name_of(event_dict: EventDict) -> str | None:
    """The event's name as far as it is kept; None when it is no text."""
    given_name: Any = event_dict.get("event")
    if type(given_name) is str:
        return given_name[:MAX_EVENT_NAME_LENGTH]
    # The class and not isinstance(): a lazy proxy outside its request raises when it is asked for its own.
    if issubclass(type(given_name), enum.Enum):
        given_name = given_name.value
    if not issubclass(type(given_name), str):
        return None
    return str.__str__(given_name)[:MAX_EVENT_NAME_LENGTH]


def outcome_of(method_name: str, event_dict: EventDict) -> str:
    """The outcome that the record will have, ``success`` included."""
    # Most events are plain successes, and every event asks: no call more than it takes.
    if (
        method_name != "exception"
        and "outcome" not in event_dict
        and "error" not in event_dict
        and "exc_info" not in event_dict
        and "activity.outcome" not in event_dict
    ):
        bound = current()
        if not bound or bound.keys().isdisjoint(_SAYS_OUTCOME):
            return "success"
    outcome = given(event_dict, "outcome")
    if outcome is None:
        if _is_error(method_name, event_dict):
            return "failure"
        outcome = given(event_dict, "activity.outcome")
        if outcome is None:
            return "success"
    if issubclass(type(outcome), str):
        outcome = str.__str__(outcome)
        if outcome in OUTCOMES:
            return str(outcome)
    return "unknown"


_SAYS_OUTCOME: Final = frozenset({"outcome", "error", "exc_info", "activity.outcome"})


def _is_error(method_name: str, event_dict: EventDict) -> bool:
    """Whether the event carries an error or an exception that is being handled."""
    return given(event_dict, "error") is not None or _exception(method_name, event_dict) is not None


def _exception(method_name: str, event_dict: EventDict) -> BaseException | None:
    """The exception that ``exc_info`` means."""
    exc_info = given(event_dict, "exc_info")
    if exc_info is None and method_name == "exception" and "exc_info" not in event_dict:
        exc_info = True
    try:
        if not exc_info:
            return None
        if isinstance(exc_info, tuple):
            exc_info = exc_info[1] if len(exc_info) == 3 else None
        elif not isinstance(exc_info, BaseException):
            exc_info = sys.exc_info()[1]
        return exc_info if isinstance(exc_info, BaseException) else None
    except Exception:  # noqa: BLE001 - the application's object may refuse to say whether it is true
        return None


def severity_of(method_name: str, event_dict: EventDict) -> int:
    """OpenTelemetry's number: the higher of the method's and the outcome's."""
    of_method = _OF_METHOD.get(method_name)
    if of_method is None:
        return SEVERITIES["info"]
    return max(of_method, _OF_OUTCOME.get(outcome_of(method_name, event_dict), 0))


def tenant_of(event_dict: EventDict) -> str:
    """The tenant's id, at most 256 characters; empty without one."""
    tenant = event_dict.get("tenant")
    if tenant is None:
        tenant = given(event_dict, "tenant")
    if type(tenant) is str:
        return tenant[:MAX_TENANT_LENGTH]
    if tenant is not None:
        try:
            return reference(tenant).id[:MAX_TENANT_LENGTH]
        except Exception:  # noqa: BLE001 - the caller's objects may raise anything; name_entities flags it
            return (text(found(event_dict, _TENANT[1:])) or "")[:MAX_TENANT_LENGTH]
    return (text(found(event_dict, _TENANT)) or "")[:MAX_TENANT_LENGTH]


_TENANT: Final = ("tenant", "activity.tenant.id")


def _entity(event_dict: EventDict, role: str) -> Entity | None:
    """Who or what has the role, by keyword or else by attributes; None for nobody."""
    value = given(event_dict, role)
    if value is None:
        return _entity_of_attributes(event_dict, role)
    try:
        entity = reference(value)
        if role == "actor" and is_user_entity(entity, value):
            return Entity("user", entity.id, entity.name)
        return entity
    except Exception:  # noqa: BLE001 - the caller's objects may raise anything; name_entities flags it
        return _entity_of_attributes(event_dict, role)


def _entity_of_attributes(event_dict: EventDict, role: str) -> Entity | None:
    """The same where the event speaks of its attributes."""
    if role == "actor":
        user = text(found(event_dict, ("user.id",)))
        if user is not None:
            return Entity("user", user)
    kind, identifier, name = (text(found(event_dict, (f"activity.{role}.{part}",))) for part in Entity._fields)
    if kind is None and identifier is None and name is None:
        return _shared_type(event_dict) if role == "object" else None
    return Entity(kind or "", identifier or "", name or "")


def _shared_type(event_dict: EventDict) -> Entity | None:
    """Of ``objects``, when they can be read more than once: the type that all have."""
    objects = given(event_dict, "objects")
    if type(objects) not in (list, tuple, set, frozenset):
        return None
    try:
        types = {reference(item).type for item in objects}
    except Exception:  # noqa: BLE001 - the caller's objects may raise anything; name_entities flags it
        return None
    return Entity(types.pop(), "") if len(types) == 1 else None


def text_of(entity: Entity) -> str | None:
    """``type:id``, or the id alone where there is no type; None without an id."""
    if not entity.id:
        return None
    return f"{entity.type}:{entity.id}" if entity.type else entity.id


def normal_actor(text: str) -> str:
    """An actor as a rule names it, in the form in which actors are read: ``42`` is ``user:42``."""
    entity = reference(text)
    return f"user:{entity.id}" if is_user_entity(entity, text) else text


def _actor(_method_name: str, event_dict: EventDict) -> str | None:
    """The actor as ``type:id``; without detours for the text ``user:42``."""
    value = given(event_dict, "actor")
    if type(value) is str and value.startswith("user:") and len(value) > len("user:") and value[5:7] != "//":
        return value
    entity = _entity(event_dict, "actor")
    return None if entity is None else text_of(entity)


def _tenant(_method_name: str, event_dict: EventDict) -> str | None:
    return tenant_of(event_dict) or None


def _entity_reader(role: str, part: str = "") -> Reader:
    def read(_method_name: str, event_dict: EventDict) -> str | None:
        entity = _entity(event_dict, role)
        if entity is None:
            return None
        return (getattr(entity, part) or None) if part else text_of(entity)

    return read


def _user(_method_name: str, event_dict: EventDict) -> str | None:
    entity = _entity(event_dict, "actor")
    return entity.id if entity is not None and entity.type == "user" else None


def _on_behalf_of(_method_name: str, event_dict: EventDict) -> str | None:
    value = found(event_dict, ("on_behalf_of", "activity.actor.on_behalf_of"))
    if value is None or type(value) is str:
        return value
    try:
        return text_of(reference(value))
    except Exception:  # noqa: BLE001 - the caller's objects may raise anything; name_entities flags it
        return None


def _error_type(method_name: str, event_dict: EventDict) -> Any:
    error = given(event_dict, "error")
    if error is None:
        error = _exception(method_name, event_dict)
    if error is None:
        return plain(found(event_dict, ("error.type",)))
    if isinstance(error, BaseException):
        error = type(error)
    return _class_name(error) if isinstance(error, type) else plain(error)


def _exception_type(method_name: str, event_dict: EventDict) -> Any:
    error = given(event_dict, "error")
    if error is None:
        error = _exception(method_name, event_dict)
    if isinstance(error, BaseException):
        return _class_name(type(error))
    return plain(found(event_dict, ("exception.type",)))


def _class_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _duration(_method_name: str, event_dict: EventDict) -> float | None:
    value = found(event_dict, ("duration", "activity.duration"))
    if isinstance(value, dt.timedelta):
        value = value.total_seconds()
    return round(float(value), 6) if type(value) in (int, float) and 0 <= value < 1 << 63 else None


def _count(_method_name: str, event_dict: EventDict) -> Any:
    value = found(event_dict, ("count", "activity.count"))
    if value is None:
        objects = given(event_dict, "objects")
        return len(objects) if type(objects) in (list, tuple, set, frozenset) else None
    return plain(value)


def _trace(event_dict: EventDict) -> str | None:
    """The trace id, 32 hexadecimal digits, of the event or of the active span."""
    try:
        if _has_trace(event_dict) or _has_trace(current()):
            trace_id = given(event_dict, "trace_id")
            trace_id = int(trace_id, 16) if isinstance(trace_id, str) else trace_id
        else:
            trace_id = get_current_span().get_span_context().trace_id
        return f"{trace_id:032x}" if isinstance(trace_id, int) and 0 < trace_id < 1 << 128 else None
    except Exception:  # noqa: BLE001 - no hexadecimal number, or a tracer of the application's that fails
        return None


def _has_trace(values: Mapping[str, Any]) -> bool:
    return "trace_id" in values or "span_id" in values or "trace_flags" in values


# The readers by key.


def _unless_it_fails(read: Reader) -> Reader:
    def read_or_none(method_name: str, event_dict: EventDict) -> Any:
        try:
            return read(method_name, event_dict)
        except Exception:  # noqa: BLE001 - the application's objects may raise anything; the chain flags it
            return None

    return read_or_none


def _text_reader(*names: str) -> Reader:
    return lambda _method_name, event_dict: text(found(event_dict, names))


def _entity_readers() -> Iterator[tuple[str, Reader]]:
    for role in ("actor", "object", "target"):
        yield role, _entity_reader(role)
        for part in Entity._fields:
            yield f"activity.{role}.{part}", _entity_reader(role, part)


#: Readers whose answer is text or None, by attribute (entities also by keyword).
_TEXTS: Final[Mapping[str, Reader]] = {
    **dict(_entity_readers()),
    "actor": _actor,
    "event": lambda _method_name, event_dict: name_of(event_dict),
    "user.id": _user,
    "activity.actor.on_behalf_of": _on_behalf_of,
    "activity.tenant.id": _tenant,
    "activity.outcome": outcome_of,
    "session.id": _text_reader("session", "session.id"),
    "activity.request.id": _text_reader("request_id", "activity.request.id"),
    "trace_id": lambda _method_name, event_dict: _trace(event_dict),
}
_OTHERS: Final[Mapping[str, Reader]] = {
    "error.type": _unless_it_fails(_error_type),
    "exception.type": _unless_it_fails(_exception_type),
    "activity.duration": _unless_it_fails(_duration),
    "activity.count": _unless_it_fails(_count),
}


def is_text(key: str) -> bool:
    """Whether the reader of a key answers text only, so that numbers in rules mean their digits."""
    return ATTRIBUTE_OF_KEY.get(key, key) in _TEXTS


def reader(key: str) -> Reader:
    """
    What reads a keyword of ``emit`` or an attribute, with the method's name and the event dict.

    ``actor``, ``object`` and ``target`` are read as ``type:id``. ``activity.actor.type`` and ``.id`` answer for
    users, too, as the columns do.
    """
    attribute = ATTRIBUTE_OF_KEY.get(key, key)
    special = _TEXTS.get(attribute) or _OTHERS.get(attribute)
    if special is not None:
        return special
    keyword = _KEY_OF_ATTRIBUTE.get(attribute)
    names = (attribute,) if keyword is None else (keyword, attribute)

    def read(_method_name: str, event_dict: EventDict) -> Any:
        value = event_dict.get(names[0])
        if value is None:
            value = found(event_dict, names)
        kind = type(value)
        return value if kind is str or kind is int or kind is bool or value is None else plain(value)

    return read


def unit_reader(by: str) -> UnitReader:
    """
    What reads the unit that is decided as a whole: its text, at most 1,024 characters; None for events without.

    Args:
        by: ``event`` (each is on its own: None), ``trace``, ``session``, ``actor``, ``tenant``, ``name`` (the
            event's name) or a keyword or an attribute with a text, a number or a boolean.
    """
    if by == "event":
        return lambda _event_dict: None
    if by == "trace":
        return _trace
    if by == "name":
        return name_of
    read = reader(by)

    def read_unit(event_dict: EventDict) -> str | None:
        value = read("info", event_dict)
        if type(value) is not str:
            value = text(value)
        return value[:MAX_UNIT_LENGTH] if value else None

    return read_unit
