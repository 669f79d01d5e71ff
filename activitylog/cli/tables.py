"""
Answers on the screen: tables for people, NDJSON and CSV for machines.

People get numbers with separators on the right, times in UTC with the zone in the heading, and lines that
fit the terminal; machines get every value whole. In both, what is not printable comes as an escape when it
goes to a terminal.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TextIO

from activitylog.cli.charts import bar
from activitylog.cli.rows import Column, Rows
from activitylog.cli.visible import visible

if TYPE_CHECKING:
    from rich.table import Table

#: Rows of a table for people; more would scroll away. Machines get all.
MOST_ROWS: Final = 1000
#: A text keeps this much in a table; where that is too wide, rows are shown as blocks, one line a value.
_LEAST_TEXT_WIDTH: Final = 12
#: Between two columns, and at both ends together.
_GAP: Final = 2
_EDGE: Final = 2
#: Times with milliseconds, seconds, minutes: the first that fits.
_TIME_LETTERS: Final = (23, 19, 16)
_LONGEST_VALUE: Final = 2000
#: What stands where a text was cut: rich's, and a letter of every encoding.
_CUT: Final = "…"
_CUT_ASCII: Final = "~"
#: The first that fits is taken; none where there is no room.
_BAR_WIDTHS: Final = (20, 10, 5)


def print_json(value: Any) -> None:
    """One JSON document in one line on standard output; ASCII without DEL, so it is safe on any terminal."""
    sys.stdout.write(json.dumps(value, separators=(",", ":"), default=str) + "\n")


def print_ndjson(rows: Rows) -> None:
    """A JSON object a row."""
    for row in rows.objects():
        print_json(row)


def print_csv(rows: Rows) -> None:
    """A heading and a line a row (RFC 4180); arrays and maps as JSON, NULL as nothing."""
    safe = visible if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(safe(column.name) for column in rows.columns)
    for row in rows.values:
        writer.writerow(safe(_plain(value)) for value in row)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def print_rows(rows: Rows, *, title: str = "", bars: str | None = None, most: int = MOST_ROWS) -> int:
    """
    A table for people on standard output.

    Args:
        rows: the answer.
        title: a line above the table.
        bars: name of the column whose values are drawn as bars, too.
        most: rows that are shown.

    Returns:
        How many rows there were to show.
    """
    shown = list(islice(rows.values, most + 1))
    more = len(shown) > most
    shown = shown[:most]
    headings = [visible(heading(column)) for column in rows.columns]
    room = (terminal_width(sys.stdout) or 10_000) - _EDGE - _GAP * (len(headings) - 1)
    print_title(title)
    for time_letters in _TIME_LETTERS:
        cells = _all_cells(rows.columns, shown, time_letters)
        natural = [_width((text, *lines)) for text, lines in zip(headings, cells, strict=True)]
        least = [
            width if column.is_number or column.is_time else min(width, _LEAST_TEXT_WIDTH)
            for column, width in zip(rows.columns, natural, strict=True)
        ]
        if sum(least) <= room:
            break
    if shown and sum(least) > room:
        _print_blocks(headings, _all_cells(rows.columns, shown, _TIME_LETTERS[0]), len(shown))
    else:
        # Bars give way before texts do.
        bar_width = next((width for width in _BAR_WIDTHS if sum(natural) + _GAP + width <= room), 0)
        drawn = _bars(rows.columns, bars, shown, bar_width) if bar_width else None
        if drawn:
            room -= bar_width + _GAP
        _print_table(rows.columns, headings, cells, widths=_shared(least, natural, room), bars=drawn)
    if more:
        sys.stdout.write(f"only the first {most:,} rows; --json and --csv give all\n")
    return len(shown)


def heading(column: Column) -> str:
    """The column's name, with the zone when it holds times."""
    return f"{column.name} (UTC)" if column.is_time else column.name


def _all_cells(columns: Sequence[Column], rows: Sequence[Sequence[Any]], time_letters: int) -> list[list[str]]:
    """The texts of each column."""
    return [_cells(column, [row[place] for row in rows], time_letters) for place, column in enumerate(columns)]


def _cells(column: Column, values: Sequence[Any], time_letters: int) -> list[str]:
    if column.is_time:
        return _times([str(value) if value is not None else "" for value in values], time_letters)
    if column.is_number:
        return [number(value) for value in values]
    return [visible(_plain(value)[:_LONGEST_VALUE]) for value in values]


def _times(values: Sequence[str], letters: int) -> list[str]:
    """``2026-05-01 10:00:00``, with milliseconds when any of them has a fraction and there is room."""
    fraction = any(text[19:].strip(".0Z") for text in values)
    return [text[: letters if fraction else min(letters, 19)].replace("T", " ").rstrip("Z") for text in values]


def number(value: Any) -> str:
    """A number for people: separators from 10,000 on (2026 may be a year), at most three decimals."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return visible(_plain(value))
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if value != 0 and abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _bars(
    columns: Sequence[Column], name: str | None, rows: Sequence[Sequence[Any]], width: int
) -> list[str] | None:
    place = next((place for place, column in enumerate(columns) if column.name == name), None)
    if place is None or not columns[place].is_number:
        return None
    values = [float(row[place] or 0) for row in rows]
    largest = max(values, default=0.0)
    return [bar(value, largest, width, unicode=has_unicode(sys.stdout)) for value in values]


def _width(texts: Iterable[str]) -> int:
    from rich.cells import cell_len

    return max((cell_len(text) for text in texts), default=0)


def _shared(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Widths of columns: all get the least, those that need little more get it, the rest share what is left."""
    widths = list(least)
    room -= sum(least)
    waiting = sorted((want - have, place) for place, (have, want) in enumerate(zip(least, natural, strict=True)))
    for number, (missing, place) in enumerate(waiting):
        more = min(missing, room // (len(waiting) - number))
        widths[place] += more
        room -= more
    return widths


def _print_table(
    columns: Sequence[Column],
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    *,
    widths: Sequence[int],
    bars: Sequence[str] | None,
) -> None:
    table = plain_table()
    for column, text, width in zip(columns, headings, widths, strict=True):
        table.add_column(text, justify="right" if column.is_number else "left", no_wrap=True, width=width)
    if bars is not None:
        table.add_column("", no_wrap=True, style="cyan")
    for line in zip(*cells, *([bars] if bars is not None else []), strict=True):
        table.add_row(*line)
    print_table(table)


def _print_blocks(headings: Sequence[str], cells: Sequence[Sequence[str]], rows: int) -> None:
    """One line a value, for rows that are wider than the terminal; empty values are left out."""
    name_width = min(max(len(text) for text in headings), 30)
    out = sys.stdout
    width = terminal_width(out) or 10**6
    for row in range(rows):
        out.write(f"── row {row + 1:,}\n" if has_unicode(out) else f"-- row {row + 1:,}\n")
        for text, values in zip(headings, cells, strict=True):
            if values[row]:
                out.write(fitted(f"{text:<{name_width}}  {values[row]}", width) + "\n")


def print_title(title: str) -> None:
    """A line above a table; bold where colours are welcome."""
    import click

    if title:
        click.secho(visible(title), bold=True if has_colours(sys.stdout) else None)


def fitted(text: str, width: int) -> str:
    """The text, cut to so many columns of a terminal; an ellipsis, or ~, shows that it was."""
    from rich.cells import cell_len, set_cell_size

    cut = _CUT if has_unicode(sys.stdout) else _CUT_ASCII
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + cut


def plain_table(*, heading: bool = True) -> Table:
    """An empty table in the one style that all commands use."""
    from rich import box
    from rich.table import Table

    # One space of padding and one of the box make the gap of two.
    return Table(
        box=box.SIMPLE_HEAD if heading else None, show_header=heading, pad_edge=False, padding=(0, 1, 0, 0)
    )


def print_table(table: Table, *, stream: TextIO | None = None) -> None:
    """A table, cut to the terminal's width; whole when it goes into a file or a pipe."""
    from rich.console import Console

    stream = stream or sys.stdout
    console = Console(
        file=stream,
        width=terminal_width(stream) or 10_000,
        color_system="auto" if has_colours(stream) else None,
        # Markup and emoji codes in data stay what they are.
        markup=False,
        emoji=False,
        highlight=False,
    )
    for line in _rendered(console, table):
        stream.write((line if has_unicode(stream) else line.replace(_CUT, _CUT_ASCII)) + "\n")


def _rendered(console: Any, table: Table) -> Iterable[str]:
    with console.capture() as capture:
        console.print(table)
    lines = (line.rstrip() for line in capture.get().split("\n"))
    return (line for line in lines if line)


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal that the stream goes to; None when it goes somewhere else."""
    return shutil.get_terminal_size((80, 24)).columns if stream.isatty() else None


def has_colours(stream: TextIO) -> bool:
    """Whether escape sequences are welcome."""
    return stream.isatty() and not is_plain()


def is_plain() -> bool:
    """Whether no terminal is to get escape sequences; an empty NO_COLOR does not count (no-color.org)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def has_unicode(stream: TextIO) -> bool:
    """Whether bars and lines can be written to the stream."""
    return (stream.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32", "gb18030")
