"""
Staged records into a table, in batches as an exporter sends them, and what that costs the engine.

CPU is that of the whole process less what reading the staged records costs. Merges are stopped while rows go in,
so that an insert is paid for by what it does itself; merging all into one part a partition is timed apart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from activitylog.store import EVENTS_TABLE, INGEST_TABLE
from tests.benchmarks.storage.tables import OTEL_COLUMNS, Table, ours_by_landing

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: The database of the staged records.
STAGE: Final = "stage"


@dataclass(frozen=True, slots=True)
class InsertCost:
    """CPU microseconds an event: of an insert (median over the batches), and of the merges that follow."""

    insert_us: float
    merge_us: float


def stage_typed(client: Client) -> None:
    """
    Make ``source_typed`` of ``source_logs``: the rows as a direct exporter builds them, which are those that the
    landing table's view makes (``tests/end_to_end/test_two_ways_in.py`` holds both equal).
    """
    ours_by_landing("helper").create(client)
    view = str(
        client.query(
            "SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = {view:String}",
            parameters={"view": f"{INGEST_TABLE}_mv"},
        ).result_rows[0][0]
    )
    columns = _stored_columns(client, EVENTS_TABLE)
    client.database = STAGE
    client.command("DROP TABLE IF EXISTS source_typed")
    types = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    client.command(f"CREATE TABLE source_typed (Number UInt64, {types}) ENGINE = MergeTree ORDER BY Number")
    select = view.replace(f"helper.{INGEST_TABLE}", f"{STAGE}.source_logs").replace("SELECT", "SELECT Number,", 1)
    client.command(f"INSERT INTO source_typed (Number, {', '.join(columns)}) {select}")
    client.command("DROP DATABASE helper")


def load(client: Client, table: Table, events: int, *, batch: int) -> InsertCost:
    """
    Create the table and insert the first ``events`` staged records, ``batch`` rows an insert.

    The client is in the table's database afterwards, and each partition of each table there is one part.
    """
    table.create(client)
    columns = ", ".join(_columns_to_insert(client, table))
    settings = {
        "max_threads": 1,
        "max_insert_threads": 1,
        "min_insert_block_size_rows": batch,
        "min_insert_block_size_bytes": 0,
        "async_insert": 0,
        "max_partitions_per_insert_block": 0,
    }
    costs = []
    client.command("SYSTEM STOP MERGES")
    try:
        for low, high in _batches(events, batch):
            select = f"SELECT {columns} FROM {STAGE}.{table.source} WHERE Number > {low} AND Number <= {high}"
            read = _command_us(client, f"{select} FORMAT Null", {"max_threads": 1})
            insert = _command_us(client, f"INSERT INTO {table.insert_into} ({columns}) {select}", settings)
            costs.append((insert - read) / (high - low))
    finally:
        client.command("SYSTEM START MERGES")
    merges = sum(_command_us(client, f"OPTIMIZE TABLE {name} FINAL", {}) for name in _stored_tables(client))
    return InsertCost(median(costs), merges / events)


def _command_us(client: Client, sql: str, settings: dict[str, int]) -> float:
    """CPU of the process, all its threads, while it runs a statement, in microseconds."""
    start = time.process_time_ns()
    client.command(sql, settings=settings)
    return (time.process_time_ns() - start) / 1000


def _batches(events: int, batch: int) -> Iterator[tuple[int, int]]:
    for low in range(0, events, batch):
        yield low, min(low + batch, events)


def _columns_to_insert(client: Client, table: Table) -> list[str]:
    """All that the staged table has."""
    return list(OTEL_COLUMNS) if table.source == "source_logs" else list(_stored_columns(client, table.table))


def _stored_columns(client: Client, table: str) -> dict[str, str]:
    """The columns that writers fill, with their types: not those that the table itself takes out of the map."""
    rows = client.query(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') AND NOT startsWith(default_expression, 'Attributes[') "
        "ORDER BY position",
        parameters={"table": table},
    ).result_rows
    return {name: type_ for name, type_ in rows}  # noqa: C416 - rows are not known to be pairs


def _stored_tables(client: Client) -> list[str]:
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "ORDER BY name"
    ).result_rows
    return [name for (name,) in rows]
