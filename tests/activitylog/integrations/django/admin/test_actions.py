from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

import activitylog
from activitylog import config
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django.admin import activity_action
from activitylog.testing import capture_activities
from tests.activitylog.integrations.django.admin.conftest import SITE, as_user, permitted
from tests.activitylog.integrations.django.admin.site import Members, site

pytestmark = [pytest.mark.django_db, pytest.mark.urls(SITE)]

USERS = "/admin/auth/user/"


@pytest.fixture
def members(root: Any) -> list[User]:
    """Three users, the second of whom is one of the staff."""
    return [
        User.objects.create_user("ann", email="ann@example.com"),
        User.objects.create_user("ben", is_staff=True),
        User.objects.create_user("cid"),
    ]


@pytest.fixture
def act(browser: Client, members: list[User], django_capture_on_commit_callbacks: Any) -> Any:
    """Has an action done to the three, and commits."""

    def done(action: str, **more: Any) -> Any:
        chosen = {"action": action, "_selected_action": [user.pk for user in members], **more}
        with django_capture_on_commit_callbacks(execute=True):
            return browser.post(USERS, chosen)

    return done


def objects(activity: Any, name: str) -> list[str]:
    """Of the events of this name, in the order of their ids."""
    return sorted(event.object for event in activity.find(name))


def named(*users: User) -> list[str]:
    """As events have them."""
    return [f"auth.user:{user.pk}" for user in users]


class TestAnActionThatSaysNothing:
    def test_is_told_of_every_selected_object(self, act, members, activity, root):
        """One event each, of whoever is logged in."""
        assert act("activate").status_code == 302
        assert objects(activity, "user.activated") == named(*members)
        assert {event.actor for event in activity} == {f"user:{root.pk}"}

    def test_waits_for_the_commit(self, browser, members, activity):
        """A transaction that is never committed tells nothing."""
        browser.post(USERS, {"action": "activate", "_selected_action": [members[0].pk]})
        assert activity.names == []

    def test_is_told_of_what_was_selected_before_it(self, act, members, activity):
        """Deleted objects have no id any more, and were selected all the same."""
        act("purge")
        assert objects(activity, "user.purged") == named(*members)

    def test_of_objects_that_the_page_does_not_show_nothing_is_told(self, act, members, activity):
        """Whatever keys a form sends: the queryset says what is selected."""
        act("activate", _selected_action=[members[0].pk, 10_000])
        assert objects(activity, "user.activated") == named(members[0])


class TestWhatAnActionReturns:
    def test_a_smaller_number_is_told_without_names(self, act, activity):
        """Two of three: nobody knows which."""
        act("suspend")
        event = activity.one("user.suspended", reason="spam", selected=3)
        assert event.attributes["activity.count"] == 2
        assert event.attributes["activity.object.type"] == "auth.user"
        assert event.object == "auth.user"

    def test_all_of_them_is_every_one(self, act, members, activity):
        """A number that is not smaller than what was selected."""
        User.objects.update(is_staff=False)
        User.objects.filter(username="root").update(is_staff=True)
        act("suspend")
        assert objects(activity, "user.suspended") == named(*members)

    def test_keys_are_those_it_was_done_to(self, act, members, activity):
        """One of three."""
        act("notify")
        assert objects(activity, "user.notified") == named(members[0])

    def test_a_queryset_too(self, act, members, activity):
        """Two of three."""
        act("rename")
        assert objects(activity, "user.renamed") == named(members[0], members[2])

    def test_a_response_is_nothing_done(self, act, activity):
        """It is the page that asks whether to go on."""
        assert act("confirm").content == b"Are you sure?"
        assert activity.names == []

    def test_a_response_after_done_is_what_was_done(self, act, members, activity):
        """The action knows."""
        assert act("confirmed").content == b"Done."
        assert objects(activity, "user.confirmed") == named(*members)
        assert activity.events[0].attributes["selection"] == [user.pk for user in members]

    def test_a_file_after_done(self, act, members, activity):
        """And its content is the action's."""
        assert act("export").content == b"id\n"
        assert objects(activity, "user.exported") == named(*members)

    def test_false_is_nothing(self, act, activity):
        """As zero is."""
        act("nobody")
        assert activity.names == []

    def test_done_adds_up(self, act, members, activity):
        """Objects, keys and querysets."""
        act("twice")
        assert objects(activity, "user.checked") == named(members[0], members[1])


class TestAnActionThatRaises:
    def test_is_told_at_once_and_goes_on(self, browser, members, activity):
        """Whatever becomes of the transaction."""
        keys = [user.pk for user in members]
        with pytest.raises(ValueError, match="no such check"):
            browser.post(USERS, {"action": "fail", "_selected_action": keys})
        event = activity.one("user.checked", outcome="failure", error="ValueError")
        assert event.attributes["exception.message"] == "no such check"
        assert sorted(event.attributes["activity.object.ids"]) == [str(key) for key in keys]

    def test_of_one_object_names_it(self, browser, members, activity):
        """As an object, which has an index."""
        with pytest.raises(ValueError, match="no such check"):
            browser.post(USERS, {"action": "fail", "_selected_action": [members[0].pk]})
        assert activity.one("user.checked", outcome="failure").object == f"auth.user:{members[0].pk}"

    def test_of_none_says_so_all_the_same(self, members, activity, rf):
        """Without an object."""
        request = rf.get(USERS)
        request.user = members[0]
        with pytest.raises(ValueError, match="no such check"):
            Members.fail(Members(User, site), request, User.objects.none())
        assert activity.one("user.checked", outcome="failure").object == ""

    def test_permission_denied_is_a_denial(self, act, activity):
        """Django's exception is not Python's."""
        assert act("deny").status_code == 403
        assert activity.one("user.checked").outcome == "denied"

    def test_what_was_done_before_is_told_if_it_is_committed(
        self, browser, members, activity, django_capture_on_commit_callbacks
    ):
        """The others failed."""
        keys = [user.pk for user in members]
        with django_capture_on_commit_callbacks(execute=True), pytest.raises(ValueError, match="no such"):
            browser.post(USERS, {"action": "fail_half_way", "_selected_action": keys})
        failed = activity.one("user.checked", outcome="failure")
        assert sorted(failed.attributes["activity.object.ids"]) == [str(key) for key in keys[1:]]
        assert activity.one("user.checked", outcome="success").object == f"auth.user:{keys[0]}"

    def test_a_worker_that_stops_leaves_it_open(self, browser, members, activity):
        """Nobody knows what was done."""
        with pytest.raises(SystemExit):
            browser.post(USERS, {"action": "stop", "_selected_action": [members[0].pk]})
        assert activity.one("user.checked").outcome == "unknown"
        assert activity.one("user.checked").attributes["error.type"] == "SystemExit"


class TestManyObjects:
    @pytest.fixture
    def crowd(self, root: Any) -> list[User]:
        """As many as are selected across pages."""
        User.objects.bulk_create(User(username=f"user {number}") for number in range(2_499))
        return list(User.objects.all())

    def test_across_all_pages_are_told_in_one_event(
        self, browser, crowd, activity, django_capture_on_commit_callbacks
    ):
        """And every id is kept."""
        with django_capture_on_commit_callbacks(execute=True):
            browser.post(USERS, {"action": "activate", "select_across": "1", "_selected_action": [crowd[0].pk]})
        event = activity.one("user.activated")
        assert event.attributes["activity.count"] == 2_500
        told = event.attributes["activity.object.ids"]
        assert sorted(told, key=int) == [str(user.pk) for user in crowd]

    def test_up_to_a_hundred_have_an_event_each(self, crowd, activity, rf):
        """The hundred and first makes it one about all."""
        request = rf.post(USERS)
        request.user = crowd[0]
        for number in (100, 101):
            queryset = User.objects.filter(pk__lt=crowd[number].pk)
            with_commit(lambda queryset=queryset: Members.activate(Members(User, site), request, queryset))
        assert len(activity.find("user.activated")) == 101
        assert activity.events[-1].attributes["activity.count"] == 101

    def test_cost_one_query_for_the_keys(self, crowd, activity, rf):
        """And none for each of them."""
        request = rf.post(USERS)
        request.user = crowd[0]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            Members.together(Members(User, site), request, User.objects.order_by("username"))
        assert len(queries) == 1
        assert "ORDER BY" not in queries[0]["sql"]

    def test_beyond_what_is_read_are_counted(self, crowd, activity, rf, monkeypatch):
        """Nobody holds a million ids in memory for a log."""
        monkeypatch.setattr("activitylog.integrations.django.admin.telling.MAX_IDS", 1_200)
        request = rf.post(USERS)
        request.user = crowd[0]
        with_commit(lambda: Members.activate(Members(User, site), request, User.objects.all()))
        event = activity.one("user.activated")
        assert event.attributes["activity.count"] == 2_500
        assert event.attributes["activity.object.type"] == "auth.user"
        assert "activity.object.ids" not in event.attributes

    def test_one_event_about_three_when_the_action_wants_that(self, act, members, activity):
        """``max_events=0``."""
        act("together")
        event = activity.one("user.activated")
        assert sorted(event.attributes["activity.object.ids"]) == [str(user.pk) for user in members]


def with_commit(function: Any) -> None:
    """Call it, and what it left for the commit."""
    before = len(connection.run_on_commit)
    function()
    for one in connection.run_on_commit[before:]:
        one[1]()


class TestTheDecorator:
    def test_leaves_to_django_what_is_djangos(self):
        """Description, permissions and name, given here, above or below."""
        activate: Any = Members.activate
        notify: Any = Members.notify
        rename: Any = Members.rename
        assert activate.short_description == activate.plural_description == "Activate selected users"
        assert activate.allowed_permissions == ["change"]
        assert activate.__name__ == "activate"
        assert (notify.short_description, notify.allowed_permissions) == ("Notify", ["view"])
        assert rename.short_description == "Rename"

    def test_permissions_hold(self, members, activity):
        """Whoever lacks them is not offered the action."""
        client = as_user(permitted("view_user"))
        client.post(USERS, {"action": "activate", "_selected_action": [members[0].pk]})
        assert activity.names == []

    def test_functions_are_actions_too(self, members, activity, rf):
        """Those of a whole site."""

        @activity_action("user.seen")
        def see(model_admin: Any, request: Any, queryset: Any) -> Any:
            return None

        request = rf.get(USERS)
        request.user = members[0]
        with_commit(lambda: see(admin.ModelAdmin(User, site), request, User.objects.filter(username="ann")))
        assert objects(activity, "user.seen") == named(members[0])

    @pytest.mark.parametrize("name", ["User Activated", "activated", "", None, "a." + "b" * 200])
    def test_refuses_what_is_no_name(self, name):
        """When the module is imported, not when somebody clicks."""
        with pytest.raises(ConfigurationError, match="no event name"):
            activity_action(name)

    def test_refuses_coroutine_functions(self):
        """Django would call them, and never await."""

        async def later(model_admin, request, queryset):
            """Never runs."""

        with pytest.raises(ConfigurationError, match="never awaits"):
            activity_action("user.seen")(later)

    def test_who_is_bound_is_not_overridden(self, members, activity, rf):
        """The middleware may know better: an impersonated user."""
        request = rf.get(USERS)
        request.user = members[0]
        with activitylog.bind(actor=("user", 7)):
            with_commit(lambda: Members.together(Members(User, site), request, User.objects.all()))
        assert activity.one("user.activated").actor == "user:7"

    def test_nobody_bound_is_whoever_is_logged_in(self, members, activity, rf):
        """A lazy actor that finds nobody, or that fails."""
        request = rf.get(USERS)
        request.user = members[0]

        def fails():
            raise RuntimeError

        for actor in (lambda: None, fails):
            with activitylog.bind(actor=actor):
                with_commit(lambda: Members.together(Members(User, site), request, User.objects.all()))
        assert [event.actor for event in activity] == [f"user:{members[0].pk}"] * 2


class TestWhatGoesWrongInside:
    @pytest.fixture
    def lenient(self) -> Any:
        """As in production."""
        with capture_activities(strict=False) as captured:
            yield captured

    def test_keys_that_cannot_be_read_do_not_stop_the_action(self, lenient, rf, members):
        """A queryset that is none; the loss is counted."""

        @activity_action("user.seen")
        def see(model_admin: Any, request: Any, queryset: Any) -> Any:
            return "done"

        request = rf.get(USERS)
        request.user = members[0]
        sliced = User.objects.all()[:2]
        assert see(admin.ModelAdmin(User, site), request, sliced) == "done"
        assert lenient.names == []
        assert activitylog.stats().dropped["error"] == 1

    def test_objects_of_another_model_are_refused(self, lenient, rf, members):
        """Under the name of this one they would be somebody else."""

        @activity_action("user.seen")
        def see(model_admin: Any, request: Any, queryset: Any) -> Any:
            return [LogEntry(pk=1)]

        request = rf.get(USERS)
        request.user = members[0]
        see(admin.ModelAdmin(User, site), request, User.objects.all())
        assert lenient.names == []
        assert activitylog.stats().dropped["error"] == 1

    def test_results_that_cannot_be_read_do_not_stop_the_action(self, lenient, rf, members):
        """An iterable that breaks."""

        @activity_action("user.seen")
        def see(model_admin: Any, request: Any, queryset: Any, act: Any = None) -> Any:
            act.done(user.no_such for user in queryset)
            return "done"

        request = rf.get(USERS)
        request.user = members[0]
        assert see(admin.ModelAdmin(User, site), request, User.objects.all()) == "done"
        assert lenient.names == []
        assert activitylog.stats().dropped["error"] == 1

    def test_without_a_pipeline_actions_work(self, rf, members):
        """What is not configured is counted, and that is all."""
        assert config._state.pipeline is None
        request = rf.get(USERS)
        request.user = members[0]
        Members.activate(Members(User, site), request, User.objects.all())
        with pytest.raises(ValueError, match="no such check"):
            Members.fail(Members(User, site), request, User.objects.all())


@pytest.mark.django_db(transaction=True)
class TestWithoutATransaction:
    def test_events_are_emitted_at_once(self, root, activity, rf):
        """An admin without ATOMIC_REQUESTS has none for actions."""
        request = RequestFactory().post(USERS)
        request.user = root
        Members.activate(Members(User, site), request, User.objects.all())
        assert objects(activity, "user.activated") == named(root)
