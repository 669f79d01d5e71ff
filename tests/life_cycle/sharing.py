"""
Processes that share a spool whose backend serves one of them at a time, as an embedded store does.

``python -m tests.life_cycle.sharing FOLDER SECONDS SEED`` starts producers, kills one after the other and starts
others in their place, and at the end lets one of them send what is left. The backend is a file of lines: token and
bodies. Whoever holds the lock of ``owner`` may write it, the others are told ``elsewhere``.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor, SpoolOptions, worker
from tests.kill.ledger import Ledger
from tests.life_cycle.exporters import Backend, Emitter
from tests.waiting import wait_until

PRODUCERS: Final = 4


class OneAtATime(Backend):
    """Appends batches to a file, while it owns it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._owner = os.open(folder / "owner", os.O_RDWR | os.O_CREAT, 0o600)
        self._file = Ledger(folder / "stored")

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """One line, if it is this process's turn."""
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Answer("elsewhere", "locked")
        self._file.note(json.dumps([token, [record.log_record.body for record in records]]))
        return Answer("delivered")


def spooled(folder: Path) -> SpooledLogRecordProcessor:
    """A processor that looks around a hundred times as often as usual."""
    worker._SECONDS_BETWEEN_LOOKS = 0.02  # type: ignore[misc]
    worker._SECONDS_BETWEEN_ROUNDS = 0.01  # type: ignore[misc]
    options = SpoolOptions(segment_bytes=4_096)
    return SpooledLogRecordProcessor(
        lambda: OneAtATime(folder),
        folder / "spool",
        options=options,
        schedule_delay_millis=5,
        max_export_batch_size=32,
    )


def produce(folder: Path) -> None:
    """Emit until the end comes from outside."""
    acknowledged = Ledger(folder / "acknowledged")
    emitter = Emitter(spooled(folder))
    me = os.urandom(6).hex()
    for number in range(1_000_000):
        emitter.emit(f"{me}-{number}")
        acknowledged.note(f"{me}-{number}")
        time.sleep(0.001)


def start(folder: Path) -> int:
    """A producer's process id."""
    pid = os.fork()
    if pid == 0:
        try:
            produce(folder)
        finally:
            os._exit(1)
    return pid


def main() -> None:
    """Start, kill, start again; then drain."""
    folder, seconds, rng = Path(sys.argv[1]), float(sys.argv[2]), random.Random(sys.argv[3])
    producers = [start(folder) for _ in range(PRODUCERS)]
    end = time.monotonic() + seconds
    kills = 0
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.05, 0.4))
        victim = producers.pop(rng.randrange(len(producers)))
        os.kill(victim, rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGABRT]))
        os.waitpid(victim, 0)
        kills += 1
        producers.append(start(folder))
    for pid in producers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    drained: Any = spooled(folder)
    left = (folder / "spool").glob
    wait_until(lambda: not any(path.is_dir() for path in left("*-*")), 300)
    drained.shutdown_within(10)
    sys.stdout.write(f"{kills + PRODUCERS}\n")


if __name__ == "__main__":
    main()
