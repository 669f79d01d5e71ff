"""Django: what the middleware says about the events of a request, through real requests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

import activitylog
from activitylog import context
from activitylog.integrations.django import ActivityMiddleware, request_user
from activitylog.testing import CapturedActivities, capture_activities

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.activitylog.integrations.django.web")]

MIDDLEWARE = "activitylog.integrations.django.ActivityMiddleware"
Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Any) -> Configure:
    """Sets keys of ACTIVITYLOG; for the clients that are made, or have not asked yet."""

    def change(**changed: Any) -> None:
        settings.ACTIVITYLOG = {**settings.ACTIVITYLOG, **changed}

    return change


@pytest.fixture(autouse=True)
def _nothing_stays_bound() -> Iterator[None]:
    """Whatever happens in a request: what is bound is as it was."""
    with activitylog.bind(marker="mine"):
        before = dict(context.current())
        yield
        assert dict(context.current()) == before


@pytest.fixture
def ada(db: None) -> User:
    """Somebody who can log in."""
    return User.objects.create_user("ada", password="lovelace")


class ShortCircuit:
    """A middleware that answers by itself."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "stop" in request.GET:
            activitylog.emit("request.limited", outcome="denied")
            return HttpResponse(status=429)
        if "break" in request.GET:
            raise RuntimeError("a middleware is broken")
        return self._get_response(request)  # type: ignore[no-any-return]


class TestWhatARequestSays:
    def test_everything(self, client: Client, activity: CapturedActivities) -> None:
        """Method, route, path, client, agent and an id; the status is not known yet."""
        response = client.get(
            "/messages/7/",
            headers={"User-Agent": "curl/8", "X-Request-ID": "r-1", "X-Forwarded-For": "198.51.100.9"},
        )
        assert response.status_code == 200
        event = activity.one("message.sent", object="message:7", request_id="r-1", marker="mine")
        said = {key: value for key, value in event.attributes.items() if not key.startswith(("activity.", "log."))}
        assert said == {
            "marker": "mine",
            "http.request.method": "GET",
            "http.route": "messages/<int:number>/",
            "url.path": "/messages/7/",
            "client.address": "127.0.0.1",
            "user_agent.original": "curl/8",
        }
        assert event.actor == ""

    @pytest.mark.parametrize(
        ("path", "route"), [("/", "/"), ("/old/7/", r"^old/(?P<number>\d+)/$"), ("/idle/", "idle/")]
    )
    def test_routes(
        self, client: Client, activity: CapturedActivities, configure: Configure, path: str, route: str
    ) -> None:
        """The route is Django's own; that of the root is not empty."""
        configure(request_event="request.done")
        client.get(path)
        assert activity.one("request.done").attributes["http.route"] == route

    def test_a_secret_in_the_path(self, client: Client, activity: CapturedActivities) -> None:
        """What a variable of the route names a secret is none of an event's business."""
        client.get("/reset/s3cr3t-t0ken/")
        assert activity.one("message.sent").attributes["url.path"] == "/reset/[redacted]/"

    def test_a_secret_in_the_path_of_a_request_that_is_not_routed(
        self, client: Client, activity: CapturedActivities, configure: Configure, settings: Any
    ) -> None:
        """Nor is it where a middleware answers before the view is looked for."""
        configure(request_event="request.done")
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.ShortCircuit"]
        assert client.get("/reset/s3cr3t-t0ken/?stop").status_code == 429
        assert activity.names == ["request.limited", "request.done"]
        assert [event.attributes.get("url.path") for event in activity.events] == [None, "/reset/[redacted]/"]
        assert activity.find(**{"http.response.status_code": 429}) == activity.find("request.done")

    def test_behind_proxies(self, activity: CapturedActivities, configure: Configure) -> None:
        """Trusted proxies say whom they were asked by; what stands before that anybody may have written."""
        configure(trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"])
        Client().get("/", headers={"X-Forwarded-For": "1.2.3.4, 198.51.100.9, 10.1.2.3"})
        assert activity.one().attributes["client.address"] == "198.51.100.9"

    def test_what_is_left_out(self, client: Client, activity: CapturedActivities, configure: Configure) -> None:
        """``omit`` keeps attributes out of events."""
        configure(omit=["client.address", "user_agent.original", "url.path"])
        client.get("/", headers={"User-Agent": "curl/8"})
        assert not {"client.address", "user_agent.original", "url.path"} & set(activity.one().attributes)

    def test_the_id_is_returned(self, client: Client, activity: CapturedActivities, configure: Configure) -> None:
        """With ``return_request_id`` whoever asked is told under which id the events are."""
        assert "X-Request-ID" not in client.get("/").headers
        configure(return_request_id=True)
        response = Client().get("/")
        assert activity[-1].attributes["activity.request.id"] == response.headers["X-Request-ID"]
        assert Client().get("/idle/", headers={"X-Request-ID": "mine"}).headers["X-Request-ID"] == "mine"

    def test_one_id_for_all_events(self, client: Client, activity: CapturedActivities) -> None:
        """Events of one request share it, those of the next one do not."""
        client.get("/visited/")
        client.get("/visited/")
        ids = [event.attributes["activity.request.id"] for event in activity.events]
        assert (ids[0], ids[2]) == (ids[1], ids[3])
        assert ids[0] != ids[2]


class TestWhoAsks:
    def test_a_session(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """The user of the session, found when the event is emitted."""
        client.force_login(ada)
        client.get("/")
        activity.one("message.sent", actor=f"user:{ada.pk}")

    def test_nobody(self, client: Client, activity: CapturedActivities) -> None:
        """Who has not logged in is no actor, and it costs no query to know."""
        client.get("/reading/")
        assert activity.one("message.read").actor == ""

    def test_a_login_inside_the_request(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """Events before it have no actor, events after it have one."""
        client.get("/signing-in/")
        assert [(event.name, event.actor) for event in activity.find() if event.name.startswith("door.")] == [
            ("door.knocked", ""),
            ("door.opened", f"user:{ada.pk}"),
        ]

    def test_a_view_that_knows_better(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """``bind_request`` wins over the session."""
        client.force_login(ada)
        client.get("/told/")
        activity.one("invoice.sent", actor="service:billing", tenant="acme")

    def test_a_hook(self, client: Client, activity: CapturedActivities, configure: Configure, ada: User) -> None:
        """``actor`` and ``tenant`` are functions of the request, or their dotted paths."""
        configure(actor=f"{__name__}.of_the_key", tenant=lambda request: request.headers.get("X-Tenant"))
        client.force_login(ada)
        client.get("/", headers={"X-Key": "k-1", "X-Tenant": "acme"})
        client.get("/")
        assert [event.actor for event in activity.events] == ["key:k-1", f"user:{ada.pk}"]
        assert [event.attributes.get("activity.tenant.id") for event in activity.events] == ["acme", None]

    @pytest.mark.activity(strict=False)
    @pytest.mark.parametrize("hook", ["actor", "tenant"])
    def test_a_hook_that_raises(
        self, client: Client, activity: CapturedActivities, configure: Configure, hook: str
    ) -> None:
        """The event goes without, and says so; the request does not notice."""
        configure(**{hook: lambda request: request.no_such_thing})
        assert client.get("/").status_code == 200
        assert activity.one("message.sent").attributes["activity.sanitized"] == [f"{hook}:lazy"]

    def test_without_authentication(self, activity: CapturedActivities, settings: Any) -> None:
        """Without sessions and users events are as good as can be."""
        settings.MIDDLEWARE = [MIDDLEWARE]
        assert Client().get("/").status_code == 200
        assert activity.one("message.sent").actor == ""

    def test_a_lazy_user_of_another_middleware(
        self, activity: CapturedActivities, settings: Any, ada: User
    ) -> None:
        """Whoever makes ``request.user`` is asked for it."""
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.lazily_by_header"]
        Client().get("/", headers={"X-User": "ada"})
        activity.one("message.sent", actor=f"user:{ada.pk}")


def of_the_key(request: HttpRequest) -> Any:
    """Who asks, by a header, else by the session."""
    key = request.headers.get("X-Key")
    return ("key", key) if key else request_user(request)


def lazily_by_header(get_response: Any) -> Any:
    """A middleware that finds the user by a header, when it is wanted."""
    from django.utils.functional import SimpleLazyObject

    def middleware(request: HttpRequest) -> HttpResponse:
        name = request.headers.get("X-User")
        request.user = SimpleLazyObject(lambda: User.objects.filter(username=name).first() or AnonymousUser())  # type: ignore[assignment]
        return get_response(request)  # type: ignore[no-any-return]

    return middleware


class TestSessions:
    def test_its_id_is_no_key(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """Events have an id of the session by which nobody can get into it; the same in all requests."""
        client.force_login(ada)
        client.get("/")
        client.get("/reading/")
        key = client.cookies["sessionid"].value
        first, second = (event.attributes["session.id"] for event in activity.events)
        assert first == second
        assert len(first) == 32
        assert key not in str([dict(event.attributes) for event in activity.events])
        assert first not in (key, hashlib.sha256(key.encode()).hexdigest()[:32])

    def test_a_session_that_begins(self, client: Client, activity: CapturedActivities) -> None:
        """Before there is a session events have none; we begin none."""
        response = client.get("/visited/")
        assert "sessionid" in response.cookies
        assert "session.id" not in activity.one("site.entered").attributes

    @pytest.mark.parametrize("path", ["/", "/idle/"])
    @pytest.mark.parametrize("logged_in", [True, False])
    @pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file", "signed_cookies"])
    def test_no_trace(
        self,
        activity: CapturedActivities,
        settings: Any,
        tmp_path: Any,
        ada: User,
        path: str,
        logged_in: bool,
        engine: str,
    ) -> None:
        """An answer that does not depend on the session does not get to because of us: no ``Vary``, no cookie."""
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        settings.SESSION_FILE_PATH = str(tmp_path)
        client = Client()
        if logged_in:
            client.force_login(ada)
        response = client.get(path)
        assert [event.actor for event in activity.events] == ([f"user:{ada.pk}"] if logged_in else [""]) * (
            path == "/"
        )
        assert "Vary" not in response.headers
        assert not response.cookies

    def test_a_view_that_uses_the_session(self, client: Client, activity: CapturedActivities, ada: User) -> None:
        """There Django says ``Vary: Cookie``, as it does without us."""
        client.force_login(ada)
        assert client.get("/reading/").headers["Vary"] == "Cookie"

    @pytest.mark.parametrize("stale", ["gone", "another password"])
    def test_a_session_that_is_over(
        self, client: Client, activity: CapturedActivities, ada: User, stale: str
    ) -> None:
        """We do not end it: whoever uses the session finds out by itself, and Django removes the cookie then."""
        from django.contrib.sessions.models import Session

        client.force_login(ada)
        if stale == "gone":
            Session.objects.all().delete()
        else:
            ada.set_password("another")
            ada.save()
        rows = Session.objects.count()
        response = client.get("/")
        assert activity.one("message.sent").actor == ""
        assert not response.cookies
        assert (response.headers.get("Vary"), Session.objects.count()) == (None, rows)
        response = client.get("/reading/")
        assert (response.content, response.headers["Vary"]) == (b"AnonymousUser", "Cookie")
        assert "sessionid" in response.cookies

    def test_an_older_secret(self, client: Client, activity: CapturedActivities, ada: User, settings: Any) -> None:
        """A session from before the secret was changed is renewed by whoever uses it, not by us."""
        client.force_login(ada)
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a newer one"
        key = client.cookies["sessionid"].value
        response = client.get("/")
        activity.one("message.sent", actor=f"user:{ada.pk}")
        assert not response.cookies
        assert client.get("/reading/").content == b"ada"
        assert client.cookies["sessionid"].value != key

    def test_nobody_loads_twice(
        self, client: Client, activity: CapturedActivities, ada: User, django_assert_num_queries: Any
    ) -> None:
        """What an event has loaded the view need not load again, nor the next event."""
        client.force_login(ada)
        with django_assert_num_queries(2):
            assert client.get("/reading/").content == b"ada"
        with django_assert_num_queries(0):
            client.get("/idle/")


class TestTheRequestItself:
    @pytest.mark.parametrize(
        ("path", "status", "outcome", "error"),
        [
            ("/idle/", 200, "success", None),
            ("/refused/", 403, "denied", None),
            ("/missing/", 404, "success", None),
            ("/nowhere/", 404, "success", None),
            ("/broken/", 500, "failure", "LookupError"),
        ],
    )
    def test_its_event(
        self,
        activity: CapturedActivities,
        configure: Configure,
        path: str,
        status: int,
        outcome: str,
        error: str | None,
    ) -> None:
        """Status, outcome, duration and the error of the view; nothing without the option."""
        client = Client(raise_request_exception=False)
        assert client.get(path).status_code == status
        assert activity.find("request.done") == []
        configure(request_event="request.done")
        assert Client(raise_request_exception=False).get(path).status_code == status
        event = activity.one("request.done", outcome=outcome, **{"http.response.status_code": status})
        assert event.attributes.get("error.type") == error
        assert event.attributes["activity.duration"] > 0

    def test_a_template(self, client: Client, activity: CapturedActivities) -> None:
        """What is emitted while a template is rendered is of the request."""
        assert client.get("/page/").content == b"hello"
        assert activity.one("page.rendered").attributes["http.route"] == "page/"

    def test_a_middleware_that_answers(
        self, activity: CapturedActivities, configure: Configure, settings: Any
    ) -> None:
        """What another middleware says or breaks is seen, too."""
        configure(request_event="request.done")
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.ShortCircuit"]
        client = Client(raise_request_exception=False)
        assert [client.get(path).status_code for path in ("/?stop", "/?break")] == [429, 500]
        done = activity.find("request.done")
        assert [event.attributes["http.response.status_code"] for event in done] == [429, 500]
        assert [event.outcome for event in done] == ["success", "failure"]

    def test_head(self, client: Client, activity: CapturedActivities, configure: Configure) -> None:
        """A HEAD is one, also of a stream, which is never begun."""
        configure(request_event="request.done")
        response: Any = client.head("/stream/")
        assert list(response.streaming_content) == []
        assert activity.names == ["request.done"]
        assert activity.one("request.done", outcome="success").attributes["http.request.method"] == "HEAD"

    def test_an_error_that_is_passed_on(self, rf: RequestFactory, activity: CapturedActivities) -> None:
        """Whatever is raised through the middleware reaches the caller as it was."""

        def view(_request: HttpRequest) -> HttpResponse:
            activitylog.emit("report.begun")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ActivityMiddleware(view)(rf.get("/"))
        activity.one("report.begun")


class TestStreaming:
    def test_a_generator(
        self, client: Client, activity: CapturedActivities, configure: Configure, ada: User
    ) -> None:
        """What is emitted while the body is sent has its request, and its user; the request ends with it."""
        configure(request_event="request.done")
        client.force_login(ada)
        response: Any = client.get("/stream/")
        assert activity.names == []
        parts = iter(response.streaming_content)
        next(parts)
        assert "request" not in context.current()
        assert b"".join(parts) == b"partpart"
        assert activity.names == ["part.sent"] * 3 + ["stream.closed", "request.done"]
        for event in activity.events:
            assert (event.actor, event.attributes["http.route"]) == (f"user:{ada.pk}", "stream/")
        activity.one("request.done", outcome="success", **{"http.response.status_code": 200})

    def test_a_client_that_has_gone(self, activity: CapturedActivities, configure: Configure) -> None:
        """The server closes the body: its end is bound, and the outcome is unknown."""
        configure(request_event="request.done")
        body = _wsgi("/stream/")
        assert next(iter(body)) == b"part"
        body.close()
        assert activity.names == ["part.sent", "stream.closed", "request.done"]
        assert activity.one("stream.closed").attributes["http.route"] == "stream/"
        activity.one("request.done", outcome="unknown")

    def test_a_body_that_fails(self, activity: CapturedActivities, configure: Configure) -> None:
        """The error is the server's as before, and the request's event has it."""
        configure(request_event="request.done")
        body = _wsgi("/breaking-stream/")
        with pytest.raises(OSError, match="the disk is gone"):
            list(body)
        body.close()
        assert activity.one("request.done", outcome="failure").attributes["error.type"] == "OSError"

    def test_a_file(self, activity: CapturedActivities, configure: Configure) -> None:
        """A file is left to the server, which may send it without Python; the request ends when it is closed."""
        configure(request_event="request.done")
        sent: list[Any] = []

        def wrapper(file: Any, size: int) -> list[bytes]:
            sent.append(file)
            return [file.read()]

        assert _wsgi("/file/", **{"wsgi.file_wrapper": wrapper}) == [b"content"]
        assert activity.names == []
        sent[0].close()
        activity.one("request.done", outcome="success")

    def test_a_file_without_the_server_s_help(self, client: Client, activity: CapturedActivities) -> None:
        """It is sent as it is."""
        response: Any = client.get("/file/")
        assert b"".join(response.streaming_content) == b"content"
        assert activity.names == []


def _wsgi(path: str, **environ: Any) -> Any:
    """The body as a server gets it."""
    given: Mapping[str, Any] = {**RequestFactory().get(path).environ, **environ}
    return WSGIHandler()(dict(given), lambda status, headers: lambda data: None)  # type: ignore[arg-type]


class TestSafety:
    def test_a_bad_setting(self, configure: Configure) -> None:
        """A setting that cannot be used stops the server, not a request."""
        configure(trusted_proxies="10.0.0.0/99")
        with pytest.raises(ImproperlyConfigured, match=r"ACTIVITYLOG\['trusted_proxies'\]"):
            ActivityMiddleware(lambda _request: HttpResponse())

    def test_a_response_of_another_kind(self, rf: RequestFactory) -> None:
        """A response that cannot be told about its body is returned as it is, and the error is counted."""

        class Odd(HttpResponse):
            streaming = True

        with capture_activities(strict=False):
            response = ActivityMiddleware(lambda _request: Odd("odd"))(rf.get("/"))
            assert response.content == b"odd"
            assert activitylog.stats().dropped == {"error": 1}

    def test_no_cycles(self, rf: RequestFactory, activity: CapturedActivities) -> None:
        """What a request leaves behind is gone with it, without the garbage collector."""
        import gc
        import weakref

        request = rf.get("/")
        seen = weakref.ref(request)
        gc.disable()
        try:
            ActivityMiddleware(lambda request: HttpResponse(str(activitylog.emit("message.sent"))))(request)
            del request
            assert seen() is None
        finally:
            gc.enable()
