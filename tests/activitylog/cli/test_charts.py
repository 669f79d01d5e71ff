"""Bars and sparklines."""

from __future__ import annotations

import pytest

from activitylog.cli.charts import bar, evenly, sparkline


class TestBar:
    @pytest.mark.parametrize(
        ("value", "drawn"),
        [(0, ""), (100, "████"), (50, "██"), (1, "▏"), (31.25, "█▎"), (-5, ""), (float("nan"), "")],
    )
    def test_length_is_the_share_of_the_largest(self, value: float, drawn: str) -> None:
        """A bar is as long as its share, in eighths of a letter, and never vanishes above zero."""
        assert bar(value, 100, 4) == drawn

    def test_plain_letters(self) -> None:
        """Where only ASCII can be shown a bar is made of #."""
        assert bar(50, 100, 4, unicode=False) == "##"


class TestSparkline:
    def test_one_letter_a_value(self) -> None:
        """Heights follow the values, and a zero is a gap."""
        assert sparkline([0, 1, 4, 8], 10) == " ▂▅█"

    def test_more_values_than_room_are_added_up(self) -> None:
        """Groups of the same size are added up so that the line fits."""
        assert sparkline([1, 1, 1, 1, 8, 8, 8, 8], 4) == "▂▂██"

    def test_nothing(self) -> None:
        """No values draw nothing, zeros draw gaps, and ASCII is enough."""
        assert (sparkline([], 5), sparkline([0, 0], 5)) == ("", "  ")
        assert sparkline([1, 8], 5, unicode=False) == ".#"


class TestEvenly:
    def test_gaps_are_zeros(self) -> None:
        """A step without a value is 0, whatever the order, and values of one time are added up."""
        points = [("2026-05-01T13:00:00Z", 3), ("2026-05-01T10:00:00Z", 1), ("2026-05-01T11:00:00.000Z", 2)]
        assert evenly([*points, ("2026-05-01T10:00:00Z", 5)]) == [6.0, 2.0, 0.0, 3.0]

    def test_dates(self) -> None:
        """Days are steps, too; one day alone is one value."""
        assert evenly([("2026-05-01", 1), ("2026-05-03", 1), ("2026-05-02", 4)]) == [1.0, 4.0, 1.0]
        assert evenly([("2026-05-01", 1)]) == [1.0]
        assert evenly([]) == []

    def test_a_series_that_would_be_endless_keeps_its_points_only(self) -> None:
        """Two seconds and a year apart are three points, not thirty million."""
        points = [("2026-01-01T00:00:00", 1), ("2026-01-01T00:00:01", 1), ("2027-01-01T00:00:00", 1)]
        assert evenly(points) == [1.0, 1.0, 1.0]
