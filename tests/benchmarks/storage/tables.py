"""
The tables that are compared, each in a database of its own, and how records get into them.

``ours`` is what ``activitylog schema apply`` makes. The peers are described here by what is particular to them:

* ``otel_logs``: what the Collector's ClickHouse exporter creates since v0.151 on ClickHouse 26.2 or newer: text
  indexes over the trace id, the keys and values of all maps, and the words of the body.
* ``clickstack``: ClickStack's: indexes over 'key=value' items instead of values, block numbers for row lookups,
  and a roll-up of the native columns' values that fills its search box.
* ``otel_logs_before``: the exporter's until v0.150: sorted by service and time, Bloom filters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from activitylog.store import EVENTS_TABLE, INGEST_TABLE, apply

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ATTRIBUTES: Final = "Map(LowCardinality(String), String)"
_LOW: Final = "LowCardinality(String)"
#: The columns that every reader and writer of such tables knows, in the order of inserts.
OTEL_COLUMNS: Final = {
    "Timestamp": "DateTime64(9)",
    "TraceId": "String",
    "SpanId": "String",
    "TraceFlags": "UInt8",
    "SeverityText": _LOW,
    "SeverityNumber": "UInt8",
    "ServiceName": _LOW,
    "Body": "String",
    "ResourceSchemaUrl": _LOW,
    "ResourceAttributes": _ATTRIBUTES,
    "ScopeSchemaUrl": _LOW,
    "ScopeName": "String",
    "ScopeVersion": _LOW,
    "ScopeAttributes": _ATTRIBUTES,
    "LogAttributes": _ATTRIBUTES,
    "EventName": "String",
}
#: What the peers partition by, and what all do where the records are of many years.
DAY: Final = "toDate"
MONTH: Final = "toYYYYMM"
_MAPS: Final = {"res": "ResourceAttributes", "scope": "ScopeAttributes", "log": "LogAttributes"}
_PROMOTED: Final = (
    "k8s.cluster.name", "k8s.container.name", "k8s.deployment.name", "k8s.namespace.name", "k8s.node.name",
    "k8s.pod.name", "k8s.pod.uid", "deployment.environment.name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table under test, and what belongs to it.

    Attributes:
        name: of the database that holds it, and in reports.
        table: where the rows are.
        insert_into: where records are inserted.
        source: which staged table has the records in the columns of ``insert_into``.
        statements: what creates it; empty: the project's own steps.
        changes: statements run after that, of a variant.
    """

    name: str
    table: str = "otel_logs"
    insert_into: str = "otel_logs"
    source: str = "source_logs"
    statements: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def create(self, client: Client) -> None:
        """Make its database, empty; the client is in it afterwards."""
        client.command(f"DROP DATABASE IF EXISTS {self.name}")
        client.command(f"CREATE DATABASE {self.name}")
        client.database = self.name
        if not self.statements:
            apply(client)
        for statement in (*self.statements, *self.changes):
            client.command(statement)


def ours(name: str = "ours", *changes: str) -> Table:
    """The typed table, filled as the direct exporter does."""
    return Table(name, EVENTS_TABLE, EVENTS_TABLE, "source_typed", changes=changes)


def ours_by_landing(name: str = "landing", *changes: str) -> Table:
    """The same table, filled as a Collector does."""
    return Table(name, EVENTS_TABLE, INGEST_TABLE, changes=changes)


def otel_logs(unit: str = DAY) -> Table:
    """The Collector's default of today; ``unit`` is the function that makes a partition of a time."""
    create = _create(_promoted("__otel_materialized_"), _text_indexes("value"), partition=f"{unit}(Timestamp)")
    return Table("otel_logs", statements=(create,))


def clickstack(unit: str = DAY) -> Table:
    """ClickStack's table of logs with its roll-up."""
    items = [
        f"{name[:-1]}Items Array(String) ALIAS arrayMap(pair -> concat(pair.1, '=', pair.2), "
        f"CAST({name}, 'Array(Tuple(String, String))'))"
        for name in _MAPS.values()
    ]
    create = _create(
        [*_promoted("__hdx_materialized_"), *items],
        _text_indexes("items"),
        partition=f"{unit}(Timestamp)",
        settings=", enable_block_number_column = 1, enable_block_offset_column = 1",
    )
    return Table("clickstack", statements=(create, _KEY_VALUES.replace(DAY, unit), _key_values_view()))


def otel_logs_before(unit: str = DAY) -> Table:
    """The Collector's default until v0.150."""
    create = _create(
        ["TimestampTime DateTime DEFAULT toDateTime(Timestamp)"],
        _bloom_indexes(),
        partition=f"{unit}(TimestampTime)",
        key="PRIMARY KEY (ServiceName, TimestampTime) ORDER BY (ServiceName, TimestampTime, Timestamp)",
    )
    return Table("otel_logs_before", statements=(create,))


PEERS: Final = {"otel_logs": otel_logs, "clickstack": clickstack, "otel_logs_before": otel_logs_before}


def _create(
    more: list[str],
    indexes: list[str],
    *,
    partition: str,
    key: str = "ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)",
    settings: str = "",
) -> str:
    columns = [f"{name} {type_}{_codec(name, type_)}" for name, type_ in OTEL_COLUMNS.items()]
    return (
        f"CREATE TABLE otel_logs ({', '.join([*columns, *more, *indexes])}) ENGINE = MergeTree "
        f"PARTITION BY {partition} {key} SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1{settings}"
    )


def _codec(name: str, type_: str) -> str:
    if name == "Timestamp":
        return " CODEC(Delta(8), ZSTD(1))"
    return "" if type_ == "UInt8" else " CODEC(ZSTD(1))"


def _promoted(prefix: str) -> list[str]:
    return [
        f"`{prefix}{name}` {_LOW} MATERIALIZED ResourceAttributes['{name}'] CODEC(ZSTD(1))" for name in _PROMOTED
    ]


def _text_indexes(what: str) -> list[str]:
    """Over whole ids and keys, over values or 'key=value' items, and over the words of the body."""
    array = "TYPE text(tokenizer = 'array')"
    found = [f"INDEX idx_trace_id TraceId {array}"]
    for short, name in _MAPS.items():
        second = f"mapValues({name})" if what == "value" else f"{name[:-1]}Items"
        found += [
            f"INDEX idx_{short}_attr_key mapKeys({name}) {array}",
            f"INDEX idx_{short}_attr_{what} {second} {array}",
        ]
    return [*found, "INDEX idx_lower_body lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')"]


def _bloom_indexes() -> list[str]:
    found = ["INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1"]
    for short, name in _MAPS.items():
        found += [
            f"INDEX idx_{short}_attr_{part} map{part.title()}s({name}) TYPE bloom_filter(0.01) GRANULARITY 1"
            for part in ("key", "value")
        ]
    return [*found, "INDEX idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8"]


_KEY_VALUES: Final = """
CREATE TABLE otel_logs_kv_rollup_15m
(
    Timestamp DateTime, ColumnIdentifier LowCardinality(String), Key LowCardinality(String), Value String,
    count UInt64,
    INDEX idx_count count TYPE minmax GRANULARITY 1, INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1
)
ENGINE = SummingMergeTree PARTITION BY toDate(Timestamp) ORDER BY (ColumnIdentifier, Key, Timestamp, Value)
"""


def _key_values_view() -> str:
    parts = " UNION ALL ".join(
        f"SELECT 'NativeColumn' AS ColumnIdentifier, toStartOfFifteenMinutes(Timestamp) AS Timestamp, "
        f"'{name}' AS Key, CAST(`{name}`, 'String') AS Value FROM otel_logs"
        for name in _native_columns()
    )
    return (
        "CREATE MATERIALIZED VIEW otel_logs_kv_rollup_15m_mv TO otel_logs_kv_rollup_15m AS "
        f"WITH elements AS ({parts}) SELECT Timestamp, ColumnIdentifier, Key, Value, count() AS count "
        "FROM elements GROUP BY Timestamp, ColumnIdentifier, Key, Value"
    )


def _native_columns() -> Iterator[str]:
    yield from ("SeverityText", "ServiceName", "ScopeName", "ScopeVersion", "ResourceSchemaUrl", "ScopeSchemaUrl")
    yield from (f"__hdx_materialized_{name}" for name in _PROMOTED)
