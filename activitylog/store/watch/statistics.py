"""One picture of the store: what ``activitylog stats`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.watch.asking import ACTOR_TABLE, HOURLY_TABLE, Database, quoted
from activitylog.store.watch.growth import Forecast, Growth, forecast, growth, partition_length, today_utc
from activitylog.store.watch.inserts import Inserts, inserts
from activitylog.store.watch.sizes import (
    ColumnSize,
    PartitionSize,
    TableSize,
    column_sizes,
    partition_sizes,
    table_sizes,
)
from activitylog.store.watch.upkeep import Disk, Merges, Mutations, disks, merges, mutations

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Answered from the partitions' ranges, without reading a row.
_RANGE: Final = "SELECT count() AS events, min(Timestamp) AS oldest, max(Timestamp) AS newest FROM {table}"
_LAST_HOUR: Final = "SELECT count() AS rows FROM {table} WHERE Timestamp > now64(9) - INTERVAL 1 HOUR"
_ACTORS: Final = "SELECT uniq(ActorType, ActorId) AS actors FROM {table}"
_TENANTS: Final = "SELECT uniqIf(TenantId, TenantId != '') AS tenants FROM {table}"
_TOP: Final = """
SELECT EventName AS event, toInt64(sum({count})) AS events,
       if(sum(events) OVER () = 0, 0, round(100 * events / sum(events) OVER (), 1)) AS percent
FROM {table} GROUP BY event ORDER BY events DESC, event LIMIT 10
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """
    The table of events.

    Attributes:
        events: stored rows.
        oldest, newest: the events' own times, to the microsecond; None without events.
        last_hour: rows whose own time is in the last hour, or later.
        actors, tenants: different ones, estimated (1 %) from the roll-ups, which keep those of rows that were
            archived or have expired; None where a roll-up is missing.
        bytes_per_event: of table, its indexes among them, and roll-ups together.
        table_bytes_per_event, index_bytes_per_event, rollup_bytes_per_event: the parts of it.
        rollup_share: bytes of the roll-ups by bytes of the table.
    """

    events: int
    oldest: datetime | None
    newest: datetime | None
    last_hour: int
    actors: int | None
    tenants: int | None
    bytes_per_event: float
    table_bytes_per_event: float
    index_bytes_per_event: float
    rollup_bytes_per_event: float
    rollup_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """Rows of one event name, and their share in percent."""

    event: str
    events: int
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """
    The store at one time.

    Attributes:
        asked_at: the server's clock.
        version: of the server.
        tables: of the whole database, the largest first.
        events, inserts, growth, forecast: None without a table of events.
        columns, partitions: empty unless asked for.
        top_events_source: ``rollup``, or ``events`` (a full scan, where there is no roll-up or it was asked for).
    """

    asked_at: datetime
    version: str
    tables: tuple[TableSize, ...]
    events: Events | None
    top_events: tuple[EventCount, ...]
    top_events_source: str
    inserts: Inserts | None
    merges: Merges
    mutations: Mutations
    disks: tuple[Disk, ...]
    growth: Growth | None
    forecast: Forecast | None
    columns: tuple[ColumnSize, ...]
    partitions: tuple[PartitionSize, ...]


def statistics(
    client: Client, *, columns: bool = False, partitions: bool = False, scan: bool = False
) -> Statistics:
    """
    Ask the client's current database for all of it. Only reads.

    Args:
        columns: bytes by column and index, too.
        partitions: the partitions of our tables, too.
        scan: count the top events in the table itself, which reads one column of every event.

    Raises:
        clickhouse_connect.driver.exceptions.DatabaseError: the engine refuses.

    On a cluster it is the part of it that is on this server.
    """
    database = Database(client)
    now = database.row("SELECT now64(3, 'UTC') AS now, version() AS version")
    sizes = table_sizes(database)
    has_events = database.holds(EVENTS_TABLE)
    ours = _ours(database, sizes)
    summary = _events(database, ours) if has_events else None
    by_partition = partition_sizes(database)
    found_disks = disks(database)
    found_growth = growth(database, summary.bytes_per_event) if summary else None
    top, source = _top_events(database, scan=scan) if has_events else ((), "rollup")
    return Statistics(
        asked_at=now["now"],
        version=now["version"],
        tables=sizes,
        events=summary,
        top_events=top,
        top_events_source=source,
        inserts=inserts(database) if has_events else None,
        merges=merges(database),
        mutations=mutations(database),
        disks=found_disks,
        growth=found_growth,
        forecast=_forecast(
            database, found_growth, now=now["now"], ours=ours, partitions=by_partition, found_disks=found_disks
        )
        if found_growth
        else None,
        columns=column_sizes(database) if columns and has_events else (),
        partitions=by_partition if partitions else (),
    )


def forecast_of(database: Database) -> Forecast:
    """The forecast alone."""
    ours = _ours(database, table_sizes(database))
    rows = database.row(_RANGE.replace("{table}", quoted(database.events)))["events"]
    found = growth(database, sum(size.bytes for size in ours) / max(rows, 1))
    now = database.row("SELECT now64(3, 'UTC') AS now")["now"]
    return _forecast(
        database, found, now=now, ours=ours, partitions=partition_sizes(database), found_disks=disks(database)
    )


def _ours(database: Database, sizes: Sequence[TableSize]) -> list[TableSize]:
    by_name = {size.table: size for size in sizes}
    return [by_name[name] for name in database.ours]


def _events(database: Database, ours: Sequence[TableSize]) -> Events:
    table = quoted(database.events)
    span = database.row(_RANGE.replace("{table}", table))
    rows = span["events"]
    raw = next((size for size in ours if size.table == database.events), None)
    raw_bytes = raw.bytes if raw else 0
    rollup_bytes = sum(size.bytes for size in ours) - raw_bytes
    per = max(rows, 1)
    return Events(
        events=rows,
        oldest=span["oldest"] if rows else None,
        newest=span["newest"] if rows else None,
        last_hour=database.row(_LAST_HOUR.replace("{table}", table))["rows"],
        actors=_of_rollup(database, ACTOR_TABLE, _ACTORS, "actors"),
        tenants=_of_rollup(database, HOURLY_TABLE, _TENANTS, "tenants"),
        bytes_per_event=(raw_bytes + rollup_bytes) / per,
        table_bytes_per_event=raw_bytes / per,
        index_bytes_per_event=raw.index_bytes / per if raw else 0.0,
        rollup_bytes_per_event=rollup_bytes / per,
        rollup_share=rollup_bytes / raw_bytes if raw_bytes else 0.0,
    )


def _of_rollup(database: Database, name: str, sql: str, column: str) -> int | None:
    if not database.holds(name):
        return None
    return int(database.row(sql.replace("{table}", quoted(database.local(name))))[column])


def _top_events(database: Database, *, scan: bool) -> tuple[tuple[EventCount, ...], str]:
    from_rollup = database.holds(HOURLY_TABLE) and not scan
    table = database.local(HOURLY_TABLE) if from_rollup else database.events
    sql = _TOP.replace("{count}", "RowCount" if from_rollup else "1").replace("{table}", quoted(table))
    return tuple(EventCount(**row) for row in database.rows(sql)), "rollup" if from_rollup else "events"


def _forecast(
    database: Database,
    found: Growth,
    *,
    now: datetime,
    ours: Sequence[TableSize],
    partitions: Sequence[PartitionSize],
    found_disks: Sequence[Disk],
) -> Forecast:
    table = database.tables.get(database.events)
    frees = [disk.free_bytes for disk in found_disks]
    limited = [free for free in frees if free is not None]
    return forecast(
        found,
        today=today_utc(now),
        free_bytes=sum(limited) if limited and len(limited) == len(frees) else None,
        tables=ours,
        partitions=[item for item in partitions if item.table == database.events],
        retention_days=table.retention_days if table else None,
        partition_days=partition_length(table.partition_key if table else ""),
        disk_known=bool(found_disks),
    )
