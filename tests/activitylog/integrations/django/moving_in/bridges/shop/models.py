# mypy: ignore-errors
"""What a shop sells."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Tag(models.Model):
    """What products are about."""

    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """Something that is sold."""

    name = models.CharField(max_length=50)
    price = models.IntegerField()
    password = models.CharField(max_length=50, default="")
    tags = models.ManyToManyField(Tag)

    def __str__(self) -> str:
        return self.name


if settings.SHOP_LIBRARY == "auditlog_instead":
    from auditlog.models import AbstractLogEntry

    from activitylog.integrations.django.moving_in import legacy_model
    from activitylog.integrations.django.moving_in.auditlog import MAPPING

    @legacy_model(MAPPING)
    class AuditEntry(AbstractLogEntry):
        """Entries of the library's own table; new ones are events."""

        class Meta(AbstractLogEntry.Meta):
            managed = False
            db_table = "auditlog_logentry"
