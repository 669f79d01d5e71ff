"""Databases with a table and a view that counts, on a server across a socket or on the embedded engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import clickhouse_connect

from otel_clickhouse.dsn import DSN, parse_dsn
from tests.otel_clickhouse.fault_server import FaultServer
from tests.otel_clickhouse.records import ACTOR_TABLE_SQL

_NUMBERS = itertools.count(1)

COUNTS_SQL = """
CREATE TABLE counts (ActorType String, Times UInt64) ENGINE = SummingMergeTree ORDER BY ActorType
SETTINGS non_replicated_deduplication_window = {window}
"""
VIEW_SQL = """
CREATE MATERIALIZED VIEW view TO counts AS SELECT ActorType, count() AS Times FROM events GROUP BY ActorType
"""


@dataclass(frozen=True)
class Store:
    """
    A database of a test's own, with ``events``, and ``counts`` behind it.

    Attributes:
        admin: a driver's client in that database.
        dsn: of the database.
    """

    admin: Any
    dsn: DSN
    url: str

    @property
    def address(self) -> tuple[str, int]:
        """For a server in front of this one."""
        return self.dsn.host, self.dsn.port

    def behind(self, server: FaultServer) -> str:
        """The DSN of this database by way of another server."""
        login = f"{self.dsn.username or 'default'}:{self.dsn.password}@"
        return f"clickhouse://{login}127.0.0.1:{server.port}/{self.admin.database}"

    def rows(self) -> tuple[int, int, int]:
        """Rows, distinct records, and what the view has counted."""
        found = self.admin.query("SELECT count(), uniqExact(EventId), (SELECT sum(Times) FROM counts) FROM events")
        return tuple(found.result_rows[0])

    def others(self, inserts: int) -> None:
        """So many inserts by others, which push tokens out of the window."""
        for number in range(inserts):
            self.admin.command(
                "INSERT INTO events (EventId, ActorType) SETTINGS async_insert = 0, "
                f"insert_deduplication_token = 'other-{next(_NUMBERS)}-{number}' "
                "VALUES (generateUUIDv4(), 'other')"
            )
        self.admin.command("ALTER TABLE events DELETE WHERE ActorType = 'other' SETTINGS mutations_sync = 2")
        self.admin.command("ALTER TABLE counts DELETE WHERE ActorType = 'other' SETTINGS mutations_sync = 2")


@contextmanager
def new_store(
    url: str, *, window: int = 100, counts_window: int = 100, partition_by: str = "tuple()", more: str = ""
) -> Iterator[Store]:
    """
    A store in a new database, dropped on the way out.

    Args:
        url: of a server, or ``chdb:///folder``.
        more: further columns and constraints of ``events``.
    """
    database = f"delivery_{next(_NUMBERS)}"
    dsn = parse_dsn(url)
    options: dict[str, Any] = {} if dsn.embedded else {"autogenerate_session_id": False}
    root = clickhouse_connect.get_client(dsn=url, **options)
    root.command(f"CREATE DATABASE {database}")
    inside = f"{url}?database={database}" if dsn.embedded else f"{url.rsplit('/', 1)[0]}/{database}"
    admin = clickhouse_connect.get_client(dsn=inside, **options)
    events = ACTOR_TABLE_SQL.format(table="events").replace("window = 100", f"window = {window}")
    events = events.replace("ENGINE = MergeTree", f"ENGINE = MergeTree PARTITION BY {partition_by}")
    admin.command(events.replace("Attributes Map(LowCardinality(String), String)\n", f"{_ATTRIBUTES}{more}\n"))
    admin.command(COUNTS_SQL.format(window=counts_window))
    admin.command(VIEW_SQL)
    try:
        yield Store(admin, parse_dsn(inside), inside)
    finally:
        admin.close()
        root.command(f"DROP DATABASE {database}")
        root.close()


_ATTRIBUTES = "Attributes Map(LowCardinality(String), String)"
