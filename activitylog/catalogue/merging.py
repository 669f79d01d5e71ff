"""Entries of classes and of the store as one catalogue, and an older catalogue brought up to date with that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from activitylog.attribute_types import narrowest, text_fits
from activitylog.catalogue.entry import KEYWORDS, Attribute, Catalogue, Entry

_WORDS: Final = ("context", "actors", "objects", "targets", "outcomes", "services")


@dataclass(frozen=True, slots=True)
class Sources:
    """
    Who was asked, so that silence means something.

    Attributes:
        classes: the classes were looked at.
        store: the store was.
    """

    classes: bool = False
    store: bool = False


def combine(declared: Iterable[Entry], seen: Iterable[Entry]) -> Catalogue:
    """What classes declare, with what the store has beside it; and what only the store has."""
    by_key = {entry.key: entry for entry in seen}
    together = [_with_seen(entry, by_key.pop(entry.key, None)) for entry in declared]
    return Catalogue.of([*together, *by_key.values()])


def _with_seen(entry: Entry, seen: Entry | None) -> Entry:
    if seen is None:
        return entry
    found = {attribute.name: attribute for attribute in seen.attributes}
    own = [
        replace(attribute, figures=found.pop(attribute.name).figures) if attribute.name in found else attribute
        for attribute in entry.attributes
    ]
    return replace(
        entry,
        attributes=_by_name([*own, *(found[name] for name in found if name not in KEYWORDS)]),
        figures=seen.figures,
        **_union(entry, seen),
    )


def update(old: Catalogue, new: Catalogue, sources: Sources, *, prune: bool = False) -> Catalogue:
    """
    Bring a catalogue up to date.

    Args:
        old: as it was; what people wrote into it stays.
        new: what classes and the store say now.
        sources: who was asked for ``new``.
        prune: forget what neither has any more. Otherwise an event stays, and so does an attribute without a
            field, since a sample of rows need not have all of them.

    What a class says counts more than the old catalogue, and that more than texts in the store: a type stays for
    as long as what the store has can be read as it, and becomes wider otherwise.
    """
    before = {entry.key: entry for entry in old.entries}
    after = {entry.key: entry for entry in new.entries}
    entries = [
        _updated(before[key], after[key], sources, prune=prune) if key in before else after[key] for key in after
    ]
    for key, entry in before.items():
        if key not in after and not (prune and (sources.classes if entry.declared_by else sources.store)):
            entries.append(_without_class(entry) if sources.classes else entry)
    return Catalogue.of(entries)


def _without_class(entry: Entry) -> Entry:
    """The entry, declared by nobody any more."""
    attributes = tuple(replace(attribute, declared=False) for attribute in entry.attributes)
    return replace(entry, declared_by="", attributes=attributes)


def _updated(old: Entry, new: Entry, sources: Sources, *, prune: bool) -> Entry:
    is_declared = bool(new.declared_by) or (bool(old.declared_by) and not sources.classes)
    sampled = new.figures.sampled_rows if new.figures else 0
    attributes = []
    found = {attribute.name: attribute for attribute in new.attributes}
    for attribute in old.attributes:
        now = found.pop(attribute.name, None)
        if now is not None:
            attributes.append(_attribute(attribute, now, sampled, keeps_class=not sources.classes))
        elif not sources.classes or not attribute.declared:
            if attribute.declared or not (prune and sampled):
                attributes.append(attribute)
        elif not is_declared:
            attributes.append(replace(attribute, declared=False))
    return replace(
        new,
        doc=new.doc or old.doc,
        owner=new.owner or old.owner,
        declared_by=(new.declared_by or old.declared_by) if is_declared else "",
        attributes=_by_name([*attributes, *found.values()]),
        **({} if prune else _union(old, new)),
    )


def _attribute(old: Attribute, new: Attribute, sampled: int, *, keeps_class: bool) -> Attribute:
    if new.declared:
        return replace(new, doc=new.doc or old.doc)
    if old.declared and keeps_class:
        return replace(old, figures=new.figures)
    rows = new.figures.rows if new.figures else 0
    return replace(
        old,
        type=_type(old.type, new),
        required=old.required and (new.required or rows >= sampled),
        declared=False,
        figures=new.figures,
    )


def _type(old: str, new: Attribute) -> str:
    """The old type where it admits all that was seen, else the narrowest that admits both."""
    kinds: Mapping[str, int] = new.figures.kinds if new.figures else {new.type: 1}
    if all(text_fits(kind, old) for kind in kinds):
        return old
    return narrowest([old, *kinds])


def _union(one: Entry, other: Entry) -> dict[str, Any]:
    return {name: tuple(sorted({*getattr(one, name), *getattr(other, name)})) for name in _WORDS}


def _by_name(attributes: Iterable[Attribute]) -> tuple[Attribute, ...]:
    return tuple(sorted(attributes, key=lambda attribute: attribute.name))
