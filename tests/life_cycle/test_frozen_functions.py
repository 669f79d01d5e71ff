"""
Functions that are frozen when they have answered, as AWS Lambda has it: goes on later, or never.

Frozen is stopped by SIGSTOP here: no thread of the process runs, while the clock does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from activitylog.store import apply
from tests.kill.worker import Cell
from tests.life_cycle.frozen_function import EVENTS
from tests.life_cycle.test_prefork_servers import check
from tests.serving import ServedStore

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedStore, Any]]:
    """A server that can be stopped, and a client of it."""
    with ServedStore(tmp_path_factory.mktemp("store")) as server:
        client = server.client()
        apply(client)
        yield server, client
        client.close()


@pytest.fixture
def cell(store: tuple[ServedStore, Any], tmp_path: Path) -> Cell:
    """Of one test."""
    return Cell(url=store[0].url, folder=str(tmp_path), tenant=f"frozen-{tmp_path.name}")


class Function:
    """A process that is frozen but while it answers; a context manager that kills it as it is."""

    def __init__(self, cell: Cell, timeout_seconds: float = 60) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.life_cycle.frozen_function", cell.to_json(), str(timeout_seconds)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(60)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def invoke(self, what: str = "work") -> str:
        """Thaw it, ask, and freeze it with its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        os.kill(self._process.pid, signal.SIGCONT)
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        os.kill(self._process.pid, signal.SIGSTOP)
        return answer


def stored(client: Any, cell: Cell) -> int:
    """Events that have arrived."""
    count = "SELECT count() FROM activity_events WHERE TenantId = {tenant:String}"
    return int(client.query(count, parameters={"tenant": cell.tenant}).result_rows[0][0])


def test_what_was_emitted_is_sent_before_the_answer(store: tuple[ServedStore, Any], cell: Cell) -> None:
    """Also before an exception; it does not matter that the process never goes on."""
    with Function(cell) as function:
        for number, what in enumerate(["work", "fail", "work"], 1):
            assert function.invoke(what) == ("failed" if what == "fail" else "answered")
            assert stored(store[1], cell) == number * EVENTS
    check(store[1], cell, at_least=3 * EVENTS)
    invocations = "SELECT Attributes['faas.invocation_id'], ActorId, count() FROM activity_events"
    found = store[1].query(
        f"{invocations} WHERE TenantId = {{tenant:String}} GROUP BY ALL ORDER BY 1",
        parameters={"tenant": cell.tenant},
    )
    assert [tuple(row) for row in found.result_rows] == [(f"i-{n}", "1", EVENTS) for n in range(3)]


def test_it_is_frozen_for_longer_than_connections_live(store: tuple[ServedStore, Any], cell: Cell) -> None:
    """The next invocation finds the backend restarted meanwhile, and sends all the same."""
    server, client = store
    with Function(cell) as function:
        function.invoke()
        server.kill()
        server.start()
        server.wait()
        function.invoke()
        function.invoke()
    check(client, cell, at_least=3 * EVENTS)


def test_a_backend_that_does_not_answer(store: tuple[ServedStore, Any], cell: Cell) -> None:
    """The answer waits for a bounded time; the next invocation sends what is left, once."""
    server, client = store
    with Function(cell, timeout_seconds=2) as function:
        function.invoke()
        server.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert function.invoke() == "answered"
        assert function.invoke() == "answered"
        assert time.monotonic() - began < 20
        server.process.send_signal(signal.SIGCONT)
        while stored(client, cell) < 4 * EVENTS:
            assert function.invoke() == "answered"
    check(client, cell, at_least=4 * EVENTS)


def test_killed_while_the_backend_is_away(store: tuple[ServedStore, Any], cell: Cell) -> None:
    """What no invocation could send is in the folder, for whoever has the same one."""
    server, client = store
    with Function(cell, timeout_seconds=2) as function:
        function.invoke()
        server.process.send_signal(signal.SIGSTOP)
        function.invoke()
    server.process.send_signal(signal.SIGCONT)
    with Function(cell) as function:
        function.invoke()
    check(client, cell, at_least=3 * EVENTS)
