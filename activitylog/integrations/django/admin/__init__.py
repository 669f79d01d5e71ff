"""
The admin: actions that emit events, events of what is added, changed and deleted there, and the activity of an
object in place of its history.

.. code-block:: python

    from activitylog.integrations.django.admin import ActivityEventsMixin, ActivityHistoryMixin, activity_action

    @admin.register(User)
    class UserAdmin(ActivityHistoryMixin, ActivityEventsMixin, auth.UserAdmin):
        actions = ["activate"]

        @activity_action("user.activated", description="Activate selected users", permissions=["change"])
        def activate(self, request, queryset):
            queryset.update(is_active=True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activitylog.integrations.django.lazy_names import lazily

if TYPE_CHECKING:
    from activitylog.integrations.django.admin.act import Act as Act
    from activitylog.integrations.django.admin.actions import activity_action as activity_action
    from activitylog.integrations.django.admin.events import ActivityEventsMixin as ActivityEventsMixin
    from activitylog.integrations.django.admin.history import ActivityHistoryMixin as ActivityHistoryMixin
    from activitylog.integrations.django.admin.read_settings import read_url as read_url

#: Public names and the modules that have them. Django's admin imports this package by itself, as it does with
#: everything called ``admin``; where there is none nobody shall import it.
_HOMES: Final = {
    "Act": "act",
    "ActivityEventsMixin": "events",
    "ActivityHistoryMixin": "history",
    "activity_action": "actions",
    "read_url": "read_settings",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list, made by sorted

__getattr__ = lazily(__name__, _HOMES)
