"""The cells, what it takes to run one, and what is counted afterwards."""

from __future__ import annotations

import itertools
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.kill.failpoints import FAILPOINTS, KINDS, PHASES, STATUS
from tests.kill.worker import WAYS, Cell

_FOLDER: Final = re.compile(r"[0-9a-f]{16}-[0-9]{6}")
_ROOT: Final = Path(__file__).parents[2]
_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Count:
    """
    What became of a cell's events.

    Attributes:
        acknowledged: for how many ``emit`` had returned.
        stored: how many different ones the store has.
        lost: acknowledged ones that it does not have.
        doubled: ones that it has more than once.
        rolled_up: what the hourly view counted.
        rows: what it should have counted.
    """

    acknowledged: int
    stored: int
    lost: int
    doubled: int
    rolled_up: int
    rows: int

    @property
    def exact(self) -> bool:
        """Nothing lost, nothing doubled, the view says the same."""
        return self.lost == self.doubled == 0 and self.rolled_up == self.rows == self.stored


def cells(url: str, folder: Path, *, seed: int = 1) -> Iterator[Cell]:
    """The whole matrix; failpoints of a phase take turns, and the passage at which it happens is drawn."""
    rng = random.Random(seed)
    turns = {
        phase: itertools.cycle([name for name, point in FAILPOINTS.items() if point.phase == phase])
        for phase in PHASES
    }
    for number, (way, phase, kind) in enumerate(itertools.product(WAYS, PHASES, KINDS)):
        point = next(turns[phase])
        nth = passage(point, rng)
        name = f"{number:03d}-{way}-{point}-{kind}"
        yield Cell(url=url, folder=str(folder / name), tenant=name, way=way, point=point, kind=kind, nth=nth)


def passage(point: str, rng: random.Random) -> int:
    """At which passage of a failpoint to die: there are hundreds of writes, tens of batches, one recovery."""
    if FAILPOINTS[point].phase == "recovering":
        return 1
    if FAILPOINTS[point].phase == "writing":
        return rng.randint(1, 500)
    if point in ("compacting.before", "renaming.before", "renaming.after"):
        return 1
    return rng.randint(1, 6)


def embedded_cells(folder: Path, *, seed: int = 1) -> Iterator[Cell]:
    """The cells of one process with threads, its engine in it: killed with it."""
    for cell in cells("", folder, seed=seed):
        if cell.way == "thread":
            name = f"embedded-{cell.tenant}"
            place = folder / name
            yield replace(cell, url=f"chdb://{place}/store", folder=str(place), tenant=name, events=300)


def recover(cell: Cell) -> Count:
    """Drain and count in a process of its own, for an embedded store."""
    command = [sys.executable, "-m", "tests.kill.recover", cell.to_json()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=_ROOT)
    if ended.returncode != 0:
        raise TimeoutError(f"{cell.tenant}: {ended.stderr[-2000:]}")
    return Count(**json.loads(ended.stdout))


class UnreachedError(Exception):
    """The victim ended without having come to its failpoint, or in another way than it should have."""


def run(cell: Cell) -> None:
    """
    Run a cell's processes to their end.

    Raises:
        UnreachedError: the kill did not happen as asked for.
    """
    Path(cell.folder).mkdir(parents=True)
    command = [sys.executable, "-m", "tests.kill.worker", cell.to_json()]
    if cell.way == "thread" and cell.phase == "recovering":
        _run([*command, "leave"], cell)
    ended = _run(command, cell)
    killed = cell.killed.read_text().splitlines() if cell.killed.exists() else []
    status = ended.returncode
    if cell.way != "thread":
        said = [line for line in killed if line.startswith("victim ")]
        if status != 0 or not said:
            raise UnreachedError(f"{cell.tenant}: the parent ended with {status}: {ended.stderr[-2000:]}")
        status = int(said[-1].split()[1])
    if cell.point != "none" and (cell.point not in killed or status != STATUS[cell.kind]):
        raise UnreachedError(f"{cell.tenant}: status {status}, reached {killed}: {ended.stderr[-2000:]}")


def _run(command: list[str], cell: Cell) -> subprocess.CompletedProcess[str]:
    stderr = Path(cell.folder) / "stderr"
    with stderr.open("w") as file:
        ended = subprocess.run(command, stdout=file, stderr=file, timeout=_SECONDS, check=False, cwd=_ROOT)
    return subprocess.CompletedProcess(command, ended.returncode, "", stderr.read_text())


def left_in(spool: Path) -> list[Path]:
    """Folders of processes that are still in a spool."""
    return [path for path in spool.glob("*/*") if _FOLDER.fullmatch(path.name)]


def drain(cell: Cell, *, seconds: float = 60.0) -> None:
    """
    Send what the dead have left, as the next process of the application would.

    Raises:
        TimeoutError: something is left.
    """
    from activitylog.assembly import build_pipeline
    from activitylog.settings import load_settings

    spool = Path(cell.folder) / "spool"
    options = {"spool_directory": str(spool), "durability": "process", "create_schema": cell.is_embedded}
    settings = load_settings({"url": cell.url, **options}, environ={})
    left = left_in(spool)
    pipeline = build_pipeline(settings)
    if cell.is_embedded:  # a process that never emits leaves the engine to others
        pipeline.submit("info", "process.started", {})
    end = time.monotonic() + seconds
    while any(folder.exists() for folder in left) and time.monotonic() < end:
        time.sleep(0.02)
    pipeline.shutdown(seconds)  # it may open an engine for the first time in it
    if left := left_in(spool):
        raise TimeoutError(f"{cell.tenant}: left in the spool: {left}")


def count(client: Any, cell: Cell) -> Count:
    """Compare the ledger with the store."""
    acknowledged = cell.acknowledged.read_text().splitlines() if cell.acknowledged.exists() else []
    parameters = {"tenant": cell.tenant}
    events = "FROM activity_events WHERE TenantId = {tenant:String}"
    rows = client.query(f"SELECT ObjectId, toString(EventId) {events}", parameters=parameters).result_rows
    stored, ids = Counter(row[0] for row in rows), Counter(row[1] for row in rows)
    hourly = "SELECT sum(RowCount) FROM activity_events_hourly WHERE TenantId = {tenant:String}"
    rolled_up = client.query(hourly, parameters=parameters).result_rows[0][0]
    return Count(
        acknowledged=len(acknowledged),
        stored=len(stored),
        lost=len(set(acknowledged) - stored.keys()),
        doubled=sum(n > 1 for n in stored.values()) + sum(n > 1 for n in ids.values()),
        rolled_up=int(rolled_up),
        rows=len(rows),
    )
