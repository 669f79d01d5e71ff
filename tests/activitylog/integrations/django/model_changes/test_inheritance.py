"""Proxies, children in other tables, abstract models."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import transaction

from activitylog.integrations.django import register, unregister
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, Capture
from tests.activitylog.integrations.django.model_changes.models import (
    Counted,
    Document,
    Draft,
    Gate,
    Hits,
    Place,
    Restaurant,
    Ticket,
)

pytestmark = REAL_TRANSACTIONS


def said(activity: CapturedActivities) -> list[tuple[str, str, Any]]:
    """Name, object and changes (or changed) of each event so far; they are forgotten."""
    found = [
        (event.name, event.object, event.attributes.get("changes") or event.attributes.get("changed"))
        for event in activity.events
    ]
    activity.clear()
    return found


class TestProxies:
    def test_of_a_captured_model(self, capture: Capture, activity: CapturedActivities) -> None:
        """What is done through a proxy is told of the model whose row it is."""
        capture(Document)
        draft = Draft.objects.create(title="Plan")
        pk = draft.pk
        draft.title = "Map"
        draft.save()
        Draft.objects.update(title="Chart")
        draft.delete()
        about = f"chat.document:{pk}"
        assert said(activity) == [
            ("document.created", about, None),
            ("document.updated", about, {"title": ["Plan", "Map"]}),
            ("document.updated", about, ["title"]),
            ("document.deleted", about, None),
        ]

    def test_captured_by_itself(self, capture: Capture, activity: CapturedActivities) -> None:
        """Then it has its own options, and only what is done through it is told."""
        capture(Draft, fields=["pages"])
        Document.objects.create(title="Plan")
        draft = Draft.objects.get()
        draft.title, draft.pages = "Map", 2
        draft.save()
        assert said(activity) == [("draft.updated", f"chat.draft:{draft.pk}", {"pages": ["0", "2"]})]
        capture(Document)
        draft.pages = 3
        draft.save()
        Document.objects.update(pages=4)
        assert [name for name, *_ in said(activity)] == ["draft.updated", "document.updated"]

    def test_registered_no_more(self, capture: Capture, activity: CapturedActivities) -> None:
        """Without its own registration a proxy is told as its model again."""
        capture(Document)
        capture(Draft)
        unregister(Draft)
        Draft.objects.create(title="Plan")
        unregister(Document)
        Draft.objects.create(title="Plan")
        assert [name for name, *_ in said(activity)] == ["document.created"]


class TestChildrenInOtherTables:
    def test_the_child_is_captured(self, capture: Capture, activity: CapturedActivities) -> None:
        """With the fields that it has from its parent."""
        capture(Restaurant)
        restaurant = Restaurant.objects.create(name="Rose", stars=1)
        restaurant = Restaurant.objects.get()
        pk = restaurant.pk
        restaurant.name, restaurant.stars = "Lily", 2
        restaurant.save()
        Restaurant.objects.update(name="Iris")
        Restaurant.objects.update(stars=3)
        Place.objects.update(name="Oak")
        restaurant.delete()
        about = f"chat.restaurant:{pk}"
        assert said(activity) == [
            ("restaurant.created", about, None),
            ("restaurant.updated", about, {"name": ["Rose", "Lily"], "stars": ["1", "2"]}),
            ("restaurant.updated", about, ["name"]),
            ("restaurant.updated", about, ["stars"]),
            ("restaurant.deleted", about, None),
        ]

    def test_the_parent_is_captured(self, capture: Capture, activity: CapturedActivities) -> None:
        """A child's row is a row of the parent, too; what only the child has is not told."""
        capture(Place)
        restaurant = Restaurant.objects.create(name="Rose", stars=1)
        pk = restaurant.pk
        restaurant.stars = 2
        restaurant.save()
        restaurant.name = "Lily"
        restaurant.save()
        Restaurant.objects.update(name="Iris", stars=3)
        restaurant.delete()
        about = f"chat.place:{pk}"
        assert said(activity) == [
            ("place.created", about, None),
            ("place.updated", about, {"name": ["Rose", "Lily"]}),
            ("place.updated", about, ["name"]),
            ("place.deleted", about, None),
        ]

    def test_both_are_captured(self, capture: Capture, activity: CapturedActivities) -> None:
        """Each is told of what it has, and only when that changes."""
        capture(Place)
        capture(Restaurant)
        restaurant = Restaurant.objects.create(name="Rose")
        activity.clear()
        restaurant.stars = 1
        restaurant.save()
        assert [name for name, *_ in said(activity)] == ["restaurant.updated"]
        with transaction.atomic():
            Restaurant.objects.all().delete()
            restaurant = Restaurant.objects.create(name="Rose", stars=1)
        assert sorted(name for name, *_ in said(activity)) == [
            "place.created",
            "place.deleted",
            "restaurant.created",
            "restaurant.deleted",
        ]
        restaurant.name = "Lily"
        restaurant.save()
        Restaurant.objects.update(name="Iris", stars=3)
        Restaurant.objects.all().delete()
        names = [name for name, *_ in said(activity)]
        assert sorted(names) == sorted(
            f"{model}.{kind}" for model in ("place", "restaurant") for kind in ("updated", "updated", "deleted")
        )

    def test_a_child_of_a_row_that_is_there(self, capture: Capture, activity: CapturedActivities) -> None:
        """The parent's row may have been there before: it is not told as created."""
        place = Place.objects.create(name="Rose")
        capture(Place)
        capture(Restaurant)
        Restaurant(place_ptr=place, name="Rose", stars=1).save()
        assert sorted(name for name, *_ in said(activity)) == ["place.upserted", "restaurant.created"]

    def test_a_parent_whose_key_was_made(self, capture: Capture, activity: CapturedActivities) -> None:
        """A key that was made for the row is no sign that it was there."""
        capture(Ticket)
        gate = Gate.objects.create(text="A", number=1)
        assert said(activity) == [("ticket.created", f"chat.ticket:{gate.pk}", None)]

    def test_the_parent_is_kept(self, capture: Capture, activity: CapturedActivities) -> None:
        """What is not deleted is not told as deleted."""
        capture(Place)
        capture(Restaurant)
        restaurant = Restaurant.objects.create(name="Rose")
        activity.clear()
        restaurant.delete(keep_parents=True)
        assert [name for name, *_ in said(activity)] == ["restaurant.deleted"]


class TestClassesThatAreMadeLater:
    def test_a_proxy(self, capture: Capture, activity: CapturedActivities) -> None:
        """One that is declared after its model was registered is watched as well."""
        capture(Document)
        try:

            class Later(Document):
                class Meta:
                    app_label = "chat"
                    proxy = True

            Later.objects.create(title="Plan")
            Later.objects.update(pages=2)
            assert [name for name, *_ in said(activity)] == ["document.created", "document.updated"]
        finally:
            apps.all_models["chat"].pop("later")
            apps.clear_cache()


class TestAbstractModels:
    def test_derived_before(self, activity: CapturedActivities) -> None:
        """A model that is derived from a captured abstract one is captured, with its options."""
        hits = Hits.objects.create(number=1)
        assert activity.one("hits.created", object=f"chat.hits:{hits.pk}").attributes["values"] == {"number": "1"}

    def test_derived_later(self, capture: Capture) -> None:
        """One that exists already when the abstract model is registered, and one that does not."""
        from activitylog.integrations.django.model_changes.watching import watched

        class Visits(Counted):
            class Meta:
                app_label = "chat"
                managed = False

        assert watched[Visits].captured[0].names["created"] == "visits.created"
        unregister(Counted)
        try:
            assert Visits not in watched
            assert Hits not in watched
            register(Counted, events=["deleted"])
            assert set(watched[Visits].captured[0].names) == {"deleted"}
        finally:
            register(Counted, values=["created", "updated", "deleted"])
            unregister(Visits)
            apps.all_models["chat"].pop("visits")
            apps.clear_cache()
