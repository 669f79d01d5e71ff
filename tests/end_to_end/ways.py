"""
The two ways into the store, and what must be the same on both.

As a program it sends a file of real activity both ways and compares every row::

    python -m tests.end_to_end.ways FILE [FILE ...]

FILE is what ``activitylog ingest`` reads. Each event goes through the real chain; its record is then inserted as
typed columns and, through the landing table, as the Collector's. Both must store the same in every column and
alias, and read back what the record held, by the typed columns and by OpenTelemetry's names; a row that differs is
an AssertionError.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord

from activitylog.event import FIELDS
from activitylog.store import EVENTS_TABLE, INGEST_TABLE, column_mapping
from otel_clickhouse.anyvalue import as_text
from otel_clickhouse.encoder import Columns, encode_logs
from otel_clickhouse.layout import compile_layout
from otel_clickhouse.mapping import parse_mapping

TYPED = compile_layout(parse_mapping(column_mapping()))
ALIASES = ("Body", "LogAttributes", "ResourceAttributes", "ScopeAttributes")
_ROWS_AT_ONCE = 10_000


#: Attributes whose text is their column's, whatever else the record has.
_PLAIN = [f for f in FIELDS if f.column and f.type == "String" and not f.implies and not f.unless]


def both_ways(
    client: Any, records: Sequence[ReadableLogRecord], *, order: str = "SpanId"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """
    The rows that the records become directly, and through the landing table.

    Args:
        client: of a store without events; it has none afterwards.
        records: to be inserted.
        order: column by which rows come in the order of the records.
    """
    _insert(client, EVENTS_TABLE, encode_logs(records, TYPED))
    direct = _rows(client, order)
    _insert(client, INGEST_TABLE, encode_logs(records))
    return direct, _rows(client, order)


def check(client: Any, records: Sequence[ReadableLogRecord], *, order: str = "SpanId") -> None:
    """
    Hold both ways equal, and what is read back equal to the records.

    Raises:
        AssertionError: with the first row that differs.
    """
    direct, through_the_view = both_ways(client, records, order=order)
    assert len(direct) == len(through_the_view) == len(records)
    for row, other, readable in zip(direct, through_the_view, records, strict=True):
        assert row == other
        record = readable.log_record
        texts = _texts(record.attributes or {})
        assert row["LogAttributes"] == texts
        for field in _PLAIN:
            assert row[field.column or ""] == texts.get(field.attribute, field.default), field
        assert row["EventName"] == (record.event_name or "")
        assert row["Body"] == _clean(record.body)
        assert row["ResourceAttributes"] == _texts(readable.resource.attributes)
        assert readable.instrumentation_scope is not None
        assert row["ScopeAttributes"] == _texts(readable.instrumentation_scope.attributes or {})
        assert row["Nanoseconds"] == record.timestamp


def _insert(client: Any, table: str, columns: Columns) -> None:
    assert columns.skipped == {}
    client.insert(
        table,
        columns.data,
        column_names=columns.names,
        column_type_names=columns.types,
        column_oriented=True,
        settings={"throw_on_max_partitions_per_insert_block": 0},
    )


def _rows(client: Any, order: str) -> list[dict[str, Any]]:
    """The rows of the typed table in the order of the records, as name -> value; it is empty afterwards."""
    result = client.query(
        f"SELECT *, {', '.join(ALIASES)}, toUnixTimestamp64Nano(Timestamp) AS Nanoseconds "
        f"FROM {EVENTS_TABLE} ORDER BY {order}"
    )
    client.command(f"TRUNCATE TABLE {EVENTS_TABLE}")
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def _texts(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {name: as_text(value) for name, value in attributes.items() if value is not None}


def _clean(body: Any) -> str:
    return as_text(body).replace("\x01", "\x1a").replace("\x02", "\x1a")


def records_of(events: Iterable[Mapping[str, Any]]) -> Iterator[ReadableLogRecord]:
    """The records that the real chain makes of events, given as ``emit`` takes them."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from activitylog.chain import processor_chain
    from activitylog.event import DEFAULT_LIMITS
    from activitylog.identity import Producer
    from activitylog.output import RenderLogRecord

    chain: list[Any] = [*processor_chain(DEFAULT_LIMITS), RenderLogRecord(Producer())]
    resource = Resource({"service.name": "ingest", "deployment.environment.name": "tests"})
    scope = InstrumentationScope("activitylog", "1.0")
    for event in events:
        passed: Any = dict(event)
        for processor in chain:
            passed = processor(None, "info", passed)
        yield ReadableLogRecord(log_record=passed[0][0], resource=resource, instrumentation_scope=scope)


def events_of(path: str) -> Iterator[Mapping[str, Any]]:
    """What ``activitylog ingest`` would emit of a file."""
    from activitylog.ingest import Lines, Rejected, open_source, read_access_log, read_ndjson, recognise

    with open_source(path) as source:
        form, lines = recognise(Lines(source.stream))
        readings = read_ndjson(lines) if form == "ndjson" else read_access_log(lines)
        yield from (event for _, event in readings if not isinstance(event, Rejected))


def main(paths: Sequence[str]) -> int:
    """Compare the rows of files; prints how many were compared."""
    import clickhouse_connect

    from activitylog.store import apply

    with tempfile.TemporaryDirectory() as folder:
        client = clickhouse_connect.get_client(dsn=f"chdb://{folder}")
        apply(client)
        for path in paths:
            compared = 0
            records = records_of(events_of(path))
            while chunk := list(islice(records, _ROWS_AT_ONCE)):
                check(client, chunk, order="Seq")
                compared += len(chunk)
            sys.stdout.write(f"{path}: {compared:,} rows are the same on both ways, and what was emitted\n")
        client.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
