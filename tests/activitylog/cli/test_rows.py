"""Rows as the engine prints them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from activitylog.cli.rows import Column, select
from activitylog.cli.sql import pairs
from activitylog.exceptions import QueryError


class TestSelect:
    def test_values_are_whole(self, chdb_client: Any) -> None:
        """Nanoseconds, 64 bits, UUIDs, decimals and what is nested arrive as they are stored."""
        rows = select(
            chdb_client,
            """
            SELECT toDateTime64('2026-05-01 10:00:00.123456789', 9, 'UTC') AS at,
                   toDateTime('2026-05-01 10:00:00', 'Europe/Berlin') AS berlin,
                   18446744073709551615::UInt64 AS big, toUUID('01890a5d-ac96-774b-bcce-b302099a8057') AS id,
                   1.10::Decimal(9, 2) AS price, nan AS no, map('k', [1, 2]) AS m, NULL AS nothing,
                   {what:String} AS text
            """,
            {"what": "it's \\ \x1b é 日"},
        )
        assert list(rows.objects()) == [
            {
                "at": "2026-05-01T10:00:00.123456789Z",
                "berlin": "2026-05-01T08:00:00Z",
                "big": 18446744073709551615,
                "id": "01890a5d-ac96-774b-bcce-b302099a8057",
                "price": "1.1",
                "no": "nan",
                "m": {"k": [1, 2]},
                "nothing": None,
                "text": "it's \\ \x1b é 日",
            }
        ]

    def test_bytes_that_are_no_text(self, chdb_client: Any) -> None:
        """Bytes that are no UTF-8, in values, keys and names of columns, are replaced; nothing breaks off."""
        rows = select(
            chdb_client,
            r"SELECT unhex('ff41eda080') AS text, map(unhex('c3'), unhex('e282')) AS m, 1 AS `\xff`",
        )
        (row,) = rows.objects()
        assert row == {"text": "\ufffdA\ufffd\ufffd\ufffd", "m": {"\ufffd": "\ufffd"}, "\ufffd": 1}
        assert json.loads(json.dumps(row).encode("ascii")) == row

    def test_columns_know_their_kind(self, chdb_client: Any) -> None:
        """Nullable and LowCardinality are left out of types, and two columns of a name get two names."""
        rows = select(chdb_client, "SELECT toNullable(now64(9)) AS t, toLowCardinality('x') AS x, x, 1 AS n")
        assert rows.columns == (
            Column("t", "DateTime64(9)"),
            Column("x", "String"),
            Column("x_2", "String"),
            Column("n", "UInt8"),
        )
        assert [column.is_time for column in rows.columns] == [True, False, False, False]
        assert [column.is_number for column in rows.columns] == [False, False, False, True]

    def test_many_rows_are_all_there(self, chdb_client: Any) -> None:
        """An answer that comes in many pieces is put together at the line ends."""
        rows = select(chdb_client, "SELECT number AS n, repeat('é', 100) AS t FROM numbers(20000)")
        assert [row[0] for row in rows.values] == list(range(20000))

    def test_no_rows(self, chdb_client: Any) -> None:
        """An empty answer has columns and no rows."""
        rows = select(chdb_client, "SELECT 1 AS one WHERE 0")
        assert (rows.columns, list(rows.values)) == ((Column("one", "UInt8"),), [])

    @pytest.mark.parametrize(
        "sql",
        ["CREATE TABLE t (a Int8) ENGINE = Memory", "DROP DATABASE default", "SELECT 1 SETTINGS readonly = 0"],
    )
    def test_nothing_can_be_changed(self, chdb_client: Any, sql: str) -> None:
        """A statement that writes, or wants to be allowed to, is refused by the engine."""
        with pytest.raises(DatabaseError):
            list(select(chdb_client, sql).values)

    def test_values_are_json_again(self, chdb_client: Any) -> None:
        """What is read can be written as JSON."""
        rows = select(chdb_client, "SELECT tuple(1, 'a') AS t, [toDate('2026-05-01')] AS d")
        assert json.dumps(list(rows.objects())) == '[{"t": [1, "a"], "d": ["2026-05-01"]}]'


class TestPairs:
    def test_value_may_hold_an_equals_sign(self) -> None:
        """Only the first '=' separates; the value may be empty."""
        assert pairs(("a=1=2", "b=")) == {"a": "1=2", "b": ""}

    @pytest.mark.parametrize("text", ["a", "=1"])
    def test_without_a_name_or_an_equals_sign(self, text: str) -> None:
        """What is no pair is refused with an example."""
        with pytest.raises(QueryError, match="has no '='"):
            pairs((text,))
