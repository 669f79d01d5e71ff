"""Logins, logouts and failed logins: through Django's own views, the admin, and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory
from django.urls import include, path

import activitylog
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django import auth_signals
from activitylog.testing import CapturedActivities, capture_activities
from tests.activitylog.integrations.django import web
from tests.activitylog.integrations.django.project import urls

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [
    path("login/", LoginView.as_view(template_name="admin/login.html", next_page="/web/idle/")),
    path("logout/", LogoutView.as_view(next_page="/web/idle/")),
    path("web/", include(web)),
    *urls.urlpatterns,
]
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def ada(db: None) -> User:
    """Somebody who can log in, also to the admin."""
    return User.objects.create_superuser("ada", password="lovelace")


class TestEvents:
    @pytest.mark.parametrize("page", ["/login/", "/admin/login/"])
    def test_a_login(self, client: Client, activity: CapturedActivities, ada: User, page: str) -> None:
        """The user, the backend, the request, and the session that began with it."""
        client.post(page, {"username": "ada", "password": "lovelace"})
        event = activity.one("user.logged_in", actor=f"user:{ada.pk}", **{"auth.backend": BACKEND})
        assert event.attributes["url.path"] == page
        assert event.attributes["client.address"] == "127.0.0.1"
        client.get("/web/")
        assert activity.one("message.sent").attributes["session.id"] == event.attributes["session.id"]

    def test_a_session_that_goes_over_into_another(
        self, client: Client, activity: CapturedActivities, ada: User
    ) -> None:
        """A login changes the session: what comes after it in the same request is of the new one."""
        client.get("/web/visited/")
        client.get("/web/signing-in/")
        client.get("/web/")
        before, *after = [
            event.attributes["session.id"]
            for name in ("door.knocked", "user.logged_in", "door.opened", "message.sent")
            for event in activity.find(name)
        ]
        assert before not in after
        assert len(set(after)) == 1

    def test_a_logout(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """Who it was, and the session that ended with it."""
        client.post("/login/", {"username": "ada", "password": "lovelace"})
        client.post("/logout/")
        session = activity.one("user.logged_in").attributes["session.id"]
        activity.one("user.logged_out", actor=f"user:{ada.pk}", session=session)

    def test_a_logout_of_nobody(self, client: Client, activity: CapturedActivities) -> None:
        """Who was not logged in does not log out."""
        client.post("/logout/")
        assert activity.names == []

    @pytest.mark.parametrize("name", ["ada", "nobody"])
    def test_a_failure(self, client: Client, activity: CapturedActivities, ada: User, name: str) -> None:
        """The name that was tried, no actor, and nothing of the password."""
        client.post("/login/", {"username": name, "password": "guess-1"})
        event = activity.one("user.login_failed", outcome="failure", severity="ERROR", **{"user.name": name})
        assert (event.actor, event.attributes["url.path"]) == ("", "/login/")
        assert "guess-1" not in str(event.attributes)

    def test_a_failure_of_somebody_who_is_logged_in(
        self, client: Client, activity: CapturedActivities, ada: User
    ) -> None:
        """Who tries to become somebody else is the actor."""
        client.force_login(ada)
        client.post("/login/", {"username": "root", "password": "guess-1"})
        activity.one("user.login_failed", actor=f"user:{ada.pk}", **{"user.name": "root"})

    def test_an_asynchronous_login(self, activity: CapturedActivities, ada: User) -> None:
        """``alogin`` sends the same signal."""
        async_to_sync(AsyncClient().get)("/web/async/signing-in/")
        activity.one("user.logged_in", actor=f"user:{ada.pk}")


class TestWithoutTheMiddleware:
    def test_a_request(self, rf: RequestFactory, activity: CapturedActivities, ada: User) -> None:
        """What the signal's request says is said all the same."""
        request = rf.post("/somewhere/", REMOTE_ADDR="198.51.100.9")
        request.session, request.user = _session(), AnonymousUser()
        login(request, ada, backend=BACKEND)
        logout(request)
        for name in ("user.logged_in", "user.logged_out"):
            event = activity.one(name)
            assert event.attributes["client.address"] == "198.51.100.9"
            assert event.attributes["session.id"]

    def test_no_request(self, activity: CapturedActivities, ada: User) -> None:
        """``authenticate`` by hand."""
        authenticate(username="ada", password="guess-1")
        assert activity.one("user.login_failed", **{"user.name": "ada"}).attributes.get("url.path") is None

    @pytest.mark.parametrize(
        ("credentials", "name"),
        [({"email": "ada@example.org"}, "ada@example.org"), ({"token": "***"}, None), ({}, None), (None, None)],
    )
    def test_other_credentials(
        self, activity: CapturedActivities, credentials: dict[str, str] | None, name: str | None
    ) -> None:
        """Of backends that want an address, or no name."""
        user_login_failed.send(sender=__name__, credentials=credentials, request=None)
        assert activity.one("user.login_failed").attributes.get("user.name") == name

    def test_a_login_that_a_test_makes_up(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """``client.force_login`` is how a test begins, not what it tests."""
        client.force_login(ada)
        client.logout()
        assert activity.names == []


class TestSafety:
    def test_a_user_that_cannot_be_asked(self, rf: RequestFactory) -> None:
        """A login goes on, whatever the event meets; what it met is counted or flagged."""

        class Hostile(AbstractBaseUser):
            class Meta:
                abstract = True

            @property
            def backend(self) -> str:  # type: ignore[override]
                raise RuntimeError("no backend")

        with capture_activities(strict=False) as captured:
            auth_signals._logged_in(sender=Hostile, request=rf.get("/"), user=object.__new__(Hostile))
            assert captured.names == []
            assert activitylog.stats().dropped == {"error": 1}

    def test_twice(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """Connected twice it emits once."""
        auth_signals.connect(True)
        client.post("/login/", {"username": "ada", "password": "lovelace"})
        activity.one("user.logged_in")

    @pytest.mark.usefixtures("disconnected")
    def test_not_at_all(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """Without ``connect`` nothing is emitted: what ``auth_events: False`` does."""
        client.post("/login/", {"username": "ada", "password": "lovelace"})
        client.post("/login/", {"username": "ada", "password": "guess-1"})
        client.post("/logout/")
        assert activity.names == []

    @pytest.fixture
    def disconnected(self) -> Iterator[None]:
        auth_signals.disconnect()
        yield
        auth_signals.connect(True)

    def test_the_setting(self) -> None:
        """True or False."""
        assert auth_signals.read(False) is False
        with pytest.raises(ConfigurationError, match="expected True or False"):
            auth_signals.read("no")


def _session() -> Any:
    from django.contrib.sessions.backends.db import SessionStore

    return SessionStore()


def test_the_name_is_bounded(activity: CapturedActivities) -> None:
    """Nobody fills the table with names."""
    user_login_failed.send(sender=__name__, credentials={"username": "x" * 100_000}, request=HttpRequest())
    assert len(activity.one("user.login_failed").attributes["user.name"]) == 254
