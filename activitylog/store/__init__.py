"""
The store: the tables of activity in ClickHouse, and how to reach them. Knows ClickHouse, not the chain.

    client -> migrations, claims -> definitions, snapshot -> rollups, differences -> filling -> schema, plan

``columns`` is what the exporter has to know of the tables, as plain data.
"""

from activitylog.store.client import check_unlocked, connect, holder
from activitylog.store.columns import EVENTS_TABLE, INGEST_TABLE, column_mapping
from activitylog.store.differences import Difference
from activitylog.store.filling import backfill
from activitylog.store.migrations import Migration, migrations, pending
from activitylog.store.plan import Step, apply, create_database, fill_rollup, fill_small_rollup, plan
from activitylog.store.rollups import Missing, missing
from activitylog.store.schema import check, check_countable, check_writable, diff, show

__all__ = [
    "EVENTS_TABLE",
    "INGEST_TABLE",
    "Difference",
    "Migration",
    "Missing",
    "Step",
    "apply",
    "backfill",
    "check",
    "check_countable",
    "check_unlocked",
    "check_writable",
    "column_mapping",
    "connect",
    "create_database",
    "diff",
    "fill_rollup",
    "fill_small_rollup",
    "holder",
    "migrations",
    "missing",
    "pending",
    "plan",
    "show",
]
