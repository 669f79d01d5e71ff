"""The commands as a user runs them: processes of their own, real stores in folders, a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

RECORDS = [
    {
        "ts": 1536864291 + n,
        "actor": f"dev-{n % 3}",
        "action": "file.added",
        "target_type": "file",
        "target_id": f"f{n}",
    }
    for n in range(50)
]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**variables: str) -> dict[str, str]:
    """The environment without settings of ours, and without what would make a terminal of a pipe."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ACTIVITYLOG_", "OTEL_"))}
    return inherited | {"PYTHONWARNINGS": "error"} | variables


def run(*arguments: str, cwd: Path, stdin: str | None = None, **variables: str) -> Ended:
    """Run `activitylog` with these arguments to its end."""
    process = subprocess.run(
        [sys.executable, "-m", "activitylog", *arguments],
        cwd=cwd,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ended(process.returncode, process.stdout, process.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a log file in two shapes and a small demo in it."""
    path = tmp_path_factory.mktemp("commands")
    (path / "log.ndjson").write_text("".join(json.dumps(record) + "\n" for record in RECORDS) + "{broken\n")
    ended = run("demo", "--events", "3000", "--seed", "5", cwd=path)
    assert ended.code == 0, ended.err
    (path / "demo.txt").write_text(ended.out)
    return path


@pytest.fixture(scope="module")
def demo(folder: Path) -> str:
    """The folder of the demo's store."""
    return str(folder / "activitylog-demo" / "store")


@dataclass(frozen=True)
class Serving:
    """A store behind HTTP."""

    url: str
    folder: str
    said: str
    process: subprocess.Popen[str]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """`activitylog serve` on a free port, in an empty store."""
    process = subprocess.Popen(
        [sys.executable, "-m", "activitylog", "serve", "--url", "./served", "--port", "0"],
        cwd=tmp_path,
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(3))
    assert " at clickhouse://127.0.0.1:" in said, process.communicate(timeout=30)
    url = said.splitlines()[0].split(" at ")[1]
    yield Serving(url, str(tmp_path / "served"), said, process)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


class TestDemo:
    def test_shows_answers_and_what_to_type_next(self, folder: Path, demo: str) -> None:
        """The demo tells how many events went through, answers questions, and names the store in its commands."""
        out = (folder / "demo.txt").read_text()
        assert "3,000 events" in out
        assert "message.sent" in out
        assert f"export ACTIVITYLOG_URL=chdb://{demo}" in out

    def test_every_event_is_in_the_store(self, folder: Path, demo: str) -> None:
        """What was generated can be counted, and the bulk activation and the bad hour can be found."""
        ended = run(
            "sql",
            "SELECT count() AS n, countIf(EventName = 'user.activated') AS bulk, "
            "countIf(HttpStatus = 503) > 0 AS bad FROM activity_events",
            "--json",
            "--url",
            demo,
            cwd=folder,
        )
        assert ended.rows == [{"n": 3000, "bulk": 30, "bad": 1}]

    def test_a_folder_of_somebody_else_is_left_alone(self, tmp_path: Path) -> None:
        """--dir names a folder with something in it: the demo refuses and touches nothing."""
        (tmp_path / "notes").write_text("mine")
        ended = run("demo", "--dir", ".", "--events", "10", cwd=tmp_path)
        assert ended.code == 1
        assert "was not made by the demo" in ended.err
        assert [path.name for path in tmp_path.iterdir()] == ["notes"]


class TestIngest:
    def test_into_the_default_store(self, folder: Path) -> None:
        """A file goes into ./activitylog-data, every field arrives, and the bad line makes the code 3."""
        ended = run("ingest", "log.ndjson", "--json", cwd=folder)
        assert ended.code == 3
        report = json.loads(ended.out)
        assert (report["lines"], report["delivered"], report["rejected"]) == (51, 50, 1)
        assert "line 51 rejected: not JSON" in ended.err
        rows = run(
            "sql",
            "SELECT toUnixTimestamp(Timestamp) AS ts, ActorId AS actor, toString(EventName) AS action, "
            "toString(ObjectType) AS target_type, ObjectId AS target_id FROM activity_events ORDER BY Seq",
            "--json",
            cwd=folder,
        )
        assert rows.rows == RECORDS

    def test_standard_input(self, tmp_path: Path) -> None:
        """'-' reads what another command prints."""
        line = '127.0.0.1 - ada [17/May/2015:10:05:03 +0000] "GET /x HTTP/1.1" 403 -\n'
        ended = run("ingest", "-", "--url", "./store", stdin=line, cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert "1 lines = 1 delivered + 0 rejected + 0 dropped" in ended.out
        statement = "SELECT ActorId, Outcome, UrlPath, HttpStatus FROM activity_events"
        row = run("sql", statement, "--csv", "--url", "./store", cwd=tmp_path)
        assert row.out == "ActorId,Outcome,UrlPath,HttpStatus\nada,denied,/x,403\n"


class TestAsking:
    def test_questions_are_listed(self, folder: Path) -> None:
        """`query` without a name lists the questions, without a store, and each can be explained."""
        listed = run("query", "--json", cwd=folder)
        assert listed.code == 0
        assert len(listed.rows) >= 10
        for question in listed.rows:
            assert "SELECT" in run_here("query", question["name"], "--explain")

    def test_every_question_can_be_asked_as_it_is(self, folder: Path, demo: str) -> None:
        """A question is answered by its defaults, with rows."""
        code = (
            "from activitylog.cli.app import application; from activitylog.cli.errors import run\n"
            "from activitylog.queries import questions\n"
            f"print([(n, c) for n in questions() if (c := run(application, ['query', n, '--url', {demo!r}]))])"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.stdout.splitlines()[-1] == "[]", ended.stderr

    def test_questions_tell_something(self, folder: Path, demo: str) -> None:
        """All but those that warn have rows in the demo, where nothing is wrong and nothing was sampled."""
        code = (
            "from activitylog.queries import ask, questions; from activitylog.store import connect\n"
            f"client = connect({'chdb://' + demo!r})\n"
            "print(*(name for name in questions() if not ask(client, name).rows))"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env=environment(), capture_output=True, text=True, check=True
        )
        assert set(ended.stdout.split()) <= {"anomalies", "duplicates", "sampled-out", "silent", "denial-bursts"}

    def test_parameters_in_both_ways(self, folder: Path, demo: str) -> None:
        """--NAME VALUE, --NAME=VALUE and -p NAME=VALUE say the same, and an unknown one is refused."""
        common = ("query", "actor-timeline", "--json", "--limit", "3", "--url", demo)
        answers = [
            run(*common, *given, cwd=folder).rows
            for given in (("--actor", "1001"), ("--actor=1001",), ("-p", "actor=1001"))
        ]
        assert len(answers[0]) == 3
        assert answers[0] == answers[1] == answers[2]
        assert {row["actor"] for row in answers[0]} == {"1001"}
        refused = run(*common, "--actr", "1", cwd=folder)
        assert refused.code == 2
        assert "Did you mean actor?" in refused.err

    def test_stats_add_up(self, folder: Path, demo: str) -> None:
        """`stats --json` counts what is there."""
        ended = run("stats", "--json", "--url", demo, cwd=folder)
        document = json.loads(ended.out)
        assert document["events"]["events"] == 3000
        events = next(table for table in document["tables"] if table["table"] == "activity_events")
        assert events["rows"] == 3000
        assert events["bytes"] > 0

    def test_tail(self, folder: Path, demo: str) -> None:
        """`tail` shows the newest, the newest last, and its filters hold."""
        ended = run(
            "tail", "-n", "7", "--event", "task.*", "--tenant", "birchwood", "--json", "--url", demo, cwd=folder
        )
        assert len(ended.rows) == 7
        assert {row["TenantId"] for row in ended.rows} == {"birchwood"}
        assert all(row["EventName"].startswith("task.") for row in ended.rows)
        times = [row["Timestamp"] for row in ended.rows]
        assert times == sorted(times)
        one = run("tail", "-n", "100", "--actor", "user:1001", "--json", "--url", demo, cwd=folder)
        assert {row["ActorId"] for row in one.rows} == {"1001"}

    def test_reading_cannot_write(self, folder: Path, demo: str) -> None:
        """`sql` refuses what changes something, unless --write is given."""
        refused = run("sql", "CREATE TABLE mine (a Int8) ENGINE = Memory", "--url", demo, cwd=folder)
        assert refused.code == 2
        assert "error: A statement that reads does not begin with CREATE." in refused.err
        assert "Add --write to change anything." in refused.err
        assert (
            run("sql", "CREATE TABLE mine (a Int8) ENGINE = Memory", "--write", "--url", demo, cwd=folder).code
            == 0
        )

    def test_a_reader_that_goes_away_is_no_error(self, folder: Path) -> None:
        """`| head -1` ends the command quietly."""
        command = (
            f"{sys.executable} -m activitylog sql 'SELECT number FROM numbers(1000000)' --json --url ./x | head -1"
        )
        (folder / "x").mkdir(exist_ok=True)
        ended = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.stdout == '{"number":0}\n'
        assert "Traceback" not in ended.stderr
        assert "BrokenPipe" not in ended.stderr


class TestSchema:
    def test_on_a_server(self, serving: Serving, tmp_path: Path) -> None:
        """`apply` makes the database and its tables, says so, and a second time has nothing to do."""
        url = serving.url.replace("/default", "/fresh")
        missing = run("ingest", "-", "--url", url, stdin="", cwd=tmp_path)
        assert missing.code == 1
        assert "has no database 'fresh'" in missing.err
        assert "activitylog schema apply" in missing.err
        first = run("schema", "apply", "--url", url, cwd=tmp_path)
        assert first.code == 0, first.err
        assert first.out.startswith("created the database fresh\napplied 0001_")
        assert (
            run("schema", "apply", "--url", url, cwd=tmp_path).out == "nothing to do: the schema is up to date\n"
        )
        assert run("schema", "diff", "--url", url, cwd=tmp_path).out == "no differences\n"


class TestServe:
    def test_same_rows_through_a_socket(self, serving: Serving, folder: Path, tmp_path: Path) -> None:
        """A file that goes through `clickhouse://` gives the rows that it gives in a folder."""
        assert run("schema", "apply", "--url", serving.url, cwd=tmp_path).code == 0
        ended = run("ingest", str(folder / "log.ndjson"), "--url", serving.url, cwd=tmp_path)
        assert ended.code == 3, ended.err
        assert run("ingest", str(folder / "log.ndjson"), "--url", "./direct", cwd=tmp_path).code == 3
        # What differs from process to process is left out.
        statement = "SELECT * EXCEPT (EventId, Producer, Resource) FROM activity_events ORDER BY Seq"
        through = run("sql", statement, "--json", "--url", serving.url, cwd=tmp_path).rows
        assert len(through) == 50
        assert through == run("sql", statement, "--json", "--url", "./direct", cwd=tmp_path).rows

    def test_locked_store_names_the_holder_and_the_way_out(self, serving: Serving, tmp_path: Path) -> None:
        """Opening a served folder directly is one line with the process and the hint to use its URL."""
        for arguments in (["stats"], ["ingest", "-"], ["sql", "SELECT 1"], ["serve", "--port", "0"]):
            ended = run(*arguments, "--url", serving.folder, stdin="", cwd=tmp_path)
            assert ended.code == 1
            error, hint = ended.err.splitlines()[-2:]
            assert str(serving.process.pid) in error
            assert "serve" in hint

    def test_ends_cleanly(self, serving: Serving) -> None:
        """Ctrl-C ends it with code 0 and no traceback."""
        serving.process.send_signal(signal.SIGINT)
        _, err = serving.process.communicate(timeout=30)
        assert (serving.process.returncode, err) == (0, "stopped\n")
        assert f"export ACTIVITYLOG_URL={serving.url}\n" in serving.said
        assert "There is no access control" in serving.said


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "code", "message", "hint"),
        [
            (["stats"], 1, "There is no store at chdb://", "activitylog demo"),
            (
                ["stats", "--url", "clickhouse://u:geheim@127.0.0.1:1/db"],
                1,
                "No ClickHouse answers at 127.0.0.1:1",
                "Check",
            ),
            (["stats", "--url", "mysql://h"], 2, "begins with no known scheme", "Accepted: chdb:///abs/dir"),
            (["stats", "--url", "./empty"], 0, "", ""),
            (["tail", "--url", "./empty"], 1, "activity_events", "activitylog schema apply"),
            (["query", "top-acters", "--url", "./empty"], 2, "'top-acters'", "Did you mean top-actors"),
            (["sql", "SELEC 1", "--url", "./empty"], 2, "does not begin with SELEC", "It begins with SELECT"),
            (["sql", "SELECT (1", "--url", "./empty"], 1, "Syntax error", "SQL"),
            (["sql", "SELECT 1 FORMAT JSON", "--url", "./empty"], 2, "FORMAT of its own", "--json"),
            (["ingets"], 2, "There is no command 'ingets'. Did you mean ingest?", "--help"),
            (["stats", "--jsn"], 2, "No such option", "--help"),
        ],
    )
    def test_one_line_and_the_next_step(
        self, arguments: list[str], code: int, message: str, hint: str, tmp_path: Path
    ) -> None:
        """Whatever a user gets wrong is one line, a hint and a code; never a traceback, never a password."""
        (tmp_path / "empty").mkdir()
        ended = run(*arguments, cwd=tmp_path)
        assert ended.code == code, ended.err
        assert "Traceback" not in ended.err
        assert "geheim" not in ended.err + ended.out
        if code:
            *_, error, advice = ended.err.splitlines()
            assert error.startswith("error: ")
            assert message in error
            assert advice.startswith("hint: ")
            assert hint in advice

    def test_without_the_extra(self, tmp_path: Path) -> None:
        """Where click is not installed the command names the extra and fails."""
        code = "import sys; sys.modules['click'] = None; from activitylog.cli import main; main(['demo'])"
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 1
        assert ended.stderr == "error: the commands need the extra 'cli': pip install 'activitylog[cli]'\n"

    def test_without_the_engine(self, tmp_path: Path) -> None:
        """Where chDB is not installed an embedded store is an error that names the extra."""
        code = (
            "import importlib.util as u, sys; find = u.find_spec; "
            "u.find_spec = lambda name, *rest: None if name == 'chdb' else find(name, *rest); "
            "from activitylog.cli import main; main(['demo'])"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 1
        assert "error: The embedded engine is not installed" in ended.stderr
        assert "pip install 'activitylog[embedded]'" in ended.stderr


def run_here(*arguments: str) -> str:
    """Run a command that touches no store in this process, and give what it prints."""
    from click.testing import CliRunner

    from activitylog.cli.app import application

    return CliRunner().invoke(application, list(arguments), catch_exceptions=False).output
