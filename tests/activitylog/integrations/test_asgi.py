"""The ASGI middleware around applications that are nothing but a function."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import activitylog
from activitylog import config
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.asgi import ActivityMiddleware, activity_of
from activitylog.integrations.http import bind_request, current_request
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings
from activitylog.testing import CapturedActivities, capture_activities
from tests.activitylog.integrations.asgi_driver import GONE, Call, run, scope_of, send_ok, websocket_scope
from tests.exporters_for_tests import GatedExporter, ScriptedExporter


async def emitting(scope: Any, receive: Any, send: Any) -> None:
    """An application that emits before and after its answer."""
    activitylog.emit("page.read")
    await send_ok(send)
    activitylog.emit("page.sent")


def user_of_path(scope: Any) -> Any:
    """Whoever is named by the path: each request another one."""
    return ("user", scope["path"].removeprefix("/"))


class TestHTTP:
    """One request."""

    def test_what_events_have(self, activity: CapturedActivities) -> None:
        """All that a scope says, and the status once there is one."""
        app = ActivityMiddleware(emitting, trusted_proxies="192.0.2.0/24", actor=lambda _scope: "user:42")
        run(app, scope_of("/pages/é", headers={"x-forwarded-for": "203.0.113.7", "x-request-id": "r-1"}))
        read, sent = activity.events
        assert read.actor == sent.actor == "user:42"
        assert read.attributes["http.request.method"] == "GET"
        assert read.attributes["client.address"] == "203.0.113.7"
        assert read.attributes["user_agent.original"] == "curl/8.5"
        assert read.attributes["activity.request.id"] == "r-1"
        assert "http.response.status_code" not in read.attributes
        assert sent.attributes["http.response.status_code"] == 200
        assert sent.attributes["url.path"] == "/pages/é"

    def test_headers_in_several_lines(self, activity: CapturedActivities) -> None:
        """Are one list, in their order; the names of headers may have any case."""
        scope = scope_of()
        scope["headers"] += [(b"x-forwarded-for", b"10.0.0.9, 203.0.113.7"), (b"X-Forwarded-For", b"10.0.0.2")]
        run(ActivityMiddleware(emitting, trusted_proxies=["192.0.2.1", "10.0.0.0/8"]), scope)
        assert activity.events[0].attributes["client.address"] == "203.0.113.7"

    @pytest.mark.parametrize("client", [None, ("", 0), ["/run/app.sock", None]])
    def test_a_local_socket(self, activity: CapturedActivities, client: Any) -> None:
        """Has no address, and servers say that in several ways."""
        run(ActivityMiddleware(emitting), scope_of(client=client))
        assert "client.address" not in activity.events[0].attributes

    def test_what_was_there_is_left_as_it_was(self, activity: CapturedActivities) -> None:
        """Nothing is bound afterwards, and the scope has no more in it."""

        async def around() -> None:
            call = Call(ActivityMiddleware(emitting))
            keys = set(call.scope)
            with activitylog.bind(actor="user:around"):
                before = contextvars.copy_context()
                await call.run()
                assert {**contextvars.copy_context()} == {**before}
            assert set(call.scope) == keys

        asyncio.run(around())
        assert current_request() is None

    def test_the_messages_are_those_of_the_application(self) -> None:
        """Whatever they are, one by one."""
        messages = [
            {"type": "http.response.start", "status": 206, "headers": [(b"x", b"y")], "trailers": True},
            {"type": "http.response.push", "path": "/x", "headers": []},
            {"type": "http.response.body", "body": b"abc", "more_body": True},
            {"type": "http.response.body"},
            {"type": "http.response.trailers", "headers": [], "more_trailers": False},
            {"type": "something.new"},
        ]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)

        for options in ({}, {"request_event": "request.handled"}):
            call = run(ActivityMiddleware(app, **options))  # type: ignore[arg-type]
            assert all(sent is message for sent, message in zip(call.sent, messages, strict=True))

    def test_an_application_that_fails(self, activity: CapturedActivities) -> None:
        """Fails as before; whoever asks afterwards gets the status that the server will send."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            activitylog.emit("page.read")
            raise LookupError("no")

        call = Call(ActivityMiddleware(app))
        with pytest.raises(LookupError, match="no"):
            asyncio.run(call.run())
        activity_of(call.scope).error("page.failed")
        assert activity.one("page.failed").attributes["http.response.status_code"] == 500
        assert "http.response.status_code" not in activity.one("page.read").attributes

    def test_many_at_once(self, activity: CapturedActivities) -> None:
        """Hundreds of requests take turns at each step, and each event is of its own."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            number = scope["path"][1:]
            await receive()
            activitylog.emit("page.read", number=number)
            await asyncio.to_thread(activitylog.emit, "page.read", number=number)
            bind_request(bound=number)
            await send({"type": "http.response.start", "status": 200 + int(number) % 100, "headers": []})
            for _ in range(3):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                activitylog.emit("page.sent", number=number)
            await send({"type": "http.response.body"})

        async def all_at_once() -> None:
            bound = ActivityMiddleware(app, actor=user_of_path)
            await asyncio.gather(*(Call(bound, scope_of(f"/{number}")).run() for number in range(200)))

        asyncio.run(all_at_once())
        assert len(activity) == 1000
        for event in activity.events:
            number = event.attributes["number"]
            assert (event.actor, event.attributes["url.path"]) == (f"user:{number}", f"/{number}")
            if event.name == "page.sent":
                assert event.attributes["bound"] == number
                assert event.attributes["http.response.status_code"] == 200 + int(number) % 100
        ids = {event.attributes["activity.request.id"] for event in activity.events}
        assert len(ids) == 200

    def test_a_task_of_the_request_that_outlives_it(self, activity: CapturedActivities) -> None:
        """Keeps its request, with the status."""
        tasks = []

        async def later() -> None:
            await asyncio.sleep(0.01)
            activitylog.emit("mail.sent")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            tasks.append(asyncio.create_task(later()))
            await send_ok(send, 202)

        async def serve() -> None:
            await Call(ActivityMiddleware(app, actor=user_of_path), scope_of("/7")).run()
            assert current_request() is None
            await asyncio.gather(*tasks)

        asyncio.run(serve())
        event = activity.one("mail.sent", actor="user:7")
        assert event.attributes["http.response.status_code"] == 202

    def test_the_next_request_of_a_connection(self, activity: CapturedActivities) -> None:
        """A server begins it inside of ``send`` of the one before it: in a copy of its context."""
        app = ActivityMiddleware(
            emitting, actor=lambda scope: scope.get("who"), tenant=lambda scope: scope.get("whose")
        )

        async def serve() -> None:
            first = Call(app, scope_of("/first", who="user:1", whose="acme"))
            second = Call(app, scope_of("/second"))
            following: list[Any] = []

            async def send(message: Any) -> None:
                if not message.get("more_body", True):
                    following.append(asyncio.create_task(second.run()))

            async def with_a_block(scope: Any, receive: Any, send: Any) -> None:
                with activitylog.bind(feature="export"):
                    await app(scope, receive, send)

            await with_a_block(first.scope, first.receive, send)
            await asyncio.gather(*following)

        asyncio.run(serve())
        seconds = [event for event in activity.events if event.attributes.get("url.path") == "/second"]
        assert len(seconds) == 2
        assert all(not event.actor and "activity.tenant.id" not in event.attributes for event in seconds)
        assert all("feature" not in event.attributes for event in seconds)

    def test_one_middleware_inside_another(self, activity: CapturedActivities) -> None:
        """Is one request, with one event at its end; the outer one says whose it is."""
        inner = ActivityMiddleware(emitting, actor=lambda _scope: "user:inner", request_event="request.handled")
        run(ActivityMiddleware(inner, actor=lambda _scope: "user:outer", request_event="request.handled"))
        assert activity.names == ["page.read", "request.handled", "page.sent"]
        assert {event.actor for event in activity.events} == {"user:outer"}
        assert len({event.attributes["activity.request.id"] for event in activity.events}) == 1

    def test_nothing_of_a_request_is_left(self) -> None:
        """Not even for the garbage collector."""
        left: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            left.append(weakref.ref(current_request()))
            activitylog.emit("page.read")
            await send_ok(send)

        with capture_activities():
            gc.disable()
            try:
                run(ActivityMiddleware(app, request_event="request.handled"))
                assert left[0]() is None
            finally:
                gc.enable()

    def test_without_a_loop_of_asyncio(self, activity: CapturedActivities) -> None:
        """Servers may have another one: only what the server and the application give is awaited."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            activitylog.emit("page.read")
            await send({"type": "lifespan.shutdown.complete"})

        async def nothing(*_: Any) -> Any:
            return {}

        bound = ActivityMiddleware(app, actor=user_of_path)
        for scope in (scope_of("/7"), {"type": "lifespan"}):
            with pytest.raises(StopIteration):
                bound(scope, nothing, nothing).send(None)
        assert [event.actor for event in activity.find("page.read")] == ["user:7", ""]


class TestActor:
    """Who asks, where nothing was said of it."""

    @pytest.mark.parametrize(
        ("user", "actor"),
        [
            (None, ""),
            ("42", "user:42"),
            ("service:cron", "service:cron"),
            (SimpleNamespace(id=42, is_authenticated=True), "user:42"),
            (SimpleNamespace(pk=42, is_authenticated=True, identity="x"), "user:42"),
            (SimpleNamespace(id=42, is_authenticated=False), ""),
            (SimpleNamespace(is_authenticated=True, identity="ada", display_name="Ada"), "user:ada"),
            (SimpleNamespace(is_authenticated=True, display_name="Ada"), "user:Ada"),
            (SimpleNamespace(is_authenticated=False, display_name="", identity=""), ""),
            ({"type": "user", "id": 42}, "user:42"),
        ],
    )
    @pytest.mark.parametrize("place", ["scope", "state"])
    def test_a_user_of_authentication(
        self, activity: CapturedActivities, user: Any, actor: str, place: str
    ) -> None:
        """In the scope or in its state; whoever is not logged in is nobody."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            # Inside of the middleware: authentication may come later than it.
            (scope if place == "scope" else scope["state"])["user"] = user
            activitylog.emit("page.read")

        run(ActivityMiddleware(app))
        assert activity.one().actor == actor

    def test_a_user_without_an_identity(self, activity: CapturedActivities) -> None:
        """Starlette's base class raises from what a class of the application does not have."""
        from starlette.authentication import BaseUser

        class User(BaseUser):
            is_authenticated = True
            display_name = "Ada"

        run(ActivityMiddleware(emitting), scope_of(user=User()))
        assert activity.events[0].actor == "user:Ada"

    def test_a_function_of_the_application(self, activity: CapturedActivities) -> None:
        """Is called with the scope, at each event."""
        asked = []

        def actor(scope: Any) -> Any:
            asked.append(scope["path"])
            return "user:7" if len(asked) > 1 else None

        run(ActivityMiddleware(emitting, actor=actor, tenant=lambda scope: "acme", session=lambda scope: "s-1"))
        assert [event.actor for event in activity.events] == ["", "user:7"]
        assert asked == ["/", "/"]
        assert activity.events[0].attributes["activity.tenant.id"] == "acme"
        assert activity.events[0].attributes["session.id"] == "s-1"

    def test_a_function_that_fails(self) -> None:
        """Harms no request; its events are without an actor, and say so."""
        with capture_activities(strict=False) as activity:
            assert run(ActivityMiddleware(emitting, actor=lambda scope: scope["user"].id)).status == 200
        assert [event.attributes["activity.sanitized"] for event in activity.events] == [["actor:lazy"]] * 2


class TestRequestEvent:
    """One event for each request."""

    def finished(self, activity: CapturedActivities, app: Any, call: Call | None = None) -> Any:
        """The event of a request that ends as the application has it."""
        call = call or Call(None)
        call._app = ActivityMiddleware(app, request_event="request.handled")
        with capture_errors():
            asyncio.run(call.run())
        return activity.one("request.handled")

    def test_when_the_answer_is_complete(self, activity: CapturedActivities) -> None:
        """Not when what runs in the background is done, whose failure is not the request's either."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            activitylog.emit("page.read")
            await send_ok(send, 200, b"a", b"b")
            activitylog.emit("mail.sent")
            raise LookupError("in the background")

        event = self.finished(activity, app)
        assert activity.names == ["page.read", "request.handled", "mail.sent"]
        assert event.outcome == "success"
        assert "error.type" not in event.attributes

    def test_a_failure(self, activity: CapturedActivities) -> None:
        """With its reason, whether an answer was sent inside of the middleware or outside of it."""

        async def fails(scope: Any, receive: Any, send: Any) -> None:
            raise LookupError("no")

        async def answers(scope: Any, receive: Any, send: Any) -> None:
            await send_ok(send, 500)
            raise LookupError("no")

        async def breaks_off(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise LookupError("no")

        for app, status in ((fails, 500), (answers, 500), (breaks_off, 200)):
            with capture_activities() as captured:
                event = self.finished(captured, app)
            assert (event.outcome, event.attributes["error.type"]) == ("failure", "LookupError")
            assert event.attributes["http.response.status_code"] == status

    def test_an_answer_of_500(self, activity: CapturedActivities) -> None:
        """Is a failure without a reason."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send_ok(send, 503)

        assert self.finished(activity, app).outcome == "failure"

    def test_a_client_that_has_gone(self, activity: CapturedActivities) -> None:
        """Nobody knows what would have become of it, in whichever way a server says so."""

        async def told(scope: Any, receive: Any, send: Any) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            raise ConnectionError("nobody reads this")

        async def returns(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def writes(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            call.broken = BrokenPipeError()
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

        for app in (told, returns, writes):
            call = Call(None, received=[GONE])
            with capture_activities() as captured:
                assert self.finished(captured, app, call).outcome == "unknown"

    def test_a_request_that_is_cancelled(self, activity: CapturedActivities) -> None:
        """As servers do that stop, and some when the client has gone; nothing stays bound."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            activitylog.emit("page.read")
            await asyncio.Event().wait()

        async def serve() -> None:
            call = Call(ActivityMiddleware(app, request_event="request.handled"))
            task = asyncio.create_task(call.run())
            while not activity.names:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(serve())
        event = activity.one("request.handled")
        assert (event.outcome, event.attributes["error.type"]) == ("unknown", "asyncio.exceptions.CancelledError")
        assert "http.response.status_code" not in event.attributes

    def test_a_file_that_the_server_sends(self, activity: CapturedActivities) -> None:
        """Is an answer, complete."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.pathsend", "path": "/x"})
            activitylog.emit("file.sent")

        assert self.finished(activity, app).outcome == "success"
        assert activity.names == ["request.handled", "file.sent"]


class TestWebsocket:
    """A connection is one request, as long as it lasts."""

    def test_a_conversation(self, activity: CapturedActivities) -> None:
        """Has no method, and the status of the handshake."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            activitylog.emit("chat.joined")
            await send({"type": "websocket.accept"})
            activitylog.emit("message.sent")
            await send({"type": "websocket.close", "code": 1000})

        run(ActivityMiddleware(app, actor=user_of_path, request_event="connection.ended"), websocket_scope("/7"))
        joined, sent, ended = activity.events
        assert {event.actor for event in activity.events} == {"user:7"}
        assert "http.request.method" not in joined.attributes
        assert "http.response.status_code" not in joined.attributes
        assert sent.attributes["http.response.status_code"] == 101
        assert (ended.name, ended.outcome) == ("connection.ended", "success")

    @pytest.mark.parametrize(
        ("answer", "status", "outcome"),
        [
            ({"type": "websocket.close"}, 403, "denied"),
            ({"type": "websocket.http.response.start", "status": 401, "headers": []}, 401, "denied"),
            ({"type": "websocket.http.response.start", "status": 503, "headers": []}, 503, "failure"),
        ],
    )
    def test_a_handshake_that_is_refused(
        self, activity: CapturedActivities, answer: Any, status: int, outcome: str
    ) -> None:
        """Is one."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(answer)

        run(ActivityMiddleware(app, request_event="connection.ended"), websocket_scope())
        event = activity.one("connection.ended", outcome=outcome)
        assert event.attributes["http.response.status_code"] == status

    def test_a_failure(self, activity: CapturedActivities) -> None:
        """Goes on to the server."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})
            raise LookupError("no")

        with pytest.raises(LookupError):
            run(ActivityMiddleware(app, request_event="connection.ended"), websocket_scope())
        event = activity.one("connection.ended", outcome="failure")
        assert event.attributes["http.response.status_code"] == 101


class TestRequestIdReturned:
    """The client can say which request it was."""

    @pytest.mark.parametrize(
        ("options", "header"),
        [
            ({}, "x-request-id"),
            ({"request_id_header": "X-Trace"}, "x-trace"),
            ({"request_id_header": ""}, "x-request-id"),
        ],
    )
    def test_in_a_header(self, activity: CapturedActivities, options: Any, header: str) -> None:
        """Of the name by which it may be given."""
        call = run(ActivityMiddleware(emitting, return_request_id=True, **options))
        assert call.headers[header] == activity.events[0].attributes["activity.request.id"]

    def test_the_applications_own(self) -> None:
        """Stays, whatever its case."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Request-Id", b"mine")]})

        assert run(ActivityMiddleware(app, return_request_id=True)).headers == {"X-Request-Id": "mine"}

    def test_without_headers(self) -> None:
        """They may be absent in the message."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200})

        scope = scope_of(headers={"x-request-id": "r-1"})
        assert run(ActivityMiddleware(app, return_request_id=True), scope).headers == {"x-request-id": "r-1"}

    def test_not_by_default(self) -> None:
        """Answers are the application's."""
        assert run(ActivityMiddleware(emitting)).headers == {}


class TestActivityOf:
    """A logger for one request, wherever it is called."""

    def test_in_a_thread_that_knows_nothing(self, activity: CapturedActivities) -> None:
        """What it says is of the request that it was made for, also afterwards."""
        loggers = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            log = activity_of(scope).bind(plan="free")
            loggers.append(log)
            thread = threading.Thread(target=log.info, args=("page.read",))
            thread.start()
            thread.join()
            log.info("page.read")
            await send_ok(send)

        run(ActivityMiddleware(app, actor=user_of_path), scope_of("/7"))
        loggers[0].warning("page.read")
        assert [event.actor for event in activity.find("page.read", plan="free")] == ["user:7"] * 3
        assert activity.events[2].attributes["http.response.status_code"] == 200
        assert current_request() is None

    def test_in_another_request(self, activity: CapturedActivities) -> None:
        """It is not mixed with that."""
        loggers = []

        async def first(scope: Any, receive: Any, send: Any) -> None:
            loggers.append(activity_of(scope))

        async def second(scope: Any, receive: Any, send: Any) -> None:
            loggers[0].info("page.read")
            activitylog.emit("page.sent")

        run(ActivityMiddleware(first, actor=user_of_path), scope_of("/1"))
        run(ActivityMiddleware(second, actor=user_of_path, tenant=lambda _: "acme"), scope_of("/2"))
        assert activity.one("page.read", actor="user:1", tenant=None)
        assert activity.one("page.sent", actor="user:2", tenant="acme")

    def test_with_what_is_bound_where_it_is_called(self, activity: CapturedActivities) -> None:
        """Blocks inside the request count."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            with activitylog.bind(actor="service:export", feature="export"):
                activity_of(SimpleNamespace(scope=scope)).info("page.read")

        run(ActivityMiddleware(app, actor=user_of_path))
        assert activity.one("page.read", actor="service:export", feature="export")

    def test_without_the_middleware(self, activity: CapturedActivities) -> None:
        """It is an ordinary logger."""
        activity_of(scope_of()).info("page.read", actor="user:1")
        assert activity.one("page.read", actor="user:1")


class TestLifespan:
    """When the server stops, what is still queued is sent: its process may end without another word."""

    @pytest.fixture
    def pipeline(self) -> Iterator[Callable[[Any], Pipeline]]:
        """Puts a pipeline into an exporter in place, which sends nothing by itself for a minute."""
        made: list[Pipeline] = []

        def build(exporter: Any) -> Pipeline:
            settings = Settings(schedule_delay_millis=60_000)
            made.append(Pipeline(settings, destinations=[BoundedProcessor(lambda: exporter, "test:", settings)]))
            config.swap(made[-1])
            return made[-1]

        yield build
        config.swap(None)
        for one in made:
            one.shutdown(10)

    @staticmethod
    async def application(scope: Any, receive: Any, send: Any) -> None:
        """Emits while it stops."""
        await send({"type": "lifespan.startup.complete"})
        activitylog.emit("service.stopped")
        await send({"type": "lifespan.shutdown.complete"})

    def test_it_is_flushed(self, pipeline: Callable[[Any], Pipeline]) -> None:
        """Also what the application emits at its end, before the server is told that all is done."""
        exporter = ScriptedExporter()
        pipeline(exporter)
        delivered = []

        class Watched(Call):
            async def send(self, message: Any) -> None:
                await super().send(message)
                delivered.append(sum(map(len, exporter.batches)))

        asyncio.run(Watched(ActivityMiddleware(self.application), {"type": "lifespan"}).run())
        assert delivered == [0, 1]

    def test_without_a_loop_of_asyncio(self, pipeline: Callable[[Any], Pipeline]) -> None:
        """It is flushed all the same."""
        exporter = ScriptedExporter()
        pipeline(exporter)

        async def nothing(*_: Any) -> Any:
            return {}

        with pytest.raises(StopIteration):
            ActivityMiddleware(self.application)({"type": "lifespan"}, nothing, nothing).send(None)
        assert sum(map(len, exporter.batches)) == 1

    @pytest.mark.slow
    def test_the_loop_goes_on_and_the_wait_ends(self, pipeline: Callable[[Any], Pipeline]) -> None:
        """Where nothing can be sent."""
        exporter = GatedExporter()
        pipeline(exporter)

        async def serve() -> tuple[int, float]:
            began = time.monotonic()
            stopping = asyncio.create_task(
                Call(ActivityMiddleware(self.application, flush_seconds=0.5), {"type": "lifespan"}).run()
            )
            turns = 0
            while not stopping.done():
                await asyncio.sleep(0.01)
                turns += 1
            return turns, time.monotonic() - began

        turns, seconds = asyncio.run(serve())
        exporter.gate.set()
        assert turns >= 10
        assert seconds < 10

    def test_it_can_be_left_out(self, pipeline: Callable[[Any], Pipeline]) -> None:
        """Zero seconds are none."""
        exporter = ScriptedExporter()
        pipeline(exporter)
        call = run(ActivityMiddleware(self.application, flush_seconds=0), {"type": "lifespan"})
        assert [message["type"] for message in call.sent] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]
        assert exporter.batches == []

    def test_nothing_is_configured(self) -> None:
        """Nothing happens."""
        assert len(run(ActivityMiddleware(self.application), {"type": "lifespan"}).sent) == 2

    def test_an_application_without_a_lifespan(self) -> None:
        """Says so as ever."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "http"

        with pytest.raises(AssertionError):
            run(ActivityMiddleware(app), {"type": "lifespan"})

    def test_other_kinds_of_scopes(self) -> None:
        """Are none of our business."""
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope, send))
            assert current_request() is None

        call = Call(ActivityMiddleware(app), {"type": "what.comes.next"})
        asyncio.run(call.run())
        assert seen == [({"type": "what.comes.next"}, call.send)]


class TestOptions:
    """They are checked when the middleware is made."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"trusted_proxies": "nobody"}, "trusted_proxies"),
            ({"actr": len}, "Did you mean|There is no option 'actr'"),
            ({"actor": "user"}, "actor: expected a function"),
            ({"session": 1}, "session: expected a function"),
            ({"flush_seconds": -1}, "flush_seconds"),
            ({"flush_seconds": True}, "flush_seconds"),
            ({"flush_seconds": "5"}, "flush_seconds"),
            ({"flush_seconds": float("nan")}, "flush_seconds"),
        ],
    )
    def test_a_wrong_one(self, options: Any, message: str) -> None:
        """Is an error at once."""
        with pytest.raises(ConfigurationError, match=message):
            ActivityMiddleware(emitting, **options)

    def test_a_route(self, activity: CapturedActivities) -> None:
        """Of another framework."""
        run(
            ActivityMiddleware(emitting, route=lambda scope: scope["template"]),
            scope_of("/items/3", template="/items/*"),
        )
        assert activity.events[0].attributes["http.route"] == "/items/*"


def capture_errors() -> Any:
    """What an application of these tests raises is not what is tested."""
    import contextlib

    return contextlib.suppress(LookupError, OSError)
