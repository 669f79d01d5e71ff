"""Killed at any point: run it again, and the subject is gone, with one record that is right."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

pytestmark = pytest.mark.slow

#: Runs in a process of its own: a store in a folder, and an erasure that is killed before or after the first call
#: of a function, or not at all.
_PROGRAM: Final = """
import json, os, signal, sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from activitylog.store import apply, connect
from activitylog.store.archive import create
from activitylog.store.subjects.erase import erase
from activitylog.store.subjects.record import erasures
from activitylog.store.subjects.proof import prove
from activitylog.store.subjects.subject import subject
from tests.activitylog.store.subjects.erasing import event, insert, naming, stored

job = json.loads(sys.argv[1])
client = connect("chdb://" + job["store"])
if not Path(job["archive"]).exists():
    apply(client)
    days = [f"2026-{month:02d}-05 10:00:0{n}" for month in range(1, 13) for n in range(2)]
    insert(client, [event(day, f"user:{name}") for day in days for name in ("ann-1", "bo")])
    Path(job["archive"]).mkdir()
    list(create(client, Path(job["archive"]), before=datetime(2026, 4, 1, tzinfo=UTC)))
if job["kill"]:
    module, name, when = job["kill"]
    owner = import_module("activitylog.store." + module)
    original = getattr(owner, name)
    def faulty(*args, **options):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, faulty)
whom = subject(actor="user:ann-1")
erase(client, whom, reason="request 7")
proof = prove(client, whom, folder=Path(job["store"]))
print(json.dumps({
    "complete": proof.complete,
    "naming": naming(client, "ann-1"),
    "others": stored(client).count(b"\\tbo\\t"),
    "begun_rows": client.query("SELECT countIf(State = 'begun') FROM activity_erasures").result_rows[0][0],
    "records": [
        [one.state, one.table_rows, one.archive_files, one.archive_rows, one.reason] for one in erasures(client)
    ],
}))
"""


def run(tmp_path: Path, kill: tuple[str, str, str] | None) -> subprocess.CompletedProcess[str]:
    job = {"store": str(tmp_path / "store"), "archive": str(tmp_path / "archive"), "kill": kill}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(job)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class TestKilled:
    """SIGKILL in an erasure, then the same one again."""

    @pytest.mark.parametrize(
        "kill",
        [
            ("subjects.erase", "begin", "after"),
            ("subjects.mutations", "_wait", "before"),
            ("subjects.erase", "_erase_from", "after"),
            ("subjects.erase", "erase_from_archives", "before"),
            ("archive.rewrite", "write", "after"),
            ("subjects.erase", "finish", "before"),
            ("subjects.record", "rewrite", "before"),
        ],
        ids=str,
    )
    def test_the_next_run_completes_it(self, tmp_path: Path, kill: tuple[str, str, str]) -> None:
        """Nothing of the person is left, nothing of others is lost; one record, with what the first run found."""
        killed = run(tmp_path, kill)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        again = run(tmp_path, None)
        assert again.returncode == 0, again.stderr
        found: dict[str, Any] = json.loads(again.stdout)
        rows = {"activity_events": 18, "activity_events_actor_daily": 12}
        assert found == {
            "complete": True,
            "naming": [],
            "others": 18,
            "begun_rows": 0,
            "records": [["finished", rows, 3, 6, "request 7"]],
        }
        data = (
            path.read_bytes()
            for name in ("store", "archive")
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        )
        assert not any(b"ann-1" in content for content in data)
