"""Why a match does not take an event: the first condition that fails, and what the event says instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from structlog.typing import EventDict

from activitylog.rules.conditions import compile_match
from activitylog.rules.reading import SEVERITIES, name_of, outcome_of, reader, severity_of
from activitylog.rules.rule import Match
from activitylog.rules.wording import condition, literal, name_of_callable, nested, takes

#: Conditions that are not called as the reader of what they are about.
_READ_AS: Final = {"actor_type": "activity.actor.type", "object_type": "activity.object.type"}
_COMBINED: Final = ("and", "or", "not")
_MOST_ALTERNATIVES: Final = 4


def why_not(match: Match, method_name: str, event_dict: EventDict) -> str | None:
    """
    Why a match does not take an event, in words; None when it takes it.

    Args:
        match: of a checked rule.
        method_name: the logger's method.
        event_dict: the keywords of ``emit``, and the name under ``event``.

    Conditions are asked in their order, and the first that fails is the answer. A match in code is called.
    """
    if callable(match):
        return _why_not_called(match, method_name, event_dict)
    if not isinstance(match, Mapping):
        return None if _holds(match, method_name, event_dict) else _contrast("event", match, "", event_dict)
    for part in _parts(match):
        reason = _why_not_part(part, method_name, event_dict)
        if reason is not None:
            return reason
    return None


def says(match: Match, method_name: str, event_dict: EventDict) -> list[str]:
    """What the event says about each thing that the match asks for, outside of ``and``, ``or`` and ``not``."""
    if not isinstance(match, Mapping):
        return []
    keys = [key for part in _parts(match) for key in _inner(part) if key not in ("event", *_COMBINED)]
    return [_says(key, method_name, event_dict) for key in keys]


def _parts(match: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A table as tables of one condition each."""
    for key, value in match.items():
        if key == "attributes":
            for name, wanted in value.items():
                yield MappingProxyType({"attributes": MappingProxyType({name: wanted})})
        else:
            yield MappingProxyType({key: value})


def _inner(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part without the word ``attributes``."""
    inner: Mapping[str, Any] = part.get("attributes", part)
    return inner


def _why_not_part(part: Mapping[str, Any], method_name: str, event_dict: EventDict) -> str | None:
    ((key, wanted),) = _inner(part).items()
    if part.keys() == {"and"}:
        reasons = (why_not(item, method_name, event_dict) for item in wanted)
        return next((reason for reason in reasons if reason is not None), None)
    if _holds(part, method_name, event_dict):
        return None
    if part.keys() == {"or"}:
        return _none_of(wanted, method_name, event_dict)
    if part.keys() == {"not"}:
        return f"it takes none where {nested(wanted)}"
    return _contrast(key, wanted, method_name, event_dict)


def _none_of(matches: Any, method_name: str, event_dict: EventDict) -> str:
    reasons = [why_not(item, method_name, event_dict) or "" for item in matches[:_MOST_ALTERNATIVES]]
    more = len(matches) - len(reasons)
    return "; ".join(dict.fromkeys(reasons)) + (f"; and {more} more that do not hold" if more else "")


def _why_not_called(match: Any, method_name: str, event_dict: EventDict) -> str | None:
    called = f"{name_of_callable(match)}()"
    try:
        return None if _holds(match, method_name, event_dict) else f"{called} says no"
    except Exception as error:  # noqa: BLE001 - the application's code; the rule then does not match
        return f"{called} failed with {type(error).__name__}"


def _holds(match: Any, method_name: str, event_dict: EventDict) -> bool:
    answer = compile_match(match)(name_of(event_dict))
    return answer if isinstance(answer, bool) else answer(method_name, event_dict)


def _contrast(key: str, wanted: Any, method_name: str, event_dict: EventDict) -> str:
    return f"{_says(key, method_name, event_dict)}, and it takes {_wanted(key, wanted)}"


def _wanted(key: str, wanted: Any) -> str:
    return takes(wanted) if key == "event" else condition(key, wanted)


def _says(key: str, method_name: str, event_dict: EventDict) -> str:
    """What the event says about one thing: ``outcome is success``, ``there is no plan``."""
    if key == "event":
        return f"the event is {literal(name_of(event_dict) or '')}"
    if key == "outcome":
        return f"outcome is {outcome_of(method_name, event_dict)}"
    if key == "severity":
        number = severity_of(method_name, event_dict)
        return f"severity is {next(name for name, other in SEVERITIES.items() if other == number)}"
    value = reader(_READ_AS.get(key, key))(method_name, event_dict)
    return f"there is no {key}" if value is None else f"{key} is {_short(value)}"


def _short(value: Any) -> str:
    text = literal(value if isinstance(value, (str, bool, int, float)) else repr(value))
    return text if len(text) <= 80 else text[:80] + ".."
