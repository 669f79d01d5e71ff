"""Old tables of many shapes, of the application ``chat``, that only these tests have."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from activitylog.integrations.django.moving_in import LegacyMapping, legacy_model


def key_to(model: Any, **options: Any) -> Any:
    """A foreign key that other tests' deletions know nothing of."""
    return models.ForeignKey(
        model, null=True, on_delete=models.DO_NOTHING, db_constraint=False, **{"related_name": "+", **options}
    )


class RecentRows(models.QuerySet[Any]):
    """A queryset of the team's own."""

    def logins(self) -> RecentRows:
        """Only logins."""
        return self.filter(action="LOGIN")


class LoudManager(models.Manager[Any]):
    """A manager of the team's own, which migrations know."""

    use_in_migrations = True

    def get_queryset(self) -> RecentRows:
        """Not what Django makes by itself."""
        return RecentRows(self.model, using=self._db)


class PlainRow(models.Model):
    """A table that nothing was done to."""

    user = key_to(settings.AUTH_USER_MODEL)
    action = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    content_type = key_to(ContentType)
    object_id = models.CharField(max_length=64, blank=True)
    content_object = GenericForeignKey("content_type", "object_id")
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    score = models.IntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "chat"


@legacy_model()
class OldRow(models.Model):
    """The old table of most tests; where it writes is what the setting says."""

    user = key_to(settings.AUTH_USER_MODEL, related_name="old_rows")
    action = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = LoudManager()
    logins = models.Manager.from_queryset(RecentRows)()

    class Meta:
        app_label = "chat"

    def save(self, *args: Any, **options: Any) -> None:
        """The team's own: texts are cut."""
        self.description = self.description[:20]
        super().save(*args, **options)


class StampedRow(models.Model):
    """What old tables have in common; it inherits its manager."""

    action = models.CharField(max_length=100)
    at = models.DateTimeField(db_default=Now())

    plain = models.Manager[Any]()

    class Meta:
        abstract = True


@legacy_model(LegacyMapping(timestamp="at"))
class InheritingRow(StampedRow):
    """A key that it gives itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        app_label = "chat"


@legacy_model()
class AbstractRow(models.Model):
    """Decorated once, for all that inherit."""

    action = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class OneRow(AbstractRow):
    """The first that inherits."""

    class Meta:
        app_label = "chat"


class OtherRow(AbstractRow):
    """The second, which has another column."""

    reason = models.CharField(max_length=50, blank=True)

    class Meta:
        app_label = "chat"


class NumberedRow(models.Model):
    """Actions as numbers, a status, durations, a second thing: an administrator's table."""

    class Kind(models.IntegerChoices):
        """What can be done."""

        CREATED = 1, "Create"
        SUSPENDED = 2, "Suspend user"

    admin_user = key_to(settings.AUTH_USER_MODEL)
    event_type = models.SmallIntegerField(choices=Kind.choices)
    target_user = key_to(settings.AUTH_USER_MODEL)
    status = models.CharField(max_length=20, blank=True)
    error_message = models.TextField(blank=True)
    duration_ms = models.FloatField(null=True)
    session_key = models.CharField(max_length=40, blank=True)
    url = models.CharField(max_length=200, blank=True)
    count = models.IntegerField(null=True)
    details = models.TextField(blank=True)
    timestamp = models.DateTimeField(null=True)

    class Meta:
        app_label = "chat"


class UUIDRow(models.Model):
    """A key that is no number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    action = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "chat"
