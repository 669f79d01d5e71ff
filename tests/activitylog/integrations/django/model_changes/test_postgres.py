"""On a real PostgreSQL: transactions, locks, and which rows a statement changed while others write them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import F

from activitylog.integrations.django import emitting
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.databases import database, of_postgres
from tests.activitylog.integrations.django.model_changes.conftest import Capture, undone
from tests.activitylog.integrations.django.model_changes.models import (
    Document,
    Line,
    Place,
    Reading,
    Restaurant,
    Seat,
    Tag,
    Ticket,
)
from tests.postgres import postgres_server, require_postgres
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PG = "postgres"
MODELS: list[Any] = [Tag, Document, Reading, Line, Ticket, Seat, Place, Restaurant]


@pytest.fixture(scope="module")
def postgres(django_db_blocker: Any) -> Iterator[str]:
    """A server of one's own, with the tables; its URL."""
    require_postgres()
    with postgres_server("fsync=off", "deadlock_timeout=10s") as url:
        with (
            django_db_blocker.unblock(),
            database(PG, **of_postgres(url)),
            connections[PG].schema_editor() as editor,
        ):
            for model in MODELS:
                editor.create_model(model)
        yield url


@pytest.fixture(autouse=True)
def _tables(postgres: str, django_db_blocker: Any) -> Iterator[None]:
    """The alias of the server, and no rows."""
    with django_db_blocker.unblock(), database(PG, **of_postgres(postgres)):
        yield
        tables = ", ".join(connections[PG].introspection.table_names())
        with connections[PG].cursor() as cursor:
            cursor.execute(f"TRUNCATE {tables}")


@pytest.fixture
def lines(capture: Capture) -> list[Line]:
    """Four lines, before they are captured."""
    lines = Line.objects.using(PG).bulk_create([Line(text=f"line {number}", number=number) for number in range(4)])
    capture(Line)
    return lines


def ids(activity: CapturedActivities) -> set[int]:
    return {int(event.attributes["activity.object.id"]) for event in activity.events}


def queries_of(run: Callable[[], object]) -> int:
    """The queries of an operation; begin and commit are not counted."""
    from django.test.utils import CaptureQueriesContext

    with transaction.atomic(using=PG), CaptureQueriesContext(connections[PG]) as queries:
        run()
    return len(queries)


def tell_no_rows(monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """From now on as with a database that does not tell which rows a statement changed, in this thread."""
    features: Any = connections[PG].features
    if monkeypatch is None:
        features.can_return_columns_from_insert = False
    else:
        monkeypatch.setattr(features, "can_return_columns_from_insert", False, raising=False)


class OtherSession:
    """Somebody else, with a connection and a transaction of their own."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url)

    def execute(self, statement: str) -> list[Any]:
        cursor = self._connection.execute(statement)
        return cursor.fetchall() if cursor.description else []

    def commit(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()

    def somebody_waits(self) -> bool:
        """Whether a session waits for a lock."""
        found = self.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(found[0][0])


@pytest.fixture
def other(postgres: str) -> Iterator[OtherSession]:
    session = OtherSession(postgres)
    yield session
    session.close()


@pytest.fixture
def watcher(postgres: str) -> Iterator[OtherSession]:
    session = OtherSession(postgres)
    yield session
    session.close()


def beside(run: Callable[[], object], watcher: OtherSession, then: Callable[[], object]) -> None:
    """Run in a thread until it waits for a lock; then do something, and wait for its end."""
    failed: list[BaseException] = []

    def in_a_thread() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - of the thread, raised below
            failed.append(error)
        finally:
            connections[PG].close()

    def waits() -> bool:
        watcher.commit()
        return watcher.somebody_waits()

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    wait_until(waits)
    then()
    thread.join()
    assert failed == []


class TestRaces:
    def update(self) -> None:
        rows = Line.objects.using(PG).filter(number__lt=3)
        assert emitting(rows, "line.counted").update(number=F("number") + 10) == 2

    def test_a_row_that_matches_no_more(
        self, lines: list[Line], other: OtherSession, watcher: OtherSession, activity: CapturedActivities
    ) -> None:
        """While the statement waits for a row another one changes it: it is not among the rows that are told."""
        other.execute(f"UPDATE chat_line SET number = 99 WHERE id = {lines[1].pk}")
        beside(self.update, watcher, other.commit)
        expected = {lines[0].pk, lines[2].pk}
        for name in ("line.counted", "line.updated"):
            assert {int(event.attributes["activity.object.id"]) for event in activity.find(name)} == expected

    def test_where_rows_are_read_before(
        self, lines: list[Line], other: OtherSession, watcher: OtherSession, activity: CapturedActivities
    ) -> None:
        """They are locked when they are read: the same rows."""
        other.execute(f"UPDATE chat_line SET number = 99 WHERE id = {lines[1].pk}")
        beside(self.update_untold, watcher, other.commit)
        assert ids(activity) == {lines[0].pk, lines[2].pk}

    def update_untold(self) -> None:
        tell_no_rows()
        rows = Line.objects.using(PG).filter(number__lt=3)
        assert emitting(rows, "line.counted").update(number=F("number") + 10) == 2

    def test_a_row_that_comes_in_between(
        self,
        lines: list[Line],
        other: OtherSession,
        activity: CapturedActivities,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A row that nobody could lock: another number is changed than was read, and no ids are guessed."""
        tell_no_rows(monkeypatch)
        inserted: list[None] = []

        def insert_first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if sql.startswith("UPDATE") and not inserted:
                inserted.append(None)
                other.execute("INSERT INTO chat_line (text, number) VALUES ('new', 0)")
                other.commit()
            return execute(sql, params, many, context)

        with connections[PG].execute_wrapper(insert_first):
            rows = Line.objects.using(PG).filter(number__lt=3)
            assert emitting(rows, "line.counted").update(text=F("text")) == 4
        event = activity.one("line.counted", count=4)
        assert not {"activity.object.id", "activity.object.ids"} & event.attributes.keys()

    def test_rows_that_cannot_be_locked(
        self, lines: list[Line], activity: CapturedActivities, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A queryset with a join is read without a lock; the update goes on as ever."""
        tell_no_rows(monkeypatch)
        rows = Line.objects.using(PG).filter(document__isnull=True, document__parent__title=None).distinct()
        emitting(rows, "line.counted").update(number=7)
        assert len(activity.find("line.counted")) == 4


class TestOperations:
    def test_update(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Rows by the statement itself."""
        rows = Line.objects.using(PG).filter(number__gte=2)
        assert queries_of(lambda: rows.update(number=7)) == 1
        assert ids(activity) == {line.pk for line in lines[2:]}

    def test_bulk_update(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Rows by the statements, old values by the instances."""
        loaded = list(Line.objects.using(PG).order_by("number"))
        loaded[3].text = "last"
        assert queries_of(lambda: Line.objects.using(PG).bulk_update(loaded, ["text"])) == 1
        assert activity.one("line.updated").attributes["changes"] == {"text": ["line 3", "last"]}

    def test_bulk_create(self, lines: list[Line], activity: CapturedActivities) -> None:
        """With conflicts ignored, those that were not there."""
        new = [Line(text="line 0"), Line(text="new")]
        assert queries_of(lambda: Line.objects.using(PG).bulk_create(new, ignore_conflicts=True)) == 1
        activity.one("line.created", object=f"chat.line:{Line.objects.using(PG).get(text='new').pk}")
        assert len(activity) == 1

    def test_delete(self, lines: list[Line], activity: CapturedActivities) -> None:
        """By one statement, which tells the rows."""
        assert queries_of(Line.objects.using(PG).filter(number__gte=2).delete) == 1
        assert ids(activity) == {line.pk for line in lines[2:]}

    def test_two_tables(self, capture: Capture, activity: CapturedActivities) -> None:
        """A child's row is changed in either table."""
        capture(Restaurant)
        restaurant = Restaurant.objects.using(PG).create(name="Rose", stars=1)
        Restaurant.objects.using(PG).update(name="Lily")
        Restaurant.objects.using(PG).update(name="Iris", stars=2)
        Restaurant.objects.using(PG).update(stars=3)
        about = f"chat.restaurant:{restaurant.pk}"
        assert [(event.object, event.attributes["changed"]) for event in activity.find("restaurant.updated")] == [
            (about, ["name"]),
            (about, ["name", "stars"]),
            (about, ["stars"]),
        ]

    def test_keys(self, capture: Capture, activity: CapturedActivities) -> None:
        """Keys of a type of the database's own."""
        capture(Ticket)
        ticket = Ticket.objects.using(PG).create(text="open")
        Ticket.objects.using(PG).update(text="closed")
        assert {event.object for event in activity.events} == {f"chat.ticket:{ticket.pk}"}

    def test_keys_of_several_columns(self, capture: Capture, activity: CapturedActivities) -> None:
        """They are told by the statement as well."""
        capture(Seat)
        Seat.objects.using(PG).bulk_create([Seat(line=1, number=number) for number in (1, 2)])
        Seat.objects.using(PG).filter(number=2).update(taken_by="ada")
        activity.one("seat.updated", object="chat.seat:(1, 2)")

    def test_saved_and_loaded(self, capture: Capture, activity: CapturedActivities) -> None:
        """Values of all kinds are the same when they are loaded: no change is told that is none."""
        capture(Document)
        document = Document.objects.using(PG).create(
            title="Plan", price="2.50", data={"b": 1, "a": [1, None]}, scan=b"\x00", published_on="2026-01-31"
        )
        Document.objects.using(PG).get(pk=document.pk).save()
        document.save()
        assert activity.names == ["document.created"]

    def test_relations(self, capture: Capture, activity: CapturedActivities) -> None:
        """Many-to-many fields on this database."""
        capture(Document, m2m=["tags"])
        document = Document.objects.using(PG).create(title="Plan")
        tag = Tag.objects.using(PG).create(name="one")
        document.tags.add(tag)
        document.tags.clear()
        assert activity.names[1:] == ["document.tags.added", "document.tags.removed"]


class TestTransactions:
    def test_committed(self, lines: list[Line], other: OtherSession, activity: CapturedActivities) -> None:
        """When an event is emitted everybody sees the row."""
        with transaction.atomic(using=PG):
            lines[0].number = 50
            lines[0].save(using=PG)
            Line.objects.using(PG).filter(pk=lines[1].pk).update(number=51)
            Line.objects.using(PG).filter(pk=lines[2].pk).delete()
            assert activity.names == []
        assert other.execute("SELECT number FROM chat_line ORDER BY number") == [(3,), (50,), (51,)]
        assert activity.names == ["line.updated", "line.updated", "line.deleted"]

    def test_rolled_back(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Nothing is told; what is saved later is a change of what was there before."""
        line = Line.objects.using(PG).get(pk=lines[0].pk)
        with undone(PG):
            line.number = 50
            line.save()
            Line.objects.using(PG).all().delete()
        assert activity.names == []
        line.save()
        assert activity.one("line.updated").attributes["changes"] == {"number": ["0", "50"]}

    def test_a_statement_that_fails(self, lines: list[Line], activity: CapturedActivities) -> None:
        """Inside a savepoint; what is around it goes on, as without us."""
        with transaction.atomic(using=PG):
            with pytest.raises(Exception, match="unique"), transaction.atomic(using=PG):
                Line.objects.using(PG).update(text="the same")
            Line.objects.using(PG).filter(number=0).update(number=7)
        assert len(activity.find("line.updated")) == 1
