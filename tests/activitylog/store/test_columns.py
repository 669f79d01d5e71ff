"""The mapping for the exporter, and the table as the engine knows it, both against the one table of names."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.event import FIELDS, Field
from activitylog.store import EVENTS_TABLE, INGEST_TABLE, column_mapping
from otel_clickhouse.layout import compile_layout
from otel_clickhouse.mapping import parse_mapping

#: Columns that no writer names: the engine reads them from the map.
_COMPUTED = {"SampleBy"}
_FIELDS_WITH_COLUMN = [field for field in FIELDS if field.column is not None]


@pytest.fixture
def store(migrated_client: Any) -> Any:
    return migrated_client


def _columns(client: Any, table: str) -> dict[str, tuple[str, str, str]]:
    rows = client.query(
        "SELECT name, type, default_kind, default_expression FROM system.columns "
        "WHERE database = currentDatabase() AND table = {table:String}",
        parameters={"table": table},
    ).result_rows
    return {name: (type_, kind, expression) for name, type_, kind, expression in rows}


def _default(field: Field) -> tuple[str, str]:
    """How the engine lists the field's default; that of the type needs no words."""
    if field.default in ("", 0, "00000000-0000-0000-0000-000000000000"):
        return "", ""
    return "DEFAULT", f"'{field.default}'" if field.type == "String" else f"{field.default:g}"


class TestColumnMapping:
    """``column_mapping()``: plain data, derived from FIELDS."""

    def test_shapes(self) -> None:
        """An entry holds the column, its type and default, and scale and conditions only where there are any."""
        mapping = column_mapping()
        assert mapping["attributes"]["user.id"] == {
            "column": "ActorId",
            "type": "String",
            "default": "",
            "implies": {"ActorType": "user"},
        }
        assert mapping["attributes"]["activity.duration"] == {
            "column": "DurationUs",
            "type": "UInt64",
            "default": 0,
            "scale": 1_000_000,
        }
        assert mapping["attributes"]["activity.actor.id"]["unless"] == {"ActorType": "user"}
        assert {name: part for name, part in mapping.items() if name != "attributes"} == {
            "other_attributes": "Attributes",
            "body": {"column": "BodyTemplate", "marks": {"\x01": "ActorId", "\x02": "ObjectId"}},
            "resource": {"column": "Resource", "format": "json"},
            "scope": {"column": "ScopeAttrs", "format": "json"},
        }

    def test_order(self) -> None:
        """Attributes come in the order of FIELDS, which decides who takes a shared column."""
        assert list(column_mapping()["attributes"]) == [field.attribute for field in _FIELDS_WITH_COLUMN]

    def test_is_ours_to_change(self) -> None:
        """Each call gives a new dict: changing one changes no other."""
        column_mapping()["attributes"].clear()
        assert "user.id" in column_mapping()["attributes"]

    def test_the_exporter_accepts_it(self, store: Any) -> None:
        """The exporter reads the mapping, and the table has every column that the exporter then writes."""
        layout = compile_layout(parse_mapping(column_mapping()))
        actual = _columns(store, EVENTS_TABLE)
        assert set(layout.names) <= actual.keys()
        stored = {name for name, (_, kind, _) in actual.items() if kind != "ALIAS"}
        assert stored == set(layout.names) | _COMPUTED


class TestTable:
    """``activity_events`` as the engine lists it."""

    def test_column_of_each_field(self, store: Any) -> None:
        """Each field has its column, of its type (texts may be LowCardinality), with its default."""
        actual = _columns(store, EVENTS_TABLE)
        for field in _FIELDS_WITH_COLUMN:
            assert field.column is not None
            type_, kind, expression = actual[field.column]
            assert type_.removeprefix("LowCardinality(").removesuffix(")") == field.type, field
            assert (kind, expression) == _default(field), field

    def test_no_column_without_a_field(self, store: Any) -> None:
        """Beside the fields' columns there are only those of the log record and their compact forms."""
        of_record = {
            "Timestamp", "TraceId", "SpanId", "TraceFlags", "SeverityText", "SeverityNumber", "ServiceName",
            "ResourceSchemaUrl", "ScopeSchemaUrl", "ScopeName", "ScopeVersion", "EventName", "BodyTemplate",
            "Attributes", "Resource", "ScopeAttrs", "Body", "LogAttributes", "ResourceAttributes",
            "ScopeAttributes",
        }  # fmt: skip
        of_fields = {field.column for field in _FIELDS_WITH_COLUMN}
        assert _columns(store, EVENTS_TABLE).keys() == of_record | of_fields | _COMPUTED

    def test_no_timestamp_time(self, store: Any) -> None:
        """There is no TimestampTime: Grafana's data source changes its SQL where it finds one."""
        assert "TimestampTime" not in _columns(store, EVENTS_TABLE)

    def test_order_and_window(self, store: Any) -> None:
        """The table is sorted by hour, tenant and actor, in UTC, and remembers the batches it has."""
        engine, key, partition = store.query(
            "SELECT engine_full, primary_key, partition_key FROM system.tables "
            "WHERE database = currentDatabase() AND name = 'activity_events'"
        ).result_rows[0]
        assert key == "toStartOfHour(Timestamp), TenantId, ActorId"
        assert partition == "toYYYYMM(Timestamp)"
        assert "non_replicated_deduplication_window = 10000" in engine
        assert _columns(store, EVENTS_TABLE)["Timestamp"][0] == "DateTime64(9, 'UTC')"

    def test_landing_table(self, store: Any) -> None:
        """The landing table has exactly the 16 columns that the Collector's exporter inserts."""
        texts = "LowCardinality(String)"
        attributes = "Map(LowCardinality(String), String)"
        actual = {name: type_ for name, (type_, _, _) in _columns(store, INGEST_TABLE).items()}
        assert actual == {
            "Timestamp": "DateTime64(9)",
            "TraceId": "String",
            "SpanId": "String",
            "TraceFlags": "UInt8",
            "SeverityText": texts,
            "SeverityNumber": "UInt8",
            "ServiceName": texts,
            "Body": "String",
            "ResourceSchemaUrl": texts,
            "ResourceAttributes": attributes,
            "ScopeSchemaUrl": texts,
            "ScopeName": "String",
            "ScopeVersion": texts,
            "ScopeAttributes": attributes,
            "LogAttributes": attributes,
            "EventName": "String",
        }

    def test_the_same_batch_twice(self, store: Any) -> None:
        """A batch that is sent again with its token is stored once, directly and through the landing table."""
        settings = {
            "async_insert": 0,
            "insert_deduplication_token": "4be6dcdd",
            "deduplicate_blocks_in_dependent_materialized_views": 1,
        }
        for table, name in ((EVENTS_TABLE, "order.placed"), (INGEST_TABLE, "order.paid")):
            for _ in range(2):
                store.insert(table, [[name]], column_names=["EventName"], settings=settings)
        rows = store.query("SELECT EventName, count() FROM activity_events GROUP BY 1 ORDER BY 1").result_rows
        assert rows == [("order.paid", 1), ("order.placed", 1)]
