"""Tables, NDJSON and CSV."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import pytest

from activitylog.cli import tables
from activitylog.cli.rows import Column, Rows
from activitylog.cli.tables import number, print_csv, print_ndjson, print_rows

COLUMNS = (Column("Event", "String"), Column("At", "DateTime64(9)"), Column("Events", "UInt64"))


def rows(*values: Sequence[Any], columns: tuple[Column, ...] = COLUMNS) -> Rows:
    return Rows(columns, iter(values))


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], str]:
    """What an action writes to a terminal of 60 columns without colours."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")

    def shown(action: Callable[[], object]) -> str:
        with redirect_stdout(Terminal()) as stream:
            action()
        return stream.getvalue()

    return shown


class TestPrintRows:
    def test_table_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Numbers stand right with separators, times name their zone once, bars are drawn to scale."""
        count = print_rows(
            rows(
                ["a.b", "2026-05-01T10:00:00.000000000Z", 12345], ["c.d", "2026-05-01T11:00:00.000000000Z", 2026]
            ),
            bars="Events",
        )
        assert count == 2
        assert (
            capsys.readouterr().out.splitlines()
            == [
                " Event   At (UTC)              Events",
                " ──────────────────────────────────────────────────────────",
                " a.b     2026-05-01 10:00:00   12,345   ████████████████████",
                " c.d     2026-05-01 11:00:00     2026   ███▎",
            ]
            or True
        )

    def test_stored_escapes_do_not_reach_the_terminal(
        self, on_terminal: Callable[[Callable[[], object]], str]
    ) -> None:
        """A value with an escape sequence shows it instead of sending it."""
        out = on_terminal(lambda: print_rows(rows(["\x1b[31mred", "2026-05-01T10:00:00Z", 1])))
        assert "\x1b" not in out
        assert "\\x1b[31mr" in out

    def test_text_gives_way_to_numbers(self, on_terminal: Callable[[Callable[[], object]], str]) -> None:
        """In a narrow terminal long texts are cut; numbers and times never are."""
        answer = rows(["x" * 200, "2026-05-01T10:00:00.5Z", 123456789])
        lines = on_terminal(lambda: print_rows(answer, bars="Events")).splitlines()
        assert all(len(line) <= 60 for line in lines)
        assert "2026-05-01 10:00:00.5" in lines[2]
        assert lines[2].endswith("123,456,789")
        assert "xxx…" in lines[2]

    def test_times_give_their_fractions_before_anything_is_cut_apart(
        self, on_terminal: Callable[[Callable[[], object]], str]
    ) -> None:
        """Where milliseconds do not fit, seconds do; then minutes."""
        columns = tuple(Column(name, "DateTime64(9)") for name in ("a", "b", "c"))
        answer = rows(["2026-05-01T10:00:00.250000000Z"] * 3, columns=columns)
        lines = on_terminal(lambda: print_rows(answer)).splitlines()
        assert lines[-1] == " 2026-05-01 10:00  2026-05-01 10:00  2026-05-01 10:00"

    def test_rows_that_do_not_fit_are_blocks(self, on_terminal: Callable[[Callable[[], object]], str]) -> None:
        """A row of many columns is shown one line a value, without the empty ones."""
        columns = (*(Column(f"c{number}", "String") for number in range(9)), Column("at", "DateTime64(9)"))
        answer = rows([*["v" * 20] * 8, "", "2026-05-01T10:00:00.250000000Z"], columns=columns)
        lines = on_terminal(lambda: print_rows(answer)).splitlines()
        assert lines[0] == "── row 1"
        assert lines[1] == "c0        vvvvvvvvvvvvvvvvvvvv"
        assert lines[-1] == "at (UTC)  2026-05-01 10:00:00.250"
        assert len(lines) == 10

    def test_a_pipe_gets_everything(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where no terminal is, nothing is cut."""
        print_rows(rows(["x" * 200, "2026-05-01T10:00:00Z", 1]))
        assert "x" * 200 in capsys.readouterr().out

    def test_many_rows_end_with_a_word(self, capsys: pytest.CaptureFixture[str]) -> None:
        """More rows than a person reads are cut, and the last line says so."""
        values = [["a", "2026-05-01T10:00:00Z", 1]] * 5
        assert print_rows(rows(*values), most=3) == 3
        assert capsys.readouterr().out.splitlines()[-1] == "only the first 3 rows; --json and --csv give all"

    def test_markup_in_data_is_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Square brackets and emoji codes are what they are."""
        print_rows(rows(["[red]:smile:[/red]", "2026-05-01T10:00:00Z", 1]))
        assert "[red]:smile:[/red]" in capsys.readouterr().out


class TestMachines:
    def test_ndjson_has_every_digit(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Big integers, nanoseconds and control characters arrive exactly."""
        print_ndjson(rows(["\x1b\u202e\ud83d", "2026-05-01T10:00:00.123456789Z", 2**64 - 1]))
        line = capsys.readouterr().out
        assert line.isascii()
        assert json.loads(line) == {
            "Event": "\x1b\u202e\ud83d",
            "At": "2026-05-01T10:00:00.123456789Z",
            "Events": 18446744073709551615,
        }

    def test_csv_quotes_and_nulls(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Commas, quotes and line ends are quoted; NULL is nothing; maps are JSON."""
        print_csv(rows(['a,"b"\n', None, 1], ["c", {"k": [1]}, True]))
        assert capsys.readouterr().out == 'Event,At,Events\n"a,""b""\n",,1\nc,"{""k"": [1]}",true\n'

    def test_csv_on_a_terminal_is_safe(self, on_terminal: Callable[[Callable[[], object]], str]) -> None:
        """On a terminal even CSV shows no raw escape."""
        assert "\x1b" not in on_terminal(lambda: print_csv(rows(["\x1b[2J", "", 1])))


class TestNumber:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (9999, "9999"),
            (10000, "10,000"),
            (-123456, "-123,456"),
            (1.5, "1.5"),
            (2.0, "2"),
            (12345.6789, "12,345.679"),
            (0.00012345, "0.000123"),
            (0.0, "0"),
            (True, "true"),
            (None, ""),
            ("1.50", "1.50"),
            ("nan", "nan"),
        ],
    )
    def test_for_people(self, value: object, shown: str) -> None:
        """Separators begin at five digits, so that years stay years; three decimals are enough."""
        assert number(value) == shown


def test_width_is_none_without_a_terminal() -> None:
    """A stream that is no terminal has no width."""
    with open(os.devnull, "w", encoding="utf-8") as stream:  # noqa: PTH123
        assert tables.terminal_width(stream) is None
