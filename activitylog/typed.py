"""
Typed events: a class of the application says which event it is, and its fields are the attributes.

Any dataclass, attrs, msgspec or pydantic class will do; none of these libraries is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from activitylog.event import EVENT_NAME_PATTERN, EVENT_NAME_RULE, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError
from activitylog.sanitize import field_names, own_fields

_C = TypeVar("_C", bound=type)
_MARK: Final = "__activity_event__"
#: By module and qualified name: a module that is loaded again declares the same classes, not further ones.
_declared: Final[WeakValueDictionary[tuple[str, str], type]] = WeakValueDictionary()


class EventType(NamedTuple):
    """What the decorator leaves on the class."""

    name: str
    version: int | None = None
    owner: str | None = None


def event(name: str, *, version: int | None = None, owner: str | None = None) -> Callable[[_C], _C]:
    """
    Declare a class to be an activity event; ``emit`` then takes its instances.

    .. code-block:: python

        @activitylog.event("message.sent", version=2)
        @dataclass(frozen=True, slots=True)
        class MessageSent:
            channel: str
            length: int

        activitylog.emit(MessageSent("general", 312), object=message)

    Fields called ``actor``, ``object``, ``tenant`` and so on mean what these keywords of ``emit`` mean.

    Args:
        name: of the event, ``noun.verbed``.
        version: of the fields' meaning, kept as ``activity.schema.version``.
        owner: who is asked about it, a team or an address; for the catalogue of events, not part of any event.

    Raises:
        ConfigurationError: the name is no event name, the owner no text, or the class has no fields that can be
            found.
    """
    if not isinstance(name, str) or len(name) > MAX_EVENT_NAME_LENGTH or not EVENT_NAME_PATTERN.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no event name.", hint=f"Write {EVENT_NAME_RULE}.")
    if owner is not None and (not isinstance(owner, str) or not owner.strip()):
        raise ConfigurationError(f"{owner!r} is no owner.", hint="Name a team or an address, or leave it out.")

    def declare(cls: _C) -> _C:
        setattr(cls, _MARK, EventType(name, version, owner))
        if field_names(cls) is None:
            raise ConfigurationError(
                f"The class {cls.__qualname__} has no fields.",
                hint="Put @activitylog.event above a dataclass, attrs, msgspec or pydantic class.",
            )
        _declared[cls.__module__, cls.__qualname__] = cls
        return cls

    return declare


def declared_classes() -> list[tuple[type, EventType]]:
    """
    The classes that are declared to be events in this process, so far, by module and name.

    Of a module that was loaded twice, and of a name that was declared again in the same place, the newest class.
    """
    classes = sorted(_declared.items())
    return [(cls, declared) for _, cls in classes if (declared := getattr(cls, _MARK, None)) is not None]


def name_event(event: Any, values: dict[str, Any]) -> dict[str, Any]:
    """
    The event dict of one call: ``values`` with the event's name under ``event``.

    Args:
        event: a name, or an instance of a declared class, whose fields come before ``values``.
        values: keywords of the call. One of them called ``event`` is kept as ``event_``.
    """
    if "event" in values:
        values["event_"] = values.pop("event")
    if type(event) is not str:
        declared = event_type(event)
        if declared is not None:
            return {**_event_values(event, declared), **values}
    values["event"] = event
    return values


def event_type(value: Any) -> EventType | None:
    """What kind of event an instance is; None when its class was not declared."""
    declared = getattr(type(value), _MARK, None)
    return declared if isinstance(declared, EventType) else None


def _event_values(value: Any, declared: EventType) -> dict[str, Any]:
    """The event dict of an instance: its fields, its name, its version."""
    values = own_fields(value) or {}
    if declared.version is not None:
        values["activity.schema.version"] = declared.version
    values["event"] = declared.name
    return values
