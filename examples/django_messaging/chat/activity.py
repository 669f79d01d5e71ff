"""How activity was logged before: a row an action, with the request's facts."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.http import HttpRequest

from chat.models import ActivityLog


def row(request: HttpRequest, action: str, object_type: str, object_id: Any, **metadata: Any) -> ActivityLog:
    """One row, not yet saved."""
    return ActivityLog(**_values(request, action, object_type, object_id, metadata))


def log_activity(request: HttpRequest, action: str, object_type: str, object_id: Any, **metadata: Any) -> None:
    """Write a row, and wait for it."""
    row(request, action, object_type, object_id, **metadata).save()


def log_activity_later(
    request: HttpRequest, action: str, object_type: str, object_id: Any, **metadata: Any
) -> None:
    """Have a worker write a row."""
    async_log_activity.delay(**_values(request, action, object_type, object_id, metadata))


@shared_task
def async_log_activity(**values: Any) -> None:
    """What the worker does."""
    ActivityLog.objects.create(**values)


def _values(
    request: HttpRequest, action: str, object_type: str, object_id: Any, metadata: dict[str, Any]
) -> dict[str, Any]:
    return {
        "user_id": request.user.pk,
        "action": action,
        "object_type": object_type,
        "object_id": str(object_id),
        "ip_address": request.META.get("REMOTE_ADDR"),
        "user_agent": request.headers.get("User-Agent", ""),
        "metadata": metadata,
    }
