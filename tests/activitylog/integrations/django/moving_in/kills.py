"""
Imports that are killed (SIGKILL) at random moments, and go on.

``python -m tests.activitylog.integrations.django.moving_in.kills KILLS SEED`` is the long form.

The store is a process of its own, so that an insert whose sender was killed goes on. What has arrived at the end
is compared row by row.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving import ServedStore

_ROOT = Path(__file__).parents[5]
_HISTORY = Path(__file__).parent / "history.py"
_BATCH = 100
_DEADLINE_SECONDS = 600


@dataclass
class Killed:
    """
    What was done.

    Attributes:
        kills: processes that were killed.
        under_way: of these, with a chunk that was begun.
        states_lost: how often the state was taken away, too.
        report: of the last process, which went to the end.
        copies: key -> how many events of it are stored.
        rows: keys of the table.
    """

    kills: int
    under_way: int
    states_lost: int
    report: dict[str, Any]
    copies: Counter[int]
    rows: list[int]
    complete: bool


class Imports:
    """
    One table and one store, into which processes import.

    Args:
        folder: of the state.
        database: of the table, as ``history.py`` takes it.
        url: of the store.
    """

    def __init__(self, folder: Path, database: str, url: str) -> None:
        self.state = folder / "state"
        self._environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            "PYTHONPATH": str(_ROOT),
            "XDG_STATE_HOME": str(folder / "home"),
            "HISTORY_DATABASE": database,
            "HISTORY_STORE": url,
        }

    def fill(self, rows: int) -> None:
        """Make the table."""
        subprocess.run(self._command("fill", str(rows)), env=self._environ, check=True, timeout=_DEADLINE_SECONDS)

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Begin an import, or go on with it."""
        return subprocess.Popen(
            self._command("import_activity", "chat.ActivityLog", "--json", "--state", str(self.state), *options),
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *options: str) -> dict[str, Any]:
        """Go to the end; what it says."""
        process = self.start(*options)
        out, error = process.communicate(timeout=_DEADLINE_SECONDS)
        assert process.returncode == 0, f"{process.returncode}: {out} {error}"
        return json.loads(out)  # type: ignore[no-any-return]

    def progress(self) -> tuple[int, bool]:
        """Rows that are done, and whether a chunk is begun."""
        for file in self.state.glob("*.json"):
            try:
                found = json.loads(file.read_text())
            except (OSError, ValueError):
                continue
            return found["counts"].get("read", 0), found["begun"] is not None
        return 0, False

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(_HISTORY), *arguments]


def kill_and_go_on(folder: Path, kills: int, seed: int, database: str | None = None) -> Killed:
    """Import a table while processes are killed, so often, and look what has arrived."""
    chance = random.Random(seed)
    with ServedStore(folder / "store") as store:
        client = _with_tables(store)
        imports = Imports(folder, database or str(folder / "old.sqlite3"), store.url)
        imports.fill(kills * 10 * _BATCH)
        killed = under_way = lost = 0
        while killed < kills:
            if _killed(imports, chance):
                killed += 1
                under_way += imports.progress()[1]
                if chance.random() < 0.2:
                    shutil.rmtree(imports.state)
                    lost += 1
            else:  # it came to the end: once more from the beginning
                shutil.rmtree(imports.state)
        report = imports.finish("--resume", "--batch", str(_BATCH))
        found = client.query("SELECT toInt64(Attributes['legacy.pk']) FROM activity_events").result_rows
        from activitylog.queries import verify

        complete = verify(client).complete
        client.close()
    rows = list(range(1, kills * 10 * _BATCH + 1))
    return Killed(killed, under_way, lost, report, Counter(key for (key,) in found), rows, complete)


def _with_tables(store: ServedStore) -> Any:
    from activitylog.store import apply, connect

    store.wait()
    client = connect(store.url)
    apply(client)
    return client


def _killed(imports: Imports, chance: random.Random) -> bool:
    """Kill an import at some moment after it has begun to send; False where it was faster."""
    done = imports.progress()[0]
    process = imports.start("--resume", "--batch", str(_BATCH), "--no-reconcile")
    try:
        end = time.monotonic() + _DEADLINE_SECONDS
        while process.poll() is None and imports.progress()[0] <= done:
            assert time.monotonic() < end
            _wait(process, 0.005)
        _wait(process, chance.random() * 0.3)
        if process.poll() is not None:
            assert process.returncode == 0, process.communicate()
            return False
        process.send_signal(signal.SIGKILL)
        return True
    finally:
        process.kill()
        process.communicate(timeout=60)


def _wait(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        outcome = kill_and_go_on(Path(name), int(sys.argv[1]), int(sys.argv[2]))
        twice = sum(copies - 1 for copies in outcome.copies.values())
        missing = len(set(outcome.rows) - outcome.copies.keys())
        sys.stdout.write(
            f"{outcome.kills} kills ({outcome.under_way} with a chunk begun, {outcome.states_lost} states lost): "
            f"{len(outcome.rows)} rows, {missing} missing, {twice} twice, complete: {outcome.complete}, "
            f"equal: {outcome.report['reconciled']['equal']}\n"
        )
