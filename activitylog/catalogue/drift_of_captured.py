"""What differs between a catalogue and events that a test captured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from activitylog.attribute_types import kind_of_value, value_fits
from activitylog.catalogue.drift import Drift, Kind, ordered
from activitylog.catalogue.entry import KEYWORDS, Catalogue, Entry, is_own, versions_in_words
from activitylog.catalogue.json_file import load
from activitylog.event import ATTRIBUTE_OF_KEY
from activitylog.sightings import version_of

_VERSION = "activity.schema.version"
_VARIED = "activity.rollup.varied"


class Captured(Protocol):
    """An event as :class:`activitylog.testing.CapturedEvent` has it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes of the log record."""

    @property
    def message(self) -> Any:
        """The body."""


def check_events(events: Iterable[Captured], catalogue: Catalogue | str | Path) -> list[Drift]:
    """
    Compare captured events with a catalogue; no store is needed.

    Args:
        events: of the pytest fixture ``activity``, or of ``capture_activities``.
        catalogue: or the file that it is in.

    Returns:
        Each difference once, by event.

    Raises:
        ConfigurationError: the file is no catalogue.
    """
    known = catalogue if isinstance(catalogue, Catalogue) else load(catalogue)
    found: dict[tuple[Any, ...], Drift] = {}
    for number, event in enumerate(events, 1):
        for drift in _drift(event, known, f"captured event {number}"):
            found.setdefault((drift.kind, drift.event, drift.version, drift.attribute), drift)
    return ordered(found.values())


def assert_events(events: Iterable[Captured], catalogue: Catalogue | str | Path) -> None:
    """
    Check that captured events are as the catalogue says; what may be meant to be otherwise (warnings) passes.

    Args:
        events: of the pytest fixture ``activity``, or of ``capture_activities``.
        catalogue: or the file that it is in.

    Raises:
        AssertionError: they are not; a line a difference.
        ConfigurationError: the file is no catalogue.
    """
    found = [drift for drift in check_events(events, catalogue) if drift.severity == "error"]
    if found:
        lines = "\n".join(f"  {drift}" for drift in found)
        raise AssertionError(
            f"what was emitted is not what the catalogue says:\n{lines}\n"
            "If it is meant to be so, bring the catalogue up to date: activitylog catalogue update FILE"
        )


def _drift(event: Captured, catalogue: Catalogue, where: str) -> Iterator[Drift]:
    version = version_of(str(event.attributes.get(_VERSION, "")))
    entry = catalogue.find(event.name, version)
    if entry is not None:
        yield from _changes(entry, event, where)
        return
    others = catalogue.versions(event.name)
    kind: Kind = "event-new" if not others else "version-none" if version is None else "version-new"
    found = (
        "is not in the catalogue"
        if not others
        else f"was emitted{' without a version' if version is None else ''}; "
        f"the catalogue has it {versions_in_words(others)}"
    )
    yield Drift(kind=kind, event=event.name, version=version, where=where, found=found)


def _changes(entry: Entry, event: Captured, where: str) -> Iterator[Drift]:
    for name, value in event.attributes.items():
        if not is_own(name):
            continue
        known = entry.attribute(name)
        if known is None:
            yield _change("attribute-new", entry, name, f"({kind_of_value(value)}) is not in the catalogue", where)
        elif not value_fits(value, known.type):
            found = f"is {known.type} in the catalogue, and {kind_of_value(value)} here"
            yield _change("attribute-type", entry, name, found, where)
    varied = event.attributes.get(_VARIED, ())
    for attribute in entry.attributes:
        if attribute.required and attribute.name not in varied and not _has(event, attribute.name):
            found = "is required, and not there"
            yield _change("attribute-missing", entry, attribute.name, found, where, guessed=not attribute.declared)


def _has(event: Captured, name: str) -> bool:
    if name not in KEYWORDS:
        return name in event.attributes
    if name in ("actor", "object", "target"):
        return f"activity.{name}.id" in event.attributes or (name == "actor" and "user.id" in event.attributes)
    if name == "objects":
        return "activity.object.ids" in event.attributes
    if name == "message":
        return bool(event.message)
    attribute = ATTRIBUTE_OF_KEY.get(name)
    # What is left has no attribute, or none for its usual value.
    return attribute is None or name in ("outcome", "count", "duration") or attribute in event.attributes


def _change(kind: Kind, entry: Entry, attribute: str, found: str, where: str, *, guessed: bool = False) -> Drift:
    return Drift(
        kind=kind,
        event=entry.name,
        version=entry.version,
        attribute=attribute,
        where=where,
        found=found,
        guessed=guessed,
    )
