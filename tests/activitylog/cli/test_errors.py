"""How commands end."""

from __future__ import annotations

import click
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from activitylog.cli.errors import clean, run
from activitylog.exceptions import ActivityLogError, ConfigurationError, QueryError, StoreLockedError


def ending_with(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


class TestRun:
    @pytest.mark.parametrize(
        ("error", "code", "shown"),
        [
            (ActivityLogError("It broke.", hint="Mend it."), 1, "error: It broke.\nhint: Mend it.\n"),
            (StoreLockedError("Locked."), 1, "error: Locked.\n"),
            (
                ConfigurationError("No such thing.", hint="Try that."),
                2,
                "error: No such thing.\nhint: Try that.\n",
            ),
            (QueryError("Unknown."), 2, "error: Unknown.\n"),
            (click.UsageError("Bad option."), 2, "error: Bad option.\nhint: See `activitylog --help`.\n"),
            (KeyboardInterrupt(), 130, "\ninterrupted\n"),
            (
                DatabaseError(
                    "Code: 60. DB::Exception: Unknown table nope. (UNKNOWN_TABLE) (version 26.9)\nstack"
                ),
                1,
                "error: ClickHouse says: Unknown table nope. (UNKNOWN_TABLE)\n"
                "hint: `activitylog stats` lists the tables, `activitylog schema apply` creates ours.\n",
            ),
            (
                ZeroDivisionError("oops"),
                1,
                "error: ZeroDivisionError: oops\nhint: This is a bug; ACTIVITYLOG_DEBUG=1 shows where.\n",
            ),
        ],
    )
    def test_one_line_the_next_step_and_a_code(
        self, error: BaseException, code: int, shown: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each kind of error is one line on standard error, a hint where there is one, and its code."""
        assert run(ending_with(error), []) == code
        assert capsys.readouterr() == ("", shown)

    def test_debug_shows_the_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """ACTIVITYLOG_DEBUG=1 adds the traceback before the line."""
        monkeypatch.setenv("ACTIVITYLOG_DEBUG", "1")
        assert run(ending_with(ActivityLogError("It broke.")), []) == 1
        shown = capsys.readouterr().err
        assert shown.startswith("Traceback")
        assert shown.endswith("error: It broke.\n")

    def test_number_that_a_command_returns_is_its_code(self) -> None:
        """A command that returns a number ends with it, any other with 0."""
        assert run(click.Command("three", callback=lambda: 3), []) == 3
        assert run(click.Command("none", callback=lambda: None), []) == 0

    def test_help_is_no_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        """--help prints and ends with 0."""
        assert run(click.Command("c", help="What it does."), ["--help"]) == 0
        assert "What it does." in capsys.readouterr().out


class TestClean:
    def test_secrets_and_control_characters_are_not_shown(self) -> None:
        """A message is one line without passwords and escape sequences, and not endless."""
        assert clean("at http://u:pw@h\n\x1b[31m") == "at http://u:***@h \\x1b[31m"
        assert len(clean("x" * 10_000)) == 601
