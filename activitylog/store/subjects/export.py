"""
What a person may ask for: all events by a subject, and optionally those that name it, in the order of time.

Events come from the table and from archives, one by one: memory is bounded by a page for each archived file
whose time has come. An event that is in the table and in an archive is given once. Names are those of
OpenTelemetry; times have all their digits. ``Relation`` is ``by`` for the subject's own events, ``about`` for
others that name it by type and id.
"""

from __future__ import annotations

import heapq
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from activitylog.exceptions import ConfigurationError, StoreError
from activitylog.store.archive import Archive, archives
from activitylog.store.archive.file_engine import FileEngine, file_engine
from activitylog.store.archive.fingerprint import computed, names
from activitylog.store.archive.reading import source
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.subjects.archives import folders
from activitylog.store.subjects.export_formats import ExportFormat, Hashed, Row, write_ndjson, write_parquet
from activitylog.store.subjects.mentions import UNLOGGED, mentioned
from activitylog.store.subjects.subject import Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_PAGE_ROWS: Final = 5_000
_READ_BYTES: Final = 1 << 18
_REFERENCE: Final = "if({0}Type = '', {0}Id, concat({0}Type, ':', {0}Id))"
#: Name and expression of what is given of each event; the first two are the order.
_FIELDS: Final = {
    "Timestamp": "concat(replaceOne(toString(Timestamp), ' ', 'T'), 'Z')",
    "EventId": "toString(EventId)",
    "EventName": "EventName",
    "Actor": _REFERENCE.format("Actor"),
    "Object": _REFERENCE.format("Object"),
    "Target": _REFERENCE.format("Target"),
    "Tenant": "TenantId",
    "Outcome": "Outcome",
    "EventCount": "EventCount",
    "SampleWeight": "SampleWeight",
    "Body": "Body",
    "LogAttributes": "LogAttributes",
    "ServiceName": "ServiceName",
    "ResourceAttributes": "ResourceAttributes",
    "SeverityText": "SeverityText",
    "TraceId": "TraceId",
    "SpanId": "SpanId",
}
_SETTINGS: Final = {
    **UNLOGGED,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 1,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """
    What was given.

    Attributes:
        events: how many.
        bytes: of the file.
        sha256: of its bytes, 64 hexadecimal digits.
        missing: folders of archives that the database has a record of and this machine has not.
    """

    events: int
    bytes: int
    sha256: str
    missing: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    Which events, and how.

    Attributes:
        about: also events of others that name the subject by type and id.
        since, until: from this time on, before that one; aware.
        archives: folders; those that the database has a record of need not be given.
    """

    subject: Subject
    format: ExportFormat = "ndjson"
    about: bool = False
    since: datetime | None = None
    until: datetime | None = None
    archives: tuple[Path, ...] = ()

    def where(self) -> str:
        """The condition for the events."""
        found = f"({self.subject.own})"
        if self.about:
            found = f"({found} OR ({self.subject.within} AND ({mentioned(self.subject, 'erase', ())})))"
        since = " AND Timestamp >= {export_since:DateTime64(6, 'UTC')}" if self.since else ""
        return found + since + (" AND Timestamp < {export_until:DateTime64(6, 'UTC')}" if self.until else "")

    def parameters(self) -> dict[str, str]:
        """The values of its parameters."""
        times = {"export_since": self.since, "export_until": self.until}
        found = {name: moment.astimezone(UTC).strftime(_TIME) for name, moment in times.items() if moment}
        return {**self.subject.parameters, **found}

    def select(self, source: str) -> str:
        """The statement that gives the events of a table, in order."""
        fields = ", ".join(f"{expression} AS `given_{name}`" for name, expression in _FIELDS.items())
        return (
            f"SELECT {fields}, if({self.subject.own}, 'by', 'about') AS given_Relation FROM {source} "  # noqa: S608
            f"WHERE {self.where()} ORDER BY given_Timestamp, given_EventId"
        )


_TIME: Final = "%Y-%m-%d %H:%M:%S.%f"
NAMES: Final = (*_FIELDS, "Relation")


def export_file(client: Client, wanted: Wanted, path: Path, *, force: bool = False) -> Exported:
    """
    Write events into a file that only its owner can read. It is there whole, or not at all.

    Args:
        force: replace a file that is there.

    Raises:
        ConfigurationError: there is such a file.
        StoreError: the file cannot be written, the answer breaks off, or Parquet cannot be written here.
        ArchiveError: an archive cannot be read.
    """
    if path.exists() and not force:
        raise ConfigurationError(f"The file {str(path)!r} exists.", hint="Name another one, or add --force.")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            exported = export(client, wanted, file)
            file.flush()
            os.fsync(file.fileno())
        _place(temporary, path, force=force)
    except OSError as error:
        raise StoreError(f"The file {str(path)!r} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return exported


def _place(temporary: Path, path: Path, *, force: bool) -> None:
    """Give the file its name; ``link`` refuses where somebody made one meanwhile."""
    if force:
        temporary.replace(path)
    else:
        path.hardlink_to(temporary)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def export(client: Client, wanted: Wanted, sink: IO[bytes]) -> Exported:
    """
    Write events into an open file.

    Raises:
        StoreError: the answer breaks off, or Parquet cannot be written here.
        ArchiveError: an archive cannot be read.
    """
    reached, missing = folders(client, wanted.archives)
    hashed = Hashed(sink)
    with ExitStack() as stack:
        write = write_parquet if wanted.format == "parquet" else write_ndjson
        events = write(NAMES, _events(client, wanted, reached, stack), hashed)
    return Exported(events, hashed.bytes, hashed.digest.hexdigest(), tuple(missing))


def _events(client: Client, wanted: Wanted, paths: Sequence[Path], stack: ExitStack) -> Iterator[Row]:
    """All events, each once, in the order of time."""
    pieces = {piece.path.resolve(): piece for path in paths for piece in archives(path)}
    sources: list[tuple[str, Callable[[], Iterator[Row]]]] = [("", lambda: _from_table(client, wanted))]
    if pieces:
        engine = stack.enter_context(file_engine())
        sources += [
            (piece.manifest.min_time, _from_file(engine, wanted, piece, path))
            for piece in pieces.values()
            for path in piece.files
        ]
    for _, same in groupby(merged(sources), key=lambda item: item[0]):
        rows = list(same)
        # What is in two places is one event; what is twice in one place is two.
        times = max(Counter(source for _, source, _ in rows).values())
        yield from (rows[0][2] for _ in range(times))


def merged(sources: Sequence[tuple[str, Callable[[], Iterator[Row]]]]) -> Iterator[tuple[Any, int, Row]]:
    """
    Rows of sources that are in order, in order: key, number of the source, row.

    Args:
        sources: the time before which a source has no row, and the source, which is opened when that time has
        come.
    """
    waiting = sorted(enumerate(sources), key=lambda item: item[1][0], reverse=True)
    heap: list[tuple[Any, int, Row, Iterator[Row]]] = []
    while heap or waiting:
        while waiting and (not heap or waiting[-1][1][0] <= heap[0][0][0]):
            number, (_, opened) = waiting.pop()
            _push(heap, number, opened())
        if heap:
            key, number, row, rest = heapq.heappop(heap)
            yield key, number, row
            _push(heap, number, rest)


def _push(heap: list[tuple[Any, int, Row, Iterator[Row]]], number: int, rows: Iterator[Row]) -> None:
    row = next(rows, None)
    if row is not None:
        heapq.heappush(heap, ((row[0], row[1], json.dumps(row, sort_keys=True)), number, row, rows))


def _from_table(client: Client, wanted: Wanted) -> Iterator[Row]:
    stream: Any = client.raw_stream(
        wanted.select(EVENTS_TABLE), parameters=wanted.parameters(), settings=_SETTINGS, fmt="JSONCompactEachRow"
    )
    with stream:
        for line in _lines(stream):
            try:
                yield json.loads(line.decode("utf-8", "replace"))
            except ValueError:
                text = line.decode("utf-8", "backslashreplace")
                raise StoreError(f"The answer broke off: {text[:300]}") from None


def _lines(stream: Any) -> Iterator[bytes]:
    rest = b""
    while piece := stream.read(_READ_BYTES):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        yield from lines
    if rest.strip():
        yield rest


def _from_file(engine: FileEngine, wanted: Wanted, piece: Archive, path: Path) -> Callable[[], Iterator[Row]]:
    manifest = piece.manifest
    columns = f"{names(manifest.columns)}{computed(manifest.aliases)}"
    sql = wanted.select(f"(SELECT {columns} FROM {source(path, manifest.columns)})")  # noqa: S608 - quoted

    def pages() -> Iterator[Row]:
        offset = 0
        while True:
            page = engine.rows(f"{sql} LIMIT {_PAGE_ROWS} OFFSET {offset}", wanted.parameters())
            yield from page
            offset += len(page)
            if len(page) < _PAGE_ROWS:
                return

    return pages
