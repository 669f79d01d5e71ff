"""Killed at any point, out of disk: run it again, and every row is there once."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from activitylog.exceptions import ArchiveError
from activitylog.store.archive import archives, restore, verify
from activitylog.store.archive import side_table as side
from activitylog.store.archive.table import describe
from tests.activitylog.store.archive.conftest import archive, count, events, fill

#: Runs in a process of its own: a store in a folder, and what to do with it. It is killed before or after the
#: n-th call of a function.
_PROGRAM: Final = """
import json, os, signal, sys
from pathlib import Path
from importlib import import_module
from activitylog.store import apply, connect
from activitylog.store import archive as package
from tests.activitylog.store.archive.conftest import NEW_YEAR, archive, count, fill

job = json.loads(sys.argv[1])
if job.get("fault"):
    module, name, when, left = job["fault"]
    owner = import_module(f"activitylog.store.archive.{module}")
    original = getattr(owner, name)
    calls = 0
    def faulty(*args, **options):
        global calls
        calls += 1
        if when == "before" and calls == left:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **options)
        if when == "after" and calls == left:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, faulty)

client = connect("chdb://" + job["store"])
folder = Path(job["folder"])
apply(client)
if job.get("fill"):
    fill(client)
if job.get("late"):
    fill(client, f"2024-01-{job.get('day', 10)} 00:00:00", rows=job["late"])
print("ready", flush=True)
if job["do"] == "archive":
    for outcome in archive(client, folder, rows_per_file=100):
        if outcome.action != "archived":
            raise SystemExit(outcome.reason)
elif job["do"] == "restore":
    for piece in package.archives(folder):
        package.restore(client, piece)
elif job["do"] == "restore by day":
    client.command("CREATE TABLE IF NOT EXISTS by_day AS activity_events ENGINE = MergeTree "
        "PARTITION BY toYYYYMMDD(Timestamp) PRIMARY KEY (toStartOfHour(Timestamp), TenantId, ActorId) "
        "ORDER BY (toStartOfHour(Timestamp), TenantId, ActorId, Timestamp)")
    for piece in package.archives(folder):
        package.restore(client, piece, into="by_day")
    print(json.dumps(count(client, "by_day")))
    raise SystemExit
elif job["do"] == "rewrite":
    for piece in package.archives(folder):
        package.rewrite(piece, keep="ActorId != {who:String}", parameters={"who": "3"})
tables = [name for (name,) in client.query("SHOW TABLES").result_rows]
print(json.dumps({"rows": count(client), "tables": tables,
    "rolled_up": int(client.command("SELECT sum(RowCount) FROM activity_events_hourly"))}))
client.close()
"""


def run(tmp_path: Path, **job: Any) -> subprocess.CompletedProcess[str]:
    job = {"store": str(tmp_path / "store"), "folder": str(tmp_path / "to"), **job}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(job)], capture_output=True, text=True, timeout=120, check=False
    )


def killed(tmp_path: Path, **job: Any) -> None:
    assert run(tmp_path, **job).returncode == -signal.SIGKILL


def done(tmp_path: Path, **job: Any) -> dict[str, Any]:
    ended = run(tmp_path, **job)
    assert ended.returncode == 0, ended.stderr[-2000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


_ARCHIVING: Final = [
    ("export", "_stream", "before", 1),
    ("export", "_stream", "after", 2),
    ("export", "described", "after", 3),
    ("create", "write", "before", 1),
    ("manifest", "sync_folder", "before", 3),
    ("create", "write", "after", 1),
    ("side_table", "create", "after", 1),
    ("side_table", "move", "before", 1),
    ("side_table", "move", "after", 1),
    ("leaving", "record", "after", 1),
    ("side_table", "drop_partition", "after", 1),
    ("side_table", "drop", "after", 1),
    ("create", "write", "before", 2),
    ("side_table", "move", "after", 2),
]


@pytest.mark.slow
class TestKilled:
    """SIGKILL in the middle."""

    @pytest.mark.parametrize(
        ("fault", "late"),
        [*((fault, 2) for fault in _ARCHIVING), *((fault, 0) for fault in _ARCHIVING[3:11:2])],
        ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else f"{value} late rows",
    )
    def test_archiving(self, tmp_path: Path, fault: tuple[str, str, str, int], late: int) -> None:
        """Killed at this point, and with rows that came before it was run again: each row is in one archive."""
        killed(tmp_path, do="archive", fill=True, fault=fault)
        again = done(tmp_path, do="archive", late=late)
        assert again["rows"] == 0
        assert again["rolled_up"] == 500 + late
        assert side.ARCHIVING not in again["tables"]
        assert [checked.problems for checked in verify(tmp_path / "to") if checked.problems] == []
        assert sum(piece.manifest.rows for piece in archives(tmp_path / "to")) == 500 + late

    @pytest.mark.parametrize(
        "fault",
        [
            ("side_table", "create", "after", 1),
            ("restore", "_load", "after", 1),
            ("side_table", "move", "before", 1),
            ("side_table", "move", "after", 1),
            ("restore", "record", "after", 1),
        ],
        ids=lambda fault: "-".join(map(str, fault)),
    )
    def test_restoring(self, tmp_path: Path, fault: tuple[str, str, str, int]) -> None:
        """Killed while January came back: restoring again brings it once, and roll-ups never notice."""
        done(tmp_path, do="archive", fill=True)
        killed(tmp_path, do="restore", fault=fault)
        again = run(tmp_path, do="restore")
        if again.returncode:  # the last step was done: January is there, says the second run
            assert "has the rows of the archive 202401 already" in again.stderr
            again = run(tmp_path, do="nothing")
            assert json.loads(again.stdout.splitlines()[-1])["rows"] == 288
            return
        found = json.loads(again.stdout.splitlines()[-1])
        assert (found["rows"], found["rolled_up"]) == (500, 500)
        assert side.RESTORING not in found["tables"]

    @pytest.mark.parametrize(("when", "move"), [("before", 1), ("after", 1), ("before", 2)])
    def test_restoring_into_days(self, tmp_path: Path, when: str, move: int) -> None:
        """A month that comes back as days, killed between two of them, comes back whole when run again."""
        done(tmp_path, do="archive", fill=True)
        killed(tmp_path, do="restore by day", fault=("side_table", "move", when, move))
        again = run(tmp_path, do="restore by day")
        assert (again.returncode, again.stdout.splitlines()[-1:]) == (0, ["500"]), again.stderr[-2000:]

    @pytest.mark.parametrize(
        "fault",
        [
            ("rewrite", "described", "before", 1),
            ("rewrite", "write", "before", 1),
            ("manifest", "remove_leftovers", "before", 1),
            ("rewrite", "write", "after", 1),
        ],
        ids=lambda fault: "-".join(map(str, fault)),
    )
    def test_rewriting(self, tmp_path: Path, fault: tuple[str, str, str, int]) -> None:
        """Killed while a person was taken out: the piece is the old one or the new one; again, and she is gone."""
        done(tmp_path, do="archive", fill=True)
        killed(tmp_path, do="rewrite", fault=fault)
        january = archives(tmp_path / "to")[0].manifest
        assert january.rows in (288, 288 - 41)
        done(tmp_path, do="rewrite")
        assert sum(piece.manifest.rows for piece in archives(tmp_path / "to")) == 500 - 71
        assert [checked.problems for checked in verify(tmp_path / "to") if checked.problems] == []

    def test_at_any_time(self, tmp_path: Path) -> None:
        """Killed eight times after ever longer times, with rows coming in between: none lost, none double."""
        done(tmp_path, do="nothing", fill=True)
        for tenth in range(8):
            job = {"store": str(tmp_path / "store"), "folder": str(tmp_path / "to"), "do": "archive", "late": 1}
            job["day"] = 10 + tenth
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(job)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(tenth * 0.4)
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
            process.stdout.close()
        again = done(tmp_path, do="archive")
        assert again["rows"] == 0
        assert sum(piece.manifest.rows for piece in archives(tmp_path / "to")) == 508
        assert [checked.problems for checked in verify(tmp_path / "to") if checked.problems] == []


class TestMoveInTheMiddle:
    """A move that was killed leaves parts in both tables; made here by hand, because the moment is short."""

    def test_before_it_was_over(self, embedded_store: Any, tmp_path: Path) -> None:
        """Rows that are in both tables are in the table: the copies go, and the partition is archived."""
        fill(embedded_store)
        before = events(embedded_store)
        archive(embedded_store, tmp_path, keep=True)
        embedded_store.command("CREATE TABLE activity_events_archiving AS activity_events")
        embedded_store.command(
            "INSERT INTO activity_events_archiving SELECT * FROM activity_events WHERE ActorId != '1'"
        )
        found = archive(embedded_store, tmp_path)
        assert [(one.action, one.rows, one.written) for one in found] == [
            ("archived", 288, False),
            ("archived", 212, False),
        ]
        for piece in archives(tmp_path):
            restore(embedded_store, piece)
        assert events(embedded_store) == before

    def test_the_table_grew_since(self, embedded_store: Any, tmp_path: Path) -> None:
        """A column and an index that came after the run was killed: its rows go back all the same."""
        fill(embedded_store)
        table = describe(embedded_store)
        side.create(embedded_store, side.ARCHIVING, table, expires=True)
        side.move(embedded_store, table.name, side.ARCHIVING, "202401")
        embedded_store.command("ALTER TABLE activity_events ADD COLUMN OrderId String DEFAULT Attributes['a']")
        embedded_store.command(
            "ALTER TABLE activity_events ADD INDEX of_order OrderId TYPE bloom_filter(0.01) GRANULARITY 1"
        )
        archive(embedded_store, tmp_path / "to", keep=True)
        assert count(embedded_store) == 500
        assert not side.exists(embedded_store, side.ARCHIVING)

    def test_neither_nor(self, embedded_store: Any, tmp_path: Path) -> None:
        """Some rows of a part in both tables and others not: a case for a person, and nothing is touched."""
        fill(embedded_store)
        embedded_store.command("CREATE TABLE activity_events_archiving AS activity_events")
        embedded_store.command(
            "INSERT INTO activity_events_archiving SELECT * FROM activity_events WHERE ActorId != '1'"
        )
        embedded_store.command("DELETE FROM activity_events WHERE ActorId = '2'")
        with pytest.raises(ArchiveError, match="and others are not"):
            archive(embedded_store, tmp_path)
        assert count(embedded_store) == 428
        assert count(embedded_store, "activity_events_archiving") == 428

    def test_another_folder(self, embedded_store: Any, tmp_path: Path) -> None:
        """What a run to another folder did not finish is not finished here: the message says where."""
        fill(embedded_store)
        archive(embedded_store, tmp_path / "one", keep=True)
        embedded_store.command("CREATE TABLE activity_events_archiving AS activity_events")
        side.move(embedded_store, "activity_events", side.ARCHIVING, "202401")
        embedded_store.command(
            "ALTER TABLE activity_archives UPDATE Action = 'archived' WHERE 1 SETTINGS mutations_sync = 2"
        )
        with pytest.raises(ArchiveError, match=r"was archived to '.*/one' by a run that was killed"):
            archive(embedded_store, tmp_path / "two")
        archive(embedded_store, tmp_path / "one")
        assert sum(piece.manifest.rows for piece in archives(tmp_path / "one")) == 500
        assert count(embedded_store) == 0

    def test_another_machine(self, embedded_store: Any, tmp_path: Path) -> None:
        """A run of another machine may go on; only its owner knows that it is gone."""
        fill(embedded_store)
        embedded_store.command(
            "CREATE TABLE activity_events_archiving AS activity_events "
            "COMMENT 'activitylog archive elsewhere 17 4711'"
        )
        with pytest.raises(ArchiveError, match="The process 17 on elsewhere is archiving"):
            archive(embedded_store, tmp_path)
        assert {one.action for one in archive(embedded_store, tmp_path, take_over=True)} == {"archived"}


class TestNoRoom:
    """The disk is full."""

    def test_the_table_is_untouched(self, embedded_store: Any, tmp_path: Path) -> None:
        """A file that cannot be written whole leaves the table as it is and no file; later it goes on."""
        fill(embedded_store)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        def fill_up(*_: object) -> None:
            """After the first file."""
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))

        try:
            found = archive(embedded_store, tmp_path / "to", rows_per_file=100, progress=fill_up)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)
        assert {one.action for one in found} == {"failed"}
        assert "cannot be written: File too large. The table is untouched." in found[0].reason
        assert [path.name for path in (tmp_path / "to").iterdir()] == [".lock"]
        assert count(embedded_store) == 500
        assert {one.action for one in archive(embedded_store, tmp_path / "to")} == {"archived"}
