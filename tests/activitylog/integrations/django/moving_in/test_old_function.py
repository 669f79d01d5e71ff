"""The old function: its call sites stay, and emit events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

import activitylog
from activitylog.integrations.django.moving_in import LegacyMapping, legacy_function
from activitylog.testing import CapturedActivities, capture_activities
from tests.activitylog.integrations.django.moving_in.conftest import Committed, Writing, roll_back
from tests.activitylog.integrations.django.moving_in.models import OldRow

pytestmark = pytest.mark.django_db
RAN: list[Any] = []


@legacy_function()
def safe_log_activity(
    user: Any, action: Any, description: str = "", *, obj: Any = None, request: Any = None, **metadata: Any
) -> None:
    """The team's own."""
    RAN.append(action)
    OldRow.objects.create(user=user, action=action, description=description, metadata=metadata)


@pytest.fixture(autouse=True)
def _ran() -> None:
    RAN.clear()


@pytest.fixture
def ada(db: None) -> User:
    """Somebody."""
    return User.objects.create(username="ada")


class TestEvents:
    """Where only events are written."""

    def test_positions_and_keywords(self, activity: CapturedActivities, committed: Committed, ada: User) -> None:
        """By the function's own signature; what goes by ** are attributes."""
        with committed():
            assert safe_log_activity(ada, "MESSAGE_SENT", "hello", obj=ada, channel="general") is None
        event = activity.one(
            "message.sent", actor=f"user:{ada.pk}", object=f"auth.user:{ada.pk}", channel="general"
        )
        assert event.message == "hello"
        assert RAN == []

    def test_the_name_and_the_words_stay(self) -> None:
        """Documentation and introspection see the old function."""
        assert (safe_log_activity.__name__, safe_log_activity.__doc__) == ("safe_log_activity", "The team's own.")

    def test_rolled_back_with_the_transaction(self, activity: CapturedActivities, committed: Committed) -> None:
        """As its row would have been."""
        with committed(), pytest.raises(ZeroDivisionError):
            roll_back(lambda: safe_log_activity(None, "LOGIN"))
        assert len(activity) == 0

    def test_at_once_where_that_is_wanted(self, activity: CapturedActivities) -> None:
        """A log of failures survives what it tells of."""

        @legacy_function(on_commit=False)
        def log(user: Any, action: str) -> None: ...

        log(None, "LOGIN")
        assert activity.names == ["user.logged_in"]

    def test_what_callers_get(self, activity: CapturedActivities) -> None:
        """None, or what the team says."""

        @legacy_function(returns=True)
        def log(action: str) -> bool:
            return False

        assert log("LOGIN") is True

    def test_a_method(self, activity: CapturedActivities, committed: Committed) -> None:
        """Whose it is does not matter."""

        class Service:
            @legacy_function()
            def log(self, action: str, **extra: Any) -> None: ...

        with committed():
            Service().log("LOGIN", a=1)
        activity.one("user.logged_in", a=1)

    def test_a_coroutine_function(self, activity: CapturedActivities) -> None:
        """In an event loop nothing is waited for, and no database is asked."""

        @legacy_function()
        async def log(user_id: int, action: str) -> None: ...

        asyncio.run(log(5, "LOGIN"))
        activity.one("user.logged_in", actor="user:5")

    def test_a_function_without_an_action(self, activity: CapturedActivities, committed: Committed) -> None:
        """Its event has one name."""

        @legacy_function(LegacyMapping(names={"": "user.logged_in"}))
        def log_login(user: Any) -> None: ...

        with committed():
            log_login("user:5")
        activity.one("user.logged_in", actor="user:5")

    def test_what_is_not_given_is_what_the_function_says(
        self, activity: CapturedActivities, committed: Committed
    ) -> None:
        """Defaults are arguments."""

        @legacy_function()
        def log_view(user: Any, action: str = "page viewed", source: str = "web") -> None: ...

        with committed():
            log_view("user:5")
        activity.one("page.viewed", actor="user:5", source="web")

    def test_things_that_are_attributes_are_told_by_their_keys(
        self, activity: CapturedActivities, committed: Committed, ada: User
    ) -> None:
        """Their texts would cost queries."""
        with committed():
            safe_log_activity(ada, "LOGIN", obj=ada, approver=ada, reviewer=ada)
        activity.one("user.logged_in", approver=ada.pk, reviewer=ada.pk)


class TestRequest:
    """An argument ``request``."""

    def test_it_says_what_asks(
        self, activity: CapturedActivities, committed: Committed, ada: User, rf: Any
    ) -> None:
        """Client, method and user; its own user only where no other is given."""
        request = rf.post("/login/?next=1", HTTP_USER_AGENT="tests", REMOTE_ADDR="192.0.2.7")
        request.user = ada
        with committed():
            safe_log_activity(None, "LOGIN", request=request)
            safe_log_activity("bot:1", "LOGOUT", request=request)
        event = activity.one("user.logged_in", actor=f"user:{ada.pk}")
        told = {
            key: event.attributes[key] for key in ("client.address", "user_agent.original", "http.request.method")
        }
        assert told == {
            "client.address": "192.0.2.7", "user_agent.original": "tests", "http.request.method": "POST"
        }  # fmt: skip
        activity.one("user.logged_out", actor="bot:1")

    def test_nobody_is_nobody(self, activity: CapturedActivities, committed: Committed, rf: Any) -> None:
        """Who has not logged in is no actor."""
        request = rf.get("/")
        request.user = AnonymousUser()
        with committed():
            safe_log_activity(None, "page viewed", request=request)
        assert activity.one("page.viewed").actor == ""

    def test_what_is_no_request_says_nothing(self, activity: CapturedActivities, committed: Committed) -> None:
        """And raises nothing."""
        with committed():
            safe_log_activity(None, "LOGIN", request=object())
        activity.one("user.logged_in")

    def test_one_that_is_bound_is_known_better(
        self, activity: CapturedActivities, committed: Committed, rf: Any, client: Any
    ) -> None:
        """The middleware has said it; the argument adds nothing."""
        from activitylog.integrations.django.conf import options
        from activitylog.integrations.django.requests import DjangoRequest

        bound = DjangoRequest(rf.get("/bound/", REMOTE_ADDR="192.0.2.1"), options())
        token = bound.enter()
        try:
            with committed():
                safe_log_activity(None, "LOGIN", request=rf.get("/given/", REMOTE_ADDR="192.0.2.2"))
        finally:
            bound.leave(token)
        activity.one("user.logged_in", **{"client.address": "192.0.2.1"})


class TestBothAndTable:
    """Where rows are written, too, or only."""

    def test_the_row_has_its_event_and_the_call_no_other(
        self, activity: CapturedActivities, committed: Committed, writing: Writing
    ) -> None:
        """The old model's."""
        writing("both")
        with committed():
            safe_log_activity(None, "LOGIN")
        assert (RAN, OldRow.objects.count()) == (["LOGIN"], 1)
        activity.one("user.logged_in", **{"legacy.pk": str(OldRow.objects.get().pk)})
        assert len(activity) == 1

    def test_a_body_that_writes_no_row_of_an_old_model(
        self, activity: CapturedActivities, committed: Committed, writing: Writing
    ) -> None:
        """The call has an event, then."""

        @legacy_function()
        def log(action: str) -> str:
            return "ran"

        writing("both")
        with committed():
            assert log("LOGIN") == "ran"
        assert activity.names == ["user.logged_in"]

    def test_the_table_alone(self, activity: CapturedActivities, committed: Committed, writing: Writing) -> None:
        """As before."""
        writing("table")
        with committed():
            safe_log_activity(None, "LOGIN")
        assert (OldRow.objects.count(), len(activity)) == (1, 0)

    @pytest.mark.parametrize(("mode", "events"), [("both", 1), ("table", 0), ("events", 1)])
    def test_each_can_have_a_switch_of_its_own(
        self, activity: CapturedActivities, mode: Any, events: int, writing: Writing
    ) -> None:
        """A feature flag, asked at each call."""
        writing("table" if mode != "table" else "events")

        @legacy_function(write=lambda: mode, on_commit=False)
        async def log(action: str) -> None:
            RAN.append(action)

        asyncio.run(log("LOGIN"))
        assert (len(activity), RAN) == (events, [] if mode == "events" else ["LOGIN"])


class TestFailures:
    """A log call never breaks the operation."""

    @pytest.mark.parametrize(
        ("args", "kwargs"),
        [((), {}), ((None, "LOGIN", "text", "too", "many"), {}), ((None,), {"user": 1, "action": "LOGIN"})],
    )
    def test_arguments_that_do_not_fit(self, args: Any, kwargs: Any, committed: Committed) -> None:
        """What was given is told; and it is counted."""
        with capture_activities(strict=False) as captured, committed():
            safe_log_activity(*args, **kwargs)
            assert activitylog.stats().dropped == {"error": 1}
        assert len(captured) == 1

    def test_in_tests_they_are_raised(self, activity: CapturedActivities) -> None:
        """A mistake in a call is found there."""
        with pytest.raises(TypeError, match="missing a required argument"):
            safe_log_activity()  # type: ignore[call-arg]

    def test_objects_that_fail(self, committed: Committed) -> None:
        """Whatever they raise."""
        from tests.strategies import Hostile, HostileMapping

        odd: Any = Hostile()
        with capture_activities(strict=False) as captured, committed():
            safe_log_activity(odd, odd, odd, obj=odd, request=odd, extra=HostileMapping())
        assert len(captured) == 1
