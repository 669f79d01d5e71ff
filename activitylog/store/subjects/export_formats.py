"""The formats of an export: a JSON object a line, or Parquet. Both are written as events come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import IO, Any, Final, Literal

from activitylog.exceptions import StoreError

ExportFormat = Literal["ndjson", "parquet"]
#: Values of one event as JSON has them.
Row = list[Any]

_PAGE_ROWS: Final = 5_000


class Hashed:
    """A file that knows the SHA-256 of what went through it, and how much that was."""

    closed = False

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        self.digest.update(data)
        self.bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        self._sink.flush()


def write_ndjson(names: Sequence[str], events: Iterable[Row], sink: Hashed) -> int:
    """Write a JSON object a line; returns how many."""
    count = 0
    for count, row in enumerate(events, start=1):  # noqa: B007 - the count is the answer
        event = dict(zip(names, row, strict=True))
        sink.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n")
    return count


def write_parquet(names: Sequence[str], events: Iterable[Row], sink: Hashed) -> int:
    """
    Write a Parquet file; returns how many events it has. The first name is that of the time.

    Raises:
        StoreError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise StoreError(
            "Parquet is written with pyarrow, which is not installed.",
            hint="Run: pip install pyarrow (activitylog[embedded] brings it), or use --format ndjson.",
        ) from error
    schema = _schema(pyarrow, names)
    count, rest = 0, iter(events)
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while page := list(islice(rest, _PAGE_ROWS)):
            columns = [list(column) for column in zip(*page, strict=True)]
            columns[0] = [_nanoseconds(text) for text in columns[0]]
            writer.write_table(_table(pyarrow, schema, columns))
            count += len(page)
    return count


def _schema(pyarrow: Any, names: Sequence[str]) -> Any:
    text = pyarrow.string()
    types = dict.fromkeys(names, text) | {
        "Timestamp": pyarrow.timestamp("ns", tz="UTC"),
        "EventCount": pyarrow.uint64(),
        "SampleWeight": pyarrow.float64(),
        "LogAttributes": pyarrow.map_(text, text),
        "ResourceAttributes": pyarrow.map_(text, text),
    }
    return pyarrow.schema(list(types.items()))


def _table(pyarrow: Any, schema: Any, columns: list[list[Any]]) -> Any:
    arrays = [
        pyarrow.array(_as_arrow(pyarrow, field, values), type=field.type)
        for field, values in zip(schema, columns, strict=True)
    ]
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def _as_arrow(pyarrow: Any, field: Any, values: list[Any]) -> list[Any]:
    """JSON has objects for maps, and texts for NaN and infinity."""
    if pyarrow.types.is_map(field.type):
        return [list(value.items()) for value in values]
    return [float(value) for value in values] if pyarrow.types.is_floating(field.type) else values


def _nanoseconds(text: str) -> int:
    whole = datetime.fromisoformat(text[:19] + "+00:00")
    return int(whole.timestamp()) * 1_000_000_000 + int(text[20:29])
