"""How fast rows come in, and in how large batches: from the part log where there is one, else from events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from activitylog.store.watch.asking import Database, quoted

_PART_LOG: Final = """
SELECT sumIf(rows, event_time > now() - 60) AS minute, sumIf(rows, event_time > now() - 3600) AS hour,
       sum(rows) AS day, count() AS batches
FROM system.part_log
WHERE event_date >= today() - 1 AND event_time > now() - 86400 AND event_type = 'NewPart'
    AND database = currentDatabase() AND table = {table:String}
"""
_EVENT_TIMES: Final = """
SELECT countIf(Timestamp > now64(9) - INTERVAL 1 MINUTE) AS minute,
       countIf(Timestamp > now64(9) - INTERVAL 1 HOUR) AS hour, count() AS day
FROM {table} WHERE Timestamp > now64(9) - INTERVAL 1 DAY AND Timestamp <= now64(9)
"""
#: Each inserted block takes a number in its partition, and a merged part keeps the range of its sources. A dropped
#: partition leaves an empty part for a while.
_BLOCKS: Final = """
SELECT sum(rows) AS rows, sum(max_block_number - min_block_number + 1) AS blocks
FROM system.parts AS part
WHERE active AND part.rows > 0 AND database = currentDatabase() AND table = {table:String}
    AND partition_id IN (
        SELECT partition_id FROM system.parts AS part
        WHERE active AND part.rows > 0 AND database = currentDatabase() AND table = {table:String}
        GROUP BY partition_id ORDER BY max(modification_time) DESC LIMIT 1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserts:
    """
    How rows come into the table of events.

    Attributes:
        source: ``part_log`` (when rows were written), or ``event_times`` (when events say that they happened:
            without a part log nobody knows when rows were written).
        rows_per_second_now: over the last minute.
        average_batch_rows: rows of one inserted block; None when there is nothing to tell from.
        batches: that the average is of.
        batch_source: ``part_log`` (the last 24 h), or ``block_numbers`` (all blocks of the partition that was
            written last).
    """

    source: str
    rows_per_second_now: float
    rows_per_second_1h: float
    rows_per_second_24h: float
    rows_1h: int
    rows_24h: int
    average_batch_rows: float | None
    batches: int
    batch_source: str


def inserts(database: Database) -> Inserts:
    """Ask for the rates of the table of events."""
    table = database.events
    logged = database.rows_if_there(_PART_LOG, table=table)
    found = logged[0] if logged else database.row(_EVENT_TIMES.replace("{table}", quoted(table)))
    if logged and found["batches"]:
        rows, batches, batch_source = found["day"], found["batches"], "part_log"
    else:
        blocks = database.row(_BLOCKS, table=table)
        rows, batches, batch_source = blocks["rows"], blocks["blocks"], "block_numbers"
    return Inserts(
        source="part_log" if logged else "event_times",
        rows_per_second_now=found["minute"] / 60,
        rows_per_second_1h=found["hour"] / 3600,
        rows_per_second_24h=found["day"] / 86_400,
        rows_1h=found["hour"],
        rows_24h=found["day"],
        average_batch_rows=rows / batches if batches else None,
        batches=batches,
        batch_source=batch_source,
    )
