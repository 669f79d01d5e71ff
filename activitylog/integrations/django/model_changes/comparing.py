"""What is about to be, or was, written of an instance, beside what it was loaded with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.db import models

from activitylog.integrations.django.model_changes.fields import UNKNOWN
from activitylog.integrations.django.model_changes.frozen import freeze, thaw
from activitylog.integrations.django.model_changes.loaded import Loaded, kept
from activitylog.integrations.django.model_changes.watching import Watched


class Difference(NamedTuple):
    """
    An instance that is written, by the names of columns.

    Attributes:
        before: what is known of its row, frozen; empty when it is the row of somebody else, or was not loaded.
        written: values that are written.
        changed: those of them that differ from what is known, or of which nothing is.
    """

    before: Mapping[str, Any]
    written: Mapping[str, Any]
    changed: Mapping[str, Any]

    def old(self) -> dict[str, Any]:
        """What the changed ones were; UNKNOWN where only a hash was kept."""
        return {name: thaw(self.before[name], UNKNOWN) for name in self.changed if name in self.before}


def difference(
    one: Watched, instance: models.Model, names: Collection[str] | None, *, created: bool = False
) -> Difference:
    """
    Compare.

    Args:
        names: fields that are written, by either name; None for all that the instance has.
        created: the row is new; nothing was known.
    """
    present = vars(instance)
    before = kept(instance)
    if created or any(before.get(key, UNKNOWN) != present.get(key) for key in one.keys):
        before = {}
    written, changed = {}, {}
    for name, field in one.fields.items():
        if name not in present or not (names is None or name in names or field.name in names):
            continue
        written[name] = value = field.current(present[name])
        if name not in before or value is UNKNOWN or field.differs(before[name], value):
            changed[name] = value
    return Difference(before, written, changed)


def loaded_now(one: Watched, instance: models.Model, found: Difference) -> Loaded:
    """What is known of an instance once it is written."""
    known = dict(found.before)
    for name, value in found.written.items():
        if value is UNKNOWN:
            known.pop(name, None)
        else:
            known[name] = freeze(value)
    for key in one.keys:
        known[key] = vars(instance).get(key)
    return tuple(known), tuple(known.values())
