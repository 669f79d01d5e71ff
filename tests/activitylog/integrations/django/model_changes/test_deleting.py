"""What is told of rows that are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.db.models.signals import post_delete, pre_delete
from django.test.utils import CaptureQueriesContext

from activitylog.integrations.django import capture_paused
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, Capture, undone
from tests.activitylog.integrations.django.model_changes.models import Document, Line, Place, Shop

pytestmark = REAL_TRANSACTIONS


def said(activity: CapturedActivities) -> list[tuple[str, str, str]]:
    """Name, object and operation of each event, in the order of the objects."""
    return sorted((event.name, event.object, event.attributes["operation"]) for event in activity.events)


@pytest.fixture
def lines() -> list[Line]:
    """Three lines of a document, stored before anything is captured."""
    document = Document.objects.create(title="Plan")
    return Line.objects.bulk_create([Line(document=document, text=f"line {number}") for number in range(3)])


@pytest.fixture(params=[pre_delete, post_delete], ids=["before", "after"])
def seen(request: pytest.FixtureRequest) -> Iterator[list[Any]]:
    """What somebody else sees who wants to know of each line that is deleted."""
    found: list[Any] = []

    def listen(instance: Any, **_: Any) -> None:
        found.append(instance)

    request.param.connect(listen, sender=Line)
    yield found
    request.param.disconnect(listen, sender=Line)


class TestOneRow:
    def test_an_instance(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """The event has the id that the row had; the instance has none afterwards."""
        capture(Line)
        pk = lines[0].pk
        lines[0].delete()
        assert lines[0].pk is None
        assert said(activity) == [("line.deleted", f"chat.line:{pk}", "delete")]

    def test_no_query_more(self, lines: list[Line], capture: Capture) -> None:
        """One statement deletes the row."""
        capture(Line)
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            lines[0].delete()
        assert len(queries) == 1

    def test_values(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Where they are asked for: what the row had, not what the instance was given since."""
        capture(Line, values=["deleted"], fields=["text", "number"])
        line = Line.objects.first()
        assert line is not None
        line.text = "not saved"
        line.delete()
        assert activity.one("line.deleted").attributes["values"] == {"text": "line 0", "number": "0"}

    def test_rolled_back(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Nothing was deleted."""
        capture(Line)
        with undone():
            lines[0].delete()
        assert said(activity) == []

    def test_at_once(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Where that is asked for, each row is told when it is deleted."""
        capture(Line, on_commit=False)
        with transaction.atomic():
            lines[0].delete()
            assert len(activity) == 1

    def test_not_asked_for(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Without ``deleted`` among the events Django deletes as if nothing were captured."""
        capture(Line, events=["created", "updated"])
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            Line.objects.all().delete()
        assert len(queries) == 1
        assert said(activity) == []


class TestQuerySets:
    def test_by_one_statement(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Rows that nothing points to are deleted as fast as without us, and told by the statement."""
        capture(Line)
        ids = sorted(line.pk for line in lines)
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            assert Line.objects.filter(pk__in=ids[1:]).order_by("text").delete() == (2, {"chat.Line": 2})
        assert len(queries) == 1
        assert said(activity) == sorted(("line.deleted", f"chat.line:{pk}", "queryset_delete") for pk in ids[1:])
        assert Line.objects.get().pk == ids[0]

    def test_nothing(self, capture: Capture, activity: CapturedActivities) -> None:
        """No row, no event."""
        capture(Line)
        assert Line.objects.all().delete() == (0, {})
        assert said(activity) == []

    def test_what_django_refuses(self, capture: Capture) -> None:
        """It refuses it as ever, with its own words."""
        capture(Line)
        with pytest.raises(TypeError, match="'limit' or 'offset'"):
            Line.objects.all()[:1].delete()
        with pytest.raises(TypeError, match="values"):
            Line.objects.values("pk").delete()
        with pytest.raises(Exception, match="union"):
            Line.objects.all().union(Line.objects.all()).delete()

    def test_values(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Where they are asked for, Django loads the rows."""
        capture(Line, values=["deleted"], fields=["text"])
        Line.objects.all().delete()
        assert sorted(event.attributes["values"]["text"] for event in activity.events) == [
            "line 0",
            "line 1",
            "line 2",
        ]

    def test_somebody_else_listens(
        self, lines: list[Line], seen: list[Any], capture: Capture, activity: CapturedActivities
    ) -> None:
        """Then rows are loaded for them, and told one by one; each once."""
        capture(Line)
        Line.objects.all().delete()
        assert [operation for *_, operation in said(activity)] == ["queryset_delete"] * 3
        assert len(seen) == 3

    def test_a_method_of_the_application(self, capture: Capture, activity: CapturedActivities) -> None:
        """A queryset that deletes in its own way does so, and is told as what it does."""
        capture(Shop)
        shop = Shop.objects.create(name="Books")
        activity.clear()
        Shop.by_name.all().delete()
        assert Shop.closed.get() == shop
        assert said(activity) == [("shop.updated", f"chat.shop:{shop.pk}", "update")]

    def test_many(self, capture: Capture, activity: CapturedActivities) -> None:
        """More rows than have an event each are one event; so are those that Django deletes one by one."""
        Line.objects.bulk_create([Line(text=str(number)) for number in range(5)])
        Document.objects.bulk_create([Document(title=str(number)) for number in range(5)])
        capture(Line, max_events=4)
        capture(Document, max_events=4)
        Line.objects.all().delete()
        Document.objects.all().delete()
        for name in ("line.deleted", "document.deleted"):
            event = activity.one(name, operation="queryset_delete", count=5)
            assert len(event.attributes["activity.object.ids"]) == 5

    def test_asynchronously(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """``adelete`` is told like ``delete``."""
        capture(Line)
        async_to_sync(Line.objects.all().adelete)()
        assert len(said(activity)) == 3

    def test_paused(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Nothing is told in the block."""
        capture(Line)
        with capture_paused():
            lines[0].delete()
            Line.objects.all().delete()
        assert said(activity) == []


class TestCascades:
    def test_what_goes_with_a_row(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """Rows that are deleted because of another one say so; the other model need not be captured."""
        capture(Line)
        ids = sorted(line.pk for line in lines)
        document = Document.objects.get()
        document.delete()
        assert said(activity) == sorted(("line.deleted", f"chat.line:{pk}", "cascade") for pk in ids)

    def test_of_a_queryset(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """The queryset's own rows, and what goes with them."""
        capture(Line)
        capture(Document)
        pk = Document.objects.get().pk
        Document.objects.all().delete()
        operations = [(name, operation) for name, _, operation in said(activity)]
        assert operations == [("document.deleted", "queryset_delete")] + [("line.deleted", "cascade")] * 3
        activity.one("document.deleted", object=f"chat.document:{pk}")

    def test_a_foreign_key_that_is_set_to_null(self, capture: Capture, activity: CapturedActivities) -> None:
        """The rows that pointed to it are updated, in many rows at once."""
        capture(Document)
        parent = Document.objects.create(title="Parent")
        child = Document.objects.create(title="Child", parent=parent)
        activity.clear()
        parent.delete()
        event = activity.one("document.updated", object=f"chat.document:{child.pk}", operation="update")
        assert event.attributes["changed"] == ["parent"]
        assert event.attributes["values"] == {"parent": None}

    def test_inner_transactions(self, capture: Capture, activity: CapturedActivities) -> None:
        """Of one queryset that is deleted twice, once in a block that is rolled back, the rest is told."""
        first, second = Document.objects.create(title="1"), Document.objects.create(title="2")
        capture(Document)
        ids = first.pk, second.pk
        queryset = Document.objects.order_by("pk")
        with transaction.atomic():
            with undone():
                queryset.delete()
            first.delete()
            with transaction.atomic():
                queryset.delete()
        assert {(about, operation) for _, about, operation in said(activity)} == {
            (f"chat.document:{ids[0]}", "delete"),
            (f"chat.document:{ids[1]}", "queryset_delete"),
        }

    def test_a_later_block_that_is_rolled_back(self, capture: Capture, activity: CapturedActivities) -> None:
        """What the same queryset deletes in it is not told with what it deleted before."""
        first = Document.objects.create(title="1").pk
        capture(Document, events=["deleted"])
        queryset = Document.objects.order_by("pk")
        with transaction.atomic():
            queryset.delete()
            Document.objects.create(title="2")
            with undone():
                queryset.delete()
        assert said(activity) == [("document.deleted", f"chat.document:{first}", "queryset_delete")]

    def test_of_several_operations(self, capture: Capture, activity: CapturedActivities) -> None:
        """Each has its own event when it is about many rows."""
        town = Place.objects.create(name="Ulm")
        Shop.objects.bulk_create([Shop(name=str(number), town=town) for number in range(3)])
        Shop.objects.bulk_create([Shop(name=str(number)) for number in range(2)])
        capture(Shop, max_events=1, values=["deleted"])
        with transaction.atomic():
            town.delete()
            for shop in Shop.objects.all():
                shop.delete()
        assert sorted(
            (event.attributes["operation"], event.attributes.get("activity.count")) for event in activity
        ) == [
            ("cascade", 3),
            ("delete", None),
            ("delete", None),
        ]
