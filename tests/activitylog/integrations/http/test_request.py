"""One HTTP request, bound to the events of its time, whatever the framework."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import activitylog
from activitylog import context
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.integrations.http import RequestContext, bind_request, current_request, http_options
from activitylog.integrations.http.options import ATTRIBUTES
from activitylog.integrations.http.request import PartialRoute
from activitylog.testing import CapturedActivities, capture_activities

ID = "activity.request.id"


def request_of(options: dict[str, Any] | None = None, /, **given: Any) -> RequestContext:
    """A request with a few headers; ``headers`` are more of them."""
    headers = {"user-agent": "curl/8.5", "x-request-id": "r-1", **given.pop("headers", {})}
    values = {"method": "GET", "path": "/items/42", "peer": "192.0.2.1", **given}
    return RequestContext(http_options(**(options or {})), header=lambda name: headers.get(name.lower()), **values)


@contextmanager
def bound(request: RequestContext) -> Iterator[RequestContext]:
    """As a middleware does it."""
    token = request.enter()
    try:
        yield request
    finally:
        request.leave(token)


def failing() -> Any:
    """Of an application with a bug."""
    raise RuntimeError("no")


class TestAttributes:
    """What events of a request have."""

    def test_all_of_them(self, activity: CapturedActivities) -> None:
        """As they are known when the event is emitted."""
        user = SimpleNamespace(pk=42, is_authenticated=True)
        request = request_of(
            {"trusted_proxies": "192.0.2.1"},
            headers={"x-forwarded-for": "203.0.113.7"},
            route=lambda: "/items/{id}",
            path_parameters=lambda: {"id": 42},
            actor=lambda: user,
            tenant=lambda: "acme",
            session=lambda: "s-1",
        )
        with bound(request):
            activitylog.emit("item.read")
            request.status = 404
            activitylog.emit("item.missed")
        first = {
            "http.request.method": "GET",
            "http.route": "/items/{id}",
            "url.path": "/items/42",
            "client.address": "203.0.113.7",
            "user_agent.original": "curl/8.5",
            "session.id": "s-1",
            "activity.request.id": "r-1",
            "activity.tenant.id": "acme",
            "user.id": "42",
        }
        read, missed = [_of_application(event.attributes) for event in activity.events]
        assert read == first
        assert missed == {**first, "http.response.status_code": 404}

    def test_nothing_known(self, activity: CapturedActivities) -> None:
        """A request without headers on a local socket has what is left."""
        with bound(request_of(headers={"user-agent": None, "x-request-id": None}, peer=None)):
            activitylog.emit("item.read")
        attributes = _of_application(activity.one("item.read").attributes)
        assert len(attributes.pop(ID)) == 32
        assert attributes == {"http.request.method": "GET", "url.path": "/items/42"}

    def test_an_event_says_otherwise(self, activity: CapturedActivities) -> None:
        """What the call says wins."""
        with bound(request_of(actor=lambda: "user:1", tenant=lambda: "acme", session=lambda: "s-1")):
            own: dict[str, Any] = {"url.path": "/x"}
            activitylog.emit("item.read", actor="user:2", tenant="beta", session="s-2", request_id="r-2", **own)
        event = activity.one("item.read", actor="user:2", tenant="beta", session="s-2", request_id="r-2")
        assert event.attributes["url.path"] == "/x"

    def test_outside_of_the_request(self, activity: CapturedActivities) -> None:
        """Nothing is left behind."""
        with bound(request_of(actor=lambda: "user:1")):
            pass
        activitylog.emit("item.read")
        assert _of_application(activity.one("item.read").attributes) == {}
        assert current_request() is None
        assert context.frame().outer is None

    @pytest.mark.parametrize("method", ["get", "PURGE", "", "GET " * 1000, "\x00", "Ω"])
    def test_a_method_that_nobody_knows(self, activity: CapturedActivities, method: str) -> None:
        """Is one of few values all the same."""
        with bound(request_of(method=method)):
            activitylog.emit("item.read")
        assert activity.one().attributes["http.request.method"] == "_OTHER"

    def test_no_method(self, activity: CapturedActivities) -> None:
        """A websocket has none."""
        with bound(request_of(method=None)):
            activitylog.emit("item.read")
        assert "http.request.method" not in activity.one().attributes

    def test_functions_for_path_and_peer(self, activity: CapturedActivities) -> None:
        """Are not called for a request without events."""
        called = []

        def told(value: str) -> Callable[[], str]:
            return lambda: called.append(value) or value  # type: ignore[func-returns-value]

        with bound(request_of(path=told("/late"), peer=told("203.0.113.7"))):
            assert called == []
            activitylog.emit("item.read", object="item:1")
        attributes = activity.one().attributes
        assert (attributes["url.path"], attributes["client.address"]) == ("/late", "203.0.113.7")

    @pytest.mark.parametrize("omitted", ATTRIBUTES)
    def test_omit(self, omitted: str) -> None:
        """One is left out, the others stay."""
        every = {"route": lambda: "/items/{id}", "session": lambda: "s-1"}
        whole, without = request_of(**every), request_of({"omit": omitted}, **every)
        whole.status = without.status = 200
        assert omitted in whole.attributes()
        assert without.attributes() == {key: value for key, value in whole.attributes().items() if key != omitted}

    def test_omitted_is_also_what_was_bound(self) -> None:
        """A session that is nobody's business stays that."""
        request = request_of({"omit": "session.id"})
        request.bind(session="s-1", plan="free")
        assert request.attributes()["plan"] == "free"
        assert "session.id" not in request.attributes()


class TestLateKnowledge:
    """Frameworks know some things late, and then all following events do."""

    def test_the_route(self) -> None:
        """Before it is known there is no path either: it may hold a secret."""
        route: list[str | None] = [None]
        parameters: dict[str, str] = {}
        request = request_of(path="/reset/s3cr3t", route=lambda: route[0], path_parameters=lambda: parameters)
        assert "url.path" not in request.attributes()
        route[0], parameters["token"] = "/reset/{token}", "s3cr3t"
        assert request.attributes()["http.route"] == "/reset/{token}"
        assert request.attributes()["url.path"] == "/reset/[redacted]"

    def test_an_answer_without_a_route(self) -> None:
        """Not found: the path is all there is."""
        request = request_of(path="/wp-login.php", route=lambda: None)
        request.status = 404
        assert request.attributes()["url.path"] == "/wp-login.php"

    def test_another_route(self) -> None:
        """A framework may change its mind; the path then has other variables."""
        routes = ["/<name>", "/<token>"]
        values = [{}, {"token": "a"}]
        request = request_of(path="/a", route=lambda: routes[0], path_parameters=lambda: values[0])
        assert request.attributes()["url.path"] == "/a"
        del routes[0], values[0]
        assert request.attributes()["http.route"] == "/<token>"
        assert request.attributes()["url.path"] == "/[redacted]"

    def test_a_framework_without_routes(self) -> None:
        """Has paths at once."""
        assert request_of().attributes()["url.path"] == "/items/42"
        attributes = request_of(route=lambda: "").attributes()
        assert attributes["url.path"] == "/items/42"
        assert "http.route" not in attributes

    def test_a_route_inside_a_route(self) -> None:
        """A part of it is known before all of it; the path only then."""
        route: list[str] = [PartialRoute("/v1/{path}")]
        request = request_of(path="/v1/items/42", route=lambda: route[0])
        assert request.attributes()["http.route"] == "/v1/{path}"
        assert type(request.attributes()["http.route"]) is str
        assert "url.path" not in request.attributes()
        route[0] = "/v1/{path}"
        assert request.attributes()["url.path"] == "/v1/items/42"
        route[0] = PartialRoute("/v1/{path}")
        request.status = 200
        assert request.attributes()["url.path"] == "/v1/items/42"

    def test_the_actor(self, activity: CapturedActivities) -> None:
        """Is asked at each event: who has just logged in is somebody."""
        users: list[Any] = [SimpleNamespace(id=1, is_authenticated=False)]
        with bound(request_of(actor=lambda: users[-1])):
            activitylog.emit("login.began")
            users.append(SimpleNamespace(id=1, is_authenticated=True))
            activitylog.emit("login.succeeded")
            users.append(None)
            activitylog.emit("logout.succeeded")
        assert [event.actor for event in activity.events] == ["", "user:1", ""]

    def test_tenant_and_session(self) -> None:
        """Are asked until they are known."""
        calls: list[str] = []
        answers = iter([None, "acme", "never asked"])
        sessions = iter([None, None, "s-1", "never asked"])
        request = request_of(tenant=lambda: calls.append("t") or next(answers), session=lambda: next(sessions))  # type: ignore[func-returns-value]
        assert [request.tenant() for _ in range(4)] == [None, "acme", "acme", "acme"]
        assert calls == ["t", "t"]
        assert [request.attributes().get("session.id") for _ in range(4)] == [None, None, "s-1", "s-1"]


class TestWhatFails:
    """A request succeeds, whatever of this fails, and its events come without it."""

    @pytest.mark.parametrize(
        ("key", "flag", "missing"),
        [
            ("route", "http.route:lazy", {"http.route", "url.path"}),
            ("session", "session.id:lazy", {"session.id"}),
            ("actor", "actor:lazy", {"user.id"}),
            ("tenant", "tenant:lazy", {"activity.tenant.id"}),
            ("path_parameters", "url.path:lazy", {"url.path"}),
        ],
    )
    def test_each_by_itself(self, key: str, flag: str, missing: set[str]) -> None:
        """The event says which, and has the rest."""
        finds = {
            "route": lambda: "/items/{id}",
            "session": lambda: "s-1",
            "actor": lambda: "user:1",
            "tenant": lambda: "acme",
            "path_parameters": dict,
        }
        with capture_activities(strict=False) as activity, bound(request_of(**{**finds, key: failing})):
            assert activitylog.emit("item.read")
        attributes = activity.one().attributes
        assert attributes["activity.sanitized"] == [flag]
        every = {"http.route", "session.id", "user.id", "activity.tenant.id", "url.path", "user_agent.original"}
        assert every - set(attributes) == missing

    def test_several(self) -> None:
        """All of it is said."""
        request = request_of(route=failing, session=failing)
        request.bind(object=object())
        flags = ["object:unreadable", "http.route:lazy", "session.id:lazy"]
        assert request.attributes()["activity.sanitized"] == flags

    def test_values_of_the_path(self) -> None:
        """Without them nobody knows what of the path is a secret."""
        request = request_of(path="/reset/s3cr3t", path_parameters=failing)
        assert request.attributes()["activity.sanitized"] == ["url.path:lazy"]
        assert "url.path" not in request.attributes()

    def test_it_is_known_again(self) -> None:
        """When it fails no more."""
        routes: list[str] = []
        request = request_of(route=lambda: routes[-1])
        assert "activity.sanitized" in request.attributes()
        routes.append("/items/{id}")
        assert request.attributes()["http.route"] == "/items/{id}"
        assert "activity.sanitized" not in request.attributes()

    def test_headers(self) -> None:
        """Without them an event has nothing of the request but is emitted."""
        with capture_activities(strict=False) as activity:
            request = RequestContext(
                http_options(), method="GET", path="/", header=lambda _name: failing(), peer="192.0.2.1"
            )
            with bound(request):
                assert activitylog.emit("item.read", actor="user:1")
        assert activity.one(actor="user:1").attributes["activity.sanitized"] == ["request:lazy"]


class TestRequestId:
    """What joins the events of a request, and the request to what others say of it."""

    @pytest.mark.parametrize(
        "given",
        ["r-1", "7f9c24e5-2c1b-4d5a-9f3e-1b0a4c8d7e6f", "Root=1-67891233-abcdef012345678912345678", "!" * 128],
    )
    def test_from_a_header(self, given: str) -> None:
        """A proxy, or the client, has one."""
        request = request_of(headers={"x-request-id": given})
        assert request.request_id == given
        assert request.attributes()[ID] == given

    @pytest.mark.parametrize(
        "given",
        ["", " ", "a b", "x" * 129, "r\n1", "r\r\nSet-Cookie: a=b", "\x1b[2J", "é", "\x00", "r\x7f", "\u2028"],
    )
    def test_a_hostile_header(self, given: str) -> None:
        """Is as if it were absent."""
        request = request_of(headers={"x-request-id": given})
        assert request.request_id != given
        assert len(bytes.fromhex(request.request_id)) == 16

    @given(st.text(max_size=140))
    def test_any_header(self, given: str) -> None:
        """Whatever is taken over is visible ASCII of bounded length."""
        found = request_of(headers={"x-request-id": given}).request_id
        assert found.isascii()
        assert found.isprintable()
        assert " " not in found
        assert 0 < len(found) <= 128

    def test_another_header(self) -> None:
        """Or none at all."""
        headers = {"x-amzn-trace-id": "Root=1-6789"}
        assert request_of({"request_id_header": "X-Amzn-Trace-Id"}, headers=headers).request_id == "Root=1-6789"
        assert request_of({"request_id_header": ""}).request_id != "r-1"

    @pytest.mark.parametrize(
        ("traceparent", "taken"),
        [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", True),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", False),
            ("garbage", False),
        ],
    )
    def test_from_the_trace(self, traceparent: str, taken: bool) -> None:
        """Where nobody gave the request an id."""
        request = request_of(headers={"x-request-id": None, "traceparent": traceparent})
        assert (request.request_id == traceparent[3:35]) is taken

    def test_a_random_one(self) -> None:
        """Is the same for all events, and another one for each request."""
        first, second = (request_of(headers={"x-request-id": None}) for _ in range(2))
        assert first.request_id == first.request_id == first.attributes()[ID]
        assert first.request_id != second.request_id

    def test_threads_agree_on_a_random_one(self) -> None:
        """Two threads of a request ask at once."""
        for _ in range(20):
            request = request_of(headers={"x-request-id": None})
            start = threading.Barrier(4)

            def ask(request: RequestContext = request, start: threading.Barrier = start) -> Any:
                start.wait()
                return request.attributes()[ID]

            with ThreadPoolExecutor(4) as pool:
                assert len({future.result() for future in [pool.submit(ask) for _ in range(4)]}) == 1

    def test_a_bound_one(self) -> None:
        """Wins; in a header it is only used when it can be."""
        request = request_of()
        request.bind(request_id="order-7")
        assert request.request_id == request.attributes()[ID] == "order-7"
        request.bind(request_id="two\r\nlines")
        assert request.request_id == "r-1"


class TestUserAgent:
    """What clients call themselves, and anything may stand there."""

    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ("curl/8.5", "curl/8.5"),
            ("", None),
            ("\xff\x00\x1b[31m", "\xff\x00\x1b[31m"),
            ("Mozilla/5.0 " + "x" * 2000, "Mozilla/5.0 "),
            ("x" * 2000, None),
        ],
    )
    def test_bounded(self, given: str, stored: str | None) -> None:
        """Whole words: half a secret would not be known as one."""
        assert request_of(headers={"user-agent": given}).attributes().get("user_agent.original") == stored

    def test_a_secret_in_it(self, activity: CapturedActivities) -> None:
        """Is taken out as everywhere."""
        with bound(request_of(headers={"user-agent": "bot Authorization: Bearer abcdefgh12345678"})):
            activitylog.emit("item.read")
        assert "abcdefgh12345678" not in activity.one().attributes["user_agent.original"]


class TestBindRequest:
    """What a request is found out to be about, for all of its events from then on."""

    def test_actor_tenant_and_attributes(self, activity: CapturedActivities) -> None:
        """Keywords of emit and any others."""
        with bound(request_of(actor=lambda: "user:1", tenant=lambda: "acme")):
            activitylog.emit("page.read")
            assert bind_request(
                actor="service:cron", tenant="beta", session="s-1", plan="free", object=("order", 7)
            )
            activitylog.emit("page.read")
            activitylog.emit("page.read", object="page:1", plan="paid")
        before, after, own = activity.events
        assert (before.actor, before.attributes["activity.tenant.id"]) == ("user:1", "acme")
        assert (after.actor, after.object) == ("service:cron", "order:7")
        assert after.attributes["activity.tenant.id"] == "beta"
        assert after.attributes["session.id"] == "s-1"
        assert after.attributes["plan"] == "free"
        assert "actor" not in after.attributes
        assert (own.object, own.attributes["plan"]) == ("page:1", "paid")

    def test_who_somebody_acts_for(self, activity: CapturedActivities) -> None:
        """In all forms of who."""
        with bound(request_of(actor=lambda: "user:1")):
            bind_request(on_behalf_of=SimpleNamespace(pk=2))
            activitylog.emit("page.read")
        assert activity.one().attributes["activity.actor.on_behalf_of"] == "SimpleNamespace:2"

    def test_none_says_nothing(self) -> None:
        """And a later value replaces an earlier one."""
        request = request_of(actor=lambda: "user:1")
        request.bind(actor=None, tenant=None, plan=None)
        assert request.actor() == "user:1"
        assert "plan" not in request.attributes()
        request.bind(plan="free", actor="user:2")
        request.bind(plan="paid", actor=None)
        assert request.attributes()["plan"] == "paid"
        assert request.actor() == "user:2"

    def test_somebody_who_is_not_logged_in(self) -> None:
        """Is nobody, also when bound."""
        request = request_of()
        request.bind(actor=SimpleNamespace(pk=None, is_authenticated=False))
        assert request.actor() is None

    def test_any_names(self, activity: CapturedActivities) -> None:
        """Also those of parameters here and of fields there."""
        with bound(request_of()):
            bind_request(self=1, values=2, event="x")
            activitylog.emit("page.read")
        event = activity.one("page.read")
        assert (event.attributes["self"], event.attributes["values"]) == (1, 2)

    def test_what_cannot_be_read(self) -> None:
        """Is left out, and each event says so."""
        with capture_activities(strict=False) as activity, bound(request_of()):
            assert bind_request(object=object(), plan="free")
            activitylog.emit("page.read")
        attributes = activity.one().attributes
        assert attributes["plan"] == "free"
        assert "object:unreadable" in attributes["activity.sanitized"]

    def test_without_a_request(self) -> None:
        """Nothing happens, and that is said."""
        assert not bind_request(actor="user:1")
        with activitylog.bind(feature="x"):
            assert not bind_request(actor="user:1")

    def test_inside_of_other_blocks(self) -> None:
        """The request is found around them."""
        with bound(request_of()) as request, activitylog.bind(feature="x"), activitylog.bind(feature="y"):
            assert current_request() is request
            assert bind_request(plan="free")
        assert request.attributes()["plan"] == "free"

    def test_from_another_thread_of_the_request(self, activity: CapturedActivities) -> None:
        """A synchronous endpoint says it, and what follows in the loop knows."""
        with bound(request_of()):
            work = contextvars.copy_context()
            thread = threading.Thread(target=lambda: work.run(bind_request, actor="user:7"))
            thread.start()
            thread.join()
            activitylog.emit("page.read")
        assert activity.one().actor == "user:7"

    def test_many_threads_lose_nothing(self) -> None:
        """Each says something, while others emit."""
        request = request_of()
        with ThreadPoolExecutor(8) as pool:
            for number in range(200):
                pool.submit(request.bind, **{f"key{number}": number})
                pool.submit(request.attributes)
        found = request.attributes()
        assert all(found[f"key{number}"] == number for number in range(200))


class TestEnter:
    """Binding and undoing it, in the ways of servers."""

    def test_entered_again(self, activity: CapturedActivities) -> None:
        """For a body that is streamed: nothing of it is seen in between."""
        request = request_of(actor=lambda: "user:1")
        for _ in range(2):
            with bound(request):
                activitylog.emit("page.read")
            activitylog.emit("page.read")
        assert [event.actor for event in activity.events] == ["user:1", "", "user:1", ""]

    def test_what_is_bound_around_it_stays(self, activity: CapturedActivities) -> None:
        """A block of the application, or of the process."""
        with activitylog.bind(region="eu"), bound(request_of(actor=lambda: "user:1")):
            activitylog.emit("page.read")
        assert activity.one(actor="user:1").attributes["region"] == "eu"

    def test_a_request_inside_another_one(self, activity: CapturedActivities) -> None:
        """
        Begins with nothing bound.

        Servers start the next request of a connection from inside the one before it, in a copy of its context.
        """
        first = request_of(actor=lambda: "user:1", tenant=lambda: "acme")
        with bound(first), activitylog.bind(feature="export"):
            with bound(request_of(headers={"x-request-id": "r-2"})):
                activitylog.emit("page.read")
            activitylog.emit("page.read")
        inner, outer = activity.events
        assert _of_application(inner.attributes) == {
            "http.request.method": "GET",
            "url.path": "/items/42",
            "client.address": "192.0.2.1",
            "user_agent.original": "curl/8.5",
            ID: "r-2",
        }
        assert (outer.actor, outer.attributes["feature"]) == ("user:1", "export")

    def test_left_in_another_context(self) -> None:
        """A generator that is finalised elsewhere: nothing happens."""
        request = request_of()
        token = contextvars.copy_context().run(request.enter)
        request.leave(token)
        assert current_request() is None

    def test_no_cycle_is_left(self) -> None:
        """A request is gone with its last reference, not with the garbage collector's next run."""
        import gc
        import weakref

        gc.disable()
        try:
            request: RequestContext | None = request_of(actor=lambda: "user:1")
            assert request is not None
            with bound(request):
                request.attributes()
                gone = weakref.ref(request)
            request = None
            assert gone() is None
        finally:
            gc.enable()


class TestFinish:
    """The event of the request itself, where one was asked for."""

    def finished(self, activity: CapturedActivities, status: int | None, **how: Any) -> Any:
        """The event of a request that ended like this."""
        request = request_of({"request_event": "request.handled"})
        request.status = status
        with bound(request):
            request.finish(**how)
        return activity.one("request.handled")

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            *((200, "success"), (302, "success"), (404, "success"), (None, "success")),
            *((401, "denied"), (403, "denied"), (500, "failure"), (503, "failure")),
        ],
    )
    def test_by_status(self, activity: CapturedActivities, status: int | None, outcome: str) -> None:
        """A refusal is one, and only a server's fault is a failure."""
        event = self.finished(activity, status)
        assert event.outcome == outcome
        assert event.attributes.get("http.response.status_code") == status
        assert 0 <= event.attributes["activity.duration"] < 60
        assert event.attributes[ID] == "r-1"

    @pytest.mark.parametrize(
        ("error", "gone", "outcome", "kind"),
        [
            (ValueError("no"), False, "failure", "ValueError"),
            (KeyboardInterrupt(), False, "unknown", "KeyboardInterrupt"),
            (ConnectionResetError(), True, "unknown", "ConnectionResetError"),
            (None, True, "unknown", None),
        ],
    )
    def test_by_error(
        self, activity: CapturedActivities, error: BaseException | None, gone: bool, outcome: str, kind: str | None
    ) -> None:
        """What was raised, and whether anybody still waited."""
        event = self.finished(activity, 200, error=error, gone=gone)
        assert event.outcome == outcome
        assert event.attributes.get("error.type") == kind

    def test_not_asked_for(self, activity: CapturedActivities) -> None:
        """Is not emitted."""
        request = request_of()
        with bound(request):
            request.finish()
        assert activity.names == []


class TestCost:
    """A request without events asks nobody anything."""

    def test_nothing_is_asked(self) -> None:
        """Neither headers nor users."""
        asked = failing
        request = RequestContext(
            http_options(trusted_proxies=1, request_event=None),
            method="GET",
            path=asked,
            header=lambda _name: asked(),
            peer=asked,
            route=asked,
            path_parameters=asked,
            actor=asked,
            tenant=asked,
            session=asked,
        )
        with bound(request):
            request.status = 200
            request.finish()

    def test_the_same_attributes_are_not_made_again(self) -> None:
        """Unless something new is known."""
        request = request_of(route=lambda: "/items/{id}", session=lambda: "s-1")
        first = request.attributes()
        assert request.attributes() is first
        request.status = 200
        assert request.attributes() is not first
        assert request.attributes() is request.attributes()


def _of_application(attributes: Any) -> dict[str, Any]:
    """Without what every event has."""
    own = ("log.record.uid", "activity.producer", "activity.seq")
    assert COUNTER_EVENT_NAME not in attributes
    return {key: value for key, value in attributes.items() if key not in own}
