"""Celery, for the variant ``delay`` only: ``celery -A messaging worker``."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging.settings")
app = Celery("messaging")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
