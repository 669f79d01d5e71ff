"""What questions answer when rows have left the table (archive, retention) and the roll-ups keep their counts."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from activitylog.queries import ask
from tests.activitylog.queries.rows import at, put, row


@pytest.fixture
def archived(own_store: Any) -> Any:
    """A client on a store whose rows of January left it; those of March are there."""
    put(
        own_store,
        *(row(f"2026-01-05 10:{n:02}", "order.placed", "zoe") for n in range(50)),
        row("2026-01-05 12:30", "order.imported", "zoe", TenantId="gone"),
    )
    own_store.command("ALTER TABLE activity_events DROP PARTITION 202601")
    return own_store


class TestDepartedRows:
    """The questions that set the roll-ups beside the rows."""

    def test_first_and_last_of_what_has_left(self, archived: Any) -> None:
        """A time is that of an event: to the hour where its row has left, never 1970 or a later row."""
        seen = {line[0]: line[3:] for line in ask(archived, "event-counts").rows}
        assert seen["order.placed"] == (at("2026-01-05 10:00"), at("2026-03-01 11:00"))
        assert seen["order.imported"] == (at("2026-01-05 12:00"), at("2026-01-05 12:00"))
        assert seen["order.paid"] == (at("2026-03-01 09:20"), at("2026-03-01 11:30"))

    def test_busiest_actor_is_one_with_rows(self, archived: Any) -> None:
        """Without an actor the timeline is that of the busiest whose rows are still here."""
        assert {line[2] for line in ask(archived, "actor-timeline").rows} == {"ann"}

    def test_bytes_of_tenants(self, archived: Any) -> None:
        """What has left takes no bytes; its counts stay."""
        usage = {line[0]: line for line in ask(archived, "tenant-usage").rows}
        assert (usage["gone"][1], usage["gone"][5]) == (1, 0)
        assert usage[""][1] == 56
        stored = archived.query(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() "
            "AND table = 'activity_events' AND rows > 0"
        ).result_rows[0][0]
        assert 0 < sum(line[5] for line in usage.values()) <= stored * 1.1

    def test_bytes_of_events(self, archived: Any) -> None:
        """The bytes of the table are shared out among the rows that are in it."""
        lines = ask(archived, "storage-by-event").rows
        assert (
            sum(line[1] for line in lines)
            == archived.query("SELECT count() FROM activity_events").result_rows[0][0]
        )
        assert "order.imported" not in {line[0] for line in lines}

    def test_coverage_is_below_zero(self, archived: Any) -> None:
        """Roll-ups that hold more than the table are shown as such."""
        rows = ask(archived, "rollup-coverage", since="2026-01-01").rows
        assert rows[0] == (date(2026, 1, 5), 0, 51, -51, 0, 51, -51)


class TestStrayRow:
    """One old row that stayed, or came late with a wrong time, does not stand for all that left after it."""

    @pytest.fixture(params=["1923-05-06 07:08", "1950-01-01 00:00", "1969-12-31 23:59", "2025-12-31 23:00"])
    def stray(self, archived: Any, request: pytest.FixtureRequest) -> Any:
        put(archived, row(request.param, "stray.came", "stray"))
        return archived

    def test_what_has_left_is_not_here(self, stray: Any) -> None:
        """It has no bytes, it is not among the events of the table, and its actor is not the busiest."""
        usage = {line[0]: line for line in ask(stray, "tenant-usage").rows}
        assert (usage["gone"][1], usage["gone"][5]) == (1, 0)
        assert {line[0] for line in ask(stray, "storage-by-event").rows} - {"stray.came"} == {
            "order.placed", "order.paid", "order.archived", "page.viewed", "cache.cleared",
        }  # fmt: skip
        assert {line[2] for line in ask(stray, "actor-timeline").rows} == {"ann"}


class TestFuture:
    """A store whose events are all later than the clock of whoever asks."""

    @pytest.mark.parametrize(
        "name",
        [
            "active-actors", "events-by-hour", "failures-by-hour", "hour-of-week", "new-and-returning",
            "new-events", "retention", "session-lengths", "top-movers", "unique-actors-per-day", "volume",
        ],
    )  # fmt: skip
    def test_answers(self, empty_store: Any, name: str) -> None:
        """The answer has as many lines as that of the same events in the past."""
        counts = []
        for year in (2024, 2080):  # both begin on a Monday, and are leap years
            put(
                empty_store,
                row(f"{year}-01-01 10:00", "order.placed", "ann"),
                row(f"{year}-01-03 10:00", "order.placed", "ann"),
                row(f"{year}-01-04 10:00", "order.paid", "ann", Outcome="failure"),
            )
            counts.append(len(ask(empty_store, name).rows))
            for table in ("activity_events", "activity_events_hourly", "activity_events_actor_daily"):
                empty_store.command(f"TRUNCATE TABLE {table}")
        assert counts[0] == counts[1] > 0


class TestYoungStore:
    """A store that does not go back as far as a question looks."""

    def test_average_of_the_weeks_there_are(self, empty_store: Any) -> None:
        """An average is over the weeks that the store has, not over those that were asked for."""
        put(empty_store, *(row(f"2026-03-{day} 10:00", "ping") for day in ("02", "02", "09")))
        monday = {line[:2]: line[2:] for line in ask(empty_store, "hour-of-week", weeks=4).rows}
        assert monday[(1, 10)] == (3, 3.0, 1.5)


class TestSilence:
    """``silent`` when everybody is."""

    def test_all_are_silent(self, empty_store: Any) -> None:
        """With an end, silence is counted up to it; without one, up to the newest event."""
        put(empty_store, *(row(f"2026-03-01 10:{n:02}", "ping", ServiceName="web") for n in range(31)))
        assert ask(empty_store, "silent").rows == []
        assert [(line[0], line[5]) for line in ask(empty_store, "silent", until="2026-03-01 12:30").rows] == [
            ("web", 120.0)
        ]
