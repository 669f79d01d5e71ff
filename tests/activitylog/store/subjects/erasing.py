"""Events made by hand, and what is left of them: shared by the tests of erasing and of exporting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from activitylog.store import EVENTS_TABLE

DAILY = "activity_events_actor_daily"
HOURLY = "activity_events_hourly"


def event(at: str, actor: str = "", object_: str = "", target: str = "", **columns: Any) -> dict[str, Any]:
    """A row of the events' table; actors, objects and targets as ``type:id``."""
    row = {"Timestamp": at, "EventName": "thing.done"}
    for prefix, named in (("Actor", actor), ("Object", object_), ("Target", target)):
        row[f"{prefix}Type"], _, row[f"{prefix}Id"] = named.partition(":")
    return row | columns


def insert(client: Any, events: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows as one block."""
    lines = "\n".join(json.dumps(row) for row in events)
    client.raw_insert(EVENTS_TABLE, insert_block=lines.encode(), fmt="JSONEachRow")


def stored(client: Any, table: str = EVENTS_TABLE, where: str = "1") -> bytes:
    """All rows of a table with all columns, sorted, as the engine writes them; marked ones included."""
    sql = f"SELECT * FROM {table} WHERE {where} ORDER BY ALL"
    answer: bytes = client.raw_query(sql, fmt="TSV", settings={"apply_deleted_mask": 0})
    return answer


def daily(client: Any) -> list[Any]:
    """The roll-up by day and actor, added up."""
    rows = client.query(
        "SELECT Day, TenantId, ActorType, ActorId, sum(RowCount), sum(EventCount), sum(Weighted), min(FirstSeen), "
        f"max(LastSeen) FROM {DAILY} GROUP BY ALL ORDER BY ALL"
    ).result_rows
    return list(rows)


def daily_from_events(client: Any) -> list[Any]:
    """The same, counted from the events that are there."""
    rows = client.query(
        "SELECT toDate(Timestamp) AS Day, TenantId, ActorType, ActorId, count(), sum(EventCount), "
        "sum(SampleWeight * EventCount), toDateTime(min(Timestamp), 'UTC'), toDateTime(max(Timestamp), 'UTC') "
        f"FROM {EVENTS_TABLE} WHERE ActorId != '' GROUP BY ALL ORDER BY ALL"
    ).result_rows
    return list(rows)


def hourly(client: Any) -> list[Any]:
    """The roll-up by hour, added up."""
    rows = client.query(
        f"SELECT Hour, TenantId, EventName, sum(RowCount), sum(EventCount) FROM {HOURLY} GROUP BY ALL ORDER BY ALL"
    ).result_rows
    return list(rows)


def hourly_from_events(client: Any) -> list[Any]:
    """The same, counted from the events that are there."""
    rows = client.query(
        "SELECT toStartOfHour(toDateTime(Timestamp, 'UTC')) AS Hour, TenantId, EventName, count(), "
        f"sum(EventCount) FROM {EVENTS_TABLE} GROUP BY ALL ORDER BY ALL"
    ).result_rows
    return list(rows)


def naming(client: Any, text: str) -> list[str]:
    """Columns and aliases of all tables of ours in which a text stands, in any place."""
    columns = client.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND table LIKE 'activity%' "
        "AND table NOT LIKE '%_mv' AND table NOT LIKE '%ingest%' AND (type LIKE '%String%' OR type = 'UUID')"
    ).result_rows
    return [
        f"{table}.{name}"
        for table, name in columns
        if client.query(
            f"SELECT count() FROM {table} WHERE position(toString(`{name}`), {{text:String}}) > 0",
            parameters={"text": text},
            settings={"apply_deleted_mask": 0},
        ).result_rows[0][0]
    ]
