"""
What ``emit`` makes of one keyword: its attributes, cleaned and named as they are stored.

A test may expect any form that ``emit`` takes: ``actor=user``, ``("user", 42)`` and ``"user:42"`` are the same
fact, and so are a ``datetime`` and its text. The stages of the chain itself say so. Redaction is not among them: a
test that expects a secret to be stored shall not be told that it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from structlog.typing import EventDict

from activitylog.event import ENTITY_KEYS
from activitylog.processors import FLAGS, name_attributes, name_entities, name_error
from activitylog.sanitize import sanitize
from activitylog.testing.captured import MISSING, CapturedEvent
from activitylog.testing.clock import nanoseconds
from activitylog.typed import name_event

#: Attributes that together say who or what it is: where one differs, or is there beside the others, so does it.
_TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "actor": ("user.id", "activity.actor.type", "activity.actor.id"),
    "object": ("activity.object.type", "activity.object.id", "activity.object.ids"),
    "objects": ("activity.object.type", "activity.object.id", "activity.object.ids"),
    "target": ("activity.target.type", "activity.target.id"),
}
#: What a keyword settles beside what it says, unless the event says otherwise.
_CONSEQUENCES: Final[Mapping[str, str]] = {"objects": "activity.count", "error": "activity.outcome"}

Facts = Mapping[str, Any]


def facts_of(key: str, value: Any) -> Facts:
    """The attributes that ``emit(..., key=value)`` gives an event, or its field; empty when it gives none."""
    try:
        found = _through_the_chain(name_event("expected.event", {key: value}))
    except Exception:  # noqa: BLE001 - the test's objects may raise anything; such a value is in no event
        return {}
    found.pop(_CONSEQUENCES.get(key, ""), None)
    return found


def _through_the_chain(event_dict: EventDict) -> dict[str, Any]:
    if "timestamp" in event_dict:
        event_dict["timestamp"] = nanoseconds(event_dict["timestamp"])
    for processor in (name_entities, name_error, name_attributes):
        event_dict = processor(None, "info", event_dict)
    found = {name: value for name, value in event_dict.items() if name not in ("event", FLAGS)}
    sanitize(found)
    return found


def spoken(key: str, value: Any) -> Any:
    """Who or what, by its type and id, whatever form it is given in; any other value as it is."""
    if key not in (*ENTITY_KEYS, "objects"):
        return value
    text = CapturedEvent("", facts_of(key, value), None, 0, "", 0, 0).value(key)
    return value if text is MISSING else text


def has(event: CapturedEvent, key: str, facts: Facts) -> bool:
    """Whether an event has what a keyword says, and nothing else in its place."""
    if not facts or any(name in event.attributes and name not in facts for name in _TOGETHER.get(key, ())):
        return False
    return all(_fact(event, name) == value for name, value in facts.items())


def _fact(event: CapturedEvent, name: str) -> Any:
    if name == "timestamp":
        return event.timestamp_ns
    return event.message if name == "message" else event.attributes.get(name)
