"""
A rule in words: which events it takes, and what it does with them.

The words are for people who read a file of rules, and say no more than the rule does. Values of a rule stand in
them as they were written, so whoever shows the words on a terminal has to make them visible first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from activitylog.rules.conditions import event_globs
from activitylog.rules.rule import Match, Rule

_UNITS: Final = {
    "event": "events",
    "trace": "traces",
    "session": "sessions",
    "actor": "actors",
    "tenant": "tenants",
}
_OUTCOMES: Final = {
    "failure": "failures",
    "denied": "denials",
    "success": "successes",
    "unknown": "unknown outcomes",
}
_OPERATORS: Final = {"min": ">=", "max": "<=", "above": ">", "below": "<"}
_MOST_GLOBS: Final = 8


# What it takes.


def takes(match: Match) -> str:
    """
    Which events a match takes: ``page.viewed where outcome is failure``.

    Args:
        match: of a checked rule.
    """
    if callable(match):
        return f"what {name_of_callable(match)}() says"
    globs = _listed_globs(event_globs(match))
    conditions = conditions_of(match) if isinstance(match, Mapping) else []
    if not conditions:
        return globs or "any event"
    return f"{globs or 'any event'} where {' and '.join(conditions)}"


def name_of_callable(match: Any) -> str:
    """What people call a match in code."""
    return str(getattr(match, "__qualname__", None) or type(match).__qualname__)


def _listed_globs(globs: tuple[str, ...]) -> str:
    if globs == ("*",):
        return ""
    more = f" or {len(globs) - _MOST_GLOBS} more" if len(globs) > _MOST_GLOBS else ""
    return " or ".join(globs[:_MOST_GLOBS]) + more


def conditions_of(match: Mapping[str, Any]) -> list[str]:
    """Each condition of a table, the event's name aside."""
    return [condition(key, value) for key, value in parts_of(match) if key != "event"]


def parts_of(match: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The conditions of a table one by one, ``attributes`` by their names."""
    for key, value in match.items():
        if key == "attributes":
            yield from value.items()
        else:
            yield key, value


def condition(key: str, value: Any) -> str:
    """One condition: ``status >= 500``."""
    if key == "event":
        return f"event is {_listed_globs(event_globs(value)) or 'any'}"
    if key in ("and", "or"):
        return "(" + f" {key} ".join(nested(item) for item in value) + ")"
    if key == "not":
        return f"not {nested(value)}"
    if isinstance(value, Mapping):
        return " and ".join(f"{key} {_operator(name, wanted)}" for name, wanted in value.items())
    return f"{key} {_equal(value)}"


def nested(match: Any) -> str:
    """A match inside another: ``event is a.*``, ``(event is a.* and n >= 3)``."""
    if not isinstance(match, Mapping):
        return condition("event", match)
    parts = [condition(key, value) for key, value in parts_of(match)]
    return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"


def _operator(name: str, wanted: Any) -> str:
    if name in _OPERATORS:
        return f"{_OPERATORS[name]} {literal(wanted)}"
    if name == "present":
        return "is there" if wanted else "is not there"
    if name == "prefix":
        return f"starts with {_alternatives(wanted)}"
    return _equal(wanted)


def _equal(wanted: Any) -> str:
    return f"is {_alternatives(wanted)}"


def _alternatives(wanted: Any) -> str:
    if isinstance(wanted, tuple):
        return " or ".join(literal(item) for item in wanted)
    return literal(wanted)


def literal(value: Any) -> str:
    """A value as TOML has it; words of letters, digits, ``_``, ``-``, ``.``, ``:`` and ``/`` without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        bare = value.replace("-", "").replace(".", "").replace(":", "").replace("/", "").replace("_", "")
        return value if bare.isalnum() and not bare.isdigit() else f'"{value}"'
    return str(value)


# What it does.


def does(rule: Rule) -> str:
    """What becomes of the events: ``keeps 5 % of the sessions; failures and denials always``."""
    words = _does(rule)
    return f"{words} (dry run: only said on the events)" if rule.dry_run else words


def _does(rule: Rule) -> str:
    if rule.durable:
        return "keeps all, durable"
    if rule.keep is True:
        return "keeps all"
    if rule.drop:
        return f"drops all but {_outcomes(rule.keep)}" if rule.keep else "drops all"
    parts = list(_thinning(rule))
    parts.append(f"{_outcomes(rule.keep)} always" if rule.keep else "failures and denials like the others")
    return "; ".join(parts)


def _thinning(rule: Rule) -> Iterator[str]:
    units = _UNITS.get(rule.by, f"values of {rule.by}")
    if rule.first:
        yield f"keeps the first {rule.first:,} {_first_of(rule)}"
    if rule.sample is not None:
        yield f"{'then ' if rule.first else 'keeps '}{percent(rule.sample)} of the {units}"
    if rule.target_per_second is not None:
        shared = f"the values of {rule.per}" if rule.per else "the event names"
        whole = "" if rule.by == "event" else f", whole {units}"
        yield f"aims at {rule.target_per_second:g} a second over {shared}{whole}"
    if rule.max_per_second is not None:
        each = f" for each {rule.per}" if rule.per else ""
        whole = "" if rule.by == "event" or rule.sample is not None else f", whole {units}"
        yield f"at most {rule.max_per_second:,} a second{each}{whole}"
    if rule.rollup_seconds is not None:
        yield f"folds what is similar within {duration(rule.rollup_seconds)} into one{_folded(rule)}"


def _first_of(rule: Rule) -> str:
    """``of each name, tenant and outcome in 1 m``."""
    key = f"name, tenant, outcome and {rule.first_per}" if rule.first_per else "name, tenant and outcome"
    return f"of each {key} in {duration(rule.first_window_seconds)}"


def _folded(rule: Rule) -> str:
    by = f" by {', '.join(rule.rollup_by)}" if rule.rollup_by else ""
    return by + (f", sums {', '.join(rule.rollup_sum)}" if rule.rollup_sum else "")


def _outcomes(outcomes: bool | frozenset[str]) -> str:
    known = [] if isinstance(outcomes, bool) else [_OUTCOMES[name] for name in _OUTCOMES if name in outcomes]
    return " and ".join([", ".join(known[:-1]), known[-1]] if len(known) > 1 else known)


def percent(share: float) -> str:
    """``5 %``, with as many digits as the share has, seven at the most."""
    return f"{share * 100:.7g} %"


def duration(seconds: float) -> str:
    """``500 ms``, ``10 s``, ``1 m``, ``2 h``: in the largest unit of which it is a whole number."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
