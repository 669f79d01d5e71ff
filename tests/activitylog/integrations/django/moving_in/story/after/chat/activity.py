# mypy: ignore-errors
"""How the application logs activity, after."""

from __future__ import annotations

import logging

from activitylog.integrations.django.moving_in import legacy_function
from chat.models import ActivityLog, AdminActivityLog

logger = logging.getLogger(__name__)


@legacy_function()
def safe_log_activity(user, action, description="", content_object=None, request=None, metadata=None):
    """Write a row, and let no failure of it break what is logged."""
    try:
        ActivityLog.objects.create(
            user=user,
            action=action,
            description=description,
            content_object=content_object,
            ip_address=request.META.get("REMOTE_ADDR") if request else None,
            user_agent=request.META.get("HTTP_USER_AGENT", "") if request else "",
            metadata=metadata or {},
        )
    except Exception:
        logger.exception("activity was not logged")


def log_admin_action(admin, action_type, **details):
    """Write a row of what an admin did."""
    target_user = details.pop("target_user", None)
    return AdminActivityLog.objects.create(
        admin=admin, action_type=action_type, target_user=target_user, details=details
    )
