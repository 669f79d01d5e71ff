from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

import activitylog
from activitylog.integrations.django.model_changes import register, unregister
from activitylog.testing import capture_activities
from tests.activitylog.integrations.django.admin.conftest import SITE
from tests.activitylog.integrations.django.admin.site import Conversations, MessagePages
from tests.activitylog.integrations.django.project.models import Conversation, Message

pytestmark = [pytest.mark.django_db, pytest.mark.urls(SITE)]


@pytest.fixture
def talk(root: Any) -> Conversation:
    """A conversation of two messages."""
    talk = Conversation.objects.create(title="Tea")
    for text in ("one", "two"):
        Message.objects.create(conversation=talk, sender=root, text=text)
    talk.members.add(root)
    return talk


@pytest.fixture
def post(browser: Client, django_capture_on_commit_callbacks: Any) -> Any:
    """Sends a form, and commits."""

    def send(path: str, **values: Any) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            response = browser.post(f"/admin/chat/{path}", values)
        assert response.status_code == 302, response.content
        return response

    return send


def of_inline(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The fields of an inline's forms."""
    fields = {"messages-TOTAL_FORMS": len(rows), "messages-INITIAL_FORMS": initial}
    return {
        **fields,
        **{f"messages-{number}-{key}": value for number, row in enumerate(rows) for key, value in row.items()},
    }


def told(activity: Any) -> list[tuple[str, str]]:
    """Name and object of each event."""
    return [(event.name, event.object) for event in activity]


class TestAdding:
    def test_is_told_with_the_id(self, post, activity, talk, root):
        """By whom, and of what; Django's log goes on."""
        post("message/add/", conversation=talk.pk, sender=root.pk, text="three")
        new = Message.objects.latest("pk")
        event = activity.one("message.created", object=f"chat.message:{new.pk}")
        assert event.actor == f"user:{root.pk}"
        assert "changed" not in event.attributes
        assert LogEntry.objects.get().object_id == str(new.pk)

    def test_is_not_told_when_the_form_is_wrong(self, browser, activity, talk):
        """Nothing was added."""
        assert browser.post("/admin/chat/message/add/", {"text": ""}).status_code == 200
        assert activity.names == []

    def test_waits_for_the_commit(self, browser, activity, talk, root):
        """The view is one transaction."""
        browser.post("/admin/chat/message/add/", {"conversation": talk.pk, "sender": root.pk, "text": "three"})
        assert activity.names == []


class TestChanging:
    def test_names_the_changed_fields(self, post, activity, talk, root):
        """By the names of the form, not the translated labels of Django's log."""
        message = talk.messages.first()
        post(f"message/{message.pk}/change/", conversation=talk.pk, sender=root.pk, text="1", edited="on")
        event = activity.one("message.updated", object=f"chat.message:{message.pk}")
        assert event.attributes["changed"] == ["text", "edited"]

    def test_nothing_is_not_told(self, post, activity, talk, root):
        """Somebody pressed Save."""
        message = talk.messages.first()
        post(f"message/{message.pk}/change/", conversation=talk.pk, sender=root.pk, text="one")
        assert activity.names == []

    def test_in_the_list_is_told_of_those_that_changed(self, post, activity, talk):
        """``list_editable``."""
        first, second = talk.messages.order_by("pk")
        rows = {
            "form-TOTAL_FORMS": 2,
            "form-INITIAL_FORMS": 2,
            "form-0-id": second.pk,
            "form-0-text": "two",
            "form-1-id": first.pk,
            "form-1-text": "uno",
            "_save": "Save",
        }
        post("message/", **rows)
        assert told(activity) == [("message.updated", f"chat.message:{first.pk}")]
        assert activity.events[0].attributes["changed"] == ["text"]

    def test_many_to_many_fields_are_fields(self, post, activity, talk, root):
        """The form knows them."""
        other = User.objects.create_user("ann")
        post(f"conversation/{talk.pk}/change/", title="Tea", members=[other.pk], **of_inline())
        assert activity.one("conversation.updated").attributes["changed"] == ["members"]


class TestInlines:
    def test_have_events_of_their_own(self, post, activity, talk, root):
        """Added, changed and deleted with the page of their conversation, which is the target."""
        first, second = talk.messages.order_by("pk")
        post(
            f"conversation/{talk.pk}/change/",
            title="Tea",
            members=[root.pk],
            **of_inline(
                {"id": first.pk, "conversation": talk.pk, "sender": root.pk, "text": "uno"},
                {"id": second.pk, "conversation": talk.pk, "sender": root.pk, "text": "two", "DELETE": "on"},
                {"conversation": talk.pk, "sender": root.pk, "text": "three"},
                initial=2,
            ),
        )
        new = Message.objects.latest("pk")
        assert told(activity) == [
            ("message.created", f"chat.message:{new.pk}"),
            ("message.updated", f"chat.message:{first.pk}"),
            ("message.deleted", f"chat.message:{second.pk}"),
        ]
        assert {event.target for event in activity} == {f"chat.conversation:{talk.pk}"}
        assert activity.events[1].attributes["changed"] == ["text"]

    def test_of_a_new_page(self, post, activity, root):
        """Both are new."""
        post("conversation/add/", title="New", members=[root.pk], **of_inline({"sender": root.pk, "text": "hi"}))
        assert activity.names == ["conversation.created", "message.created"]

    def test_a_new_row_that_is_deleted_at_once_never_was(self, post, activity, talk, root):
        """It has no id; one that was there is told."""
        gone = {"conversation": talk.pk, "sender": root.pk, "text": "three", "DELETE": "on"}
        first = talk.messages.first()
        key = first.pk
        post(
            f"conversation/{talk.pk}/change/",
            title="Tea",
            members=[root.pk],
            **of_inline({**gone, "id": key}, gone, initial=1),
        )
        assert told(activity) == [("message.deleted", f"chat.message:{key}")]


class TestDeleting:
    def test_one_is_told_with_the_id_it_had(self, post, activity, talk):
        """From its page."""
        message = talk.messages.first()
        key = message.pk
        post(f"message/{key}/delete/", post="yes")
        assert told(activity) == [("message.deleted", f"chat.message:{key}")]

    def test_many_are_told(self, post, activity, talk):
        """By the action that every list has; the page that asks first tells nothing."""
        keys = sorted(talk.messages.values_list("pk", flat=True))
        chosen = {"action": "delete_selected", "_selected_action": keys}
        asked = Client()
        asked.force_login(User.objects.get(username="root"))
        assert asked.post("/admin/chat/message/", chosen).status_code == 200
        assert activity.names == []
        post("message/", **chosen, post="yes")
        assert sorted(told(activity)) == [("message.deleted", f"chat.message:{key}") for key in keys]

    def test_what_failed_is_not_told(
        self, browser, activity, talk, monkeypatch, django_capture_on_commit_callbacks
    ):
        """Django writes its log before it deletes."""

        def fail(self: Any, request: Any, queryset: Any) -> None:
            raise RuntimeError("the database is read-only")

        monkeypatch.setattr(MessagePages, "delete_queryset", fail, raising=False)
        keys = list(talk.messages.values_list("pk", flat=True))
        with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError):
            browser.post(
                "/admin/chat/message/", {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
            )
        assert activity.names == []
        assert LogEntry.objects.count() == 2

    def test_elsewhere_is_told_when_it_is_logged(
        self, activity, talk, rf, root, django_capture_on_commit_callbacks
    ):
        """By a view of the application that calls ``log_deletions``."""
        from tests.activitylog.integrations.django.admin.site import site

        request = rf.post("/")
        request.user = root
        with django_capture_on_commit_callbacks(execute=True):
            MessagePages(Message, site).log_deletions(request, talk.messages.all())
        assert activity.names == ["message.deleted"] * 2


class TestNames:
    def test_can_be_others_or_none(self, post, activity, talk, root, monkeypatch):
        """For the page's model, and for those of inlines."""

        def name(self: Any, model: Any, verb: str) -> str | None:
            return None if model is Message else f"talk.{verb}"

        monkeypatch.setattr(Conversations, "get_activity_event", name)
        post("conversation/add/", title="New", members=[root.pk], **of_inline({"sender": root.pk, "text": "hi"}))
        assert activity.names == ["talk.created"]


class TestACapturedModel:
    @pytest.fixture(autouse=True)
    def _captured(self) -> Any:
        """Messages, but for their deletion."""
        register(Message, events=["created", "updated"])
        yield
        unregister(Message)

    def test_is_told_by_the_capture_only(self, post, activity, talk, root):
        """Once, on its page and in an inline."""
        activity.clear()
        message = talk.messages.first()
        post(f"message/{message.pk}/change/", conversation=talk.pk, sender=root.pk, text="uno")
        event = activity.one("message.updated")
        assert event.attributes["operation"] == "save"
        new = {"conversation": talk.pk, "sender": root.pk, "text": "three"}
        post(f"conversation/{talk.pk}/change/", title="Tea", members=[root.pk], **of_inline(new))
        assert activity.names == ["message.updated", "message.created"]

    def test_is_told_of_what_the_capture_leaves_out(self, post, activity, talk):
        """Its deletion, here."""
        activity.clear()
        post(f"message/{talk.messages.first().pk}/delete/", post="yes")
        assert activity.names == ["message.deleted"]


class TestWhatGoesWrongInside:
    def test_costs_no_form(self, post, talk, root, monkeypatch):
        """It is counted."""

        def fail(self: Any, model: Any, verb: str) -> str:
            raise RuntimeError

        monkeypatch.setattr(MessagePages, "get_activity_event", fail)
        with capture_activities(strict=False) as captured:
            post("message/add/", conversation=talk.pk, sender=root.pk, text="three")
            new = Message.objects.get(text="three")
            post(f"message/{new.pk}/delete/", post="yes")
            assert captured.names == []
            assert activitylog.stats().dropped["error"] == 2
        assert not Message.objects.filter(text="three").exists()
