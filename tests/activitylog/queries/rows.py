"""Rows for tests, in few words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from activitylog.store import EVENTS_TABLE


def at(text: str) -> datetime:
    """A time in UTC: ``2026-03-01 09:15``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(time: str, event: str = "", actor: str = "", **columns: Any) -> dict[str, Any]:
    """An event of a user; further columns by their names."""
    who = {"ActorType": "user", "ActorId": actor} if actor else {}
    return {"Timestamp": time, "EventName": event, **who, **columns}


def put(client: Any, *rows: dict[str, Any], table: str = EVENTS_TABLE) -> None:
    """Insert rows; what they leave out has its default."""
    client.raw_insert(table, insert_block="\n".join(json.dumps(row) for row in rows), fmt="JSONEachRow")
