"""Where in the admin an actor or an object of an event is, as far as whoever looks may go there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from activitylog.integrations.django.admin.texts import parts

_LONGEST: Final = 200


class Link(NamedTuple):
    """
    An actor or an object for people.

    Attributes:
        text: what to show, in parts; may be empty.
        url: of its page; empty where there is none.
    """

    text: tuple[str, ...]
    url: str = ""


class Links:
    """
    The links of one page.

    Args:
        site: whose pages are linked to.
        request: whose user must be allowed to view them.
    """

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request
        self._pages = _pages(site)
        self._allowed: dict[type[Model], bool] = {}
        self._users: dict[str, str] = {}
        self._user_types = ("user", get_user_model()._meta.label_lower)

    def name_users(self, named: Iterable[tuple[str, str]]) -> None:
        """Look up the names of those that are users, given by types and ids: one query for all of them."""
        model: Any = get_user_model()
        identifiers = {identifier for kind, identifier in named if kind in self._user_types}
        keys = [key for identifier in identifiers if (key := _key(model, identifier)) is not None]
        for user in model._default_manager.filter(pk__in=keys) if keys else ():
            name, full = user.get_username(), getattr(user, "get_full_name", str)()
            self._users[str(user.pk)] = f"{name} ({full})" if full and full != name else name

    def of(self, kind: str, identifier: str) -> Link:
        """The link of whoever or whatever events call by this type and id."""
        name = self._users.get(identifier) if kind in self._user_types else None
        text = parts(name or f"{kind} {identifier}".strip(), _LONGEST)
        if not identifier or (name is None and kind in self._user_types):
            return Link(text)
        return Link(text, self._url(kind, identifier))

    def _url(self, kind: str, identifier: str) -> str:
        page = self._pages.get(kind)
        if page is None or not self._may_view(page):
            return ""
        options = page.model._meta
        # Of a deleted object only its history is left, where that is shown.
        view = "history" if getattr(page, "activity_of_deleted", False) else "change"
        name = f"{self._site.name}:{options.app_label}_{options.model_name}_{view}"
        try:
            return reverse(name, args=[quote(identifier)], current_app=self._site.name)
        except NoReverseMatch:
            return ""

    def _may_view(self, page: ModelAdmin[Any]) -> bool:
        if page.model not in self._allowed:
            self._allowed[page.model] = page.has_view_or_change_permission(self._request)
        return self._allowed[page.model]


def _pages(site: AdminSite) -> dict[str, ModelAdmin[Any]]:
    """The pages of a site, by the types under which events know their models."""
    pages: dict[str, ModelAdmin[Any]] = {}
    for model, page in site._registry.items():
        for kind in getattr(page, "activity_object_types", None) or ():
            pages.setdefault(kind, page)
        pages[model._meta.label_lower] = page
        if model is get_user_model():
            pages["user"] = page
    return pages


def _key(model: type[Model], identifier: str) -> Any:
    """The primary key that a text says; None where the model has no such keys: what is stored is from anybody."""
    field: Any = model._meta.pk
    while field.remote_field:
        field = field.target_field  # its own check would be a query
    try:
        return None if "\x00" in identifier else field.clean(identifier, None)
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None
