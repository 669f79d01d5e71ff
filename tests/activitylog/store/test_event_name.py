"""The name of an event from a Collector that does not know of the landing table's column for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from activitylog.store import INGEST_TABLE

_NAME = "activity.event.name"


def _insert(client: Any, attributes: Mapping[str, str], **columns: Any) -> None:
    row = {"SpanId": "1", "LogAttributes": attributes, **columns}
    client.insert(INGEST_TABLE, [list(row.values())], column_names=list(row))


def _stored(client: Any) -> list[tuple[str, dict[str, str]]]:
    return [tuple(row) for row in client.query("SELECT EventName, LogAttributes FROM activity_events").result_rows]


@pytest.mark.parametrize(
    ("attributes", "name", "left"),
    [
        pytest.param({_NAME: "a.b", "x": "1"}, "a.b", {"x": "1"}, id="the gateway's copy"),
        pytest.param({"event.name": "c.d"}, "c.d", {"event.name": "c.d"}, id="as older producers have it"),
        pytest.param({_NAME: "a.b", "event.name": "c.d"}, "a.b", {"event.name": "c.d"}, id="the copy goes first"),
        pytest.param({_NAME: "", "event.name": "c.d"}, "c.d", {"event.name": "c.d"}, id="a record without a name"),
        pytest.param({_NAME: "", "x": "1"}, "", {"x": "1"}, id="nor any other, and the gateway says so"),
    ],
)
def test_an_insert_without_the_column(
    migrated_client: Any, attributes: dict[str, str], name: str, left: dict[str, str]
) -> None:
    """The name is taken from an attribute; our own copy of it is not stored as one."""
    _insert(migrated_client, attributes)
    assert _stored(migrated_client) == [(name, left)]


def test_without_any_name(migrated_client: Any) -> None:
    """It is refused, and the answer says what to do: the Collector keeps the batch and sends it again."""
    with pytest.raises(DatabaseError, match="No EventName: this Collector began while ClickHouse was away"):
        _insert(migrated_client, {"event.name": "", "x": "1"})
    assert _stored(migrated_client) == []


@pytest.mark.parametrize("copy", ["a.b", ""])
def test_an_insert_with_the_column(migrated_client: Any, copy: str) -> None:
    """The column is what counts, empty or not; a copy that says the same is not stored."""
    _insert(migrated_client, {_NAME: copy} if copy else {}, EventName=copy)
    assert _stored(migrated_client) == [(copy, {})]


def test_an_attribute_that_says_something_else(migrated_client: Any) -> None:
    """It is no copy, and stays."""
    _insert(migrated_client, {_NAME: "its.own"}, EventName="a.b")
    assert _stored(migrated_client) == [("a.b", {_NAME: "its.own"})]


def test_counters_of_a_process(migrated_client: Any) -> None:
    """They are found by their name, wherever it stood."""
    _insert(migrated_client, {_NAME: "activity.counted", "activity.counter.event": "a.b", "activity.count": "3"})
    assert _stored(migrated_client) == []
    rows = migrated_client.query("SELECT EventName, EventCount FROM activity_counters").result_rows
    assert [tuple(row) for row in rows] == [("a.b", 3)]
