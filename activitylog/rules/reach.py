"""Rules that no event reaches, as far as it is seen from how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from activitylog.rules.conditions import event_globs
from activitylog.rules.globs import covers
from activitylog.rules.rule import Match, Rule


def hidden_rules(rules: Sequence[Rule]) -> dict[int, int]:
    """
    Rules that can never take an event, with the earlier one that takes theirs, by their indices.

    Seen are earlier rules whose every condition stands in the later one, too, and whose globs cover its globs.
    Those without conditions are an error before (:func:`~activitylog.rules.parse_rules`).
    """
    forms = [_form(rule.match) for rule in rules]
    hidden = {}
    for later, (globs, conditions) in enumerate(forms):
        for earlier in range(later):
            wide, fewer = forms[earlier]
            if fewer is None or conditions is None or not all(item in conditions for item in fewer):
                continue
            if all(any(covers(one, glob) for one in wide) for glob in globs):
                hidden[later] = earlier
                break
    return hidden


#: Globs, and conditions as keys and values; None where the match is a callable.
_Form = tuple[tuple[str, ...], list[tuple[str, Any]] | None]


def _form(match: Match) -> _Form:
    if callable(match):
        return (), None
    globs = event_globs(match) or ("*",)
    if not isinstance(match, Mapping):
        return globs, []
    conditions: list[tuple[str, Any]] = []
    for key, value in match.items():
        if key == "attributes":
            conditions += [(f"attributes.{name}", wanted) for name, wanted in value.items()]
        elif key != "event":
            conditions.append((key, value))
    return globs, conditions
