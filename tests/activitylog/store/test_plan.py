"""What `schema apply` decides and does: as printed by a dry run, resumable anywhere, repairing what can be."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from activitylog.store import Step, apply, create_database, diff, migrations, pending, plan, show
from activitylog.store.definitions import Definition
from activitylog.store_settings import StoreSettings, parse_store

_SETTINGS = parse_store({"partition_by": "day", "retention_days": 90, "columns": {"order.id": "String"}})


class Spy:
    """A client that remembers what it was told to do, and fails before a statement when told to."""

    def __init__(self, client: Any, *, fail_at: int | None = None) -> None:
        self._client = client
        self._fail_at = fail_at
        self.commands: list[str] = []

    def command(self, sql: str, **options: Any) -> Any:
        if not sql.startswith("SELECT"):
            if len(self.commands) == self._fail_at:
                raise ConnectionError("gone")
            self.commands.append(sql)
        return self._client.command(sql, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _statements(steps: list[Step]) -> list[str]:
    return [sql for step in steps for sql in step.sql]


class TestPlan:
    """``plan``."""

    @pytest.mark.parametrize("settings", [None, StoreSettings(), _SETTINGS])
    def test_is_what_apply_does(self, chdb_client: Any, settings: StoreSettings | None) -> None:
        """Statement by statement: for a database that is not there, that is empty, and that is up to date."""
        nowhere, empty = plan(None, settings), plan(chdb_client, settings)
        assert nowhere == empty
        assert chdb_client.query("SHOW TABLES").result_rows == []
        spy = Spy(chdb_client)
        assert apply(spy, settings) == empty  # type: ignore[arg-type]
        assert spy.commands == _statements(empty)
        assert plan(chdb_client, settings) == []
        assert diff(chdb_client, settings) == []

    def test_show_makes_the_same(self, chdb_client: Any) -> None:
        """Who runs the text of `schema show` by other means gets the same tables; apply then only records that."""
        for statement in show(_SETTINGS).split(";\n"):
            if any(line and not line.startswith("--") for line in statement.splitlines()):
                chdb_client.command(statement)
        differences = diff(chdb_client, _SETTINGS)
        assert [difference.where for difference in differences] == [f"the step {step}" for step in migrations()]
        assert [step.migration for step in apply(chdb_client, _SETTINGS)] == list(migrations())
        assert diff(chdb_client, _SETTINGS) == []

    def test_create_database_quotes(self) -> None:
        """A name with odd characters is one name."""
        assert create_database("a`b-c") == ["CREATE DATABASE IF NOT EXISTS `a\\`b-c`"]


class TestResuming:
    """A process that ends anywhere leaves a database that applying again completes."""

    @pytest.mark.slow
    def test_after_any_statement(self, chdb_client: Any) -> None:
        """Ended after none to ten statements (the most of a step), until nothing is left to do."""
        crashes = 0
        for done in itertools.cycle(range(11)):
            left = len(_statements(plan(chdb_client, _SETTINGS)))
            if left <= done:
                break
            with pytest.raises(ConnectionError):
                apply(Spy(chdb_client, fail_at=done), _SETTINGS)  # type: ignore[arg-type]
            crashes += 1
            assert crashes < 10 * len(migrations())
        assert crashes > len(migrations()) / 2
        apply(chdb_client, _SETTINGS)
        assert diff(chdb_client, _SETTINGS) == []
        numbers = chdb_client.query("SELECT number FROM activity_schema_migrations ORDER BY number").result_rows
        assert numbers == [(migration.number,) for migration in migrations()]


class TestFill:
    """``fill``: what was there before a view is the work of somebody else, called at the right time."""

    def test_called_for_each_rollup_before_its_record(self, chdb_client: Any) -> None:
        """With the view in place and the step not yet recorded."""
        called = []

        def fill(client: Any, view: Definition) -> None:
            tables = {name for (name,) in client.query("SHOW TABLES").result_rows}
            assert {view.name, view.target} <= tables
            assert view.name in [step.name for step in pending(client)]
            called.append(view.target)

        apply(chdb_client, fill=fill)
        assert called == ["activity_events_hourly", "activity_events_actor_daily"]
        assert apply(chdb_client, fill=fill) == []
        assert len(called) == 2

    def test_a_crash_in_it_leads_to_another_call(self, chdb_client: Any) -> None:
        """The step is not recorded: the next one to apply fills again."""
        called = []

        def crash(_client: Any, view: Definition) -> None:
            called.append(view.name)
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            apply(chdb_client, fill=crash)
        apply(chdb_client, fill=lambda _client, view: called.append(view.name))
        assert called == [
            "activity_events_hourly_mv",
            "activity_events_hourly_mv",
            "activity_events_actor_daily_mv",
        ]

    def test_a_view_that_was_dropped_is_filled_too(self, migrated_client: Any) -> None:
        """What came while it was gone is missing in its target."""
        migrated_client.command("DROP TABLE activity_events_hourly_mv")
        called = []
        steps = apply(migrated_client, fill=lambda _client, view: called.append(view.name))
        assert [step.name for step in steps] == called == ["activity_events_hourly_mv"]

    def test_a_table_that_was_dropped_is_filled_too(self, migrated_client: Any) -> None:
        """Made anew under a view that is there already, as the advice of `diff` says; not before the view is."""
        migrated_client.command("INSERT INTO activity_events (Timestamp, EventName) VALUES ('2026-05-01', 'a.b')")
        migrated_client.command("DROP TABLE activity_events_hourly")
        migrated_client.command("DELETE FROM activity_schema_migrations WHERE name = 'activity_events_hourly'")
        (step,) = apply(migrated_client)
        assert step.fills is not None
        assert step.fills.name == "activity_events_hourly_mv"
        assert migrated_client.command("SELECT sum(RowCount) FROM activity_events_hourly") == 1


class TestRepairs:
    """What is metadata only is put right by apply; the rest stays a difference with advice."""

    @pytest.mark.parametrize(
        ("damage", "step"),
        [
            ("DROP TABLE activity_events_ingest_mv", "activity_events_ingest_mv"),
            (
                "ALTER TABLE activity_events_hourly_mv MODIFY QUERY SELECT toStartOfHour(Timestamp) AS Hour, "
                "toInt64(count()) AS RowCount FROM activity_events GROUP BY Hour",
                "activity_events_hourly_mv",
            ),
            ("ALTER TABLE activity_events DROP INDEX idx_trace", "the index activity_events.idx_trace"),
            (
                "ALTER TABLE activity_events_actor_daily MODIFY SETTING non_replicated_deduplication_window = 0",
                "activity_events_actor_daily.non_replicated_deduplication_window",
            ),
            (
                "ALTER TABLE activity_events MODIFY SETTING ttl_only_drop_parts = 0",
                "activity_events.ttl_only_drop_parts",
            ),
            ("ALTER TABLE activity_events MODIFY COLUMN TraceId CODEC(NONE)", "activity_events.TraceId"),
            ("ALTER TABLE activity_counters DROP COLUMN Rule", "activity_counters.Rule"),
            ("ALTER TABLE activity_events MODIFY COLUMN Body String ALIAS BodyTemplate", "activity_events.Body"),
            ("ALTER TABLE activity_events MODIFY COLUMN Outcome REMOVE DEFAULT", "activity_events.Outcome"),
        ],
    )
    def test_repaired(self, migrated_client: Any, damage: str, step: str) -> None:
        """One step, and all is as it should be."""
        migrated_client.command(damage)
        assert [difference.where for difference in diff(migrated_client)] == [step]
        assert [done.name for done in apply(migrated_client)] == [step]
        assert diff(migrated_client) == []

    @pytest.mark.parametrize(
        ("damage", "where", "advice"),
        [
            ("DROP TABLE activity_events_hourly", "activity_events_hourly", "somebody dropped it: restore it"),
            (
                "ALTER TABLE activity_events MODIFY COLUMN HttpStatus UInt32",
                "activity_events.HttpStatus",
                "change it back",
            ),
        ],
    )
    def test_left_to_people(self, migrated_client: Any, damage: str, where: str, advice: str) -> None:
        """What would lose or rewrite rows is not touched."""
        migrated_client.command(damage)
        assert apply(migrated_client) == []
        (difference,) = diff(migrated_client)
        assert difference.where == where
        assert difference.advice.startswith(advice)

    @pytest.mark.parametrize("settings", [None, StoreSettings(), StoreSettings(partition_by="day")])
    def test_later_tables_follow_the_store(self, chdb_client: Any, settings: StoreSettings | None) -> None:
        """A step that comes with a newer version cuts its table as the store is cut, whoever applies it."""
        apply(chdb_client, StoreSettings(partition_by="week"))
        later = next(step for step in migrations() if step.name == "activity_counters")
        chdb_client.command("DROP TABLE activity_counters")
        chdb_client.command(
            f"ALTER TABLE activity_schema_migrations DELETE WHERE number = {later.number}",
            settings={"mutations_sync": 1},
        )
        assert [step.name for step in apply(chdb_client, settings)] == [str(later)]
        keys = chdb_client.query(
            "SELECT partition_key FROM system.tables WHERE database = currentDatabase() "
            "AND name = 'activity_counters'"
        ).result_rows
        assert keys == [("toMonday(Minute)",)]

    def test_a_setting_that_is_fixed(self, chdb_client: Any) -> None:
        """A table that was made with other granules is a difference that apply leaves alone."""
        made = migrations()[0].sql.replace("index_granularity = 8192", "index_granularity = 4096")
        chdb_client.command(made)
        apply(chdb_client)
        assert apply(chdb_client) == []
        assert [str(difference) for difference in diff(chdb_client)] == [
            "activity_events.index_granularity is 4096; it should be 8192 (fixed when the table was made; answers "
            "are the same, and cost more or less)"
        ]

    def test_a_repaired_window_works(self, migrated_client: Any) -> None:
        """The same batch again is one batch again, in the roll-up, too."""
        for table in ("activity_events", "activity_events_hourly"):
            migrated_client.command(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")
        apply(migrated_client)
        sent = {
            "insert_deduplication_token": "batch-1",
            "deduplicate_blocks_in_dependent_materialized_views": 1,
            "async_insert": 0,
        }
        for _ in range(2):
            migrated_client.insert("activity_events", [["a.b"]], column_names=["EventName"], settings=sent)
        assert migrated_client.command("SELECT count() FROM activity_events") == 1
        assert migrated_client.command("SELECT sum(RowCount) FROM activity_events_hourly") == 1
