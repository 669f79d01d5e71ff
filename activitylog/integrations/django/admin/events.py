"""
Events of what people add, change and delete in the admin: ``message.created``, ``.updated``, ``.deleted``.

For models whose changes are not captured (:mod:`activitylog.integrations.django.model_changes`): there the capture
emits these events, whoever makes the change, and this mixin is silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import router
from django.db.models import Model
from django.http import HttpRequest

from activitylog.integrations.django.admin.actor import actor_of
from activitylog.integrations.django.admin.telling import Selected, contained, selected_of, tell
from activitylog.integrations.django.model_changes.options import MAX_EVENTS
from activitylog.integrations.django.model_changes.watching import watched
from activitylog.integrations.django.transactions import emit_on_commit

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _Base = ModelAdmin[Any]
else:
    _Base = object

CREATED: Final = "created"
UPDATED: Final = "updated"
DELETED: Final = "deleted"


class _Saved(NamedTuple):
    """What a form changed."""

    fields: Sequence[str] = ()
    formsets: Sequence[Any] = ()


class ActivityEventsMixin(_Base):
    """
    A ``ModelAdmin`` that emits an event for each object that is added, changed or deleted by its forms.

    A change names the ``changed`` fields, as the form calls them, not their values. Objects of inlines have events
    of their own, whose target is the object of the page. Events wait for the commit. What Django writes to its own
    log (``LogEntry``) stays as it is.
    """

    def get_activity_event(self, model: type[Model], verb: str) -> str | None:
        """
        Name of the event, when an object of ``model`` (of this page, or of an inline) is ``created``, ``updated``
        or ``deleted``; None for no event.
        """
        return None if _is_captured(model, verb) else f"{model._meta.model_name}.{verb}"

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Django's own, which is what sees the forms once they are saved."""
        message = super().construct_change_message(request, form, formsets, add)
        with contained(_WHERE):
            request.__dict__[_SAVED] = _Saved(tuple(form.changed_data), tuple(formsets or ()))
        return message

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Emit, and have Django log."""
        self._activity_saved(request, obj, CREATED)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Emit, and have Django log."""
        self._activity_saved(request, obj, UPDATED)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Note what is about to be deleted, and have Django log."""
        with contained(_WHERE):
            deleted = selected_of(self.model, queryset)
            noted = getattr(request, _DELETIONS, None)
            if noted is None:
                self._activity_deleted(request, deleted)
            else:
                noted.append(deleted)
        return super().log_deletions(request, queryset)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Django's own; what it deleted is emitted when it has succeeded."""
        with self._activity_deletions(request):
            return super().delete_view(request, *args, **kwargs)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Django's own; what it deleted is emitted when it has succeeded."""
        with self._activity_deletions(request):
            return super().response_action(request, *args, **kwargs)

    @contextmanager
    def _activity_deletions(self, request: HttpRequest) -> Iterator[None]:
        noted: list[Selected] = []
        setattr(request, _DELETIONS, noted)
        try:
            yield
        finally:
            delattr(request, _DELETIONS)
        for deleted in noted:
            self._activity_deleted(request, deleted)

    def _activity_deleted(self, request: HttpRequest, deleted: Selected) -> None:
        with contained(_WHERE):
            event = self.get_activity_event(self.model, DELETED)
            if event is not None:
                tell(event, deleted, MAX_EVENTS, {"actor": actor_of(request)})

    def _activity_saved(self, request: HttpRequest, obj: Model, verb: str) -> None:
        """Emit what a form did to its object, and to those of its inlines."""
        with contained(_WHERE):
            saved: _Saved | None = request.__dict__.pop(_SAVED, None)
            if verb == CREATED:
                self._activity_tell(request, _Told(verb, type(obj), obj))
            elif saved is None or saved.fields:
                self._activity_tell(request, _Told(verb, type(obj), obj, saved and saved.fields))
            for formset in saved.formsets if saved else ():
                for told in _of_inline(formset):
                    self._activity_tell(request, told, target=obj)

    def _activity_tell(self, request: HttpRequest, told: _Told, target: Model | None = None) -> None:
        event = self.get_activity_event(told.model, told.verb)
        if event is not None:
            more = {} if told.fields is None else {"changed": list(told.fields)}
            using = router.db_for_write(self.model)
            emit_on_commit(event, using=using, actor=actor_of(request), object=told.object, target=target, **more)


class _Told(NamedTuple):
    """What was done to one object."""

    verb: str
    model: type[Model]
    object: Any
    fields: Sequence[str] | None = None


def _of_inline(formset: Any) -> Iterator[_Told]:
    """What was done to objects of an inline."""
    model: type[Model] = formset.model
    for item in getattr(formset, "new_objects", ()):
        yield _Told(CREATED, model, item)
    for item, fields in getattr(formset, "changed_objects", ()):
        yield _Told(UPDATED, model, item, fields)
    for key in _deleted_keys(formset) if getattr(formset, "deleted_objects", ()) else ():
        yield _Told(DELETED, model, (model._meta.label_lower, key))


def _deleted_keys(formset: Any) -> Iterator[Any]:
    """Primary keys of deleted objects, which have none any more: from the forms that showed them."""
    name = formset.model._meta.pk.name
    for form in formset.deleted_forms:
        if form in formset.initial_forms and name in form.fields:
            yield form.get_initial_for_field(form.fields[name], name)


def _is_captured(model: type[Model], verb: str) -> bool:
    """Whether the capture of model changes emits this event."""
    found = watched.get(model)
    return found is not None and any(verb in captured.names for captured in found.own)


_WHERE: Final = "admin.form"
_SAVED: Final = "_activitylog_saved"
_DELETIONS: Final = "_activitylog_deletions"
