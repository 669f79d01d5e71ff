"""
What differs between a catalogue and what is: of a kind each, with where, since when, and what to do.

======================  ====================================================================================
``event-new``           an event is declared or emitted that is not in the catalogue
``version-new``         a version is, of an event that is
``version-none``        an event of which the catalogue knows versions is emitted without one
``event-gone``          no class declares an event any more of which the catalogue says so
``event-unseen``        the store has had no such event in the days that were looked at
``attribute-new``       an attribute that is not in the catalogue
``attribute-missing``   an attribute that every event should have is not there
``attribute-type``      an attribute has another type
``attribute-required``  a field need not be given any more, or has to be given from now on
``class-conflict``      several classes declare the same name and version
``docs-stale``          class, owner or documentation are not what the catalogue says
======================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

from activitylog.catalogue.entry import title
from activitylog.sightings import Version
from activitylog.visible import visible

Kind = Literal[
    "event-new",
    "version-new",
    "version-none",
    "event-gone",
    "event-unseen",
    "attribute-new",
    "attribute-missing",
    "attribute-type",
    "attribute-required",
    "class-conflict",
    "docs-stale",
]

#: Kinds that need not be wrong.
WARNINGS: Final = frozenset({"version-none", "event-unseen", "docs-stale"})
#: For people: what a kind is called, and why it matters.
WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "event-new": (
            "an event is not in the catalogue",
            "Nobody who reads the catalogue knows of it: no owner, no meaning, and its name may be a slip.",
        ),
        "version-new": (
            "a version is not in the catalogue",
            "Its attributes may mean something else than those that are described.",
        ),
        "version-none": (
            "an event comes without its version",
            "It was emitted by its name instead of its class, so that nothing looked at its attributes.",
        ),
        "event-gone": (
            "an event is not declared any more",
            "The catalogue promises an event that no class makes.",
        ),
        "event-unseen": (
            "an event is not seen any more",
            "Questions and alerts that count it find nothing, and nobody is told.",
        ),
        "attribute-new": (
            "an attribute is not in the catalogue",
            "Nobody who reads the catalogue knows what it means, nor whether it may be kept.",
        ),
        "attribute-missing": (
            "an attribute is missing",
            "Questions that group by it or add it up leave these events out.",
        ),
        "attribute-type": (
            "an attribute has another type",
            "Sums, comparisons and typed columns of it read 0 or nothing where the text is not of their type.",
        ),
        "attribute-required": (
            "what has to be given has changed",
            "Whoever emits the event, or relies on the attribute, goes by the catalogue.",
        ),
        "class-conflict": (
            "classes contradict each other",
            "Events of both are taken for the same, with the same version, and cannot be told apart.",
        ),
        "docs-stale": (
            "the catalogue says something else than the class",
            "People read the catalogue, not the class.",
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """
    A difference.

    Attributes:
        kind: see the top of this module; stable, for scripts.
        event: name.
        attribute: of the event; empty where it is about the whole event.
        where: a class, services, or which captured event.
        since: when it was first seen; None where nobody can know.
        found: what was found, in a sentence.
        guessed: nobody has declared what is missed; it was there in all rows when the catalogue was made.
        do: what to do, in order; a line that begins with ``#`` is a word to the reader, any other one a command.
    """

    kind: Kind
    event: str
    version: Version = None
    attribute: str = ""
    where: str = ""
    since: datetime | None = None
    found: str
    guessed: bool = False
    do: tuple[str, ...] = ()

    @property
    def severity(self) -> Literal["error", "warning"]:
        """``warning`` where it may be meant to be so."""
        return "warning" if self.guessed or self.kind in WARNINGS else "error"

    @property
    def title(self) -> str:
        """What it is about: ``message.sent, version 2: channel``."""
        return title(self.event, self.version) + (f": {self.attribute}" if self.attribute else "")

    def __str__(self) -> str:
        return visible(f"{self.title}: {self.found} ({self.kind})")


@dataclass(frozen=True, slots=True)
class Advice:
    """
    Commands that findings name.

    Attributes:
        update: brings the catalogue up to date.
        store: behind a command, to ask the same store: `` --url URL``, or empty.
    """

    update: str = "activitylog catalogue update catalogue.json"
    store: str = ""

    @property
    def forget(self) -> tuple[str, ...]:
        """How an event leaves the catalogue."""
        return (
            "# If it is gone for good, take it out of the file; or forget all that no class declares and the "
            "store had not for ninety days:",
            f"{self.update} --prune --days 90",
        )


def ordered(found: Iterable[Drift]) -> list[Drift]:
    """By event, then as they were found."""
    return sorted(found, key=lambda one: (one.event, one.severity != "error"))
