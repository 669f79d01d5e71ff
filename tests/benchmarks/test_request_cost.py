"""
What a HTTP request costs with the middleware around it: without events, with one, with ten; beside the usual way.

    pytest tests/benchmarks/test_request_cost.py --benchmark-enable --benchmark-columns=min,median

A round is twenty requests, in one loop and without a server: divide by twenty. Compare within a run; the
application answers with an empty body, so what is measured is the middleware and Starlette's or Flask's own way.
The usual way is what structlog's documentation shows: context variables that a ``BaseHTTPMiddleware``, or hooks of
Flask, fill from each request, and an event that ends in nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.contextvars import bind_contextvars, clear_contextvars

import activitylog
from activitylog import config
from activitylog.integrations.asgi import ActivityMiddleware
from activitylog.integrations.flask import ActivityLog
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings
from tests.benchmarks.test_emit_cost import NullExporter

REQUESTS = 20
EVENTS = [0, 1, 10]
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
HEADERS = {
    "host": "shop.example.org",
    "user-agent": AGENT,
    "accept": "application/json",
    "accept-encoding": "gzip, br",
    "accept-language": "en",
    "authorization": "Bearer x",
    "cookie": "theme=dark",
    "x-forwarded-for": "203.0.113.7",
}


@pytest.fixture(autouse=True)
def _pipeline() -> Iterator[None]:
    """The real chain and the real queue, into nothing."""
    settings = Settings(max_queue_size=1_000_000)
    pipeline = Pipeline(settings, destinations=[BoundedProcessor(NullExporter, "null:", settings)])
    config.swap(pipeline)
    yield
    config.swap(None)
    pipeline.shutdown(10)


def emit(events: int) -> None:
    """What an endpoint has to say."""
    for _ in range(events):
        activitylog.emit("item.read", object="item:42", channel="web")


peer = structlog.wrap_logger(
    structlog.ReturnLogger(),
    processors=[structlog.contextvars.merge_contextvars, structlog.processors.TimeStamper(fmt="iso", utc=True)],
    wrapper_class=structlog.make_filtering_bound_logger(20),
)


class PeerMiddleware(BaseHTTPMiddleware):
    """As structlog's documentation shows it."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        clear_contextvars()
        bind_contextvars(
            method=request.method,
            path=request.url.path,
            client=request.client.host if request.client else None,
            agent=request.headers.get("user-agent"),
            request_id=request.headers.get("x-request-id") or uuid.uuid4().hex,
        )
        response: Response = await call_next(request)
        return response


def starlette(say: Callable[[], None], *middleware: Middleware) -> Starlette:
    """An application with one endpoint, which says something."""

    async def endpoint(request: Request) -> Response:
        say()
        return Response()

    return Starlette(routes=[Route("/items/{id}", endpoint)], middleware=list(middleware))


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One for all rounds of a test."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def asgi_round(app: Any, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Twenty requests, one after the other."""
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    async def ask() -> None:
        for _ in range(REQUESTS):
            scope = {
                "type": "http",
                "method": "GET",
                "path": "/items/42",
                "root_path": "",
                "query_string": b"",
                "headers": headers,
                "client": ("192.0.2.1", 1),
                "scheme": "http",
                "server": ("127.0.0.1", 80),
                "state": {},
            }
            await app(scope, receive, send)

    return lambda: loop.run_until_complete(ask())


def wsgi_round(app: Any) -> Callable[[], None]:
    """The same for WSGI."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/items/42",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "192.0.2.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()},
    }

    def start_response(*_: Any) -> Any:
        return None

    def ask() -> None:
        for _ in range(REQUESTS):
            body = app(dict(environ), start_response)
            for _piece in body:
                pass
            body.close()

    return ask


@pytest.mark.benchmark(group="20 requests of Starlette")
class TestStarlette:
    def test_no_middleware(self, benchmark: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Starlette alone."""
        benchmark(asgi_round(starlette(lambda: None), loop))

    @pytest.mark.parametrize("events", EVENTS)
    def test_activitylog(self, benchmark: Any, loop: asyncio.AbstractEventLoop, events: int) -> None:
        """Ours, behind a proxy that is trusted."""
        middleware = Middleware(ActivityMiddleware, trusted_proxies="192.0.2.0/24", actor=lambda scope: "user:42")
        benchmark(asgi_round(starlette(lambda: emit(events), middleware), loop))

    def test_activitylog_request_event(self, benchmark: Any, loop: asyncio.AbstractEventLoop) -> None:
        """With the event of the request itself."""
        middleware = Middleware(ActivityMiddleware, request_event="request.handled", actor=lambda scope: "user:42")
        benchmark(asgi_round(starlette(lambda: None, middleware), loop))

    @pytest.mark.parametrize("events", EVENTS)
    def test_structlog_in_base_http_middleware(
        self, benchmark: Any, loop: asyncio.AbstractEventLoop, events: int
    ) -> None:
        """The usual way."""

        def say() -> None:
            for _ in range(events):
                peer.info("item.read", object="item:42", channel="web")

        benchmark(asgi_round(starlette(say, Middleware(PeerMiddleware)), loop))


@pytest.mark.benchmark(group="20 requests of Flask")
class TestFlask:
    def application(self, say: Callable[[], None]) -> Flask:
        """An application with one view, which says something."""
        app = Flask(__name__)

        @app.get("/items/<int:number>")
        def view(number: int) -> str:
            say()
            return ""

        return app

    def test_no_extension(self, benchmark: Any) -> None:
        """Flask alone."""
        benchmark(wsgi_round(self.application(lambda: None)))

    @pytest.mark.parametrize("events", EVENTS)
    def test_activitylog(self, benchmark: Any, events: int) -> None:
        """Ours, behind a proxy that is trusted."""
        app = self.application(lambda: emit(events))
        ActivityLog(app, trusted_proxies="192.0.2.0/24", actor=lambda: "user:42")
        benchmark(wsgi_round(app))

    @pytest.mark.parametrize("events", EVENTS)
    def test_structlog_in_hooks(self, benchmark: Any, events: int) -> None:
        """The usual way."""
        from flask import request

        def say() -> None:
            for _ in range(events):
                peer.info("item.read", object="item:42", channel="web")

        app = self.application(say)

        @app.before_request
        def bind() -> None:
            clear_contextvars()
            bind_contextvars(
                method=request.method,
                path=request.path,
                client=request.remote_addr,
                agent=request.headers.get("User-Agent"),
                request_id=request.headers.get("X-Request-ID") or uuid.uuid4().hex,
            )

        benchmark(wsgi_round(app))
