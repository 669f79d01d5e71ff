"""What is read from the text of the SQL files."""

from __future__ import annotations

from activitylog.store.definitions import ColumnDefinition, definitions


class TestDefinitions:
    """``definitions()``."""

    def test_tables_and_view(self) -> None:
        """Each file defines one table or view."""
        assert [
            (definition.kind, definition.name, len(definition.columns)) for definition in definitions()[:3]
        ] == [
            ("table", "activity_events", 44),
            ("table", "activity_events_ingest", 16),
            ("materialized view", "activity_events_ingest_mv", 0),
        ]

    def test_columns(self) -> None:
        """Types with commas and spaces, defaults, codecs, and aliases over many lines are read whole."""
        columns = {column.name: column for column in definitions()[0].columns}
        assert columns["Timestamp"] == ColumnDefinition(
            "Timestamp", "DateTime64(9, 'UTC')", codec="CODEC(GCD, Delta(8), ZSTD(1))"
        )
        assert columns["Attributes"].type == "Map(LowCardinality(String), String)"
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
