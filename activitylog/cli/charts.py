"""Small charts made of letters: a bar for one value, a line of bars for a series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_HEIGHTS_ASCII: Final = "_.-=+*%#"


def bar(value: float, largest: float, width: int, *, unicode: bool = True) -> str:
    """
    A bar whose length is ``value / largest`` of ``width``; something is visible from the smallest value
    above 0 on.

    Args:
        value: 0 or more; anything else gives no bar.
        largest: value of the longest bar.
        width: its length in characters.
        unicode: False draws with ``#``.
    """
    if not 0 < value <= largest:
        return ""
    eighths = max(1, round(value / largest * width * 8))
    if not unicode:
        return "#" * max(1, round(eighths / 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def sparkline(values: Sequence[float], width: int, *, unicode: bool = True) -> str:
    """
    A line of bars, one a value; more values than ``width`` are added up in groups of the same size.

    A value of 0 is a space, so that a gap looks like one.
    """
    if not values or width < 1:
        return ""
    group = -(-len(values) // width)
    sums = [sum(values[start : start + group]) for start in range(0, len(values), group)]
    largest = max(sums)
    steps = _HEIGHTS if unicode else _HEIGHTS_ASCII
    if largest <= 0:
        return " " * len(sums)
    return "".join(steps[min(int(value / largest * 8), 7)] if value > 0 else " " for value in sums)


def evenly(points: Iterable[tuple[str, float]], *, most: int = 100_000) -> list[float]:
    """
    A series with its gaps filled by zeros.

    Args:
        points: times in ISO 8601, or dates, in any order; values of the same time are added up.
        most: longest series that is given; a longer one comes without its gaps.

    Returns:
        One value for each step from the first to the last time; the step is the smallest distance there is.
    """
    sums: dict[int, float] = {}
    for text, value in points:
        at = round(datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp())
        sums[at] = sums.get(at, 0.0) + value
    times = sorted(sums)
    step = min((later - earlier for earlier, later in pairwise(times)), default=0)
    if not step or (times[-1] - times[0]) // step >= most:
        return [sums[at] for at in times]
    values = [0.0] * ((times[-1] - times[0]) // step + 1)
    for at in times:
        values[(at - times[0]) // step] += sums[at]
    return values
