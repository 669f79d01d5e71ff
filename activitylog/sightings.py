"""
What a store has seen of events, as plain data: made by :mod:`activitylog.store.seen`, read by the catalogue.

Volumes are of all hours of the roll-up. All that is known of attributes is of sampled rows of a bounded time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

#: ``activity.schema.version`` of an event: None where it has none, a text where it is no number.
Version: TypeAlias = int | str | None


def version_of(text: str) -> Version:
    """A version as the store has it: ``"2"`` is 2, an empty text none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text or None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenKind:
    """
    Values of an attribute that can be read as the same.

    Attributes:
        kind: as :func:`activitylog.attribute_types.kind_of_text` has it.
        rows: sampled rows with such a value.
        first, last: times of the oldest and the newest of them.
        services: that sent them, some at most.
    """

    kind: str
    rows: int
    first: datetime
    last: datetime
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAttribute:
    """
    An attribute in the map ``Attributes``.

    Attributes:
        kinds: of its values, the most frequent one first.
        share: of the events, from 0 to 1, that have it: estimated from weights of the sampled rows.
    """

    name: str
    kinds: tuple[SeenKind, ...]
    share: float

    @property
    def rows(self) -> int:
        """Sampled rows that have it."""
        return sum(kind.rows for kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVersion:
    """
    The sampled rows of an event that name the same version, or none.

    Attributes:
        rows: how many were sampled.
        first, last: times of the oldest and the newest of them.
        folded: of these, several events in one, which may lack attributes that varied.
        columns: rows with a value, by what ``emit`` calls the column, else by the attribute's name; those without
            a value are left out.
        actors, objects, targets: types of them.
        services: that sent it.
    """

    version: Version
    rows: int
    first: datetime
    last: datetime
    folded: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)
    attributes: tuple[SeenAttribute, ...] = ()
    actors: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """
    An event name.

    Attributes:
        rows: that were stored, of all hours.
        events: that those rows stand for: weighted, and with what was rolled up.
        standard_error: of ``events``; 0 where nothing was sampled out.
        trust: of ``events``, as in the view ``activity_estimates``: ``exact``, ``yes``, ``ask`` or ``no``.
        first, last: the first and the last hour with rows; None where there are counters only.
        outcomes: that occurred, the most frequent one first.
        counted: emitted according to exact counters, in the days that were looked at; None without counters.
        not_kept: of these, not stored: by a rule, a budget or a loss.
        versions: of the sampled rows; empty where none were sampled.
    """

    name: str
    rows: int = 0
    events: float = 0.0
    standard_error: float = 0.0
    trust: str = "exact"
    first: datetime | None = None
    last: datetime | None = None
    outcomes: tuple[str, ...] = ()
    counted: int | None = None
    not_kept: int = 0
    versions: tuple[SeenVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """
    The whole.

    Attributes:
        events: by name.
        since, until: the days that were looked at for attributes; of events with few rows in them also older
            rows were, if that was asked for.
        sampled_rows: that were looked at for attributes.
        names: how many there are in the store; more than ``events`` where there are too many.
        unnamed_rows: rows without a name.
    """

    events: tuple[SeenEvent, ...] = ()
    since: datetime
    until: datetime
    sampled_rows: int = 0
    names: int = 0
    unnamed_rows: int = 0

    def recent(self) -> Iterator[SeenEvent]:
        """Events of those days; of their first hour, where that is not whole, what was sampled."""
        return (
            event
            for event in self.events
            if event.last is None
            or event.last >= self.since
            or any(version.last >= self.since for version in event.versions)
        )
