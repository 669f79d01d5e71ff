"""``activitylog stats``: what the store holds, table by table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.rows import Rows, select
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option
from activitylog.store.columns import EVENTS_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TABLES: Final = """
SELECT t.name AS table, t.engine AS engine, p.rows AS rows, p.bytes_on_disk AS bytes,
       p.uncompressed AS uncompressed_bytes, if(p.compressed = 0, 0, p.uncompressed / p.compressed) AS compression,
       if(p.rows = 0, 0, p.bytes_on_disk / p.rows) AS bytes_per_row, p.parts AS parts
FROM system.tables AS t
LEFT JOIN (
    SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes_on_disk, count() AS parts,
           sum(data_uncompressed_bytes) AS uncompressed, sum(data_compressed_bytes) AS compressed
    FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table
) AS p ON p.table = t.name
WHERE t.database = currentDatabase() AND NOT t.is_temporary
ORDER BY bytes DESC, table
"""
_EVENTS: Final = f"""
SELECT count() AS events, minOrNull(Timestamp) AS oldest, maxOrNull(Timestamp) AS newest,
       countIf(Timestamp > now64(9) - INTERVAL 1 HOUR) AS last_hour,
       uniqIf((ActorType, ActorId), ActorId != '') AS actors, uniqIf(TenantId, TenantId != '') AS tenants
FROM {EVENTS_TABLE}
"""  # noqa: S608 - the table's name is ours
_TOP: Final = f"""
SELECT EventName AS event, count() AS events, round(100 * events / sum(events) OVER (), 1) AS percent
FROM {EVENTS_TABLE} GROUP BY event ORDER BY events DESC, event LIMIT 10
"""  # noqa: S608 - the table's name is ours


_SHOWN: Final = ("table", "rows", "bytes", "compression", "bytes_per_row", "parts")


@click.command(short_help="Show what the store holds.")
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def stats(*, url: str | None, as_json: bool) -> None:
    """
    Show rows, bytes, compression and parts of each table, the oldest and the newest event, and the top
    events.

    Bytes are those on disk, indexes included; compression compares column data before and after. last_hour
    counts events by their own time.
    """
    store = existing_store(url)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        _show(client, str(store.url), as_json=as_json)
    finally:
        client.close()


def _show(client: Client, url: str, *, as_json: bool) -> None:
    from activitylog.cli.tables import print_json, print_rows

    tables = _kept(select(client, _TABLES))
    has_events = any(row[0] == EVENTS_TABLE for row in tables[1])
    events = _kept(select(client, _EVENTS)) if has_events else None
    top = _kept(select(client, _TOP)) if has_events else None
    if as_json:
        print_json(
            {
                "url": url,
                "tables": _objects(tables),
                "events": _objects(events)[0] if events else None,
                "top_events": _objects(top) if top else [],
            }
        )
        return
    print_rows(_rows(tables).only(_SHOWN), title="tables")
    if events is None or top is None:
        sys.stdout.write(f"There is no table {EVENTS_TABLE}; `activitylog schema apply` creates it.\n")
        return
    print_rows(_rows(events), title="events")
    print_rows(_rows(top), title="top events", bars="events")


_Kept = tuple[tuple[Any, ...], list[Any]]


def _kept(rows: Rows) -> _Kept:
    """The rows in memory: there are few."""
    return rows.columns, list(rows.values)


def _rows(kept: _Kept) -> Rows:
    return Rows(kept[0], iter(kept[1]))


def _objects(kept: _Kept) -> list[dict[str, Any]]:
    return list(_rows(kept).objects())
