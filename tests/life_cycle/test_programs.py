"""However a program begins its processes and ends them: each acknowledged event is in the store once."""

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
from tests.life_cycle.programs import PROGRAMS

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]
#: All that a program without an unusual end emits is sent before it ends.
SENT_BY_ITSELF = {"normal", "atexit_after", "process", "executor"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_acknowledged_event_is_stored_once(name: str, store: tuple[str, Any], tmp_path: Path) -> None:
    """The program ends in time and well; what it could not send, the next process sends."""
    url, client = store
    cell = Cell(url=url, folder=str(tmp_path), tenant=name)
    command = [sys.executable, "-m", "tests.life_cycle.programs", name, cell.to_json()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=_ROOT)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    if name in SENT_BY_ITSELF:
        assert matrix.left_in(tmp_path / "spool") == []
    matrix.drain(cell)
    counted = matrix.count(client, cell)
    assert counted.acknowledged > 0
    assert (counted.lost, counted.doubled) == (0, 0), counted
    assert counted.rolled_up == counted.rows == counted.stored
