"""An event as a test expects it, and what differs in one that was captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from activitylog.event import ENTITY_KEYS
from activitylog.testing.captured import MISSING, CapturedEvent, called
from activitylog.testing.facts import Facts, facts_of, has, spoken
from activitylog.typed import event_type, name_event


class Difference(NamedTuple):
    """One key in which an event is not the expected one."""

    key: str
    expected: Any
    actual: Any


class IsEvent:
    """
    Equal to every captured event that has this name and these values, whatever else it has.

    .. code-block:: python

        assert activity.events == [IsEvent("message.sent", actor=user), IsEvent("message.read")]
        assert IsEvent("message.sent", channel="general") in activity

    Args:
        event: its name; an instance of a class declared with ``@activitylog.event``, or the class; None for any.
        values: by the keywords of ``emit`` or the names of attributes, in any form that ``emit`` takes, or
            whatever compares as equal (``mock.ANY``, ``pytest.approx``, those of ``dirty_equals``). None is for
            what the event shall not have.
    """

    def __init__(self, event: Any = None, /, **values: Any) -> None:
        given = _declared(event)
        self.name = given.pop("event")
        self.values: Mapping[str, Any] = {**given, **values}
        self._facts: dict[str, Facts] = {}

    def differences(self, event: CapturedEvent) -> list[Difference]:
        """In which keys an event is not the expected one; the name comes first."""
        found = []
        if not self._is_named(event):
            found.append(Difference("event", self.name, event.name))
        for key, expected in self.values.items():
            if not self._has(event, key, expected):
                found.append(Difference(key, spoken(key, expected), event.value(key)))
        return found

    def _is_named(self, event: CapturedEvent) -> bool:
        return self.name is None or equal(self.name, event.name)

    def _has(self, event: CapturedEvent, key: str, expected: Any) -> bool:
        actual = event.value(key)
        if expected is None:
            return actual is MISSING
        if actual is not MISSING and equal(expected, actual):
            return True
        if key in ENTITY_KEYS and isinstance(expected, str) and not expected:
            return actual is MISSING
        if key not in self._facts:
            self._facts[key] = facts_of(key, expected)
        return has(event, key, self._facts[key])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CapturedEvent):
            return NotImplemented
        return self._is_named(other) and all(self._has(other, key, value) for key, value in self.values.items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return called(type(self).__name__, self.name, self._spoken())

    def __str__(self) -> str:
        name = "any event" if self.name is None else str(self.name)
        values = ", ".join(f"{key}={value!r}" for key, value in self._spoken().items())
        return f"{name} with {values}" if values else name

    def _spoken(self) -> dict[str, Any]:
        for value in self.values.values():
            equal(value, MISSING)  # those of dirty_equals are printed as what they were last equal to
        return {key: spoken(key, value) for key, value in self.values.items()}


def expectation(item: Any) -> IsEvent:
    """
    An expected event from the forms that lists of them may have.

    Args:
        item: a name; a name and its values, as a pair; anything else that :class:`IsEvent` takes, or one.
    """
    if isinstance(item, IsEvent):
        return item
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Mapping):
        return IsEvent(item[0], **item[1])
    return IsEvent(item)


def equal(expected: Any, actual: Any) -> bool:
    """Whether two values compare as equal; False where they cannot be compared, as arrays cannot."""
    try:
        return bool(expected == actual)
    except Exception:  # noqa: BLE001 - the test's objects may raise anything
        return False


def _declared(event: Any) -> dict[str, Any]:
    """The name, and the values that an instance of a declared class has."""
    if isinstance(event, type):
        declared = getattr(event, "__activity_event__", None)
        return {"event": event if declared is None else declared.name}
    if event_type(event) is None:
        return {"event": event}
    return {key: value for key, value in name_event(event, {}).items() if value is not None}
