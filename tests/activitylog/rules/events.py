"""Events and matches at random, and what a match means, said once more and naively."""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from activitylog import context
from activitylog.event import ATTRIBUTE_OF_KEY
from activitylog.processors import Sanitize, merge_context, name_attributes, name_entities, name_error
from tests.strategies import Hostile

NAMES = ["message.sent", "message.typing", "page.viewed", "audit.login", "a.b.c", "x"]
GLOBS = [*NAMES, "*", "message.*", "*.viewed", "a?b*", "[mp]*", "m*.s*t", "nothing.*", "[x]"]
METHODS = ["debug", "info", "warning", "warn", "error", "critical", "exception", "fatal", "trace"]
LEVELS = ["debug", "info", "warning", "error", "critical"]
OUTCOMES = ["success", "failure", "denied", "unknown"]
NUMBER = {
    "debug": 5,
    "info": 9,
    "warning": 13,
    "warn": 13,
    "error": 17,
    "exception": 17,
    "critical": 21,
    "fatal": 21,
}


class Colour(enum.Enum):
    """As applications have them."""

    RED = "red"
    TWO = 2


class User:
    """As a web framework gives it."""

    is_authenticated = True

    def __init__(self, pk: Any) -> None:
        self.pk = pk


class Thing:
    """Anything with an id."""

    def __init__(self, identifier: Any) -> None:
        self.id = identifier


def scalars() -> st.SearchStrategy[Any]:
    """What rules and events have in common, so that they often meet."""
    return st.sampled_from(["", "red", "a", "b", "ab", "5", 0, 1, 2, 5, -1, 1.0, 2.5, True, False])


def values() -> st.SearchStrategy[Any]:
    """What an application gives as an attribute."""
    return st.one_of(
        scalars(), st.sampled_from([None, Colour.RED, Colour.TWO, float("nan"), ["a"], {"a": 1}, Hostile(), b"a"])
    )


def entities() -> st.SearchStrategy[Any]:
    """Persons and things, in all forms."""
    identifiers = st.sampled_from(["1", "2", "42", 1, 42])
    return st.one_of(
        st.none(),
        st.sampled_from(["user:1", "User:2", "42", "service:1", "project:42", 42, Hostile(), ("user", 1, "Ann")]),
        st.builds(User, identifiers),
        st.builds(Thing, identifiers),
        st.fixed_dictionaries({"type": st.sampled_from(["user", "bot", ""]), "id": identifiers}),
    )


def event_dicts() -> st.SearchStrategy[dict[str, Any]]:
    """Keywords of ``emit`` and attributes, as given; the name under ``event``."""
    return st.fixed_dictionaries({"event": st.sampled_from(NAMES)}, optional=_keys())


def one_actor(*given: dict[str, Any]) -> bool:
    """Whether they do not name two actors at once, by keyword and by attribute."""
    keys = {key for values in given for key, value in values.items() if value is not None}
    return "actor" not in keys or not keys & {"user.id", "activity.actor.type"}


def bound_values() -> st.SearchStrategy[dict[str, Any]]:
    """What is bound to the task: the same keys, some of the values given by callables."""
    return st.fixed_dictionaries({}, optional=_keys()).flatmap(_lazily)


def _lazily(bound: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    def chosen(lazy: list[bool]) -> dict[str, Any]:
        pairs = zip(bound.items(), lazy, strict=True)
        return {key: (lambda value=value: value) if call else value for (key, value), call in pairs}

    return st.lists(st.booleans(), min_size=len(bound), max_size=len(bound)).map(chosen)


def _keys() -> dict[str, st.SearchStrategy[Any]]:
    return {
        "actor": entities(),
        "object": entities(),
        "target": entities(),
        "tenant": st.sampled_from([None, "acme", "umbrella", 7, ("org", 7), Thing("acme"), Hostile()]),
        "session": st.sampled_from([None, "s1", "s2", 5]),
        "outcome": st.sampled_from([None, *OUTCOMES, "odd", 3]),
        "error": st.sampled_from([None, "timeout", ValueError("x"), KeyError]),
        "exc_info": st.sampled_from([None, False, True, ValueError("x")]),
        "duration": st.sampled_from([None, 0.5, 2, "long"]),
        "amount": values(),
        "colour": values(),
        "http.route": st.sampled_from([None, "/a", "/b"]),
        "error.type": st.sampled_from([None, "timeout"]),
        "user.id": st.sampled_from([None, "42"]),
        "activity.actor.type": st.sampled_from([None, "bot"]),
        "activity.tenant.id": st.sampled_from([None, "acme"]),
        "request": st.sampled_from([None, {"http.route": "/r", "amount": 5}, {"colour": "red"}, "no", Hostile()]),
    }


def record_of(method_name: str, event_dict: Mapping[str, Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that the chain makes of an event; its name under ``event``."""
    values: Any = dict(event_dict)
    token = context.push(bound)
    try:
        for processor in (merge_context, name_entities, name_error, name_attributes, Sanitize()):
            values = processor(None, method_name, values)
    finally:
        context.pop(token)
    return dict(values)


def says(record: Mapping[str, Any], method_name: str, key: str) -> Any:
    """What a record says under a key of a match; None for nothing."""
    if key in ("actor", "object", "target"):
        kind, identifier = says(record, method_name, f"{key}_type"), _identifier(record, key)
        return None if identifier is None else f"{kind}:{identifier}" if kind else identifier
    if key.endswith("_type") and key != "error_type":
        role = key.removesuffix("_type")
        return "user" if role == "actor" and record.get("user.id") else record.get(f"activity.{role}.type") or None
    if key == "outcome":
        return record.get("activity.outcome", "success")
    if key == "severity":
        of_outcome = {"failure": 17, "denied": 13}.get(says(record, method_name, "outcome"), 0)
        return max(NUMBER[method_name], of_outcome) if method_name in NUMBER else 9
    value = record.get(ATTRIBUTE_OF_KEY.get(key, key))
    if key in ("tenant", "session"):
        return None if value is None or value == "" else str(value)
    return value


def _identifier(record: Mapping[str, Any], role: str) -> str | None:
    identifier = (record.get("user.id") if role == "actor" else None) or record.get(f"activity.{role}.id")
    return identifier or None


# Matches.


TEXTS = ["acme", "umbrella", "7", "s1", "5", "user", "bot", "user:1", "user:42", "service:1"]
NUMBERS_AND_TEXTS = [0, 1, 2, 5, -1, 1.0, 2.5, "red", "a", "b", "ab", *TEXTS]
ORDER = ("min", "max", "above", "below")
#: By key of a table: what its scalars may be, and its operators.
CONDITIONS: dict[str, tuple[list[Any], tuple[str, ...]]] = {
    "outcome": (OUTCOMES, ("in", "present")),
    "severity": (LEVELS, (*ORDER, "in", "present")),
    "tenant": (TEXTS, (*ORDER, "in", "present", "prefix")),
    "actor": (TEXTS, (*ORDER, "in", "present", "prefix")),
    "actor_type": (TEXTS, ("in", "present")),
    "object_type": (TEXTS, ("in", "present")),
    "session": (TEXTS, ("in", "present", "prefix")),
}
ATTRIBUTES: dict[str, list[Any]] = {
    "amount": [*NUMBERS_AND_TEXTS, True, False, ""],
    "colour": [*NUMBERS_AND_TEXTS, True, False, ""],
    "http.route": ["/a", "/b", "/r"],
    "error": ["timeout", "ValueError", "KeyError"],
    "error.type": ["timeout", "ValueError", "KeyError"],
    "duration": [0.5, 2, 3, "long"],
    "object": TEXTS,
}


@st.composite
def matches(draw: st.DrawFn, depth: int = 2) -> Any:
    """Tables and globs of the whole grammar, without callables."""
    if draw(st.integers(0, 3)) == 0:
        return draw(_globs())
    keys = ["event", "attributes", *CONDITIONS, *(["and", "or", "not"] * 2 if depth else [])]
    chosen = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3))
    return {key: draw(_value(key, depth)) for key in chosen}


@st.composite
def _value(draw: st.DrawFn, key: str, depth: int) -> Any:
    if key == "event":
        return draw(_globs())
    if key == "not":
        return draw(matches(depth - 1))
    if key in ("and", "or"):
        return draw(st.lists(matches(depth - 1), min_size=1, max_size=3))
    if key in CONDITIONS:
        return draw(_asked(*CONDITIONS[key]))
    names = draw(st.lists(st.sampled_from(list(ATTRIBUTES)), min_size=1, max_size=2))
    return {name: draw(_asked(ATTRIBUTES[name], (*ORDER, "in", "present", "prefix"))) for name in names}


@st.composite
def _globs(draw: st.DrawFn) -> Any:
    globs = draw(st.lists(st.sampled_from(GLOBS), min_size=1, max_size=3))
    return globs if draw(st.booleans()) else globs[0]


@st.composite
def _asked(draw: st.DrawFn, scalars: list[Any], operators: tuple[str, ...]) -> Any:
    form = draw(st.integers(0, 2))
    several = st.lists(st.sampled_from(scalars), min_size=1, max_size=3)
    if form < 2:
        return draw(several if form else st.sampled_from(scalars))
    ordered = [scalar for scalar in scalars if type(scalar) is not bool]
    of_operator: dict[str, st.SearchStrategy[Any]] = {
        "in": several,
        "present": st.booleans(),
        "prefix": st.sampled_from(["a", "re", "user:", "/"]),
    }
    chosen = draw(st.lists(st.sampled_from(operators), min_size=1, max_size=2))
    return {operator: draw(of_operator.get(operator, st.sampled_from(ordered))) for operator in chosen}


def naively(match: Any, method_name: str, record: Mapping[str, Any]) -> bool:
    """Whether a match takes an event, by the words of the documentation."""
    if isinstance(match, str):
        return fnmatch.fnmatchcase(record["event"], match)
    if isinstance(match, (list, tuple)):
        return any(naively(glob, method_name, record) for glob in match)
    return all(_entry_holds(key, asked, method_name, record) for key, asked in match.items())


def _entry_holds(key: str, asked: Any, method_name: str, record: Mapping[str, Any]) -> bool:
    if key == "event":
        return naively(asked, method_name, record)
    if key == "and":
        return all(naively(match, method_name, record) for match in asked)
    if key == "or":
        return any(naively(match, method_name, record) for match in asked)
    if key == "not":
        return not naively(asked, method_name, record)
    if key == "attributes":
        return all(_holds(name, part, says(record, method_name, name)) for name, part in asked.items())
    return _holds(key, asked, says(record, method_name, key))


def _holds(key: str, asked: Any, value: Any) -> bool:
    if isinstance(asked, Mapping):
        return all(_operator_holds(key, operator, wanted, value) for operator, wanted in asked.items())
    if isinstance(asked, (list, tuple)):
        return any(_same(_meant(key, wanted), value) for wanted in asked)
    return _same(_meant(key, asked), value)


def _operator_holds(key: str, operator: str, wanted: Any, value: Any) -> bool:
    if operator == "present":
        return (value is not None) is wanted
    if operator == "in":
        return any(_same(_meant(key, one), value) for one in wanted)
    if operator == "prefix":
        return isinstance(value, str) and value.startswith(wanted)
    limit = _meant(key, wanted)
    if not _comparable(limit, value):
        return False
    answers = {"min": value >= limit, "max": value <= limit, "above": value > limit, "below": value < limit}
    return bool(answers[operator])


def _meant(key: str, wanted: Any) -> Any:
    if key == "severity":
        return NUMBER[wanted]
    if key == "actor" and ":" not in str(wanted):
        return f"user:{wanted}"
    return str(wanted) if key == "object" else wanted


def _comparable(one: Any, other: Any) -> bool:
    kinds = {bool: "b", int: "n", float: "n", str: "t"}
    return kinds.get(type(one), "?") == kinds.get(type(other), "!")


def _same(wanted: Any, value: Any) -> bool:
    return _comparable(wanted, value) and bool(wanted == value)
