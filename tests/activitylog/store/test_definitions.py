"""What is read from the text of the SQL files."""

from __future__ import annotations

import pytest

from activitylog.store.definitions import (
    ColumnDefinition,
    Definition,
    IndexDefinition,
    alters_view,
    changed_object,
    definitions,
    fold,
    is_superseded,
    renamed_views,
)
from activitylog.store.migrations import Migration


class TestDefinitions:
    """``definitions()``."""

    def test_tables_and_view(self) -> None:
        """Each file defines one table or view."""
        assert [
            (definition.kind, definition.name, len(definition.columns)) for definition in definitions()[:3]
        ] == [
            ("table", "activity_events", 45),
            ("table", "activity_events_ingest", 16),
            ("materialized view", "activity_events_ingest_mv", 0),
        ]

    def test_columns(self) -> None:
        """Types with commas and spaces, defaults, codecs of later files, and long aliases are read whole."""
        columns = {column.name: column for column in definitions()[0].columns}
        assert columns["Timestamp"] == ColumnDefinition(
            "Timestamp", "DateTime64(9, 'UTC')", codec="CODEC(GCD, Delta(8), T64('bit'), ZSTD(1))"
        )
        assert columns["Attributes"].type == "Map(LowCardinality(String), String)"
        assert columns["Attributes"].codec == "CODEC(ZSTD(3))"
        assert columns["Outcome"] == ColumnDefinition(
            "Outcome", "LowCardinality(String)", "DEFAULT", "'success'", "CODEC(ZSTD(1))"
        )
        assert columns["EventCount"] == ColumnDefinition(
            "EventCount", "UInt64", "DEFAULT", "1", "CODEC(T64, ZSTD(1))"
        )
        alias = columns["LogAttributes"]
        assert (alias.type, alias.default_kind) == ("Map(LowCardinality(String), String)", "ALIAS")
        assert alias.expression.startswith("mapUpdate(")
        assert alias.expression.endswith("CAST(Attributes, 'Map(String, String)'))")


def _fold(*statements: str) -> tuple[Definition, ...]:
    return fold(Migration(number, "step", sql, "") for number, sql in enumerate(statements, 1))


_TABLE = """
-- a table
CREATE TABLE IF NOT EXISTS events
(
    a String CODEC(ZSTD(1)), -- with a comment, and a comma
    b Map(LowCardinality(String), String) DEFAULT map('x, y', ')'),
    INDEX idx_a lower(a) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(t)
ORDER BY a
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 10000;
"""


class TestFold:
    """``fold``: files in their order become what the database finally has."""

    def test_every_file_is_read(self) -> None:
        """Views have their target and their last query, tables their engine, partitions and indexes."""
        views = [definition for definition in definitions() if definition.kind == "materialized view"]
        assert all(view.target and view.query.startswith("SELECT") and not view.columns for view in views)
        tables = {table.name: table for table in definitions() if table.kind == "table"}
        assert {view.target for view in views} <= set(tables)
        assert tables["activity_events"].partition_by == "toYYYYMM(Timestamp)"
        assert tables["activity_events_ingest"].engine == "Null"
        assert "idx_trace" in {index.name for index in tables["activity_events"].indexes}

    def test_the_last_query_counts(self) -> None:
        """MODIFY QUERY replaces a view's query, comments left out."""
        (view,) = _fold(
            "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS\n-- old\nSELECT 1, 2;\n",
            "-- why\nALTER TABLE v MODIFY QUERY\nSELECT '--', 3 -- new\n;\n",
        )
        assert (view.kind, view.target, view.query) == ("materialized view", "t", "SELECT '--', 3")

    def test_a_plain_view(self) -> None:
        """CREATE VIEW has a query and no target."""
        (view,) = _fold("CREATE VIEW IF NOT EXISTS v AS SELECT 1;")
        assert (view.kind, view.target, view.query) == ("view", "", "SELECT 1")

    def test_alter(self) -> None:
        """Columns, indexes and settings are added and changed; a second setting belongs to the same action."""
        (table,) = _fold(
            _TABLE,
            "ALTER TABLE events ADD COLUMN IF NOT EXISTS c UInt64 DEFAULT f(1, 2) CODEC(T64, ZSTD(1)) AFTER a,\n"
            "    ADD INDEX IF NOT EXISTS idx_c c TYPE minmax GRANULARITY 4;",
            "ALTER TABLE events MODIFY COLUMN a CODEC(ZSTD(3));",
            "ALTER TABLE events MODIFY COLUMN b DEFAULT map();",
            "ALTER TABLE events MODIFY SETTING x = 1, index_granularity = 1024;",
        )
        assert table.columns == (
            ColumnDefinition("a", "String", codec="CODEC(ZSTD(3))"),
            ColumnDefinition("b", "Map(LowCardinality(String), String)", "DEFAULT", "map()"),
            ColumnDefinition("c", "UInt64", "DEFAULT", "f(1, 2)", "CODEC(T64, ZSTD(1))"),
        )
        assert table.indexes == (
            IndexDefinition("idx_a", "lower(a)", "bloom_filter(0.01) GRANULARITY 1"),
            IndexDefinition("idx_c", "c", "minmax GRANULARITY 4"),
        )
        assert dict(table.settings) == {
            "index_granularity": "1024",
            "non_replicated_deduplication_window": "10000",
            "x": "1",
        }

    def test_twice(self) -> None:
        """As in the engine, what is there is not added again."""
        (table,) = _fold(
            _TABLE,
            "ALTER TABLE events ADD COLUMN IF NOT EXISTS a UInt8;",
            "ALTER TABLE events ADD INDEX IF NOT EXISTS idx_a b TYPE minmax;",
            "CREATE TABLE IF NOT EXISTS events (z UInt8) ENGINE = Null;",
        )
        assert (table.columns[0].type, table.indexes[0].expression, table.engine) == (
            "String", "lower(a)", "MergeTree",
        )  # fmt: skip

    def test_renamed_away_and_back(self) -> None:
        """Nothing is another afterwards; a step that does so says which views."""
        view = "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS SELECT 1;"
        rename = "-- why\nRENAME TABLE\n    IF EXISTS v TO v_renamed,\n    IF EXISTS v_renamed TO v;\n"
        assert _fold(view, rename) == _fold(view)
        step = Migration(2, "step", rename, "")
        assert (renamed_views(step), changed_object(step), alters_view(step)) == (("v",), "", False)

    @pytest.mark.parametrize(
        "sql",
        [
            "RENAME TABLE IF EXISTS v TO w",
            "RENAME TABLE IF EXISTS v TO w, IF EXISTS w TO x",
            "RENAME TABLE v TO w, w TO v",
            "RENAME TABLE IF EXISTS u TO w, IF EXISTS w TO u",
        ],
    )
    def test_what_is_not_renamed_back(self, sql: str) -> None:
        """A view under another name would be another view, and one that is not there is a mistake."""
        with pytest.raises(ValueError, match="renames"):
            _fold("CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS SELECT 1;", sql)

    @pytest.mark.parametrize(
        "sql", ["DROP TABLE events", "ALTER TABLE events DROP COLUMN a", "CREATE TABLE events"]
    )
    def test_what_it_does_not_read(self, sql: str) -> None:
        """A statement of another kind in a file is found by the tests, not by a user."""
        with pytest.raises(ValueError, match=r"neither CREATE|not an action"):
            _fold(_TABLE, sql)

    def test_reads(self) -> None:
        """Which views see the rows of a table; a name that begins like it is another table."""
        (view,) = _fold("CREATE MATERIALIZED VIEW IF NOT EXISTS v TO t AS SELECT 1 FROM activity_events_ingest;")
        assert (view.reads("activity_events"), view.reads("activity_events_ingest")) == (False, True)


class TestIsSuperseded:
    def test_of_two_queries_for_one_view_the_first(self) -> None:
        """Only the last query of a view is ever run: a slow applier never puts an old one back."""
        steps = [
            Migration(number, "step", sql, "")
            for number, sql in enumerate(
                [
                    "CREATE MATERIALIZED VIEW IF NOT EXISTS a TO t AS SELECT 1;",
                    "-- why\nALTER TABLE a MODIFY QUERY SELECT 2;",
                    "ALTER TABLE b MODIFY QUERY SELECT 3;",
                    "ALTER TABLE a ADD COLUMN IF NOT EXISTS c UInt8;",
                    "ALTER TABLE a MODIFY QUERY SELECT 4;",
                ],
                1,
            )
        ]
        assert [is_superseded(step, steps) for step in steps] == [False, True, False, False, False]
