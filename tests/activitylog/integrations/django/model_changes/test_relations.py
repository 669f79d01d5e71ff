"""What is told of many-to-many fields."""

from __future__ import annotations

from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from activitylog.integrations.django import capture_paused
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, Capture, undone
from tests.activitylog.integrations.django.model_changes.models import Document, Reading, Tag
from tests.activitylog.integrations.django.project.models import Conversation

pytestmark = REAL_TRANSACTIONS


def said(activity: CapturedActivities) -> list[tuple[str, str, str, str]]:
    """Name, object, target and operation of each event so far; they are forgotten."""
    found = [(event.name, event.object, event.target, event.attributes["operation"]) for event in activity.events]
    activity.clear()
    return sorted(found)


@pytest.fixture
def users() -> list[User]:
    return [User.objects.create(username=name) for name in ("ada", "bob", "cleo")]


@pytest.fixture
def conversation(capture: Capture) -> Conversation:
    """Of a captured model, without members."""
    conversation = Conversation.objects.create(title="general")
    capture(Conversation, m2m=["members"])
    return conversation


class TestFromItsOwnSide:
    def test_added(self, users: list[User], conversation: Conversation, activity: CapturedActivities) -> None:
        """Each member that was not there: the object is who was added, the target to what."""
        conversation.members.add(users[0])
        activity.clear()
        conversation.members.add(*users[:2])
        target = f"chat.conversation:{conversation.pk}"
        assert said(activity) == [
            ("conversation.members.added", f"auth.user:{users[1].pk}", target, "add"),
        ]
        conversation.members.add(users[0])
        assert said(activity) == []

    def test_removed(self, users: list[User], conversation: Conversation, activity: CapturedActivities) -> None:
        """Each member that was there."""
        conversation.members.add(*users[:2])
        activity.clear()
        conversation.members.remove(users[1], users[2].pk)
        target = f"chat.conversation:{conversation.pk}"
        assert said(activity) == [
            ("conversation.members.removed", f"auth.user:{users[1].pk}", target, "remove"),
        ]
        conversation.members.remove(users[1])
        assert said(activity) == []

    def test_cleared(self, users: list[User], conversation: Conversation, activity: CapturedActivities) -> None:
        """All that were there, each of them removed."""
        conversation.members.add(*users)
        activity.clear()
        conversation.members.clear()
        assert [(name, operation) for name, _, _, operation in said(activity)] == [
            ("conversation.members.removed", "clear")
        ] * 3
        conversation.members.clear()
        assert said(activity) == []

    def test_set(self, users: list[User], conversation: Conversation, activity: CapturedActivities) -> None:
        """What was removed and what was added; nothing of what stays."""
        conversation.members.set(users[:2])
        activity.clear()
        conversation.members.set(users[1:])
        target = f"chat.conversation:{conversation.pk}"
        assert said(activity) == [
            ("conversation.members.added", f"auth.user:{users[2].pk}", target, "add"),
            ("conversation.members.removed", f"auth.user:{users[0].pk}", target, "remove"),
        ]
        conversation.members.set(users[1:2], clear=True)
        assert [name.rpartition(".")[2] for name, *_ in said(activity)] == ["added", "removed", "removed"]

    def test_many(self, users: list[User], capture: Capture, activity: CapturedActivities) -> None:
        """More than have an event each are one event with their ids."""
        conversation = Conversation.objects.create(title="general")
        capture(Conversation, m2m=True, max_events=2)
        conversation.members.add(*users)
        event = activity.one("conversation.members.added", count=3, target=f"chat.conversation:{conversation.pk}")
        assert sorted(event.attributes["activity.object.ids"]) == sorted(str(user.pk) for user in users)
        assert event.attributes["activity.object.type"] == "auth.user"

    def test_names_of_the_application(
        self, users: list[User], capture: Capture, activity: CapturedActivities
    ) -> None:
        """Only what is named, by that name."""
        conversation = Conversation.objects.create(title="general")
        capture(Conversation, m2m=["members"], events={"members.added": "conversation.joined"})
        conversation.members.add(users[0])
        conversation.members.clear()
        conversation.save()
        assert activity.names == ["conversation.joined"]

    def test_asynchronously(
        self, users: list[User], conversation: Conversation, activity: CapturedActivities
    ) -> None:
        """The asynchronous methods are told like the others."""
        async_to_sync(conversation.members.aadd)(*users)
        async_to_sync(conversation.members.aclear)()
        assert len(said(activity)) == 6

    def test_created_through_it(self, conversation: Conversation, activity: CapturedActivities) -> None:
        """``members.create`` adds what it creates."""
        user = conversation.members.create(username="dan")
        assert [(name, about) for name, about, *_ in said(activity)] == [
            ("conversation.members.added", f"auth.user:{user.pk}")
        ]


class TestFromTheOtherSide:
    def test_all_of_it(self, users: list[User], conversation: Conversation, activity: CapturedActivities) -> None:
        """The same events: who was added to what does not depend on who asked."""
        other = Conversation.objects.create(title="other")
        activity.clear()
        user, ada = f"auth.user:{users[0].pk}", cast(Any, users[0])
        ada.conversations.add(conversation, other)
        targets = [f"chat.conversation:{one.pk}" for one in (conversation, other)]
        assert said(activity) == sorted(("conversation.members.added", user, one, "add") for one in targets)
        ada.conversations.remove(other)
        assert said(activity) == [("conversation.members.removed", user, targets[1], "remove")]
        ada.conversations.clear()
        assert said(activity) == [("conversation.members.removed", user, targets[0], "clear")]


class TestOtherFields:
    def test_a_model_in_between(self, capture: Capture, activity: CapturedActivities) -> None:
        """A ``through`` model of the application's own; rows that are made of it are told when it is captured."""
        capture(Document, m2m=["readers"])
        capture(Reading)
        document, tag = Document.objects.create(title="Plan"), Tag.objects.create(name="ada")
        activity.clear()
        document.readers.add(tag, through_defaults={"times": 3})
        document.readers.remove(tag)
        reading = Reading.objects.create(document=document, tag=tag)
        names = [(event.name, event.attributes["operation"]) for event in activity.events]
        assert names == [
            ("reading.created", "bulk_create"),
            ("document.readers.added", "add"),
            ("document.readers.removed", "remove"),
            ("reading.deleted", "queryset_delete"),
            ("reading.created", "save"),
        ]
        activity.one("reading.created", object=f"chat.reading:{reading.pk}")

    def test_symmetrical(self, capture: Capture, activity: CapturedActivities) -> None:
        """One event for both rows."""
        capture(Document, m2m=["related"])
        one, other = Document.objects.create(title="1"), Document.objects.create(title="2")
        activity.clear()
        one.related.add(other)
        other.related.remove(one)
        first, second = f"chat.document:{one.pk}", f"chat.document:{other.pk}"
        assert said(activity) == [
            ("document.related.added", second, first, "add"),
            ("document.related.removed", first, second, "remove"),
        ]

    def test_unregistered_ones(self, capture: Capture, activity: CapturedActivities) -> None:
        """Other relations of the model, and of others, are left alone, and as fast as they were."""
        capture(Document, m2m=["related"])
        document, tag = Document.objects.create(title="Plan"), Tag.objects.create(name="ada")
        activity.clear()
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            document.tags.add(tag)
        assert len(queries) == 1
        assert said(activity) == []


class TestQueries:
    @pytest.mark.parametrize(
        ("operation", "without", "captured"),
        [("add", 1, 2), ("remove", 1, 2), ("clear", 1, 2)],
    )
    def test_one_more(
        self, operation: str, without: int, captured: int, users: list[User], capture: Capture
    ) -> None:
        """Who is there is looked up once: by Django when members are added, by us when they are removed."""
        for number, expected in enumerate((without, captured)):
            conversation = Conversation.objects.create(title=str(number))
            conversation.members.add(users[0])
            if number:
                capture(Conversation, m2m=["members"])
            members: Any = conversation.members
            with transaction.atomic(), CaptureQueriesContext(connection) as queries:
                getattr(members, operation)(*([] if operation == "clear" else users[:2]))
            assert len(queries) == expected

    def test_many_at_once(self, conversation: Conversation, activity: CapturedActivities) -> None:
        """Hundreds that are removed at once are looked up by one query, too."""
        users = User.objects.bulk_create([User(username=str(number)) for number in range(600)])
        with capture_paused():
            conversation.members.add(*users[:550])
        assert activity.names == []
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            conversation.members.remove(*users[20:])
        assert len(queries) == 2
        assert activity.one("conversation.members.removed").attributes["activity.count"] == 530
        assert conversation.members.count() == 20


class TestTransactions:
    def test_rolled_back(
        self, users: list[User], conversation: Conversation, activity: CapturedActivities
    ) -> None:
        """Nothing was added."""
        with undone():
            conversation.members.add(*users)
        assert said(activity) == []
