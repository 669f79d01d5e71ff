"""Django's asynchronous side: real views on an event loop, which never waits for the database for an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.backends.file import SessionStore as FileSessionStore
from django.contrib.sessions.models import Session
from django.core.handlers.asgi import ASGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, AsyncRequestFactory, Client
from django.utils.functional import SimpleLazyObject

import activitylog
from activitylog import context
from activitylog.testing import CapturedActivities

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.activitylog.integrations.django.web")]

Get = Callable[..., Any]
ACTIVITY = "activitylog.integrations.django.ActivityMiddleware"


@pytest.fixture
def ada(db: None) -> User:
    """Somebody who can log in."""
    return User.objects.create_user("ada", password="lovelace")


@pytest.fixture
def get() -> Get:
    """Asks an asynchronous client; what was bound around that is bound afterwards."""

    def ask(path: str, user: User | None = None, **headers: str) -> Any:
        client = AsyncClient(raise_request_exception=False)
        if user is not None:
            client.force_login(user)

        async def asked() -> Any:
            with activitylog.bind(marker="mine"):
                before = dict(context.current())
                response = await client.get(path, headers=headers)
                assert dict(context.current()) == before
                return response

        return async_to_sync(asked)()

    return ask


@pytest.fixture(autouse=True)
def _no_queries_in_an_event_loop() -> Iterator[None]:
    """Whoever asks the database from an event loop fails, whatever becomes of the error."""
    wrong: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if _is_in_an_event_loop():
            wrong.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield
    assert wrong == []


def _is_in_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class TestWhoAsks:
    @pytest.mark.parametrize("path", ["/async/send/", "/async/thread/", "/async/class/", "/async/user/", "/"])
    def test_a_session(self, get: Get, activity: CapturedActivities, ada: User, path: str) -> None:
        """Before an asynchronous view the user is loaded; in a thread, and in any other view, at emit."""
        assert get(path, ada).status_code == 200
        event = activity.one(actor=f"user:{ada.pk}")
        assert event.attributes["url.path"] == path
        assert "session.id" in event.attributes

    @pytest.mark.parametrize("path", ["/async/send/", "/async/thread/", "/async/user/", "/"])
    def test_nobody(
        self, get: Get, activity: CapturedActivities, path: str, django_assert_num_queries: Any
    ) -> None:
        """Without a session nobody is looked for."""
        with django_assert_num_queries(0):
            get(path)
        assert activity.one().actor == ""

    def test_nobody_loads_twice(
        self, get: Get, activity: CapturedActivities, ada: User, django_assert_num_queries: Any
    ) -> None:
        """What was loaded before the view is what ``await request.auser()`` returns."""
        client = AsyncClient()
        client.force_login(ada)
        with django_assert_num_queries(2):
            response = async_to_sync(client.get)("/async/user/")
        assert (response.content, response.headers["Vary"]) == (b"ada", "Cookie")

    def test_no_trace(self, get: Get, activity: CapturedActivities, ada: User) -> None:
        """A view that does not use the session does not get an answer that depends on it."""
        response = get("/async/send/", ada)
        assert "Vary" not in response.headers
        assert not response.cookies

    def test_a_session_that_is_over(self, get: Get, activity: CapturedActivities, ada: User) -> None:
        """We do not end it; the view does that, when it asks."""
        client = AsyncClient()
        client.force_login(ada)
        ada.set_password("another")
        ada.save()
        response = async_to_sync(client.get)("/async/send/")
        assert activity.one("message.sent").actor == ""
        assert not response.cookies
        assert Session.objects.count() == 1
        response = async_to_sync(client.get)("/async/user/")
        assert response.content == b"AnonymousUser"
        assert "sessionid" in response.cookies

    def test_a_login_inside_the_request(self, get: Get, activity: CapturedActivities, ada: User) -> None:
        """``alogin`` is seen at once, also by the view."""
        get("/async/signing-in/")
        assert activity.one("door.knocked").actor == ""
        activity.one("door.opened", actor=f"user:{ada.pk}")

    def test_another_login_inside_the_request(self, get: Get, activity: CapturedActivities, ada: User) -> None:
        """Whoever was loaded before is not who asks afterwards."""
        assert get("/async/signing-in/", User.objects.create_user("before")).content == b"ada"
        activity.one("door.opened", actor=f"user:{ada.pk}")

    @pytest.mark.activity(strict=False)
    def test_too_early(self, activity: CapturedActivities, get: Get, ada: User, settings: Any) -> None:
        """Before the user is loaded an event in the event loop has no actor, and says that there may be one."""
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.early"]
        get("/async/send/", ada)
        early, sent = activity.events
        assert (early.actor, early.attributes["activity.sanitized"]) == ("", ["actor:lazy"])
        assert (sent.actor, "activity.sanitized" in sent.attributes) == (f"user:{ada.pk}", False)

    def test_early_and_nobody(self, activity: CapturedActivities, get: Get, settings: Any) -> None:
        """Who has no session is nobody, as early as that."""
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.early"]
        get("/async/send/")
        assert [event.actor for event in activity.events] == ["", ""]

    @pytest.mark.activity(strict=False)
    def test_sessions_that_are_in_no_database(
        self, activity: CapturedActivities, get: Get, ada: User, settings: Any, tmp_path: Any, monkeypatch: Any
    ) -> None:
        """Nor does an event read a file, or ask a cache, in an event loop, where Django does not forbid it."""
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.early"]
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.file"
        settings.SESSION_FILE_PATH = str(tmp_path)
        load, loaded = FileSessionStore.load, []

        def look(self: Any) -> Any:
            loaded.append(_is_in_an_event_loop())
            return load(self)

        monkeypatch.setattr(FileSessionStore, "load", look)
        get("/async/send/", ada)
        assert [event.actor for event in activity.events] == ["", f"user:{ada.pk}"]
        assert loaded
        assert True not in loaded

    @pytest.mark.activity(strict=False)
    def test_without_loading(self, activity: CapturedActivities, get: Get, ada: User, settings: Any) -> None:
        """With ``load_user: False`` nothing is loaded for events: whoever wants an actor has it loaded."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "load_user": False}
        get("/async/send/", ada)
        get("/async/user/", ada)
        get("/async/thread/", ada)
        assert [event.actor for event in activity.events] == ["", f"user:{ada.pk}", f"user:{ada.pk}"]
        assert activity[0].attributes["activity.sanitized"] == ["actor:lazy"]

    def test_a_lazy_user_of_another_middleware(
        self, get: Get, activity: CapturedActivities, settings: Any, ada: User
    ) -> None:
        """It is loaded in a thread before the view."""
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.lazily_by_header"]
        get("/async/send/", **{"X-User": "ada"})
        activity.one("message.sent", actor=f"user:{ada.pk}")

    def test_a_tenant_of_the_user(self, get: Get, activity: CapturedActivities, settings: Any, ada: User) -> None:
        """Hooks may ask ``request.user`` in an event loop, too."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "tenant": lambda request: request.user.username or None}
        get("/async/send/", ada)
        activity.one("message.sent", tenant="ada")

    @pytest.mark.activity(strict=False)
    def test_a_database_that_is_away(self, activity: CapturedActivities, ada: User, monkeypatch: Any) -> None:
        """A session that cannot be loaded is no reason not to answer."""
        client = AsyncClient()
        client.force_login(ada)

        def away(self: Any) -> Any:
            raise OSError("the database is away")

        monkeypatch.setattr(SessionStore, "load", away)
        assert async_to_sync(client.get)("/async/send/").status_code == 200
        assert activity.one("message.sent").attributes["activity.sanitized"] == ["actor:lazy"]


def early(get_response: Any) -> Any:
    """An asynchronous middleware that emits before the view is known."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        activitylog.emit("request.seen")
        return await get_response(request)  # type: ignore[no-any-return]

    return middleware


early.async_capable = True  # type: ignore[attr-defined]
early.sync_capable = False  # type: ignore[attr-defined]


def lazily_by_header(get_response: Any) -> Any:
    """An asynchronous middleware that finds the user by a header, when it is wanted."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        name = request.headers.get("X-User")
        request.user = SimpleLazyObject(lambda: User.objects.filter(username=name).first() or AnonymousUser())  # type: ignore[assignment]
        return await get_response(request)  # type: ignore[no-any-return]

    return middleware


lazily_by_header.async_capable = True  # type: ignore[attr-defined]
lazily_by_header.sync_capable = False  # type: ignore[attr-defined]


def synchronous(get_response: Any) -> Any:
    """A middleware that makes Django run those before it in a thread."""

    def middleware(request: HttpRequest) -> HttpResponse:
        activitylog.emit("request.seen")
        return get_response(request)  # type: ignore[no-any-return]

    return middleware


class TestTheRequest:
    def test_tasks(self, get: Get, activity: CapturedActivities) -> None:
        """Tasks that the view starts have the request."""
        get("/async/tasks/")
        assert {event.attributes["http.route"] for event in activity.find("part.sent")} == {"async/tasks/"}

    def test_requests_at_the_same_time(self, activity: CapturedActivities, ada: User) -> None:
        """Requests on one event loop do not see each other."""
        client, other = AsyncClient(), AsyncClient()
        client.force_login(ada)

        async def both() -> None:
            await asyncio.gather(*(one.get("/async/tasks/") for one in (client, other) * 3))

        async_to_sync(both)()
        ids = {(event.attributes["activity.request.id"], event.actor) for event in activity.find("part.sent")}
        assert sorted(actor for _, actor in ids) == [""] * 3 + [f"user:{ada.pk}"] * 3

    def test_its_event(self, get: Get, activity: CapturedActivities, settings: Any, ada: User) -> None:
        """With who asked, whatever the view was; and with the error."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "request_event": "request.done"}
        for path in ("/async/send/", "/idle/", "/nowhere/", "/async/broken/"):
            get(path, ada)
        done = activity.find("request.done")
        assert [event.attributes["http.response.status_code"] for event in done] == [200, 200, 404, 500]
        assert {event.actor for event in done} == {f"user:{ada.pk}"}
        assert [event.attributes.get("error.type") for event in done] == [None, None, None, "LookupError"]

    @pytest.mark.parametrize("path", ["/async/stream/", "/stream/"])
    @pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
    def test_a_stream(self, get: Get, activity: CapturedActivities, settings: Any, ada: User, path: str) -> None:
        """A body has its request part by part, and the request ends with it."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "request_event": "request.done"}
        client = AsyncClient()
        client.force_login(ada)

        async def read() -> bytes:
            response: Any = await client.get(path)
            found = b"".join([part async for part in response])
            assert "request" not in context.current()
            await sync_to_async(response.close)()
            return found

        assert async_to_sync(read)() == b"partpartpart"
        assert activity.names == ["part.sent"] * 3 + ["stream.closed", "request.done"]
        assert {event.attributes["url.path"] for event in activity.events} == {path}
        assert {event.actor for event in activity.events} == {f"user:{ada.pk}"}
        activity.one("request.done", outcome="success")


class TestServers:
    def test_a_synchronous_middleware_below(
        self, get: Get, activity: CapturedActivities, settings: Any, ada: User
    ) -> None:
        """Django runs us in a thread then, and the view in the event loop as before."""
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.synchronous"]
        assert get("/async/send/", ada).status_code == 200
        assert [event.actor for event in activity.events] == [f"user:{ada.pk}"] * 2

    def test_an_asynchronous_view_under_wsgi(
        self, client: Client, activity: CapturedActivities, ada: User
    ) -> None:
        """It has an event loop of its own, which knows who asks as well."""
        client.force_login(ada)
        assert client.get("/async/send/").content == b"sent"
        activity.one("message.sent", actor=f"user:{ada.pk}")

    def test_a_client_that_has_gone(self, activity: CapturedActivities, settings: Any) -> None:
        """The view is cancelled; its last events and the request's own are of the request."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "request_event": "request.done"}
        async_to_sync(_disconnect)("/async/slow/", lambda: "wait.begun" in activity.names)
        assert activity.names == ["wait.begun", "wait.ended", "request.done"]
        assert {event.attributes["http.route"] for event in activity.events} == {"async/slow/"}
        activity.one("request.done", outcome="unknown")

    def test_a_client_that_has_gone_from_a_stream(self, activity: CapturedActivities, settings: Any) -> None:
        """The body is closed with its request bound, and the outcome is unknown."""
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, "request_event": "request.done"}
        async_to_sync(_disconnect)("/async/stream/", lambda: "part.sent" in activity.names, sends=1)
        assert activity.names[0] == "part.sent"
        assert {"stream.closed", "request.done"} <= set(activity.names)
        assert activity.one("stream.closed").attributes["http.route"] == "async/stream/"
        activity.one("request.done", outcome="unknown")


async def _disconnect(path: str, when: Callable[[], bool], sends: int = 0) -> None:
    """Ask, and go away when something has happened; ``sends`` parts of the answer are taken."""
    scope = AsyncRequestFactory()._base_scope(path=path)  # type: ignore[attr-defined]
    communicator: Any = ApplicationCommunicator(  # type: ignore[no-untyped-call]
        _taking(ASGIHandler(), sends), scope
    )
    await communicator.send_input({"type": "http.request"})
    async with asyncio.timeout(10):
        while not when():
            await asyncio.sleep(0)
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait()


def _taking(application: Any, sends: int) -> Callable[..., Coroutine[Any, Any, None]]:
    """A server whose client takes so many parts of the body, and then no more."""

    async def take(scope: Any, receive: Any, send: Any) -> None:
        left = sends

        async def send_some(message: Any) -> None:
            nonlocal left
            if message["type"] == "http.response.body":
                left -= 1
                if left < 0:
                    await asyncio.Event().wait()
            await send(message)

        await application(scope, receive, send_some)
        for _ in range(20):
            await asyncio.sleep(0)

    return take
