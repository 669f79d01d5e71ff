"""
The value of a condition: what a rule compares with what an event says.

A value is a scalar (equal), a list (any of), or a table of operators that all hold. Each is compiled into a
function of what the event says, which never raises.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from activitylog.event import OUTCOMES
from activitylog.exceptions import ConfigurationError, shown
from activitylog.rules.reading import SEVERITIES, normal_actor

#: Whether what an event says is what the rule asks for.
Test = Callable[[Any], bool]

#: Checks one scalar of a rule and returns what is compared with what the event says.
Convert = Callable[[Any, str], Any]


def scalar(value: Any, path: str) -> Any:
    """Of an attribute: text, a number or a boolean."""
    if isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ConfigurationError(
        f"{path} is {shown(value)}.", hint="Accepted: text in quotes, a finite number, true or false."
    )


def identifier(value: Any, path: str) -> Any:
    """Ids are text; a number in a rule means its digits."""
    value = scalar(value, path)
    if isinstance(value, (bool, float)) or value == "":
        raise ConfigurationError(f"{path} is {shown(value)}.", hint="Accepted: text that is not empty.")
    if isinstance(value, int) and abs(value) >= 1 << 64:
        raise ConfigurationError(f"{path} is a number of too many digits.", hint="Write it in quotes.")
    return str(value)


def actor(value: Any, path: str) -> Any:
    """In the forms of ``emit`` that are one text."""
    return normal_actor(identifier(value, path))


def actor_type(value: Any, path: str) -> Any:
    """The class name ``User`` means what every user is stored as."""
    kind = identifier(value, path)
    return "user" if kind.lower() == "user" else kind


def outcome(value: Any, path: str) -> Any:
    """One of the four."""
    if isinstance(value, str) and value in OUTCOMES:
        return value
    near = difflib.get_close_matches(value, OUTCOMES, n=1) if isinstance(value, str) else []
    accepted = f"Accepted: {', '.join(sorted(OUTCOMES))}."
    raise ConfigurationError(f"{path} is {shown(value)}.", hint=f"Did you mean {near[0]!r}?" if near else accepted)


def severity(value: Any, path: str) -> Any:
    """A name, as OpenTelemetry's number."""
    if isinstance(value, str) and value.lower() in SEVERITIES:
        return SEVERITIES[value.lower()]
    raise ConfigurationError(f"{path} is {shown(value)}.", hint=f"Accepted: {', '.join(SEVERITIES)}.")


def value_test(value: Any, path: str, convert: Convert) -> Test:
    """
    What a frozen value of a rule asks for.

    Args:
        value: scalar, list or table of operators.
        path: where it stands, for messages.
        convert: what its scalars may be.

    Raises:
        ConfigurationError: it is of another form.
    """
    if isinstance(value, Mapping):
        return _operators(value, path, convert)
    if isinstance(value, tuple):
        return _any_of(value, path, convert)
    return _equal(convert(value, path))


def _equal(wanted: Any) -> Test:
    if type(wanted) is bool:
        return lambda value: value is wanted
    if type(wanted) is str:
        return lambda value: bool(value == wanted)
    return lambda value: type(value) is not bool and bool(value == wanted)


def _any_of(values: Any, path: str, convert: Convert) -> Test:
    if not isinstance(values, tuple) or not values:
        what = "empty" if values == () else shown(values)
        raise ConfigurationError(f"{path} is {what}.", hint="Accepted: a list of values, any of which will do.")
    wanted = [convert(value, f"{path}[{index}]") for index, value in enumerate(values)]
    booleans = frozenset(value for value in wanted if type(value) is bool)
    others = frozenset(value for value in wanted if type(value) is not bool)

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is str or kind is int or kind is float:
            return value in others
        return kind is bool and value in booleans

    return test


def _bound(compare: Callable[[Any, Any], bool]) -> Callable[[Any, str, Convert], Test]:
    """An operator of order: numbers with numbers, text with text."""

    def make(wanted: Any, path: str, convert: Convert) -> Test:
        limit = convert(wanted, path)
        if isinstance(limit, bool) or convert is outcome:
            hint = "Accepted: a number, or text; not for outcomes, which have no order."
            raise ConfigurationError(f"{path} is {shown(wanted)}.", hint=hint)
        if isinstance(limit, str):
            return lambda value: type(value) is str and compare(value, limit)
        return lambda value: (type(value) is int or type(value) is float) and compare(value, limit)

    return make


def _prefix(wanted: Any, path: str, convert: Convert) -> Test:
    prefixes = (wanted,) if isinstance(wanted, str) else wanted
    usable = isinstance(prefixes, tuple) and prefixes and all(type(p) is str and p for p in prefixes)
    if not usable or convert in (outcome, severity):
        hint = "Accepted: text that is not empty, or a list of it; not for outcome and severity."
        raise ConfigurationError(f"{path} is {shown(wanted)}.", hint=hint)
    return lambda value: type(value) is str and value.startswith(prefixes)


def _present(wanted: Any, path: str, _convert: Convert) -> Test:
    if type(wanted) is not bool:
        raise ConfigurationError(f"{path} is {shown(wanted)}.", hint="Accepted: true or false.")
    return lambda value: (value is not None) is wanted


_OPERATORS: Final[Mapping[str, Callable[[Any, str, Convert], Test]]] = {
    "min": _bound(operator.ge),
    "max": _bound(operator.le),
    "above": _bound(operator.gt),
    "below": _bound(operator.lt),
    "prefix": _prefix,
    "in": _any_of,
    "present": _present,
}


def _operators(table: Mapping[Any, Any], path: str, convert: Convert) -> Test:
    if not table:
        raise ConfigurationError(f"{path} is an empty table.", hint=f"Accepted: {', '.join(_OPERATORS)}.")
    for key in table:
        if key not in _OPERATORS:
            near = difflib.get_close_matches(key, _OPERATORS, n=1) if isinstance(key, str) else []
            known = f"Accepted: {', '.join(_OPERATORS)}; write names of attributes with dots in quotes."
            raise ConfigurationError(
                f"{path} has no operator {shown(key)}.", hint=f"Did you mean {near[0]!r}?" if near else known
            )
    tests = [_OPERATORS[key](wanted, f"{path}.{key}", convert) for key, wanted in table.items()]
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        one, two = tests
        return lambda value: one(value) and two(value)
    return lambda value: all(test(value) for test in tests)
