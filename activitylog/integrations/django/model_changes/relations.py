"""
What is told of many-to-many fields: who was added to what, and who was removed.

``conversation.members.added``: the object is the member, the target the conversation, from whichever side it was
done. Rows of a ``through`` model that are made by themselves send no such signal; register that model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.db import models

from activitylog import config
from activitylog.integrations.django.bulk.affected import Rows
from activitylog.integrations.django.model_changes.options import Captured
from activitylog.integrations.django.model_changes.saving import RAW
from activitylog.integrations.django.model_changes.telling import Telling
from activitylog.integrations.django.model_changes.watching import is_paused

#: What is told of a signal's action; ids that are removed are read before they are.
_TOLD: Final = {
    "post_add": ("added", "add"),
    "pre_remove": ("removed", "remove"),
    "pre_clear": ("removed", "clear"),
}
#: So many ids are looked for by name; of more all are read.
_MAX_LOOKED_FOR: Final = 500


def relation_receiver(captured: Captured, field: Any) -> Callable[..., None]:
    """A receiver of ``m2m_changed`` of one field's ``through``."""
    names = {kind: captured.names.get(f"{field.name}.{kind}") for kind in ("added", "removed")}

    def changed(
        action: str, instance: models.Model, reverse: bool, pk_set: set[Any] | None, using: str, **_: Any
    ) -> None:
        kind, operation = _TOLD.get(action, ("", ""))
        name = names.get(kind)
        if name is None or is_paused() or vars(instance._state).get(RAW):
            return
        try:
            side = _Side(field, instance, reverse, using)
            others = list(pk_set or ()) if kind == "added" else side.present(pk_set)
            if others:
                side.tell(captured, name, operation, others)
        except Exception as error:  # noqa: BLE001 - what is related goes on whatever is told of it; counted
            config.fail(error, name)

    return changed


class _Side:
    """One instance, and the field from its side."""

    def __init__(self, field: Any, instance: models.Model, reverse: bool, using: str) -> None:
        own, other = field.m2m_field_name(), field.m2m_reverse_field_name()
        if reverse:
            own, other = other, own
        self._field, self._reverse, self._using = field, reverse, using
        self._through = field.remote_field.through
        self._own, self._other = own, other
        self._id = self._through._meta.get_field(own).get_foreign_related_value(instance)[0]

    def present(self, asked: set[Any] | None) -> list[Any]:
        """Of those that are asked for, or of all, the ones that are related now."""
        rows = self._through._base_manager.using(self._using).filter(**{self._own: self._id})
        if asked is None or len(asked) > _MAX_LOOKED_FOR:
            found = list(rows.values_list(self._other, flat=True))
            return found if asked is None else [one for one in found if one in asked]
        return list(rows.filter(**{f"{self._other}__in": asked}).values_list(self._other, flat=True))

    def tell(self, captured: Captured, name: str, operation: str, others: Iterable[Any]) -> None:
        telling, label = Telling(self._using), self._field.remote_field.model._meta.label_lower
        if self._reverse:
            for other in others:
                telling.about(
                    captured, name, (label, self._id), target=(captured.label, other), operation=operation
                )
        else:
            target = (captured.label, self._id)
            telling.rows(captured, name, Rows.of(others), kind=label, target=target, operation=operation)
        telling.done()
