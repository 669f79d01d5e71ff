"""
The direct way and the way through agent and gateway into one store, and the rows that come of each.

As a program it sends files of real activity both ways and compares every row::

    python -m tests.collector.ways FILE [FILE ...]

FILE is what ``activitylog ingest`` reads. Every column and alias of ``activity_events`` must be the same.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from tests.collector.deployment import Deployment, count, deployed, wait_for_rows
from tests.serving import ServedStore

DIRECT: Final = "direct"
COLLECTED: Final = "collected"
ALIASES: Final = ("Body", "LogAttributes", "ResourceAttributes", "ScopeAttributes")
_ROWS_AT_ONCE: Final = 8_192


class TwoWays:
    """
    Both ways into two databases of one store.

    Args:
        deployment: in front of the database :data:`COLLECTED`.
        http: through OTLP over HTTP instead of gRPC.
    """

    def __init__(self, deployment: Deployment, *, http: bool = False) -> None:
        from activitylog.store import EVENTS_TABLE, column_mapping
        from otel_clickhouse import ClickHouseLogExporter
        from otel_otlp import OTLPGRPCLogExporter, OTLPHTTPLogExporter

        store, agent = deployment.store, deployment.agent
        self._client = store.client()
        self._direct: LogRecordExporter = ClickHouseLogExporter(
            store.url.replace("/default", f"/{DIRECT}"), table=EVENTS_TABLE, columns=column_mapping()
        )
        self._collected: LogRecordExporter = (
            OTLPHTTPLogExporter(f"http://{agent.http}/v1/logs")
            if http
            else OTLPGRPCLogExporter(f"http://{agent.grpc}")
        )

    def rows(self, records: Sequence[ReadableLogRecord], *, order: str = "SpanId") -> tuple[list[Any], list[Any]]:
        """
        The rows that records become directly, and behind the Collectors; both tables are empty afterwards.

        Args:
            records: sent once each way.
            order: column by which rows come in the order of the records.
        """
        for exporter in (self._direct, self._collected):
            assert exporter.export(records) is LogRecordExportResult.SUCCESS
        wait_for_rows(self._client, len(records), COLLECTED)
        assert count(self._client, DIRECT) == len(records)
        return self._take(DIRECT, order), self._take(COLLECTED, order)

    def check(self, records: Sequence[ReadableLogRecord], *, order: str = "SpanId") -> None:
        """
        Hold both ways equal.

        Raises:
            AssertionError: with the first row that differs.
        """
        direct, collected = self.rows(records, order=order)
        assert len(direct) == len(collected) == len(records)
        for row, other in zip(direct, collected, strict=True):
            assert not different(row, other), different(row, other)

    def _take(self, database: str, order: str) -> list[dict[str, Any]]:
        table = f"{database}.activity_events"
        result = self._client.query(
            f"SELECT *, {', '.join(ALIASES)}, toUnixTimestamp64Nano(Timestamp) AS Nanoseconds "
            f"FROM {table} ORDER BY {order}"
        )
        self._client.command(f"TRUNCATE TABLE {table}")
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def close(self) -> None:
        """End the exporters."""
        self._direct.shutdown()  # type: ignore[no-untyped-call]
        self._collected.shutdown()  # type: ignore[no-untyped-call]
        self._client.close()


def different(direct: Mapping[str, Any], collected: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The columns that are not the same, with both values."""
    return {name: (direct[name], collected[name]) for name in direct if direct[name] != collected[name]}


@contextmanager
def two_ways(store: ServedStore, folder: Path, *, http: bool = False) -> Iterator[TwoWays]:
    """Make both databases, and what stands before them."""
    from activitylog.store import apply, connect

    store.wait()
    for database in (DIRECT, COLLECTED):
        client = connect(store.url.replace("/default", f"/{database}"), create_database=True)
        apply(client)
        client.close()
    with deployed(store, folder, database=COLLECTED) as deployment:
        ways = TwoWays(deployment, http=http)
        try:
            yield ways
        finally:
            ways.close()


def main(paths: Sequence[str]) -> int:
    """Compare the rows of files; prints how many were compared."""
    from tests.end_to_end.ways import events_of, records_of

    with (
        tempfile.TemporaryDirectory() as folder,
        ServedStore(Path(folder) / "store") as store,
        two_ways(store, Path(folder) / "collectors") as ways,
    ):
        for path in paths:
            compared = 0
            records = records_of(events_of(path))
            while chunk := list(islice(records, _ROWS_AT_ONCE)):
                ways.check(chunk, order="Seq")
                compared += len(chunk)
            sys.stdout.write(f"{path}: {compared:,} rows are the same on both ways\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
