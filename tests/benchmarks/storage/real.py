"""Real records: files that ``activitylog ingest`` reads, through the whole pipeline, and as log records again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from activitylog.cli.errors import PARTLY
from activitylog.cli.ingest import ingest as ingest_command
from activitylog.store import EVENTS_TABLE
from tests.benchmarks.storage.activity import SOURCE_TABLE
from tests.benchmarks.storage.tables import OTEL_COLUMNS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def ingest(client: Client, url: str, files: Sequence[Path]) -> None:
    """
    Fill ``source_logs`` with the events of files, in the order of their times.

    Args:
        client: in the database of the staged records.
        url: of the same store, without a database: its ``default`` takes the events first.
        files: NDJSON or access logs, plain or gzip.

    Raises:
        RuntimeError: a file could not be read.
    """
    client.command(f"TRUNCATE TABLE IF EXISTS default.{EVENTS_TABLE}")
    client.command("DROP TABLE IF EXISTS source_logs")
    for path in files:
        code = ingest_command.main([str(path), "--url", url], standalone_mode=False)
        if code not in (0, PARTLY):
            raise RuntimeError(f"activitylog ingest {path} ended with {code}")
    client.command(SOURCE_TABLE)
    columns = ", ".join(OTEL_COLUMNS)
    client.command(
        f"INSERT INTO source_logs (Number, {columns}) SELECT row_number() OVER (ORDER BY Timestamp, Seq), "
        f"{columns} "
        f"FROM default.{EVENTS_TABLE}"
    )
