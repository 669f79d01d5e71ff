"""What ``diff`` finds, and what ``check`` says about it."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from activitylog.exceptions import SchemaError
from activitylog.store import Difference, apply, check, check_countable, check_writable, diff, migrations, show
from activitylog.store.definitions import definitions


@pytest.fixture
def store(migrated_client: Any) -> Any:
    return migrated_client


class TestDiff:
    """``diff``: the database against the files."""

    def test_after_apply(self, store: Any) -> None:
        """A database to which everything was applied has no differences."""
        assert diff(store) == []

    def test_empty_database(self, chdb_client: Any) -> None:
        """An empty database lacks every step, both tables and the view."""
        found = [str(difference) for difference in diff(chdb_client)]
        steps = len(migrations())
        assert found[: steps + 3] == [
            *(f"the step {step} is missing; it should be applied" for step in migrations()),
            "activity_events is missing; it should be a table",
            "activity_events_ingest is missing; it should be a table",
            "activity_events_ingest_mv is missing; it should be a materialized view",
        ]

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            (
                "ALTER TABLE activity_events DROP COLUMN UrlPath SETTINGS alter_sync = 1",
                Difference("activity_events.UrlPath", "String"),
            ),
            (
                "ALTER TABLE activity_events MODIFY COLUMN HttpStatus UInt32",
                Difference("activity_events.HttpStatus", "UInt16", "UInt32"),
            ),
            (
                "ALTER TABLE activity_events MODIFY COLUMN Outcome DEFAULT 'unknown'",
                Difference(
                    "activity_events.Outcome",
                    "LowCardinality(String) DEFAULT 'success'",
                    "LowCardinality(String) DEFAULT 'unknown'",
                ),
            ),
            (
                "ALTER TABLE activity_events MODIFY COLUMN Body String ALIAS BodyTemplate",
                Difference(
                    "activity_events.Body",
                    "String ALIAS replaceOne(replaceOne(BodyTemplate, '\x01', ActorId), '\x02', ObjectId)",
                    "String ALIAS BodyTemplate",
                ),
            ),
            (
                "DROP TABLE activity_events_ingest_mv",
                Difference("activity_events_ingest_mv", "a materialized view"),
            ),
            (
                "ALTER TABLE activity_events MODIFY SETTING non_replicated_deduplication_window = 0",
                Difference("activity_events.non_replicated_deduplication_window", "above 0", "0"),
            ),
            (
                "ALTER TABLE activity_events MODIFY SETTING ttl_only_drop_parts = 0",
                Difference("activity_events.ttl_only_drop_parts", "1", "0"),
            ),
            (
                "ALTER TABLE activity_events RESET SETTING propagate_types_serialization_versions_to_nested_types",
                Difference(
                    "activity_events.propagate_types_serialization_versions_to_nested_types", "0", "not set"
                ),
            ),
        ],
    )
    def test_one_change(self, store: Any, change: str, found: Difference) -> None:
        """What is missing or different is named, with what it should be and what it is."""
        if "DROP COLUMN" in change:  # the alias that reads it goes first
            store.command("ALTER TABLE activity_events MODIFY COLUMN LogAttributes ALIAS Attributes")
        store.command(change)
        differences = [
            difference for difference in diff(store) if difference.where != "activity_events.LogAttributes"
        ]
        assert differences == [found]

    def test_table_instead_of_view(self, store: Any) -> None:
        """A table under the view's name is no view: rows inserted by a Collector would be lost in silence."""
        store.command("DROP TABLE activity_events_ingest_mv")
        store.command("CREATE TABLE activity_events_ingest_mv (a UInt8) ENGINE = Null")
        assert diff(store) == [
            Difference("activity_events_ingest_mv", "a materialized view", "a table of engine Null")
        ]

    def test_own_columns(self, store: Any) -> None:
        """Columns and indexes that the owner added are no difference."""
        store.command("ALTER TABLE activity_events ADD COLUMN Plan String MATERIALIZED Attributes['plan']")
        store.command("ALTER TABLE activity_events ADD INDEX idx_plan Plan TYPE bloom_filter GRANULARITY 1")
        assert diff(store) == []


class TestCheck:
    """``check``: raises where ``diff`` finds anything."""

    def test_nothing_wrong(self, store: Any) -> None:
        """A complete database passes."""
        check(store)

    def test_says_what_to_do(self, chdb_client: Any) -> None:
        """The error names the first difference, how many more there are, and the command that repairs them."""
        with pytest.raises(SchemaError) as caught:
            check(chdb_client)
        assert caught.value.message == (
            "The database is not what this version of activitylog needs: "
            "the step 0001_activity_events is missing; it should be applied "
            f"(and {len(diff(chdb_client)) - 1} more)."
        )
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("Run: activitylog schema apply --url URL.")


class TestShow:
    """``show``: all SQL as one text."""

    def test_every_file(self) -> None:
        """The text has every statement under the name of its file, in order."""
        lines = show().splitlines()
        assert [line for line in lines if line.startswith(("-- 000", "CREATE"))][:6] == [
            "-- 0001_activity_events.sql",
            "CREATE TABLE IF NOT EXISTS activity_events",
            "-- 0002_activity_events_ingest.sql",
            "CREATE TABLE IF NOT EXISTS activity_events_ingest",
            "-- 0003_activity_events_ingest_mv.sql",
            "CREATE MATERIALIZED VIEW IF NOT EXISTS activity_events_ingest_mv TO activity_events AS",
        ]


class TestCheckWritable:
    """What an insert-only writer may ask before its first insert."""

    def test_passes_where_the_table_is(self, migrated_client: Any) -> None:
        """Nothing is raised."""
        check_writable(migrated_client)

    def test_names_the_command_where_it_is_not(self, chdb_client: Any) -> None:
        """The reader of the log learns what to run."""
        with pytest.raises(SchemaError, match=r"no table activity_events in .*activitylog schema apply"):
            check_writable(chdb_client)


class AnswersOneUser:
    """The driver's client as a user with other rights sees it; the embedded engine has no users."""

    database = "activity"

    def __init__(self, granted: int | DatabaseError) -> None:
        self.granted = granted

    def command(self, sql: str) -> int:
        if not sql.startswith("CHECK GRANT INSERT ON activity_events_ingest"):
            return 1
        if isinstance(self.granted, DatabaseError):
            raise self.granted
        return self.granted


class TestCheckCountable:
    def test_a_store_of_ours(self, migrated_client: Any) -> None:
        """Landing table, view and grant are there."""
        check_countable(migrated_client)

    @pytest.mark.parametrize("name", ["activity_events_ingest", "activity_counters_mv"])
    def test_what_is_missing(self, migrated_client: Any, name: str) -> None:
        """Each of the two is needed."""
        migrated_client.command(f"DROP TABLE {name}")
        with pytest.raises(SchemaError, match=rf"no (table|view) {name} .*activitylog schema apply"):
            check_countable(migrated_client)

    def test_a_grant_that_older_versions_did_not_need(self) -> None:
        """A writer of before may insert events and no counters: a definite answer, with the statement."""
        client: Any = AnswersOneUser(0)
        with pytest.raises(SchemaError, match="GRANT INSERT ON activity_events_ingest TO"):
            check_countable(client)
        client.granted = 1
        check_countable(client)

    @pytest.mark.parametrize(("code", "raises"), [(62, False), (497, False), (241, True)])
    def test_a_server_that_does_not_know_the_statement(self, code: int, *, raises: bool) -> None:
        """It is no reason to give counters up; other errors are the caller's."""
        client: Any = AnswersOneUser(DatabaseError("refused", code=code))
        if not raises:
            return check_countable(client)
        with pytest.raises(DatabaseError):
            check_countable(client)
        return None


class TestViews:
    """What a view's query is, and what it should be."""

    def test_a_stale_view(self, store: Any) -> None:
        """A view with the query of an older version is named: it types rows as that version did."""
        first = migrations()[2].sql.partition("activity_events_ingest_mv TO activity_events AS\n")[2]
        store.command(f"ALTER TABLE activity_events_ingest_mv MODIFY QUERY {first}")
        assert [str(difference) for difference in diff(store)] == [
            "activity_events_ingest_mv is a view with another query; it should be the query of this version"
        ]

    def test_blanks_and_comments_do_not_count(self, store: Any) -> None:
        """The same query, written otherwise, is the same."""
        (last,) = [step.sql for step in migrations() if "ALTER TABLE activity_events_ingest_mv" in step.sql][-1:]
        store.command(last.replace("    ", "  /* so */  "))
        assert diff(store) == []

    def test_a_view_into_another_table(self, store: Any) -> None:
        """Rows that go elsewhere are missing here."""
        store.command("CREATE TABLE elsewhere AS activity_events_actor_daily")
        (view,) = [view for view in definitions() if view.name == "activity_events_actor_daily_mv"]
        store.command(f"DROP TABLE {view.name}")
        store.command(f"CREATE MATERIALIZED VIEW {view.name} TO elsewhere AS {view.query}")
        (difference,) = diff(store)
        assert (difference.where, difference.expected, difference.found) == (
            "activity_events_actor_daily_mv",
            "a view that fills activity_events_actor_daily",
            "one that fills elsewhere",
        )

    @pytest.mark.parametrize("name", ["events", "a-b", "default_1", "activity_events"])
    def test_whatever_the_database_is_called(self, chdb_client: Any, chdb_url: str, name: str) -> None:
        """The engine writes the database's name into the query of a view; it is left out on both sides."""
        from clickhouse_connect import get_client

        chdb_client.command(f"CREATE DATABASE `{name}`")
        client = get_client(dsn=chdb_url, database=name)
        try:
            apply(client)
            assert diff(client) == []
        finally:
            client.close()
            chdb_client.command(f"DROP DATABASE `{name}`")


class TestIndexes:
    def test_on_something_else(self, store: Any) -> None:
        """An index of our name on another column is none of ours."""
        store.command("ALTER TABLE activity_events DROP INDEX idx_trace")
        store.command("ALTER TABLE activity_events ADD INDEX idx_trace SpanId TYPE minmax")
        assert [str(difference) for difference in diff(store)] == [
            "the index activity_events.idx_trace is on SpanId; it should be on TraceId "
            "(drop it with ALTER TABLE ... DROP INDEX: apply makes it anew)"
        ]


class TestWindows:
    @pytest.mark.parametrize(
        "table",
        [
            "activity_events",
            "activity_events_hourly",
            "activity_events_actor_daily",
            "activity_counters",
        ],
    )
    def test_of_every_views_target(self, store: Any, table: str) -> None:
        """Without a window a batch that is sent twice counts twice there."""
        store.command(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")
        assert diff(store) == [Difference(f"{table}.non_replicated_deduplication_window", "above 0", "0")]
