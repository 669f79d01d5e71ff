"""Questions that tell one after the other: whole answers about a few rows, with literal values."""

from __future__ import annotations

from datetime import date
from typing import Any

from activitylog.queries import ask
from tests.activitylog.queries.rows import at, put, row

_ID = "019caa06-7000-7000-8000-000000000001"  # its first 48 bits are 2026-03-01 15:31:14.560


class TestSessionReplay:
    """``session-replay``."""

    def test_steps_and_pauses(self, store: Any) -> None:
        """Each step with the seconds since the first one and since the one before."""
        answer = ask(store, "session-replay", session="s-1")
        assert answer.columns == (
            "time", "after_seconds", "pause_seconds", "event", "actor_type", "actor", "object_type", "object",
            "route", "outcome", "milliseconds", "message",
        )  # fmt: skip
        placed = (at("2026-03-01 09:15"), 0.0, 0.0, "order.placed", "user", "ann", "order", "A-1")
        paid = (at("2026-03-01 09:20"), 300.0, 300.0, "order.paid", "user", "ann", "order", "A-1")
        assert answer.rows == [
            (*placed, "POST /orders", "success", 0.0, "ann placed A-1"),
            (*paid, "POST /payments", "success", 0.0, ""),
        ]

    def test_the_newest_session(self, store: Any) -> None:
        """Without a session it is that of the newest event that has one; pauses are between neighbours."""
        for second, pause in ((0, 0), (2, 2), (7, 5)):
            put(store, row(f"2026-03-02 10:00:0{second}", SessionId="s-2", DurationUs=1500, Seq=pause))
        rows = ask(store, "session-replay").rows
        assert [(*line[1:3], line[10]) for line in rows] == [(0.0, 0.0, 1.5), (2.0, 2.0, 1.5), (7.0, 5.0, 1.5)]
        assert ask(store, "session-replay", session="nowhere").rows == []


class TestSessions:
    """``sessions`` and ``session-lengths``."""

    def test_by_id_and_by_pause(self, empty_store: Any) -> None:
        """What shares an id is a session whoever acts; without ids a pause of more than 30 minutes ends one."""
        put(
            empty_store,
            row("2026-03-01 08:00", SessionId="s-1"),
            row("2026-03-01 09:59", "user.logged_in", "ann", SessionId="s-1", SampleWeight=4),
            row("2026-03-01 08:00", "page.viewed", "ben"),
            row("2026-03-01 08:30", "page.viewed", "ben", EventCount=3),
            row("2026-03-01 09:01", "page.viewed", "ben"),
            row("2026-03-01 09:00", "cache.cleared"),
        )
        answer = ask(empty_store, "sessions")
        assert answer.columns == (
            "started", "ended", "minutes", "tenant", "actor_type", "actor", "session", "rows", "events"
        )  # fmt: skip
        assert answer.rows == [
            (at("2026-03-01 09:01"), at("2026-03-01 09:01"), 0.0, "", "user", "ben", "", 1, 1.0),
            (at("2026-03-01 08:00"), at("2026-03-01 09:59"), 119.0, "", "user", "ann", "s-1", 2, 5.0),
            (at("2026-03-01 08:00"), at("2026-03-01 08:30"), 30.0, "", "user", "ben", "", 2, 4.0),
        ]
        assert [line[2] for line in ask(empty_store, "sessions", gap_minutes=29).rows] == [0.0, 0.0, 119.0, 0.0]
        assert [line[7] for line in ask(empty_store, "sessions", gap_minutes=31).rows] == [2, 3]

    def test_lengths(self, store: Any) -> None:
        """Sessions by the day on which they began; a day without one is there."""
        answer = ask(store, "session-lengths")
        assert answer.columns == (
            "day", "sessions", "median_minutes", "p90_minutes", "single", "rows_per_session", "events_per_session"
        )  # fmt: skip
        assert answer.rows == [
            (date(2026, 3, 1), 2, 17.5, 27.5, 0, 2.0, 2.0),
            (date(2026, 3, 2), 0, 0.0, 0.0, 0, 0.0, 0.0),
            (date(2026, 3, 3), 2, 0.0, 0.0, 2, 1.0, 3.5),
        ]


class TestEventId:
    """``trace-or-request`` with the id of an event."""

    def test_found_by_its_own_time(self, empty_store: Any) -> None:
        """The event is found, and only the hour that its id names is read."""
        put(
            empty_store,
            row("2026-03-01 15:31:14.560123", "order.paid", EventId=_ID),
            row("2026-03-01 15:31:14.560124", "order.placed"),
            row("2026-03-04 10:00:00", "page.viewed", EventId=_ID),
        )
        rows = ask(empty_store, "trace-or-request", id=_ID).rows
        assert [line[1] for line in rows] == ["order.paid"]
        assert len(ask(empty_store, "trace-or-request", id=_ID.upper()).rows) == 1

    def test_no_other_ids(self, empty_store: Any) -> None:
        """Rows without an event id are not found by the zero id, nor by one of another version."""
        put(
            empty_store,
            row("2026-03-01 15:00", "a"),
            row("2026-03-01 15:00", "b", EventId=_ID.replace("-7", "-4")),
        )
        for given in ("00000000-0000-0000-0000-000000000000", _ID.replace("-7", "-4"), "019caa06-7000-7"):
            assert ask(empty_store, "trace-or-request", id=given).rows == []
