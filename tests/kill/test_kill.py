"""The short form of the kill matrix, and the controls that show that the harness can see a loss and a double."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kill import matrix
from tests.kill.backend import served
from tests.kill.failpoints import KINDS, PHASES
from tests.kill.worker import WAYS, Cell, forget_tokens

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server that survives the kills, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store


def short_form() -> list[Cell]:
    """A fifth of the matrix's diagonal: each way with three phases, each phase with several ways, all kinds."""
    every = list(matrix.cells("", Path()))
    chosen = []
    for w, way in enumerate(WAYS):
        for p in range(w % 2, len(PHASES), 2):
            kind = KINDS[(w + p) % len(KINDS)]
            chosen += [c for c in every if (c.way, c.phase, c.kind) == (way, PHASES[p], kind)]
    return chosen


@pytest.mark.parametrize("cell", short_form(), ids=lambda cell: cell.tenant)
def test_nothing_is_lost_and_nothing_doubled(cell: Cell, store: tuple[str, Any], tmp_path: Path) -> None:
    """Whatever a process was at when it died, each event whose emit had returned is in the store once."""
    url, client = store
    cell = replace(cell, url=url, folder=str(tmp_path / "cell"))
    matrix.run(cell)
    matrix.drain(cell)
    counted = matrix.count(client, cell)
    assert (counted.lost, counted.doubled) == (0, 0), counted
    assert counted.rolled_up == counted.rows == counted.stored >= counted.acknowledged


def embedded_form() -> list[Cell]:
    """Of the cells with the engine in the killed process one for each phase but idle."""
    return [cell for number, cell in enumerate(matrix.embedded_cells(Path())) if number in (6, 12, 18, 23, 29)]


@pytest.mark.parametrize("cell", embedded_form(), ids=lambda cell: cell.tenant)
def test_the_engine_dies_with_the_process(cell: Cell, tmp_path: Path) -> None:
    """An embedded store that is killed with its process, even in the midst of an insert, has each event once."""
    cell = replace(cell, url=f"chdb://{tmp_path}/store", folder=str(tmp_path / "cell"))
    matrix.run(cell)
    counted = matrix.recover(cell)
    assert (counted.lost, counted.doubled) == (0, 0), counted
    assert counted.rolled_up == counted.rows == counted.stored >= counted.acknowledged


def test_without_a_spool_the_same_kill_loses(store: tuple[str, Any], tmp_path: Path) -> None:
    """The control: events that wait in memory die with the process, and the count says so."""
    url, client = store
    cell = Cell(
        url=url, folder=str(tmp_path / "cell"), tenant="memory", point="insert.before", durability="memory"
    )
    matrix.run(cell)
    counted = matrix.count(client, cell)
    assert counted.acknowledged > 0
    assert counted.lost == counted.acknowledged


def test_without_the_token_the_same_kill_doubles(store: tuple[str, Any], tmp_path: Path) -> None:
    """The control: a token that is drawn anew for each attempt stores a batch twice, and the count says so."""
    url, client = store
    cell = Cell(
        url=url, folder=str(tmp_path / "cell"), tenant="fresh", point="insert.after", nth=3, fresh_tokens=True
    )
    matrix.run(cell)
    with pytest.MonkeyPatch.context() as patch:
        forget_tokens(patch.setattr)
        matrix.drain(cell)
    counted = matrix.count(client, cell)
    assert counted.lost == 0
    assert counted.doubled > 0
    assert counted.rolled_up == counted.rows > counted.stored
