"""The application."""

from __future__ import annotations

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Conversations and messages."""

    name = "chat"
    default_auto_field = "django.db.models.BigAutoField"
