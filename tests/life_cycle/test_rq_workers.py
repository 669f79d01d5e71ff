"""RQ's worker, as a process that forks one for each job: who asked is in each event, and all arrive once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kill import matrix
from tests.kill.backend import served
from tests.kill.worker import Cell
from tests.life_cycle.prefork import BROKER, EVENTS
from tests.life_cycle.servers import Server
from tests.life_cycle.test_celery_workers import check_who
from tests.life_cycle.test_prefork_servers import acknowledged, check, environment
from tests.redis_server import redis_server
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


@pytest.fixture
def cell(store: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    """Of one test, with a broker of its own."""
    with redis_server(tmp_path) as socket:
        monkeypatch.setenv(BROKER, str(socket))
        yield Cell(url=store[0], folder=str(tmp_path), tenant=f"rq-{tmp_path.name}")


def run(cell: Cell, *calls: str) -> str:
    """Each in a process of its own; what the last one wrote."""
    said = ""
    for call in calls:
        command = [sys.executable, "-c", f"import tests.life_cycle.rq_jobs as jobs; jobs.{call}"]
        ended = subprocess.run(
            command, cwd=_ROOT, env=environment(cell), check=True, timeout=300, capture_output=True, text=True
        )
        said = ended.stderr
    return said


@pytest.mark.parametrize("durability", ["process", "memory"])
def test_a_worker_that_ends_with_its_jobs(store: tuple[str, Any], cell: Cell, durability: str) -> None:
    """Each process sends what it has before it ends."""
    cell = replace(cell, durability=durability)
    said = run(cell, "ask('do', 4)", "work()")
    assert matrix.left_in(Path(cell.folder) / "spool") == []
    check(store[1], cell, at_least=4 * EVENTS)
    check_who(store[1], cell, 4)
    assert "lost until shutdown" not in said


def test_a_worker_that_stays(store: tuple[str, Any], cell: Cell) -> None:
    """Its processes leave what they have to it, and it sends that within seconds."""
    run(cell, "ask('do', 20)")
    log = Path(cell.folder) / "log"
    with Server(["tests.life_cycle.rq_worker"], environ=environment(cell), log=log) as worker:
        acknowledged(cell, 20 * EVENTS)
        count = "SELECT count() FROM activity_events WHERE TenantId = {tenant:String}"
        wait_until(
            lambda: store[1].query(count, parameters={"tenant": cell.tenant}).result_rows == [(20 * EVENTS,)]
        )
        worker.end()
    check(store[1], cell, at_least=20 * EVENTS)
    check_who(store[1], cell, 20)


def test_a_process_that_is_killed(store: tuple[str, Any], cell: Cell) -> None:
    """What it had emitted is on disk, and its parent, or who comes next, sends it."""
    run(cell, "ask('die', 2)", "ask('do', 2)", "work()")
    check(store[1], cell, at_least=4 * EVENTS)
    check_who(store[1], cell, 4)


def test_a_time_limit_is_never_swallowed(store: tuple[str, Any], cell: Cell) -> None:
    """Though it nearly always comes while an event is emitted."""
    run(cell, "ask('spin', 3)", "work()")
    assert cell.killed.read_text().split() == ["over"] * 3
    check(store[1], cell, at_least=1)


def test_a_backend_that_is_away(cell: Cell) -> None:
    """All jobs are done, and what they have emitted is on disk."""
    cell = replace(cell, url="clickhouse://127.0.0.1:1/activity")
    run(cell, "ask('do', 2)", "work()")
    assert len(cell.acknowledged.read_text().split()) == 2 * EVENTS
    assert matrix.left_in(Path(cell.folder) / "spool") != []
