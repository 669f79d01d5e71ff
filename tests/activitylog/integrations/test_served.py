"""
Real servers: hundreds of requests that take turns do not see each other.

FastAPI under uvicorn, Flask under gunicorn with threads and with greenlets.
"""

from __future__ import annotations

import http.client
import itertools
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from tests.activitylog.integrations.served.recording import FILE, Recorded
from tests.life_cycle.servers import Server
from tests.serving import free_port, listens
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
_APPLICATIONS = "tests.activitylog.integrations.served"
_REQUESTS = 300
_CLIENTS = 24
#: Events of one request, besides the request's own.
_STEPS = 4


@contextmanager
def running(folder: Path, *command: str, **variables: str) -> Iterator[tuple[int, Server, Recorded]]:
    """A server on a free port; ``{port}`` in its command is that."""
    port = free_port()
    recorded = Recorded(folder / "events.ndjson")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    environ = {**inherited, "HOME": str(folder), FILE: str(recorded.path), **variables}
    with Server(
        [part.format(port=port) for part in command], environ=environ, log=folder / "server.log"
    ) as server:
        wait_until(lambda: listens(port), 60)
        yield port, server, recorded


def uvicorn(application: str, *options: str) -> list[str]:
    """The command for it."""
    named = f"{_APPLICATIONS}.{application}:app"
    return ["uvicorn", named, "--port", "{port}", "--log-level", "warning", *options]


def gunicorn(kind: str) -> list[str]:
    """The command for it; threads as many as there are clients."""
    options = ["-b", "127.0.0.1:{port}", "--worker-class", kind, "--workers", "2", "--threads", str(_CLIENTS)]
    return ["gunicorn", f"{_APPLICATIONS}.flask_application:app", "--log-level", "warning", *options]


def headers_of(number: int) -> dict[str, str]:
    """What the client of one request says."""
    return {
        "x-user": str(number),
        "x-request-id": f"r-{number}",
        "user-agent": f"client-{number}",
        "x-forwarded-for": f"203.0.113.{number % 250}",
    }


def ask_all(port: int, kinds: list[str]) -> dict[int, str]:
    """Many requests at once, each on a connection that others have used before; the kinds by number."""
    asked = dict(zip(range(_REQUESTS), itertools.cycle(kinds), strict=False))

    def ask(numbers: list[int]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in numbers:
            connection.request("GET", f"/{asked[number]}/{number}", headers=headers_of(number))
            response = connection.getresponse()
            assert response.status == 200, response.read()
            response.read()
        connection.close()

    with ThreadPoolExecutor(_CLIENTS) as pool:
        for done in [pool.submit(ask, list(range(first, _REQUESTS, _CLIENTS))) for first in range(_CLIENTS)]:
            done.result()
    return asked


def check_all(recorded: Recorded, asked: dict[int, str], route: str) -> None:
    """Each event is of its own request, in all that it says."""
    wait_until(lambda: len(recorded.named("request.handled")) == _REQUESTS, 60)
    wait_until(lambda: len(recorded.named("step.done")) == _REQUESTS * _STEPS, 60)
    for event in recorded.events:
        number = int(event["user.id"])
        kind = asked[number]
        assert event["activity.request.id"] == f"r-{number}"
        assert event["user_agent.original"] == f"client-{number}"
        assert event["client.address"] == f"203.0.113.{number % 250}"
        assert event["url.path"] == f"/{kind}/{number}"
        assert event["http.route"] == f"/{kind}/{route}"
        assert event.get("late", number) == number
        assert event.get("lane", str(number)) == str(number)
        if event["name"] == "step.done":
            assert event["number"] == number
            assert event.get("feature", f"stream-{number}") == f"stream-{number}"
            assert ("feature" in event) <= kind.startswith("stream")
        else:
            assert event["http.response.status_code"] == 200
            assert "feature" not in event


class TestUvicorn:
    """One process, one loop, and threads."""

    def test_requests_that_take_turns(self, tmp_path: Path) -> None:
        """Coroutines, functions in threads, streams of both."""
        with running(tmp_path, *uvicorn("fastapi_application")) as (port, _, recorded):
            asked = ask_all(port, ["coroutine", "function", "stream", "stream_in_threads"])
            check_all(recorded, asked, "{number}")

    def test_requests_in_one_packet(self, tmp_path: Path) -> None:
        """The server begins the second one inside of what sends the end of the first one's body."""
        with running(tmp_path, *uvicorn("fastapi_application")) as (port, _, recorded):
            with socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(b"".join(_raw(f"/stream/{n}", {"x-user": str(n)}) for n in (1, 2)))
                connection.sendall(_raw("/nothing", {"connection": "close"}))
                while connection.recv(65_536):
                    pass
            wait_until(lambda: len(recorded.named("request.handled")) == 3)
            for event in recorded.named("step.done"):
                assert event["user.id"] == str(event["number"])
                assert event["feature"] == f"stream-{event['number']}"
                assert event["lane"] == str(event["number"])
            last = recorded.named("request.handled")[-1]
            assert last["url.path"] == "/nothing"
            assert not {"user.id", "feature", "lane", "http.route"} & set(last)

    def test_a_client_that_goes(self, tmp_path: Path) -> None:
        """In the midst of a stream: the request has an end, and it is not known what would have become of it."""
        with running(tmp_path, *uvicorn("fastapi_application")) as (port, _, recorded):
            with socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(_raw("/stream/1?pieces=100000", {"x-user": "1"}))
                connection.recv(1000)
            wait_until(lambda: recorded.named("request.handled"))
            event = recorded.named("request.handled")[0]
            assert event["activity.outcome"] == "unknown"
            assert event["user.id"] == "1"

    def test_websockets_that_take_turns(self, tmp_path: Path) -> None:
        """Each connection is one request."""
        with running(tmp_path, *uvicorn("fastapi_application", "--ws", "wsproto")) as (port, _, recorded):
            clients = [_Websocket(port, number) for number in range(20)]
            for _ in range(3):
                for client in clients:
                    client.say("hello")
            for client in clients:
                client.close()
            wait_until(lambda: len(recorded.named("request.handled")) == 20)
            for event in recorded.events:
                assert "http.request.method" not in event
                assert event["http.route"] == "/chat/{number}"
                assert event["url.path"] == f"/chat/{event['user.id']}"
                assert event.get("number", int(event["user.id"])) == int(event["user.id"])
            assert len(recorded.named("step.done")) == 60

    @pytest.mark.parametrize(("seconds", "sent"), [("5", True), ("0", False)])
    def test_the_end_of_the_server(self, tmp_path: Path, seconds: str, sent: bool) -> None:
        """It ends by the signal that it was sent, without another word of Python: only the middleware flushes."""
        command = uvicorn("stopped_application")
        with running(tmp_path, *command, TEST_FLUSH_SECONDS=seconds) as (port, server, _):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/")
            assert connection.getresponse().status == 204
            connection.close()
            server.end()
            assert ("page.read" in server.log.read_text()) is sent


class TestGunicorn:
    """Several processes, each with threads or greenlets."""

    @pytest.mark.parametrize("kind", ["gthread", "gevent"])
    def test_requests_that_take_turns(self, tmp_path: Path, kind: str) -> None:
        """Functions, and bodies that are made by the piece, inside of Flask's context and after it."""
        with running(tmp_path, *gunicorn(kind)) as (port, _, recorded):
            asked = ask_all(port, ["function", "stream", "stream_with_context"])
            check_all(recorded, asked, "<int:number>")

    @pytest.mark.parametrize("kind", ["gthread", "gevent"])
    def test_a_client_that_goes(self, tmp_path: Path, kind: str) -> None:
        """In the midst of a stream: the thread is free, and the next request is of itself."""
        with running(tmp_path, *gunicorn(kind)) as (port, _, recorded):
            with socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(_raw("/endless/1", {"x-user": "1"}))
                connection.recv(1000)
            wait_until(lambda: recorded.named("request.handled"))
            assert recorded.named("request.handled")[0]["activity.outcome"] == "unknown"
            asked = ask_all(port, ["function"])
            assert len(recorded.named("request.handled")) == len(asked) + 1


def _raw(path: str, headers: dict[str, Any]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class _Websocket:
    """A client of one connection."""

    def __init__(self, port: int, number: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._connection = WSConnection(ConnectionType.CLIENT)
        headers = [(name.encode(), value.encode()) for name, value in headers_of(number).items()]
        self._send(Request(host="x", target=f"/chat/{number}", extra_headers=headers))
        assert isinstance(self._next(), AcceptConnection)

    def _send(self, event: Any) -> None:
        self._socket.sendall(self._connection.send(event))

    def _next(self) -> Any:
        while True:
            for event in self._connection.events():
                return event
            self._connection.receive_data(self._socket.recv(65_536) or None)

    def say(self, text: str) -> None:
        """And hear the same."""
        self._send(TextMessage(data=text))
        answer = self._next()
        assert isinstance(answer, TextMessage)
        assert answer.data == text

    def close(self) -> None:
        """As browsers do."""
        self._send(CloseConnection(code=1000))
        self._next()
        self._socket.close()
