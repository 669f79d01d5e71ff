"""Entries of the classes under ``@activitylog.event``, and those that contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activitylog.catalogue.entry import KEYWORDS, Attribute, Entry, is_own, title
from activitylog.catalogue.fields import ClassField, class_doc, class_fields
from activitylog.sightings import Version, version_of
from activitylog.typed import EventType, declared_classes


@dataclass(frozen=True, slots=True)
class Conflict:
    """
    Classes that declare the same name and version.

    Attributes:
        classes: ``myapp.events:MessageSent``, two or more, by name.
    """

    name: str
    version: Version
    classes: tuple[str, ...]

    def __str__(self) -> str:
        count = len(self.classes)
        return f"{title(self.name, self.version)} is declared by {count} classes: {', '.join(self.classes)}"


@dataclass(frozen=True, slots=True)
class Declared:
    """
    All that is declared.

    Attributes:
        entries: one for each name and version.
        conflicts: where several classes have the same; the first of them is the entry.
    """

    entries: tuple[Entry, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


def declared(*modules: str) -> Declared:
    """
    The events that classes in this process declare.

    Args:
        modules: only classes of these, and of modules inside them; all by default.
    """
    entries: dict[Any, list[Entry]] = {}
    for cls, event_type in declared_classes():
        if not modules or _is_inside(cls.__module__, modules):
            entry = entry_of_class(cls, event_type)
            entries.setdefault(entry.key, []).append(entry)
    return Declared(
        tuple(found[0] for found in entries.values()),
        tuple(
            Conflict(name, version, tuple(entry.declared_by for entry in found))
            for (name, version), found in sorted(entries.items(), key=lambda item: str(item[0]))
            if len(found) > 1
        ),
    )


def entry_of_class(cls: type, event_type: EventType) -> Entry:
    """The entry of a class that was declared to be such an event."""
    fields = class_fields(cls)
    version = None if event_type.version is None else version_of(str(event_type.version))
    return Entry(
        name=event_type.name,
        version=version,
        doc=class_doc(cls),
        owner=event_type.owner or "",
        declared_by=f"{cls.__module__}:{cls.__qualname__}",
        attributes=tuple(_attribute(field) for field in sorted(fields, key=lambda field: field.name)),
        context=tuple(sorted(field.name for field in fields if field.name in KEYWORDS or not is_own(field.name))),
    )


def _attribute(field: ClassField) -> Attribute:
    return Attribute(name=field.name, type=field.type, required=field.required, doc=field.doc, declared=True)


def _is_inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
