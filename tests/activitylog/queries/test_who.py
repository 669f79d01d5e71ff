"""Questions about actors: whole answers about a few rows, with literal values."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from activitylog.queries import ask
from tests.activitylog.queries.rows import put, row

#: Who was there on which day. 2026-03-02 is a Monday.
_DAYS = {
    "2026-03-03": ("ann", "ben", "cid"),
    "2026-03-08": ("ann",),
    "2026-03-09": ("ann", "dan"),
    "2026-03-15": ("ben",),
    "2026-03-16": ("ann", "dan", "eve"),
}


@pytest.fixture
def weeks(empty_store: Any) -> Any:
    """Three weeks of five actors."""
    put(empty_store, *(row(f"{day} 12:00", "page.viewed", actor) for day, who in _DAYS.items() for actor in who))
    return empty_store


class TestRetention:
    """``retention``."""

    def test_weeks(self, weeks: Any) -> None:
        """Each cohort is a week of first times; period 0 is all of it; weeks yet to come are not there."""
        answer = ask(weeks, "retention")
        assert answer.columns == ("cohort", "period", "actors", "size", "percent")
        assert answer.rows == [
            (date(2026, 3, 2), 0, 3, 3, 100.0),
            (date(2026, 3, 2), 1, 2, 3, 66.67),
            (date(2026, 3, 2), 2, 1, 3, 33.33),
            (date(2026, 3, 9), 0, 1, 1, 100.0),
            (date(2026, 3, 9), 1, 1, 1, 100.0),
            (date(2026, 3, 16), 0, 1, 1, 100.0),
        ]

    def test_days(self, weeks: Any) -> None:
        """Periods of one day; only the newest are shown, and an actor of before is in none of their cohorts."""
        rows = ask(weeks, "retention", period_days=1, periods=8).rows
        assert rows == [
            *((date(2026, 3, 9), day, int(day in (0, 7)), 1, 100.0 * (day in (0, 7))) for day in range(8)),
            (date(2026, 3, 16), 0, 1, 1, 100.0),
        ]

    def test_before_a_time(self, weeks: Any) -> None:
        """What came later is not known yet."""
        rows = ask(weeks, "retention", until="2026-03-09").rows
        assert rows == [(date(2026, 3, 2), 0, 3, 3, 100.0)]


class TestNewAndReturning:
    """``new-and-returning``."""

    def test_days(self, weeks: Any) -> None:
        """New is who was never there before, however long ago; days without anybody are there."""
        answer = ask(weeks, "new-and-returning", since="2026-03-08")
        assert answer.columns == ("day", "new", "returning", "actors")
        assert [line for line in answer.rows if line[3]] == [
            (date(2026, 3, 8), 0, 1, 1),
            (date(2026, 3, 9), 1, 1, 2),
            (date(2026, 3, 15), 0, 1, 1),
            (date(2026, 3, 16), 1, 2, 3),
        ]
        assert len(answer.rows) == 9


class TestActiveActors:
    """``active-actors``."""

    def test_day_week_month(self, weeks: Any) -> None:
        """Different actors of the day, of 7 and of 30 days; days without anybody have a week and a month, too."""
        answer = ask(weeks, "active-actors", limit=4)
        assert answer.columns == ("day", "daily", "weekly", "monthly", "stickiness_percent")
        assert answer.rows == [
            (date(2026, 3, 13), 0, 2, 4, 0.0),
            (date(2026, 3, 14), 0, 2, 4, 0.0),
            (date(2026, 3, 15), 1, 3, 4, 25.0),
            (date(2026, 3, 16), 3, 4, 5, 60.0),
        ]

    def test_thirty_days_and_no_more(self, empty_store: Any) -> None:
        """An actor counts for the month up to the 30th day, that of the event included."""
        put(empty_store, row("2026-03-01 12:00", "a", "ann"), row("2026-03-31 12:00", "a", "ben"))
        assert ask(empty_store, "active-actors", limit=2).rows == [
            (date(2026, 3, 30), 0, 0, 1, 0.0),
            (date(2026, 3, 31), 1, 1, 1, 100.0),
        ]

    def test_range_begins_with_the_store(self, weeks: Any) -> None:
        """No more days than there are."""
        rows = ask(weeks, "active-actors", limit=1000).rows
        assert (rows[0][0], len(rows)) == (date(2026, 3, 3), 14)


class TestLongFunnel:
    """``funnel`` with more than three events."""

    def test_five_steps(self, empty_store: Any) -> None:
        """The fourth and the fifth event are steps when they are given."""
        for actor, steps in (("ann", "abcde"), ("ben", "abcd"), ("cid", "abdc")):
            put(empty_store, *(row(f"2026-03-01 10:0{n}", event, actor) for n, event in enumerate(steps)))
        given = {"first": "a", "second": "b", "third": "c"}
        rows = ask(empty_store, "funnel", **given, fourth="d", fifth="e").rows
        assert [line[1:3] for line in rows] == [("a", 3), ("b", 3), ("c", 3), ("d", 2), ("e", 1)]
        rows = ask(empty_store, "funnel", **given, fifth="d").rows
        assert [line[1:3] for line in rows] == [("a", 3), ("b", 3), ("c", 3), ("d", 2)]
