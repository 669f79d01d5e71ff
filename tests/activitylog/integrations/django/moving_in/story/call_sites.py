# mypy: ignore-errors
"""Code of the application that logs activity, as it has always been: it is the same file before and after."""

from __future__ import annotations

from typing import Any

from chat.tasks import async_log_activity
from django.contrib.auth.models import User
from django.db import transaction

from chat.activity import log_admin_action, safe_log_activity
from chat.models import ActivityLog, AdminActivityLog, Message


def send_message(request: Any, text: str) -> Message:
    """Each message is a row of activity."""
    with transaction.atomic():
        message = Message.objects.create(sender=request.user, text=text)
        safe_log_activity(
            request.user,
            ActivityLog.Action.MESSAGE_SENT,
            f"{request.user.username} sent a message",
            content_object=message,
            request=request,
            metadata={"length": len(text), "channel": "general"},
        )
    return message


def bulk_activate(admin: User, users: list[User]) -> list[ActivityLog]:
    """A row for each user, at once, and one for the admin."""
    User.objects.filter(pk__in=[user.pk for user in users]).update(is_active=True)
    rows = ActivityLog.objects.bulk_create(
        [ActivityLog(user=user, action="USER_ACTIVATED", metadata={"by": admin.pk}) for user in users],
        batch_size=50,
    )
    AdminActivityLog.objects.create(
        admin=admin, action_type="bulk_activate", target_user=users[0], details={"count": len(users)}
    )
    return rows


def log_in(user: User, address: str) -> Any:
    """In a worker, to be quick."""
    return async_log_activity.delay(user.id, "LOGIN", ip_address=address)


def log_out(user: User) -> Any:
    """With what Celery knows of queues."""
    return async_log_activity.apply_async((user.id, "LOGOUT"), {"ip_address": "192.0.2.9"}, countdown=5)


def suspend(admin: User, user: User) -> None:
    """Through the model itself."""
    row = AdminActivityLog(admin=admin, action_type="suspend_user", target_user=user)
    row.details = {"reason": "spam"}
    row.save()
    log_admin_action(admin, "suspend_user", target_user=user)


def rename(user: User, name: str) -> ActivityLog:
    """Through the user's own rows."""
    row, created = user.activity.get_or_create(action="Profile Updated", description=f"now called {name}")
    assert created
    return row


def fail_and_roll_back(user: User) -> None:
    """What is rolled back was not done."""
    try:
        with transaction.atomic():
            ActivityLog.objects.create(user=user, action="PAYMENT_MADE")
            raise ZeroDivisionError
    except ZeroDivisionError:
        ActivityLog.objects.create(user=user, action="PAYMENT_FAILED", description="the card was refused")


def last_actions(user: User) -> list[str]:
    """What the application reads."""
    return list(ActivityLog.objects.filter(user=user).order_by("pk").values_list("action", flat=True))
