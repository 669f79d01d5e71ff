"""What arrived in a database of a test's own."""

from __future__ import annotations

from typing import Any

from tests.serving import ServedStore
from tests.waiting import wait_until


class Arrivals:
    """
    The events of one database, which is made when it is not there.

    Args:
        store: with it.
        database: its name.
    """

    def __init__(self, store: ServedStore, database: str) -> None:
        from activitylog.store import apply, connect

        store.wait()
        self.database = database
        self._client: Any = connect(store.url.replace("/default", f"/{database}"), create_database=True)
        apply(self._client)

    def of(self, name: str) -> tuple[int, int]:
        """How many rows an event has, and how many different ones: by ``EventId``, without one by ``order.id``."""
        identity = "(EventId, LogAttributes['order.id'])"
        sql = f"SELECT count(), uniqExact({identity}) FROM activity_events WHERE EventName = '{name}'"
        rows, different = self._client.query(sql).result_rows[0]
        return int(rows), int(different)

    def wait_for(self, name: str, events: int, seconds: float = 60) -> tuple[int, int]:
        """What :meth:`of` says once so many different ones are there, or more."""
        wait_until(lambda: self.of(name)[1] >= events, seconds)
        return self.of(name)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        return [tuple(row) for row in self._client.query(sql).result_rows]

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()
