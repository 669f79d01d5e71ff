"""
Servers that fork before they work, as people run them: processes of theirs are killed, then all of them.

What was acknowledged is in the store once, whoever dies; the next process of the application sends what is left.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.kill import matrix
from tests.kill.backend import served
from tests.kill.worker import Cell
from tests.life_cycle.prefork import CELL, EVENTS
from tests.life_cycle.servers import Server, listening
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


def serving(command: list[str], cell: Cell, kept: tuple[int, ...] = ()) -> Server:
    """A server whose events are of this cell."""
    return Server(command, environ=environment(cell), log=Path(cell.folder) / "log", kept=kept)


def acknowledged(cell: Cell, events: int) -> None:
    """Wait until so many were, of all servers."""
    wait_until(lambda: _lines(cell.acknowledged) >= events)


def environment(cell: Cell) -> dict[str, str]:
    """Of a server and of who gives it work."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    return {**inherited, "HOME": cell.folder, CELL: cell.to_json(), "C_FORCE_ROOT": "1"}


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
            with serving(command, cell) as server:
                server.said("signal 9 (SIGKILL)", times=round_)
                add_tasks(cell, *["work"] * 140)
                acknowledged(cell, round_ * 150 * EVENTS)
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
                with serving(command, cell, kept=(listener.fileno(),)) as server:
                    assert ask(port, 50) == 50
                    server.kill_a_worker()
                    assert ask(port, 50) == 50
                    server.replace_all()
                    assert ask(port, 50) >= 40
                    end(server)
        check(client, cell, at_least=280 * EVENTS)


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
