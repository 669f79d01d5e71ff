"""The time of a test: it stands still, and moves when it is told to."""

from __future__ import annotations

import datetime as dt
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import activitylog
from activitylog.deferred import defer
from activitylog.exceptions import ConfigurationError
from activitylog.testing import CapturedActivities, capture_activities
from activitylog.testing.clock import nanoseconds

NEW_YEAR = "2026-01-01T00:00:00Z"


class TestFreeze:
    @pytest.mark.parametrize(
        "moment",
        [NEW_YEAR, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 1_767_225_600_000_000_000, 1_767_225_600.0],
        ids=["text", "datetime", "nanoseconds", "seconds"],
    )
    def test_events_have_the_moment_that_was_given(self, activity: CapturedActivities, moment: Any) -> None:
        """In any of its forms; until it is moved."""
        activity.freeze(moment)
        activitylog.emit("a.b")
        activitylog.emit_many("a.b", ["user:1", "user:2"])
        assert [event.timestamp for event in activity] == [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 3

    def test_a_time_that_an_event_has_is_its_own(self, activity: CapturedActivities) -> None:
        """Imports keep their history."""
        activity.freeze(NEW_YEAR)
        activitylog.emit("a.b", timestamp=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        assert activity.one("a.b")["timestamp"].year == 2020

    def test_of_deferred_events(self, activity: CapturedActivities) -> None:
        """They have the time at which they were taken, such as before a commit."""
        activity.freeze(NEW_YEAR)
        emit = defer("order.paid")
        activity.tick(5)
        assert emit()
        activity.assert_emitted("order.paid", timestamp=NEW_YEAR)

    def test_durations_are_those_of_the_ticks(self, activity: CapturedActivities) -> None:
        """What activitylog measures takes no time of its own."""
        activity.freeze(NEW_YEAR)
        with activitylog.activity("import.run"):
            activity.tick(1.5)
        with activitylog.activity("import.checked"):
            pass
        assert activity.as_dicts(times=True) == [
            {"event": "import.run", "timestamp": "2026-01-01T00:00:01.500000Z", "duration": 1.5},
            {"event": "import.checked", "timestamp": "2026-01-01T00:00:01.500000Z", "duration": 0.0},
        ]

    def test_ids_are_predictable(self, activity: CapturedActivities) -> None:
        """A producer of zeros, whose events are numbered from 1, whatever was emitted before."""
        activitylog.emit("a.b")
        activity.freeze(NEW_YEAR)
        activity.clear()
        activitylog.emit("a.b")
        activity.freeze("2026-01-02T00:00:00Z")
        activitylog.emit("a.b")
        assert [dict(event.attributes) for event in activity] == [
            {"log.record.uid": uid, "activity.producer": "00000000000", "activity.seq": seq}
            for seq, uid in enumerate(
                ["019b76da-a800-7001-8000-000000000000", "019b7c01-0400-7002-8000-000000000000"], start=1
            )
        ]

    def test_ids_are_unique_without_it(self, activity: CapturedActivities) -> None:
        """As in production."""
        activitylog.emit("a.b")
        assert activity.one()["activity.producer"] != "00000000000"

    @pytest.mark.parametrize(
        "moment",
        ["yesterday", "2026-01-01T00:00:00", "2026-01-01", dt.datetime(2026, 1, 1), -1, 1 << 63, None, True],  # noqa: DTZ001
    )
    def test_what_is_no_moment_is_refused(self, activity: CapturedActivities, moment: Any) -> None:
        """A time without a zone is none."""
        with pytest.raises(ConfigurationError, match=r"is no moment\. Give ISO 8601 text with its zone, such as"):
            activity.freeze(moment)
        activitylog.emit("a.b")
        assert abs(activity.one().timestamp_ns - time.time_ns()) < 60 * 1_000_000_000


class TestTick:
    def test_moves_the_time(self, activity: CapturedActivities) -> None:
        """By seconds and parts of them."""
        activity.freeze(NEW_YEAR)
        for seconds in (0.25, 1, 86_400):
            activity.tick(seconds)
            activitylog.emit("a.b")
        assert [event.timestamp.isoformat() for event in activity] == [
            "2026-01-01T00:00:00.250000+00:00",
            "2026-01-01T00:00:01.250000+00:00",
            "2026-01-02T00:00:01.250000+00:00",
        ]

    def test_needs_a_time_that_stands_still(self, activity: CapturedActivities) -> None:
        """The real one is moved by nobody."""
        with pytest.raises(ConfigurationError, match=r"Call freeze\(\) before."):
            activity.tick(1)

    @pytest.mark.activity(
        rules=[{"match": "message.typing", "rollup": "10s"}, {"match": "search.run", "max_per_second": 1}]
    )
    def test_ends_the_windows_of_rules(self, activity: CapturedActivities) -> None:
        """The clock of the rules is the same; what waited is there at once."""
        activity.freeze(NEW_YEAR)
        for _ in range(3):
            activitylog.emit("message.typing", actor="user:1")
        for _ in range(4):
            activitylog.emit("search.run")
        assert (activity.held, activity.names) == (4, [])
        activity.tick(1)
        assert (activity.held, activity.counts, activity.dropped) == (3, {"search.run": 1}, {"budget": 3})
        activity.tick(9)
        assert (activity.held, activity.summary()[1]) == (0, "message.typing user:1 success x3")
        assert activity.one("search.run")["activity.sample.weight"] == 4.0
        assert activitylog.stats().rolled_up == 2


class TestRelease:
    def test_time_is_real_again_after_the_test(self) -> None:
        """Everywhere, whatever happened in between."""
        places = [
            (sys.modules["activitylog.processors"], "time_ns"),
            (sys.modules["activitylog.emit"], "perf_counter_ns"),
        ]
        real = [getattr(*place) for place in places]
        with suppress(ZeroDivisionError), capture_activities() as activity:
            activity.freeze(NEW_YEAR)
            assert [getattr(*place)() for place in places] == [1_767_225_600_000_000_000, 0]
            raise ZeroDivisionError
        assert [getattr(*place) for place in places] == real == [time.time_ns, time.perf_counter_ns]

    def test_of_a_capture_inside_another_one(self, activity: CapturedActivities) -> None:
        """The time of the outer one goes on to stand still."""
        activity.freeze(NEW_YEAR)
        with capture_activities() as inner:
            activitylog.emit("a.b")
            inner.freeze("2030-01-01T00:00:00Z")
            activitylog.emit("a.b")
        activitylog.emit("a.b")
        assert [event.timestamp.year for event in [*inner, *activity]] == [2026, 2030, 2026]


class TestNanoseconds:
    @given(st.integers(0, (1 << 63) // 1000 - 1), st.integers(-12 * 60, 12 * 60))
    def test_of_a_text_are_those_of_the_datetime(self, microseconds: int, minutes: int) -> None:
        """To the microsecond, in any zone."""
        moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
        there = moment.astimezone(dt.timezone(dt.timedelta(minutes=minutes)))
        assert nanoseconds(there) == nanoseconds(there.isoformat()) == microseconds * 1000
