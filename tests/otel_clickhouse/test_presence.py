"""Which rows of a block a table has: asked of the engine, with ids that people make up."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_clickhouse.client import connect
from otel_clickhouse.encoder import encode_logs
from otel_clickhouse.exceptions import RetryableError
from otel_clickhouse.layout import Layout, compile_layout
from otel_clickhouse.mapping import parse_mapping
from otel_clickhouse.presence import _ranges, id_owner, missing_rows, rows_of
from tests.otel_clickhouse.records import ACTOR_COLUMNS, ACTOR_TABLE_SQL, TIME_NS, record

_TABLES = itertools.count(1)
HOUR_NS = 3_600 * 10**9


def layout(**spec: Any) -> Layout:
    """Of a table whose column ``EventId`` is of this type."""
    attributes = {**ACTOR_COLUMNS["attributes"], "log.record.uid": {"column": "EventId", **spec}}
    return compile_layout(parse_mapping({**ACTOR_COLUMNS, "attributes": attributes}))


def never(_sql: str, _settings: Mapping[str, Any]) -> Any:
    """Nobody is to be asked."""
    raise AssertionError


IDS = {
    "UUID": st.uuids().filter(lambda value: value.int != 0).map(str),
    "String": st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
    | st.sampled_from(
        ["'", "\\", "\\'", "') OR 1=1 --", "{id:String}", "\0", "\n\t", "=", "a,b", "é", "\U0001f600"]
    ),
    "UInt64": st.integers(1, 2**64 - 1).map(str),
}


class TestMissingRows:
    @pytest.mark.parametrize("kind", IDS)
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_exactly_those_that_were_not_inserted(self, chdb_client, chdb_url, kind, data):
        """Whatever the ids are, and whenever the records were made."""
        columns_layout = layout(type=kind)
        ids = data.draw(st.lists(IDS[kind], min_size=1, max_size=12, unique=True))
        times = st.sampled_from([0, 1, TIME_NS, TIME_NS + HOUR_NS, 2**62]) | st.integers(0, 2**62)
        records = [record({"log.record.uid": one}, timestamp=data.draw(times)) for one in ids]
        stored = data.draw(st.sets(st.integers(0, len(ids) - 1)))
        client = connect(f"{chdb_url}?database={chdb_client.database}")
        table = f"t{next(_TABLES)}"
        sql = ACTOR_TABLE_SQL.format(table=table).replace("EventId UUID", f"EventId {kind}")
        client.command(
            sql.replace("DateTime64(9)", data.draw(st.sampled_from(["DateTime64(9)", "DateTime64(3)"])))
        )
        columns = encode_logs(records, columns_layout)
        if stored:
            client.insert(table, rows_of(columns, sorted(stored)), {"async_insert": 0})
        try:
            expected = [index for index in range(len(ids)) if index not in stored]
            assert missing_rows(client.command, table, columns, columns_layout) == expected
        finally:
            client.command(f"DROP TABLE {table}")
            client.close()

    def test_a_large_batch_is_asked_for_in_pieces(self, chdb_client, chdb_url):
        """Each statement stays within what a server takes; none of 10,000 ids is forgotten."""
        client = connect(f"{chdb_url}?database={chdb_client.database}")
        client.command(ACTOR_TABLE_SQL.format(table="t"))
        records = [record({"log.record.uid": str(uuid.uuid4())}, timestamp=TIME_NS + n) for n in range(10_000)]
        columns = encode_logs(records, layout(type="UUID"))
        client.insert("t", rows_of(columns, range(0, 10_000, 2)), {"async_insert": 0})
        sizes: list[int] = []

        def ask(sql: str, sent: Mapping[str, Any]) -> Any:
            sizes.append(len(sql.encode()))
            return client.command(sql, sent)

        assert missing_rows(ask, "t", columns, layout(type="UUID")) == [*range(1, 10_000, 2)]
        assert max(sizes) < 150_000
        assert len(sizes) == 3
        client.close()

    @pytest.mark.parametrize(
        "answer", ["", "<html>", "=zz", "=41,", "41", 41, ["=41"], "=4", "=41\n", None, "=41, 42"]
    )
    def test_what_is_no_answer(self, answer):
        """It is not taken for an empty one."""
        columns = encode_logs([record({"log.record.uid": "A"})], layout())
        with pytest.raises(RetryableError) as raised:
            missing_rows(lambda *_: answer, "t", columns, layout())
        assert raised.value.code == "not_clickhouse"

    def test_what_is_one(self):
        """Ids in hexadecimal digits behind a mark."""
        columns = encode_logs([record({"log.record.uid": one}) for one in "AB"], layout())
        assert missing_rows(lambda *_: "=", "t", columns, layout()) == [0, 1]
        assert missing_rows(lambda *_: "=42", "t", columns, layout()) == [0]
        assert missing_rows(lambda *_: "=42,41", "t", columns, layout()) == []

    def test_a_row_without_an_id(self):
        """Then nobody is asked: the answer would be about others."""
        records = [record({"log.record.uid": "A"}), record({})]
        assert missing_rows(never, "t", encode_logs(records, layout()), layout()) is None

    def test_the_question_bounds_the_time(self):
        """By the records' own times, and a second for tables that keep less than nanoseconds."""
        asked: list[str] = []

        def ask(sql: str, _settings: Mapping[str, Any]) -> str:
            asked.append(sql)
            return "="

        records = [record({"log.record.uid": "it's"}, timestamp=TIME_NS + n) for n in (0, 5, 2 * HOUR_NS)]
        missing_rows(ask, "`t`", encode_logs(records, layout()), layout())
        assert asked == [
            "SELECT concat('=', arrayStringConcat(groupUniqArray(hex(toString(`EventId`))), ',')) FROM `t` WHERE "
            "(`Timestamp` BETWEEN fromUnixTimestamp64Nano(1763999999123456789) AND "
            "fromUnixTimestamp64Nano(1764000001123456794) OR `Timestamp` BETWEEN "
            "fromUnixTimestamp64Nano(1764007199123456789) AND fromUnixTimestamp64Nano(1764007201123456789)) "
            "AND `EventId` IN ('it\\'s','it\\'s','it\\'s')"
        ]


class TestIdColumn:
    def test_only_a_column_of_its_own(self):
        """One that another attribute sets, too, identifies nothing."""
        assert id_owner(layout()) is not None
        assert id_owner(layout(type="Float64", default=0.0)) is None
        assert id_owner(compile_layout(parse_mapping({}))) is None
        shared = {"log.record.uid": {"column": "Id"}, "other": {"column": "Id"}}
        assert id_owner(compile_layout(parse_mapping({"attributes": shared}))) is None


class TestRanges:
    @given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 400).map(lambda n: n * HOUR_NS), min_size=1))
    def test_cover_every_time(self, times):
        """Few ranges, in order, and none of them far from a time."""
        ranges = _ranges(times)
        assert all(any(first <= time <= last for first, last in ranges) for time in times)
        assert len(ranges) <= 64
        assert all(one[1] < other[0] for one, other in itertools.pairwise(ranges))

    def test_are_parted_at_gaps(self):
        """So that an import over years does not read the years."""
        times = [n * 24 * HOUR_NS for n in range(1, 101)]
        assert len(_ranges(times)) == 64
        assert _ranges([TIME_NS, TIME_NS + HOUR_NS]) == [(TIME_NS - 10**9, TIME_NS + HOUR_NS + 10**9)]
        assert _ranges([0, 2**63 - 1]) == [(0, 10**9), (2**63 - 1 - 10**9, 2**63 - 1)]
