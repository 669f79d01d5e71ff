"""The command ``ingest``, into the memory of this process."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import activitylog
from activitylog.cli.errors import run
from activitylog.cli.ingest import ingest

GOOD = '{"ts": 1536864291, "actor": "dev-0", "action": "file.added", "target_type": "file", "target_id": "a"}\n'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no settings from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACTIVITYLOG_URL", raising=False)


def summary(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON document of one run."""
    capsys.readouterr()
    code = run(ingest, [*arguments, "--url", "memory:", "--json"])
    return code, json.loads(capsys.readouterr().out)


class TestReconciliation:
    def test_every_line_is_accounted_for(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Lines read are delivered, rejected or dropped, blank ones are no lines, and the code says "in part"."""
        (tmp_path / "log").write_text(GOOD * 3 + "\n{broken\n" + GOOD + "[]\n")
        code, report = summary(capsys, "log")
        assert code == 3
        assert report["balanced"] is True
        assert {key: report[key] for key in ("lines", "blank", "delivered", "rejected", "dropped")} == {
            "lines": 6,
            "blank": 1,
            "delivered": 4,
            "rejected": 2,
            "dropped": 0,
        }
        assert [(entry["line"], entry["reason"]) for entry in report["rejections"]] == [
            (5, "not JSON: Expecting property name enclosed in double quotes at column 2"),
            (7, "a JSON array where an object is needed"),
        ]

    def test_all_good_is_zero(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A file without a bad line ends with 0, packed or not."""
        (tmp_path / "log.gz").write_bytes(gzip.compress(GOOD.encode() * 1000))
        code, report = summary(capsys, "log.gz")
        assert (code, report["delivered"], report["format"]) == (0, 1000, "ndjson")

    def test_nothing_good_is_a_failure(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A file of which no line is an event ends with 1."""
        (tmp_path / "log").write_text("{}\n{}\n")
        assert summary(capsys, "log")[0] == 1

    def test_empty_file_is_fine(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """No lines are no error."""
        (tmp_path / "log").write_text("\n")
        code, report = summary(capsys, "log")
        assert (code, report["lines"], report["blank"]) == (0, 0, 1)

    def test_dropped_events_are_counted_with_their_reason(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Events that nobody took are dropped with a reason, not forgotten, and that is a failure."""
        monkeypatch.setenv("ACTIVITYLOG_RETRY_DEADLINE_SECONDS", "0.1")
        (tmp_path / "log").write_text(GOOD * 5)
        code = run(ingest, ["log", "--json", "--url", "otlp+http://127.0.0.1:1"])
        report = json.loads(capsys.readouterr().out)
        assert (code, report["dropped"], report["delivered"], report["balanced"]) == (1, 5, 0, True)
        assert sum(report["dropped_by_reason"].values()) == 5

    def test_cut_off_gzip_sends_what_is_there_and_fails(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What could be read is delivered; then the error says where the data ends."""
        lines = "".join(json.dumps({**json.loads(GOOD), "n": n}) + "\n" for n in range(5000))
        packed = gzip.compress(lines.encode())
        (tmp_path / "log.gz").write_bytes(packed[: len(packed) // 2])
        assert run(ingest, ["log.gz", "--url", "memory:", "--json"]) == 1
        shown = capsys.readouterr()
        report = json.loads(shown.out)
        assert report["delivered"] == report["lines"] > 0
        assert f"error: The gzip data ends or breaks after line {report['lines']}" in shown.err


class TestEvents:
    def test_events_go_through_the_whole_pipeline(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Every event has the numbers that the pipeline gives, and the service that was named."""
        (tmp_path / "log").write_text(GOOD * 2)
        summary(capsys, "log", "--service-name", "shop", "--tenant", "t1")
        stats = activitylog.stats()
        assert (stats.emitted, stats.dropped) == (2, {})

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """'-' reads standard input, packed too."""
        stream = io.BufferedReader(io.BytesIO(gzip.compress(GOOD.encode())))
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stream))
        assert summary(capsys, "-")[1]["delivered"] == 1

    def test_limit(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """--limit reads no more lines than that."""
        (tmp_path / "log").write_text(GOOD * 9)
        assert summary(capsys, "log", "--limit", "4")[1]["lines"] == 4


class TestRules:
    @pytest.mark.parametrize("form", ["rules", "rules_file"])
    def test_an_import_is_not_thinned(
        self, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rules of the settings, in either form, are for what happens now; history arrives whole."""
        rule = '[[rules]]\nmatch = "*"\ndrop = true\n'
        (tmp_path / "rules.toml").write_text(rule)
        (tmp_path / "activitylog.toml").write_text(rule if form == "rules" else 'rules_file = "rules.toml"\n')
        (tmp_path / "log").write_text(GOOD * 3)
        code, report = summary(capsys, "log")
        assert (code, report["delivered"], report["dropped_by_reason"]) == (0, 3, {})


class TestDryRun:
    def test_shows_the_calls_and_sends_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """--dry-run shows what would be emitted, one line of Python an event, and touches no store."""
        (tmp_path / "log").write_text(GOOD + '{"ts": 5, "event": "a.b", "http.route": "/x\\u001b"}\n{}\n')
        assert run(ingest, ["log", "--dry-run"]) == 3
        shown = capsys.readouterr()
        assert shown.out.splitlines() == [
            "line 1: emit('file.added', timestamp=1536864291000000000, actor=('user', 'dev-0'), "
            "object=('file', 'a'))",
            "line 2: emit('a.b', timestamp=5000000000, **{'http.route': '/x\\x1b'})",
        ]
        assert "line 3 rejected: no event name" in shown.err
        assert list(tmp_path.iterdir()) == [tmp_path / "log"]


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["nothing.log"], 1, "There is no file 'nothing.log'"),
            (["."], 1, "'.' is a folder"),
            (["log", "--map", "actor"], 2, "--map 'actor' has no '='"),
            (["log", "--map", "who=x"], 2, "'who' is not a word of an event"),
            (["log", "--event", "Login"], 2, "The name for all events, 'Login', is none"),
            (["log", "--url", "kafka://h"], 2, "begins with no known scheme"),
            (["log", "--format", "csv"], 2, "'csv' is not one of 'auto', 'ndjson', 'access'"),
            ([], 2, "Missing argument 'FILE'"),
            (["words"], 1, "neither newline-delimited JSON nor an access log"),
        ],
    )
    def test_one_line_each(
        self,
        arguments: list[str],
        code: int,
        message: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What a user gets wrong is one line with the next step, and nothing is created."""
        (tmp_path / "log").write_text(GOOD)
        (tmp_path / "words").write_text("just words\n")
        before = set(tmp_path.iterdir())
        assert run(ingest, arguments) == code
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ")
        assert message in error
        assert hint.startswith("hint: ")
        assert set(tmp_path.iterdir()) == before
