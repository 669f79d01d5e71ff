"""What is told of rows that are saved one by one."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Value, signals
from django.db.models.functions import Upper
from django.test.utils import CaptureQueriesContext

import activitylog
from activitylog.integrations.django import capture_paused
from activitylog.integrations.django.model_changes.loaded import kept
from activitylog.testing import CapturedActivities, capture_activities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, Capture, undone
from tests.activitylog.integrations.django.model_changes.models import Document, Likes, Line, Note, Ticket

pytestmark = REAL_TRANSACTIONS


def said(activity: CapturedActivities) -> list[tuple[str, str, Any]]:
    """Name, object and changes of each event so far; they are forgotten."""
    found = [(event.name, event.object, event.attributes.get("changes")) for event in activity.events]
    activity.clear()
    return found


class TestCreated:
    def test_a_row(self, capture: Capture, activity: CapturedActivities) -> None:
        """One event, about the row, without its values."""
        capture(Document)
        document = Document.objects.create(title="Plan")
        event = activity.one("document.created", object=f"chat.document:{document.pk}", operation="save")
        assert not {"changed", "changes", "values"} & event.attributes.keys()

    def test_values(self, capture: Capture, activity: CapturedActivities) -> None:
        """Where values are asked for, all that are no secrets, as texts."""
        capture(Document, fields=["title", "pages", "price", "is_open", "api_key"], values=["created"])
        Document.objects.create(title="Plan", pages=3, api_key="sk-123")
        assert activity.one("document.created").attributes["values"] == {
            "title": "Plan",
            "pages": "3",
            "price": None,
            "is_open": "False",
        }

    def test_keys_of_the_application(self, capture: Capture, activity: CapturedActivities) -> None:
        """A row whose key was given is a new one when it was not there."""
        capture(Ticket)
        ticket = Ticket(text="one")
        ticket.save()
        assert said(activity) == [("ticket.created", f"chat.ticket:{ticket.pk}", None)]
        Ticket(pk=ticket.pk, text="two").save(force_update=True)
        assert [name for name, *_ in said(activity)] == ["ticket.updated"]

    def test_get_or_create(self, capture: Capture, activity: CapturedActivities) -> None:
        """What is found is not created, and what is updated by it is told with its old values."""
        capture(Document)
        Document.objects.get_or_create(title="Plan")
        Document.objects.get_or_create(title="Plan")
        Document.objects.update_or_create(title="Plan", defaults={"pages": 2})
        assert [(name, changes) for name, _, changes in said(activity)] == [
            ("document.created", None),
            ("document.updated", {"pages": ["0", "2"]}),
        ]

    def test_a_copy(self, capture: Capture, activity: CapturedActivities) -> None:
        """An instance that is saved without its key is another row."""
        capture(Document)
        document = Document.objects.create(title="Plan")
        document.pk = None
        document.save()
        document.title = "Copy"
        document.save()
        first, second = document.pk - 1, document.pk
        assert said(activity) == [
            ("document.created", f"chat.document:{first}", None),
            ("document.created", f"chat.document:{second}", None),
            ("document.updated", f"chat.document:{second}", {"title": ["Plan", "Copy"]}),
        ]

    def test_decorated(self, activity: CapturedActivities) -> None:
        """A decorated model is captured from the beginning."""
        likes = Likes.objects.create()
        activity.one("likes.created", object=f"chat.likes:{likes.pk}")


class TestUpdated:
    @pytest.fixture
    def document(self, capture: Capture, activity: CapturedActivities) -> Document:
        """One that is stored, and loaded again."""
        capture(Document)
        Document.objects.create(title="Plan", pages=1)
        activity.clear()
        return Document.objects.get()

    def test_what_changed(self, document: Document, activity: CapturedActivities) -> None:
        """The fields that changed, and their old and new texts."""
        document.title, document.pages = "Map", 2
        document.save()
        event = activity.one("document.updated", object=f"chat.document:{document.pk}", operation="save")
        assert event.attributes["changed"] == ["title", "pages"]
        assert event.attributes["changes"] == {"title": ["Plan", "Map"], "pages": ["1", "2"]}

    def test_nothing_changed(self, document: Document, activity: CapturedActivities) -> None:
        """No event, although the row was written, and ``auto_now`` with it; nothing waits for the commit."""
        with transaction.atomic():
            document.save()
            assert connection.run_on_commit == []
        assert said(activity) == []

    def test_twice(self, document: Document, activity: CapturedActivities) -> None:
        """What was saved is what is old the next time."""
        for title in ("Map", "Map", "Chart"):
            document.title = title
            document.save()
        assert [changes for *_, changes in said(activity)] == [
            {"title": ["Plan", "Map"]},
            {"title": ["Map", "Chart"]},
        ]

    def test_no_query_more(self, document: Document, capture: Capture, activity: CapturedActivities) -> None:
        """Old values are those that were loaded."""
        document.title = "Map"
        with CaptureQueriesContext(connection) as queries:
            document.save()
        assert len(queries) == 1
        assert len(activity) == 1

    def test_a_new_instance(self, document: Document, activity: CapturedActivities) -> None:
        """Saved after it was created, without being loaded."""
        another = Document.objects.create(title="Other")
        another.title = "Another"
        another.save()
        assert said(activity)[-1][2] == {"title": ["Other", "Another"]}

    def test_asynchronously(self, document: Document, activity: CapturedActivities) -> None:
        """``asave`` is told like ``save``, with what was bound by its task."""
        document.title = "Map"

        async def save() -> None:
            with activitylog.bind(actor="user:7"):
                await document.asave()

        async_to_sync(save)()
        activity.one("document.updated", actor="user:7")

    def test_only_some_fields(self, document: Document, activity: CapturedActivities) -> None:
        """What is not written is not told, until it is."""
        document.title, document.pages = "Map", 2
        document.save(update_fields=["pages"])
        document.save(update_fields=["pages"])
        assert [changes for *_, changes in said(activity)] == [{"pages": ["1", "2"]}]
        document.save()
        assert [changes for *_, changes in said(activity)] == [{"title": ["Plan", "Map"]}]

    def test_foreign_keys(self, document: Document, activity: CapturedActivities) -> None:
        """By their name; the value is the key of the row they point to."""
        parent = Document.objects.create(title="Parent")
        activity.clear()
        document.parent = parent
        document.save(update_fields=["parent_id"])
        assert said(activity) == [
            ("document.updated", f"chat.document:{document.pk}", {"parent": [None, str(parent.pk)]})
        ]

    def test_an_instance_that_was_not_loaded(self, document: Document, activity: CapturedActivities) -> None:
        """All that is written may have changed; the old values are not known, and not guessed."""
        Document(pk=document.pk, title="Map", pages=1).save(update_fields=["title", "pages"])
        event = activity.one("document.updated")
        assert event.attributes["changed"] == ["title", "pages"]
        assert event.attributes["values"] == {"title": "Map", "pages": "1"}
        assert "changes" not in event.attributes

    def test_saved_over_another_row(self, document: Document, activity: CapturedActivities) -> None:
        """The old values are those of another row, and are not told as this one's."""
        other = Document.objects.create(title="Other")
        activity.clear()
        document.pk = other.pk
        document.save()
        event = activity.one("document.updated", object=f"chat.document:{other.pk}")
        assert "changes" not in event.attributes

    def test_expressions(self, document: Document, activity: CapturedActivities) -> None:
        """What the database computes is told by its name; Django 6 reads it back, and then it is told."""
        document.pages, document.title = F("pages") + 1, Upper(Value("map"))
        document.save()
        event = activity.one("document.updated")
        assert event.attributes["changed"] == ["title", "pages"]
        known = {"title": ["Plan", "MAP"], "pages": ["1", "2"]}
        assert event.attributes.get("changes") == (known if django.VERSION >= (6,) else None)
        activity.clear()
        document.refresh_from_db()
        document.pages = 9
        document.save()
        assert said(activity)[0][2] == {"pages": ["2", "9"]}

    @pytest.mark.skipif(django.VERSION >= (6,), reason="Django 6 puts the value in the place of the expression")
    def test_expressions_that_stay(self, document: Document, activity: CapturedActivities) -> None:
        """An expression that the instance still has is written again by each save, and told again."""
        document.pages = F("pages") + 1
        document.save()
        document.save()
        assert [event.attributes["changed"] for event in activity.events] == [["pages"]] * 2
        assert Document.objects.get().pages == 3
        assert "pages" not in kept(document)

    def test_values_of_other_types(self, document: Document, activity: CapturedActivities) -> None:
        """A value that the field turns into the one it has is no change."""
        document.pages, document.price = "1", "2.50"
        document.published_on, document.seen_at = "2026-01-31", "2026-01-31T12:00:00+00:00"
        document.save()
        assert activity.one("document.updated").attributes["changes"] == {
            "price": [None, "2.50"],
            "published_on": [None, "2026-01-31"],
            "seen_at": [None, "2026-01-31T12:00:00+00:00"],
        }
        activity.clear()
        document.price = decimal.Decimal("2.5")
        document.published_on = dt.date(2026, 1, 31)
        document.seen_at = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
        document.save()
        assert said(activity) == []

    def test_values_that_change_in_place(self, document: Document, activity: CapturedActivities) -> None:
        """A structure of JSON is compared with what it was, not with itself."""
        document.data["colour"] = "red"
        document.save()
        document.data["colour"] = "blue"
        document.save()
        assert [changes for *_, changes in said(activity)] == [
            {"data": ["{}", '{"colour": "red"}']},
            {"data": ['{"colour": "red"}', '{"colour": "blue"}']},
        ]

    def test_secrets(self, document: Document, activity: CapturedActivities) -> None:
        """That a secret changed is told, what it is never, nor what it was; neither inside a structure."""
        document.api_key, document.data = "sk-live-1", {"login": {"password": "hunter2", "user": "ada"}}
        document.save()
        event = activity.one("document.updated")
        assert event.attributes["changed"] == ["data", "api_key"]
        assert event.attributes["changes"] == {
            "data": ["{}", '{"login": {"password": "[redacted]", "user": "ada"}}']
        }
        assert "hunter2" not in str(event)
        assert "sk-live" not in str(event)

    def test_large_and_binary_values(self, document: Document, activity: CapturedActivities) -> None:
        """They are named, and not told; neither is a structure that is large."""
        document.text, document.scan = "x" * 10_000, b"\x00\x01"
        document.data = {str(number): number for number in range(2_000)}
        document.save()
        assert activity.one("document.updated").attributes["changed"] == ["text", "data", "scan"]
        assert "changes" not in activity.one("document.updated").attributes
        document = Document.objects.get()
        activity.clear()
        document.save()
        assert said(activity) == []
        document.data["1"], document.scan = 2, b"\x00\x02"
        document.save()
        assert activity.one("document.updated").attributes["changed"] == ["data", "scan"]
        activity.clear()
        document.data = {}
        document.save()
        assert activity.one("document.updated").attributes["values"] == {"data": "{}"}

    def test_many_values(self, document: Document, activity: CapturedActivities) -> None:
        """What one event cannot hold is named: no event is cut at emit, which strict would raise."""
        document.title, document.text = "ä" * 100, "ö" * 500
        document.data = ["ü" * 400]
        document.attachment = "é" * 100
        document.save()
        document.text, document.data = "Ö" * 500, ["Ü" * 400]
        document.save()
        first, second = activity.events
        assert first.attributes["changed"] == ["title", "text", "data", "attachment"]
        assert second.attributes["changes"].keys() == {"text", "data"}

    def test_files(self, document: Document, activity: CapturedActivities) -> None:
        """A file is told by its name."""
        field: Any = Document._meta.get_field("attachment")
        before, field.storage = field.storage, InMemoryStorage()
        try:
            document.attachment.save("plan.txt", ContentFile(b"text"))
        finally:
            field.storage = before
        assert activity.one("document.updated").attributes["changes"] == {"attachment": ["", "plan.txt"]}
        document.save()
        assert len(activity) == 1

    def test_refreshed(self, document: Document, activity: CapturedActivities) -> None:
        """What is read again is what is old the next time, all fields or some."""
        Document.objects.filter(pk=document.pk).update(title="Theirs", pages=7)
        activity.clear()
        document.title = "Ours"
        document.refresh_from_db(fields=["pages"])
        document.save()
        assert said(activity)[0][2] == {"title": ["Plan", "Ours"]}
        Document.objects.filter(pk=document.pk).update(title="Theirs")
        activity.clear()
        document.refresh_from_db()
        document.save()
        document.title = "Ours"
        document.save()
        assert said(activity)[0][2] == {"title": ["Theirs", "Ours"]}

    def test_refreshed_by_a_model_that_loads_others(self, capture: Capture, activity: CapturedActivities) -> None:
        """What a model's own ``from_db`` loads beside it is not taken for it."""
        capture(Note)
        capture(Document)
        Document.objects.create(title="Plan")
        note = Note.objects.create(text="one")
        Note.objects.filter(pk=note.pk).update(text="two")
        activity.clear()
        note.refresh_from_db()
        note.text = "three"
        note.save()
        assert said(activity)[0][2] == {"text": ["two", "three"]}

    def test_refreshed_by_a_queryset(self, document: Document, activity: CapturedActivities) -> None:
        """Of a queryset that reads some columns, those are known anew, and no others."""
        document.title, document.pages = "Ours", 5
        document.refresh_from_db(from_queryset=Document.objects.only("pages"))
        document.save()
        assert said(activity)[0][2] == {"title": ["Plan", "Ours"]}


class TestDeferred:
    @pytest.fixture(autouse=True)
    def _stored(self, capture: Capture, activity: CapturedActivities) -> None:
        capture(Document)
        Document.objects.create(title="Plan", pages=1)
        activity.clear()

    def test_what_was_not_loaded(self, activity: CapturedActivities) -> None:
        """It is not compared, nor loaded for it."""
        document = Document.objects.only("title").get()
        document.title = "Map"
        with CaptureQueriesContext(connection) as queries:
            document.save()
        assert len(queries) == 1
        assert said(activity) == [("document.updated", f"chat.document:{document.pk}", {"title": ["Plan", "Map"]})]

    def test_set_without_being_loaded(self, activity: CapturedActivities) -> None:
        """It may have changed; the old value is not known."""
        document = Document.objects.defer("title").get()
        document.title = "Map"
        document.save()
        event = activity.one("document.updated")
        assert event.attributes["changed"] == ["title"]
        assert event.attributes["values"] == {"title": "Map"}

    def test_loaded_later(self, activity: CapturedActivities) -> None:
        """What is loaded when it is asked for is known from then on."""
        document = Document.objects.only("pages").get()
        assert document.title == "Plan"
        document.title = "Map"
        document.save()
        assert said(activity)[0][2] == {"title": ["Plan", "Map"]}

    def test_raw_queries_and_joins(self, activity: CapturedActivities) -> None:
        """Instances that come from SQL of the application, or along with others, are known as well."""
        parent = Document.objects.get()
        Document.objects.create(title="Child", parent=parent)
        activity.clear()
        (raw,) = Document.objects.raw("SELECT id, title FROM chat_document WHERE title = 'Plan'")
        raw.title = "Map"
        raw.save(update_fields=["title"])
        joined = Document.objects.select_related("parent").get(title="Child").parent
        assert joined is not None
        joined.title = "Chart"
        joined.save()
        assert [changes for *_, changes in said(activity)] == [
            {"title": ["Plan", "Map"]},
            {"title": ["Map", "Chart"]},
        ]


class TestTransactions:
    @pytest.fixture
    def document(self, capture: Capture, activity: CapturedActivities) -> Document:
        capture(Document)
        document = Document.objects.create(title="Plan")
        activity.clear()
        return document

    def test_committed(self, document: Document, activity: CapturedActivities) -> None:
        """Nothing before the commit; then what was done, in order, as it was when it was done."""
        with transaction.atomic():
            with activitylog.bind(actor="user:1"):
                for title in ("Map", "Chart"):
                    document.title = title
                    document.save()
            assert activity.names == []
        assert [event.actor for event in activity.events] == ["user:1"] * 2
        assert [changes for *_, changes in said(activity)] == [
            {"title": ["Plan", "Map"]},
            {"title": ["Map", "Chart"]},
        ]

    def test_rolled_back(self, document: Document, activity: CapturedActivities) -> None:
        """Nothing happened; what is saved afterwards is a change of what was there before."""
        with undone():
            document.title = "Map"
            document.save()
        assert said(activity) == []
        document.save()
        document.save()
        assert [changes for *_, changes in said(activity)] == [{"title": ["Plan", "Map"]}]

    def test_savepoints(self, document: Document, activity: CapturedActivities) -> None:
        """What is rolled back inside counts for nothing, what is around it does."""
        with transaction.atomic():
            document.title = "Map"
            document.save()
            with undone():
                document.title = "Chart"
                document.save()
            document.save()
        assert [changes for *_, changes in said(activity)] == [
            {"title": ["Plan", "Map"]},
            {"title": ["Map", "Chart"]},
        ]

    def test_created_and_rolled_back(self, capture: Capture, activity: CapturedActivities) -> None:
        """A row that never was is created when it is saved again."""
        capture(Document)
        document = Document(title="Plan")
        with undone():
            document.save()
        document.save()
        assert [name for name, *_ in said(activity)] == ["document.created"]

    def test_at_once(self, document: Document, capture: Capture, activity: CapturedActivities) -> None:
        """Where that is asked for, what is rolled back is told all the same."""
        capture(Document, on_commit=False)
        with undone():
            document.title = "Map"
            document.save()
            assert len(activity) == 1
        assert len(activity) == 1
        document.save()
        assert len(activity) == 2


class TestWhatIsNotTold:
    def test_fixtures(self, capture: Capture, activity: CapturedActivities, tmp_path: Any) -> None:
        """``loaddata`` puts rows back that were told when they were written; relations go with them."""
        capture(Document, m2m=["related"])
        path = tmp_path / "documents.json"
        path.write_text(
            '[{"model": "chat.document", "pk": 5, "fields": {"title": "Plan", "data": {}, "related": [],'
            ' "created_at": "2026-01-01T00:00Z", "updated_at": "2026-01-01T00:00Z"}},'
            ' {"model": "chat.document", "pk": 6, "fields": {"title": "Map", "data": {}, "related": [5],'
            ' "created_at": "2026-01-01T00:00Z", "updated_at": "2026-01-01T00:00Z"}}]'
        )
        call_command("loaddata", str(path), verbosity=0)
        assert Document.objects.get(pk=6).related.count() == 1
        assert said(activity) == []

    def test_paused(self, capture: Capture, activity: CapturedActivities) -> None:
        """Nothing is told in the block; what was saved in it is known afterwards."""
        capture(Document)
        with capture_paused():
            document = Document.objects.create(title="Plan")
            document.title = "Map"
            document.save()
        document.save()
        document.title = "Chart"
        document.save()
        assert [changes for *_, changes in said(activity)] == [{"title": ["Map", "Chart"]}]

    def test_other_models(self, capture: Capture, activity: CapturedActivities) -> None:
        """Models that are not registered are left alone."""
        capture(Document)
        line = Line.objects.create(text="one")
        assert "activitylog_loaded" not in vars(line._state)
        assert said(activity) == []


class TestSafety:
    def test_values_that_fail(self, capture: Capture) -> None:
        """What cannot be read is counted; the row is saved."""

        class Hostile(str):
            __slots__ = ()

            def __eq__(self, other: object) -> bool:
                raise RuntimeError("no comparison")

            def __str__(self) -> str:
                raise RuntimeError("no text")

            __hash__ = str.__hash__

        capture(Document)
        with capture_activities(strict=False) as captured:
            document = Document.objects.create(title="Plan")
            document.title = Hostile("Map")
            document.save()
            assert Document.objects.get().title == "Map"
            assert captured.names[-1] == "document.updated"

    def test_what_another_receiver_leaves(self, capture: Capture) -> None:
        """Whatever an instance has when it is told, the row is saved, and the event counted as lost."""

        class Odd:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

        def leave(instance: Any, **_: Any) -> None:
            instance.title = Odd()

        signals.post_save.connect(leave, sender=Document)
        try:
            capture(Document)
            with capture_activities(strict=False) as captured:
                Document.objects.create(title="Plan")
                assert captured.names == []
                assert activitylog.stats().dropped == {"error": 1}
        finally:
            signals.post_save.disconnect(leave, sender=Document)
        assert Document.objects.get().title == "Plan"

    def test_a_broken_pipeline(self, capture: Capture) -> None:
        """Whatever fails inside, the row is saved, and the loss is counted."""

        def broken(*_: Any) -> Any:
            raise RuntimeError("no event passes")

        capture(Document)
        with capture_activities(strict=False, processors=[broken]) as captured:
            Document.objects.create(title="Plan")
            with transaction.atomic():
                Document.objects.create(title="Map")
            assert captured.names == []
            assert activitylog.stats().dropped == {"error": 2}
        assert Document.objects.count() == 2
