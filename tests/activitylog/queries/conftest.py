"""A handful of events, made by hand, that every question is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from activitylog.store import diff
from activitylog.store.migrations import MIGRATIONS_TABLE
from tests.activitylog.queries.rows import put, row
from tests.conftest import MakeDatabase

_WITH_ROWS: Final = f"""
SELECT name FROM system.tables
WHERE database = currentDatabase() AND total_rows > 0 AND engine LIKE '%MergeTree' AND name != '{MIGRATIONS_TABLE}'
"""

#: Three days of a shop. Sampled: the view of 2026-03-03 (one row of three views, kept with p = 1/2: 6 events).
EVENTS: Final[list[dict[str, Any]]] = [
    {
        "Timestamp": "2026-03-01 09:15:00",
        "EventName": "order.placed",
        "ActorType": "user",
        "ActorId": "ann",
        "ObjectType": "order",
        "ObjectId": "A-1",
        "BodyTemplate": "\x01 placed \x02",
        "RequestId": "r-1",
        "SessionId": "s-1",
        "HttpMethod": "POST",
        "HttpRoute": "/orders",
    },
    {
        "Timestamp": "2026-03-01 09:20:00",
        "EventName": "order.paid",
        "ActorType": "user",
        "ActorId": "ann",
        "ObjectType": "order",
        "ObjectId": "A-1",
        "RequestId": "r-2",
        "SessionId": "s-1",
        "HttpMethod": "POST",
        "HttpRoute": "/payments",
    },
    {
        "Timestamp": "2026-03-01 11:00:00",
        "EventName": "order.placed",
        "ActorType": "user",
        "ActorId": "ben",
        "ObjectType": "order",
        "ObjectId": "A-2",
        "HttpMethod": "POST",
        "HttpRoute": "/orders",
    },
    {
        "Timestamp": "2026-03-01 11:30:00",
        "EventName": "order.paid",
        "ActorType": "user",
        "ActorId": "ben",
        "ObjectType": "order",
        "ObjectId": "A-2",
        "Outcome": "failure",
        "ErrorType": "CardError",
        "HttpMethod": "POST",
        "HttpRoute": "/payments",
    },
    {
        "Timestamp": "2026-03-03 00:05:00",
        "EventName": "page.viewed",
        "TenantId": "acme",
        "ActorType": "user",
        "ActorId": "ann",
        "ObjectType": "page",
        "ObjectId": "/",
        "EventCount": 3,
        "SampleWeight": 2.0,
        "HttpMethod": "GET",
        "HttpRoute": "/orders",
    },
    {
        "Timestamp": "2026-03-03 10:00:00",
        "EventName": "order.archived",
        "ActorType": "service",
        "ActorId": "cron",
        "ObjectType": "archive",
        "ObjectId": "Z-9",
        "TargetType": "order",
        "TargetId": "A-1",
        "Outcome": "denied",
        "TraceId": "0af7651916cd43dd8448eb211c80319c",
        "Seq": 1,
    },
    {
        "Timestamp": "2026-03-03 10:00:00",
        "EventName": "cache.cleared",
        "TraceId": "0af7651916cd43dd8448eb211c80319c",
        "Seq": 2,
    },
]


_ID: Final = "019caa3e-9580-7000-8000-000000000001"

#: Beside EVENTS: what makes every question have an answer, in the days that it looks at.
MORE: Final[list[dict[str, Any]]] = [
    # since when there are events: four weeks and more
    row("2026-01-31 09:00", "order.placed", "old"),
    # unusual: not in the same hour of any week before
    row("2026-03-03 09:00", "report.made", "ann", EventCount=50, DurationUs=2_500_000, HttpRoute="/reports"),
    # one after the other
    row("2026-03-03 09:10", "report.opened", "ann"),
    # denied again and again
    *(row(f"2026-03-03 08:0{n}", "file.read", "ben", Outcome="denied") for n in range(5)),
    # one event twice, and a number left out
    *[row("2026-03-03 07:00", "order.paid", Producer="p1", Seq=1, EventId="019caa3e-9580-7000-8000-000000000001")]
    * 2,
    row("2026-03-03 07:01", "order.paid", Producer="p1", Seq=3),
    # a service that was there every minute, and is not any more
    *(row(f"2026-03-02 10:{n:02}", "ping", ServiceName="web") for n in range(31)),
]


@pytest.fixture(scope="session")
def _question_database(make_migrated: MakeDatabase) -> Iterator[Any]:
    """A database with the tables, made once: making them takes longer than a question. Its tables stay as made."""
    with make_migrated() as client:
        made = client.query("SHOW TABLES").result_rows
        yield client
        changed = [str(difference) for difference in diff(client)]
        assert (changed, client.query("SHOW TABLES").result_rows) == ([], made), "take own_store to change tables"


@pytest.fixture
def empty_store(_question_database: Any) -> Any:
    """A client on a store without events; whoever changes tables takes ``own_store``."""
    for (table,) in _question_database.query(_WITH_ROWS).result_rows:
        _question_database.command(f"TRUNCATE TABLE {table}")
    return _question_database


@pytest.fixture
def store(empty_store: Any) -> Any:
    """A client on a store with :data:`EVENTS`."""
    put(empty_store, *EVENTS)
    return empty_store


@pytest.fixture
def full_store(store: Any) -> Any:
    """A client on a store about which every question has something to tell."""
    put(store, *MORE)
    put(store, {"Minute": "2026-03-02 10:00:00", "EventName": "ping", "EventCount": 40}, table="activity_counters")
    return store


@pytest.fixture
def own_store(migrated_client: Any) -> Any:
    """A client on a store with :data:`EVENTS` in a database of its own, whose tables may be changed."""
    put(migrated_client, *EVENTS)
    return migrated_client
