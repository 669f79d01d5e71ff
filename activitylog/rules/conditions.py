"""
The grammar of ``match``, from what a rule says to predicates.

A match is one of

* an event name glob, or a list of them: any;
* a table of conditions that all hold: ``event`` (glob or list), ``outcome``, ``severity``, ``tenant``, ``actor``
  (``type:id``), ``actor_type``, ``object_type``, ``session``, ``attributes`` (a table by keyword of ``emit`` or
  attribute), ``and`` and ``or`` (lists of matches), ``not`` (a match);
* in code, a callable that takes a read-only mapping of the event and returns a bool.

The value of a condition is a scalar (equal), a list (any of), or a table of operators that all hold: ``min``,
``max`` (inclusive), ``above``, ``below`` (exclusive), ``prefix``, ``in``, ``present``. Values of different kinds
are never equal and have no order: ``1`` is neither ``true`` nor ``"1"``. A severity also has its names for
values, and an order.

Most rules are told apart by the event's name alone, so a match is compiled in two steps: once for the rule
(:data:`Condition`), and once for each name, to a truth value or to a predicate for what the name leaves open.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from structlog.typing import EventDict

from activitylog.exceptions import ConfigurationError, shown
from activitylog.rules.comparisons import (
    Convert,
    Test,
    actor,
    actor_type,
    identifier,
    outcome,
    scalar,
    severity,
    value_test,
)
from activitylog.rules.event_view import EventView
from activitylog.rules.globs import MAX_GLOB_LENGTH, name_test
from activitylog.rules.reading import Reader, is_text, reader, severity_of

Predicate = Callable[[str, EventDict], bool]
#: What a match says about events of a name (None: no text): a truth value, or what is left to be asked.
Condition = Callable[[str | None], bool | Predicate]

MAX_DEPTH: Final = 16
MAX_GLOBS: Final = 1_000
_MAX_KEY_LENGTH: Final = 128
_FORMS: Final = "an event name glob, a list of them, or a table of conditions"
_SUBJECTS: Final[Mapping[str, str]] = {
    "tenant": "tenant",
    "actor": "actor",
    "actor_type": "activity.actor.type",
    "object_type": "activity.object.type",
    "session": "session",
}
_KEYS: Final = ("event", "outcome", "severity", *_SUBJECTS, "attributes", "and", "or", "not")


def frozen(value: Any, path: str = "match", depth: int = 0) -> Any:
    """
    A match as tuples, read-only mappings and scalars, which nobody can change later.

    Raises:
        ConfigurationError: it cannot be read, or is nested too deeply.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return str.__str__(value)
    if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return value
    if depth > MAX_DEPTH:
        raise ConfigurationError(f"{path} is nested too deeply.", hint=f"Accepted: {MAX_DEPTH} levels.")
    try:
        items = list(value.items()) if isinstance(value, Mapping) else list(value)
    except Exception:  # noqa: BLE001 - a mapping of the application's own that fails
        items = None
    if items is None:
        raise ConfigurationError(f"{path} is a {type(value).__name__} that cannot be read.")
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen(item, f"{path}.{_word(key)}", depth + 1) for key, item in items})
    parts = [frozen(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(items)]
    if isinstance(value, (set, frozenset)) and all(type(part) is str for part in parts):
        parts.sort()
    return tuple(parts)


def compile_match(match: Any, path: str = "match") -> Condition:
    """
    What a frozen match means.

    Raises:
        ConfigurationError: it is not of the grammar; says where in it, what was given and what is accepted.
    """
    if isinstance(match, (str, tuple)):
        return _event(match, path)
    if isinstance(match, Mapping):
        return _table(match, path)
    if callable(match):
        return _called(match)
    raise ConfigurationError(f"{path} is {shown(match)}.", hint=f"Accepted: {_FORMS}.")


def event_globs(match: Any) -> tuple[str, ...]:
    """The globs of a frozen match that are told by its form; empty where there are none."""
    if isinstance(match, Mapping):
        match = match.get("event", ())
    if isinstance(match, str):
        return (match,)
    return match if isinstance(match, tuple) else ()


# Conditions on the name, and what combines conditions.


def _event(globs: Any, path: str) -> Condition:
    given = (globs,) if isinstance(globs, str) else globs
    if not isinstance(given, tuple) or not 0 < len(given) <= MAX_GLOBS:
        raise ConfigurationError(f"{path} is {shown(globs) if given != () else 'empty'}.", hint=_GLOBS)
    for glob in given:
        if not isinstance(glob, str) or not glob.strip() or len(glob) > MAX_GLOB_LENGTH:
            raise ConfigurationError(f"{path} has {shown(glob)} in it.", hint=_GLOBS)
    return name_test(given)


_GLOBS: Final = (
    f"Accepted: an event name such as 'message.sent', with *, ? and [...], of at most {MAX_GLOB_LENGTH} "
    f"characters, or a list of at most {MAX_GLOBS:,} of them."
)


def _called(function: Callable[[Mapping[str, Any]], bool]) -> Condition:
    def holds(_method_name: str, event_dict: EventDict) -> bool:
        answer = function(EventView(event_dict))
        if type(answer) is not bool:
            raise TypeError(f"a match returned {type(answer).__name__}, not bool")
        return answer

    return lambda _name: holds


def _always(predicate: Predicate) -> Condition:
    """The same predicate for every name."""
    return lambda _name: predicate


def _all(conditions: list[Condition]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]

    def of_name(name: str | None) -> bool | Predicate:
        return _joined(conditions, name, stop=False)

    return of_name


def _any(conditions: list[Condition]) -> Condition:
    return lambda name: _joined(conditions, name, stop=True)


def _joined(conditions: list[Condition], name: str | None, *, stop: bool) -> bool | Predicate:
    """Any of the conditions (``stop`` True) or all of them (False), in their order."""
    left: list[Predicate] = []
    for condition in conditions:
        answer = condition(name)
        if isinstance(answer, bool):
            if answer is stop:
                return stop
        else:
            left.append(answer)
    if not left:
        return not stop
    if len(left) == 1:
        return left[0]
    if len(left) == 2:
        one, two = left
        if stop:
            return lambda method_name, event_dict: one(method_name, event_dict) or two(method_name, event_dict)
        return lambda method_name, event_dict: one(method_name, event_dict) and two(method_name, event_dict)

    def holds(method_name: str, event_dict: EventDict) -> bool:
        for predicate in left:
            if predicate(method_name, event_dict) is stop:
                return stop
        return not stop

    return holds


def _not(condition: Condition) -> Condition:
    def of_name(name: str | None) -> bool | Predicate:
        answer = condition(name)
        if isinstance(answer, bool):
            return not answer
        return lambda method_name, event_dict: not answer(method_name, event_dict)

    return of_name


# Tables.


def _table(table: Mapping[Any, Any], path: str) -> Condition:
    if not table:
        raise ConfigurationError(f"{path} is an empty table.", hint='Write match = "*" for every event.')
    return _all([_entry(key, value, f"{path}.{_word(key)}") for key, value in table.items()])


def _entry(key: Any, value: Any, path: str) -> Condition:
    if key == "event":
        return _event(value, path)
    if key == "attributes":
        return _attributes(value, path)
    if key == "outcome":
        return _always(_predicate(reader("outcome"), value_test(value, path, outcome)))
    if key == "severity":
        return _always(_predicate(severity_of, value_test(value, path, severity)))
    if key in ("and", "or"):
        matches = _matches(value, path)
        return _all(matches) if key == "and" else _any(matches)
    if key == "not":
        return _not(compile_match(value, path))
    if key in _SUBJECTS:
        return _on(_SUBJECTS[key], value, path)
    raise _unknown(key, path)


def _unknown(key: Any, path: str) -> ConfigurationError:
    near = difflib.get_close_matches(key, _KEYS, n=1) if isinstance(key, str) else []
    known = f"Known: {', '.join(_KEYS)}; attributes of your own go into the table 'attributes'."
    return ConfigurationError(
        f"{path.rpartition('.')[0]} has no key {shown(key)}.", hint=f"Did you mean {near[0]!r}?" if near else known
    )


def _attributes(table: Any, path: str) -> Condition:
    if not isinstance(table, Mapping) or not table:
        what = "an empty table" if isinstance(table, Mapping) else shown(table)
        raise ConfigurationError(f"{path} is {what}.", hint="Accepted: a table, such as { channel = 'general' }.")
    for key in table:
        if not isinstance(key, str) or not 0 < len(key) <= _MAX_KEY_LENGTH or not key.isprintable():
            raise ConfigurationError(
                f"{path} has a key that no attribute has: {shown(key)}.",
                hint=f"Accepted: printable text of at most {_MAX_KEY_LENGTH} characters.",
            )
    return _all([_on(key, value, f"{path}.{_word(key)}") for key, value in table.items()])


def _matches(value: Any, path: str) -> list[Condition]:
    if not isinstance(value, tuple) or not value:
        what = "empty" if value == () else shown(value)
        raise ConfigurationError(f"{path} is {what}.", hint="Accepted: a list of tables of conditions.")
    return [compile_match(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _on(key: str, value: Any, path: str) -> Condition:
    """A condition on what a keyword of ``emit`` or an attribute says."""
    convert = _CONVERT.get(key) or (identifier if is_text(key) else scalar)
    return _always(_predicate(reader(key), value_test(value, path, convert)))


_CONVERT: Final[Mapping[str, Convert]] = {"actor": actor, "activity.actor.type": actor_type}


def _predicate(read: Reader, test: Test) -> Predicate:
    return lambda method_name, event_dict: test(read(method_name, event_dict))


def _word(key: Any) -> str:
    """A key in a path: short, and the type of what is no text."""
    return key if isinstance(key, str) and len(key) <= 40 and key.isprintable() else shown(key)
