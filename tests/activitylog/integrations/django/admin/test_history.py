from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import activitylog
from activitylog import config
from tests.activitylog.integrations.django.admin.conftest import SITE, as_user, permitted
from tests.activitylog.integrations.django.admin.site import Conversations, Members, MessagePages, site
from tests.activitylog.integrations.django.project.models import Conversation, Message
from tests.activitylog.queries.rows import row

pytestmark = [pytest.mark.django_db, pytest.mark.urls(SITE)]


@pytest.fixture
def ann(db: Any) -> User:
    """A user whose name is known."""
    return User.objects.create_user("ann", first_name="Ann", last_name="Smith")


@pytest.fixture
def message(ann: User) -> Message:
    """What she wrote."""
    return Message.objects.create(conversation=Conversation.objects.create(title="Tea"), sender=ann, text="hello")


def page(client: Client, obj: Any, query: str = "", site: str = "admin") -> Any:
    """The response to the button "History"."""
    options = obj._meta
    return client.get(f"/{site}/{options.app_label}/{options.model_name}/{obj.pk}/history/{query}")


def lines(response: Any) -> list[str]:
    """The text of each line of the table, in one line."""
    body = response.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.sub(r"<wbr>", "", row) for row in body.split("<tr>")[1:]]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def about(obj: Any, time: str, event: str, actor: Any = "", **columns: Any) -> dict[str, Any]:
    """An event about an object of the database."""
    who = str(actor.pk) if isinstance(actor, User) else actor
    return row(time, event, who, **{"ObjectType": obj._meta.label_lower, "ObjectId": str(obj.pk), **columns})


class TestTheHistoryOfAnObject:
    def test_is_what_is_stored_of_it(self, browser, stored, message, ann):
        """Time, who, what, and what the event says, the newest first."""
        stored(
            about(message, "2026-03-01 09:15:00", "message.sent", ann, Attributes={"channel": "tea", "n": "5"}),
            about(
                message,
                "2026-03-02 10:00:00.123456789",
                "message.read",
                "999",
                BodyTemplate="\x01 read it",
                HttpMethod="GET",
                HttpRoute="/messages/<int:pk>",
                HttpStatus=200,
                ClientAddress="203.0.113.7",
                RequestId="r-1",
            ),
        )
        found = page(browser, message)
        assert found.status_code == 200
        assert lines(found) == [
            "March 2, 2026, 10:00:00 user 999 message.read 999 read it "
            "GET /messages/&lt;int:pk&gt; 200 203.0.113.7 r-1",
            "March 1, 2026, 09:15:00 ann (Ann Smith) message.sent channel: tea n: 5",
        ]
        assert 'title="2026-03-02T10:00:00.123456789Z"' in found.content.decode()

    def test_says_what_failed_and_why(self, browser, stored, message):
        """The outcome, where it is not success."""
        stored(
            about(
                message,
                "2026-03-01 09:15:00",
                "message.sent",
                Outcome="failure",
                ErrorType="TimeoutError",
                Attributes={"exception.message": "30 s", "exception.type": "TimeoutError"},
            )
        )
        found = page(browser, message)
        assert lines(found) == ["March 1, 2026, 09:15:00 message.sent failure: TimeoutError error: 30 s"]
        assert "icon-no.svg" in found.content.decode()

    def test_says_how_many_events_a_line_stands_for(self, browser, stored, message):
        """Sampled, rolled up, or one about many."""
        stored(about(message, "2026-03-01 09:15:00", "message.typed", EventCount=3, SampleWeight=20))
        assert lines(page(browser, message)) == ["March 1, 2026, 09:15:00 message.typed × 60"]  # noqa: RUF001

    def test_names_what_else_took_part(self, browser, stored, message):
        """The target, or the object where this one is the target; with links where they have a page."""
        conversation = message.conversation
        stored(
            about(
                message,
                "2026-03-01 09:15:00",
                "message.sent",
                TargetType="chat.conversation",
                TargetId=str(conversation.pk),
            )
        )
        assert lines(page(browser, message))[0].endswith(f"target: chat.conversation {conversation.pk}")
        theirs = page(browser, conversation)
        assert lines(theirs)[0].endswith(f"object: chat.message {message.pk}")
        # A message that is deleted still has its history.
        assert f'href="/admin/chat/message/{message.pk}/history/"' in theirs.content.decode()

    def test_times_are_those_of_whoever_looks(self, browser, stored, message):
        """The current time zone."""
        stored(about(message, "2026-03-01 23:30:00", "message.sent"))
        with timezone.override("Asia/Tokyo"):
            assert lines(page(browser, message))[0].startswith("March 2, 2026, 08:30:00")

    def test_of_nothing_says_so(self, browser, stored, message):
        """In a sentence of its own: Django's would say that it was not added here."""
        text = page(browser, message).content.decode()
        assert "No activity of this message is stored." in text
        assert "<tbody>" not in text.partition('id="content-main"')[2]

    def test_links_actors_and_objects_that_whoever_looks_may_see(self, browser, stored, message, ann):
        """And nobody who is not there any more."""
        stored(about(message, "2026-03-01 09:15:00", "message.sent", ann, TargetType="user", TargetId="999"))
        assert f'<a href="/admin/auth/user/{ann.pk}/change/">' in page(browser, message).content.decode()
        assert "/user/999/" not in page(browser, message).content.decode()
        other = as_user(permitted("view_message"))
        assert "/auth/user/" not in page(other, message).content.decode()

    def test_what_other_people_wrote_is_text(self, browser, stored, message):
        """Every text of an event, whatever it says."""
        evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>&lt;"
        stored(
            about(
                message,
                "2026-03-01 09:15:00",
                f"message.{evil}",
                evil,
                ActorType=evil,
                TargetType=evil,
                TargetId=f"../../{evil}",
                ErrorType=evil,
                Outcome=f"failure{evil}",
                BodyTemplate=f"{evil}\n\u202e{evil}",
                HttpMethod=evil,
                HttpRoute=f"/a/{evil}",
                ClientAddress=evil,
                RequestId=evil,
                Attributes={evil: evil, "list": f'["{evil[:8]}","b"]', "exception.message": evil},
            ),
            about(message, "2026-03-01 09:15:01", "message.sent", "javascript:alert(1)"),
        )
        text = page(browser, message).content.decode()
        assert "<script>alert" not in text.replace("<wbr>", "")
        assert "<img src=x" not in text.replace("<wbr>", "")
        assert "javascript:" not in re.sub(r">[^<]*<", "><", text)
        assert "\u202e" not in text
        assert "&lt;script&gt;alert(1)" in text.replace("<wbr>", "")

    def test_bulk_events_are_in_the_history_of_each(self, browser, stored, ann):
        """Also of a user, whom events call user or auth.user."""
        many = {"ObjectType": "auth.user", "EventCount": 2, "Attributes": {"activity.object.ids": f'["{ann.pk}"]'}}
        stored(
            row("2026-03-01 09:15:00", "user.activated", "999", **many),
            row("2026-03-01 09:16:00", "user.seen", "999", ObjectType="user", ObjectId=str(ann.pk)),
        )
        assert [line.split()[-3:] for line in lines(page(browser, ann))] == [
            ["user", "999", "user.seen"],
            ["user.activated", "×", "2"],  # noqa: RUF001
        ]

    def test_another_site_links_to_its_own_pages(self, browser, stored, ann):
        """And to none that it has not."""
        stored(
            about(ann, "2026-03-01 09:15:00", "user.seen", ann, TargetType="chat.message", TargetId="1"),
        )
        found = page(browser, ann, site="backoffice")
        assert lines(found)[0].endswith("target: chat.message 1")
        assert f'href="/backoffice/auth/user/{ann.pk}/change/"' in found.content.decode()
        assert 'href="/admin/' not in found.content.decode()


class TestPages:
    @pytest.fixture
    def talk(self, stored: Any) -> Conversation:
        """A conversation in which seven things happened."""
        talk = Conversation.objects.create(title="Busy")
        stored(
            *(about(talk, f"2026-03-01 09:00:0{n}", f"talk.e{n}", EventId=str(UUID(int=n + 1))) for n in range(7))
        )
        return talk

    def test_one_leads_to_the_next(self, browser, talk):
        """The newest, the older, the oldest, and back."""
        names, query = [], ""
        for _ in range(3):
            text = page(browser, talk, query).content.decode()
            names.append(re.findall(r"talk\.e\d", text))
            older = re.search(r'<a href="(\?before=[^"]+)">Older</a>', text)
            query = older[1] if older else ""
        assert names == [["talk.e6", "talk.e5", "talk.e4"], ["talk.e3", "talk.e2", "talk.e1"], ["talk.e0"]]
        assert older is None
        assert '<a href="?">Newest</a>' in text

    def test_a_place_that_is_none_is_the_newest(self, browser, talk):
        """Somebody wrote the URL."""
        assert "talk.e6" in lines(page(browser, talk, "?before='; DROP TABLE activity_events"))[0]

    def test_behind_the_oldest_there_is_nothing(self, browser, talk):
        """A page that was the last one, and expired meanwhile."""
        text = page(browser, talk, f"?before=0.0.{UUID(int=0)}").content.decode()
        assert "There is nothing older." in text

    def test_cost_the_database_the_same_whatever_is_on_them(self, browser, talk, stored, ann):
        """One query for the names of all users."""
        page(browser, talk)  # content types are cached by now
        with CaptureQueriesContext(connection) as few:
            page(browser, talk)
        people = [User.objects.create_user(f"user{n}") for n in range(3)]
        stored(*(about(talk, f"2026-04-0{n + 1} 09:00:00", "talk.e9", user) for n, user in enumerate(people)))
        with CaptureQueriesContext(connection) as many:
            found = page(browser, talk)
        assert "user2" in lines(found)[0]
        # The session, who looks, the conversation, Django's count of its log, the names.
        assert (len(few), len(many)) == (4, 5)


class TestWhatAUserDid:
    @pytest.fixture
    def busy(self, stored: Any, ann: User, message: Message) -> User:
        """Who did something, and had something done to her."""
        stored(
            about(message, "2026-03-01 09:15:00", "message.sent", ann),
            row("2026-03-01 09:16:00", "user.logged_in", str(ann.pk)),
            about(ann, "2026-03-01 09:17:00", "user.suspended", "999"),
        )
        return ann

    def test_is_one_click_away(self, browser, busy, message):
        """With the object where the actor was."""
        assert (
            '<a href="?view=actor" class="historylink">Done by this user</a>'
            in page(browser, busy).content.decode()
        )
        found = page(browser, busy, "?view=actor")
        assert lines(found) == [
            "March 1, 2026, 09:16:00 user.logged_in",
            f"March 1, 2026, 09:15:00 chat.message {message.pk} message.sent",
        ]
        assert "Activity of ann" in found.content.decode()
        assert '<a href="?" class="historylink">History</a>' in found.content.decode()

    def test_is_for_those_who_may_see_the_log_of_all(self, stored, busy):
        """It names objects that they may not see; what was done to the user is for all who may view users."""
        viewer = permitted("view_user")
        client = as_user(viewer)
        assert lines(page(client, busy)) == ["March 1, 2026, 09:17:00 user 999 user.suspended"]
        assert "view=actor" not in page(client, busy).content.decode()
        assert page(client, busy, "?view=actor").status_code == 403
        viewer.user_permissions.add(*permissions("view_logentry"))
        assert len(lines(page(client, busy, "?view=actor"))) == 2

    def test_pages_stay_with_the_user(self, browser, stored, ann):
        """The link to the next one says whose it is."""
        stored(
            *(
                row(f"2026-03-01 09:{n:02}:00", "user.seen", str(ann.pk), EventId=str(UUID(int=n + 1)))
                for n in range(51)
            )
        )
        text = page(browser, ann, "?view=actor").content.decode()
        assert re.search(r'<a href="\?view=actor&amp;before=[^"]+">Older</a>', text)

    def test_other_models_have_no_such_page(self, browser, stored, message):
        """Unless they say under which types they act."""
        stored(row("2026-03-01 09:15:00", "key.used", ActorType="bot", ActorId=str(message.pk)))
        assert lines(page(browser, message, "?view=actor")) == []

    def test_other_models_that_act(self, browser, stored, message, monkeypatch):
        """A service account."""
        monkeypatch.setattr(MessagePages, "activity_actor_types", ["bot"])
        stored(row("2026-03-01 09:15:00", "key.used", ActorType="bot", ActorId=str(message.pk)))
        assert lines(page(browser, message, "?view=actor")) == ["March 1, 2026, 09:15:00 key.used"]
        assert "Done by this message" in page(browser, message).content.decode()


def permissions(*codenames: str) -> Any:
    """By their names."""
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=codenames)


class TestDjangosLog:
    def test_is_one_click_away(self, browser, stored, message, root):
        """As Django shows it, with its own pages."""
        assert "Admin log" not in page(browser, message).content.decode()
        LogEntry.objects.log_actions(root.pk, [message], 2, [{"changed": {"fields": ["Text"]}}])
        assert (
            '<a href="?view=log" class="historylink">Admin log (1)</a>' in page(browser, message).content.decode()
        )
        text = page(browser, message, "?view=log").content.decode()
        assert "Changed Text." in text
        assert '<a href="?" class="historylink">History</a>' in text

    def test_of_an_admin_with_a_template_of_its_own(self, browser, stored, message, monkeypatch):
        """It is rendered with that."""
        monkeypatch.setattr(MessagePages, "object_history_template", "admin/object_history.html")
        found = page(browser, message, "?view=log")
        assert found.template_name == "admin/object_history.html"

    def test_is_there_when_the_store_is_away(self, browser, settings, message, root):
        """It is in the database."""
        settings.ACTIVITYLOG = {"url": "clickhouse://127.0.0.1:1/activity"}
        LogEntry.objects.log_actions(root.pk, [message], 2, "[]")
        assert "Admin log (1)" in page(browser, message).content.decode()


class TestWhoMaySeeIt:
    def test_is_djangos_rule(self, stored, message):
        """Whoever may view or change the object."""
        viewer = permitted("view_message")
        assert page(as_user(viewer), message).status_code == 200
        viewer.user_permissions.clear()
        assert page(as_user(viewer), message).status_code == 403
        assert page(Client(), message).status_code == 302

    def test_nothing_is_asked_for_others(self, settings, message, caplog):
        """The store is not even reached for."""
        settings.ACTIVITYLOG = {"url": "clickhouse://127.0.0.1:1/activity"}
        page(as_user(permitted("view_user")), message)
        assert "shows no activity" not in caplog.text

    def test_an_object_that_is_not_there_is_djangos_answer(self, browser, stored):
        """A redirect, with its message."""
        assert browser.get("/admin/chat/conversation/77/history/").status_code == 302


class TestADeletedObject:
    def test_has_its_history_where_that_is_asked_for(self, browser, stored, message):
        """Who deleted it, for one."""
        stored(about(message, "2026-03-01 09:15:00", "message.deleted", "999"))
        url = f"/admin/chat/message/{message.pk}/history/"
        message.delete()
        found = browser.get(url)
        assert found.status_code == 200
        assert lines(found) == ["March 1, 2026, 09:15:00 user 999 message.deleted"]
        assert "(deleted)" in found.content.decode()

    def test_one_that_is_only_hidden_has_none(self, browser, stored, message, monkeypatch):
        """Whoever may not see an object does not see its history either."""
        hidden = Message.objects.none()
        monkeypatch.setattr(MessagePages, "get_queryset", lambda self, request: hidden)
        assert page(browser, message).status_code == 302

    def test_is_for_those_who_may_view_the_model(self, stored):
        """As a page that is there."""
        client = as_user(permitted("view_user"))
        assert client.get("/admin/chat/message/77/history/").status_code == 302

    @pytest.mark.parametrize("identifier", ["no-number", "9" * 30, "_00", "%00"])
    def test_keys_that_are_none_are_djangos_answer(self, browser, stored, identifier):
        """A redirect, or a page without events; no error."""
        assert browser.get(f"/admin/chat/message/{identifier}/history/").status_code in (200, 302)


class TestTenants:
    @pytest.fixture
    def two(self, stored: Any, message: Message) -> Message:
        """A message whose key means another message for another tenant."""
        stored(
            about(message, "2026-03-01 09:15:00", "message.a", TenantId="acme"),
            about(message, "2026-03-01 09:16:00", "message.b", TenantId="brand"),
        )
        return message

    def test_of_the_request_is_the_only_one_shown(self, browser, two, settings):
        """And the page says so."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "tenant": lambda request: "acme"}
        found = page(browser, two)
        assert [line.split()[-1] for line in lines(found)] == ["message.a"]
        assert "Only events of acme." in found.content.decode()

    @pytest.mark.parametrize("more", [{}, {"tenant": lambda request: None}])
    def test_no_tenant_is_all_of_them(self, browser, two, settings, more):
        """People who look after all tenants belong to none."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, **more}
        assert len(lines(page(browser, two))) == 2

    def test_an_admin_may_know_better(self, browser, two, monkeypatch):
        """The tenant that the object belongs to, say."""
        monkeypatch.setattr(MessagePages, "get_activity_tenant", lambda self, request, obj: "brand")
        assert [line.split()[-1] for line in lines(page(browser, two))] == ["message.b"]

    def test_a_tenant_that_cannot_be_told_shows_nothing(self, browser, two, settings):
        """Of whom would it be?"""

        def fails(request: Any) -> str:
            raise LookupError("<b>which</b> tenant?")

        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "tenant": fails}
        found = page(browser, two)
        assert found.status_code == 200
        assert lines(found) == []
        assert "It is not known which tenant" in found.content.decode()
        assert "LookupError: &lt;b&gt;which&lt;/b&gt; tenant?" in found.content.decode()


class TestAStoreThatCannotBeRead:
    def test_is_a_sentence_on_the_page(self, settings, message, caplog):
        """With the reason in the log, and for those who run the servers."""
        settings.ACTIVITYLOG = {"url": "clickhouse://writer:s3cr3t@127.0.0.1:1/activity"}
        found = page(as_user(permitted("view_message")), message)
        assert found.status_code == 200
        text = found.content.decode()
        assert "The store of activity does not answer." in text
        assert "127.0.0.1:1" not in text
        assert "127.0.0.1:1" in caplog.text
        assert "s3cr3t" not in caplog.text + text

    def test_tells_superusers_why(self, browser, settings, message):
        """They can do something about it."""
        settings.ACTIVITYLOG = {"url": "clickhouse://writer:s3cr3t@127.0.0.1:1/activity"}
        text = page(browser, message).content.decode()
        assert "No ClickHouse answers at 127.0.0.1:1" in text
        assert "s3cr3t" not in text


@pytest.mark.slow
class TestTheRealWay:
    @pytest.mark.usefixtures("_chdb_engine")
    def test_from_the_admins_form_to_its_history(
        self, root, browser, message, settings, chdb_url, django_capture_on_commit_callbacks
    ):
        """One process writes and reads the embedded store."""
        settings.ACTIVITYLOG = {"url": chdb_url}
        activitylog.configure(chdb_url, service_name="chat", schedule_delay_millis=60_000)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                browser.post(
                    f"/admin/chat/message/{message.pk}/change/",
                    {"conversation": message.conversation_id, "sender": message.sender_id, "text": "changed"},
                )
            activitylog.flush()
            found = lines(page(browser, message))
        finally:
            activitylog.shutdown()
            config.swap(None)
        assert found[0].partition(" root (Ada Root) ")[2].startswith("message.updated changed: text POST")


class TestTheMixin:
    def test_has_a_template_that_can_be_replaced(self, browser, stored, message, monkeypatch):
        """By path, or by name."""
        assert page(browser, message).template_name == [
            "admin/chat/message/activity_history.html",
            "admin/chat/activity_history.html",
            "admin/activity_history.html",
        ]
        monkeypatch.setattr(Conversations, "activity_history_template", "admin/object_history.html")
        assert page(browser, message.conversation).template_name == "admin/object_history.html"

    def test_passes_on_what_a_subclass_says_of_the_page(self, rf, root, stored):
        """As Django's view does."""
        request = rf.get("/?view=actor")
        request.user = root
        found: Any = Members(User, site).history_view(request, str(root.pk), {"title": "Its life"})
        assert found.context_data["title"] == "Its life"
