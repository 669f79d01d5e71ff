"""Several processes with one embedded store, which one of them at a time can open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill import matrix
from tests.kill.worker import Cell

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]


def started(cell: Cell, seconds: float) -> subprocess.Popen[str]:
    """A process that emits for so long."""
    command = [sys.executable, "-m", "tests.life_cycle.embedded", cell.to_json(), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT)


def test_who_has_the_store_open_stores_for_all_and_another_one_takes_over(tmp_path: Path) -> None:
    """The owner is killed in the midst of it; another process becomes the owner, and every event is there once."""
    cell = Cell(url=f"chdb://{tmp_path}/store", folder=str(tmp_path), tenant="shared")
    owner = started(cell, 120)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "owner\n"
    others = [started(cell, 20), started(cell, 25)]
    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "served\n"
    owner.kill()
    said = [process.communicate(timeout=120) for process in (owner, *others)]
    for process, (_, stderr) in zip(others, said[1:], strict=True):
        assert process.returncode == 0, stderr
        assert "Traceback" not in stderr
    assert "owner\n" in said[1][0] + said[2][0]
    counted = matrix.recover(cell)
    assert counted.acknowledged > 100
    assert (counted.lost, counted.doubled) == (0, 0), counted
    assert counted.rolled_up == counted.rows == counted.stored >= counted.acknowledged
