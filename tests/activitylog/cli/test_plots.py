"""Charts of many lines."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.cli.plots import area_chart, bar_chart, heat_map, nice_scale, places, short, time_labels

_VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1e6), max_size=60)


class TestShort:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"), (0.25, "0.25"), (12, "12"), (999, "999"), (999.6, "1e+03"), (1000, "1k"), (1234, "1.23k"),
            (999_999, "1M"), (34_000_000, "34M"), (-1910, "-1.91k"), (0.00001, "1e-05"), (math.inf, "?"),
            (math.nan, "?"), (2.5e18, "2.5E"), (1e300, "1e+300"),
        ],
    )  # fmt: skip
    def test_few_letters(self, value: float, text: str) -> None:
        """Three digits and a unit."""
        assert short(value) == text


class TestBarChart:
    def test_lines(self) -> None:
        """A name, its number, and a bar as long as its share; below 0 it is lighter."""
        assert bar_chart(["paid", "sent", "a.long.name", "none"], [50, 100, -25, 0], 40) == [
            " paid          50 ███████████",
            " sent         100 ██████████████████████",
            " a.long.name  -25 ▒▒▒▒▒▒",
            " none           0",
        ]

    def test_ascii(self) -> None:
        """Where only ASCII can be shown."""
        assert bar_chart(["a", "b"], [8, -4], 16, unicode=False) == [" a   8 #########", " b  -4 ----"]

    @given(_VALUES, st.integers(30, 200), st.booleans())
    def test_fits(self, values: list[float], width: int, unicode: bool) -> None:
        """Whatever the values, no line is wider than the room, and all is printable."""
        for line in bar_chart([f"name {n}" * 3 for n in range(len(values))], values, width, unicode=unicode):
            assert len(line) <= width
            assert line.isprintable()


class TestAreaChart:
    def test_axes(self) -> None:
        """Numbers on the left at even heights, labels below, and values in eighths of a line."""
        assert area_chart(["Mon", "Tue", "Wed", "Thu"], [0, 2, 4, 1], 24, 4) == [
            "4 ┤          █████",
            "  │          █████",
            "2 ┤     ██████████",
            "  │     ███████████████",
            "0 ┼────────────────────",
            "   Mon   Tue    Wed",
        ]

    def test_more_values_than_columns(self) -> None:
        """A column is the mean of its values, so that the numbers on the axis stay true."""
        lines = area_chart([str(n) for n in range(100)], [10.0, 20.0] * 50, 54, 3)
        assert lines[0].startswith("20 ┤")
        assert {line[4:] for line in lines[:3]} <= {"█" * 50, "▂" * 50, ""}

    def test_small_values_show(self) -> None:
        """What is above 0 is never invisible, and what is 0 is."""
        assert area_chart(["a", "b"], [1000, 1], 7, 3)[2].endswith("█▁")
        assert area_chart(["a", "b"], [1000, 0], 7, 3)[2].endswith("█")

    def test_nothing(self) -> None:
        """No values, or zeros only, are an empty area above an axis."""
        assert area_chart([], [], 10, 3)[-2:] == ["0 ┼─", ""]
        assert area_chart(["a"], [0], 6, 3, unicode=False)[:4] == ["1 +", "  |", "  |", "0 +---"]

    @given(_VALUES, st.integers(12, 200), st.integers(1, 20), st.booleans())
    def test_fits(self, values: list[float], width: int, height: int, unicode: bool) -> None:
        """Whatever the values, there are two lines more than the height, and none is wider than the room."""
        lines = area_chart([f"{n:02}" for n in range(len(values))], values, width, height, unicode=unicode)
        assert len(lines) == height + 2
        assert max(len(line) for line in lines[:-1]) <= width
        assert unicode or all(line.isascii() for line in lines)


class TestNiceScale:
    @given(st.floats(1e-200, 1e200), st.integers(1, 10))
    def test_holds_the_largest(self, largest: float, ticks: int) -> None:
        """The axis ends at or above the largest value, not far above, after whole steps."""
        top, step = nice_scale(largest, ticks)
        assert largest <= top * (1 + 1e-9)
        assert top <= largest + step
        assert top / step == pytest.approx(round(top / step))

    def test_values(self) -> None:
        """1, 2, 2.5 and 5 times a power of ten."""
        assert [nice_scale(n, 4) for n in (0, 4, 97, 1000, 17)] == [
            (1, 1),
            (4, 1),
            (100, 25),
            (1000, 250),
            (20, 5),
        ]


class TestHeatMap:
    def test_shades(self) -> None:
        """A shade a cell, names beside and above, and what the darkest means."""
        values = {(0, 0): 1.0, (1, 0): 4.0, (0, 1): 0.0}
        assert heat_map(["0", "1"], ["Mon", "Tue"], values, 14) == [
            "     0  1",
            " Mon ░░░███",
            " Tue",
            "     ░ ▒ ▓ █  up to 4",
        ]

    def test_numbers_where_there_is_room(self) -> None:
        """Wide cells hold the number, too."""
        lines = heat_map(["0", "1"], ["a"], {(0, 0): 100.0, (1, 0): 33.33}, 40, unicode=False)
        assert lines[1] == " a #100    :33.3"

    @given(st.integers(1, 30), st.integers(1, 10), st.integers(20, 120), st.booleans())
    def test_fits(self, across: int, down: int, width: int, unicode: bool) -> None:
        """No line is wider than the room; columns without room are left out."""
        values = {(x, y): float(x * y) for x in range(across) for y in range(down)}
        names = [f"n{x}" for x in range(across)], [f"r{y}" for y in range(down)]
        assert all(len(line) <= width + 3 for line in heat_map(*names, values, width, unicode=unicode)[1:-1])


class TestLabels:
    @pytest.mark.parametrize(
        ("times", "labels"),
        [
            (["2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"], ["01 10:00", "01 11:00"]),
            (["2026-03-01", "2026-03-31"], ["03-01", "03-31"]),
            (["2026-03-01", "2026-12-31"], ["2026-03", "2026-12"]),
            (["0", "23"], ["0", "23"]),
            ([], []),
        ],
    )
    def test_times(self, times: list[str], labels: list[str]) -> None:
        """As fine as the span needs; what is no time stays."""
        assert time_labels(times) == labels

    def test_places(self) -> None:
        """The order in which they come."""
        assert places(["b", "a", "b"]) == {"b": 0, "a": 1}
