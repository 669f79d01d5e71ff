"""In the process of a server: each event becomes a line of a file, at once; and the side that reads them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor

import activitylog

#: The environment variable that has the file.
FILE: Final = "TEST_EVENTS"


class _ToFile(LogRecordExporter):
    """One write for each event: lines of several threads and processes are not mixed."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        for record in batch:
            line = {"name": record.log_record.event_name, **dict(record.log_record.attributes or {})}
            os.write(self._file, json.dumps(line).encode() + b"\n")
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


def configure() -> None:
    """Record what this process emits."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(_ToFile(os.environ[FILE])))
    activitylog.configure(service_name="served", logger_provider=provider)


@dataclass(frozen=True)
class Recorded:
    """What was recorded in a file."""

    path: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events so far."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def named(self, name: str) -> list[dict[str, Any]]:
        """Those of one name."""
        return [event for event in self.events if event["name"] == name]
