"""What differs between a catalogue and what the store has seen."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from activitylog.attribute_types import text_fits
from activitylog.catalogue.drift import Advice, Drift
from activitylog.catalogue.entry import KEYWORDS, Attribute, Catalogue, Entry, is_own, versions_in_words
from activitylog.sightings import SeenAttribute, SeenEvent, SeenKind, SeenVersion, Sightings

#: Keywords whose usual value stands in a column like any other, or that have no column.
_NOT_COUNTED: Final = frozenset(
    {"outcome", "count", "duration", "timestamp", "durable", "trace_id", "span_id", "trace_flags"}
)
#: What means something between double quotes.
_SPECIAL: Final = frozenset('"$`\\!')


def drift_of_store(catalogue: Catalogue, sightings: Sightings, advice: Advice | None = None) -> Iterator[Drift]:
    """
    Compare the newest days of a store with a catalogue.

    Args:
        sightings: asked without ``older``, so that a mistake which was corrected is forgotten with its days.
    """
    advice = advice or Advice()
    recent = {event.name: event for event in sightings.recent()}
    for event in recent.values():
        known = catalogue.versions(event.name)
        if not known:
            yield _new(event, advice)
            continue
        for version in event.versions:
            entry = catalogue.find(event.name, version.version)
            if entry is None:
                yield _new_version(event, version, known, advice)
            else:
                yield from _changes(entry, version, advice)
    yield from _unseen(catalogue, sightings, recent.keys(), advice)


def _new(event: SeenEvent, advice: Advice) -> Drift:
    services = _services(service for version in event.versions for service in version.services)
    if event.first is None or event.last is None:
        volume = f"{event.counted or 0:,} were counted, {event.not_kept:,} of them not kept"
    else:
        volume = f"{event.events:,.0f} events, the last {_hour(event.last)}"
    return Drift(
        kind="event-new",
        event=event.name,
        where=services,
        since=event.first,
        found=f"is emitted{_by(services)}, and is not in the catalogue; {volume}",
        do=(
            "# Who emits it, and with what:",
            f"activitylog tail --event {shlex.quote(event.name)}{advice.store}",
            "# If it is meant to be there:",
            advice.update,
        ),
    )


def _new_version(event: SeenEvent, version: SeenVersion, known: Sequence[Entry], advice: Advice) -> Drift:
    services = _services(version.services)
    what = "emitted without a version" if version.version is None else "emitted"
    return Drift(
        kind="version-none" if version.version is None else "version-new",
        event=event.name,
        version=version.version,
        where=services,
        since=version.first,
        found=f"is {what}{_by(services)}, and in the catalogue only {versions_in_words(known)}; "
        f"{version.rows:,} rows of it, the last {_minute(version.last)}",
        do=(
            "# Emitted by name instead of by its class? emit(MessageSent(...)) says the version."
            if version.version is None
            else "# Was a service deployed whose classes are newer than this catalogue?",
            "# If it is meant to be so:",
            advice.update,
        ),
    )


def _changes(entry: Entry, version: SeenVersion, advice: Advice) -> Iterator[Drift]:
    for attribute in version.attributes:
        known = entry.attribute(attribute.name)
        if known is None:
            yield _new_attribute(entry, attribute, version, advice)
        elif wrong := [kind for kind in attribute.kinds if not text_fits(kind.kind, known.type)]:
            yield _other_type(entry, known, wrong, attribute.rows, advice)
    for known in entry.attributes:
        missing = _missing(known, version)
        if missing > 0:
            yield _missing_attribute(entry, known, version, missing, advice)


def _new_attribute(entry: Entry, attribute: SeenAttribute, version: SeenVersion, advice: Advice) -> Drift:
    services = _services(service for kind in attribute.kinds for service in kind.services)
    return Drift(
        kind="attribute-new",
        event=entry.name,
        version=entry.version,
        attribute=attribute.name,
        where=services,
        since=min(kind.first for kind in attribute.kinds),
        found=f"is not in the catalogue, and in {attribute.rows:,} of {version.rows:,} rows{_from(services)}",
        do=(
            "# Since when, from which service:",
            _sql(entry.name, f"mapContains(Attributes, {_quoted(attribute.name)})", advice),
            "# If it is meant to be there:",
            advice.update,
        ),
    )


def _other_type(entry: Entry, known: Attribute, wrong: Sequence[SeenKind], rows: int, advice: Advice) -> Drift:
    services = _services(service for kind in wrong for service in kind.services)
    kinds = ", ".join(f"{kind.kind} in {kind.rows:,}" for kind in wrong)
    return Drift(
        kind="attribute-type",
        event=entry.name,
        version=entry.version,
        attribute=known.name,
        where=services,
        since=min(kind.first for kind in wrong),
        found=f"is {known.type} in the catalogue, and {kinds} of {rows:,} rows{_from(services)}; "
        f"the last {_minute(max(kind.last for kind in wrong))}",
        do=(
            "# Which values, since when, from which service:",
            _values(entry.name, known.name, advice),
            "# Correct who emits it; or, if the new type is right, and readers can do with it:",
            advice.update,
        ),
    )


def _missing(known: Attribute, version: SeenVersion) -> int:
    """Sampled rows that lack an attribute which all should have."""
    if not known.required or known.name in _NOT_COUNTED or not (known.name in KEYWORDS or is_own(known.name)):
        return 0
    if known.name in KEYWORDS:
        have = version.columns.get(known.name, 0)
    else:
        have = next((one.rows for one in version.attributes if one.name == known.name), 0)
    return version.rows - version.folded - have


def _missing_attribute(
    entry: Entry, known: Attribute, version: SeenVersion, missing: int, advice: Advice
) -> Drift:
    services = _services(version.services)
    is_keyword = known.name in KEYWORDS
    return Drift(
        kind="attribute-missing",
        event=entry.name,
        version=entry.version,
        attribute=known.name,
        where=services,
        guessed=not known.declared,
        found=f"is required by the catalogue, and not in {missing:,} of {version.rows:,} rows "
        f"between {_minute(version.first)} and {_minute(version.last)}{_from(services)}",
        do=(
            *(
                ()
                if is_keyword
                else (
                    "# Since when, from which service:",
                    _sql(entry.name, f"NOT mapContains(Attributes, {_quoted(known.name)})", advice),
                )
            ),
            "# Correct who emits it; or, if it need not be there:",
            advice.update,
        ),
    )


def _unseen(catalogue: Catalogue, sightings: Sightings, recent: Iterable[str], advice: Advice) -> Iterator[Drift]:
    if sightings.names > sum(event.first is not None for event in sightings.events):
        return  # the store has more names than were told: who is not among them may be there
    there = set(recent)
    last = {event.name: event.last for event in sightings.events}
    for name in dict.fromkeys(entry.name for entry in catalogue.entries):
        if name in there:
            continue
        seen = last.get(name)
        found = f"was last seen {_hour(seen)}" if seen else "was never seen in this store"
        yield Drift(
            kind="event-unseen",
            event=name,
            since=seen,
            found=f"{found}; looked at from {_minute(sightings.since)} to {_minute(sightings.until)}",
            do=(
                "# Rare, or not deployed yet? Look at more days: --days.",
                "# Dropped by a rule?",
                "activitylog rules check",
                *advice.forget,
            ),
        )


def _services(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


def _by(services: str) -> str:
    return f" by {services}" if services else ""


def _from(services: str) -> str:
    return f", from {services}" if services else ""


def _hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H}h UTC"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _word(text: str) -> str:
    """One word for a shell, in double quotes where that can be."""
    return shlex.quote(text) if _SPECIAL & set(text) else f'"{text}"'


def _quoted(text: str) -> str:
    """A text of SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _sql(event: str, condition: str, advice: Advice) -> str:
    sql = (
        "SELECT ServiceName, min(Timestamp) AS first, max(Timestamp) AS last, count() AS rows "  # noqa: S608 - quoted
        f"FROM activity_events WHERE EventName = {_quoted(event)} AND {condition} GROUP BY ServiceName"
    )
    return f"activitylog sql {_word(sql)}{advice.store}"


def _values(event: str, attribute: str, advice: Advice) -> str:
    name = _quoted(attribute)
    sql = (
        f"SELECT Attributes[{name}] AS value, ServiceName, min(Timestamp) AS first, count() AS rows "  # noqa: S608
        f"FROM activity_events WHERE EventName = {_quoted(event)} AND mapContains(Attributes, {name}) "
        "GROUP BY value, ServiceName ORDER BY first DESC LIMIT 20"
    )
    return f"activitylog sql {_word(sql)}{advice.store}"
