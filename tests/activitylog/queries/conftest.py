"""A handful of events, made by hand, that every question is asked about."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from activitylog.store import EVENTS_TABLE, apply

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


@pytest.fixture
def empty_store(chdb_client: Any) -> Any:
    """A client on a store without events."""
    apply(chdb_client)
    return chdb_client


@pytest.fixture
def store(empty_store: Any) -> Any:
    """A client on a store with :data:`EVENTS`."""
    lines = "\n".join(json.dumps(event) for event in EVENTS)
    empty_store.raw_insert(EVENTS_TABLE, insert_block=lines, fmt="JSONEachRow")
    return empty_store
