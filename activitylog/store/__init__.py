"""
The store: the tables of activity in ClickHouse, and how to reach them. Knows ClickHouse, not the chain.

    client -> migrations -> schema

``columns`` is what the exporter has to know of the tables, as plain data.
"""

from activitylog.store.client import check_unlocked, connect, holder
from activitylog.store.columns import EVENTS_TABLE, INGEST_TABLE, column_mapping
from activitylog.store.migrations import Migration, apply, migrations, pending
from activitylog.store.schema import Difference, check, check_writable, diff, show

__all__ = [
    "EVENTS_TABLE",
    "INGEST_TABLE",
    "Difference",
    "Migration",
    "apply",
    "check",
    "check_unlocked",
    "check_writable",
    "column_mapping",
    "connect",
    "diff",
    "holder",
    "migrations",
    "pending",
    "show",
]
