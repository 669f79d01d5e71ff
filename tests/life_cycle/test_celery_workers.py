"""
Celery's workers of each kind, as processes: who asked for a task is in its events, and all of them arrive once.

The broker is a folder; what cannot be done with a folder is done with a Redis: to take tasks back, and to end at
once, at which billiard's pool without an event loop waits for ever where a process that it kills has threads.
"""

from __future__ import annotations

import os
import re
import signal
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
from tests.life_cycle.test_prefork_servers import acknowledged, check, environment
from tests.redis_server import redis_server
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]
_TASKS = "tests.life_cycle.celery_tasks"
#: What a process says of something that went wrong in ours.
_WRONG = re.compile(r"Signal handler .* raised|activitylog: an event was dropped|were lost until shutdown")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


@pytest.fixture
def cell(store: tuple[str, Any], tmp_path: Path) -> Cell:
    """Of one test, with a broker of files."""
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    return Cell(url=store[0], folder=str(tmp_path), tenant=f"workers-{tmp_path.name}")


class Worker(Server):
    """A worker with its pool."""

    def __init__(self, cell: Cell, *options: str, tasks: str = _TASKS) -> None:
        command = ["celery", "-A", tasks, "worker", "--without-mingle", "--without-gossip", "-l", "WARNING"]
        super().__init__([*command, *options], environ=environment(cell), log=Path(cell.folder) / "log")
        self._cell = cell

    def __enter__(self) -> Worker:
        return self

    def end_at_once(self) -> None:
        """As a second Ctrl-C does: the tasks that run are killed."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(60)

    def noted(self, word: str, *, times: int = 1) -> None:
        """Wait until its tasks have noted a word so many times."""
        ledger = self._cell.killed
        wait_until(lambda: ledger.exists() and ledger.read_text().split().count(word) >= times)


def ask(cell: Cell, name: str, count: int = 1) -> list[str]:
    """Ask for tasks in a process of its own, as ``user:1``; their ids."""
    return _run(cell, f"ask({name!r}, {count})")


def revoke(cell: Cell, task_id: str) -> None:
    """Have a task that runs be killed."""
    _run(cell, f"revoke({task_id!r})")


def _run(cell: Cell, call: str) -> list[str]:
    command = [sys.executable, "-c", f"import {_TASKS} as tasks; tasks.{call}"]
    ended = subprocess.run(
        command, cwd=_ROOT, env=environment(cell), check=True, timeout=120, capture_output=True, text=True
    )
    return ended.stdout.split()


def rows(client: Any, cell: Cell, columns: str, where: str = "1") -> list[tuple[Any, ...]]:
    """What the store has of a cell's events."""
    question = f"SELECT {columns} FROM activity_events WHERE TenantId = {{tenant:String}} AND {where}"
    return [tuple(row) for row in client.query(question, parameters={"tenant": cell.tenant}).result_rows]


def check_who(client: Any, cell: Cell, tasks: int) -> None:
    """All events say who asked, in which request, and which task it was."""
    assert rows(client, cell, "ActorType, ActorId, RequestId, count()", "1 GROUP BY ALL") == [
        ("user", "1", "r-1", tasks * EVENTS)
    ]
    assert rows(client, cell, "uniqExact(Attributes['messaging.message.id'])") == [(tasks,)]


class TestPools:
    @pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
    def test_who_asked_is_in_every_event(self, store: tuple[str, Any], cell: Cell, pool: str) -> None:
        """Also of tasks that tasks have asked for; a worker that ends well leaves nothing behind."""
        ask(cell, "work", 30)
        with Worker(cell, f"--pool={pool}", "-c", "2") as worker:
            acknowledged(cell, 60 * EVENTS)
            worker.end()
        assert matrix.left_in(Path(cell.folder) / "spool") == []
        check(store[1], cell, at_least=60 * EVENTS)
        check_who(store[1], cell, 60)
        assert _WRONG.search(worker.log.read_text()) is None


class TestDjango:
    def test_a_project_whose_settings_configure(self, store: tuple[str, Any], cell: Cell) -> None:
        """The worker's processes have what Django configured when it was ready; commits count in tasks, too."""
        tasks = "tests.life_cycle.django_tasks"
        command = [sys.executable, "-c", f"import {tasks} as tasks; tasks.ask({cell.tenant!r}, 10)"]
        subprocess.run(command, cwd=_ROOT, env=environment(cell), check=True, timeout=120)
        with Worker(cell, "--pool=prefork", "-c", "2", tasks=tasks) as worker:
            wait_until(lambda: rows(store[1], cell, "count()") == [(10,)])
            worker.end()
        who = rows(store[1], cell, "EventName, ActorId, count(), uniqExact(ObjectId)", "1 GROUP BY ALL")
        assert who == [("order.paid", "1", 10, 10)]
        assert _WRONG.search(worker.log.read_text()) is None


class TestEnds:
    def test_processes_that_are_replaced_send_what_they_have(self, store: tuple[str, Any], cell: Cell) -> None:
        """After so many tasks each; nothing but that sends it, where nothing is on disk."""
        cell = replace(cell, durability="memory")
        ask(cell, "work", 20)
        with Worker(cell, "--pool=prefork", "-c", "2", "--max-tasks-per-child=3") as worker:
            acknowledged(cell, 40 * EVENTS)
            worker.end()
        check(store[1], cell, at_least=40 * EVENTS)
        check_who(store[1], cell, 40)
        assert _WRONG.search(worker.log.read_text()) is None

    def test_a_backend_that_is_away_does_not_hold_up_the_end(self, cell: Cell) -> None:
        """The wait is bounded, and what could not be sent is on disk."""
        cell = replace(cell, url="clickhouse://127.0.0.1:1/activity")
        ask(cell, "work", 2)
        with Worker(cell, "--pool=prefork", "-c", "2") as worker:
            acknowledged(cell, 4 * EVENTS)
            worker.end()
        assert matrix.left_in(Path(cell.folder) / "spool") != []


class TestTimeLimits:
    def test_a_soft_limit_is_never_swallowed(self, store: tuple[str, Any], cell: Cell) -> None:
        """Though it nearly always comes while an event is emitted."""
        ask(cell, "spin", 5)
        with Worker(cell, "--pool=prefork", "-c", "2") as worker:
            worker.noted("soft", times=5)
            worker.end()
        check(store[1], cell, at_least=1)
        failed = rows(store[1], cell, "ActorId, ErrorType, count()", "EventName = 'task.failed' GROUP BY ALL")
        assert failed == [("1", "billiard.exceptions.SoftTimeLimitExceeded", 5)]

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            ("hang", "billiard.exceptions.TimeLimitExceeded"),
            ("die", "billiard.exceptions.WorkerLostError"),
            ("leave", "billiard.exceptions.WorkerLostError"),
        ],
    )
    def test_a_task_whose_process_is_gone(self, store: tuple[str, Any], cell: Cell, name: str, error: str) -> None:
        """Told by the worker, once, in the name of who had asked for it."""
        (task_id,) = ask(cell, name)
        with Worker(cell, "--pool=prefork", "-c", "2") as worker:
            wait_until(lambda: rows(store[1], cell, "1", "EventName = 'task.failed'"))
            worker.end()
        check(store[1], cell, at_least=EVENTS)
        failed = rows(store[1], cell, "ActorId, ObjectId, ErrorType, Outcome", "EventName = 'task.failed'")
        assert failed == [("1", task_id, error, "failure")]


class TestRedis:
    @pytest.fixture(autouse=True)
    def _broker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with redis_server(tmp_path) as socket:
            monkeypatch.setenv(BROKER, f"redis+socket://{socket}")
            yield

    @pytest.mark.parametrize("pool", ["prefork", "gevent"])
    def test_who_asked_is_in_every_event(self, store: tuple[str, Any], cell: Cell, pool: str) -> None:
        """As with files."""
        ask(cell, "work", 10)
        with Worker(cell, f"--pool={pool}", "-c", "2") as worker:
            acknowledged(cell, 20 * EVENTS)
            worker.end()
        check(store[1], cell, at_least=20 * EVENTS)
        check_who(store[1], cell, 20)

    def test_tasks_that_are_killed_at_the_end(self, store: tuple[str, Any], cell: Cell) -> None:
        """What they had emitted is on disk, for the next worker."""
        ask(cell, "wait", 2)
        with Worker(cell, "--pool=prefork", "-c", "2") as worker:
            worker.noted("waiting", times=2)
            worker.end_at_once()
        check(store[1], cell, at_least=2 * EVENTS)

    def test_a_task_that_is_taken_back_while_it_runs(self, store: tuple[str, Any], cell: Cell) -> None:
        """Its process is killed; what it had emitted is there, and that it was taken back."""
        with Worker(cell, "--pool=prefork", "-c", "2") as worker:
            (task_id,) = ask(cell, "wait")
            worker.noted("waiting")
            revoke(cell, task_id)
            wait_until(lambda: rows(store[1], cell, "1", "EventName = 'task.revoked'"))
            worker.end()
        check(store[1], cell, at_least=EVENTS)
        told = rows(store[1], cell, "EventName, ActorId, ObjectId", "EventName LIKE 'task.%'")
        assert told == [("task.revoked", "1", task_id)]
        assert os.environ[BROKER].startswith("redis")
