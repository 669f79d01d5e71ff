"""
What a catalogue is: entries, one for each event name and version, each with its attributes.

The keys under which ``emit`` takes what every event may have (``actor``, ``tenant``, ``session``, …) are no
attributes of the application's own: an entry has them as its ``context``. Fields of a declared class that are
called so are attributes of the entry all the same, with their documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from activitylog.event import ATTRIBUTE_OF_KEY, ENTITY_KEYS, FIELDS
from activitylog.sightings import Version

#: What a field of a declared class may be called so that it is no attribute of the application's own.
KEYWORDS: Final = frozenset(
    {
        *ENTITY_KEYS,
        *ATTRIBUTE_OF_KEY,
        "objects",
        "message",
        "timestamp",
        "durable",
        "trace_id",
        "span_id",
        "trace_flags",
    }
)
_OURS: Final = frozenset(known.attribute for known in FIELDS)


def is_own(name: str) -> bool:
    """Whether an attribute of a record is the application's own, and not one that any event may have."""
    return name not in _OURS and not name.startswith("activity.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeFigures:
    """
    What the store has of an attribute.

    Attributes:
        share: of the events, from 0 to 1, that have it.
        rows: sampled rows that have it.
        kinds: those rows, by what their values can be read as.
    """

    share: float
    rows: int
    kinds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """
    An attribute of an event.

    Attributes:
        type: one of :data:`activitylog.attribute_types.TYPES`.
        required: every event has it. Of a class: it has to be given and cannot be None. Of rows: all that were
            looked at had it, and they were not few.
        doc: what it means.
        declared: it is a field of the class.
        figures: of the store; None where it was not asked.
    """

    name: str
    type: str
    required: bool = False
    doc: str = ""
    declared: bool = False
    figures: AttributeFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigures:
    """
    What the store has of an event. Volumes are those of the name, whatever the version.

    Attributes:
        events: weighted, and with what was rolled up.
        standard_error: of ``events``; 0 where nothing was sampled out.
        trust: as in the view ``activity_estimates``.
        rows: that were stored.
        first, last: the first and the last hour with rows; None where there are counters only.
        sampled_rows: of this version, that were looked at.
        counted: emitted by exact counters in the days that were looked at; None without counters.
        not_kept: of these, not stored.
    """

    events: float = 0.0
    standard_error: float = 0.0
    trust: str = "exact"
    rows: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sampled_rows: int = 0
    counted: int | None = None
    not_kept: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    An event.

    Attributes:
        version: of a class, or that the rows name; None without one.
        doc: what it means.
        owner: who is asked about it.
        declared_by: the class, ``myapp.events:MessageSent``; empty where none declares it.
        attributes: by name.
        context: what else its events have: keys of ``emit``, else names of attributes.
        actors, objects, targets: types of them.
        figures: of the store; None where it was not asked, or has no such event.
    """

    name: str
    version: Version = None
    doc: str = ""
    owner: str = ""
    declared_by: str = ""
    attributes: tuple[Attribute, ...] = ()
    context: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    figures: EventFigures | None = None

    @property
    def key(self) -> tuple[str, Version]:
        """What no two entries have in common."""
        return self.name, self.version

    @property
    def title(self) -> str:
        """``message.sent``, or ``message.sent, version 2``."""
        return title(self.name, self.version)

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of this name."""
        return next((one for one in self.attributes if one.name == name), None)


def versions_in_words(entries: Iterable[Entry]) -> str:
    """``without a version``, ``as version 1 and 2``, ``without a version and as version 2``."""
    versions = [entry.version for entry in entries]
    numbered = " and ".join(str(version) for version in versions if version is not None)
    words = [
        *(["without a version"] if None in versions else []),
        *([f"as version {numbered}"] if numbered else []),
    ]
    return " and ".join(words)


def title(name: str, version: Version) -> str:
    """An event as people call it."""
    return name if version is None else f"{name}, version {version}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """
    Entries in the order of their names and versions, each once.

    Attributes:
        entries: of all events.
    """

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Catalogue:
        """
        A catalogue of these entries, in any order.

        Of two with the same name and version the first one counts.
        """
        by_key: dict[Any, Entry] = {}
        for entry in entries:
            by_key.setdefault(entry.key, entry)
        return cls(tuple(sorted(by_key.values(), key=lambda entry: (entry.name, sort_key(entry.version)))))

    def find(self, name: str, version: Version) -> Entry | None:
        """The entry of this name and version."""
        return next((entry for entry in self.entries if entry.key == (name, version)), None)

    def versions(self, name: str) -> list[Entry]:
        """The entries of this name."""
        return [entry for entry in self.entries if entry.name == name]


def sort_key(version: Version) -> tuple[int, int, str]:
    """None, then numbers, then texts."""
    if version is None:
        return 0, 0, ""
    return (1, version, "") if isinstance(version, int) else (2, 0, version)
