"""What differs between a catalogue and the classes that are declared to be events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec

from activitylog.catalogue.declared import Conflict, Declared
from activitylog.catalogue.drift import Advice, Drift
from activitylog.catalogue.entry import Attribute, Catalogue, Entry, versions_in_words


def drift_of_classes(catalogue: Catalogue, declared: Declared, advice: Advice | None = None) -> Iterator[Drift]:
    """
    Compare what classes declare with a catalogue.

    A class whose module was not imported says nothing, unless there is no such module any more.
    """
    advice = advice or Advice()
    for conflict in declared.conflicts:
        yield _conflict(conflict)
    for entry in declared.entries:
        before = catalogue.find(*entry.key)
        if before is None:
            yield _new(catalogue, entry, advice)
        else:
            yield from _changes(before, entry, advice)
    keys = {entry.key for entry in declared.entries}
    for entry in catalogue.entries:
        if entry.declared_by and entry.key not in keys and not is_unread(entry):
            yield _gone(entry, advice)


def is_unread(entry: Entry) -> bool:
    """Whether the module of the entry's class could be imported, and was not."""
    module = entry.declared_by.partition(":")[0]
    if not module or module in sys.modules:
        return False
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _conflict(conflict: Conflict) -> Drift:
    return Drift(
        kind="class-conflict",
        event=conflict.name,
        version=conflict.version,
        where=", ".join(conflict.classes),
        found=f"is declared by {len(conflict.classes)} classes: {', '.join(conflict.classes)}",
        do=("# Give one of them another name, or another version: @activitylog.event(name, version=...)",),
    )


def _new(catalogue: Catalogue, entry: Entry, advice: Advice) -> Drift:
    others = catalogue.versions(entry.name)
    return Drift(
        kind="version-new" if others else "event-new",
        event=entry.name,
        version=entry.version,
        where=entry.declared_by,
        found=f"is declared by {entry.declared_by}"
        + (f"; the catalogue has it {versions_in_words(others)}" if others else ", and is not in the catalogue"),
        do=(advice.update,),
    )


def _gone(entry: Entry, advice: Advice) -> Drift:
    return Drift(
        kind="event-gone",
        event=entry.name,
        version=entry.version,
        where=entry.declared_by,
        found=f"is not declared any more; it was by {entry.declared_by}",
        do=advice.forget,
    )


def _changes(before: Entry, now: Entry, advice: Advice) -> Iterator[Drift]:
    for attribute in now.attributes:
        known = before.attribute(attribute.name)
        if known is None:
            yield _change(
                "attribute-new", now, attribute, f"is a field ({attribute.type}) and not in the catalogue", advice
            )
        else:
            yield from _change_of_field(known, attribute, now, advice)
    for attribute in before.attributes:
        if attribute.declared and now.attribute(attribute.name) is None:
            yield _change(
                "attribute-missing",
                now,
                attribute,
                "is in the catalogue as a field, and the class has none",
                advice,
            )
    yield from _stale(before, now, advice)


def _change_of_field(before: Attribute, now: Attribute, entry: Entry, advice: Advice) -> Iterator[Drift]:
    if now.type != before.type:
        found = f"is {now.type} in the class, {before.type} in the catalogue"
        yield _change("attribute-type", entry, now, found, advice)
    if before.declared and now.required != before.required:
        found = (
            "has to be given, and need not by the catalogue"
            if now.required
            else "need not be given, and has to by the catalogue"
        )
        yield _change("attribute-required", entry, now, found, advice)


def _change(kind: str, entry: Entry, attribute: Attribute, found: str, advice: Advice) -> Drift:
    version = entry.version if isinstance(entry.version, int) else 1
    return Drift(
        kind=kind,  # type: ignore[arg-type]
        event=entry.name,
        version=entry.version,
        attribute=attribute.name,
        where=entry.declared_by,
        found=f"{found} ({entry.declared_by})",
        do=(
            "# If readers of the event would misread it now, let it be a new version: "
            f"@activitylog.event({entry.name!r}, version={version + 1})",
            "# Then, or else:",
            advice.update,
        ),
    )


def _stale(before: Entry, now: Entry, advice: Advice) -> Iterator[Drift]:
    stale = [
        name
        for name, old, new in (
            ("class", before.declared_by, now.declared_by),
            ("owner", before.owner, now.owner or before.owner),
            ("doc", before.doc, now.doc or before.doc),
        )
        if old != new
    ]
    for attribute in now.attributes:
        known = before.attribute(attribute.name)
        if known is not None and attribute.doc and attribute.doc != known.doc:
            stale.append(f"doc of {attribute.name}")
    if stale:
        yield Drift(
            kind="docs-stale",
            event=now.name,
            version=now.version,
            where=now.declared_by,
            found=f"has another {', '.join(stale)} in the catalogue than in {now.declared_by}",
            do=(advice.update,),
        )
