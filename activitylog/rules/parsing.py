"""
From what is written, in TOML tables or as :class:`Rule` in code, to checked rules.

Both forms go the same way and mean the same. What cannot be, contradicts itself or can never take an event is
an error: a rule that does nothing by mistake is found here or never.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from activitylog.exceptions import ConfigurationError, shown
from activitylog.rules.conditions import compile_match, event_globs, frozen
from activitylog.rules.globs import covers, is_wide
from activitylog.rules.rule import Rule
from activitylog.rules.values import MAX_NAME_LENGTH, READERS

MAX_RULES: Final = 1_000
#: Keys of a table that have another name in code, where the unit is in the name.
_IN_CODE: Final[Mapping[str, str]] = {"rollup": "rollup_seconds", "first_window": "first_window_seconds"}
_IN_TABLES: Final = {field: key for key, field in _IN_CODE.items()}
_KEYS: Final = ("match", *READERS)
_THINNING: Final = ("sample", "max_per_second", "target_per_second", "rollup")

#: Where the rule of an index is written, for messages: ``line 12 of rules.toml``.
Place = Callable[[int], str]


def parse_rules(rules: Any, *, place: Place | None = None) -> tuple[Rule, ...]:
    """
    Check rules and give each its name.

    Args:
        rules: tables (mappings, as TOML has them), :class:`Rule` objects, or a mix; in their order.
        place: where a rule is written, by its index, for messages.

    Returns:
        One rule for each, with ``match`` made immutable and a name that no other has. Checked rules come back
        equal.

    Raises:
        ConfigurationError: which rule, which key, what was given and what is accepted.

    ``drop`` without ``keep`` drops whatever the outcome is; with any other kind the default of ``keep`` holds.
    """
    given = _listed(rules)
    checked = []
    for index, item in enumerate(given):
        try:
            checked.append(_checked(item))
            continue
        except ConfigurationError as error:
            problem, hint = error.message, error.hint
        # Outside the except, without a context: its frames hold the values, which may be secrets.
        raise ConfigurationError(f"{_called(item, index, place)}: {problem}", hint=hint)
    named = _named(checked, place)
    _check_reach(named, place)
    return named


def _listed(rules: Any) -> Sequence[Any]:
    if isinstance(rules, (str, bytes, Mapping, Rule)) or not isinstance(rules, Iterable):
        raise ConfigurationError(
            f"expected a list of rules, got {shown(rules) if not isinstance(rules, Rule) else 'one Rule'}.",
            hint="Write [[rules]] above each rule in TOML, or pass a list of tables or Rules.",
        )
    try:
        given = list(itertools.islice(rules, MAX_RULES + 1))
    except Exception:  # noqa: BLE001 - an iterable of the application's own that fails
        given = None
    if given is None:
        raise ConfigurationError(f"the rules are a {type(rules).__name__} that cannot be read.")
    if len(given) > MAX_RULES:
        raise ConfigurationError(f"there are more than {MAX_RULES:,} rules.", hint="Join some by lists of globs.")
    return given


def _called(item: Any, index: int, place: Place | None) -> str:
    """A rule in a message: its number, its name where it has one, and its place."""
    name = item.get("name") if type(item) is dict else item.name if isinstance(item, Rule) else None
    called = f"rule {index + 1}"
    if isinstance(name, str) and name and name != called:
        called += f" ({shown(name)})"
    return f"{called} at {place(index)}" if place is not None else called


def _checked(item: Any) -> Rule:
    table = _table(item)
    for key in table:
        if key not in _KEYS:
            raise _unknown(key)
    if "match" not in table:
        raise ConfigurationError("match is missing.", hint='Write match = "message.*", or match = "*" for all.')
    match = frozen(table["match"])
    compile_match(match)
    shown_as = _IN_CODE if isinstance(item, Rule) else {}
    values = {
        key: READERS[key](shown_as.get(key, key), value)
        for key, value in table.items()
        if key != "match" and not (key == "name" and value == "")
    }
    _check_kind(values)
    if values.get("drop") and "keep" not in values:
        values["keep"] = frozenset()
    return Rule(match=_shortest(match), **{_IN_CODE.get(key, key): value for key, value in values.items()})


def _shortest(match: Any) -> Any:
    """One form for globs, however they are written: rules that mean the same are equal."""
    globs = event_globs(match)
    short = globs[0] if len(globs) == 1 else globs
    if isinstance(match, tuple) or (isinstance(match, Mapping) and tuple(match) == ("event",)):
        return short
    if isinstance(match, Mapping) and globs:
        return MappingProxyType({**match, "event": short})
    return match


def _table(item: Any) -> Mapping[Any, Any]:
    """What a rule says, by the keys of a table; what a Rule leaves at its default is not said."""
    if isinstance(item, Rule):
        return {
            _IN_TABLES.get(field.name, field.name): getattr(item, field.name)
            for field in dataclasses.fields(Rule)
            if field.default is dataclasses.MISSING
            or not _is_default(item, getattr(item, field.name), field.default)
        }
    if isinstance(item, Mapping):
        try:
            return dict(item.items())
        except Exception:  # noqa: BLE001 - a mapping of the application's own that fails
            item = None
    raise ConfigurationError(
        f"it is {shown(item)}, not a rule.", hint="Accepted: a table with match = ..., or in code a Rule."
    )


def _is_default(rule: Rule, value: Any, default: Any) -> bool:
    """Where a rule drops, by identity: who writes down the outcomes that are kept by default means them."""
    if value is default:
        return True
    if rule.drop is True and isinstance(default, frozenset):
        return False
    return type(value) is type(default) and bool(value == default)


def _unknown(key: Any) -> ConfigurationError:
    if isinstance(key, str) and key in _IN_TABLES:
        hint = f"Write {_IN_TABLES[key]} = '10s' in a table; {key} is the word in code."
    else:
        near = difflib.get_close_matches(key, _KEYS, n=1) if isinstance(key, str) else []
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(_KEYS)}."
    return ConfigurationError(f"there is no key {shown(key)}.", hint=hint)


# What contradicts itself.


def _check_kind(values: dict[str, Any]) -> None:
    """One kind only, and nothing that its kind does not need."""
    thinning = [key for key in _THINNING if key in values]
    kinds = [key for key in ("drop", "durable") if values.get(key)]
    kinds += ["keep"] if values.get("keep") is True else []
    if len(kinds) > 1 or (kinds and thinning):
        raise ConfigurationError(
            f"{' and '.join([*kinds, *thinning][:2])} contradict each other.",
            hint="A rule drops, keeps all, is durable, or thins. Make two of it, the narrower match first.",
        )
    if not kinds and not thinning:
        raise ConfigurationError(
            "it says nothing to be done.",
            hint="Add drop, keep or durable = true, or one of sample, max_per_second, target_per_second, rollup.",
        )
    _check_companions(values, kinds)
    _check_thinning(values)


#: What makes sense beside certain keys only.
_COMPANIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "by": ("sample", "max_per_second", "target_per_second"),
    "per": ("max_per_second", "target_per_second"),
    "first": ("sample", "max_per_second", "target_per_second"),
    "first_per": ("first",),
    "first_window": ("first",),
    "rollup_by": ("rollup",),
    "rollup_sum": ("rollup",),
    "dry_run": ("drop", *_THINNING),
    "keep": ("drop", *_THINNING),
}


def _check_companions(values: dict[str, Any], kinds: list[str]) -> None:
    for key, companions in _COMPANIONS.items():
        if key not in values or values[key] is False or (key == "keep" and values[key] is True):
            continue
        if not any(values.get(companion) for companion in companions):
            reason = f", and this rule says {kinds[0]}" if kinds else ""
            raise ConfigurationError(
                f"{key} has no meaning here{reason}.", hint=f"It belongs to {' or '.join(companions)}."
            )


def _check_thinning(values: dict[str, Any]) -> None:
    for one, other, reason in (
        ("sample", "target_per_second", "a fixed share and one that adapts"),
        ("rollup", "max_per_second", "similar events become one, or some of them are kept"),
        ("rollup", "first", "similar events become one, also the first of them"),
    ):
        if one in values and other in values:
            raise ConfigurationError(f"{one} and {other} contradict each other: {reason}.", hint="Leave one out.")
    if values.get("max_per_second") == 1 and values.get("by", "event") != "event":
        raise ConfigurationError(
            f"max_per_second is 1 with by = {shown(values['by'])}.",
            hint="Accepted: 2 or more, or by = 'event': a unit that is too large needs a place of its own.",
        )
    if frozenset(values.get("rollup_by", ())) & frozenset(values.get("rollup_sum", ())):
        raise ConfigurationError("rollup_by and rollup_sum share an attribute.", hint="Leave it in one of them.")
    if "trace" in values.get("rollup_by", ()):
        raise ConfigurationError(
            "rollup_by names the trace, which is no attribute.",
            hint="Accepted: actor, object, target, session, request_id and names of attributes.",
        )


# Names.


def _named(rules: list[Rule], place: Place | None) -> tuple[Rule, ...]:
    taken: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.name and taken.setdefault(rule.name, index) != index:
            raise ConfigurationError(
                f"{_called(rule, index, place)}: rule {taken[rule.name] + 1} has this name already.",
                hint="Give each rule a name of its own, or none.",
            )
    return tuple(
        rule if rule.name else dataclasses.replace(rule, name=_unused(_default_name(rule, index), taken))
        for index, rule in enumerate(rules)
    )


def _default_name(rule: Rule, index: int) -> str:
    name = ",".join(event_globs(rule.match))
    return name[: MAX_NAME_LENGTH - 8] if name and name.isprintable() else f"rule {index + 1}"


def _unused(name: str, taken: dict[str, int]) -> str:
    """The name, with a number where an earlier rule has it."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}#{number}"
    taken[candidate] = -1
    return candidate


# Rules that no event reaches.


def _check_reach(rules: Sequence[Rule], place: Place | None) -> None:
    """
    Raise for a rule whose events an earlier one takes all.

    An error and not a warning: the order is wrong or the rule is, and either way something is kept or dropped
    that should not be. What is seen is a rule without conditions and globs that cover the later ones.
    """
    exact: dict[str, int] = {}
    wide: dict[str, int] = {}
    for index, rule in enumerate(rules):
        globs = event_globs(rule.match)
        covering = [_covering(glob, exact, wide) for glob in globs or ("*",)]
        earlier = max(covering)
        if min(covering) >= 0:
            raise ConfigurationError(
                f"{_called(rule, index, place)}: it can never take an event, because "
                f"{_called(rules[earlier], earlier, place)} before it takes them.",
                hint="The first rule that matches wins: put the narrower one first, or remove one.",
            )
        if isinstance(rule.match, (str, tuple)):
            for glob in globs:
                (wide if is_wide(glob) else exact).setdefault(glob, index)


def _covering(glob: str, exact: Mapping[str, int], wide: Mapping[str, int]) -> int:
    """The index of the rule that takes all names of a glob; -1 when none is seen to."""
    if glob in exact:
        return exact[glob]
    return next((index for other, index in wide.items() if covers(other, glob)), -1)
