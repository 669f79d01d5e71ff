"""Entries of what the store has seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from activitylog.attribute_types import ENOUGH, SILENT, narrowest, text_fits
from activitylog.catalogue.entry import Attribute, AttributeFigures, Entry, EventFigures
from activitylog.sightings import SeenAttribute, SeenEvent, SeenVersion, Sightings

#: Of so many rows all must have an attribute to make it a required one.
_MANY: Final = 30


def seen_entries(sightings: Sightings) -> list[Entry]:
    """One entry for each name and version; an event of which no row was sampled has one without a version."""
    return [entry for event in sightings.events for entry in _entries(event)]


def _entries(event: SeenEvent) -> Iterable[Entry]:
    if not event.versions:
        return [Entry(name=event.name, outcomes=tuple(sorted(event.outcomes)), figures=_figures(event, 0))]
    return [_entry(event, version) for version in event.versions]


def _entry(event: SeenEvent, version: SeenVersion) -> Entry:
    return Entry(
        name=event.name,
        version=version.version,
        attributes=tuple(_attribute(attribute, version) for attribute in version.attributes),
        context=tuple(sorted(version.columns)),
        actors=version.actors,
        objects=version.objects,
        targets=version.targets,
        outcomes=tuple(sorted(event.outcomes)),
        services=version.services,
        figures=_figures(event, version.rows),
    )


def _figures(event: SeenEvent, sampled_rows: int) -> EventFigures:
    return EventFigures(
        events=event.events,
        standard_error=event.standard_error,
        trust=event.trust,
        rows=event.rows,
        first=event.first,
        last=event.last,
        sampled_rows=sampled_rows,
        counted=event.counted,
        not_kept=event.not_kept,
    )


def _attribute(attribute: SeenAttribute, version: SeenVersion) -> Attribute:
    kinds = {kind.kind: kind.rows for kind in attribute.kinds}
    return Attribute(
        name=attribute.name,
        type=narrowest(kinds),
        required=version.rows >= _MANY and attribute.rows + version.folded >= version.rows,
        figures=AttributeFigures(share=attribute.share, rows=attribute.rows, kinds=kinds),
    )


def how_sure(attribute: Attribute) -> str:
    """
    How sure the type of an attribute is, in a few words.

    Returns:
        ``declared``; ``declared, but 2 % text``; ``by 1,000 values``; ``by 3 values only``; ``98 % integer, 2 %
        text``; empty where nobody looked. A type that was read from texts is a guess however many they are: they
        may be digits by chance.
    """
    if attribute.figures is None:
        return "declared" if attribute.declared else ""
    telling = {kind: rows for kind, rows in attribute.figures.kinds.items() if kind not in SILENT}
    if attribute.type == "number" and "number" in telling:
        telling["number"] += telling.pop("integer", 0)
    values = sum(telling.values())
    if attribute.declared:
        wrong = [kind for kind in telling if not text_fits(kind, attribute.type)]
        return ", ".join(["declared", *(f"but {_percent(telling[kind], values)} {kind}" for kind in wrong)])
    if len(telling) > 1:
        return ", ".join(f"{_percent(rows, values)} {kind}" for kind, rows in telling.items())
    if not values:
        return "no value"
    return f"by {values:,} value{'s' if values != 1 else ''}{' only' if values < ENOUGH else ''}"


def _percent(part: int, whole: int) -> str:
    percent = 100 * part / whole
    return f"{percent:.0f} %" if 1 <= percent <= 99 else f"{'<1' if percent < 1 else '>99'} %"
