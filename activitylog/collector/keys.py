"""
Processors that take away or overwrite what our columns are made of: ``attributes``, ``resource``, ``transform``
and ``redaction``.

Found is what the configuration says in so many words: keys, patterns of keys, and calls of OTTL on the whole map.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, Severity, example
from activitylog.collector.ottl import Call, calls_of
from activitylog.collector.patterns import found_by
from activitylog.collector.pipelines import Component
from activitylog.collector.sampler import WEIGHT
from activitylog.collector.value import NotJudged, Setting
from activitylog.event import DEFAULT_LIMITS, FIELDS

T = TypeVar("T")

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


def _matching(setting: Setting, pattern: str) -> list[str]:
    """
    Keys of ours that a regular expression finds.

    Raises:
        NotJudged: it cannot be tried here.
    """
    return found_by(setting, pattern, _OURS)


def _each(subjects: Iterable[T], judge: Callable[[T], Problem | None]) -> Iterator[Problem]:
    """The problems of all that can be judged, and then, if there is one, that another one cannot."""
    not_judged: NotJudged | None = None
    for subject in subjects:
        try:
            problem = judge(subject)
        except NotJudged as raised:
            not_judged = not_judged or raised
        else:
            if problem:
                yield problem
    if not_judged:
        raise not_judged


def _of_type(*types: str) -> Callable[[Examined], list[Component]]:
    return lambda examined: examined.used("processors", types)


def judge_attributes(processor: Component) -> Iterator[Problem]:
    """Actions on keys of ours."""

    def judge(action: Setting) -> Problem | None:
        name = action.at("action").text().lower()
        if name not in _CHANGES:
            return None
        keys = [key for key in (action.at("key").text(),) if key in _COLUMNS]
        if name in ("delete", "hash") and (pattern := action.at("pattern").text()):
            keys += _matching(action, pattern)
        return _of_some(processor, _problem(action, _CHANGES[name], keys, _TAKE_OUT))

    yield from _each(processor.setting.at("actions").elements(), judge)


def _of_some(processor: Component, problem: Problem | None) -> Problem | None:
    """Less of a problem where the processor takes some records only."""
    some = any(processor.setting.at(key).kind == "a mapping" for key in ("include", "exclude"))
    return _conditional(problem) if problem and some else problem


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

    def judge(action: Setting) -> Problem | None:
        name = action.at("action").text().lower()
        pattern = action.at("pattern").text() if name in ("delete", "hash") else ""
        hits = action.at("key").text() == _SERVICE or bool(pattern and found_by(action, pattern, [_SERVICE]))
        if name not in _CHANGES or not hits:
            return None
        found = f"{_CHANGES[name]} {_SERVICE}: ServiceName is wrong"
        return _of_some(processor, Problem(Severity.WARNING, action, found, ("# Take it out.",)))

    yield from _each(processor.setting.at("attributes").elements(), judge)


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

    def judge(call: Call) -> Problem | None:
        problem = _of_call(call)
        return _conditional(problem) if problem and call.is_conditional else problem

    yield from _each(calls_of(processor), judge)
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
        return _problem(setting, "deletes", _matching(setting, texts[0]) if texts else [], do)
    if function == "keep_keys":
        return _problem(setting, "deletes", [key for key in _OURS if key not in texts], do)
    if function == "keep_matching_keys" and texts:
        kept = _matching(setting, texts[0])
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
    for place, pattern in setting.at("ignored_key_patterns").texts():
        ignored |= set(_matching(place, pattern))
    if not setting.at("allow_all_keys").flag(False):
        allowed = ignored | {text for _, text in setting.at("allowed_keys").texts()}
        problem = _problem(
            setting.at("allowed_keys") if setting.at("allowed_keys").is_set else setting.at("allow_all_keys"),
            "lets go of",
            [key for key in _OURS if key not in allowed],
            (
                "# Besides the keys that are there, let these go through; one key for each column:",
                *example((*processor.path, "allowed_keys"), _listed(setting.at("allowed_keys"), _OURS)),
            ),
        )
        if problem:
            yield problem

    def judge(blocked: tuple[Setting, str]) -> Problem | None:
        masked = [key for key in _matching(*blocked) if key not in ignored]
        do = example((*processor.path, "ignored_keys"), _listed(setting.at("ignored_keys"), masked))
        return _problem(blocked[0], "masks", masked, do)

    yield from _each(setting.at("blocked_key_patterns").texts(), judge)


def _listed(there: Setting, more: Iterable[str]) -> list[str]:
    """Items of a list with more of them; what came out of ``${...}`` is not shown."""
    shown = [
        "# what stands in ${...}" if item.is_expanded else f"- {_quoted(text)}" for item, text in there.texts()
    ]
    return list(dict.fromkeys((*shown, *(f"- {key}" for key in more))))


def _quoted(text: str) -> str:
    return text if all(char.isalnum() or char in "._/" for char in text) else json.dumps(text, ensure_ascii=False)


REDACTION: Final = Check(
    "keys.redaction",
    "Keys that redaction leaves",
    _WHY,
    _of_type("redaction"),
    judge_redaction,
    str,
)

CHECKS: Final = (ATTRIBUTES, RESOURCE, TRANSFORM, TRANSFORM_ERRORS, REDACTION)
