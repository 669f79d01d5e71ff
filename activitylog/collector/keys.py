"""
Processors that take away or overwrite what our columns are made of: ``attributes``, ``resource``, ``transform``
and ``redaction``.

Found is what the configuration says in so many words: keys, patterns of keys, and calls of OTTL on the whole map.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, Severity, example
from activitylog.collector.ottl import Call, calls_of
from activitylog.collector.pipelines import Component
from activitylog.collector.sampler import WEIGHT
from activitylog.collector.value import Setting
from activitylog.event import DEFAULT_LIMITS, FIELDS

_COLUMNS: Final = {field.attribute: field.column for field in FIELDS}
#: What is wrong with the rows when one of these is not what the client wrote. The others cost a column.
_COST: Final = {
    "log.record.uid": "events that arrive twice can no longer be told from others",
    "activity.producer": "`activitylog verify` cannot say what is missing",
    "activity.seq": "`activitylog verify` cannot say what is missing",
    "activity.count": "rows that stand for several events count for one",
    WEIGHT: "rows that stand for several events count for one",
    "activity.counter.event": "the exact counters are stored as if they counted nothing",
}
_OURS: Final = tuple(_COLUMNS)
#: Text of an id; what is cut shorter is no id any more.
_UID_BYTES: Final = 36
_CHANGES: Final = {
    "delete": "deletes",
    "hash": "hashes",
    "update": "overwrites",
    "upsert": "overwrites",
}
_SERVICE: Final = "service.name"
#: What a stage that samples or folds has to write.
_OF_STAGES: Final = ("activity.sample.", "activity.rollup.")


def _problem(setting: Setting, does: str, keys: Iterable[str], do: tuple[str, ...]) -> Problem | None:
    """One problem for all keys of ours that something changes, the worst first."""
    changed = sorted(set(keys), key=lambda key: (key not in _COST, _OURS.index(key)))
    if not changed:
        return None
    shown = ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
    costs = list(dict.fromkeys(_COST[key] for key in changed if key in _COST))
    columns = [column for key in changed if key not in _COST and (column := _COLUMNS[key])]
    if columns and not costs:
        costs.append(f"{', '.join(dict.fromkeys(columns))} {'is' if len(set(columns)) == 1 else 'are'} wrong")
    severity = Severity.ERROR if changed[0] in _COST else Severity.WARNING
    cost = f": {'; '.join(costs)}" if costs else ""
    return Problem(severity, setting, f"{does} {shown}{cost}", do)


def _matching(pattern: str) -> list[str]:
    """Keys of ours that a regular expression finds; none when it is not one that Python reads."""
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return []
    return [key for key in _OURS if expression.search(key)]


def _of_type(*types: str) -> Callable[[Examined], list[Component]]:
    return lambda examined: examined.used("processors", types)


def judge_attributes(processor: Component) -> Iterator[Problem]:
    """Actions on keys of ours."""
    for action in processor.setting.at("actions").elements():
        name = action.at("action").text().lower()
        if name not in _CHANGES:
            continue
        keys = [key for key in (action.at("key").text(),) if key in _COLUMNS]
        if name in ("delete", "hash"):
            keys += _matching(pattern) if (pattern := action.at("pattern").text()) else []
        problem = _problem(action, _CHANGES[name], keys, _TAKE_OUT)
        if problem:
            yield problem


_TAKE_OUT: Final = (
    "# Take the action out. To pseudonymize or drop values, let the clients do it ([redaction] of their",
    "# settings): they know which keys are columns, and the same value stays the same everywhere.",
)
_WHY: Final = (
    "Rows are made of these attributes: ids tell duplicates apart, producer and number prove that nothing is "
    "missing, weights and counts make totals right."
)
ATTRIBUTES: Final = Check(
    "keys.attributes",
    "Attributes that are columns",
    _WHY,
    _of_type("attributes"),
    judge_attributes,
    str,
)


def judge_resource(processor: Component) -> Iterator[Problem]:
    """The service's own name."""
    for action in processor.setting.at("attributes").elements():
        name = action.at("action").text().lower()
        pattern = action.at("pattern").text() if name in ("delete", "hash") else ""
        hits = action.at("key").text() == _SERVICE or bool(pattern and _finds(pattern, _SERVICE))
        if name in _CHANGES and hits:
            yield Problem(
                Severity.WARNING, action, f"{_CHANGES[name]} {_SERVICE}: ServiceName is wrong", ("# Take it out.",)
            )


def _finds(pattern: str, key: str) -> bool:
    try:
        return re.search(pattern, key) is not None
    except (re.error, OverflowError, RecursionError):
        return False


RESOURCE: Final = Check(
    "keys.resource",
    "The service's name",
    "ServiceName is read from the resource's service.name; every question by service needs it.",
    _of_type("resource"),
    judge_resource,
    str,
)


def judge_transform(processor: Component) -> Iterator[Problem]:
    """Statements that change keys of ours, the whole map, or the event's name."""
    for call in calls_of(processor):
        problem = _of_call(call)
        if problem is not None:
            yield _conditional(problem) if call.is_conditional else problem
    # Reading the statements leaves out what is none; a wrong kind is the Collector's to refuse.
    processor.setting.at("log_statements").elements()


def _conditional(problem: Problem) -> Problem:
    """What a condition takes may be none of our events, or those that a stage before it has made: no error."""
    found = f"{problem.found}, for the events that its condition takes"
    return Problem(Severity.WARNING, problem.setting, found, problem.do)


def _of_call(call: Call) -> Problem | None:
    setting, do = call.statement.setting, ("# Take the statement out, or leave these keys alone.",)
    if call.function == "set" and call.target == "event_name":
        return Problem(Severity.WARNING, setting, "overwrites the event's name: EventName is wrong", do)
    if call.target != "attributes":
        return None
    if call.function == "set" and call.key:
        fills = "== nil" in call.where and call.key in call.where
        allowed = fills or call.key.startswith(_OF_STAGES)
        keys = [call.key] if call.key in _COLUMNS and not allowed else []
        return _problem(setting, "overwrites", keys, do)
    if call.key:
        return None
    return _of_map(call, setting, do)


def _of_map(call: Call, setting: Setting, do: tuple[str, ...]) -> Problem | None:
    """A call on all attributes of a record."""
    function, texts = call.function, call.texts
    if function == "delete_key":
        return _problem(setting, "deletes", [key for key in texts[:1] if key in _COLUMNS], do)
    if function == "delete_matching_keys":
        return _problem(setting, "deletes", _matching(texts[0]) if texts else [], do)
    if function == "keep_keys":
        return _problem(setting, "deletes", [key for key in _OURS if key not in texts], do)
    if function == "keep_matching_keys" and texts and _is_expression(texts[0]):
        kept = _matching(texts[0])
        return _problem(setting, "deletes", [key for key in _OURS if key not in kept], do)
    if function == "limit":
        lost = [key for key in _OURS if key not in texts]
        least = call.number is None or call.number < DEFAULT_LIMITS.max_attributes
        return _problem(setting, "may delete, at random,", lost if least else [], do)
    if function == "truncate_all" and call.number is not None:
        return _of_truncation(call.number, setting, do)
    return None


def _of_truncation(limit: int, setting: Setting, do: tuple[str, ...]) -> Problem | None:
    if limit < _UID_BYTES:
        return _problem(
            setting, f"cuts values after {limit} bytes, so also", ["log.record.uid", "activity.producer"], do
        )
    if limit < DEFAULT_LIMITS.max_value_bytes:
        kept = f"clients keep {DEFAULT_LIMITS.max_value_bytes:,} and say what they cut"
        found = f"cuts values after {limit:,} bytes; {kept}"
        return Problem(Severity.WARNING, setting, found, do)
    return None


def _is_expression(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


TRANSFORM: Final = Check(
    "keys.transform",
    "Statements on attributes that are columns",
    _WHY,
    _of_type("transform"),
    judge_transform,
    str,
)


def judge_transform_errors(processor: Component) -> Iterator[Problem]:
    """A request that is dropped because of one record."""
    settings = [processor.setting.at("error_mode")]
    settings += [
        group.at("error_mode")
        for group in processor.setting.at("log_statements").elements()
        if group.kind == "a mapping"
    ]
    for setting in settings:
        if setting.text("ignore") == "propagate":
            yield Problem(
                Severity.WARNING,
                setting,
                "is propagate",
                example((*processor.path, "error_mode"), "ignore"),
            )


TRANSFORM_ERRORS: Final = Check(
    "transform.error_mode",
    "Errors of a statement",
    "A statement that fails on one record drops the whole request, all its other events with it.",
    _of_type("transform"),
    judge_transform_errors,
    str,
)


def judge_redaction(processor: Component) -> Iterator[Problem]:
    """A list of keys that may stay, without ours."""
    setting = processor.setting
    ignored = {text for _, text in setting.at("ignored_keys").texts()}
    for _, pattern in setting.at("ignored_key_patterns").texts():
        ignored |= set(_matching(pattern))
    if not setting.at("allow_all_keys").flag(False):
        allowed = ignored | {text for _, text in setting.at("allowed_keys").texts()}
        problem = _problem(
            setting.at("allowed_keys") if setting.at("allowed_keys").is_set else setting.at("allow_all_keys"),
            "lets go of",
            [key for key in _OURS if key not in allowed],
            (
                *example((*processor.path, "allow_all_keys"), "true"),
                "# And block by value, or by keys that are none of ours.",
            ),
        )
        if problem:
            yield problem
    for found, pattern in setting.at("blocked_key_patterns").texts():
        masked = [key for key in _matching(pattern) if key not in ignored]
        problem = _problem(
            found, "masks", masked, example((*processor.path, "ignored_keys"), f"[{', '.join(masked)}]")
        )
        if problem:
            yield problem


REDACTION: Final = Check(
    "keys.redaction",
    "Keys that redaction leaves",
    _WHY,
    _of_type("redaction"),
    judge_redaction,
    str,
)

CHECKS: Final = (ATTRIBUTES, RESOURCE, TRANSFORM, TRANSFORM_ERRORS, REDACTION)
