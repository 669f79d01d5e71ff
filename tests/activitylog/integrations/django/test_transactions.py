"""Events that wait for the commit: on files of SQLite, and on a PostgreSQL that is started for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, TestCase
from django.urls import path
from django.views.decorators.http import require_GET

import activitylog
from activitylog.integrations.django import emit_many_on_commit, emit_on_commit
from activitylog.testing import ActivityTestCase, CapturedActivities, capture_activities
from tests.activitylog.integrations.django.databases import database, of_postgres
from tests.activitylog.integrations.django.project.models import Conversation
from tests.postgres import postgres_server, require_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of one's own, for the run."""
    require_postgres()
    with postgres_server("fsync=off") as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def db_alias(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[str]:
    """A database where transactions are real, by its alias."""
    if request.param == "sqlite":
        settings: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "facts.db")}
    else:
        settings = of_postgres(request.getfixturevalue("postgres_url"))
    with django_db_blocker.unblock(), database("facts", **settings) as alias:
        yield alias


@pytest.fixture
def stored(db_alias: str) -> Callable[[], list[int]]:
    """The facts that another connection sees."""

    def look() -> list[int]:
        found: list[int] = []

        def ask() -> None:
            with connections[db_alias].cursor() as cursor:
                cursor.execute("SELECT id FROM fact ORDER BY id")
                found.extend(row[0] for row in cursor.fetchall())
            connections[db_alias].close()

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return found

    return look


def write(alias: str, *numbers: int, parent: int | None = None) -> None:
    """Store facts, and say so when they are committed."""
    for number in numbers:
        with connections[alias].cursor() as cursor:
            cursor.execute("INSERT INTO fact (id, parent) VALUES (%s, %s)", [number, parent])
        emit_on_commit("fact.stored", object=("fact", number), using=alias)


def said(activity: CapturedActivities) -> list[int]:
    """The facts of which an event was emitted."""
    return [int(event.attributes["activity.object.id"]) for event in activity.find("fact.stored")]


class UndoError(Exception):
    """Rolls a block back."""


@contextmanager
def undone(alias: str, **options: Any) -> Iterator[None]:
    """A block that is rolled back at its end."""
    with suppress(UndoError), transaction.atomic(using=alias, **options):
        yield
        raise UndoError


class TestBlocks:
    def test_without_a_transaction(self, db_alias: str, activity: CapturedActivities) -> None:
        """What is written is committed at once, and so is the event emitted."""
        write(db_alias, 1)
        assert said(activity) == [1]

    def test_a_block(self, db_alias: str, activity: CapturedActivities) -> None:
        """Nothing before the commit, all of it afterwards, in order."""
        with transaction.atomic(using=db_alias):
            write(db_alias, 1)
            write(db_alias, 2)
            assert said(activity) == []
        assert said(activity) == [1, 2]

    def test_what_is_emitted_is_committed(self, db_alias: str, stored: Callable[[], list[int]]) -> None:
        """When the event is emitted everybody sees the row."""
        seen: list[list[int]] = []

        def look(_logger: Any, _method: str, event_dict: Any) -> Any:
            seen.append(stored())
            return event_dict

        with capture_activities(processors=[look]), transaction.atomic(using=db_alias):
            write(db_alias, 1)
            assert stored() == []
        assert seen == [[1]]

    def test_a_block_that_is_rolled_back(self, db_alias: str, activity: CapturedActivities) -> None:
        """Nothing happened, and nothing is said."""
        with undone(db_alias):
            write(db_alias, 1)
        write(db_alias, 2)
        assert said(activity) == [2]

    def test_savepoints(
        self, db_alias: str, activity: CapturedActivities, stored: Callable[[], list[int]]
    ) -> None:
        """Of nested blocks those are forgotten that are rolled back, with all that is inside them."""
        with transaction.atomic(using=db_alias):
            write(db_alias, 1)
            with undone(db_alias):
                write(db_alias, 2)
                with transaction.atomic(using=db_alias):
                    write(db_alias, 3)
            with transaction.atomic(using=db_alias):
                write(db_alias, 4)
                with undone(db_alias):
                    write(db_alias, 5)
                write(db_alias, 6)
        assert said(activity) == stored() == [1, 4, 6]

    def test_savepoints_by_hand(
        self, db_alias: str, activity: CapturedActivities, stored: Callable[[], list[int]]
    ) -> None:
        """Django's hooks know blocks only: what is rolled back by ``savepoint_rollback`` is said all the same."""
        hooks: list[int] = []
        with transaction.atomic(using=db_alias):
            sid: Any = connections[db_alias].savepoint()
            write(db_alias, 1)
            transaction.on_commit(lambda: hooks.append(1), using=db_alias)
            connections[db_alias].savepoint_rollback(sid)
        assert (said(activity), hooks, stored()) == ([1], [1], [])

    def test_a_block_without_a_savepoint(
        self, db_alias: str, activity: CapturedActivities, stored: Callable[[], list[int]]
    ) -> None:
        """When it fails the whole transaction is rolled back, whoever catches the error."""
        with transaction.atomic(using=db_alias):
            write(db_alias, 1)
            with undone(db_alias, savepoint=False):
                write(db_alias, 2)
        assert said(activity) == stored() == []

    def test_set_rollback(self, db_alias: str, activity: CapturedActivities) -> None:
        """A block that is told to roll back does not say what it did."""
        with transaction.atomic(using=db_alias):
            write(db_alias, 1)
            transaction.set_rollback(True, using=db_alias)
        assert said(activity) == []

    def test_durable(self, db_alias: str, activity: CapturedActivities) -> None:
        """A durable block commits at its end; one inside another is refused by Django as ever."""
        with transaction.atomic(using=db_alias, durable=True):
            write(db_alias, 1)
        assert said(activity) == [1]
        with undone(db_alias):
            write(db_alias, 2)
            with pytest.raises(RuntimeError, match="durable"):
                transaction.atomic(using=db_alias, durable=True).__enter__()
        assert said(activity) == [1]

    def test_a_commit_that_fails(
        self, db_alias: str, activity: CapturedActivities, stored: Callable[[], list[int]]
    ) -> None:
        """A constraint that is looked at when it is committed: the event is not true, and is not emitted."""
        with pytest.raises(IntegrityError), transaction.atomic(using=db_alias):
            write(db_alias, 1, parent=99)
        assert said(activity) == stored() == []
        with transaction.atomic(using=db_alias):
            write(db_alias, 2)
        assert said(activity) == [2]

    def test_an_error_of_the_database(self, db_alias: str, activity: CapturedActivities) -> None:
        """A statement that fails inside a savepoint leaves what was before it."""
        with transaction.atomic(using=db_alias):
            write(db_alias, 1)
            with pytest.raises(IntegrityError), transaction.atomic(using=db_alias):
                write(db_alias, 2, 1)
        assert said(activity) == [1]

    def test_many(self, db_alias: str, activity: CapturedActivities) -> None:
        """One event for each item, all of them or none."""
        emit_many_on_commit("fact.kept", ["fact:1"], using=db_alias)
        with transaction.atomic(using=db_alias):
            emit_many_on_commit("fact.kept", ({"object": ("fact", n), "n": n} for n in (2, 3)), using=db_alias)
            assert [event.object for event in activity.events] == ["fact:1"]
        with undone(db_alias):
            emit_many_on_commit("fact.kept", ["fact:4"], using=db_alias)
        assert [event.object for event in activity.events] == ["fact:1", "fact:2", "fact:3"]

    def test_other_hooks(self, db_alias: str, activity: CapturedActivities) -> None:
        """Events keep their place among the application's own hooks."""
        order: list[Any] = []
        with transaction.atomic(using=db_alias):
            transaction.on_commit(lambda: order.append(said(activity)), using=db_alias)
            write(db_alias, 1)
            transaction.on_commit(lambda: order.append(said(activity)), using=db_alias)
        assert order == [[], [1]]

    def test_by_hand(self, db_alias: str, activity: CapturedActivities) -> None:
        """Without autocommit Django knows of no commit: the event is emitted at once."""
        transaction.set_autocommit(False, using=db_alias)
        try:
            write(db_alias, 1)
            assert said(activity) == [1]
            transaction.commit(using=db_alias)
        finally:
            transaction.set_autocommit(True, using=db_alias)

    def test_a_block_without_autocommit(self, db_alias: str, activity: CapturedActivities) -> None:
        """A block inside a transaction by hand is not the end of it: Django runs hooks when autocommit is back."""
        transaction.set_autocommit(False, using=db_alias)
        with transaction.atomic(using=db_alias):
            write(db_alias, 1)
        assert said(activity) == []
        transaction.commit(using=db_alias)
        transaction.set_autocommit(True, using=db_alias)
        assert said(activity) == [1]


@pytest.mark.slow
class TestPostgreSQL:
    @pytest.fixture
    def alias(self, postgres_url: str, django_db_blocker: Any) -> Iterator[str]:
        with django_db_blocker.unblock(), database("facts", **of_postgres(postgres_url)) as alias:
            yield alias

    def test_a_connection_that_is_cut(self, alias: str, postgres_url: str, activity: CapturedActivities) -> None:
        """The server ends the session in the middle: nothing was committed, and nothing is said, also later."""
        import psycopg

        def work() -> None:
            write(alias, 1)
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
            with psycopg.connect(postgres_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
            write(alias, 2)

        with pytest.raises(DatabaseError):
            transaction.atomic(using=alias)(work)()
        connections[alias].close()
        write(alias, 3)
        assert said(activity) == [3]

    def test_a_serialization_failure(self, alias: str, activity: CapturedActivities) -> None:
        """A transaction that is tried again says what it did once."""
        with connections[alias].cursor() as cursor:
            cursor.execute("INSERT INTO fact (id) VALUES (1)")
        tries = []
        while True:
            tries.append(None)
            try:
                with transaction.atomic(using=alias):
                    with connections[alias].cursor() as cursor:
                        cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                        cursor.execute("SELECT count(*) FROM fact")
                    if len(tries) == 1:
                        _in_a_thread(alias, "UPDATE fact SET parent = 1 WHERE id = 1")
                    with connections[alias].cursor() as cursor:
                        cursor.execute("UPDATE fact SET parent = NULL WHERE id = 1")
                    emit_on_commit("fact.stored", object="fact:1", using=alias)
                break
            except DatabaseError:
                continue
        assert (len(tries), said(activity)) == (2, [1])


def _in_a_thread(alias: str, statement: str) -> None:
    def run() -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute(statement)
        connections[alias].close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


class TestSeveralDatabases:
    @pytest.fixture
    def other(self, tmp_path: Path, db_alias: str) -> Iterator[str]:
        with database("other", ENGINE="django.db.backends.sqlite3", NAME=str(tmp_path / "other.db")) as alias:
            yield alias

    def test_each_has_its_own(self, db_alias: str, other: str, activity: CapturedActivities) -> None:
        """The event waits for the transaction that is meant, whatever becomes of the other one."""
        with transaction.atomic(using=db_alias):
            with undone(other):
                write(db_alias, 1)
                write(other, 2)
            with transaction.atomic(using=other):
                write(other, 3)
            assert said(activity) == [3]
        assert said(activity) == [3, 1]


class TestWhatIsSaid:
    def test_it_is_read_at_once(self, db_alias: str, activity: CapturedActivities) -> None:
        """Who, what and when are those of the call: an object that is deleted by the commit has its id."""

        class Fact:
            pk: int | None = 1

        fact = Fact()
        with transaction.atomic(using=db_alias):
            with activitylog.bind(tenant="acme", actor=lambda: "user:1"):
                emit_on_commit("fact.deleted", object=fact, using=db_alias, timestamp=1_700_000_000_000_000_000)
            fact.pk = None
        event = activity.one("fact.deleted", object="Fact:1", tenant="acme", actor="user:1")
        assert event.timestamp_ns == 1_700_000_000_000_000_000

    def test_a_request_is_said_once(self, db_alias: str, activity: CapturedActivities) -> None:
        """What is bound when the transaction is committed is not added."""
        with transaction.atomic(using=db_alias):
            write(db_alias, 1)
            token = activitylog.context.push({"tenant": "of the end"})
        activitylog.context.pop(token)
        assert "activity.tenant.id" not in activity.one("fact.stored").attributes


class TestSafety:
    def test_no_such_database(self, activity: CapturedActivities) -> None:
        """An alias that nobody knows is counted, and raised by nobody but ``strict``."""
        with capture_activities(strict=False) as captured:
            emit_on_commit("fact.stored", using="no such database")
            emit_many_on_commit("fact.stored", ["fact:1"], using="no such database")
            assert captured.names == []
            assert activitylog.stats().dropped == {"error": 2}
        with pytest.raises(Exception, match="no such database"):
            emit_on_commit("fact.stored", using="no such database")

    def test_no_connection_is_made(self, activity: CapturedActivities) -> None:
        """Where no transaction is open the database is not even asked; here pytest forbids it."""
        emit_on_commit("fact.stored", object="fact:1")
        assert said(activity) == [1]

    def test_bad_values(self, db_alias: str) -> None:
        """What cannot be read is flagged, what raises is counted; the transaction is committed in any case."""

        class Hostile:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

        with capture_activities(strict=False) as captured:
            with transaction.atomic(using=db_alias):
                emit_on_commit("fact.stored", object=Hostile(), value=Hostile(), using=db_alias)
                emit_many_on_commit("fact.kept", _failing(), using=db_alias)
                write(db_alias, 1)
            assert captured.names == ["fact.stored", "fact.kept", "fact.stored"]

    def test_strict(self, db_alias: str, activity: CapturedActivities) -> None:
        """In tests a wrong event is an error, not only a line of Django's log."""
        with pytest.raises(Exception, match="event:name"), transaction.atomic(using=db_alias):
            emit_on_commit("Fact stored", using=db_alias)


def _failing() -> Iterator[str]:
    yield "fact:1"
    raise RuntimeError("no more of them")


@require_GET
def create(request: HttpRequest) -> HttpResponse:
    """Creates a conversation; fails afterwards if it shall."""
    emit_on_commit("conversation.created", object=Conversation.objects.create(title="general"))
    if "fail" in request.GET:
        raise UndoError
    return HttpResponse("created")


async def acreate(request: HttpRequest) -> HttpResponse:
    """The same in an event loop: the transaction is in a thread."""

    @transaction.atomic
    def in_a_transaction() -> None:
        emit_on_commit("conversation.created", object=Conversation.objects.create(title="general"))
        assert not activitylog.stats().emitted
        if "fail" in request.GET:
            raise UndoError

    emit_on_commit("conversation.begun")
    await sync_to_async(in_a_transaction)()
    return HttpResponse("created")


urlpatterns = [path("create/", create), path("acreate/", acreate)]


@pytest.mark.urls(__name__)
@pytest.mark.django_db(transaction=True)
class TestRequests:
    @pytest.fixture
    def atomic_requests(self) -> Iterator[None]:
        connections.settings["default"]["ATOMIC_REQUESTS"] = True
        yield
        connections.settings["default"]["ATOMIC_REQUESTS"] = False

    @pytest.mark.usefixtures("atomic_requests")
    def test_atomic_requests(self, activity: CapturedActivities) -> None:
        """The view is the transaction: of one that fails nothing is said, but that it failed."""
        client = Client(raise_request_exception=False)
        client.force_login(user := User.objects.create_user("ada"))
        assert [client.get(path).status_code for path in ("/create/", "/create/?fail")] == [200, 500]
        event = activity.one("conversation.created", actor=f"user:{user.pk}")
        assert event.attributes["http.route"] == "create/"
        assert Conversation.objects.count() == 1

    def test_without(self, activity: CapturedActivities) -> None:
        """Without transactions both were committed."""
        client = Client(raise_request_exception=False)
        assert [client.get(path).status_code for path in ("/create/", "/create/?fail")] == [200, 500]
        assert activity.names == ["conversation.created"] * 2

    def test_asynchronous_views(self, activity: CapturedActivities) -> None:
        """In the event loop at once; in a thread with its transaction."""
        client = AsyncClient(raise_request_exception=False)
        activity.clear()
        with capture_activities() as captured:
            assert async_to_sync(client.get)("/acreate/?fail").status_code == 500
            assert captured.names == ["conversation.begun"]


class TestOfDjango(ActivityTestCase, TestCase):
    """As an application's own tests are: a transaction around each, which is never committed."""

    def test_nothing_is_committed(self) -> None:
        """Nothing is emitted by itself."""
        emit_on_commit("conversation.created")
        assert self.activity.names == []

    def test_capture_on_commit_callbacks(self) -> None:
        """Django's own way to have hooks run."""
        with self.captureOnCommitCallbacks(execute=True) as callbacks, transaction.atomic():
            emit_on_commit("conversation.created")
            emit_many_on_commit("message.sent", ["message:1", "message:2"])
        assert len(callbacks) == 2
        assert self.activity.names == ["conversation.created", "message.sent", "message.sent"]
