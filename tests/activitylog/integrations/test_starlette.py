"""Applications of Starlette with the ASGI middleware, through its own test client."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

import activitylog
from activitylog.integrations.asgi import ActivityMiddleware, activity_of
from activitylog.integrations.http import bind_request, current_request
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.asgi_driver import GONE, Call, scope_of


async def read(request: Request) -> Response:
    """An endpoint that emits one event."""
    activitylog.emit("page.read")
    return PlainTextResponse("read")


def client_of(*routes: Any, around: Any = (), inside: Any = (), root_path: str = "", **options: Any) -> TestClient:
    """A client of an application with these routes, with middlewares around ours and inside of it."""
    app = Starlette(routes=list(routes), middleware=[*around, Middleware(ActivityMiddleware, **options), *inside])
    return TestClient(app, raise_server_exceptions=False, root_path=root_path, follow_redirects=False)


class Hidden:
    """A middleware of an application: nobody can see the routes behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._hidden = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._hidden(scope, receive, send)


INSIDE = [
    Route("/items/{id:int}", read),
    Mount("/deep/{depth}", routes=[Route("/{rest:path}", read)]),
    Mount("", routes=[Route("/unprefixed/{id}", read)]),
]


class TestRoute:
    """The whole template, whatever the route is below."""

    @pytest.mark.parametrize(
        ("path", "route"),
        [
            ("/", "/"),
            ("/pages/a", "/pages/{name}"),
            ("/pages/a/", None),
            ("/nothing", None),
            ("/v1/items/007", "/v1/items/{id}"),
            ("/v1/unprefixed/7", "/v1/unprefixed/{id}"),
            ("/v1/deep/3/a/b", "/v1/deep/{depth}/{rest}"),
            ("/v1/nothing", "/v1/{path}"),
            ("/orgs/acme/items/7", "/orgs/{org}/items/{id}"),
            ("/orgs/orgs/items/7", "/orgs/{org}/items/{id}"),
            ("/orgs/7/items/7", "/orgs/{org}/items/{id}"),
            ("/hidden/acme/items/7", "/hidden/{org}/items/{id}"),
            ("/hidden/acme/deep/3/a", "/hidden/{org}/deep/{depth}/{rest}"),
            ("/static/none.txt", "/static/{path}"),
            ("/class/7", "/class/{id}"),
        ],
    )
    @pytest.mark.parametrize("root_path", ["", "/served/below"])
    def test_templates(self, activity: CapturedActivities, path: str, route: str | None, root_path: str) -> None:
        """With what the application is served below, as the path has it."""

        class Endpoint(HTTPEndpoint):
            async def get(self, request: Request) -> Response:
                return await read(request)

        client = client_of(
            Route("/", read),
            Route("/pages/{name}", read),
            Mount("/v1", routes=INSIDE),
            Mount("/orgs/{org}", app=Starlette(routes=INSIDE)),
            Mount("/hidden/{org}", app=Hidden(Starlette(routes=INSIDE))),
            Mount("/static", app=StaticFiles(directory="/tmp")),
            Route("/class/{id}", Endpoint),
            root_path=root_path,
            request_event="request.handled",
        )
        client.get(root_path + path)
        for event in activity.events:
            assert event.attributes.get("http.route") == (None if route is None else root_path + route)
            assert event.attributes["url.path"] == root_path + path

    def test_hosts(self, activity: CapturedActivities) -> None:
        """Are no part of a path."""
        client = client_of(
            Host("{sub}.example.org", app=Router([Mount("/v1/{org}", routes=INSIDE), Route("/{x}", read)]))
        )
        for path in ("/v1/acme/items/7", "/page"):
            client.get(path, headers={"host": "api.example.org"})
        assert [event.attributes["http.route"] for event in activity.events] == ["/v1/{org}/items/{id}", "/{x}"]

    def test_another_method(self, activity: CapturedActivities) -> None:
        """Is refused, by a route that is known."""
        assert (
            client_of(Route("/pages/{name}", read), request_event="request.handled").post("/pages/a").status_code
            == 405
        )
        assert activity.one("request.handled").attributes["http.route"] == "/pages/{name}"

    def test_the_middleware_of_a_mounted_application(self, activity: CapturedActivities) -> None:
        """Knows what is above it."""
        inner = Starlette(routes=INSIDE, middleware=[Middleware(ActivityMiddleware)])
        TestClient(Starlette(routes=[Mount("/orgs/{org}", app=inner)])).get("/orgs/acme/items/7")
        assert activity.one().attributes["http.route"] == "/orgs/{org}/items/{id}"


class TestSecrets:
    """Values of variables that name a secret, wherever the request comes to its end."""

    @pytest.mark.parametrize(
        ("path", "stored"),
        [
            ("/reset/s3cr3t", "/reset/[redacted]"),
            ("/reset/s3cr3t/", "/reset/[redacted]/"),
            ("/reset/a%20b%2Fc", "/reset/[redacted]"),
            ("/v1/s3cr3t/items/7", "/v1/[redacted]/items/7"),
            ("/v1/s3cr3t/nothing", "/v1/[redacted]/nothing"),
            ("/otp/007", "/otp/{otp}"),
        ],
    )
    def test_in_paths(self, activity: CapturedActivities, path: str, stored: str) -> None:
        """Answered, redirected, not found."""
        client_of(
            Route("/reset/{token:path}" if "%2F" in path else "/reset/{token}", read),
            Route("/otp/{otp:int}", read),
            Mount("/v1/{api_key}", routes=INSIDE),
            request_event="request.handled",
        ).get(path)
        for event in activity.events:
            assert event.attributes["url.path"] == stored

    @pytest.mark.parametrize(
        "path", ["/reset/s3cr3t", "/v1/s3cr3t/items/7", "/v1/s3cr3t/deep/3/a", "/reset/s3cr3t/"]
    )
    def test_before_it_is_routed(self, activity: CapturedActivities, path: str) -> None:
        """A middleware inside of ours emits, and answers: what would be a secret is nobody's business."""

        class Refusing:
            def __init__(self, app: ASGIApp) -> None:
                self.app = app

            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                activitylog.emit("request.seen")
                await PlainTextResponse("no", 401)(scope, receive, send)
                activitylog.emit("request.refused")

        client_of(
            Route("/reset/{token}", read),
            Mount("/v1/{api_key}", routes=INSIDE),
            inside=[Middleware(Refusing)],
        ).get(path)
        seen, refused = activity.events
        assert "url.path" not in seen.attributes
        assert refused.attributes["url.path"] == path.replace("s3cr3t", "[redacted]")
        assert "http.route" not in refused.attributes

    def test_before_it_is_routed_inside_a_mount(self, activity: CapturedActivities) -> None:
        """Only a part of the template is known then, and nothing of the path."""

        class Seeing(Hidden):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                activitylog.emit("request.seen")
                await super().__call__(scope, receive, send)

        inner = Starlette(routes=[Route("/reset/{token}", read)], middleware=[Middleware(Seeing)])
        client_of(Mount("/v1", app=inner)).get("/v1/reset/s3cr3t")
        seen, was_read = activity.events
        assert seen.attributes["http.route"] == "/v1/{path}"
        assert "url.path" not in seen.attributes
        assert was_read.attributes["http.route"] == "/v1/reset/{token}"
        assert was_read.attributes["url.path"] == "/v1/reset/[redacted]"


class TestActor:
    """Who asks is asked late."""

    def test_authentication_inside_or_outside(self, activity: CapturedActivities) -> None:
        """Of our middleware."""

        class Backend(AuthenticationBackend):
            async def authenticate(self, conn: Any) -> Any:
                name = conn.headers.get("authorization")
                return (AuthCredentials(), SimpleUser(name)) if name else None

        authentication = [Middleware(AuthenticationMiddleware, backend=Backend())]
        ways: list[dict[str, Any]] = [{"around": authentication}, {"inside": authentication}]
        for how in ways:
            client = client_of(Route("/", read), **how)
            client.get("/", headers={"authorization": "ada"})
            client.get("/")
        assert [event.actor for event in activity.events] == ["user:ada", ""] * 2

    def test_the_state_of_the_request(self, activity: CapturedActivities) -> None:
        """As many applications keep their user."""

        async def endpoint(request: Request) -> Response:
            request.state.user = "user:7"
            return await read(request)

        client_of(Route("/", endpoint)).get("/")
        assert activity.one().actor == "user:7"

    def test_the_state_of_the_application_is_not_in_the_way(self, activity: CapturedActivities) -> None:
        """Each request has a copy of what the lifespan left."""

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
            yield {"pool": object()}

        app = Starlette(routes=[Route("/", read)], middleware=[Middleware(ActivityMiddleware)], lifespan=lifespan)
        with TestClient(app) as client:
            client.get("/")
        assert activity.one().actor == ""

    def test_bound_from_a_decorator(self, activity: CapturedActivities) -> None:
        """From wherever it becomes known, in a thread too; for all events from then on."""

        def endpoint(request: Request) -> Response:
            activitylog.emit("login.began")
            assert bind_request(actor="user:7", tenant="acme")
            activitylog.emit("login.succeeded")
            return PlainTextResponse("", background=BackgroundTask(activitylog.emit, "mail.sent"))

        client_of(Route("/", endpoint)).get("/")
        began, succeeded, sent = activity.events
        assert (began.actor, succeeded.actor, sent.actor) == ("", "user:7", "user:7")
        assert sent.attributes["activity.tenant.id"] == "acme"


class TestWhereEventsAreEmitted:
    """Inside the call of the application all is bound."""

    def test_background_tasks(self, activity: CapturedActivities) -> None:
        """Run when the answer is sent, with its status; plain functions in threads, too."""

        async def in_the_loop() -> None:
            activitylog.emit("mail.sent")

        def in_a_thread() -> None:
            assert threading.current_thread() is not threading.main_thread()
            activitylog.emit("mail.sent")

        async def endpoint(request: Request) -> Response:
            tasks = BackgroundTasks([BackgroundTask(in_the_loop), BackgroundTask(in_a_thread)])
            return PlainTextResponse("later", 202, background=tasks)

        client_of(Route("/orders/{id}", endpoint), actor=lambda scope: "user:7").get("/orders/1")
        assert len(activity.find("mail.sent", actor="user:7")) == 2
        for event in activity.events:
            assert event.attributes["http.response.status_code"] == 202
            assert event.attributes["http.route"] == "/orders/{id}"

    def test_bodies_that_are_streamed(self, activity: CapturedActivities) -> None:
        """Made in the loop or in threads, by the piece."""

        async def pieces() -> AsyncIterator[str]:
            for number in range(3):
                activitylog.emit("row.sent", number=number)
                yield "x"

        def pieces_in_threads() -> Iterator[str]:
            for number in range(3):
                activitylog.emit("row.sent", number=number)
                yield "x"

        for make in (pieces, pieces_in_threads):
            client = client_of(
                Route("/", lambda request, make=make: StreamingResponse(make())), actor=lambda scope: "user:7"
            )
            assert client.get("/").text == "xxx"
        assert len(activity.find("row.sent", actor="user:7")) == 6
        assert all(event.attributes["http.response.status_code"] == 200 for event in activity.events)

    @pytest.mark.parametrize("how", ["message", "cancelled"])
    def test_an_endless_stream_whose_client_goes(self, activity: CapturedActivities, how: str) -> None:
        """Events sent by a server: the application is told, or cancelled, while it waits, and cleans up bound."""

        async def ticks() -> AsyncIterator[str]:
            try:
                yield "data: tick\n\n"
                activitylog.emit("tick.sent")
                await asyncio.Event().wait()
            finally:
                activitylog.emit("stream.ended")

        async def endpoint(request: Request) -> Response:
            return StreamingResponse(ticks(), media_type="text/event-stream")

        starlette = Starlette(routes=[Route("/ticks", endpoint)])
        app = ActivityMiddleware(starlette, actor=lambda scope: "user:7", request_event="request.handled")

        async def serve() -> None:
            call, gone = Call(app, scope_of("/ticks")), asyncio.Event()

            async def receive() -> Any:
                await gone.wait()
                return GONE

            call.receive = receive  # type: ignore[method-assign]
            task = asyncio.create_task(call.run())
            while not activity.find("tick.sent"):
                await asyncio.sleep(0)
            gone.set() if how == "message" else task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(serve())
        assert activity.names == ["tick.sent", "stream.ended", "request.handled"]
        assert len(activity.find(actor="user:7")) == 3
        assert activity.one("request.handled", outcome="unknown").attributes["http.route"] == "/ticks"

    @pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
    def test_a_stream_whose_client_goes(self, activity: CapturedActivities, spec_version: str) -> None:
        """In both ways that servers tell it: by a message, and by an error of send."""

        async def endpoint(request: Request) -> Response:
            async def pieces() -> AsyncIterator[str]:
                for _ in range(1000):
                    activitylog.emit("row.sent")
                    yield "x"
                    if spec_version == "2.3":
                        call._received.append(GONE)
                    else:
                        call.broken = OSError("gone")

            return StreamingResponse(pieces())

        app = ActivityMiddleware(Starlette(routes=[Route("/", endpoint)]), request_event="request.handled")
        call = Call(app, scope_of("/", asgi={"version": "3.0", "spec_version": spec_version}), received=[])

        async def receive() -> Any:
            while not call._received:
                await asyncio.sleep(0)
            return call._received[0]

        call.receive = receive  # type: ignore[method-assign]
        with contextlib.suppress(Exception):
            asyncio.run(call.run())
        assert activity.one("request.handled", outcome="unknown").attributes["http.response.status_code"] == 200
        assert len(activity.find("row.sent")) < 1000

    def test_middlewares_of_the_other_kind(self, activity: CapturedActivities) -> None:
        """``BaseHTTPMiddleware`` runs what is inside of it in another task."""

        class Noting(BaseHTTPMiddleware):
            async def dispatch(self, request: Request, call_next: Any) -> Response:
                response: Response = await call_next(request)
                activitylog.emit("page.noted")
                return response

        async def endpoint(request: Request) -> Response:
            bind_request(actor="user:7")
            return await read(request)

        client_of(Route("/{id}", endpoint), inside=[Middleware(Noting)]).get("/1")
        assert [event.name for event in activity.find(actor="user:7")] == ["page.read", "page.noted"]
        assert activity.one("page.noted").attributes["http.route"] == "/{id}"

    def test_in_process_requests(self, activity: CapturedActivities) -> None:
        """One application that asks another has a request of its own there."""
        import httpx

        other = Starlette(routes=[Route("/prices", read)], middleware=[Middleware(ActivityMiddleware)])

        async def endpoint(request: Request) -> Response:
            bind_request(actor="user:7")
            with activitylog.bind(feature="prices"):
                async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://o") as client:
                    await client.get("/prices")
                activitylog.emit("page.read")
            return PlainTextResponse("")

        client_of(Route("/", endpoint)).get("/")
        inner, outer = activity.events
        assert (inner.actor, inner.attributes.get("feature"), inner.attributes["url.path"]) == (
            "",
            None,
            "/prices",
        )
        assert (outer.actor, outer.attributes["feature"], outer.attributes["url.path"]) == (
            "user:7",
            "prices",
            "/",
        )

    def test_websockets(self, activity: CapturedActivities) -> None:
        """The connection's events are of one request."""

        class Chat(WebSocketEndpoint):
            encoding = "text"

            async def on_receive(self, websocket: WebSocket, data: Any) -> None:
                bind_request(actor=f"user:{data}")
                activitylog.emit("message.sent")
                await websocket.send_text("ok")

            async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
                activitylog.emit("chat.left")

        client = client_of(
            Mount("/rooms/{room}", routes=[WebSocketRoute("/chat", Chat)]), request_event="chat.ended"
        )
        with client.websocket_connect("/rooms/7/chat") as websocket:
            websocket.send_text("7")
            assert websocket.receive_text() == "ok"
        assert activity.names == ["message.sent", "chat.left", "chat.ended"]
        for event in activity.events:
            assert event.actor == "user:7"
            assert event.attributes["http.route"] == "/rooms/{room}/chat"
            assert event.attributes["url.path"] == "/rooms/7/chat"
        assert len({event.attributes["activity.request.id"] for event in activity.events}) == 1


class TestErrors:
    """Exceptions take their way, and events say what became of the request."""

    @staticmethod
    async def failing(request: Request) -> Response:
        """An endpoint with a bug."""
        activitylog.emit("page.read")
        raise LookupError("no")

    def test_an_unhandled_error(self, activity: CapturedActivities) -> None:
        """Is answered outside of our middleware; the request's event knows it all the same."""
        response = client_of(Route("/{id}", self.failing), request_event="request.handled").get("/1")
        assert response.status_code == 500
        event = activity.one("request.handled", outcome="failure")
        assert event.attributes["http.response.status_code"] == 500
        assert event.attributes["error.type"] == "LookupError"
        assert event.attributes["http.route"] == "/{id}"

    def test_an_answer_in_the_form_of_an_error(self, activity: CapturedActivities) -> None:
        """Is an answer."""

        async def endpoint(request: Request) -> Response:
            raise HTTPException(403)

        assert client_of(Route("/", endpoint), request_event="request.handled").get("/").status_code == 403
        event = activity.one("request.handled", outcome="denied")
        assert "error.type" not in event.attributes

    @pytest.mark.parametrize("in_a_thread", [False, True])
    def test_a_handler_of_unhandled_errors(self, activity: CapturedActivities, in_a_thread: bool) -> None:
        """Runs outside of the middleware: there the logger of the request says whose error it was."""

        async def handler(request: Request, error: Exception) -> Response:
            activity_of(request).error("request.failed", error=error)
            return PlainTextResponse("sorry", 500)

        def handler_in_a_thread(request: Request, error: Exception) -> Response:
            activity_of(request).error("request.failed", error=error)
            return PlainTextResponse("sorry", 500)

        app = Starlette(
            routes=[Route("/{id}", self.failing)],
            middleware=[Middleware(ActivityMiddleware, actor=lambda scope: "user:7")],
            exception_handlers={Exception: handler_in_a_thread if in_a_thread else handler},
        )
        assert TestClient(app, raise_server_exceptions=False).get("/1").text == "sorry"
        event = activity.one("request.failed", actor="user:7", outcome="failure")
        assert event.attributes["http.response.status_code"] == 500
        assert event.attributes["url.path"] == "/1"

    def test_around_the_application(self, activity: CapturedActivities) -> None:
        """Where the middleware is outermost, such a handler is inside of it, and the answer, too."""

        async def handler(request: Request, error: Exception) -> Response:
            activitylog.emit("request.failed", error=error)
            return PlainTextResponse("sorry", 500)

        app = Starlette(routes=[Route("/{id}", self.failing)], exception_handlers={Exception: handler})
        bound = ActivityMiddleware(app, actor=lambda scope: "user:7", request_event="request.handled")
        TestClient(bound, raise_server_exceptions=False).get("/1")
        assert activity.one("request.failed", actor="user:7").attributes["http.route"] == "/{id}"
        assert activity.one("request.handled", outcome="failure").attributes["error.type"] == "LookupError"

    def test_nothing_is_left_bound(self) -> None:
        """After any of it."""
        client_of(Route("/", self.failing)).get("/")
        assert current_request() is None


class TestLifespan:
    """The application's own, with ours around it."""

    def test_both_run(self, activity: CapturedActivities) -> None:
        """What is emitted there is of no request."""

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            activitylog.emit("service.started")
            yield
            activitylog.emit("service.stopped")

        app = Starlette(routes=[Route("/", read)], middleware=[Middleware(ActivityMiddleware)], lifespan=lifespan)
        with TestClient(app) as client:
            client.get("/")
        assert activity.names == ["service.started", "page.read", "service.stopped"]
        assert "activity.request.id" not in activity.one("service.stopped").attributes

    def test_a_wrong_option_stops_the_server(self) -> None:
        """When it starts, not at the first request."""
        app = Starlette(middleware=[Middleware(ActivityMiddleware, trusted_proxies="nobody")])
        with pytest.raises(activitylog.ConfigurationError), TestClient(app):
            pass
