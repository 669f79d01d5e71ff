"""Applications of FastAPI: routers, dependencies, background tasks; the logger and the actor as dependencies."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Security, WebSocket
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount, Route

import activitylog
from activitylog.integrations.fastapi import (
    Activity,
    ActivityMiddleware,
    activity_of,
    actor,
    bind_request,
    get_activity,
    tenant,
)
from activitylog.testing import CapturedActivities


@dataclass
class User:
    """Of an application."""

    id: int
    organisation: str


oauth2 = OAuth2PasswordBearer(tokenUrl="token", auto_error=False, scopes={"orders": "Read orders."})


def get_current_user(token: Annotated[str | None, Depends(oauth2)]) -> User | None:
    """The dependency that an application has anyway: the token is the user's id."""
    if token == "wrong":
        raise HTTPException(401)
    return User(int(token), f"org-{token}") if token else None


CurrentUser = Annotated[User | None, Depends(actor(get_current_user))]


def client_of(app: FastAPI, **options: Any) -> TestClient:
    """A client of an application with the middleware."""
    app.add_middleware(ActivityMiddleware, **options)
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def as_user(number: int) -> dict[str, str]:
    """Headers of somebody who has logged in."""
    return {"authorization": f"Bearer {number}"}


class TestActivity:
    """The logger as a dependency."""

    def test_its_events_are_the_requests(self, activity: CapturedActivities) -> None:
        """In the loop and in threads; also after the answer."""
        app = FastAPI()

        @app.post("/orders/{order_id}/pay")
        def pay(order_id: int, activity: Activity, user: CurrentUser, tasks: BackgroundTasks) -> str:
            activity.info("order.paid", object=("order", order_id), amount=12.5)
            tasks.add_task(activity.bind(channel="mail").info, "receipt.sent")
            return "paid"

        @app.post("/orders/{order_id}/drop")
        async def drop(order_id: int, activity: Activity, user: CurrentUser) -> str:
            thread = threading.Thread(target=activity.warning, args=("order.dropped",))
            thread.start()
            thread.join()
            return "dropped"

        client = client_of(app)
        client.post("/orders/7/pay", headers=as_user(42))
        client.post("/orders/8/drop", headers=as_user(43))
        paid = activity.one("order.paid", actor="user:42", object="order:7", amount=12.5)
        assert paid.attributes["http.route"] == "/orders/{order_id}/pay"
        assert (
            activity.one("receipt.sent", actor="user:42", channel="mail").attributes["http.response.status_code"]
            == 200
        )
        assert activity.one("order.dropped", actor="user:43").attributes["http.route"] == "/orders/{order_id}/drop"

    def test_it_can_be_replaced_in_a_test(self) -> None:
        """As any dependency."""

        class Noted:
            def info(self, event: str) -> None:
                seen.append(event)

        seen: list[str] = []
        app = FastAPI()

        @app.get("/")
        async def read(activity: Activity) -> None:
            activity.info("page.read")

        app.dependency_overrides[get_activity] = Noted
        client_of(app).get("/")
        assert seen == ["page.read"]

    def test_in_a_websocket(self, activity: CapturedActivities) -> None:
        """It is the connection's."""
        app = FastAPI()

        @app.websocket("/rooms/{room}")
        async def chat(socket: WebSocket, room: str, activity: Activity) -> None:
            await socket.accept()
            activity.info("room.entered", object=("room", room))
            await socket.close()

        with client_of(app).websocket_connect("/rooms/7"):
            pass
        event = activity.one("room.entered", object="room:7")
        assert event.attributes["http.route"] == "/rooms/{room}"

    def test_in_a_handler_of_errors(self, activity: CapturedActivities) -> None:
        """Which has the request, and no dependencies."""
        app = FastAPI()

        @app.exception_handler(Exception)
        async def sorry(request: Request, error: Exception) -> Response:
            activity_of(request).error("request.failed", error=error)
            return PlainTextResponse("sorry", 500)

        @app.get("/{page}")
        def read(page: str, user: CurrentUser) -> None:
            raise LookupError("no")

        assert client_of(app).get("/a", headers=as_user(42)).text == "sorry"
        event = activity.one("request.failed", actor="user:42", outcome="failure")
        assert event.attributes["http.response.status_code"] == 500

    def test_the_schema_does_not_know_it(self) -> None:
        """Neither the logger nor the actor is a parameter of the interface."""

        def schema(*dependencies: Any) -> Any:
            app = FastAPI()

            @app.get("/orders/{order_id}", dependencies=[Depends(one) for one in dependencies])
            def read(order_id: int) -> str:
                return ""

            return app.openapi()

        plain = schema()
        assert schema(get_activity) == plain
        assert schema(actor(get_current_user), tenant(get_current_user)) == schema(get_current_user)
        assert schema(get_current_user) != plain


class TestActor:
    """Who asks, from a dependency that the application has."""

    def test_what_it_returns(self, activity: CapturedActivities) -> None:
        """Arrives as before; whoever has not logged in is nobody."""
        app, seen = FastAPI(), []

        @app.get("/")
        async def read(user: CurrentUser) -> None:
            seen.append(user)
            activitylog.emit("page.read")

        client = client_of(app)
        client.get("/", headers=as_user(42))
        client.get("/")
        assert client.get("/", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert seen == [User(42, "org-42"), None]
        assert [event.actor for event in activity.events] == ["user:42", ""]

    def test_the_dependency_is_asked_once(self, activity: CapturedActivities) -> None:
        """However many others depend on it, and its replacement is used in tests."""
        asked = []

        def user() -> str:
            asked.append(1)
            return "user:1"

        app = FastAPI()

        @app.get("/")
        def read(
            direct: str = Depends(user),
            bound: str = Depends(actor(user)),
            whose: str = Depends(tenant(user)),
        ) -> None:
            activitylog.emit("page.read")

        client = client_of(app)
        client.get("/")
        assert asked == [1]
        app.dependency_overrides[user] = lambda: "user:2"
        client.get("/")
        assert [event.actor for event in activity.events] == ["user:1", "user:2"]

    def test_security_scopes(self, activity: CapturedActivities) -> None:
        """Reach the dependency."""
        seen = []

        def user(scopes: SecurityScopes, token: Annotated[str, Depends(oauth2)]) -> str:
            seen.append(scopes.scopes)
            return f"user:{token}"

        app = FastAPI()

        @app.get("/")
        def read(user: str = Security(actor(user), scopes=["orders"])) -> None:
            activitylog.emit("page.read")

        client_of(app).get("/", headers=as_user(42))
        assert seen == [["orders"]]
        assert activity.one().actor == "user:42"

    def test_for_a_whole_router(self, activity: CapturedActivities) -> None:
        """One line for all of its routes."""
        router = APIRouter(prefix="/orders", dependencies=[Depends(actor(get_current_user))])

        @router.get("/{order_id}")
        def read(order_id: int) -> None:
            activitylog.emit("order.read")

        app = FastAPI()
        app.include_router(router)
        client_of(app).get("/orders/7", headers=as_user(42))
        assert activity.one("order.read", actor="user:42").attributes["http.route"] == "/orders/{order_id}"

    def test_a_tenant(self, activity: CapturedActivities) -> None:
        """In the same way."""

        def get_organisation(user: CurrentUser) -> str | None:
            return user.organisation if user else None

        app = FastAPI(dependencies=[Depends(tenant(get_organisation))])

        @app.get("/")
        def read() -> None:
            activitylog.emit("page.read")

        client = client_of(app)
        client.get("/", headers=as_user(42))
        client.get("/")
        assert activity.one(actor="user:42", tenant="org-42")
        assert "activity.tenant.id" not in activity.events[1].attributes

    def test_from_inside_of_a_dependency(self, activity: CapturedActivities) -> None:
        """In one line of it, whether it runs in the loop or in a thread, yields or returns."""

        def in_a_thread() -> None:
            bind_request(a=1)

        async def in_the_loop() -> None:
            bind_request(b=2)

        def yielding() -> Iterator[None]:
            bind_request(c=3)
            yield
            activitylog.emit("page.ended")

        async def yielding_in_the_loop() -> AsyncIterator[None]:
            bind_request(d=4)
            yield
            activitylog.emit("page.ended")

        app = FastAPI(
            dependencies=[Depends(one) for one in (in_a_thread, in_the_loop, yielding, yielding_in_the_loop)]
        )

        @app.get("/")
        def read() -> None:
            activitylog.emit("page.read")

        client_of(app).get("/")
        assert activity.names == ["page.read", "page.ended", "page.ended"]
        assert len(activity.find(a=1, b=2, c=3, d=4)) == 3

    def test_a_block_around_the_yield(self, activity: CapturedActivities) -> None:
        """Of a dependency that runs in the loop: its block is around the endpoint, and around nothing else."""

        async def feature() -> AsyncIterator[None]:
            with activitylog.bind(feature="orders"):
                yield

        app = FastAPI()

        @app.get("/", dependencies=[Depends(feature)])
        def read(tasks: BackgroundTasks) -> None:
            activitylog.emit("page.read")

        client = client_of(app, request_event="request.handled")
        client.get("/")
        assert activity.one("page.read", feature="orders")

    def test_without_the_middleware(self, activity: CapturedActivities) -> None:
        """Everything works, and events know nothing of the request."""
        app = FastAPI()

        @app.get("/")
        def read(activity: Activity, user: CurrentUser) -> str:
            activity.info("page.read")
            return "read"

        assert TestClient(app).get("/", headers=as_user(42)).status_code == 200
        assert activity.one("page.read").actor == ""


class TestRoute:
    """The whole template: FastAPI keeps the prefixes of routers apart."""

    @staticmethod
    def application() -> FastAPI:
        """With routers in routers, mounts, and applications in an application."""

        def emitting(name: str = "page.read") -> Callable[..., Any]:
            async def endpoint(request: Request) -> Response:
                activitylog.emit(name)
                return PlainTextResponse("read")

            return endpoint

        posts = APIRouter(prefix="/{user_id}/posts")
        posts.add_api_route("/{post_id:path}", emitting())
        users = APIRouter(prefix="/users")
        users.add_api_route("/{user_id}", emitting())
        users.add_route("/plain/{name}", emitting())
        users.include_router(posts)
        users.mount("/files/{folder}", Starlette(routes=[Route("/{file:int}", emitting())]))

        @users.websocket("/chat/{room}")
        async def chat(socket: WebSocket, room: str) -> None:
            await socket.accept()
            activitylog.emit("room.entered")
            await socket.close()

        inner = FastAPI()
        inner.add_api_route("/things/{thing}", emitting())
        inner.add_route("/plain/{name}", emitting())
        app = FastAPI()
        app.add_api_route("/direct/{item_id}", emitting())
        app.add_route("/plain/{name}", emitting())
        app.include_router(users, prefix="/v1")
        app.include_router(users, prefix="/v2/{version}")
        app.mount("/inner/{org}", inner)
        app.mount("/starlette", Starlette(routes=[Mount("/{x}", routes=[Route("/{y}", emitting())])]))
        return app

    @pytest.mark.parametrize(
        ("path", "route"),
        [
            ("/direct/7", "/direct/{item_id}"),
            ("/plain/7", "/plain/{name}"),
            ("/v1/users/7", "/v1/users/{user_id}"),
            ("/v2/beta/users/7", "/v2/{version}/users/{user_id}"),
            ("/v1/users/7/posts/a/b", "/v1/users/{user_id}/posts/{post_id}"),
            ("/v1/plain/7", "/v1/plain/{name}"),
            ("/v2/beta/files/a/7", "/v2/{version}/files/{folder}/{file}"),
            ("/inner/acme/things/7", "/inner/{org}/things/{thing}"),
            ("/inner/acme/plain/7", "/inner/{org}/plain/{name}"),
            ("/starlette/a/b", "/starlette/{x}/{y}"),
        ],
    )
    @pytest.mark.parametrize("root_path", ["", "/served/below"])
    def test_templates(self, activity: CapturedActivities, path: str, route: str, root_path: str) -> None:
        """Of routes of FastAPI's own and of Starlette's."""
        app = self.application()
        app.add_middleware(ActivityMiddleware, request_event="request.handled")
        assert TestClient(app, root_path=root_path).get(root_path + path).status_code == 200
        for name in ("page.read", "request.handled"):
            event = activity.one(name)
            assert event.attributes["http.route"] == root_path + route
            assert event.attributes["url.path"] == root_path + path

    @pytest.mark.parametrize(
        ("path", "route", "status"),
        [
            ("/nothing", None, 404),
            ("/docs", "/docs", 200),
            ("/inner/acme/docs", "/inner/{org}/docs", 200),
            ("/inner/acme/nothing", "/inner/{org}/{path}", 404),
            ("/v1/users/7/", None, 307),
        ],
    )
    def test_what_no_endpoint_of_the_application_answers(
        self, activity: CapturedActivities, path: str, route: str | None, status: int
    ) -> None:
        """Few distinct values all the same."""
        assert client_of(self.application(), request_event="request.handled").get(path).status_code == status
        assert activity.one().attributes.get("http.route") == route

    def test_a_websocket(self, activity: CapturedActivities) -> None:
        """Of an included router."""
        with client_of(self.application()).websocket_connect("/v1/users/chat/7"):
            pass
        assert activity.one("room.entered").attributes["http.route"] == "/v1/users/chat/{room}"

    @pytest.mark.parametrize(
        ("path", "stored"),
        [
            ("/v1/reset/s3cr3t", "/v1/reset/[redacted]"),
            ("/v1/reset/s3cr3t/", "/v1/reset/[redacted]/"),
            ("/v1/otp/007", "/v1/otp/{otp}"),
        ],
    )
    def test_secrets_in_paths(self, activity: CapturedActivities, path: str, stored: str) -> None:
        """Of included routers; answered, refused by validation, redirected."""
        router = APIRouter()
        router.add_api_route("/reset/{token}", lambda token: activitylog.emit("page.read") and None)
        router.add_api_route("/otp/{otp:int}", lambda otp: None)
        app = FastAPI()
        app.include_router(router, prefix="/v1")
        client_of(app, request_event="request.handled").get(path)
        for event in activity.events:
            assert event.attributes["url.path"] == stored


class TestWhereEventsAreEmitted:
    """What FastAPI adds to Starlette."""

    def test_streams(self, activity: CapturedActivities) -> None:
        """After the dependencies, before they end."""
        app = FastAPI()

        @app.get("/rows")
        def rows(user: CurrentUser) -> StreamingResponse:
            def make() -> Iterator[str]:
                for number in range(3):
                    activitylog.emit("row.sent", number=number)
                    yield "x"

            return StreamingResponse(make())

        assert client_of(app).get("/rows", headers=as_user(42)).text == "xxx"
        assert len(activity.find("row.sent", actor="user:42", **{"http.route": "/rows"})) == 3

    def test_a_request_that_is_not_valid(self, activity: CapturedActivities) -> None:
        """Has an event of its own, with its route."""
        app = FastAPI()

        @app.get("/orders/{order_id}")
        def read(order_id: int) -> None:
            raise NotImplementedError

        assert client_of(app, request_event="request.handled").get("/orders/seven").status_code == 422
        event = activity.one("request.handled", outcome="success")
        assert event.attributes["http.response.status_code"] == 422
        assert event.attributes["http.route"] == "/orders/{order_id}"
