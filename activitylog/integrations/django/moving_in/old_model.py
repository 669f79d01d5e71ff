"""
The old model, which goes on to be read, migrated and shown in the admin, and whose new rows become events.

.. code-block:: python

    @legacy_model()                      # the only line that is new
    class ActivityLog(models.Model): ...

``ActivityLog.objects.create(...)``, ``.bulk_create([...])``, ``ActivityLog(...).save()``,
``user.activitylog_set.create(...)`` and all that ends in one of them then emit an event when the transaction
commits, for the row would have been rolled back with it, too. Rows that are there already are read, changed and
deleted as before.

What is not as before while only events are written: a new row has no primary key unless its field gives it one, no
``post_save`` is sent (``pre_save`` is, as its receivers fill values in), and ``get_or_create`` finds no earlier
event.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar, cast

from django.db import models, router
from django.db.models.signals import class_prepared, pre_save

from activitylog import config
from activitylog.integrations.django.moving_in import checks, emission, switch
from activitylog.integrations.django.moving_in.managers import writing_through
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.names import noun_of
from activitylog.integrations.django.moving_in.plan import LEGACY_MODEL, LEGACY_PK, Plan
from activitylog.integrations.django.moving_in.rows import columns_of, values_of

_Model = TypeVar("_Model", bound=type[models.Model])
_log = logging.getLogger("activitylog")
#: On an instance: it became an event.
_EMITTED: Final = "_activitylog_emitted"
_CLASS_ATTRIBUTE: Final = "_activitylog_legacy"
_SAVED_TWICE: Final = (
    "activitylog: a %s was saved twice. It became an event when it was saved first, and later changes of it are "
    "not recorded."
)
_NO_KEY: Final = (
    "activitylog: rows of %s were written of which the database did not say the keys (ignore_conflicts, or no "
    "RETURNING). They have no events yet: `manage.py import_activity` brings them."
)


def legacy_model(
    mapping: LegacyMapping | None = None,
    *,
    write: switch.Write = None,
    on_commit: bool = True,
    source: str | None = None,
) -> Callable[[_Model], _Model]:
    """
    Have new rows of a model become events.

    Args:
        mapping: which column is which word; without one the columns' names decide.
        write: ``events``, ``both`` (the row, too) or ``table`` (only the row, as before), or what returns one of
            them; by default what ``ACTIVITYLOG["legacy_write"]`` says, and ``events`` without that.
        on_commit: emit when the transaction is committed, and not at all when it is rolled back.
        source: what this table is called where several databases have one of the model and all of them go to one
            store; by default the model's label, such as ``chat.activitylog``.

    Returns:
        A decorator, which returns the class it is given. For a class of another application it may be called when
        Django is ready: ``legacy_model()(AuditEntry)``.

    Raises:
        ConfigurationError: a mode that is none. A mapping that names columns that are not there is found by
            ``manage.py check``.
    """
    checked = switch.checked(write)

    def decorate(model: _Model) -> _Model:
        # A proxy has no rows of its own.
        table = model._meta.concrete_model or model
        legacy = LegacyModel(table, mapping or LegacyMapping(), checked, on_commit=on_commit, source=source)
        _attach(model, legacy)
        return model

    return decorate


class LegacyModel:
    """
    What is known of one old model.

    Attributes:
        model: the class.
        mapping: of its columns.
    """

    def __init__(
        self,
        model: type[models.Model],
        mapping: LegacyMapping,
        write: switch.Write,
        *,
        on_commit: bool,
        source: str | None,
    ) -> None:
        self.model = model
        self.mapping = mapping
        self._write = write
        self._on_commit = on_commit
        self._source = source
        self._told: set[str] = set()

    @property
    def source(self) -> str:
        """What the table is called in events."""
        return self._source or self.model._meta.label_lower

    @cached_property
    def plan(self) -> Plan:
        """From a row's values to its event."""
        return Plan(columns_of(self.model), self.mapping, noun=noun_of(self.model.__name__))

    def mode(self) -> switch.Mode:
        """Where to write now."""
        return switch.mode(self._write)

    def save(self, row: models.Model, original: Callable[..., None], options: dict[str, Any]) -> None:
        """What ``Model.save`` ends in."""
        if row.__dict__.get(_EMITTED):
            self._tell(_SAVED_TWICE)
            return
        mode = "table" if options.get("raw") or not row._state.adding else self.mode()
        if mode == "table":
            original(**options)
            return
        using = options.get("using") or router.db_for_write(type(row), instance=row)
        if mode == "both":
            original(**options)
        else:
            self._prepare(row, using)
        self._emit([row], using, keep=mode == "both")

    def bulk_create(
        self, rows: Iterable[models.Model], using: str, original: Callable[[list[Any]], list[Any]]
    ) -> list[Any]:
        """What ``QuerySet.bulk_create`` is."""
        mode, rows = self.mode(), list(rows)
        if mode == "table":
            return original(rows)
        kept = original(rows) if mode == "both" else rows
        if mode == "events":
            for row in rows:
                _set_times(row)
        self._emit(kept, using, keep=mode == "both")
        return kept

    def _prepare(self, row: models.Model, using: str) -> None:
        """What is done to a row before it is written: its receivers of signals fill in, and so do its fields."""
        try:
            pre_save.send(sender=type(row), instance=row, raw=False, using=using, update_fields=None)
        except Exception as error:  # noqa: BLE001 - a receiver of the application may raise anything; counted
            config.fail(error, self.source)
        _set_times(row)

    def _emit(self, rows: list[models.Model], using: str, *, keep: bool) -> None:
        committing = using if self._on_commit else None
        try:
            events = [event for row in rows if (event := self._event(row, keep=keep)) is not None]
            if len(events) == 1:
                emission.emit(events[0], using=committing)
            elif events:
                emission.emit_all(events, using=committing)
        except Exception as error:  # noqa: BLE001 - a log call never breaks the operation; counted
            config.fail(error, self.source)
        for row in rows:
            emission.note_row(row)
            if not keep:
                row.__dict__[_EMITTED] = True

    def _event(self, row: models.Model, *, keep: bool) -> dict[str, Any] | None:
        if keep and row.pk is None:
            self._tell(_NO_KEY)
            return None
        event = self.plan.event(values_of(row, self.plan.reads))
        if event is not None and keep:
            event[LEGACY_MODEL], event[LEGACY_PK] = self.source, str(row.pk)
        return event

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            _log.warning(what, self.model.__name__)


def legacy_of(model: type[models.Model]) -> LegacyModel | None:
    """What :func:`legacy_model` knows of a class; None for any other."""
    return _of(model)


@dataclass(slots=True)
class _Attached:
    """What a decorated class has; the classes that inherit from it are told apart."""

    legacy: LegacyModel
    of_subclasses: dict[type, LegacyModel]


def _of(model: type[models.Model]) -> LegacyModel | None:
    attached = cast("_Attached | None", getattr(model, _CLASS_ATTRIBUTE, None))
    if attached is None:
        return None
    legacy = attached.legacy
    concrete = model._meta.concrete_model or model
    if concrete is legacy.model:
        return legacy
    found = attached.of_subclasses.get(concrete)
    if found is None:
        found = copy.copy(legacy)
        found.model = concrete
        found.__dict__.pop("plan", None)
        attached.of_subclasses[concrete] = found
    return found


def _attach(model: type[models.Model], legacy: LegacyModel) -> None:
    inherits = _of(model) is not None
    setattr(model, _CLASS_ATTRIBUTE, _Attached(legacy, {}))
    checks.watch(legacy)
    writing_through(model, _of_queryset)
    if model._meta.abstract:
        # The managers of those that inherit are made when they are.
        class_prepared.connect(_inherited, dispatch_uid="activitylog.legacy_model")
    if not inherits:
        _replace_methods(model)


def _inherited(sender: type[models.Model], **_rest: Any) -> None:
    if getattr(sender, _CLASS_ATTRIBUTE, None) is not None:
        writing_through(sender, _of_queryset)


def _of_queryset(queryset: models.QuerySet[Any]) -> LegacyModel | None:
    return _of(queryset.model)


def _replace_methods(model: type[models.Model]) -> None:
    save_base, delete = model.save_base, model.delete

    def save_or_emit(self: models.Model, raw: bool = False, **options: Any) -> None:
        original, own = save_base.__get__(self), _of(type(self))
        if own is None:
            original(raw=raw, **options)
        else:
            own.save(self, original, {"raw": raw, **options})

    def delete_unless_event(self: models.Model, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        # What became an event has no row that could be deleted; Django would raise.
        return (0, {}) if self.__dict__.get(_EMITTED) else delete.__get__(self)(*args, **options)

    methods: tuple[tuple[str, Any], ...] = (("save_base", save_or_emit), ("delete", delete_unless_event))
    for name, method in methods:
        method.alters_data = True
        method.__doc__ = getattr(model, name).__doc__
        setattr(model, name, method)


def _set_times(row: models.Model) -> None:
    """What fields with ``auto_now`` and ``auto_now_add`` do when a row is written."""
    for field in row._meta.concrete_fields:
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            field.pre_save(row, True)
