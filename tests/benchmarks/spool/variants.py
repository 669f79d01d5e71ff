"""The ways to keep an event until it is delivered: ours at each level, and what others would use."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult

ATTRIBUTES: Final[dict[str, Any]] = {"channel": "general", "length": 312, "pinned": True, "ratio": 0.5}
NAMED: Final = {
    "user.id": "42",
    "activity.object.type": "message",
    "activity.object.id": "7",
    "activity.tenant.id": "acme",
}
_QUEUE: Final = 2_000_000


class NullExporter(LogRecordExporter):
    """Takes everything at once."""

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Variant:
    """
    One way.

    Attributes:
        survives: what an event survives once the call has returned.
        open: folder -> the call for one event, and what ends it all.
        events: how many are emitted in one run; fewer where one takes milliseconds.
        together: how many one call emits; its time is divided by that.
    """

    name: str
    survives: str
    open: Callable[[Path], tuple[Callable[[], Any], Callable[[], Any]]]
    events: int = 20_000
    together: int = 1


def _ours(
    durability: str, together: int = 1, **keywords: Any
) -> Callable[[Path], tuple[Callable[[], Any], Callable[[], Any]]]:
    def open_(folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
        import activitylog
        from activitylog import config
        from activitylog.pipeline import Pipeline
        from activitylog.provider import BoundedProcessor, Destination
        from activitylog.settings import Settings
        from activitylog.spooling import SpooledDestination

        settings = Settings(max_queue_size=_QUEUE, spool_max_bytes=2**32)
        destination: Destination = BoundedProcessor(NullExporter, "null:", settings)
        if durability != "memory":
            destination = SpooledDestination(NullExporter, "null:", folder, durability, settings)
        pipeline = Pipeline(settings, destinations=[destination])
        config.swap(pipeline)

        def emit() -> bool:
            return activitylog.emit(
                "message.sent", actor="user:42", object="message:7", tenant="acme", **ATTRIBUTES, **keywords
            )

        messages = [("message", number) for number in range(together)]

        def emit_many() -> int:
            return activitylog.emit_many(
                "message.sent", messages, actor="user:42", tenant="acme", **ATTRIBUTES, **keywords
            )

        return emit if together == 1 else emit_many, lambda: pipeline.shutdown(60)

    return open_


def _stock(
    folder: Path, keep: Callable[[bytes], Any] | None = None
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """OpenTelemetry's own; with ``keep`` the record is also written to somebody's queue, as JSON."""
    del folder
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(NullExporter(), max_queue_size=_QUEUE, max_export_batch_size=8192)
    )
    logger = provider.get_logger("bench")

    def emit() -> None:
        attributes = {**NAMED, **ATTRIBUTES}
        now = time.time_ns()
        if keep is not None:
            keep(json.dumps(["message.sent", now, attributes]).encode())
        logger.emit(
            timestamp=now, severity_number=SeverityNumber.INFO, event_name="message.sent", attributes=attributes
        )

    return emit, provider.shutdown


def _sqlite(synchronous: str) -> Callable[[Path], tuple[Callable[[], Any], Callable[[], Any]]]:
    def open_(folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
        database = sqlite3.connect(folder / "queue.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(f"PRAGMA synchronous={synchronous}")
        database.execute("CREATE TABLE queue (id INTEGER PRIMARY KEY, record BLOB)")
        return _stock(folder, lambda data: database.execute("INSERT INTO queue (record) VALUES (?)", (data,)))

    return open_


def _diskcache(folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import diskcache

    return _stock(folder, diskcache.Deque(directory=str(folder)).append)


def _persist_queue(folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import persistqueue

    return _stock(folder, persistqueue.SQLiteAckQueue(str(folder), auto_commit=True).put)


VARIANTS: Final = (
    Variant("activitylog memory", "nothing", _ours("memory")),
    Variant("activitylog process", "the process", _ours("process")),
    Variant("activitylog power", "the machine, after 0.1 s", _ours("power")),
    Variant("activitylog durable=True", "the machine", _ours("process", durable=True), 400),
    Variant("emit_many(100)", "the process", _ours("process", 100), together=100),
    Variant("emit_many(100, durable)", "the machine", _ours("process", 100, durable=True), 10_000, 100),
    Variant("stock OpenTelemetry", "nothing", _stock),
    Variant("stock + SQLite WAL NORMAL", "the process", _sqlite("NORMAL"), 10_000),
    Variant("stock + SQLite WAL FULL", "the machine", _sqlite("FULL"), 400),
    Variant("stock + diskcache.Deque", "the process", _diskcache, 2_000),
    Variant("stock + persist-queue", "the process", _persist_queue, 1_000),
)
