"""`activitylog stats` and `activitylog doctor` as a user runs them, on a healthy store and on damaged ones."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.test_commands import Ended, environment, run

pytestmark = pytest.mark.slow

FILL = (
    "INSERT INTO activity_events (Timestamp, EventName, TenantId, ActorType, ActorId) "
    "SELECT now64(9) - toIntervalSecond(8640 * (101 - number)), 'page.viewed', 't', 'user', toString(number % 7) "
    "FROM numbers(100)"
)


def sql(statement: str, store: Path) -> None:
    ended = run("sql", "--write", statement, "--url", str(store), cwd=store.parent)
    assert ended.code == 0, ended.err


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A healthy store of a hundred events over ten days."""
    path = tmp_path / "data"
    ended = run("schema", "apply", "--url", str(path), cwd=tmp_path)
    assert ended.code == 0, ended.err
    sql(FILL, path)
    return path


def doctor(store: Path, *options: str) -> tuple[Ended, dict[str, dict[str, Any]]]:
    """The problems, but for those of the machine that runs the tests: its disk may be nearly full."""
    ended = run("doctor", "--json", "--url", str(store), *options, cwd=store.parent)
    problems = {row["check"]: row for row in ended.rows if row["severity"] in ("error", "warning")}
    problems.pop("disk_room", None)
    return ended, problems


class TestDoctor:
    def test_healthy(self, store: Path) -> None:
        """A new store has no problems; its folder is its owner's alone."""
        assert store.stat().st_mode & 0o777 == 0o700
        ended, problems = doctor(store, "--deep")
        assert problems == {}
        assert [row["check"] for row in ended.rows][:4] == ["reachable", "versions", "schema", "landing"]
        assert set(ended.rows[0]) == {"check", "title", "severity", "found", "details", "why", "do"}

    def test_open_folder(self, store: Path) -> None:
        """A folder that others can enter is a warning, which is no failure unless it is asked to be one."""
        store.chmod(0o755)
        _, problems = doctor(store)
        assert set(problems) == {"folder"}
        assert problems["folder"]["do"] == [f"chmod 700 {store}"]
        assert doctor(store, "--fail-on", "warning")[0].code == 1

    def test_for_people(self, store: Path) -> None:
        """Problems first, one block each, with a command to copy; then what is fine, and how many of each."""
        sql("DROP TABLE activity_events_ingest_mv", store)
        ended = run("doctor", "--url", str(store), cwd=store.parent)
        assert ended.code == 1
        lines = ended.out.splitlines()
        assert lines[0].startswith("ERROR  ")
        assert "  Do:" in lines
        assert f"    activitylog schema apply --url chdb://{store}" in lines
        errors = [place for place, line in enumerate(lines) if line.startswith("ERROR")]
        fine = [place for place, line in enumerate(lines) if line.startswith("ok ")]
        assert max(errors) < min(fine)
        assert lines[-1].startswith("2 errors: ")

    def test_commands_repair(self, store: Path) -> None:
        """What is printed can be pasted, and then the problem is gone."""
        sql("ALTER TABLE activity_events_hourly MODIFY SETTING non_replicated_deduplication_window = 0", store)
        _, problems = doctor(store)
        assert "windows" in problems
        command = problems["windows"]["do"][0].removeprefix("activitylog ")
        done = subprocess.run(
            f"{sys.executable} -m activitylog {command}",
            shell=True,
            cwd=store.parent,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert doctor(store)[1] == {}

    def test_damaged_data_of_a_part(self, store: Path) -> None:
        """A byte that changed on disk is found when the checksums are verified, with the part's name."""
        data = _data(store)
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 0xFF
        data.write_bytes(content)
        _, problems = doctor(store, "--deep")
        assert data.parent.name in problems["checksums"]["details"][0]
        assert problems["checksums"]["severity"] == "error"

    def test_part_that_the_engine_sets_aside(self, store: Path) -> None:
        """A part whose description is damaged is set aside when the store is opened, and found."""
        part = _data(store).parent
        (part / "columns.txt").write_text("torn")
        ended, problems = doctor(store)
        assert problems["detached_parts"]["severity"] == "error"
        assert part.name in problems["detached_parts"]["details"][0]
        assert ended.code == 1

    def test_locked(self, store: Path) -> None:
        """A store that another process has open is one finding, which names the process."""
        with subprocess.Popen(
            [sys.executable, "-m", "activitylog", "serve", "--url", str(store), "--port", "0"],
            cwd=store.parent,
            env=environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            ended, problems = doctor(store)
            process.send_signal(signal.SIGINT)
            process.stdout.read()
        assert set(problems) == {"reachable"}
        assert str(process.pid) in problems["reachable"]["found"]
        assert ended.code == 1

    def test_no_server(self, tmp_path: Path) -> None:
        """Nobody answers: one finding, code 1, no password anywhere."""
        ended = run("doctor", "--url", "clickhouse://u:geheim@127.0.0.1:1/db", cwd=tmp_path)
        assert ended.code == 1
        assert ended.out.startswith("ERROR  Reachable (reachable)")
        assert "geheim" not in ended.out + ended.err

    def test_retention_of_the_settings(self, store: Path) -> None:
        """What [store] asks for is compared with the table."""
        (store.parent / "activitylog.toml").write_text("[store]\nretention_days = 30\n")
        _, problems = doctor(store)
        assert "retention" in problems


def _data(store: Path) -> Path:
    """The data file of a part of the table of events: the largest one, for it has the most columns."""
    return max(store.glob("store/*/*/20*/data.bin"), key=lambda path: path.stat().st_size)


class TestStats:
    def test_keys(self, store: Path) -> None:
        """The names that scripts rely on."""
        ended = run("stats", "--json", "--columns", "--partitions", "--url", str(store), cwd=store.parent)
        document = json.loads(ended.out)
        assert list(document) == [
            "url",
            "asked_at",
            "version",
            "tables",
            "events",
            "top_events",
            "top_events_source",
            "inserts",
            "merges",
            "mutations",
            "disks",
            "growth",
            "forecast",
            "columns",
            "partitions",
            "spool",
        ]
        assert document["events"]["events"] == 100
        assert document["events"]["newest"].endswith("Z")
        assert document["top_events"] == [{"event": "page.viewed", "events": 100, "percent": 100.0}]
        assert document["inserts"]["source"] == "event_times"
        assert document["growth"]["rows_per_day_7"] == pytest.approx(10, abs=0.5)

    def test_for_people(self, store: Path) -> None:
        """The same in words."""
        ended = run("stats", "--columns", "--partitions", "--url", str(store), cwd=store.parent)
        assert ended.code == 0, ended.err
        for words in (
            "100 from ",
            "7 actors, 1 tenant (by the roll-ups: also of rows that have left the table)\n",
            "bytes an event",
            "by the events' own times: there is no part log",
            "disk full",
            "(columns of small parts)",
            "page.viewed",
        ):
            assert words in ended.out

    def test_watch(self, store: Path) -> None:
        """A line every so often, until Ctrl-C, which is a good end."""
        with subprocess.Popen(
            [sys.executable, "-m", "activitylog", "stats", "--watch", "0.1", "--json", "--url", str(store)],
            cwd=store.parent,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = [json.loads(process.stdout.readline()) for _ in range(3)]
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
        assert (process.returncode, err.strip()) == (0, "")
        assert [line["rows"] for line in lines] == [100, 100, 100]
        assert [line["rows_per_second"] for line in lines] == [None, 0.0, 0.0]
