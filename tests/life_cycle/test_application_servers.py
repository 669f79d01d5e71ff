"""
A Django application under gunicorn and uvicorn, asked without pause while workers are killed and replaced.

Every event of every request that was answered is in the store once. Of one that was not answered there is none, or
all that it emitted before it died, once.
"""

from __future__ import annotations

import http.client
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kill.backend import served
from tests.life_cycle.servers import Server, listening

pytestmark = pytest.mark.slow
EVENTS = 5
_MODULE = "tests.life_cycle.django_application"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


class Load:
    """
    Clients that ask without pause, each request with a number of its own.

    Attributes:
        answered: numbers of the requests that were answered with success.
        asked: how many were sent.
    """

    def __init__(self, port: int, view: str, clients: int = 4) -> None:
        self._port, self._view = port, view
        self._numbers = itertools.count(1)
        self._end = threading.Event()
        self._more = threading.Condition()
        self.answered: set[int] = set()
        self.asked: set[int] = set()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def wait_for(self, more: int) -> None:
        """Return when so many more were answered."""
        with self._more:
            wanted = len(self.answered) + more
            assert self._more.wait_for(lambda: len(self.answered) >= wanted, 120), "nobody answers"

    def _ask(self) -> None:
        while not self._end.is_set():
            number = next(self._numbers)
            self.asked.add(number)
            if self._succeeds(number):
                with self._more:
                    self.answered.add(number)
                    self._more.notify_all()

    def _succeeds(self, number: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", f"/{self._view}/{number}")
            return connection.getresponse().status == http.client.CREATED
        except (OSError, http.client.HTTPException):  # a worker that died, or had not read it
            return False
        finally:
            connection.close()


def environment(url: str, folder: Path) -> dict[str, str]:
    """Of the server, and of who drains the spool in the end."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    inherited.pop("DJANGO_SETTINGS_MODULE", None)
    return {**inherited, "HOME": str(folder), "TEST_STORE": url, "TEST_FOLDER": str(folder)}


def drain(url: str, folder: Path) -> None:
    """Send what the killed have left, as an operator does."""
    command = ["activitylog", "spool", "drain", "--url", url]
    environ = {**environment(url, folder), "ACTIVITYLOG_SPOOL_DIRECTORY": str(folder / "spool")}
    with Server(command, environ=environ, log=folder / "drain.log") as draining:
        assert draining.ended(120) == 0, (folder / "drain.log").read_text()


def stored(client: Any, tenant: str, name: str = "message.sent") -> dict[int, tuple[int, int]]:
    """By the number of the request: rows, and different objects among them."""
    answer = client.query(
        "SELECT toInt64(Attributes['number']) AS number, count(), uniqExact(ObjectId) FROM activity_events"
        " WHERE TenantId = {tenant:String} AND EventName = {name:String} GROUP BY number",
        parameters={"tenant": tenant, "name": name},
    )
    return {number: (rows, objects) for number, rows, objects in answer.result_rows}


KINDS = [
    ("sync", "application", "send"),
    ("gthread", "application", "send"),
    ("gevent", "application", "send"),
    ("uvicorn_worker.UvicornWorker", "asgi_application", "send"),
    ("uvicorn_worker.UvicornWorker", "asgi_application", "asend"),
]


class TestGunicorn:
    """Its workers of each kind, forked before or after the application is imported."""

    @pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
    @pytest.mark.parametrize(
        ("kind", "application", "view"),
        KINDS,
        ids=[f"{kind.rpartition('.')[2]}-{view}" for kind, _, view in KINDS],
    )
    def test_what_was_answered_is_stored_once(
        self,
        store: tuple[str, Any],
        tmp_path: Path,
        kind: str,
        application: str,
        view: str,
        preload: tuple[str, ...],
    ) -> None:
        """A worker is killed, all are replaced, a worker is killed again, all are killed at once; then an end."""
        url, client = store
        environ = environment(url, tmp_path)
        with listening() as listener:
            command = ["gunicorn", "--bind", f"fd://{listener.fileno()}", "--workers", "2", "--worker-class", kind]
            command += ["--threads", "2", "--graceful-timeout", "3", *preload, f"{_MODULE}:{application}"]
            if preload and kind == "gevent":
                command += ["--config", "python:tests.life_cycle.gevent_patched"]
            kept = (listener.fileno(),)
            with Load(listener.getsockname()[1], view) as load:
                with Server(command, environ=environ, log=tmp_path / "log", kept=kept) as server:
                    load.wait_for(50)
                    server.kill_a_worker()
                    load.wait_for(50)
                    server.replace_all()
                    load.wait_for(50)
                    server.kill_a_worker()
                    load.wait_for(50)
                    server.kill()
                with Server(command, environ=environ, log=tmp_path / "log", kept=kept) as server:
                    load.wait_for(50)
                    server.end()
        drain(url, tmp_path)
        check(load, stored(client, tmp_path.name))


class TestUvicorn:
    """Its own master with two workers."""

    def test_what_was_answered_is_stored_once(self, store: tuple[str, Any], tmp_path: Path) -> None:
        """All are killed at once; the next one ends well."""
        url, client = store
        environ = environment(url, tmp_path)
        with listening() as listener:
            command = ["uvicorn", "--fd", str(listener.fileno()), f"{_MODULE}:asgi_application", "--no-access-log"]
            kept = (listener.fileno(),)
            with Load(listener.getsockname()[1], "asend") as load:
                for end in (Server.kill, Server.end):
                    with Server(command, environ=environ, log=tmp_path / "log", kept=kept) as server:
                        load.wait_for(100)
                        end(server)
        drain(url, tmp_path)
        check(load, stored(client, tmp_path.name))


def check(load: Load, found: dict[int, tuple[int, int]]) -> None:
    """Each answered request's events are there once, and no event twice."""
    missing = {number: found.get(number) for number in load.answered if found.get(number) != (EVENTS, EVENTS)}
    assert not missing
    doubled = {number: rows for number, (rows, objects) in found.items() if rows != objects}
    assert not doubled
    assert found.keys() <= load.asked
