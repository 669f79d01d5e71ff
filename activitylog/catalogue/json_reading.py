"""A catalogue's JSON, read with care: people edit it, and merge it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from activitylog.attribute_types import TYPES
from activitylog.catalogue.entry import Attribute, AttributeFigures, Catalogue, Entry, EventFigures, title
from activitylog.exceptions import ConfigurationError, shown
from activitylog.sightings import Version, version_of

#: The first key of the file.
FORMAT: Final = "activitylog catalogue 1"
_WORDS: Final = ("context", "actors", "objects", "targets", "outcomes", "services")
_MARKERS: Final = ("<<<<<<<", "=======", ">>>>>>>")


class _Wrong(Exception):  # noqa: N818 - becomes a ConfigurationError with the name of the file
    """What is wrong, where, and what to write."""

    def __init__(self, where: str, found: str, hint: str = "") -> None:
        super().__init__(found)
        self.where, self.found, self.hint = where, found, hint


def catalogue_of(text: str, name: str) -> Catalogue:
    """
    Read a catalogue.

    Raises:
        ConfigurationError: it is none; says where.
    """
    try:
        return _catalogue(json.loads(text, object_pairs_hook=_once))
    except _Wrong as wrong:
        where = f", {wrong.where}" if wrong.where else ""
        raise ConfigurationError(f"{name}{where}: {wrong.found}", hint=wrong.hint or None) from None
    except RecursionError:
        raise ConfigurationError(f"{name}: it is nested too deeply for a catalogue.") from None
    except json.JSONDecodeError as error:
        conflict = any(line.startswith(_MARKERS) for line in text.splitlines())
        raise ConfigurationError(
            f"{name}, line {error.lineno}: no JSON: {error.msg}.",
            hint="It has the marks of an unfinished merge: take either side, then `activitylog catalogue update`."
            if conflict
            else f"Correct it; or move it away, and make it again: `activitylog catalogue update {name}`.",
        ) from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping, in which no key may stand twice: the second one would win in silence."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Wrong("", f"the key {shown(key)} stands twice in the same place.", "Leave one of them.")
        found[key] = value
    return found


def _catalogue(document: Any) -> Catalogue:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        given = document.get("format") if isinstance(document, dict) else document
        raise _Wrong(
            "", f"this is no catalogue: format is {shown(given)}, not {FORMAT!r}.",
            "`activitylog catalogue update FILE` makes one.",
        )  # fmt: skip
    _known("", document, ("format", "events"))
    events = _a(list, document.get("events"), "events")
    entries = [_entry(event, f"events[{number}]") for number, event in enumerate(events)]
    keys = set()
    for entry in entries:
        if entry.key in keys:
            raise _Wrong(
                "events", f"{entry.title} stands there twice.", "Leave one of them, or give it a version."
            )
        keys.add(entry.key)
    return Catalogue.of(entries)


def _entry(event: Any, where: str) -> Entry:
    facts = _a(dict, event, where)
    name = _text(facts, "name", where)
    if not name:
        raise _Wrong(where, "there is no name.", 'Write "name": "noun.verbed".')
    version = _version(facts.get("version"), f"{where}.version")
    where = f"{title(name, version)!r}"
    _known(where, facts, ("name", "version", "owner", "doc", "class", *_WORDS, "figures", "attributes"))
    attributes = _a(dict, facts.get("attributes", {}), f"{where}, attributes")
    return Entry(
        name=name,
        version=version,
        doc=_text(facts, "doc", where),
        owner=_text(facts, "owner", where),
        declared_by=_text(facts, "class", where),
        attributes=tuple(_attribute(key, attributes[key], f"{where}, {key!r}") for key in sorted(attributes)),
        **{word: _texts(facts.get(word, []), f"{where}, {word}") for word in _WORDS},
        figures=_optional(_event_figures, facts.get("figures"), f"{where}, figures"),
    )


def _version(value: Any, where: str) -> Version:
    if value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return None if value is None else version_of(str(value))
    raise _Wrong(where, f"{shown(value)} is no version.", "Write a whole number, or leave it out.")


def _attribute(name: str, value: Any, where: str) -> Attribute:
    facts = _a(dict, value, where)
    _known(where, facts, ("type", "required", "declared", "doc", "figures"))
    kind = facts.get("type")
    if kind not in TYPES:
        near = get_close_matches(str(kind), TYPES, n=1)
        known = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(TYPES)}."
        raise _Wrong(where, f"{shown(kind)} is no type.", known)
    return Attribute(
        name=name,
        type=kind,
        required=_a(bool, facts.get("required", False), f"{where}, required"),
        doc=_text(facts, "doc", where),
        declared=_a(bool, facts.get("declared", False), f"{where}, declared"),
        figures=_optional(_attribute_figures, facts.get("figures"), f"{where}, figures"),
    )


def _event_figures(facts: Mapping[str, Any], where: str) -> EventFigures:
    _known(where, facts, tuple(EventFigures.__slots__))
    counted = facts.get("counted")
    return EventFigures(
        events=_number(facts.get("events", 0), f"{where}, events"),
        standard_error=_number(facts.get("standard_error", 0), f"{where}, standard_error"),
        trust=_text(facts, "trust", where),
        rows=_whole(facts.get("rows", 0), f"{where}, rows"),
        first=_optional(_time, facts.get("first"), f"{where}, first"),
        last=_optional(_time, facts.get("last"), f"{where}, last"),
        sampled_rows=_whole(facts.get("sampled_rows", 0), f"{where}, sampled_rows"),
        counted=None if counted is None else _whole(counted, f"{where}, counted"),
        not_kept=_whole(facts.get("not_kept", 0), f"{where}, not_kept"),
    )


def _attribute_figures(facts: Mapping[str, Any], where: str) -> AttributeFigures:
    _known(where, facts, tuple(AttributeFigures.__slots__))
    kinds = _a(dict, facts.get("kinds", {}), f"{where}, kinds")
    return AttributeFigures(
        share=_number(facts.get("share", 0), f"{where}, share"),
        rows=_whole(facts.get("rows", 0), f"{where}, rows"),
        kinds={kind: _whole(rows, f"{where}, kinds") for kind, rows in kinds.items()},
    )


def _optional(read: Callable[[Any, str], Any], value: Any, where: str) -> Any:
    return None if value is None else read(value, where)


def _time(value: Any, where: str) -> datetime:
    try:
        return datetime.fromisoformat(_a(str, value, where)).astimezone(UTC)
    except ValueError:
        raise _Wrong(where, f"{shown(value)} is no time.") from None


def _number(value: Any, where: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise _Wrong(where, f"{shown(value)} is no number.")


def _whole(value: Any, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _Wrong(where, f"{shown(value)} is no whole number.")


def _text(facts: Mapping[str, Any], key: str, where: str) -> str:
    return str(_a(str, facts.get(key, ""), f"{where}, {key}"))


def _texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(sorted({str(_a(str, item, where)) for item in _a(list, value, where)}))


_NAMES: Final = {list: "a list", dict: "an object", str: "a text", bool: "true or false"}


def _a(kind: type, value: Any, where: str) -> Any:
    """The value, if it is of this JSON type."""
    if isinstance(value, kind):
        return value
    raise _Wrong(where, f"expected {_NAMES[kind]}, got {shown(value)}.")


def _known(where: str, facts: Mapping[str, Any], keys: Sequence[str]) -> None:
    if not isinstance(facts, Mapping):
        raise _Wrong(where, f"expected an object, got {shown(facts)}.")
    for key in facts:
        if key not in keys:
            near = get_close_matches(key, keys, n=1)
            raise _Wrong(
                where,
                f"there is no key {key!r}.",
                f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(keys)}.",
            )
