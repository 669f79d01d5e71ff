"""
django-auditlog: its entries as events, and the import of those that are there.

Beside the rows, in an ``AppConfig``'s ``ready()``::

    from activitylog.integrations.django.moving_in import auditlog
    auditlog.connect()

Instead of the rows, by the setting that the library has for it::

    @legacy_model(auditlog.MAPPING)
    class AuditEntry(AbstractLogEntry):
        class Meta(AbstractLogEntry.Meta):
            managed = False                      # the library's own table, where its history is
            db_table = "auditlog_logentry"

    AUDITLOG_LOGENTRY_MODEL = "chat.AuditEntry"

Either way what the library does to know what changed remains: it reads the old row before each update, and looks
at all fields. Its signals ``pre_log`` and ``post_log`` are not used: they are not sent for many-to-many relations,
and before a row is prevented by the first nobody has said what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from django.db import models
from django.db.models.signals import post_save

from activitylog import config
from activitylog.integrations.django.moving_in import emission
from activitylog.integrations.django.moving_in.changes import name_of, parsed, told
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.plan import LEGACY_MODEL, LEGACY_PK, Plan
from activitylog.integrations.django.moving_in.rows import columns_of, values_of

_VERBS: Final = ("created", "updated", "deleted", "accessed")
_OF_RELATIONS: Final = {"add": "added", "delete": "removed"}


def _adjusted(event: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    thing, action = event.get("object"), row.get("action")
    verb = _VERBS[action] if isinstance(action, int) and 0 <= action < len(_VERBS) else "changed"
    changes = parsed(row.get("changes") or row.get("changes_text"))
    field, change = next(iter(changes.items()), ("", None))
    if isinstance(change, Mapping) and change.get("type") == "m2m":
        operation = _OF_RELATIONS.get(str(change.get("operation")), "changed")
        return {**event, "event": name_of(thing, operation, field), "related": list(change.get("objects") or ())}
    return {**event, "event": name_of(thing, verb), **told(changes)}


#: Of ``auditlog.LogEntry``, and of models that inherit from its ``AbstractLogEntry``.
MAPPING: Final = LegacyMapping(
    object="object_pk",
    ignore=["object_id", "changes", "changes_text", "serialized_data", "actor_email", "remote_port"],
    adjust=_adjusted,
)


def connect(*, on_commit: bool = True) -> None:
    """
    Emit an event for each entry that is written from now on; called again it changes nothing.

    Args:
        on_commit: when the transaction is committed, and not at all when it is rolled back.
    """
    from auditlog import get_logentry_model  # type: ignore[import-untyped]

    receiver = _emit_on_commit if on_commit else _emit_at_once
    post_save.connect(receiver, sender=get_logentry_model(), dispatch_uid="activitylog.auditlog")


def _emit_on_commit(instance: models.Model, created: bool, raw: bool, using: str, **_rest: Any) -> None:
    if created and not raw:
        _emit(instance, using)


def _emit_at_once(instance: models.Model, created: bool, raw: bool, **_rest: Any) -> None:
    if created and not raw:
        _emit(instance, None)


def _emit(entry: models.Model, using: str | None) -> None:
    try:
        plan = _plan(type(entry))
        event = plan.event(values_of(entry, plan.reads))
        if event is not None:
            event[LEGACY_MODEL], event[LEGACY_PK] = entry._meta.label_lower, str(entry.pk)
            emission.emit(event, using=using)
    except Exception as error:  # noqa: BLE001 - the library would hand it to whoever saved a model; counted
        config.fail(error, "auditlog")


@cache
def _plan(model: type[models.Model]) -> Plan:
    return Plan(columns_of(model), MAPPING)
