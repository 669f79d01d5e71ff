"""Hypothesis strategies: any catalogue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from hypothesis import strategies as st

from activitylog.attribute_types import SILENT, TYPES, narrowest
from activitylog.catalogue import Attribute, AttributeFigures, Catalogue, Entry, EventFigures
from activitylog.sightings import version_of

#: What texts of a store can be read as.
KINDS = sorted({*TYPES, *SILENT} - {"any", "bytes"})
_NAMES = st.text(min_size=1, max_size=6)
_WORDS = st.sets(st.text(max_size=3), max_size=2).map(lambda words: tuple(sorted(words)))
_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_COUNTS = st.integers(0, 10**12)

ATTRIBUTE_FIGURES = st.builds(
    AttributeFigures,
    share=st.integers(0, 10_000).map(lambda share: share / 10_000),
    rows=_COUNTS,
    kinds=st.dictionaries(st.sampled_from(KINDS), _COUNTS, max_size=3),
)
ATTRIBUTES = st.builds(
    Attribute,
    name=_NAMES,
    type=st.sampled_from(TYPES),
    required=st.booleans(),
    doc=st.text(max_size=8),
    declared=st.booleans(),
    figures=st.none() | ATTRIBUTE_FIGURES,
)
EVENT_FIGURES = st.builds(
    EventFigures,
    events=_FINITE,
    standard_error=_FINITE,
    trust=st.sampled_from(["exact", "yes", "ask", "no"]),
    rows=_COUNTS,
    first=st.none() | st.datetimes(timezones=st.just(UTC)),
    last=st.none() | st.datetimes(timezones=st.just(UTC)),
    sampled_rows=_COUNTS,
    counted=st.none() | _COUNTS,
    not_kept=_COUNTS,
)
ENTRIES = st.builds(
    Entry,
    name=_NAMES,
    version=st.none() | st.integers(0, 99) | st.text(max_size=5).map(version_of),
    doc=st.text(max_size=8),
    owner=st.text(max_size=10),
    declared_by=st.text(max_size=5),
    attributes=st.lists(ATTRIBUTES, max_size=3, unique_by=lambda one: one.name).map(
        lambda found: tuple(sorted(found, key=lambda one: one.name))
    ),
    context=_WORDS,
    actors=_WORDS,
    objects=_WORDS,
    targets=_WORDS,
    outcomes=_WORDS,
    services=_WORDS,
    figures=st.none() | EVENT_FIGURES,
)
CATALOGUES = st.lists(ENTRIES, max_size=3).map(Catalogue.of)


def as_found(catalogue: Catalogue) -> Catalogue:
    """The same as classes and a store could say it: fields are declared, all else has the type of its texts."""
    return Catalogue(tuple(map(_entry_as_found, catalogue.entries)))


def _entry_as_found(entry: Entry) -> Entry:
    return replace(
        entry, attributes=tuple(_attribute_as_found(one, bool(entry.declared_by)) for one in entry.attributes)
    )


def _attribute_as_found(attribute: Attribute, has_class: bool) -> Attribute:
    if attribute.declared and has_class:
        return attribute
    figures = attribute.figures or AttributeFigures(share=1.0, rows=1, kinds={"text": 1})
    return replace(attribute, declared=False, doc="", type=narrowest(figures.kinds), figures=figures)
