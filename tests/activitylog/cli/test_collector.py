"""The command ``collector check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from activitylog.cli.app import application
from activitylog.cli.errors import run
from tests.activitylog.collector.good import AGENT, GATEWAY, broken

TWO_ERRORS = broken(GATEWAY, ("create_schema: false", "create_schema: true"), ("    fsync: true\n", ""))


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs ``activitylog collector check`` in an empty folder: the exit code and both outputs."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(application, ["collector", "check", *arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


def write(name: str, text: str) -> str:
    """A file in the working directory."""
    Path(name).write_text(text)
    return name


class TestForPeople:
    def test_nothing_is_wrong(self, said: Any) -> None:
        """What was looked at, and that all is well."""
        code, out, err = said(write("gateway.yaml", GATEWAY))
        assert (code, err) == (0, "")
        assert "ok       clickhouse.create_schema    exporters.clickhouse\n" in out
        assert out.endswith("Nothing is wrong: 42 checks ok, 0 skipped.\n")

    def test_a_problem(self, said: Any) -> None:
        """The place, why it matters, and the YAML to write; the worst first."""
        code, out, _ = said(write("gateway.yaml", TWO_ERRORS))
        assert code == 1
        line = TWO_ERRORS.splitlines().index("    create_schema: true") + 1
        assert out.startswith(
            "ERROR  Tables are ours (clickhouse.create_schema)\n"
            f"  gateway.yaml:{line} exporters.clickhouse.create_schema is true\n"
            "  Why: Where our table is missing,"
        )
        assert (
            "  Do:\n    exporters:\n      clickhouse:\n        create_schema: false\n\n"
            "WARNING  Queue that survives a power cut (file_storage.fsync)\n"
        ) in out
        assert out.endswith("1 error, 1 warning: 40 checks ok, 0 skipped.\n")

    def test_what_is_not_known(self, said: Any) -> None:
        """Skipped, with the variable."""
        code, out, _ = said(
            write("gateway.yaml", broken(GATEWAY, ("timeout: 60s", "timeout: ${env:NOT_SET_HERE}")))
        )
        assert code == 0
        assert "skipped  clickhouse.timeout" in out
        assert "NOT_SET_HERE" in out

    def test_what_does_not_print(self, said: Any) -> None:
        """A name with an escape sequence is shown as one."""
        text = broken(AGENT, ("[memory_limiter]", '["mem\\e[31mory"]'))
        _, out, _ = said(write("agent.yaml", text))
        assert "\x1b" not in out
        assert "mem\\x1b[31mory" in out


class TestFiles:
    def test_several_are_merged(self, said: Any) -> None:
        """The later one wins, and is named."""
        first, second = write("a.yaml", GATEWAY), write("b.yaml", "exporters: {clickhouse: {json: true}}")
        assert said(first, second)[0] == 1
        assert "b.yaml:1 exporters.clickhouse.json is true" in said(first, second)[1]
        assert said(second, first)[0] == 1
        assert said(first, second, write("c.yaml", "exporters: {clickhouse: {json: false}}"))[0] == 0

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (None, "cannot be read: No such file or directory"),
            ("a: [", "gone.yaml:1 is no YAML"),
            ("name: chat", "this is no configuration of a Collector"),
            ("service: {pipelines: 5}", "expected a mapping, got a number"),
        ],
    )
    def test_that_cannot_be_used(self, said: Any, text: str | None, words: str) -> None:
        """One line, a hint, and the code of wrong usage."""
        if text is not None:
            write("gone.yaml", text)
        code, out, err = said("gone.yaml")
        assert (code, out) == (2, "")
        assert words in err
        assert err.count("\n") == 2
        assert "hint: " in err

    def test_none(self, said: Any) -> None:
        """There must be one."""
        code, _, err = said()
        assert code == 2
        assert "Missing argument 'FILE...'" in err


class TestOptions:
    def test_fail_on(self, said: Any) -> None:
        """Warnings count when they are asked to."""
        name = write("gateway.yaml", broken(GATEWAY, ("    fsync: true\n", "")))
        assert said(name)[0] == 0
        assert said(name, "--fail-on", "warning")[0] == 1

    def test_json(self, said: Any) -> None:
        """One object a finding, with the place of each."""
        code, out, _ = said(write("gateway.yaml", TWO_ERRORS), "--json")
        found = [json.loads(line) for line in out.splitlines()]
        (problem,) = [finding for finding in found if finding["severity"] == "error"]
        assert code == 1
        assert problem | {"why": "", "line": 0, "found": ""} == {
            "check": "clickhouse.create_schema",
            "title": "Tables are ours",
            "severity": "error",
            "found": "",
            "details": [],
            "why": "",
            "do": ["exporters:", "  clickhouse:", "    create_schema: false"],
            "file": "gateway.yaml",
            "line": 0,
            "key": "exporters.clickhouse.create_schema",
        }
        assert {finding["severity"] for finding in found} == {"ok", "warning", "error"}

    def test_role(self, said: Any) -> None:
        """An agent's file is no gateway's."""
        name = write("agent.yaml", AGENT)
        assert said(name, "--role", "agent")[0] == 0
        code, out, _ = said(name, "--role", "gateway")
        assert code == 1
        assert "in which no pipeline of a gateway ends" in " ".join(out.split())
        assert said(name, "--role", "nobody")[0] == 2


class TestSecrets:
    @pytest.mark.parametrize("options", [(), ("--json",)])
    def test_in_endpoints_headers_and_variables(
        self, said: Any, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
    ) -> None:
        """None is shown, of the files or of the environment."""
        monkeypatch.setenv("CLICKHOUSE_PASSWORD", "s3cret-e")
        text = broken(
            GATEWAY,
            ("tcp://clickhouse:9440?secure=true", "http://writer:s3cret-a@clickhouse:8123?async_insert=1&token=s3cret-b"),
            ("correct-horse", "${env:CLICKHOUSE_PASSWORD:-s3cret-c}"),
            ("[clickhouse]", "[clickhouse, otlp_http]"),
            (
                "exporters:\n  click",
                "exporters:\n  otlp_http:\n    endpoint: http://u:s3cret-f@h:1\n"
                "    headers: {x-token: s3cret-d}\n  click",
            ),
        )  # fmt: skip
        code, out, err = said(write("gateway.yaml", text), *options)
        assert code == 1
        assert "s3cret" not in out + err

    @pytest.mark.parametrize(
        "text", ["exporters: {a: {password: *s3cret}}", "password: @s3cret\nb: [", "a: ${s3cret!}\nexporters: "]
    )
    def test_in_errors(self, said: Any, text: str) -> None:
        """What cannot be read is not quoted."""
        code, out, err = said(write("gateway.yaml", text))
        assert code == 2
        assert "s3cret" not in out + err
