"""Spools as processes leave them: written by the real processor, in this process or in one that is killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from otel_delivery import Answer
from otel_spool import Loss, SpooledLogRecordProcessor, SpoolOptions
from otel_spool.filesystem import LocalFileSystem
from tests.exporters_for_tests import DeliversOnly

SMALL = SpoolOptions(max_bytes=1024 * 1024, segment_bytes=4096)


class Backend(DeliversOnly):
    """Keeps what it takes, once for each token; away while it is closed, and it refuses what has a bad body."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.refuses: frozenset[str] = frozenset()
        self.stored: list[str] = []
        self.records: list[ReadableLogRecord] = []
        self.tokens: list[str] = []
        self.attempts = 0
        self.asked = threading.Event()

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        self.attempts += 1
        self.asked.set()
        if not self.is_open:
            return Answer("retry", "unavailable", "nobody answers", retry_after_seconds=0.05)
        if any(str(record.log_record.body) in self.refuses for record in records):
            return Answer("refused", "permanent", "a bad one \x1b[31m")
        if token not in self.tokens:
            self.tokens.append(token)
            self.stored += [str(record.log_record.body) for record in records]
            self.records += records
        return Answer("delivered")


class Process:
    """A pipeline of OpenTelemetry with a spool."""

    def __init__(self, backend: Backend, directory: Path, options: SpoolOptions = SMALL, label: str = "") -> None:
        self.processor = SpooledLogRecordProcessor(
            backend, directory, options=options, schedule_delay_millis=20, adopt_at_once=False
        )
        self.processor.spool.label_events(label)
        provider = LoggerProvider(Resource({"service.name": "shop"}), shutdown_on_exit=False)
        provider.add_log_record_processor(self.processor)
        self.logger = provider.get_logger("test", "1")

    def emit(self, *bodies: str, severity: SeverityNumber = SeverityNumber.INFO) -> None:
        for body in bodies:
            self.logger.emit(
                LogRecord(body=body, event_name="order.paid", timestamp=1_700_000_000_000_000_000,
                          severity_number=severity, attributes={"order.id": 7})
            )  # fmt: skip

    def leave(self) -> None:
        """End, and leave on disk what is unsent."""
        self.processor.interrupt()
        self.processor.shutdown_within(0.2)


class Told:
    """Remembers losses, and reports them nowhere."""

    def __init__(self) -> None:
        self.losses: list[Loss] = []

    def __call__(self, losses: Sequence[Loss]) -> Sequence[ReadWriteLogRecord]:
        self.losses += losses
        return ()


def left_by_a_process(directory: Path, *bodies: str, options: SpoolOptions = SMALL, label: str = "") -> None:
    """Events of a process that is gone."""
    process = Process(Backend(is_open=False), directory, options, label)
    process.emit(*bodies)
    process.leave()


def deny(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As if a folder were another user's, also for root, who may read everything."""
    owner, names = LocalFileSystem.owner, LocalFileSystem.names

    def denied_names(self: LocalFileSystem, path: Path) -> list[str]:
        if path == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return names(self, path)

    def other_owner(self: LocalFileSystem, path: Path) -> int:
        return owner(self, path) + (path == folder)

    monkeypatch.setattr(LocalFileSystem, "names", denied_names)
    monkeypatch.setattr(LocalFileSystem, "owner", other_owner)


def killed(directory: Path, code: str) -> None:
    """Run code in a process that kills itself; ``process(is_open)`` is a :class:`Process` there."""
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tests.otel_spool.spools import *\n"
        f"directory = Path({str(directory)!r})\n{code}\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == -9, done.stderr
