"""The Django application: configures activitylog when Django is ready."""

from __future__ import annotations

from django.apps import AppConfig


class ActivityLogConfig(AppConfig):
    """``INSTALLED_APPS = [..., "activitylog.integrations.django"]``."""

    name = "activitylog.integrations.django"
    label = "activitylog"
    verbose_name = "Activity"
