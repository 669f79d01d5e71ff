"""
What every client promises, held by all of them: in memory, the embedded engine, and a server over HTTP.

The server is CLICKHOUSE_URL where that is set, and otherwise ``activitylog serve`` in this process.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_clickhouse.anyvalue import as_text
from otel_clickhouse.client import Client, connect
from otel_clickhouse.encoder import encode_logs
from otel_clickhouse.layout import compile_layout
from otel_clickhouse.mapping import parse_mapping
from otel_clickhouse.testing import InMemoryClient
from tests.otel_clickhouse.records import ACTOR_COLUMNS, ACTOR_TABLE_SQL, FULL_RECORD, record

ACTORS = compile_layout(parse_mapping(ACTOR_COLUMNS))
_TABLE_NUMBERS = itertools.count(1)
_TIMES = itertools.count(1)
_SETTINGS = {
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "throw_on_max_partitions_per_insert_block": 0,
}


@dataclass(frozen=True)
class Backend:
    """A client, a table for this test, and a way to read it that does not go through the client's inserts."""

    client: Client
    table: str
    read: Callable[[], list[dict[str, Any]]]


@pytest.fixture(params=["memory", "chdb", pytest.param("http", marks=pytest.mark.server)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "memory":
        memory = InMemoryClient()
        yield Backend(memory, "t", memory.rows)
        return
    if request.param == "chdb":
        fixture = request.getfixturevalue("chdb_client")
        url = f"{request.getfixturevalue('chdb_url')}?database={fixture.database}"
    else:
        url = request.getfixturevalue("server_url")
    client = connect(url)
    table = f"actor_events_{next(_TABLE_NUMBERS)}"
    client.command(ACTOR_TABLE_SQL.format(table=table))
    try:
        yield Backend(client, table, lambda: _rows(client, table))
    finally:
        client.command(f"DROP TABLE {table}")
        client.close()


def _rows(client: Any, table: str) -> list[dict[str, Any]]:
    result = client.driver.query(
        f"SELECT * FROM {table} ORDER BY Timestamp, Attributes['n']",
        query_formats={"UUID": "string", "DateTime64*": "int"},
    )
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def _token(text: str) -> dict[str, Any]:
    return {**_SETTINGS, "insert_deduplication_token": text}


def _numbers(backend: Backend) -> list[str]:
    return [row["Attributes"]["n"] for row in backend.read()]


class TestInsert:
    def test_a_row_is_read_back_as_it_was_encoded(self, backend):
        """Every column has the value that the encoder gave it."""
        columns = encode_logs([FULL_RECORD], ACTORS)
        backend.client.insert(backend.table, columns, _token("a"))
        expected = dict(zip(columns.names, (values[0] for values in columns.data), strict=True))
        assert backend.read() == [expected]
        assert expected["Timestamp"] == 1_764_000_000_123_456_789

    def test_blocks_of_any_size_one_after_the_other(self, backend):
        """What a client keeps between inserts does not mix them up."""
        numbers = iter(range(10_000))
        for rows in (1, 700, 2, 3_000):
            batch = [record({"n": f"{next(numbers):05}"}) for _ in range(rows)]
            backend.client.insert(backend.table, encode_logs(batch, ACTORS), _token(str(rows)))
        assert _numbers(backend) == [f"{n:05}" for n in range(3_703)]

    def test_the_same_token_is_written_once(self, backend):
        """An insert whose answer was lost may be sent again."""
        columns = encode_logs([record({"n": 1})], ACTORS)
        backend.client.insert(backend.table, columns, _token("once"))
        backend.client.insert(backend.table, columns, _token("once"))
        assert _numbers(backend) == ["1"]

    def test_equal_rows_with_other_tokens_are_all_written(self, backend):
        """Events that are alike are still two events."""
        columns = encode_logs([record({"n": 1})], ACTORS)
        backend.client.insert(backend.table, columns, _token("one"))
        backend.client.insert(backend.table, columns, _token("two"))
        assert _numbers(backend) == ["1", "1"]

    def test_a_closed_client_connects_again(self, backend):
        """Closing lets go of the connection, not of the client."""
        backend.client.close()
        backend.client.close()
        backend.client.insert(backend.table, encode_logs([record({"n": 1})], ACTORS), _token("a"))
        assert _numbers(backend) == ["1"]


_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\x00\x01\x02\x1a\ud800\udfff\u2028'\"\\`\t\n"))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.binary(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(_TEXT, values, max_size=3),
    max_leaves=4,
)
_NAMES = st.sampled_from([*ACTOR_COLUMNS["attributes"], "other"]) | _TEXT


class TestAnyValue:
    @pytest.mark.slow
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.dictionaries(_NAMES, _VALUES, max_size=6), _VALUES), min_size=1, max_size=5))
    def test_survives_from_the_record_to_the_row(self, backend, given_records):
        """Whatever an application puts into a record arrives as it was encoded, and the body can be read."""
        first = next(_TIMES) * 100
        batch = [
            record(attributes, body=body, timestamp=first + number)
            for number, (attributes, body) in enumerate(given_records)
        ]
        columns = encode_logs(batch, ACTORS)
        backend.client.insert(backend.table, columns, _token(str(first)))
        expected = [dict(zip(columns.names, row, strict=True)) for row in zip(*columns.data, strict=True)]
        found = {row["Timestamp"]: row for row in backend.read()}
        assert [_comparable(found[row["Timestamp"]]) for row in expected] == [*map(_comparable, expected)]
        bodies = [as_text(body).replace("\x01", "\x1a").replace("\x02", "\x1a") for _, body in given_records]
        assert [_body(row) for row in expected] == bodies


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "SampleWeight": repr(row["SampleWeight"])}


def _body(row: dict[str, Any]) -> str:
    text: str = row["BodyTemplate"]
    return text.replace("\x01", row["ActorId"], 1).replace("\x02", row["ObjectId"], 1)


class TestOneBlock:
    def test_a_large_batch_is_one_block(self, chdb_client, chdb_url):
        """The driver would cut it into blocks of a megabyte; then a retry could find half of it written."""
        client = connect(f"{chdb_url}?database={chdb_client.database}")
        client.command(ACTOR_TABLE_SQL.format(table="t"))
        columns = encode_logs([record({"text": "x" * 400}) for _ in range(20_000)], ACTORS)
        unsquashed = {"min_insert_block_size_rows": 1, "min_insert_block_size_bytes": 1}
        client.insert("t", columns, _token("a") | unsquashed)
        client.close()
        parts = "SELECT rows FROM system.parts WHERE database = currentDatabase() AND level = 0"
        assert chdb_client.query(parts).result_rows == [(20_000,)]
