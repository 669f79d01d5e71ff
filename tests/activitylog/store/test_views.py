"""The views for people and BI tools: whole answers about a few rows, and whose rows they show."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest

from activitylog.store import EVENTS_TABLE, diff, migrations

_ROWS = [
    # day, minute, event, tenant, actor, outcome, session, weight, count
    (1, 0, "order.placed", "acme", "ann", "success", "s-1", 1.0, 1),
    (1, 30, "order.paid", "acme", "ann", "failure", "s-1", 1.0, 1),
    (1, 40, "page.viewed", "acme", "", "success", "s-1", 10.0, 2),
    (2, 0, "order.placed", "globex", "ben", "success", "", 1.0, 3),
    (2, 5, "order.placed", "globex", "cid", "success", "s-2", 0.5, 1),
]


@pytest.fixture
def store(migrated_client: Any) -> Any:
    """A client on a store with a few rows."""
    migrated_client.insert(
        EVENTS_TABLE,
        [
            [datetime(2026, 3, day, 10, minute, tzinfo=UTC), event, tenant, "user" if actor else "", actor, *more]
            for day, minute, event, tenant, actor, *more in _ROWS
        ],
        column_names=[
            "Timestamp", "EventName", "TenantId", "ActorType", "ActorId", "Outcome", "SessionId", "SampleWeight",
            "EventCount",
        ],
    )  # fmt: skip
    return migrated_client


def _rows(client: Any, columns: str, view: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(f"SELECT {columns} FROM {view} ORDER BY ALL").result_rows]


class TestViews:
    """What each view says."""

    def test_counts_by_day(self, store: Any) -> None:
        """Rows, what they stand for, what was emitted, and how sure that is."""
        assert _rows(store, "*", "activity_counts_by_day") == [
            (date(2026, 3, 1), "acme", "order.paid", "failure", 1, 1, 1.0, 0.0),
            (date(2026, 3, 1), "acme", "order.placed", "success", 1, 1, 1.0, 0.0),
            (date(2026, 3, 1), "acme", "page.viewed", "success", 1, 2, 20.0, pytest.approx(360**0.5)),
            (date(2026, 3, 2), "globex", "order.placed", "success", 2, 4, 3.5, 0.0),
        ]

    def test_actors_by_day(self, store: Any) -> None:
        """Different actors; rows without one do not count."""
        assert _rows(store, "*", "activity_actors_by_day") == [
            (date(2026, 3, 1), "acme", "user", 1, 2, 2, 2.0),
            (date(2026, 3, 2), "globex", "user", 2, 2, 4, 3.5),
        ]

    def test_failures(self, store: Any) -> None:
        """Only what did not succeed."""
        columns = "Timestamp, EventName, ActorId, Weighted"
        time = store.query(f"SELECT {columns} FROM activity_failures", tz_mode="aware").result_rows
        assert [tuple(row) for row in time] == [
            (datetime(2026, 3, 1, 10, 30, tzinfo=UTC), "order.paid", "ann", 1.0)
        ]

    def test_estimates(self, store: Any) -> None:
        """Interval and trust: one sampled row is no evidence, and a weight below 1 is none either."""
        columns = "EventName, Weighted, round(Low, 2), round(High, 2), Trust"
        assert _rows(store, columns, "activity_estimates") == [
            ("order.paid", 1.0, 1.0, 1.0, "exact"),
            ("order.placed", 1.0, 1.0, 1.0, "exact"),
            ("order.placed", 3.5, 3.5, 3.5, "no"),
            ("page.viewed", 20.0, 2.0, 57.19, "no"),
        ]

    def test_trust_needs_thirty_rows(self, store: Any) -> None:
        """Of rows of weight 10 it takes 27 of the same day and event: their error is below 18 %."""
        for count, trust in ((26, "no"), (1, "yes")):
            store.command(
                "INSERT INTO activity_events (Timestamp, EventName, SampleWeight) SELECT "
                "toDateTime64('2026-03-05 10:00:00', 9, 'UTC') + number, 'sampled', 10 FROM numbers({n:UInt8})",
                parameters={"n": count},
                settings={"insert_deduplicate": 0},
            )
            assert _rows(store, "Trust", "activity_estimates WHERE EventName = 'sampled'") == [(trust,)]

    def test_sessions_by_day(self, store: Any) -> None:
        """When a session began and ended, who was in it, how much happened and failed."""
        columns = "Day, TenantId, SessionId, ActorId, Seconds, RowCount, Weighted, FailedRows"
        assert _rows(store, columns, "activity_sessions_by_day") == [
            (date(2026, 3, 1), "acme", "s-1", "ann", 2400.0, 3, 22.0, 1),
            (date(2026, 3, 2), "globex", "s-2", "cid", 0.0, 1, 0.5, 0),
        ]


class TestRights:
    """Views run with the rights of who asks."""

    def test_invoker(self, store: Any) -> None:
        """Each says so itself, whatever the server's default: a row policy on the tables holds behind it."""
        views = store.query(
            "SELECT name, create_table_query FROM system.tables "
            "WHERE database = currentDatabase() AND engine = 'View'"
        ).result_rows
        assert sorted(name for name, _ in views) == [
            "activity_actors_by_day", "activity_counts_by_day", "activity_estimates", "activity_estimates_by_unit",
            "activity_failures", "activity_sessions_by_day", "activity_totals",
        ]  # fmt: skip
        assert [name for name, sql in views if "SQL SECURITY INVOKER" not in sql] == []

    def test_every_view_has_a_comment(self) -> None:
        """The file of a view begins with what it is for."""
        for migration in migrations():
            if "CREATE VIEW" in migration.sql or "CREATE OR REPLACE VIEW" in migration.sql:
                assert migration.sql.startswith("-- "), migration


class TestSchema:
    """The views are part of the schema."""

    def test_a_missing_view_is_a_difference(self, store: Any) -> None:
        """``diff`` names a view that is gone, and one that is something else."""
        assert diff(store) == []
        store.command("DROP VIEW activity_failures")
        store.command("CREATE TABLE activity_failures (a Int8) ENGINE = Memory")
        store.command("DROP VIEW activity_estimates")
        assert [difference.where for difference in diff(store)] == ["activity_failures", "activity_estimates"]

    @pytest.mark.parametrize(
        ("view", "condition"),
        [
            ("activity_failures", "Timestamp >= '2026-03-02' AND Timestamp < '2026-03-03'"),
            ("activity_sessions_by_day", "Day = '2026-03-02'"),
            ("activity_counts_by_day", "Day = '2026-03-02'"),
            ("activity_estimates", "Day = '2026-03-02'"),
            ("activity_estimates_by_unit", "Day = '2026-03-02'"),
            ("activity_totals", "Day = '2026-03-02'"),
            ("activity_totals", "Minute >= '2026-03-02 00:00:00' AND Minute < '2026-03-02 12:00:00'"),
        ],
    )
    def test_a_filter_by_time_reaches_the_table(self, store: Any, view: str, condition: str) -> None:
        """Parts of other times are left out."""
        store.command("INSERT INTO activity_events (Timestamp) VALUES ('2026-01-01 00:00:00')")
        for month in (1, 3):
            store.command(f"INSERT INTO activity_counters (Minute) VALUES ('2026-0{month}-02 10:00:00')")
        plan = store.query(f"EXPLAIN indexes = 1 SELECT * FROM {view} WHERE {condition}").result_rows
        cut = sum("Parts: 1/2" in line for (line,) in plan)
        assert cut == sum("ReadFromMergeTree" in line for (line,) in plan) > 0


def test_the_sql_of_the_page_runs(migrated_client: Any) -> None:
    """What README.md of the store shows can be copied."""
    page = files("activitylog.store").joinpath("README.md").read_text(encoding="utf-8")
    statements = [
        part for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) for part in block.split(";\n")
    ]
    shown = [statement for statement in statements if statement.strip()]
    assert len(shown) >= 3
    for statement in shown:
        assert migrated_client.query(statement).result_rows == []
