"""
The button "History" of the admin shows what happened to an object, read from the store of activity.

.. code-block:: python

    @admin.register(Message)
    class MessageAdmin(ActivityHistoryMixin, admin.ModelAdmin): ...

Django's own page is asked first: it finds the object, and says who may see its history. What it has in its log is
one click away.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext

from activitylog import context
from activitylog.entities import reference
from activitylog.integrations.django.admin.entries import entries_of
from activitylog.integrations.django.admin.links import Links
from activitylog.integrations.django.admin.reading import UnreadableError, read
from activitylog.integrations.django.admin.timeline import Cursor, Page, Subject, page_of
from activitylog.visible import visible

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _Base = ModelAdmin[Any]
else:
    _Base = object

_log = logging.getLogger("activitylog")

_OBJECT: Final = "object"
_ACTOR: Final = "actor"
_LOG: Final = "log"


class ActivityHistoryMixin(_Base):
    """
    A ``ModelAdmin`` whose histories come from the store of activity.

    Attributes:
        activity_object_types: further types under which events know these objects, beside ``app.model``:
            ``message`` for ``emit(..., object=("message", 7))``.
        activity_actor_types: types under which they act, for a second page that shows what one of them did; by
            default ``user`` for the model of users, and none for others.
        activity_per_page: events on a page.
        activity_of_deleted: show the history of an object that is not there any more, to whoever may view the
            model. Leave it off where people may see some of its objects only.
        activity_history_template: used instead of ``admin/<app>/<model>/activity_history.html``,
            ``admin/<app>/activity_history.html`` and ``admin/activity_history.html``.
    """

    activity_object_types: Sequence[str] = ()
    activity_actor_types: Sequence[str] | None = None
    activity_per_page: int = 50
    activity_of_deleted: bool = False
    activity_history_template: str | None = None

    def has_actor_activity_permission(self, request: HttpRequest, obj: Any) -> bool:  # noqa: ARG002
        """
        Whether this request, which may see the history of ``obj``, may see what ``obj`` did: to any object.

        By default when its user may view the admin's log entries, ``admin.view_logentry``.
        """
        user: Any = request.user
        return bool(user.has_perm("admin.view_logentry"))

    def get_activity_tenant(self, request: HttpRequest, obj: Any) -> str:  # noqa: ARG002
        """
        Of which tenant events are shown; empty for all.

        By default the one that this request belongs to (the setting ``tenant``): where tenants have tables of
        their own, the same primary key means another object in each.
        """
        tenant = context.resolve(context.current().get("tenant"))
        return "" if tenant is None else tenant if isinstance(tenant, str) else reference(tenant).id

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Django's view, with the activity of the object in its place."""
        response: HttpResponseBase = super().history_view(request, object_id, extra_context)  # type: ignore[arg-type]
        if not isinstance(response, TemplateResponse):
            found = self._of_deleted(request, unquote(object_id), extra_context)
            if found is None:
                return response
            response = found
        said = response.context_data or {}
        obj = said["object"]
        view = self._view(request, obj)
        if view == _LOG and self.object_history_template:
            return response
        response.template_name = self._activity_templates()
        response.context_data = {
            **said,
            "activity_views": self._activity_views(request, obj, view, said),
            "activity": None if view == _LOG else self._activity(request, obj, view),
            **({"title": gettext("Activity of %s") % obj} if view == _ACTOR else {}),
            **(extra_context or {}),
        }
        return response

    def _view(self, request: HttpRequest, obj: Any) -> str:
        view = request.GET.get("view")
        if view == _ACTOR and self._activity_acts():
            if not self.has_actor_activity_permission(request, obj):
                raise PermissionDenied
            return _ACTOR
        return _LOG if view == _LOG else _OBJECT

    def _activity_acts(self) -> Sequence[str]:
        """The types under which these objects act."""
        if self.activity_actor_types is not None:
            return self.activity_actor_types
        return ("user",) if issubclass(self.model, get_user_model()) else ()

    def _activity_subject(self, obj: Any, view: str) -> Subject:
        if view == _ACTOR:
            return Subject(self._activity_acts(), str(obj.pk), acting=True)
        labels = {self.model._meta.label_lower, self.model._meta.concrete_model._meta.label_lower}
        return Subject([*labels, *self._activity_acts(), *self.activity_object_types], str(obj.pk))

    def _activity(self, request: HttpRequest, obj: Any, view: str) -> Mapping[str, Any]:
        """What the page says of the store's answer, or of its silence."""
        subject = self._activity_subject(obj, view)
        before = Cursor.parse(request.GET.get("before", ""))
        tenant, page, fault = "", Page(()), None
        try:
            tenant = self._activity_tenant(request, obj)
            page = read(partial(self._page, subject, before, tenant))
        except UnreadableError as error:
            fault = error
            _log.warning("activitylog: the admin shows no activity: %s", visible(str(error)))
        return {
            "acting": subject.acting,
            "tenant": tenant,
            "fault": fault and fault.sentence,
            "reason": fault.reason if fault and _may_know(request) else "",
            "entries": entries_of(page.rows, subject, Links(self.admin_site, request)),
            "older": page.older and _query(view, str(page.older)),
            "newest": before and _query(view),
        }

    def _activity_tenant(self, request: HttpRequest, obj: Any) -> str:
        try:
            return self.get_activity_tenant(request, obj)
        except Exception as error:
            sentence = "It is not known which tenant's activity may be shown."
            raise UnreadableError(sentence, f"{type(error).__name__}: {error}") from error

    def _page(self, subject: Subject, before: Cursor | None, tenant: str, client: Any, settings: Any) -> Page:
        return page_of(
            client, subject, size=self.activity_per_page, before=before, tenant=tenant, settings=settings
        )

    def _activity_views(
        self, request: HttpRequest, obj: Any, view: str, said: Mapping[str, Any]
    ) -> list[Mapping[str, Any]]:
        """The pages about this object, of which one is shown."""
        views = [(_OBJECT, gettext("History"))]
        if self._activity_acts() and self.has_actor_activity_permission(request, obj):
            views.append((_ACTOR, gettext("Done by this %s") % self.opts.verbose_name))
        logged = said["action_list"].paginator.count if said.get("action_list") is not None else 0
        if logged:
            views.append((_LOG, f"{gettext('Admin log')} ({logged})"))
        return [{"label": label, "query": _query(name), "current": name == view} for name, label in views]

    def _activity_templates(self) -> str | list[str]:
        app, model = self.opts.app_label, self.opts.model_name
        name = "activity_history.html"
        return self.activity_history_template or [
            f"admin/{app}/{model}/{name}",
            f"admin/{app}/{name}",
            f"admin/{name}",
        ]

    def _of_deleted(
        self, request: HttpRequest, identifier: str, extra_context: Mapping[str, Any] | None
    ) -> TemplateResponse | None:
        """The page of an object that is gone; None where there is to be none, or it is only hidden."""
        if not (self.activity_of_deleted and self.has_view_or_change_permission(request)):
            return None
        try:
            if self.model._base_manager.filter(pk=identifier).exists():
                return None
        except (ValueError, TypeError, OverflowError, ValidationError):
            return None
        request.current_app = self.admin_site.name
        name = gettext("%(name)s %(id)s (deleted)") % {"name": self.opts.verbose_name, "id": identifier}
        said = {
            **self.admin_site.each_context(request),
            "title": gettext("Change history: %s") % name,
            "subtitle": None,
            "module_name": str(capfirst(self.opts.verbose_name_plural)),
            "object": _Deleted(identifier, name),
            "opts": self.opts,
            "preserved_filters": self.get_preserved_filters(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self._activity_templates(), said)


class _Deleted:
    """Stands for an object that is gone."""

    def __init__(self, identifier: str, name: str) -> None:
        self.pk = identifier
        self._name = name

    def __str__(self) -> str:
        return self._name


def _may_know(request: HttpRequest) -> bool:
    """Addresses of servers are for those who run them."""
    return bool(getattr(request.user, "is_superuser", False))


def _query(view: str, before: str = "") -> str:
    said = {key: value for key, value in (("view", view), ("before", before)) if value and value != _OBJECT}
    return f"?{urlencode(said)}"
