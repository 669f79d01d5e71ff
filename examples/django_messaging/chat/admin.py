"""
The admin: users are activated and suspended there, too; as it was, and with activitylog.

With activitylog the button "History" shows what happened to an object, read from the store.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from chat.activity import row
from chat.models import ActivityLog, Conversation, Message


class Before(UserAdmin):
    """A row of the log for each user, while the admin waits."""

    actions = ("activate", "suspend")

    @admin.action(description="Activate selected users", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let them in again."""
        queryset.update(is_active=True)
        ActivityLog.objects.bulk_create(row(request, "user_activated", "user", user.pk) for user in queryset)

    @admin.action(description="Suspend selected users", permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Keep them out."""
        queryset.update(is_active=False)
        ActivityLog.objects.bulk_create(row(request, "user_suspended", "user", user.pk) for user in queryset)


def after() -> tuple[type[UserAdmin], type[admin.ModelAdmin]]:
    """With activitylog, which need not be installed for the other variants."""
    from activitylog.integrations.django.admin import ActivityEventsMixin, ActivityHistoryMixin, activity_action

    class Members(ActivityHistoryMixin, ActivityEventsMixin, UserAdmin):
        """Events once the transaction is committed; the history of a user, and what the user did."""

        actions = ("activate", "suspend")
        # The views say ("user", pk): the history of a user has these events, too.
        activity_object_types = ("user",)

        @activity_action("user.activated", description="Activate selected users", permissions=["change"])
        def activate(self, _request: HttpRequest, queryset: QuerySet[User]) -> int:
            """Let them in again."""
            return queryset.update(is_active=True)

        @activity_action("user.suspended", description="Suspend selected users", permissions=["change"])
        def suspend(self, _request: HttpRequest, queryset: QuerySet[User]) -> int:
            """Keep them out."""
            return queryset.update(is_active=False)

    class Messages(ActivityHistoryMixin, ActivityEventsMixin, admin.ModelAdmin):
        """What was said."""

        activity_object_types = ("message",)

    return Members, Messages


admin.site.unregister(User)
if settings.VARIANT.startswith("after"):
    members, messages = after()
    admin.site.register(User, members)
    admin.site.register(Message, messages)
else:
    admin.site.register(User, Before)
    admin.site.register([Message, ActivityLog])
admin.site.register(Conversation)
