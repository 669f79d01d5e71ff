"""``manage.py activitylog``: the command line with the project's settings."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

import activitylog
from activitylog import config
from activitylog.integrations.django.management.commands.activitylog import Command
from activitylog.settings import load_settings
from tests.activitylog.integrations.django.fresh_project import FreshProject

NOBODY = "clickhouse://ada:s3cret@127.0.0.1:1/activity"


@pytest.fixture(autouse=True)
def _somewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # below no settings file


def called(*arguments: str, fails: bool = False) -> str:
    """What a command prints, on whichever stream."""
    out = io.StringIO()
    if fails:
        with pytest.raises(CommandError, match=f"activitylog {arguments[0]} failed"):
            call_command("activitylog", *arguments, stdout=out, stderr=out)
    else:
        call_command("activitylog", *arguments, stdout=out, stderr=out)
    return out.getvalue()


class TestSettings:
    @pytest.mark.slow
    def test_the_url(self, settings: Any) -> None:
        """The store is that of ``ACTIVITYLOG``, unless another one is named; no password is shown."""
        settings.ACTIVITYLOG = {"url": NOBODY}
        answer = called("query", "top-actors", fails=True)
        assert "127.0.0.1:1" in answer
        assert "s3cret" not in answer
        assert "no-such-folder" in called("query", "top-actors", "--url", "no-such-folder", fails=True)

    def test_the_spool(self, settings: Any, tmp_path: Path) -> None:
        """So is the folder of the spool."""
        settings.ACTIVITYLOG = {"url": NOBODY, "spool_directory": tmp_path / "kept"}
        assert str(tmp_path / "kept") in called("spool", "status")

    def test_the_rules(self, settings: Any) -> None:
        """And the rules, which no variable could hold."""
        settings.ACTIVITYLOG = {"url": "memory:", "rules": [{"match": "cursor.*", "drop": True}]}
        assert "cursor.*" in called("rules", "check")

    def test_they_are_for_the_command_only(self, settings: Any) -> None:
        """What comes afterwards in the process finds what it found before."""
        settings.ACTIVITYLOG = {"url": "memory:", "service_name": "for the command"}
        called("rules", "check")
        assert load_settings().service_name is None

    def test_bad_settings(self, settings: Any) -> None:
        """The command says where to look."""
        settings.ACTIVITYLOG = {"url": "htp://x"}
        with pytest.raises(CommandError, match=r"ACTIVITYLOG\['url'\].*See `manage.py check`."):
            called("rules", "check")


class TestCalling:
    def test_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        """As a command of Django, it is that of the command line."""
        with pytest.raises(SystemExit):
            Command().print_help("manage.py", "activitylog")
        first = capsys.readouterr().out
        with pytest.raises(SystemExit):
            Command().run_from_argv(["manage.py", "activitylog", "--help"])
        assert "Activity events: see them" in first == capsys.readouterr().out

    def test_options_of_django(self, capsys: pytest.CaptureFixture[str]) -> None:
        """``--settings`` and ``--pythonpath`` are Django's, which has read them."""
        with pytest.raises(SystemExit) as ended:
            Command().run_from_argv(
                ["manage.py", "activitylog", "--settings", "x.y", "rules", "check", "--pythonpath=."]
            )
        assert ended.value.code in (0, None)
        assert "rules" in capsys.readouterr().out

    def test_the_application_s_own_pipeline(self, activity: Any) -> None:
        """``call_command`` inside an application leaves its pipeline alone."""
        called("rules", "check")
        assert activitylog.emit("message.sent")
        activity.one("message.sent")

    def test_wrong_usage(self) -> None:
        """The exit code is that of the command line."""
        with pytest.raises(CommandError) as caught:
            call_command("activitylog", "no-such-command", stderr=io.StringIO())
        assert caught.value.returncode == 2

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is missing is said, and how to get it."""
        monkeypatch.setitem(sys.modules, "click", None)
        assert "pip install 'activitylog[cli]'" in called("rules", "check", fails=True)


@pytest.mark.slow
class TestProcesses:
    def test_manage(self, tmp_path: Path) -> None:
        """From a shell: exit codes, and what a dead process left is left to whom it is asked for."""
        project = FreshProject(
            tmp_path, '{"url": "clickhouse://127.0.0.1:1/activity", "spool_directory": BASE_DIR / "spool"}'
        )
        result = project.manage("activitylog", "spool", "status")
        assert (result.returncode, result.stderr) == (0, "")
        assert "nothing waits there" in result.stdout
        code = "import django, os; django.setup(); import activitylog; activitylog.emit('a.b'); os._exit(0)"
        assert project.run("-c", code).returncode == 0
        result = project.manage("activitylog", "spool", "status")
        assert (result.returncode, result.stderr) == (1, "")
        assert "1 event, 1 of them left by dead processes" in result.stdout
        result = project.manage("activitylog", "query", "top-actors", "--days", "7")
        assert result.returncode == 1
        assert result.stderr.startswith("error: ")
        assert "activitylog" in project.manage("help").stdout
        assert "Commands:" in project.manage("help", "activitylog").stdout


def test_nothing_is_configured_by_calling() -> None:
    """A command that is called makes no pipeline."""
    called("rules", "check")
    assert not config.configured()
