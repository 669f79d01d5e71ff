"""What is told of operations on many rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import FieldDoesNotExist
from django.db import connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

import activitylog
from activitylog.integrations.django import capture_paused, emitting
from activitylog.testing import CapturedActivities, capture_activities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, Capture, undone
from tests.activitylog.integrations.django.model_changes.models import Document, Line, Seat, Ticket

pytestmark = REAL_TRANSACTIONS


@pytest.fixture
def lines(capture: Capture) -> list[Line]:
    """Four lines, stored before they are captured."""
    document = Document.objects.create(title="Plan")
    lines = Line.objects.bulk_create(
        [Line(document=document, text=f"line {number}", number=number) for number in range(4)]
    )
    capture(Line)
    return lines


def ids(activity: CapturedActivities) -> set[int]:
    """Of the rows that are told."""
    return {int(event.attributes["activity.object.id"]) for event in activity.events}


def queries_of(run: Callable[[], object]) -> int:
    """The queries of an operation; begin and commit are not counted."""
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        run()
    return len(queries)


class TestUpdate:
    def test_rows_that_matched(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Each of them, by which fields, with the new values that are known."""
        assert Line.objects.filter(number__gte=2).update(text=Concat("text", Value("!")), number=7) == 2
        assert ids(activity) == {line.pk for line in lines[2:]}
        for event in activity.events:
            assert (event.name, event.attributes["operation"]) == ("line.updated", "update")
            assert event.attributes["changed"] == ["text", "number"]
            assert event.attributes["values"] == {"number": "7"}
            assert "changes" not in event.attributes

    def test_no_query_more(self, lines: list[Line], activity: CapturedActivities) -> None:
        """The statement says which rows it changed."""
        assert queries_of(lambda: Line.objects.filter(number__gte=2).update(number=7)) == 1
        assert len(activity) == 2

    @pytest.mark.parametrize(
        "chosen",
        [
            lambda: Line.objects.filter(document__title="Plan"),
            lambda: Line.objects.filter(Q(document__title="Plan") | Q(number=1)).distinct(),
            lambda: Line.objects.exclude(number=9).order_by("-document__title"),
            lambda: Line.objects.annotate(twice=F("number") * 2).filter(twice__gte=0),
            lambda: Document.objects.get().lines,
            lambda: Line.objects.filter(pk__in=Line.objects.values("pk")),
            lambda: Line.objects.select_related("document").defer("text"),
            lambda: Line.objects.using("default"),
        ],
        ids=["joined", "distinct", "ordered", "annotated", "related", "subquery", "deferred", "using"],
    )
    def test_however_they_are_chosen(self, chosen: Any, lines: list[Line], activity: CapturedActivities) -> None:
        """The rows are those that the statement changed, whatever it looks like."""
        assert chosen().update(number=7) == 4
        assert ids(activity) == {line.pk for line in lines}

    def test_foreign_keys(self, lines: list[Line], activity: CapturedActivities) -> None:
        """By either name; an instance is its key."""
        other = Document.objects.create(title="Other")
        Line.objects.filter(pk=lines[0].pk).update(document=other)
        Line.objects.filter(pk=lines[0].pk).update(document_id=None)
        assert [event.attributes["values"] for event in activity.events] == [
            {"document": str(other.pk)},
            {"document": None},
        ]
        assert [event.attributes["changed"] for event in activity.events] == [["document"]] * 2

    def test_no_row(self, lines: list[Line], activity: CapturedActivities) -> None:
        """No event."""
        assert Line.objects.filter(number=99).update(number=7) == 0
        assert Line.objects.none().update(number=7) == 0
        assert activity.names == []

    def test_fields_that_are_not_captured(
        self, lines: list[Line], capture: Capture, activity: CapturedActivities
    ) -> None:
        """An update of others is no event."""
        capture(Line, exclude=["number"])
        Line.objects.update(number=7)
        assert activity.names == []

    def test_what_django_refuses(self, lines: list[Line]) -> None:
        """It refuses it as ever."""
        with pytest.raises(TypeError, match="Cannot update a query once a slice"):
            Line.objects.all()[:2].update(number=7)
        with pytest.raises(FieldDoesNotExist, match="nothing"):
            Line.objects.update(nothing=7)

    def test_many(self, capture: Capture, activity: CapturedActivities) -> None:
        """More rows than have an event each are one event, with all their ids."""
        lines = Line.objects.bulk_create([Line(text=str(number)) for number in range(120)])
        capture(Line)
        Line.objects.update(number=7)
        event = activity.one("line.updated", count=120, operation="update")
        assert set(event.attributes["activity.object.ids"]) == {str(line.pk) for line in lines}
        assert event.attributes["activity.object.type"] == "chat.line"

    @pytest.mark.slow
    def test_more_than_one_event_can_hold(self, capture: Capture, activity: CapturedActivities) -> None:
        """The ids go on in a further event; the counts add up."""
        Ticket.objects.bulk_create([Ticket(text="open") for _ in range(3_000)])
        capture(Ticket)
        Ticket.objects.update(text="closed")
        events = activity.find("ticket.updated")
        assert len(events) == 3
        assert sum(event.attributes["activity.count"] for event in events) == 3_000
        told = {pk for event in events for pk in event.attributes["activity.object.ids"]}
        assert told == {str(pk) for pk in Ticket.objects.values_list("pk", flat=True)}

    def test_keys_that_the_driver_does_not_know(self, capture: Capture, activity: CapturedActivities) -> None:
        """What SQLite has as text is told as the key that Django makes of it."""
        ticket = Ticket.objects.create(text="open")
        capture(Ticket)
        Ticket.objects.update(text="closed")
        activity.one("ticket.updated", object=f"chat.ticket:{ticket.pk}")
        assert "-" in str(ticket.pk)

    def test_keys_of_several_columns(self, capture: Capture, activity: CapturedActivities) -> None:
        """They are told as Django writes them."""
        capture(Seat, values=["created"])
        Seat.objects.bulk_create([Seat(line=1, number=number) for number in (1, 2)])
        Seat.objects.filter(number=2).update(taken_by="ada")
        seat = Seat.objects.get(pk=(1, 1))
        seat.taken_by = "bob"
        seat.save()
        Seat.objects.filter(number=2).delete()
        told = [(event.name, event.object) for event in activity.events]
        assert told == [
            ("seat.created", "chat.seat:(1, 1)"),
            ("seat.created", "chat.seat:(1, 2)"),
            ("seat.updated", "chat.seat:(1, 2)"),
            ("seat.updated", "chat.seat:(1, 1)"),
            ("seat.deleted", "chat.seat:(1, 2)"),
        ]
        assert activity.events[0].attributes["values"] == {"taken_by": ""}

    def test_asynchronously(self, lines: list[Line], activity: CapturedActivities) -> None:
        """``aupdate`` is told like ``update``, with what its task has bound."""

        async def update() -> None:
            with activitylog.bind(actor="user:7"):
                await Line.objects.aupdate(number=7)

        async_to_sync(update)()
        activity.assert_emitted("line.updated", times=4, actor="user:7")

    def test_rolled_back(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Nothing was updated."""
        with undone():
            Line.objects.update(number=7)
        assert activity.names == []

    def test_paused(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Nothing is told in the block."""
        with capture_paused():
            Line.objects.update(number=7)
            Line.objects.bulk_create([Line(text="new")])
            Line.objects.bulk_update(lines, ["text"])
        assert activity.names == []

    def test_a_statement_that_fails(self, lines: list[Line], activity: CapturedActivities) -> None:
        """The application gets Django's error, and nothing is told."""
        with pytest.raises(Exception, match="UNIQUE"):
            Line.objects.update(text="the same")
        assert activity.names == []


class TestWithEventsOfTheApplication:
    def test_both_are_told(self, lines: list[Line], activity: CapturedActivities) -> None:
        """What happened by the application's name for it, and what changed; the statement is asked once."""
        rows = emitting(Line.objects.filter(number__gte=2), "line.counted")
        assert queries_of(lambda: rows.update(number=7)) == 1
        for name in ("line.counted", "line.updated"):
            assert {event.object for event in activity.find(name)} == {
                f"chat.line:{line.pk}" for line in lines[2:]
            }


class TestWhereRowsAreNotTold:
    """A database without RETURNING, as far as Django knows."""

    @pytest.fixture(autouse=True)
    def _older(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)
        monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)

    def test_update(self, lines: list[Line], activity: CapturedActivities) -> None:
        """The ids are read before: one query more."""
        assert queries_of(lambda: Line.objects.filter(number__gte=2).update(number=7)) == 2
        assert ids(activity) == set(Line.objects.filter(number=7).values_list("pk", flat=True))

    def test_bulk_update(self, lines: list[Line], activity: CapturedActivities) -> None:
        """The instances are the rows, when as many were changed."""
        lines = list(Line.objects.order_by("number"))
        lines[0].text = "first"
        assert queries_of(lambda: Line.objects.bulk_update(lines, ["text"])) == 1
        assert activity.one("line.updated").attributes["changes"] == {"text": ["line 0", "first"]}

    def test_bulk_update_of_one_row_twice(self, lines: list[Line], activity: CapturedActivities) -> None:
        """One row is one row."""
        line = Line.objects.get(number=0)
        line.text = "first"
        assert Line.objects.bulk_update([line, line], ["text"]) == 1
        activity.one("line.updated", object=f"chat.line:{line.pk}")

    def test_bulk_update_of_rows_that_are_gone(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Which ones they are is not known: the number is told alone."""
        lines = list(Line.objects.order_by("number"))
        Line.objects.filter(pk=lines[0].pk)._raw_delete("default")
        for line in lines:
            line.text += "!"
        Line.objects.bulk_update(lines, ["text"])
        event = activity.one("line.updated", count=3)
        assert not {"activity.object.id", "activity.object.ids"} & event.attributes.keys()

    def test_bulk_create(self, capture: Capture, activity: CapturedActivities) -> None:
        """Keys that are not returned are not told; those that the application made are."""
        capture(Line)
        capture(Ticket)
        Line.objects.bulk_create([Line(text="one"), Line(text="two")])
        tickets = Ticket.objects.bulk_create([Ticket(text="one"), Ticket(text="two")])
        event = activity.one("line.created", count=2)
        assert "activity.object.id" not in event.attributes
        assert {event.object for event in activity.find("ticket.created")} == {
            f"chat.ticket:{ticket.pk}" for ticket in tickets
        }

    def test_ignored_conflicts(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Some of them may have been there: they are not told as created."""
        Line.objects.bulk_create([Line(text="line 0"), Line(text="new")], ignore_conflicts=True)
        activity.one("line.upserted", count=2, operation="bulk_create")

    def test_delete(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Django loads the rows, and they are told one by one."""
        expected = set(Line.objects.values_list("pk", flat=True))
        assert queries_of(lambda: Line.objects.all().delete()) == 2
        assert ids(activity) == expected


class TestBulkCreate:
    def test_rows(self, capture: Capture, activity: CapturedActivities) -> None:
        """An event for each, with the keys that the database made, and no query more."""
        capture(Line, values=["created"], fields=["text"])
        made: list[Line] = []
        assert (
            queries_of(lambda: made.extend(Line.objects.bulk_create(Line(text=text) for text in ("one", "two"))))
            == 1
        )
        assert ids(activity) == {line.pk for line in made}
        assert [event.attributes["values"] for event in activity.events] == [{"text": "one"}, {"text": "two"}]
        assert {event.attributes["operation"] for event in activity.events} == {"bulk_create"}

    def test_saved_later(self, capture: Capture, activity: CapturedActivities) -> None:
        """What was inserted is known when an instance is saved."""
        capture(Line)
        (line,) = Line.objects.bulk_create([Line(text="one")])
        activity.clear()
        line.save()
        line.text = "two"
        line.save()
        assert activity.one("line.updated").attributes["changes"] == {"text": ["one", "two"]}

    def test_rolled_back_and_saved_later(self, capture: Capture, activity: CapturedActivities) -> None:
        """A row that never was is created when it is saved."""
        capture(Line)
        lines = [Line(text="one")]
        with undone():
            Line.objects.bulk_create(lines)
        lines[0].save()
        assert activity.names == ["line.created"]

    def test_ignored_conflicts(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Only rows that were not there are told."""
        Line.objects.bulk_create([Line(text="line 0"), Line(text="new")], ignore_conflicts=True)
        new = Line.objects.get(text="new")
        activity.one("line.created", object=f"chat.line:{new.pk}")
        assert len(activity) == 1

    def test_updated_conflicts(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Created or updated: the database does not say which."""
        Line.objects.bulk_create(
            [Line(text="line 0", number=7), Line(text="new", number=8)],
            update_conflicts=True,
            unique_fields=["text"],
            update_fields=["number"],
        )
        told = {lines[0].pk, Line.objects.get(text="new").pk}
        assert ids(activity) == told
        assert set(activity.names) == {"line.upserted"}

    def test_none(self, capture: Capture, activity: CapturedActivities) -> None:
        """Nothing is created, nothing is told."""
        capture(Line)
        assert Line.objects.bulk_create([]) == []
        assert activity.names == []

    def test_many(self, capture: Capture, activity: CapturedActivities) -> None:
        """More rows than have an event each are one event."""
        capture(Line, max_events=2, values=["created"])
        Line.objects.bulk_create([Line(text=str(number)) for number in range(3)], batch_size=2)
        event = activity.one("line.created", count=3)
        assert "values" not in event.attributes

    def test_asynchronously(self, capture: Capture, activity: CapturedActivities) -> None:
        """``abulk_create`` is told like ``bulk_create``."""
        capture(Line)
        async_to_sync(Line.objects.all().abulk_create)([Line(text="one")])
        assert activity.names == ["line.created"]


class TestBulkUpdate:
    def test_rows(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Those that changed, with old and new values of what was written, and no query more."""
        lines = list(Line.objects.order_by("number"))
        lines[0].text, lines[1].text, lines[1].number, lines[2].number = "first", "second", 9, 9
        assert queries_of(lambda: Line.objects.bulk_update(lines, ["text"])) == 1
        assert [(event.object, event.attributes["changes"]) for event in activity.events] == [
            (f"chat.line:{lines[0].pk}", {"text": ["line 0", "first"]}),
            (f"chat.line:{lines[1].pk}", {"text": ["line 1", "second"]}),
        ]
        assert {event.attributes["operation"] for event in activity.events} == {"bulk_update"}

    def test_saved_later(self, lines: list[Line], activity: CapturedActivities) -> None:
        """What was written is known, what was not is not."""
        (line,) = Line.objects.filter(number=0)
        line.text, line.number = "first", 9
        Line.objects.bulk_update([line], ["text"])
        activity.clear()
        line.save()
        assert activity.one("line.updated").attributes["changes"] == {"number": ["0", "9"]}

    def test_rolled_back(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Nothing happened; saved later it does."""
        (line,) = Line.objects.filter(number=0)
        line.text = "first"
        with undone():
            Line.objects.bulk_update([line], ["text"])
        assert activity.names == []
        line.save()
        assert activity.one("line.updated").attributes["changes"] == {"text": ["line 0", "first"]}

    def test_rows_that_are_gone(self, lines: list[Line], activity: CapturedActivities) -> None:
        """What was not there was not updated."""
        loaded = list(Line.objects.order_by("number"))
        Line.objects.filter(pk=loaded[0].pk)._raw_delete("default")
        for line in loaded:
            line.text += "!"
        assert Line.objects.bulk_update(loaded, ["text"]) == 3
        assert ids(activity) == {line.pk for line in loaded[1:]}

    def test_expressions(self, lines: list[Line], activity: CapturedActivities) -> None:
        """What the database computes is told by its name."""
        loaded = list(Line.objects.filter(number__lt=2))
        for line in loaded:
            line.number = F("number") + 1
        Line.objects.bulk_update(loaded, ["number"])
        for event in activity.events:
            assert event.attributes["changed"] == ["number"]
            assert not {"changes", "values"} & event.attributes.keys()
        assert len(activity) == 2

    def test_many(self, lines: list[Line], capture: Capture, activity: CapturedActivities) -> None:
        """More rows than have an event each are one event, about what changed in any of them."""
        capture(Line, max_events=2)
        loaded = list(Line.objects.order_by("number"))
        for line in loaded[1:]:
            line.text += "!"
        loaded[1].number = 9
        Line.objects.bulk_update(loaded, ["text", "number"], batch_size=2)
        event = activity.one("line.updated", count=3)
        assert set(event.attributes["activity.object.ids"]) == {str(line.pk) for line in loaded[1:]}
        assert event.attributes["changed"] == ["text", "number"]

    def test_asynchronously(self, lines: list[Line], activity: CapturedActivities) -> None:
        """``abulk_update`` is told like ``bulk_update``."""
        loaded = list(Line.objects.filter(number=0))
        loaded[0].text = "first"
        async_to_sync(Line.objects.all().abulk_update)(loaded, ["text"])
        assert activity.names == ["line.updated"]

    def test_what_django_refuses(self, lines: list[Line]) -> None:
        """It refuses it as ever."""
        with pytest.raises(ValueError, match="primary key"):
            Line.objects.bulk_update([Line(text="new")], ["text"])
        with pytest.raises(FieldDoesNotExist):
            Line.objects.bulk_update(lines, ["nothing"])


class TestSafety:
    def test_a_broken_pipeline(self, lines: list[Line]) -> None:
        """Whatever fails inside, the rows are written, and losses are counted."""

        def broken(*_: Any) -> Any:
            raise RuntimeError("no event passes")

        with capture_activities(strict=False, processors=[broken]) as captured:
            assert Line.objects.update(number=7) == 4
            Line.objects.bulk_create([Line(text="new")])
            Line.objects.filter(text="new").delete()
            assert captured.names == []
            assert activitylog.stats().dropped["error"] == 6
        assert Line.objects.filter(number=7).count() == 4

    def test_not_configured(self, lines: list[Line]) -> None:
        """Without activitylog being configured everything goes on."""
        assert Line.objects.update(number=7) == 4
        assert Line.objects.all().delete()[0] == 4
