"""The project's only application."""

from __future__ import annotations

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """``chat.message`` and so on."""

    name = "tests.activitylog.integrations.django.project"
    label = "chat"
