"""The admin of the tests' project, and a second site under another name."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.urls import path

from activitylog.integrations.django.admin import (
    Act,
    ActivityEventsMixin,
    ActivityHistoryMixin,
    activity_action,
)
from tests.activitylog.integrations.django.project.models import Conversation, Message

site = admin.AdminSite(name="admin")
backoffice = admin.AdminSite(name="backoffice")

Users = get_user_model()


@admin.register(Users, site=site)
class Members(ActivityHistoryMixin, UserAdmin):  # type: ignore[type-arg]
    """Users, with an action of every kind."""

    actions = (
        "activate",
        "suspend",
        "notify",
        "purge",
        "rename",
        "confirm",
        "confirmed",
        "fail",
        "deny",
        "fail_half_way",
        "stop",
        "twice",
        "nobody",
        "export",
        "together",
    )

    @activity_action("user.activated", description="Activate selected users", permissions=["change"])
    def activate(self, request: Any, queryset: Any) -> None:
        """Says nothing of what it did."""
        queryset.update(is_active=True)

    @activity_action("user.suspended", reason="spam")
    def suspend(self, request: Any, queryset: Any) -> int:
        """Says to how many."""
        return int(queryset.filter(is_staff=False).update(is_active=False))

    @admin.action(description="Notify", permissions=["view"])
    @activity_action("user.notified")
    def notify(self, request: Any, queryset: Any) -> Any:
        """Says to which, by keys."""
        return [user.pk for user in queryset if user.email]

    @activity_action("user.purged")
    def purge(self, request: Any, queryset: Any) -> Any:
        """Says what ``delete()`` says."""
        return queryset.delete()

    @activity_action("user.renamed")
    @admin.action(description="Rename")
    def rename(self, request: Any, queryset: Any) -> Any:
        """Says to which, by a queryset."""
        queryset.update(first_name="Renamed")
        return queryset.filter(is_staff=False)

    @activity_action("user.confirmed")
    def confirm(self, request: Any, queryset: Any) -> HttpResponse:
        """Asks first."""
        return HttpResponse("Are you sure?")

    @activity_action("user.confirmed")
    def confirmed(self, request: Any, queryset: Any, act: Act) -> HttpResponse:
        """Answers with a page of its own, and says so."""
        act.add(selection=list(act.selected))
        act.done()
        return HttpResponse("Done.")

    @activity_action("user.checked")
    def fail(self, request: Any, queryset: Any) -> None:
        """Fails."""
        raise ValueError("no such check")

    @activity_action("user.checked")
    def deny(self, request: Any, queryset: Any) -> None:
        """Is not allowed."""
        raise PermissionDenied

    @activity_action("user.checked")
    def fail_half_way(self, request: Any, queryset: Any, act: Act) -> None:
        """Fails at the second."""
        for number, user in enumerate(queryset.order_by("pk")):
            if number:
                raise ValueError("no such check")
            act.done([user])

    @activity_action("user.checked")
    def stop(self, request: Any, queryset: Any) -> None:
        """The worker is told to stop."""
        raise SystemExit

    @activity_action("user.checked")
    def twice(self, request: Any, queryset: Any, act: Act) -> None:
        """Says to which, one after the other."""
        act.done(queryset.filter(is_staff=True))
        act.done(user for user in queryset if user.email)

    @activity_action("user.checked")
    def nobody(self, request: Any, queryset: Any) -> bool:
        """Did nothing."""
        return False

    @activity_action("user.exported")
    def export(self, request: Any, queryset: Any, act: Act) -> HttpResponse:
        """Sends a file."""
        act.done()
        return HttpResponse("id\n", content_type="text/csv")

    @activity_action("user.activated", max_events=0)
    def together(self, request: Any, queryset: Any) -> None:
        """One event about all."""


class Messages(admin.TabularInline):  # type: ignore[type-arg]
    """In the page of their conversation."""

    model = Message
    extra = 0


@admin.register(Conversation, site=site)
class Conversations(ActivityHistoryMixin, ActivityEventsMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """With its messages."""

    inlines = (Messages,)
    activity_per_page = 3


@admin.register(Message, site=site)
class MessagePages(ActivityHistoryMixin, ActivityEventsMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Whose histories outlive them."""

    list_display = ("pk", "text")
    list_editable = ("text",)
    activity_object_types = ("message",)
    activity_of_deleted = True


@admin.register(Users, site=backoffice)
class Customers(ActivityHistoryMixin, UserAdmin):  # type: ignore[type-arg]
    """In the second site, where messages have no page."""


urlpatterns = [path("admin/", site.urls), path("backoffice/", backoffice.urls)]
