# mypy: ignore-errors
"""The application's models, after."""

from __future__ import annotations

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

from activitylog.integrations.django.moving_in import LegacyMapping, legacy_model


class Message(models.Model):
    """What a member said."""

    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.TextField()


@legacy_model(LegacyMapping(names={"PAYMENT_MADE": "payment.made"}))
class ActivityLog(models.Model):
    """Who did what."""

    class Action(models.TextChoices):
        """What can be done."""

        MESSAGE_SENT = "MESSAGE_SENT", "Message sent"
        LOGIN = "LOGIN", "Logged in"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="activity"
    )
    action = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    content_type = models.ForeignKey(ContentType, null=True, on_delete=models.SET_NULL)
    object_id = models.PositiveBigIntegerField(null=True)
    content_object = GenericForeignKey("content_type", "object_id")
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)


@legacy_model()
class AdminActivityLog(models.Model):
    """What admins did to users."""

    admin = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    action_type = models.CharField(max_length=50)
    target_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    details = models.JSONField(default=dict)
    timestamp = models.DateTimeField(auto_now_add=True)
