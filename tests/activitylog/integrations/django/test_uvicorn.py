"""A real ASGI server: a project of Django's own making under uvicorn, asked through a socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.activitylog.integrations.django.fresh_project import FreshProject
from tests.serving import free_port
from tests.waiting import wait_until

SETTINGS = """{
    "url": "console:",
    "service_name": "chat",
    "trusted_proxies": 1,
    "return_request_id": True,
    "request_event": "request.done",
}"""
LOGIN = """
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib import auth
user = User.objects.create_user("ada")
session = SessionStore()
session[auth.SESSION_KEY] = str(user.pk)
session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print("key", session.session_key)
"""

pytestmark = pytest.mark.slow


class Server:
    """
    uvicorn with the project.

    Args:
        folder: of the project.
    """

    def __init__(self, folder: Path) -> None:
        self.project = FreshProject(folder, SETTINGS)
        self.project.append(
            "mysite/urls.py", "from tests.activitylog.integrations.django.web import urlpatterns\n"
        )
        assert self.project.manage("migrate", "-v", "0").returncode == 0
        self.session = self.project.manage("shell", "-v", "0", "-c", LOGIN).stdout.split()[-1]
        self._port = free_port()
        command = [sys.executable, "-m", "uvicorn", "mysite.asgi:application", "--port", str(self._port)]
        self._process = subprocess.Popen(
            [*command, "--log-level", "warning", "--no-proxy-headers"],
            cwd=folder,
            env={**self.project.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        wait_until(self._answers)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(json.loads(line))

    def _answers(self) -> bool:
        assert self._process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask, as somebody behind a proxy who is logged in."""
        headers = {"Cookie": f"sessionid={self.session}", "X-Forwarded-For": "6.6.6.6, 198.51.100.9", **headers}
        return httpx.get(f"http://127.0.0.1:{self._port}{path}", headers=headers)

    def leave(self, path: str, after: str) -> None:
        """Ask, and go away when an event of this name was emitted."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            wait_until(lambda: self.named(after))

    def named(self, name: str, **attributes: Any) -> list[dict[str, Any]]:
        """The events of this name so far."""
        return [
            line
            for line in list(self.lines)
            if line["event_name"] == name and attributes.items() <= line["attributes"].items()
        ]

    def stop(self) -> None:
        """As an operator does."""
        self._process.terminate()
        self._process.wait(30)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests here: it takes some seconds."""
    server = Server(tmp_path_factory.mktemp("uvicorn"))
    yield server
    server.stop()


def events_of(server: Server, request_id: str, number: int) -> list[dict[str, Any]]:
    """The events of one request, as soon as there are so many."""

    def of_the_request() -> list[dict[str, Any]]:
        return [line for line in list(server.lines) if line["attributes"].get("activity.request.id") == request_id]

    wait_until(lambda: len(of_the_request()) >= number)
    return of_the_request()


@pytest.mark.parametrize("path", ["/async/send/", "/async/user/", "/async/thread/", "/reading/", "/async/stream/"])
def test_views(server: Server, path: str) -> None:
    """Asynchronous and other views: who asked, from where, by which session, under which id."""
    response = server.get(path)
    assert response.status_code == 200
    found = events_of(server, response.headers["X-Request-ID"], 5 if "stream" in path else 2)
    assert found[-1]["event_name"] == "request.done"
    for line in found:
        said = line["attributes"]
        assert (said["user.id"], said["client.address"], said["url.path"]) == ("1", "198.51.100.9", path)
        assert said["session.id"] != server.session
    assert found[-1]["attributes"]["http.response.status_code"] == 200
    uses_the_session = path in ("/async/user/", "/reading/")
    assert ("cookie" in response.headers.get("vary", "").lower()) == uses_the_session


def test_a_client_that_goes_away(server: Server) -> None:
    """The view is cancelled, and its request's event says that nobody knows what became of it."""
    server.leave("/async/slow/", after="wait.begun")
    route = {"http.route": "async/slow/"}
    wait_until(lambda: server.named("request.done", **route))
    assert server.named("wait.ended", **route)
    assert server.named("request.done", **route)[0]["attributes"]["activity.outcome"] == "unknown"
