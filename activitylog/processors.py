"""
The structlog processors of the chain, in its order. Each one works in any structlog chain.

    your processors   decide and enrich; may raise structlog.DropEvent
    add_timestamp     ``timestamp``: integer nanoseconds since the epoch
    merge_context     what ``activitylog.bind`` has bound, lazy values called
    name_entities     actor, object, objects, target -> their attributes
    name_error        error, exc_info -> ``error.type``, ``exception.*``, outcome
    name_attributes   the other keywords of ``emit`` -> their attributes
    Sanitize          values that can be exported, and flags for what was changed
    Redact            no secrets, and a list of what was taken out

Beside them, for chains of somebody else's:

    Sample               rules: which events go on (:mod:`activitylog.thinning`)
    RollUpEvents         one event of many similar ones
    EscapeUnprintable    no escape sequence reaches a terminal (:mod:`activitylog.escaping`)

The keys that are no attributes are in :data:`activitylog.event.RECORD_KEYS`; all others are attributes by
their own names. What a processor changes or cannot use it reports by :func:`flag`, as ``key:reason``.
"""

from __future__ import annotations

import datetime as dt
import itertools
import sys
import traceback
from collections.abc import Callable, Mapping
from time import time_ns
from typing import Any, Final, cast

from structlog.typing import EventDict, WrappedLogger

from activitylog import context
from activitylog.entities import Entity, is_user_entity, reference
from activitylog.escaping import EscapeUnprintable
from activitylog.event import (
    ATTRIBUTE_OF_KEY,
    DEFAULT_LIMITS,
    ENTITY_KEYS,
    EVENT_NAME_PATTERN,
    MAX_EVENT_NAME_LENGTH,
    MAX_OBJECTS,
    OUTCOMES,
    Limits,
)
from activitylog.redaction import RedactionSettings, Redactor
from activitylog.sanitize import sanitize
from activitylog.thinning import RollUpEvents, Sample, release_to

__all__ = [
    "FLAGS",
    "MAX_FLAGS",
    "EscapeUnprintable",
    "Redact",
    "RollUpEvents",
    "Sample",
    "Sanitize",
    "add_timestamp",
    "flag",
    "merge_context",
    "name_attributes",
    "name_entities",
    "name_error",
    "now",
    "object_attributes",
    "release_to",
    "stored_name",
]

FLAGS: Final = "activity.sanitized"
MAX_FLAGS: Final = 16

#: More than an event may have; what is over the limit is then flagged.
_MAX_REQUEST_ATTRIBUTES: Final = 256
#: Before this many nanoseconds (12 January 1970) a time is almost surely given in seconds.
_EARLIEST: Final = 10**15
_MAX_STACK_FRAMES: Final = 40
_MAX_STACK_LENGTH: Final = 8_000
_MAX_CAUSES: Final = 8
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_INT64_MAX: Final = (1 << 63) - 1


def flag(event_dict: EventDict, *flags: str) -> None:
    """Note on the event what was changed or could not be used, as ``key:reason``."""
    noted = event_dict.get(FLAGS)
    event_dict[FLAGS] = [*noted, *flags] if isinstance(noted, list) else list(flags)


def add_timestamp(_logger: WrappedLogger, _method_name: str, event_dict: EventDict) -> EventDict:
    """
    Set ``timestamp`` to now, in whole microseconds, or turn the one given into integer nanoseconds.

    Accepted: an ``int`` of nanoseconds, a ``float`` of seconds (what ``time.time()`` returns), a ``datetime``
    (without a zone: UTC, flagged). Anything else is flagged and replaced by now. An integer so small that it
    must be meant in seconds is kept and flagged, ``timestamp:early``.
    """
    given = event_dict.get("timestamp")
    if given is None:
        event_dict["timestamp"] = now()
    elif type(given) is not int or not 0 <= given <= _INT64_MAX:
        event_dict["timestamp"] = _nanoseconds(given, event_dict)
    elif given < _EARLIEST:
        flag(event_dict, "timestamp:early")
    return event_dict


def now() -> int:
    """Nanoseconds since the epoch; in whole microseconds, for nanoseconds are noise in Python and take room."""
    return time_ns() // 1000 * 1000


def _nanoseconds(given: Any, event_dict: EventDict) -> int:
    result = -1
    try:
        if isinstance(given, dt.datetime):
            if given.tzinfo is None:
                flag(event_dict, "timestamp:naive")
                given = given.replace(tzinfo=dt.UTC)
            since = given - _EPOCH
            seconds = since.days * 86_400 + since.seconds
            result = (seconds * 1_000_000 + since.microseconds) * 1000
        elif isinstance(given, float):
            result = round(given * 1_000_000) * 1000
    except Exception:  # noqa: BLE001 - a datetime's own zone may raise anything; flagged below
        result = -1
    if 0 <= result <= _INT64_MAX:
        return result
    flag(event_dict, "timestamp:invalid")
    return now()


def merge_context(_logger: WrappedLogger, _method_name: str, event_dict: EventDict) -> EventDict:
    """
    Add what is bound to the current task, where the event does not say otherwise.

    None says nothing: ``emit(..., actor=None)`` keeps the bound actor. Callables are called here; one that
    fails leaves its key out and a flag ``key:lazy``.
    """
    for key, value in context.current().items():
        if event_dict.get(key) is not None:
            continue
        try:
            event_dict[key] = context.resolve(value)
        except Exception:  # noqa: BLE001 - the application's callable may raise anything; flagged
            flag(event_dict, f"{key}:lazy")
    return event_dict


def name_entities(_logger: WrappedLogger, _method_name: str, event_dict: EventDict) -> EventDict:
    """
    Turn ``actor``, ``object``, ``objects``, ``target``, ``tenant`` and ``on_behalf_of`` into attributes.

    The forms they may have are those of :mod:`activitylog.entities`. An actor of type ``user``, or without
    any type, becomes ``user.id``; any other one ``activity.actor.type`` and ``activity.actor.id``.
    """
    if "objects" in event_dict:
        _name_objects(event_dict)
    for role in ENTITY_KEYS:
        given = event_dict.pop(role, None)
        if given is None:
            continue
        entity = _entity(role, given, event_dict)
        if entity is not None:
            _set_entity(role, entity, given, event_dict)
    for role in ("tenant", "on_behalf_of"):
        given = event_dict.get(role)
        if given is not None and type(given) is not str:
            entity = _entity(role, given, event_dict)
            if entity is None:
                del event_dict[role]
            else:
                event_dict[role] = entity.id if role == "tenant" else ":".join(filter(None, entity[:2]))
    return event_dict


def _entity(role: str, given: Any, event_dict: EventDict) -> Entity | None:
    try:
        return reference(given)
    except Exception:  # noqa: BLE001 - the caller's objects may raise anything; flagged
        flag(event_dict, f"{role}:unreadable")
        return None


def object_attributes(given: Any) -> dict[str, Any]:
    """The attributes of an ``object`` alone, as :func:`name_entities` has them."""
    attributes: dict[str, Any] = {}
    entity = None if given is None else _entity("object", given, attributes)
    if entity is not None:
        _set_entity("object", entity, given, attributes)
    return attributes


_ENTITY_ATTRIBUTES: Final = {role: (f"activity.{role}.type", f"activity.{role}.id") for role in ENTITY_KEYS}


def _set_entity(role: str, entity: Entity, given: Any, event_dict: EventDict) -> None:
    if not entity.id:
        flag(event_dict, f"{role}:no_id")
    if role == "actor" and is_user_entity(entity, given):
        event_dict["user.id"] = entity.id
        return
    type_attribute, id_attribute = _ENTITY_ATTRIBUTES[role]
    if entity.type:
        event_dict[type_attribute] = entity.type
    event_dict[id_attribute] = entity.id
    if entity.name and role == "object":
        event_dict["activity.object.name"] = entity.name


def _name_objects(event_dict: EventDict) -> None:
    """One event about many things: their ids, their type when they share one, and how many they are."""
    given = event_dict.pop("objects")
    if given is None:
        return
    if isinstance(given, (str, Mapping)):
        given = [given]
    try:
        entities = [reference(item) for item in itertools.islice(given, MAX_OBJECTS + 1)]
        total = len(given) if hasattr(given, "__len__") else len(entities)
    except Exception:  # noqa: BLE001 - the caller's objects may raise anything; flagged
        flag(event_dict, "objects:unreadable")
        return
    if len(entities) > MAX_OBJECTS:
        flag(event_dict, "objects:truncated")
        del entities[MAX_OBJECTS:]
    types = {entity.type for entity in entities}
    if len(types) == 1:
        event_dict["activity.object.type"] = types.pop()
        event_dict["activity.object.ids"] = [entity.id for entity in entities]
    else:
        event_dict["activity.object.ids"] = [":".join(filter(None, entity[:2])) for entity in entities]
    if event_dict.get("count") is None:
        event_dict["count"] = total


def name_error(_logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
    """
    Turn ``error`` and ``exc_info`` into ``error.type`` and ``exception.*``, and settle the outcome.

    ``error`` is an exception, a class or a short text (a code: few distinct values). ``exc_info`` (True, an
    exception or a triple, as in ``logging``) adds the stack. An event with an error is a failure unless it
    says otherwise. An outcome that is none becomes ``unknown``, flagged; absence means ``success``.
    """
    error = event_dict.pop("error", None)
    exc_info = event_dict.pop("exc_info", method_name == "exception")
    if exc_info:
        error = _set_stack(exc_info, error, event_dict)
    if error is not None:
        _set_error(error, event_dict)
        if event_dict.get("outcome") is None:
            event_dict["outcome"] = "failure"
    outcome = event_dict.get("outcome")
    if outcome is not None and not (isinstance(outcome, str) and outcome in OUTCOMES):
        flag(event_dict, "outcome:invalid")
        event_dict["outcome"] = "unknown"
    elif outcome == "success":
        del event_dict["outcome"]
    return event_dict


def _set_error(error: Any, event_dict: EventDict) -> None:
    if isinstance(error, BaseException):
        event_dict["error.type"] = event_dict["exception.type"] = _class_name(type(error))
        try:
            event_dict["exception.message"] = str(error)
        except Exception:  # noqa: BLE001 - an exception's own __str__ may raise; flagged
            flag(event_dict, "error:unreadable")
    else:
        event_dict["error.type"] = _class_name(error) if isinstance(error, type) else error


def _set_stack(exc_info: Any, error: Any, event_dict: EventDict) -> Any:
    """Add the stack that ``exc_info`` means; returns the error to report."""
    if isinstance(exc_info, tuple):
        exception = exc_info[1] if len(exc_info) == 3 else None
    else:
        exception = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
    if not isinstance(exception, BaseException):
        return error
    event_dict["exception.stacktrace"] = _stack_of(exception)
    return exception if error is None else error


def _stack_of(exception: BaseException) -> str:
    """The end of the stack, where the error is; its causes too, unless they are very many."""
    causes, cause = 0, exception.__cause__ or exception.__context__
    while cause is not None and causes <= _MAX_CAUSES:
        causes, cause = causes + 1, cause.__cause__ or cause.__context__
    lines = traceback.format_exception(exception, limit=-_MAX_STACK_FRAMES, chain=causes <= _MAX_CAUSES)
    text = "".join(lines)
    if len(text) <= _MAX_STACK_LENGTH:
        return text
    # Whole lines, else whole words: the end of a secret without its beginning would not be known as one.
    start = len(text) - _MAX_STACK_LENGTH
    line = text.find("\n", start)
    return text[line + 1 if line >= 0 and line + 1 < len(text) else max(text.find(" ", start) + 1, start) :]


def _class_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def name_attributes(_logger: WrappedLogger, _method_name: str, event_dict: EventDict) -> EventDict:
    """
    Give the keywords of ``emit`` the names of their attributes (:data:`activitylog.event.FIELDS`).

    ``request`` is a mapping of such attributes (``http.route``, ``client.address``, ...); what the event says
    itself wins. ``duration`` is seconds or a ``timedelta``, kept to the microsecond.
    """
    request = event_dict.pop("request", None)
    if request is not None:
        _merge_request(request, event_dict)
    for key, attribute in _RENAMED:
        if key in event_dict:
            value = event_dict.pop(key)
            if value is not None:
                event_dict[attribute] = value
    duration = event_dict.get("activity.duration")
    if duration is not None:
        _set_duration(duration, event_dict)
    return event_dict


_RENAMED: Final = tuple(ATTRIBUTE_OF_KEY.items())


def _merge_request(request: Any, event_dict: EventDict) -> None:
    if not isinstance(request, Mapping):
        flag(event_dict, "request:type")
        return
    if type(request) is dict and len(request) <= _MAX_REQUEST_ATTRIBUTES:
        given = request
    else:
        try:
            given = dict(itertools.islice(request.items(), _MAX_REQUEST_ATTRIBUTES))
        except Exception:  # noqa: BLE001 - the application's mapping may raise anything; flagged
            flag(event_dict, "request:unreadable")
            return
    if FLAGS in given and FLAGS in event_dict:
        flag(event_dict, *given[FLAGS])  # both are noted
    for key, value in given.items():
        if event_dict.get(key) is None:
            event_dict[key] = value


def _set_duration(duration: Any, event_dict: EventDict) -> None:
    if isinstance(duration, dt.timedelta):
        duration = duration.total_seconds()
    if type(duration) in (int, float) and 0 <= duration < _INT64_MAX:
        event_dict["activity.duration"] = round(float(duration), 6)
    else:
        del event_dict["activity.duration"]
        flag(event_dict, "duration:invalid")


class Sanitize:
    """
    Make every value exportable and bounded (:mod:`activitylog.sanitize`), and write the flags to the event.

    Args:
        limits: how much of an event is kept.
        clean: takes secrets out of a text; applied to texts before they are cut.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, clean: Callable[[str], str] | None = None) -> None:
        self._limits = limits
        self._clean = clean

    def __call__(self, _logger: WrappedLogger, _method_name: str, event_dict: EventDict) -> EventDict:
        values = cast(dict[str, Any], event_dict)
        noted = values.pop(FLAGS, ())
        flags = [*noted, *_check_name(values, self._clean), *sanitize(values, self._limits, self._clean)]
        if flags:
            values[FLAGS] = (
                flags if len(flags) <= MAX_FLAGS else [*flags[:MAX_FLAGS], f"+{len(flags) - MAX_FLAGS}"]
            )
        return values


class Redact:
    """
    Take secrets out of the event, and note which keys they were in (:mod:`activitylog.redaction`).

    In a chain without Sanitize: texts, bytes, mappings, lists and tuples are searched; other objects are left as
    they are, so place it after what turns them into text (``structlog.processors.format_exc_info``) and before
    the renderer. The caller's own containers are not changed: the event gets copies.

    Args:
        redaction: settings, or a redactor that several stages share.
    """

    def __init__(self, redaction: RedactionSettings | Redactor = RedactionSettings()) -> None:  # noqa: B008 - frozen
        self._redactor = redaction if isinstance(redaction, Redactor) else Redactor(redaction)

    def __call__(self, _logger: WrappedLogger, _method_name: str, event_dict: EventDict) -> EventDict:
        return self._redactor.redact(cast(dict[str, Any], event_dict))


def _check_name(values: dict[str, Any], clean: Callable[[str], str] | None) -> tuple[str, ...]:
    """Make the event's name a bounded text; flagged when it is not ``noun.verbed``."""
    name = values.get("event")
    if type(name) is str and name in _good_names:
        return ()
    if type(name) is str and len(name) <= MAX_EVENT_NAME_LENGTH and EVENT_NAME_PATTERN.fullmatch(name):
        if len(_good_names) < _MAX_GOOD_NAMES:
            _good_names.add(name)
        return ()
    values["event"] = stored_name(name, clean)
    return ("event:name",)


def stored_name(name: Any, clean: Callable[[str], str] | None = None) -> str:
    """What is stored of a name that is none: a bounded text, without secrets."""
    repaired: dict[str, Any] = {"event": name}
    sanitize(repaired, clean=clean)
    text = str(repaired.get("event") or "unnamed")
    return (text if clean is None else clean(text))[:MAX_EVENT_NAME_LENGTH]


#: Names seen and found right; the bound is for programs that make names out of data.
_good_names: set[str] = set()
_MAX_GOOD_NAMES: Final = 4096
