"""Conversations, messages, and the old table of activity."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Conversation(models.Model):
    """Members talk in it."""

    title = models.CharField(max_length=100)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="conversations")
    last_message_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """What a member said."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text[:50]


class ActivityLog(models.Model):
    """One row an action, written inside the request: what the variant ``after`` does without."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=100, db_index=True)
    object_type = models.CharField(max_length=100, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    description = models.TextField(blank=True)
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (
            models.Index(fields=["user", "-created_at"]),
            models.Index(fields=["object_type", "object_id"]),
            models.Index(fields=["-created_at"]),
        )

    def __str__(self) -> str:
        return self.action
