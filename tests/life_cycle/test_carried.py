"""What is bound goes along to processes of each kind, and all that these emit arrives once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kill import matrix
from tests.kill.backend import served
from tests.kill.worker import Cell
from tests.life_cycle.carried import EVENTS, PIECES
from tests.life_cycle.test_prefork_servers import check

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


def run(cell: Cell, method: str, program: str) -> str:
    """To its end; what it wrote on its standard error."""
    command = [sys.executable, "-m", "tests.life_cycle.carried", cell.to_json(), method, program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=_ROOT)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("program", ["executor", "pool", "process"])
def test_who_handed_the_work_over(store: tuple[str, Any], tmp_path: Path, method: str, program: str) -> None:
    """Children send what they have before they end, by themselves."""
    url, client = store
    cell = Cell(url=url, folder=str(tmp_path), tenant=f"{program}-{method}")
    run(cell, method, program)
    check(client, cell, at_least=PIECES * EVENTS)
    question = (
        "SELECT ActorType, ActorId, RequestId, count() FROM activity_events WHERE TenantId = {tenant:String}"
    )
    rows = client.query(f"{question} GROUP BY ALL", parameters={"tenant": cell.tenant}).result_rows
    assert [tuple(row) for row in rows] == [("user", "1", "r-1", PIECES * EVENTS)]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_child_that_nobody_has_configured(store: tuple[str, Any], tmp_path: Path, method: str) -> None:
    """It counts what it drops, and warns, once; its parent's events are as ever."""
    cell = Cell(url=store[0], folder=str(tmp_path), tenant=f"unconfigured-{method}")
    said = run(cell, method, "unconfigured")
    assert said.count("events are dropped because activitylog.configure() was not called") == 1
    check(store[1], cell, at_least=EVENTS)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_embedded_store(tmp_path: Path, method: str) -> None:
    """The process that has it open delivers what the others leave on disk, or the next one does."""
    cell = Cell(url=f"chdb://{tmp_path}/store", folder=str(tmp_path), tenant=f"embedded-{method}")
    run(cell, method, "executor")
    counted = matrix.recover(cell)
    assert counted.acknowledged == PIECES * EVENTS
    assert counted.exact, counted
