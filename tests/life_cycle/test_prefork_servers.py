"""
Servers that fork before they work, as people run them: processes of theirs are killed, then all of them.

What was acknowledged is in the store once, whoever dies; the next process of the application sends what is left.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.kill import matrix
from tests.kill.backend import served
from tests.kill.worker import Cell
from tests.life_cycle.prefork import CELL, EVENTS
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


class Server:
    """
    A master process with its workers; a context manager that leaves none of them.

    Args:
        command: what runs it.
        cell: whose events are emitted.
        kept: descriptors that it inherits.
    """

    def __init__(self, command: list[str], cell: Cell, kept: tuple[int, ...] = ()) -> None:
        self._acknowledged = cell.acknowledged
        self.log = Path(cell.folder) / "log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=_ROOT,
                env=environment(cell),
                stdout=log,
                stderr=log,
                pass_fds=kept,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(60)

    def workers(self) -> list[int]:
        """The processes that it has forked, and that have not ended."""
        children = [
            path.read_text().split() for path in Path(f"/proc/{self._process.pid}/task").glob("*/children")
        ]
        return [int(child) for of_thread in children for child in of_thread if _lives(child)]

    def kill_a_worker(self) -> None:
        """Without a word; returns when another one has taken its place."""
        before = set(self.workers())
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: set(self.workers()) - before and len(self.workers()) >= len(before))

    def replace_all(self) -> None:
        """As gunicorn reloads: workers end well, others take their place."""
        before = set(self.workers())
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(self.workers()))

    def end(self) -> None:
        """As a service is stopped: well, and in time."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0, self.log.read_text()[-3000:]

    def kill(self) -> None:
        """Master and workers at once."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(60)

    def said(self, text: str, *, times: int) -> None:
        """Wait until the log has it so many times, of all servers."""
        wait_until(lambda: self.log.read_text().count(text) >= times)

    def acknowledged(self, events: int) -> None:
        """Wait until so many were, of all servers."""
        wait_until(lambda: _lines(self._acknowledged) >= events)


def environment(cell: Cell) -> dict[str, str]:
    """Of a server and of who gives it work."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    return {**inherited, "HOME": cell.folder, CELL: cell.to_json(), "C_FORCE_ROOT": "1"}


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def check(client: Any, cell: Cell, *, at_least: int) -> None:
    """Nothing lost, nothing doubled, the view says the same."""
    matrix.drain(cell)
    counted = matrix.count(client, cell)
    assert counted.acknowledged >= at_least
    assert counted.exact, counted


class TestCelery:
    """Its worker with the prefork pool, which is its default; a broker of files."""

    def test_every_acknowledged_event_is_stored_once(self, store: tuple[str, Any], tmp_path: Path) -> None:
        """A process of the pool is killed, then the worker and all its processes; then one ends well."""
        url, client = store
        cell = Cell(url=url, folder=str(tmp_path), tenant="celery")
        for name in ("queue", "control"):
            (tmp_path / name).mkdir()
        command = ["celery", "-A", "tests.life_cycle.celery_application", "worker", "--pool=prefork", "-c", "2"]
        command += ["--without-mingle", "--without-gossip", "-l", "WARNING"]
        for round_, end in enumerate((Server.kill, Server.end), 1):
            add_tasks(cell, "die", *["work"] * 60)
            with Server(command, cell) as server:
                server.said("signal 9 (SIGKILL)", times=round_)
                add_tasks(cell, *["work"] * 140)
                server.acknowledged(round_ * 150 * EVENTS)
                end(server)
        check(client, cell, at_least=300 * EVENTS)


def add_tasks(cell: Cell, *names: str) -> None:
    """As the application that asks for work does it, in a process of its own. The broker has no order."""
    program = (
        "from tests.life_cycle import celery_application\n"
        f"for name in {names}: getattr(celery_application, name).delay()"
    )
    subprocess.run([sys.executable, "-c", program], cwd=_ROOT, env=environment(cell), check=True, timeout=120)


class TestGunicorn:
    """Its workers of each kind, forked before or after the application is imported."""

    @pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
    @pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
    def test_every_acknowledged_event_is_stored_once(
        self, store: tuple[str, Any], tmp_path: Path, kind: str, preload: tuple[str, ...]
    ) -> None:
        """A worker is killed; all are replaced; all are killed at once. Then a server ends well."""
        url, client = store
        cell = Cell(url=url, folder=str(tmp_path), tenant=f"gunicorn-{kind}{len(preload)}")
        with listening() as listener:
            command = ["gunicorn", "--bind", f"fd://{listener.fileno()}", "--workers", "2", "--worker-class", kind]
            # gevent's workers often wait for connections that are gone, with any application.
            command += ["--graceful-timeout", "3", *preload, "tests.life_cycle.gunicorn_application:application"]
            port = listener.getsockname()[1]
            for end in (Server.kill, Server.end):
                with Server(command, cell, kept=(listener.fileno(),)) as server:
                    assert ask(port, 50) == 50
                    server.kill_a_worker()
                    assert ask(port, 50) == 50
                    server.replace_all()
                    assert ask(port, 50) >= 40
                    end(server)
        check(client, cell, at_least=280 * EVENTS)


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that a server inherits, as from systemd: what is asked before it is up waits in its backlog."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield listener


def ask(port: int, requests: int) -> int:
    """Several clients at once; returns how many requests were answered."""
    with ThreadPoolExecutor(4) as clients:
        return sum(clients.map(_answered, [port] * requests))


def _answered(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/")
        return connection.getresponse().status == 204
    except (OSError, http.client.HTTPException):  # a worker that is replaced has not read it yet
        return False
    finally:
        connection.close()
