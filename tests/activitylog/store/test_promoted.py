"""Attributes of the application's own as columns: one answer by both ways in, for old rows and for any text."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from activitylog.exceptions import SchemaError
from activitylog.store import apply, diff
from activitylog.store_settings import COLUMN_TYPES, StoreSettings, parse_store

_ALL = parse_store(
    {
        "columns": {
            "a.text": "String",
            "a.word": "LowCardinality(String)",
            "a.count": "UInt64",
            "a.delta": "Int64",
            "a.ratio": "Float64",
            "a.flag": "Bool",
            "a.uuid": "UUID",
            "a.time": "DateTime64(6, 'UTC')",
        }
    }
)
_NAMES = ("AText", "AWord", "ACount", "ADelta", "ARatio", "AFlag", "AUuid", "ATime")


@pytest.fixture
def store(migrated_client: Any) -> Any:
    apply(migrated_client, _ALL)
    return migrated_client


def _insert(client: Any, table: str, texts: list[str]) -> None:
    column = "Attributes" if table == "activity_events" else "LogAttributes"
    rows = [["a.b", f"n{number}", dict.fromkeys(_ALL.columns, text)] for number, text in enumerate(texts)]
    client.insert(table, rows, column_names=["EventName", "SpanId", column])


def _rows(client: Any) -> list[tuple[Any, ...]]:
    columns = ", ".join(name if name != "ATime" else "toString(ATime)" for name in _NAMES)
    return list(client.query(f"SELECT {columns} FROM activity_events ORDER BY length(SpanId), SpanId").result_rows)


_NIL = uuid.UUID(int=0)
_ID = "0190163d-8694-739b-aea5-966c26f8ad91"
_EPOCH = "1970-01-01 00:00:00.000000"

#: A text, and what it is as UInt64, Int64, Float64, Bool, UUID and time.
_VALUES: list[tuple[str, tuple[Any, ...]]] = [
    ("", (0, 0, 0.0, False, _NIL, _EPOCH)),
    ("42", (42, 42, 42.0, False, _NIL, _EPOCH)),
    ("-5", (0, -5, -5.0, False, _NIL, _EPOCH)),
    ("1.5", (0, 0, 1.5, False, _NIL, _EPOCH)),
    ("18446744073709551616", (0, 0, 18446744073709551616.0, False, _NIL, _EPOCH)),
    ("n/a", (0, 0, 0.0, False, _NIL, _EPOCH)),
    ("NaN", (0, 0, 0.0, False, _NIL, _EPOCH)),
    ("-inf", (0, 0, 0.0, False, _NIL, _EPOCH)),
    ("true", (0, 0, 0.0, True, _NIL, _EPOCH)),
    ("false", (0, 0, 0.0, False, _NIL, _EPOCH)),
    (_ID, (0, 0, 0.0, False, uuid.UUID(_ID), _EPOCH)),
    ("2026-01-02T03:04:05.678901+00:00", (0, 0, 0.0, False, _NIL, "2026-01-02 03:04:05.678901")),
    ("2026-01-02T03:04:05+02:00", (0, 0, 0.0, False, _NIL, "2026-01-02 01:04:05.000000")),
    ("2026-01-02", (0, 0, 0.0, False, _NIL, "2026-01-02 00:00:00.000000")),
    ("2026-13-45", (0, 0, 0.0, False, _NIL, _EPOCH)),
]


class TestValues:
    """What a text becomes."""

    def test_by_both_ways(self, store: Any) -> None:
        """What the type cannot hold is its zero; the text is in the map all the same."""
        texts = [text for text, _ in _VALUES]
        for table in ("activity_events", "activity_events_ingest"):
            _insert(store, table, texts)
            assert _rows(store) == [(text, text, *values) for text, values in _VALUES]
            kept = store.query("SELECT DISTINCT arrayJoin(mapValues(LogAttributes)) FROM activity_events")
            assert {text for (text,) in kept.result_rows} == set(texts)
            store.command("TRUNCATE TABLE activity_events")

    @pytest.mark.slow
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=10))
    @example(
        ["1", "9999999999999999999999", "tomorrow", "12", "1e400", "0x10", "٣", "2026-01-02 junk", "0000-00-00"]
    )
    def test_any_text(self, store: Any, texts: list[str]) -> None:
        """No text stops an insert; both ways store the same, and so does a column that was added afterwards."""
        answers = []
        for table in ("activity_events", "activity_events_ingest"):
            _insert(store, table, texts)
            answers.append(_rows(store))
            store.command("TRUNCATE TABLE activity_events")
        assert answers[0] == answers[1]
        assert [row[0] for row in answers[0]] == texts
        assert all(math.isfinite(row[4]) for row in answers[0])


class TestOldRows:
    def test_are_answered_as_if_the_column_had_been_there(self, migrated_client: Any) -> None:
        """A part of before computes the column, reads the same when it was merged, and nothing was rewritten."""
        migrated_client.command("SYSTEM STOP MERGES activity_events")
        texts = ["42", "n/a", "true", _ID, "2026-01-02T03:04:05Z", ""]
        _insert(migrated_client, "activity_events", texts)
        parts = "SELECT name, modification_time FROM system.parts WHERE active AND table = 'activity_events' " \
                "AND database = currentDatabase()"  # fmt: skip
        before = migrated_client.query(parts).result_rows
        applied = [str(step) for step in apply(migrated_client, _ALL)]
        assert len(applied) == 8 + 7  # a Bool has no index
        assert migrated_client.query(parts).result_rows == before
        mutations = "SELECT count() FROM system.mutations WHERE database = currentDatabase()"
        assert migrated_client.command(mutations) == 0
        old = _rows(migrated_client)
        assert [row[2] for row in old] == [42, 0, 0, 0, 0, 0]
        migrated_client.command("SYSTEM START MERGES activity_events")
        migrated_client.command("OPTIMIZE TABLE activity_events FINAL")
        assert _rows(migrated_client) == old
        migrated_client.command("TRUNCATE TABLE activity_events")
        _insert(migrated_client, "activity_events", texts)
        assert _rows(migrated_client) == old

    def test_an_index_is_used(self, migrated_client: Any) -> None:
        """One order among 200,000 rows is found in a few granules."""
        apply(migrated_client, parse_store({"columns": {"order.id": "String"}}))
        migrated_client.command(
            "INSERT INTO activity_events (Timestamp, Attributes) "
            "SELECT now(), map('order.id', 'o' || toString(number)) FROM numbers(200000)"
        )
        plan = migrated_client.command("EXPLAIN indexes = 1 SELECT * FROM activity_events WHERE OrderId = 'o4711'")
        assert "idx_OrderId" in str(plan)
        granules = str(plan).partition("idx_OrderId")[2].partition("Granules: ")[2].split("/")[0]
        assert int(granules) < 4


class TestConflicts:
    def test_another_type(self, migrated_client: Any) -> None:
        """A column that is there and is something else is an error that says what to do; all else is applied."""
        migrated_client.command("ALTER TABLE activity_events ADD COLUMN Total String")
        wanted = parse_store({"columns": {"total": "UInt64", "order.id": "String"}})
        with pytest.raises(SchemaError) as caught:
            apply(migrated_client, wanted)
        assert caught.value.message == (
            "The column activity_events.Total is String; [store.columns] of the settings says "
            "UInt64 DEFAULT toUInt64OrZero(Attributes['total'])."
        )
        assert caught.value.hint == (
            "A column is not converted: make [store.columns] say what it is, or rename the old one with "
            "ALTER TABLE ... RENAME COLUMN."
        )
        assert [difference.where for difference in diff(migrated_client, wanted)] == ["activity_events.Total"]

    def test_taken_out_of_the_settings(self, chdb_client: Any) -> None:
        """The column stays, and is no difference."""
        wanted = parse_store({"columns": {"order.id": "String"}})
        apply(chdb_client, wanted)
        assert diff(chdb_client, StoreSettings()) == []
        assert apply(chdb_client, StoreSettings()) == []
        assert "OrderId" in str(chdb_client.command("SHOW CREATE TABLE activity_events"))

    def test_every_type_round_trips(self, store: Any) -> None:
        """What was applied is what `diff` expects, expression by expression as the engine prints them."""
        assert set(_ALL.columns.values()) == set(COLUMN_TYPES)
        assert diff(store, _ALL) == []

    def test_quotes_in_a_name(self, chdb_client: Any) -> None:
        """An attribute with quotes, backslashes and braces is quoted, not run."""
        wanted = parse_store({"columns": {"it's\\{x} {{z}} `y`": "String"}})
        apply(chdb_client, wanted)
        assert diff(chdb_client, wanted) == []
        chdb_client.insert("activity_events", [[{"it's\\{x} {{z}} `y`": "kept"}]], column_names=["Attributes"])
        assert chdb_client.command("SELECT ItSXZY FROM activity_events") == "kept"
