"""``--json`` and ``--csv``: how rows are printed, the same for every command that prints rows."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Final

import click

from activitylog.cli import plots
from activitylog.cli.charts import evenly, sparkline
from activitylog.cli.rows import Rows
from activitylog.cli.tables import (
    MOST_ROWS,
    has_unicode,
    print_csv,
    print_ndjson,
    print_rows,
    print_title,
    terminal_width,
)
from activitylog.cli.visible import visible

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HEIGHT: Final = 12
_WIDTH_OF_A_FILE: Final = 100


class Shape(Enum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PLOT = "plot"


def shape_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options ``--json`` and ``--csv``, and pass it ``shape``."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON object a row, every value whole.")
    @click.option("--csv", "as_csv", is_flag=True, help="A heading and a line a row.")
    @functools.wraps(command)
    def with_shape(*args: Any, as_json: bool, as_csv: bool, **options: Any) -> Any:
        if as_json and as_csv:
            raise click.UsageError("Only one of --json and --csv can be given.", click.get_current_context())
        shape = Shape.JSON if as_json else Shape.CSV if as_csv else Shape.TABLE
        return command(*args, shape=shape, **options)

    return with_shape


@dataclass(frozen=True, slots=True)
class Chart:
    """
    What is drawn beside the numbers: ``x`` along ``y``.

    Attributes:
        x: column that names the values; of a series it is the time.
        y: column that is drawn.
        series: True draws a line above the table, False bars in it.
        z: column that a heat map draws, over ``x`` and ``y``; empty for other charts.
    """

    x: str
    y: str
    series: bool = False
    z: str = ""


def print_answer(rows: Rows, shape: Shape, *, title: str = "", chart: Chart | None = None) -> None:
    """
    Print rows on standard output.

    Args:
        rows: read once.
        shape: for people or for machines.
        title: above a table.
        chart: for people only.
    """
    if shape is Shape.JSON:
        print_ndjson(rows)
    elif shape is Shape.CSV:
        print_csv(rows)
    elif shape is Shape.PLOT:
        _print_plot(rows, title, chart)
    else:
        _print_with_chart(rows, title, chart)


def _print_with_chart(rows: Rows, title: str, chart: Chart | None) -> None:
    kept = list(islice(rows.values, MOST_ROWS + 1))
    print_title(title)
    if chart is not None and chart.series and len(kept) > 2:
        print_line(Rows(rows.columns, iter(kept)), chart)
    bars = chart.z or chart.y if chart is not None and not chart.series else None
    if print_rows(Rows(rows.columns, iter(kept)), bars=bars) == 0:
        _note_no_rows()


def _note_no_rows() -> None:
    click.secho("no rows", err=True, dim=True)


def _print_plot(rows: Rows, title: str, chart: Chart | None) -> None:
    """The chart alone, as wide as the terminal."""
    if chart is None:
        raise click.UsageError("The answer is a table: there is nothing to plot.", click.get_current_context())
    columns = {column.name: place for place, column in enumerate(rows.columns)}
    kept = list(islice(rows.values, MOST_ROWS * 10))
    if not kept:
        _note_no_rows()
        return
    print_title(title)
    for line in _plotted(kept, columns, chart):
        sys.stdout.write(line + "\n")
    zone = " (UTC)" if chart.series and rows.columns[columns[chart.x]].type.startswith("Date") else ""
    axes = f"{chart.x} and {chart.y}" if chart.z else chart.x
    sys.stdout.write(visible(f" {chart.z or chart.y} by {axes}{zone}") + "\n")


def _plotted(rows: Sequence[Sequence[Any]], columns: Mapping[str, int], chart: Chart) -> list[str]:
    width = terminal_width(sys.stdout) or _WIDTH_OF_A_FILE
    unicode = has_unicode(sys.stdout)
    across = [visible(str(row[columns[chart.x]])) for row in rows]
    if chart.z:
        down = [_row_name(chart.y, row[columns[chart.y]]) for row in rows]
        columns_of, rows_of = plots.places(across), plots.places(down)
        values = {
            (columns_of[x], rows_of[y]): float(row[columns[chart.z]] or 0)
            for x, y, row in zip(across, down, rows, strict=True)
        }
        return plots.heat_map(list(columns_of), list(rows_of), values, width, unicode=unicode)
    heights = [float(row[columns[chart.y]] or 0) for row in rows]
    if chart.series:
        return plots.area_chart(plots.time_labels(across), heights, width, _HEIGHT, unicode=unicode)
    return plots.bar_chart(across, heights, width, unicode=unicode)


def _row_name(column: str, value: Any) -> str:
    weekday = column == "weekday" and isinstance(value, int) and 1 <= value <= len(_WEEKDAYS)
    return _WEEKDAYS[value - 1] if weekday else visible(str(value))


def print_line(rows: Rows, chart: Chart) -> None:
    """A series as one line of bars, as wide as the terminal, and between which points it lies."""
    places = {column.name: place for place, column in enumerate(rows.columns)}
    x, y = places[chart.x], places[chart.y]
    points = [(row[x], float(row[y] or 0)) for row in rows.values if row[x] is not None]
    is_time = rows.columns[x].type.startswith("Date")
    values = evenly((str(at), value) for at, value in points) if is_time else [value for _, value in points]
    room = (terminal_width(sys.stdout) or 100) - 2
    sys.stdout.write(f" {sparkline(values, room, unicode=has_unicode(sys.stdout))}\n")
    if points:
        ends = [visible(str(at)[:16].replace("T", " ")) for at in (points[0][0], points[-1][0])]
        what = visible(f"{chart.y} by {chart.x}")
        sys.stdout.write(f" {ends[0]} to {ends[1]}{' (UTC)' if is_time else ''}, {what}\n")
