"""
Whatever fails in the logging, the request succeeds, and what was lost is counted.

Each fault is injected into a whole application: the real middleware, a view that writes a row and emits in every
way there is, under WSGI and ASGI, with a pipeline as in production.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import path

import activitylog
from activitylog import config
from activitylog.exceptions import StoreLockedError
from activitylog.integrations.django import emit_many_on_commit, emit_on_commit
from activitylog.integrations.django import sessions as our_sessions
from activitylog.stats import Stats
from activitylog.store import check_unlocked
from otel_spool import filesystem
from tests.activitylog.integrations.django.project.models import Conversation

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db(transaction=True)]

NOBODY = "clickhouse://127.0.0.1:1/activity"
#: Events of one request, its own included.
EVENTS = 8


class Hostile:
    """Cannot be asked for anything."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def work() -> None:
    """Writes a row, and emits in every way but one."""
    with transaction.atomic():
        conversation = Conversation.objects.create(title="general")
        emit_on_commit("conversation.created", object=conversation, durable=True)
        emit_many_on_commit("member.added", ["user:1", "user:2"], target=conversation)
    activitylog.emit("message.sent", object=("message", 7), text="hello")
    activitylog.emit_many("message.read", [{"object": "message:7"}, {"object": "message:8"}])


def view(request: HttpRequest) -> HttpResponse:
    work()
    with activitylog.activity("report.rendered"):
        return HttpResponse("done")


async def aview(request: HttpRequest) -> HttpResponse:
    await sync_to_async(work)()
    async with activitylog.activity("report.rendered"):
        return HttpResponse("done")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        work()
        yield b"do"
        activitylog.emit("report.rendered")
        yield b"ne"

    return StreamingHttpResponse(parts())


async def astream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        await sync_to_async(work)()
        yield b"do"
        activitylog.emit("report.rendered")
        yield b"ne"

    return StreamingHttpResponse(parts())


urlpatterns = [path("view/", view), path("aview/", aview), path("stream/", stream), path("astream/", astream)]


class World:
    """
    What a fault is injected into.

    Args:
        settings: of Django.
        patch: undone after the test.
        folder: of the spool.
    """

    def __init__(self, settings: Any, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._settings = settings
        self.patch = patch
        self.spool = folder / "spool"

    def configure(self, url: str = NOBODY, **changed: Any) -> None:
        """As ``ready()`` does with ``ACTIVITYLOG``."""
        given = {"url": url, "request_event": "request.done", "spool_directory": self.spool, **changed}
        self._settings.ACTIVITYLOG = given
        pipeline = {key: value for key, value in given.items() if key not in ("request_event", "actor", "tenant")}
        activitylog.configure(**pipeline, shutdown_timeout_seconds=0.01)

    def cannot(self, operation: str, error: int) -> None:
        """The file system fails from now on."""

        def fail(*_arguments: Any) -> Any:
            raise OSError(error, os.strerror(error))

        owner = filesystem._LocalFile if operation == "write" else filesystem.LocalFileSystem
        self.patch.setattr(owner, operation, fail)


Fault = Callable[[World], Iterator[None]]
FAULTS: dict[str, tuple[Callable[[World], AbstractContextManager[None]], Callable[[Stats, int], object]]] = {}


def fault(counted: Callable[[Stats, int], object]) -> Callable[[Fault], Fault]:
    """Registers a fault, with what the statistics say after so many events."""

    def register(function: Fault) -> Fault:
        FAULTS[function.__name__] = contextmanager(function), counted
        return function

    return register


def kept(stats: Stats, events: int) -> bool:
    """Nothing was lost: all wait for somebody to take them."""
    (destination,) = stats.destinations.values()
    return (stats.emitted, stats.dropped, destination.queued, dict(destination.dropped)) == (
        events,
        {},
        events,
        {},
    )


def all_lost(reason: str) -> Callable[[Stats, int], object]:
    """All were lost inside the process, for this reason."""
    return lambda stats, events: stats.dropped == {reason: events}


@fault(kept)
def clickhouse_away(world: World) -> Iterator[None]:
    world.configure()
    yield


@fault(lambda stats, events: kept(stats, events) and stats.sanitized == events)
def an_actor_that_raises(world: World) -> Iterator[None]:
    world.configure(actor=lambda request: request.no_such_thing)
    yield


@fault(lambda stats, events: kept(stats, events) and stats.sanitized == events)
def a_tenant_that_raises(world: World) -> Iterator[None]:
    world.configure(tenant=lambda request: 1 / 0)
    yield


@fault(kept)
def an_actor_that_is_hostile(world: World) -> Iterator[None]:
    world.configure(actor=lambda request: Hostile())
    yield


@fault(lambda stats, events: kept(stats, events) and stats.sanitized)
def sessions_that_cannot_be_loaded(world: World) -> Iterator[None]:
    world.configure()

    def fail(self: Any) -> Any:
        raise OSError("the cache is away")

    world.patch.setattr(SessionStore, "load", fail)
    world.patch.setattr(SessionStore, "aload", sync_to_async(fail))
    yield


@fault(lambda stats, events: kept(stats, events) and stats.sanitized)
def a_hash_that_cannot_be_made(world: World) -> Iterator[None]:
    world.configure()
    world.patch.setattr(our_sessions, "_SALT", Hostile())
    yield


@fault(all_lost("error"))
def a_processor_that_raises(world: World) -> Iterator[None]:
    def broken(_logger: Any, _method: str, event_dict: Any) -> Any:
        return event_dict["no such key"]

    world.configure(processors=[broken])
    yield


@fault(all_lost("error"))
def a_processor_and_a_log_that_raise(world: World) -> Iterator[None]:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("the log is broken, too")

    handler = Broken()
    logging.getLogger("activitylog").addHandler(handler)
    world.configure(processors=[lambda _logger, _method, event_dict: 1 / 0])
    yield
    logging.getLogger("activitylog").removeHandler(handler)


@fault(lambda stats, events: kept(stats, events) and stats.sanitized == events)
def values_that_cannot_be_written(world: World) -> Iterator[None]:
    def add(_logger: Any, _method: str, event_dict: Any) -> Any:
        endless: list[Any] = []
        endless.append(endless)
        event_dict.update(hostile=Hostile(), endless=endless, surrogate="\ud800", big=10**5000, bytes=b"\xff")
        return event_dict

    world.configure(processors=[add])
    yield


@fault(kept)
def a_spool_that_is_gone(world: World) -> Iterator[None]:
    world.configure()
    shutil.rmtree(world.spool)
    yield


@fault(lambda stats, events: kept(stats, events) and next(iter(stats.destinations.values())).degraded)
def a_spool_that_is_read_only(world: World) -> Iterator[None]:
    world.configure()
    world.cannot("open_append", errno.EROFS)
    yield


@fault(lambda stats, events: kept(stats, events) and next(iter(stats.destinations.values())).degraded)
def a_disk_that_is_full(world: World) -> Iterator[None]:
    world.configure()
    world.cannot("write", errno.ENOSPC)
    yield


@fault(lambda stats, events: kept(stats, events) and next(iter(stats.destinations.values())).degraded)
def a_disk_that_is_broken(world: World) -> Iterator[None]:
    world.configure(durability="power")
    world.cannot("write", errno.EIO)
    yield


@fault(kept)
def a_spool_that_cannot_be_made(world: World) -> Iterator[None]:
    world.spool.touch()
    world.configure()
    yield


def thinned(stats: Stats, events: int) -> bool:
    """Those that found no room are counted, the others wait."""
    (destination,) = stats.destinations.values()
    return (
        set(destination.dropped) == {"queue_full"}
        and destination.queued + sum(destination.dropped.values()) == events
    )


@fault(thinned)
def a_queue_that_is_full(world: World) -> Iterator[None]:
    world.configure(durability="memory", max_queue_size=2, schedule_delay_millis=60_000)
    yield


@fault(kept)
def a_store_that_another_process_has_open(world: World) -> Iterator[None]:
    store = world.spool.parent / "store"
    store.mkdir()
    code = "import fcntl, os, sys; f = open(sys.argv[1], 'w'); f.write(f'PID: {os.getpid()}\\n'); f.flush(); "
    code += "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(store / "status")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(StoreLockedError):
            check_unlocked(store)
        world.configure(f"chdb://{store}")
        yield
    finally:
        holder.communicate("")


@fault(lambda stats, events: stats.dropped == {"disabled": events})
def switched_off(world: World) -> Iterator[None]:
    world.configure(enabled=False)
    yield


@fault(all_lost("shutdown"))
def shut_down_already(world: World) -> Iterator[None]:
    world.configure("memory:")
    activitylog.shutdown(0)
    yield


@fault(kept)
def shut_down_already_with_a_spool(world: World) -> Iterator[None]:
    world.configure()
    activitylog.shutdown(0)
    yield


@fault(lambda stats, events: stats.dropped["not_configured"] >= events)
def never_configured(world: World) -> Iterator[None]:
    world.configure()
    config.install(None)
    yield


@fault(lambda stats, events: stats.emitted == events)
def a_clock_that_stands_still(world: World) -> Iterator[None]:
    world.patch.setattr(time, "perf_counter_ns", lambda: 0)
    world.configure()
    yield


def ask(client: Client, path: str) -> tuple[int, bytes]:
    """Of WSGI."""
    response: Any = client.get(path)
    return response.status_code, b"".join(response.streaming_content) if response.streaming else response.content


def ask_asynchronously(client: AsyncClient, path: str) -> tuple[int, bytes]:
    """Of ASGI."""

    async def asked() -> tuple[int, bytes]:
        response: Any = await client.get(path)
        if not response.streaming:
            return response.status_code, response.content
        body = b"".join([part async for part in response])
        await sync_to_async(response.close)()
        return response.status_code, body

    return async_to_sync(asked)()


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize("name", FAULTS)
def test_the_request_succeeds(name: str, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every way to answer, with every fault: 200, the row is there, and the numbers add up."""
    inject, counted = FAULTS[name]
    user = User.objects.create_user("ada")
    client, async_client = Client(), AsyncClient()
    client.force_login(user)
    async_client.force_login(user)
    with inject(World(settings, monkeypatch, tmp_path)):
        for path_ in ("/view/", "/aview/", "/stream/"):
            assert ask(client, path_) == (200, b"done")
        for path_ in ("/view/", "/aview/", "/stream/", "/astream/"):
            assert ask_asynchronously(async_client, path_) == (200, b"done")
        assert Conversation.objects.count() == 7
        assert counted(activitylog.stats(), 7 * EVENTS), activitylog.stats()


@pytest.mark.slow
def test_a_forked_child(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that forks between two requests: the child answers, and counts its own."""
    world = World(settings, monkeypatch, tmp_path)
    world.configure()
    assert ask(Client(), "/view/") == (200, b"done")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            right = ask(Client(), "/view/") == (200, b"done") and kept(activitylog.stats(), EVENTS)
            code = 0 if right else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert kept(activitylog.stats(), EVENTS)
