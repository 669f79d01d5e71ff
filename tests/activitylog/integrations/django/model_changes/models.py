"""Models of the application ``chat`` that only these tests have."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models.functions import Length

from activitylog.integrations.django import captured


class Tag(models.Model):
    """What documents are about."""

    documents: Any
    name = models.CharField(max_length=50, unique=True)

    class Meta:
        app_label = "chat"


class Document(models.Model):
    """A model with fields of many kinds."""

    children: Any
    lines: Any
    title = models.CharField(max_length=100)
    text = models.TextField(blank=True)
    pages = models.IntegerField(default=0)
    is_open = models.BooleanField(default=False)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    published_on = models.DateField(null=True)
    seen_at = models.DateTimeField(null=True)
    data = models.JSONField(default=dict)
    scan = models.BinaryField(null=True)
    attachment = models.FileField(blank=True)
    api_key = models.CharField(max_length=100, blank=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    length = models.GeneratedField(expression=Length("title"), output_field=models.IntegerField(), db_persist=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    tags = models.ManyToManyField(Tag, related_name="documents")
    related = models.ManyToManyField("self")
    readers = models.ManyToManyField(Tag, through="Reading", related_name="read_documents")

    class Meta:
        app_label = "chat"


class Reading(models.Model):
    """A row between two others, with a field of its own."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE)
    times = models.IntegerField(default=1)

    class Meta:
        app_label = "chat"


class Draft(Document):
    """A proxy."""

    class Meta:
        app_label = "chat"
        proxy = True


class Line(models.Model):
    """Nothing points to it: Django deletes lines by one statement."""

    document = models.ForeignKey(Document, null=True, on_delete=models.CASCADE, related_name="lines")
    text = models.CharField(max_length=100, unique=True)
    number = models.IntegerField(default=0)

    class Meta:
        app_label = "chat"


class Ticket(models.Model):
    """A row whose key is made before it is stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    text = models.CharField(max_length=100)

    class Meta:
        app_label = "chat"


class Gate(Ticket):
    """A child of a row whose key is made before it is stored."""

    number = models.IntegerField(default=0)

    class Meta:
        app_label = "chat"


class Note(models.Model):
    """A model that loads something else when it is loaded."""

    text = models.CharField(max_length=100)

    class Meta:
        app_label = "chat"

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> Any:
        """With the newest document beside it."""
        newest = Document.objects.using(db).last()
        instance = super().from_db(db, field_names, values, **options)
        vars(instance)["newest"] = newest
        return instance


class Seat(models.Model):
    """A row whose key is two columns."""

    pk = models.CompositePrimaryKey("line", "number")
    line = models.IntegerField()
    number = models.IntegerField()
    taken_by = models.CharField(max_length=50, blank=True)

    class Meta:
        app_label = "chat"


class Place(models.Model):
    """A parent whose rows are in a table of their own."""

    shops: Any
    name = models.CharField(max_length=100)

    class Meta:
        app_label = "chat"


class Restaurant(Place):
    """A child, in two tables."""

    stars = models.IntegerField(default=0)

    class Meta:
        app_label = "chat"


class OpenQuerySet(models.QuerySet[Any]):
    """A queryset with a method of its own."""

    def open(self) -> OpenQuerySet:
        return self.filter(is_open=True)

    def close(self) -> int:
        """An operation of the application's own, by another one."""
        return self.open().update(is_open=False)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Rows of shops are never deleted."""
        return self.update(is_open=False), {}


class OpenManager(models.Manager[Any]):
    """A manager with a queryset of its own making."""

    use_in_migrations = True

    def __init__(self, is_open: bool = True) -> None:
        super().__init__()
        self._is_open = is_open

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(is_open=self._is_open)


class Named(models.Model):
    """An abstract model."""

    name = models.CharField(max_length=100)
    is_open = models.BooleanField(default=True)

    by_name: Any = OpenQuerySet.as_manager()

    class Meta:
        app_label = "chat"
        abstract = True


class Shop(Named):
    """Managers of three kinds, one of them inherited."""

    town = models.ForeignKey(Place, null=True, on_delete=models.CASCADE, related_name="shops")

    objects = OpenManager()
    closed = OpenManager(is_open=False)

    class Meta:
        app_label = "chat"
        base_manager_name = "by_name"


@captured(values=["created", "updated", "deleted"])
class Counted(models.Model):
    """An abstract model that is captured: so is every model derived from it."""

    number = models.IntegerField(default=0)

    class Meta:
        app_label = "chat"
        abstract = True


class Hits(Counted):
    """Captured because of its base."""

    class Meta:
        app_label = "chat"


@captured
class Likes(models.Model):
    """Captured by its decorator."""

    number = models.IntegerField(default=0)

    class Meta:
        app_label = "chat"
