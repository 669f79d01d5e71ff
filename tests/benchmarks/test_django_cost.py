"""
What the middleware of Django costs a request: without events, with one, and with who asks, in one run.

    pytest tests/benchmarks/test_django_cost.py --benchmark-enable --benchmark-columns=min,median,iqr

Each round answers a new request through Django's own handler; the view does next to nothing, so that what Django
costs is what there is to compare with. The exporter is null: what another thread does later is not measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.urls import path

import activitylog
from activitylog import config
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings
from tests.activitylog.integrations.django.configured import set_up
from tests.benchmarks.test_emit_cost import QUEUE, NullExporter

set_up()

OURS = "activitylog.integrations.django.ActivityMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


def idle(request: HttpRequest) -> HttpResponse:
    """No event."""
    return HttpResponse("done")


def one(request: HttpRequest) -> HttpResponse:
    """One event, whose actor is who asks."""
    activitylog.emit("message.sent", object="message:7", channel="general")
    return HttpResponse("done")


def two(request: HttpRequest) -> HttpResponse:
    """The second event finds what the first one has found."""
    activitylog.emit("message.sent", object="message:7", channel="general")
    return one(request)


def by_hand(request: HttpRequest) -> HttpResponse:
    """One event that says by itself who asks; nothing of the request."""
    activitylog.emit("message.sent", object="message:7", channel="general", actor="user:42")
    return HttpResponse("done")


def member(request: HttpRequest) -> HttpResponse:
    """The view wants to know who asks."""
    return HttpResponse(request.user.get_username())


def member_one(request: HttpRequest) -> HttpResponse:
    """The view and the event want to know who asks."""
    activitylog.emit("message.sent", object="message:7", channel="general")
    return member(request)


async def aidle(request: HttpRequest) -> HttpResponse:
    """No event, in an event loop."""
    return HttpResponse("done")


async def aone(request: HttpRequest) -> HttpResponse:
    """One event, in an event loop."""
    return one(request)


VIEWS: tuple[Callable[..., Any], ...] = (idle, one, two, by_hand, member, member_one, aidle, aone)
urlpatterns = [path(f"{view.__name__}/", view) for view in VIEWS]


@pytest.fixture(autouse=True)
def _pipeline() -> Iterator[None]:
    settings = Settings(max_queue_size=QUEUE)
    pipeline = Pipeline(settings, destinations=[BoundedProcessor(NullExporter, "null:", settings)])
    config.swap(pipeline)
    yield
    config.swap(None)
    pipeline.shutdown(10)


@pytest.fixture
def cookie() -> str:
    """Of somebody who is logged in."""
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return f"sessionid={client.cookies['sessionid'].value}"


def handler(settings: Any, middleware: list[str], *, is_async: bool = False, **given: Any) -> BaseHandler:
    """Django with these middlewares."""
    settings.MIDDLEWARE = middleware
    settings.ACTIVITYLOG = {"url": "memory:", **given}
    made = BaseHandler()
    made.load_middleware(is_async=is_async)
    return made


@pytest.mark.benchmark(group="a request without a session")
@pytest.mark.parametrize(
    ("middleware", "view", "given"),
    [
        pytest.param([], "idle", {}, id="Django alone"),
        pytest.param([OURS], "idle", {}, id="with the middleware, no event"),
        pytest.param([], "by_hand", {}, id="an event without the middleware"),
        pytest.param([OURS], "one", {}, id="with the middleware, one event"),
        pytest.param([OURS], "two", {}, id="with the middleware, two events"),
        pytest.param([OURS], "idle", {"request_event": "request.done"}, id="the request's own event"),
    ],
)
def test_without_a_session(
    benchmark: Any, settings: Any, middleware: list[str], view: str, given: dict[str, Any]
) -> None:
    """What the middleware costs, and what an event costs inside it."""
    django = handler(settings, middleware, **given)
    environ = RequestFactory().get(f"/{view}/", headers={"User-Agent": "Mozilla/5.0"}).environ

    def ask() -> None:
        response = django.get_response(WSGIRequest(dict(environ)))
        response.close()
        assert response.status_code == 200

    benchmark(ask)


@pytest.mark.benchmark(group="a request with a session")
@pytest.mark.parametrize(
    ("middleware", "view"),
    [
        pytest.param([SESSIONS, AUTH], "idle", id="Django alone, nobody wants to know who asks"),
        pytest.param([OURS, SESSIONS, AUTH], "one", id="an event wants to know"),
        pytest.param([SESSIONS, AUTH], "member", id="Django alone, the view wants to know"),
        pytest.param([OURS, SESSIONS, AUTH], "member_one", id="the view and an event want to know"),
    ],
)
def test_with_a_session(benchmark: Any, settings: Any, cookie: str, middleware: list[str], view: str) -> None:
    """Whoever asks first loads session and user, two queries; here of SQLite in memory."""
    django = handler(settings, middleware)
    environ = RequestFactory().get(f"/{view}/", headers={"Cookie": cookie}).environ

    def ask() -> None:
        response = django.get_response(WSGIRequest(dict(environ)))
        response.close()
        assert response.status_code == 200

    benchmark(ask)


@pytest.mark.benchmark(group="an asynchronous request")
@pytest.mark.parametrize(
    ("middleware", "view"),
    [
        pytest.param([], "aidle", id="Django alone"),
        pytest.param([OURS], "aidle", id="with the middleware, no event"),
        pytest.param([OURS], "aone", id="with the middleware, one event"),
    ],
)
def test_asynchronous(benchmark: Any, settings: Any, middleware: list[str], view: str) -> None:
    """In an event loop."""
    django = handler(settings, middleware, is_async=True)
    factory: Any = AsyncRequestFactory()
    scope, body = factory._base_scope(path=f"/{view}/"), factory.get("/")._stream

    with asyncio.Runner() as runner:

        def ask() -> None:
            response = runner.run(django.get_response_async(ASGIRequest(scope, body)))
            assert response.status_code == 200

        benchmark(ask)
