"""Operations on many rows with events of the application's own, without any model being captured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

import activitylog
from activitylog.deferred import defer
from activitylog.integrations.django import emitting
from activitylog.integrations.django.bulk import affected
from activitylog.integrations.django.bulk.telling import after_commit, tell
from activitylog.testing import CapturedActivities, capture_activities
from tests.activitylog.integrations.django.model_changes.conftest import undone
from tests.activitylog.integrations.django.project.models import Conversation, Message

pytestmark = pytest.mark.django_db(transaction=True, available_apps=settings.INSTALLED_APPS)


@pytest.fixture
def users() -> list[User]:
    """Four of them, two of whom are active."""
    return User.objects.bulk_create(
        [User(username=f"user {number}", is_active=number % 2 == 0) for number in range(4)]
    )


def about(activity: CapturedActivities) -> set[str]:
    """The objects of the events."""
    return {event.object for event in activity.events}


def queries_of(run: Callable[[], object]) -> int:
    """The queries of an operation; begin and commit are not counted."""
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        run()
    return len(queries)


def labels(users: list[User]) -> set[str]:
    return {f"auth.user:{user.pk}" for user in users}


@activitylog.event("user.moved", version=2)
@dataclass
class Moved:
    town: str


class TestUpdate:
    def test_each_row(self, users: list[User], activity: CapturedActivities) -> None:
        """An event for each row that matched, with the values of the call; what Django returns is returned."""
        inactive = User.objects.filter(is_active=False)
        with activitylog.bind(actor="user:99"):
            assert emitting(inactive, "user.activated", reason="spring").update(is_active=True) == 2
        assert about(activity) == labels([users[1], users[3]])
        activity.assert_emitted("user.activated", times=2, actor="user:99", reason="spring")
        assert User.objects.filter(is_active=True).count() == 4

    def test_no_query_more(self, users: list[User], activity: CapturedActivities) -> None:
        """The statement says which rows it changed."""
        assert queries_of(lambda: emitting(User.objects.all(), "user.activated").update(is_active=True)) == 1
        assert about(activity) == labels(users)

    def test_one_event(self, users: list[User], activity: CapturedActivities) -> None:
        """One about all of them: their ids and their number."""
        emitting(User.objects.all(), "user.activated", as_one=True).update(is_active=True)
        event = activity.one("user.activated", count=4)
        assert set(event.attributes["activity.object.ids"]) == {str(user.pk) for user in users}
        assert event.attributes["activity.object.type"] == "auth.user"

    def test_one_event_about_one(self, users: list[User], activity: CapturedActivities) -> None:
        """One row is the object."""
        emitting(User.objects.filter(pk=users[0].pk), "user.activated", as_one=True).update(is_active=True)
        activity.one("user.activated", object=f"auth.user:{users[0].pk}")

    def test_no_row(self, users: list[User], activity: CapturedActivities) -> None:
        """No event."""
        assert emitting(User.objects.none(), "user.activated", as_one=True).update(is_active=True) == 0
        assert activity.names == []

    def test_a_typed_event(self, users: list[User], activity: CapturedActivities) -> None:
        """Its fields are told with each row."""
        emitting(User.objects.filter(is_active=True), Moved("Ulm")).update(last_name="of Ulm")
        activity.assert_emitted("user.moved", times=2, town="Ulm")

    def test_a_manager(self, users: list[User], activity: CapturedActivities) -> None:
        """Managers, and related ones, are their rows."""
        conversation = Conversation.objects.create(title="general")
        conversation.members.set(users[:2])
        emitting(conversation.members, "user.invited").update(is_active=True)
        assert about(activity) == labels(users[:2])

    def test_on_commit(self, users: list[User], activity: CapturedActivities) -> None:
        """Nothing before the commit, nothing after a rollback; at once where that is asked for."""
        with transaction.atomic():
            emitting(User.objects.all(), "user.activated").update(is_active=True)
            assert activity.names == []
        assert len(activity) == 4
        activity.clear()
        with undone():
            emitting(User.objects.all(), "user.activated").update(is_active=True)
            emitting(User.objects.all(), "user.tried", on_commit=False).update(is_active=True)
        assert set(activity.names) == {"user.tried"}

    def test_what_is_bound_is_read_once(self, users: list[User], activity: CapturedActivities) -> None:
        """When the rows are changed, and not for each of them."""
        asked = []

        def actor() -> str:
            asked.append(None)
            return "user:7"

        with transaction.atomic(), activitylog.bind(actor=actor):
            emitting(User.objects.all(), "user.activated").update(is_active=True)
        assert len(asked) == 1
        activity.assert_emitted("user.activated", times=4, actor="user:7")

    def test_asynchronously(self, users: list[User], activity: CapturedActivities) -> None:
        """Each operation has its asynchronous twin."""

        async def operate() -> None:
            await emitting(User.objects.all(), "user.activated").aupdate(is_active=True)
            await emitting(User.objects, "user.imported").abulk_create([User(username="new")])
            await emitting(User.objects, "user.renamed").abulk_update(users[:1], ["last_name"])
            await emitting(User.objects.filter(username="new"), "user.purged").adelete()

        async_to_sync(operate)()
        assert activity.names == ["user.activated"] * 4 + ["user.imported", "user.renamed", "user.purged"]


class TestBulkCreate:
    def test_rows(self, activity: CapturedActivities) -> None:
        """An event for each, with the keys that the database made."""
        users = emitting(User.objects, "user.imported", source="csv").bulk_create(
            User(username=name) for name in ("ada", "bob")
        )
        assert about(activity) == labels(users)
        activity.assert_emitted("user.imported", times=2, source="csv")

    def test_ignored_conflicts(self, users: list[User], activity: CapturedActivities) -> None:
        """Only rows that were not there, whose keys Django does not even know."""
        given = [User(username="user 0"), User(username="new")]
        emitting(User.objects, "user.imported").bulk_create(given, ignore_conflicts=True)
        assert about(activity) == labels([User.objects.get(username="new")])

    def test_without_keys(self, activity: CapturedActivities, monkeypatch: pytest.MonkeyPatch) -> None:
        """A database that returns none: the number is told; with conflicts ignored that it is an upper bound."""
        monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)
        monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
        emitting(User.objects, "user.imported").bulk_create([User(username="ada"), User(username="bob")])
        event = activity.one("user.imported", count=2)
        assert not {"activity.object.id", "activity.object.ids", "conflicts_ignored"} & event.attributes.keys()
        activity.clear()
        emitting(User.objects, "user.imported").bulk_create(
            [User(username="ada"), User(username="cleo")], ignore_conflicts=True
        )
        activity.one("user.imported", count=2, conflicts_ignored=True)

    def test_updated_conflicts(self, users: list[User], activity: CapturedActivities) -> None:
        """All rows, those that were there as well."""
        emitting(User.objects, "user.imported").bulk_create(
            [User(username="user 0", last_name="Ada"), User(username="new")],
            update_conflicts=True,
            unique_fields=["username"],
            update_fields=["last_name"],
        )
        assert about(activity) == labels([users[0], User.objects.get(username="new")])

    def test_related(self, users: list[User], activity: CapturedActivities) -> None:
        """By a related manager, as Django has it."""
        conversation: Any = Conversation.objects.create(title="general")
        messages = [Message(conversation=conversation, sender=users[0], text=text) for text in ("a", "b")]
        emitting(conversation.messages, "message.imported", as_one=True).bulk_create(messages, batch_size=1)
        activity.one("message.imported", count=2)


class TestBulkUpdate:
    def test_rows_that_were_found(self, users: list[User], activity: CapturedActivities) -> None:
        """Not those that are gone."""
        User.objects.filter(pk=users[0].pk)._raw_delete("default")
        assert emitting(User.objects, "user.renamed").bulk_update(users, ["last_name"], batch_size=3) == 3
        assert about(activity) == labels(users[1:])


class TestDelete:
    def test_rows_of_the_queryset(self, users: list[User], activity: CapturedActivities) -> None:
        """With the ids that they had; not what is deleted with them."""
        conversation = Conversation.objects.create(title="general")
        conversation.members.set(users)
        Message.objects.create(conversation=conversation, sender=users[0], text="hello")
        deleted = emitting(User.objects.filter(is_active=True), "user.purged").delete()
        assert deleted[1]["auth.User"] == 2
        assert deleted[1]["chat.Message"] == 1
        assert about(activity) == labels([users[0], users[2]])

    def test_where_rows_are_not_told(
        self, users: list[User], activity: CapturedActivities, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The ids are read before."""
        monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)
        emitting(User.objects.filter(is_active=True), "user.purged").delete()
        assert about(activity) == labels([users[0], users[2]])

    def test_what_django_refuses(self, users: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
        """It refuses it with its own words, wherever rows are told or not."""
        for told in (True, False):
            monkeypatch.setattr(connection.features, "can_return_columns_from_insert", told)
            with pytest.raises(TypeError, match="'limit' or 'offset'"):
                emitting(User.objects.all()[:1], "user.purged").delete()
            with pytest.raises(TypeError, match="Cannot update a query once a slice"):
                emitting(User.objects.all()[:1], "user.activated").update(is_active=True)


class TestLimits:
    @pytest.mark.slow
    def test_more_than_one_event_can_hold(self, activity: CapturedActivities) -> None:
        """Ids go on in a further event, and nothing is cut."""
        User.objects.bulk_create([User(username=str(number)) for number in range(10_000)])
        emitting(User.objects.all(), "user.activated", as_one=True).update(is_active=True)
        counts = [event.attributes["activity.count"] for event in activity.events]
        assert sum(counts) == 10_000
        assert len(counts) == 2

    def test_more_than_anybody_wants_to_hold(
        self, users: list[User], activity: CapturedActivities, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Beyond a limit the number is told alone, and ids are not kept."""
        monkeypatch.setattr(affected, "MAX_IDS", 3)
        emitting(User.objects.all(), "user.activated").update(is_active=True)
        event = activity.one("user.activated", count=4)
        assert not {"activity.object.id", "activity.object.ids"} & event.attributes.keys()


class Unsaid:
    """A key without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class TestSafety:
    def test_a_broken_pipeline(self, users: list[User]) -> None:
        """The rows are changed, and the losses counted."""

        def broken(*_: Any) -> Any:
            raise RuntimeError("no event passes")

        with capture_activities(strict=False, processors=[broken]):
            assert emitting(User.objects.all(), "user.activated").update(is_active=True) == 4
            assert activitylog.stats().dropped == {"error": 4}
        assert User.objects.filter(is_active=True).count() == 4

    def test_values_that_cannot_be_told(self, users: list[User]) -> None:
        """An actor that cannot be read is flagged; ``object`` is the row, whatever the call says."""

        class Hostile:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

        with capture_activities(strict=False) as captured:
            emitting(User.objects.all(), "user.activated", actor=Hostile(), object="x:1").update(is_active=True)
            assert {event.object for event in captured.events} == labels(users)
            captured.clear()
            emitting(User.objects.all(), "user.activated", object="x:1", as_one=True).update(is_active=True)
            assert "activity.object.id" not in captured.events[0].attributes

    def test_keys_that_cannot_be_told(self) -> None:
        """What fails while the events are made is counted, and raised under ``strict`` only."""
        with capture_activities():
            emit = defer("line.counted")
        about = partial(tell, emit, "chat.line", affected.Rows(2, [Unsaid(), Unsaid()]), max_events=0)
        with capture_activities(strict=False):
            after_commit(about, "default", "line.counted")
            with transaction.atomic():
                after_commit(about, "default", "line.counted")
            assert activitylog.stats().dropped == {"error": 2}
        with capture_activities(), pytest.raises(RuntimeError, match="no text"):
            after_commit(about, "default", "line.counted")

    def test_what_is_no_queryset(self) -> None:
        """A mistake of the program, found at its first call."""
        with pytest.raises(TypeError, match="a queryset or a manager, got list"):
            emitting([], "user.activated")  # type: ignore[arg-type]

    def test_a_statement_that_fails(self, users: list[User], activity: CapturedActivities) -> None:
        """The application gets the error, and nothing is told."""
        with pytest.raises(Exception, match="UNIQUE"):
            emitting(User.objects.all(), "user.renamed").update(username="the same")
        assert activity.names == []
