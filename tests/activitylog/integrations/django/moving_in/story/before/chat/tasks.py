# mypy: ignore-errors
"""What the application's workers do, before."""

from __future__ import annotations

from celery import shared_task

from chat.models import ActivityLog


@shared_task
def async_log_activity(user_id, action, description="", ip_address=None, **metadata):
    """Write a row, in a worker."""
    ActivityLog.objects.create(
        user_id=user_id, action=action, description=description, ip_address=ip_address, metadata=metadata
    )
