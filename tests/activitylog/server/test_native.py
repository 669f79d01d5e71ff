"""Native blocks for clients of newer revisions, checked against what the engine writes for each column alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.server.errors import ServerError
from activitylog.server.native import Chunk, for_revision

INFO = bytes.fromhex("010002ffffffff00")

COLUMNS = [
    "number",
    "toUInt8(number)",
    "toInt256(number)",
    "toFloat32(number)",
    "toBFloat16(1)",
    "number % 2 = 0",
    "repeat('x', number % 300)",
    "toFixedString('abc', 5)",
    "if(number % 3 = 0, toString(number), NULL)",
    "NULL",
    "toLowCardinality(toString(number % 400))",
    "toLowCardinality(toNullable(if(number % 2 = 0, NULL, 'b')))",
    "range(number % 5)",
    "arrayMap(x -> arrayMap(y -> toString(y), range(x)), range(number % 4))",
    "[toLowCardinality(toNullable('q'))]",
    "map('k', number, toString(number), 2)",
    "map(toLowCardinality('k'), [toLowCardinality('z')])",
    "(number, 'x', [1])",
    "CAST((1, 'x') AS Tuple(a UInt8, `b c` String))",
    "tuple()",
    "[(1, 'a')]::Nested(a UInt8, b String)",
    "toDate('2024-01-02')",
    "toDate32('2024-01-02')",
    "toDateTime('2024-01-02 03:04:05', 'Europe/Berlin')",
    "toDateTime64('2024-01-02 03:04:05.678', 9, 'UTC')",
    "toDecimal32(1, 3)",
    "toDecimal64(1, 3)",
    "toDecimal128(1, 3)",
    "toDecimal256(1, 3)",
    "CAST('b,' AS Enum8('a(' = 1, 'b,' = 2))",
    "CAST('it\\'s' AS Enum16('it\\'s' = 1000))",
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "map(CAST('b,' AS Enum8('a(' = 1, 'b,' = 2, '\\'' = 3)), 'x')",
    "toIPv4('1.2.3.4')",
    "toIPv6('::1')",
    "toIntervalDay(number)",
    "(1, 2)::Point",
    "[[[(0, 0), (1, 1)]]]::MultiPolygon",
    "1::SimpleAggregateFunction(sum, UInt64)",
    "multiIf(number % 3 = 0, NULL, number % 2 = 0, number, ['a'])::Variant(UInt64, Array(String))",
]


def block(client: Any, expressions: list[str], rows: int) -> bytes:
    listed = ", ".join(f"{expression} AS c{at}" for at, expression in enumerate(expressions))
    sql = f"SELECT {listed} FROM numbers({rows})"
    data: bytes = client.raw_query(sql, fmt="Native", settings={"allow_suspicious_low_cardinality_types": 1})
    return data


def number(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + number(value >> 7)


def with_flag(alone: bytes, rows: int) -> bytes:
    """The single column of a block, with the flag behind its type."""
    column = alone[len(b"\x01" + number(rows)) :]
    name_end = 1 + column[0]
    type_length, at = column[name_end], name_end + 1
    if type_length > 127:
        type_length, at = type_length - 128 + 128 * column[at], at + 1
    at += type_length
    return column[:at] + b"\x00" + column[at:]


class TestColumns:
    @pytest.mark.parametrize("expression", COLUMNS)
    @pytest.mark.parametrize("rows", [1, 300])
    def test_every_type_is_walked_over(self, chdb_client: Any, expression: str, rows: int):
        """Between two other columns each type ends where its values end."""
        expressions = ["'before'", expression, "'after'"]
        mixed = block(chdb_client, expressions, rows)
        alone = []
        for at, each in enumerate(expressions):
            one = chdb_client.raw_query(
                f"SELECT {each} AS c{at} FROM numbers({rows})",
                fmt="Native",
                settings={"allow_suspicious_low_cardinality_types": 1},
            )
            alone.append(with_flag(one, rows))
        # rows=-1: the walk has to find the end of the block, too.
        assert b"".join(for_revision([Chunk(mixed, -1)], 54460)) == INFO + b"\x03" + number(rows) + b"".join(alone)

    def test_aggregate_state_is_refused_unless_last(self, chdb_client: Any):
        """A type that cannot be walked over is named, with what to do; as the last column it is sent."""
        with pytest.raises(ServerError, match="finalizeAggregation"):
            list(for_revision([Chunk(block(chdb_client, ["sumState(number)", "1"], 3), 1)], 54460))
        state = block(chdb_client, ["1", "sumState(number)"], 3)
        assert b"".join(for_revision([Chunk(state, 1)], 54460)).endswith(state[-8:])


class TestRevisions:
    def test_revision_zero_changes_nothing(self):
        """Without client_protocol_version the engine's bytes are sent."""
        assert list(for_revision([Chunk(b"anything", 1)], 0)) == [b"anything"]

    def test_block_info_alone_below_54454(self, chdb_client: Any):
        """clickhouse-connect's 54405 gets the block info before each block and nothing else."""
        one = block(chdb_client, ["number", "'x'"], 3)
        assert b"".join(for_revision([Chunk(one, 3)], 54405)) == INFO + one

    def test_blocks_in_one_chunk_are_told_apart(self, chdb_client: Any):
        """Blocks that came joined get an info each."""
        one, two = block(chdb_client, ["number", "'x'"], 3), block(chdb_client, ["'y'"], 200)
        assert list(for_revision([Chunk(one + two, 203)], 54405)) == [INFO + one, INFO + two]

    def test_nothing_stays_nothing(self):
        """A result without blocks is empty for every client."""
        assert b"".join(for_revision([Chunk(b"", 0)], 54460)) == b""

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.text(max_size=400), min_size=1, max_size=50))
    def test_strings_of_any_length(self, texts: list[str]):
        """Lengths of one byte and of more are stepped over alike."""
        values = b"".join(number(len(text.encode())) + text.encode() for text in texts)
        column = b"\x01s\x06String"
        data = b"\x02" + number(len(texts)) + column + values + column + values
        flagged = column + b"\x00" + values
        expected = INFO + b"\x02" + number(len(texts)) + flagged + flagged
        assert b"".join(for_revision([Chunk(data, len(texts))], 54460)) == expected
