"""
Charts of many lines, made of letters: bars for a ranking, an area over time for a series, shades for a heat map.

Each function takes values and the room there is, and returns lines. None is wider than the room, and with
``unicode=False`` all are ASCII.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from activitylog.cli.charts import bar

_HEIGHTS: Final = " ▁▂▃▄▅▆▇█"
_SHADES: Final = " ░▒▓█"
_SHADES_ASCII: Final = " .:+#"
_UNITS: Final = ("", "k", "M", "G", "T", "P", "E")
_LARGEST: Final = 1e21
_NICE: Final = (1, 2, 2.5, 5, 10)
#: A name beside a bar or a row has at most this part of the room.
_NAME_SHARE: Final = 0.4
_LEAST_BAR: Final = 4
_WIDEST_POINT: Final = 8
#: Room that a shade and a number in it need.
_CELL_WITH_NUMBER: Final = 6


def short(value: float) -> str:
    """A number in at most five letters or so: ``0``, ``0.25``, ``950``, ``1.2k``, ``34M``."""
    if not math.isfinite(value):
        return "?"
    size = abs(value)
    if size >= _LARGEST:
        return f"{value:.0e}"
    if size < 1000:
        return f"{value:.3g}" if size >= 0.001 or not size else f"{value:.0e}"
    power = min(int(math.log10(size) // 3), len(_UNITS) - 1)
    text = f"{value / 1000**power:.3g}"
    if "e" in text or abs(float(text)) >= 1000:
        power = min(power + 1, len(_UNITS) - 1)
        text = f"{value / 1000**power:.3g}"
    return text + _UNITS[power]


def bar_chart(names: Sequence[str], values: Sequence[float], width: int, *, unicode: bool = True) -> list[str]:
    """
    One bar a line, longest as the room allows; values below 0 have lighter ones.

    Args:
        names: of the lines; long ones are cut.
        values: as many.
        width: of the whole line.
    """
    from rich.cells import cell_len, set_cell_size

    numbers = [short(value) for value in values]
    number_width = max((len(text) for text in numbers), default=0)
    natural = max((cell_len(name) for name in names), default=0)
    name_width = max(min(natural, int(width * _NAME_SHARE)), 1)
    room = max(width - name_width - number_width - 4, _LEAST_BAR)
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    lines = []
    for name, value, text in zip(names, values, numbers, strict=True):
        drawn = bar(abs(value), largest, room, unicode=unicode)
        if value < 0:
            drawn = ("▒" if unicode else "-") * len(drawn)
        lines.append(f" {set_cell_size(name, name_width)}  {text:>{number_width}} {drawn}".rstrip())
    return lines


def area_chart(
    labels: Sequence[str], values: Sequence[float], width: int, height: int, *, unicode: bool = True
) -> list[str]:
    """
    Values from left to right as an area above an axis, with numbers on the left and labels below.

    Args:
        labels: what stands below each value, as far as there is room.
        values: as many, in order; where there are more than columns each column is their mean. What is below
            0 or no number is 0, and nothing is above 10^21.
        width: of the whole chart.
        height: lines of the area.
    """
    usable = [min(value, _LARGEST) if value > 0 else 0.0 for value in values]
    top, step = nice_scale(max(usable, default=0.0), max(height // 3, 2))
    ticks = {round(number * step / top * height): short(number * step) for number in range(round(top / step) + 1)}
    margin = max(len(text) for text in ticks.values())
    columns = _columns(usable, max(width - margin - 2, 1))
    corner, side, floor_ = ("┤", "│", "─") if unicode else ("+", "|", "-")
    lines = []
    for row in range(height, 0, -1):
        area = "".join(_cell(value / top * height - (row - 1), unicode=unicode) for value in columns)
        tick = ticks.get(row, "")
        lines.append(f"{tick:>{margin}} {corner if tick else side}{area}".rstrip())
    lines.append(f"{ticks.get(0, ''):>{margin}} {'┼' if unicode else '+'}{floor_ * len(columns)}")
    lines.append(" " * (margin + 2) + _below(labels, len(columns)))
    return [line.rstrip() for line in lines]


def _cell(fill: float, *, unicode: bool) -> str:
    """The part of one cell that is filled, from below; anything above 0 in the lowest cell shows."""
    if not unicode:
        return "#" if fill >= 0.5 else ("." if fill > 0 else " ")
    eighths = min(max(math.ceil(fill * 8) if 0 < fill < 0.125 else round(fill * 8), 0), 8)
    return _HEIGHTS[eighths]


def _columns(values: Sequence[float], room: int) -> list[float]:
    """One value a column: the mean of a group, or each value several times."""
    if not values:
        return [0.0]
    if len(values) > room:
        ends = [place * len(values) // room for place in range(room + 1)]
        return [sum(values[start:end]) / (end - start) for start, end in pairwise(ends)]
    times = max(min(room // len(values), _WIDEST_POINT), 1)
    return [value for value in values for _ in range(times)]


def _below(labels: Sequence[str], columns: int) -> str:
    """Labels under an axis, evenly, the first at its left end; none touches its neighbour."""
    if not labels:
        return ""
    widest = max(len(label) for label in labels)
    count = max(min(columns // (widest + 3), len(labels)), 1)
    line = ""
    for number in range(count):
        place = number * columns // count
        label = labels[min(place * len(labels) // columns, len(labels) - 1)]
        if place + len(label) <= columns or not number:
            line = f"{line:<{place}}{label}"
    return line


def nice_scale(largest: float, ticks: int) -> tuple[float, float]:
    """
    Where an axis ends and how far apart its numbers are: 1, 2, 2.5 or 5 times a power of ten.

    Returns:
        The end, at least ``largest`` and a multiple of the step; and the step.
    """
    if largest <= 0:
        return 1.0, 1.0
    raw = largest / ticks
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in _NICE if nice * power >= raw * (1 - 1e-9))
    return max(math.ceil(largest / step - 1e-9), 1) * step, step


def heat_map(
    across: Sequence[str],
    down: Sequence[str],
    values: Mapping[tuple[int, int], float],
    width: int,
    *,
    unicode: bool = True,
) -> list[str]:
    """
    A shade a cell, with its number where there is room.

    Args:
        across: names of the columns.
        down: names of the rows.
        values: by column and row, from 0; a cell without one stays empty.
        width: of the whole map.
    """
    shades = _SHADES if unicode else _SHADES_ASCII
    margin = min(max((len(name) for name in down), default=0), int(width * _NAME_SHARE))
    cell = max((width - margin - 2) // max(len(across), 1), 1)
    with_numbers = cell >= _CELL_WITH_NUMBER
    cell = min(cell, _CELL_WITH_NUMBER + 2) if with_numbers else min(cell, 3)
    shown = min(len(across), (width - margin - 2) // cell)
    largest = max((value for value in values.values() if math.isfinite(value)), default=0.0)

    def drawn(value: float | None) -> str:
        if value is None:
            return " " * cell
        level = math.ceil(value / largest * (len(shades) - 1)) if value > 0 and math.isfinite(value) else 0
        if with_numbers:
            return f"{shades[level]}{short(value)}".ljust(cell)[:cell]
        return shades[level] * cell

    lines = [" " * (margin + 2) + _headings(across[:shown], cell)]
    for row, name in enumerate(down):
        cells = "".join(drawn(values.get((column, row))) for column in range(shown))
        lines.append(f" {name[:margin]:<{margin}} {cells}")
    lines.append(f" {'':<{margin}} {' '.join(f'{shade}' for shade in shades[1:])}  up to {short(largest)}")
    return [line.rstrip() for line in lines]


def _headings(names: Sequence[str], cell: int) -> str:
    """Names above columns; those for which there is no room are left out."""
    line = ""
    for place, name in enumerate(names):
        if len(line) < place * cell or not place:
            line = f"{line:<{place * cell}}{name}"
    return line


def time_labels(times: Sequence[str]) -> list[str]:
    """
    Times in ISO 8601, or dates, as an axis names them: hours within two days, days within a quarter, else months.

    What is not a time stays as it is.
    """
    try:
        moments = [datetime.fromisoformat(text[:19]).replace(tzinfo=UTC) for text in times]
    except ValueError:
        return list(times)
    span = max(moments) - min(moments) if moments else timedelta()
    form = "%d %H:%M" if span < timedelta(days=2) else "%m-%d" if span < timedelta(days=92) else "%Y-%m"
    return [moment.strftime(form) for moment in moments]


def places(values: Iterable[str]) -> dict[str, int]:
    """Each different text and its place among them, in the order in which they come."""
    found: dict[str, int] = {}
    for value in values:
        found.setdefault(value, len(found))
    return found
