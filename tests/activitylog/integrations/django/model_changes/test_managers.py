"""Which managers and querysets are seen, and what else sees them."""

from __future__ import annotations

import pickle
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User, UserManager
from django.core.management import call_command
from django.db import models
from django.db.migrations.state import ModelState, ProjectState
from django.db.models.manager import Manager
from django.test.utils import isolate_apps

from activitylog.integrations.django import unregister
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, Capture
from tests.activitylog.integrations.django.model_changes.models import (
    Document,
    Line,
    Named,
    OpenManager,
    OpenQuerySet,
    Place,
    Shop,
    Tag,
)

pytestmark = REAL_TRANSACTIONS


class TestManagers:
    @pytest.fixture
    def town(self, capture: Capture) -> Place:
        """With an open and a closed shop."""
        town = Place.objects.create(name="Ulm")
        Shop.objects.bulk_create([Shop(name="Books", town=town), Shop(name="Bread", town=town, is_open=False)])
        capture(Shop)
        return town

    @pytest.mark.parametrize(
        ("manager", "rows"),
        [
            (lambda _town: Shop.objects, 1),
            (lambda _town: Shop.closed, 1),
            (lambda _town: Shop.by_name, 2),
            (lambda _town: Shop.by_name.open(), 1),
            (lambda _town: Shop._default_manager, 1),
            (lambda _town: Shop._base_manager, 2),
            (lambda _town: Shop.objects.db_manager("default"), 1),
            (lambda town: town.shops, 1),
            (lambda town: town.shops(manager="by_name"), 2),
            (lambda town: town.shops.all() | town.shops.all(), 1),
        ],
        ids=[
            "own",
            "second",
            "as_manager",
            "its method",
            "default",
            "base",
            "db_manager",
            "related",
            "named",
            "or",
        ],
    )
    def test_each_is_seen(self, manager: Any, rows: int, town: Place, activity: CapturedActivities) -> None:
        """Managers of the model, inherited ones, those that Django makes, and related ones."""
        assert manager(town).update(name="Other") == rows
        assert len(activity.find("shop.updated", operation="update")) == rows

    def test_methods_of_the_application(self, town: Place, activity: CapturedActivities) -> None:
        """What a queryset's own method does is seen."""
        assert Shop.by_name.close() == 1
        activity.one("shop.updated", operation="update")

    def test_prefetched(self, town: Place, activity: CapturedActivities) -> None:
        """A related manager with its rows at hand, too."""
        prefetched = Place.objects.prefetch_related("shops").get(pk=town.pk)
        assert [shop.name for shop in prefetched.shops.all()] == ["Books"]
        prefetched.shops.all().update(name="Other")
        activity.one("shop.updated")

    def test_they_are_what_they_were(self, town: Place) -> None:
        """Of the application's classes, by name and by kind, in the same order."""
        assert isinstance(Shop.objects, OpenManager)
        assert (type(Shop.objects).__name__, type(Shop.objects).__module__) == (
            "OpenManager",
            OpenManager.__module__,
        )
        assert isinstance(Shop.by_name.all(), OpenQuerySet)
        assert isinstance(Shop.by_name.open().filter(name="x"), OpenQuerySet)
        assert [manager.name for manager in Shop._meta.managers] == ["objects", "closed", "by_name"]
        assert Shop._meta.default_manager is Shop.objects

    def test_models_of_others(self, capture: Capture, activity: CapturedActivities) -> None:
        """Django's users, with their own manager."""
        capture(User)
        user = User.objects.create_user("ada", password="secret")
        assert isinstance(User.objects, UserManager)
        User.objects.filter(pk=user.pk).update(is_active=False)
        activity.one("user.created", operation="save")
        event = activity.one("user.updated", operation="update")
        assert event.attributes["values"] == {"is_active": "False"}

    def test_used_before(self, capture: Capture, activity: CapturedActivities) -> None:
        """A related manager that was used before the model was registered."""
        document = Document.objects.create(title="Plan")
        line = document.lines.create(text="one")
        capture(Line)
        document.lines.update(number=7)
        activity.one("line.updated", object=f"chat.line:{line.pk}")

    def test_many_to_many(self, capture: Capture, activity: CapturedActivities) -> None:
        """The managers of both sides of a relation."""
        document, tag = Document.objects.create(title="Plan"), Tag.objects.create(name="one")
        document.tags.add(tag)
        capture(Tag)
        capture(Document)
        document.tags.update(name="two")
        tag.documents.update(title="Map")
        assert activity.names == ["tag.updated", "document.updated"]

    def test_a_foreign_key_from_its_other_side(self, capture: Capture, activity: CapturedActivities) -> None:
        """``add``, ``remove`` and ``set`` are updates of the rows that point."""
        parent = Document.objects.create(title="Parent")
        child = Document.objects.create(title="Child")
        capture(Document)
        parent.children.add(child)
        parent.children.remove(child)
        parent.children.set([child])
        assert [event.attributes["values"] for event in activity.find("document.updated")] == [
            {"parent": str(parent.pk)},
            {"parent": None},
            {"parent": str(parent.pk)},
        ]


class TestTheRest:
    def test_other_models(self, capture: Capture) -> None:
        """Parents, siblings and Django's own classes stay as they were."""
        capture(Shop)
        assert type(Line.objects) is Manager
        assert type(Line._meta).__name__ == "Options"
        assert type(Named._meta.local_managers[0]).__mro__[1] is not Shop.by_name.__class__
        assert models.QuerySet(Shop).update.__qualname__ == "QuerySet.update"

    def test_registered_no_more(self, capture: Capture, activity: CapturedActivities) -> None:
        """Everything is as it was."""
        before = (type(Shop._meta), type(Shop.objects), type(Shop._base_manager), dict(vars(Shop)))
        capture(Shop)
        assert type(Shop.objects) is not before[1]
        unregister(Shop)
        unregister(Shop)
        assert (type(Shop._meta), type(Shop.objects), type(Shop._base_manager), dict(vars(Shop))) == before
        Shop.objects.create(name="Books")
        Shop.objects.update(name="Other")
        assert activity.names == []

    def test_pickled_querysets(self, capture: Capture) -> None:
        """A queryset that is pickled is of the application's own class when it is read."""
        Shop.by_name.create(name="Books")
        capture(Shop)
        again = pickle.loads(pickle.dumps(Shop.by_name.filter(name="Books")))
        assert type(again) is OpenQuerySet
        assert [shop.name for shop in again] == ["Books"]

    def test_no_migrations(self, capture: Capture) -> None:
        """Capturing is no change of a model: managers that migrations know are equal, and written as before."""
        before = {model: ModelState.from_model(model) for model in (Shop, User)}
        for model, state in before.items():
            capture(model)
            now = ModelState.from_model(model)
            assert state == now
            assert now == state
            for (name, manager), (_, now_manager) in zip(state.managers, now.managers, strict=True):
                assert manager.deconstruct() == now_manager.deconstruct(), name
        out = StringIO()
        call_command("makemigrations", "auth", check_changes=True, dry_run=True, stdout=out)
        assert "No changes" in out.getvalue()

    def test_models_of_migrations(self, capture: Capture, activity: CapturedActivities) -> None:
        """What a migration does to its own models is not told."""
        capture(User)
        project = ProjectState()
        for model in (User, *(field.related_model for field in User._meta.many_to_many)):
            project.add_model(ModelState.from_model(model))  # type: ignore[arg-type]
        from django.contrib.contenttypes.models import ContentType

        project.add_model(ModelState.from_model(ContentType))
        historical = project.apps.get_model("auth", "User")
        historical.objects.create(username="ada")
        historical.objects.update(is_active=False)
        historical.objects.all().delete()
        assert activity.names == []

    @isolate_apps("tests.activitylog.integrations.django.project")
    def test_classes_that_are_made_later(self, capture: Capture) -> None:
        """A table that SQLite has to make anew is of another class, which is not captured."""
        from activitylog.integrations.django.model_changes.watching import watched

        capture(Place)
        before = set(watched)

        class NewRestaurant(Place):
            class Meta:
                app_label = "chat"

        assert set(watched) == before
        assert NewRestaurant not in watched
