"""What a signal handler may do in the midst of anything: emit, flush, ask for the counts."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from otel_delivery import Answer
from otel_spool import Drain, FlushResult, SpooledLogRecordProcessor
from otel_spool.filesystem import AppendFile, LocalFileSystem
from otel_spool.options import SpoolOptions
from tests.life_cycle.exporters import Backend, Emitter, adds_up


@contextmanager
def interrupted(handler: Callable[[], None], every_seconds: float = 0.0005) -> Iterator[None]:
    """Have the main thread interrupted all the time, so long after the end of the handler before."""

    over = False

    def handle(*_: object) -> None:
        if not over:  # else it would start the timer again, and nobody would handle that
            handler()
            signal.setitimer(signal.ITIMER_REAL, every_seconds)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, every_seconds)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def backend() -> Backend:
    """One that delivers."""
    return Backend()


@pytest.fixture
def processor(backend: Backend, tmp_path: Path) -> Iterator[SpooledLogRecordProcessor]:
    """With small segments and batches, so that all of its code is interrupted."""
    processor = SpooledLogRecordProcessor(
        backend,
        tmp_path,
        options=SpoolOptions(segment_bytes=4_096, max_bytes=64 * 1024 * 1024),
        schedule_delay_millis=5,
        max_export_batch_size=32,
    )
    yield processor
    processor.shutdown_within(10)


def test_handlers_that_emit_and_count(backend: Backend, processor: SpooledLogRecordProcessor) -> None:
    """Every 0.5 ms a handler emits and reads the counts: each read adds up, and every event arrives once."""
    emitter = Emitter(processor)
    wrong: list[Any] = []
    by_handler: list[str] = []

    def handler() -> None:
        body = f"handler {len(by_handler)}"
        by_handler.append(body)
        emitter.emit(body)
        if not adds_up(stats := processor.stats()):
            wrong.append(stats)

    with interrupted(handler):
        for number in range(4_000):
            emitter.emit(number)
    assert processor.flush(20).complete
    assert wrong == []
    assert len(by_handler) > 50
    assert sorted(map(str, backend.bodies)) == sorted([*map(str, range(4_000)), *by_handler])
    assert processor.stats().delivered == 4_000 + len(by_handler)


def test_a_handler_that_flushes_does_not_wait_for_itself(
    backend: Backend, processor: SpooledLogRecordProcessor
) -> None:
    """A flush from a handler ends, though the thread that it interrupted may hold every lock; nothing is lost."""
    emitter = Emitter(processor)
    flushes: list[float] = []
    inside: list[bool] = []

    def handler() -> None:
        inside.append(processor.spool.is_inside())
        began = time.monotonic()
        processor.flush(30.0)
        flushes.append(time.monotonic() - began)

    with interrupted(handler):
        for number in range(3_000):
            emitter.emit(number)
    assert processor.flush(20).complete
    assert any(inside)
    assert not all(inside)
    assert max(flushes) < 10
    assert sorted(backend.bodies) == list(range(3_000))


class _Interrupting(LocalFileSystem):
    """Calls a function in the midst of the writing of an event, once, as a signal handler would be called."""

    def __init__(self, text: bytes, handler: Callable[[], object]) -> None:
        super().__init__()
        self._text = text
        self._handlers = [handler]

    def tick(self, data: bytes) -> None:
        if self._text in data and self._handlers:
            self._handlers.pop()()

    def open_append(self, path: Path) -> AppendFile:
        return _InterruptingFile(self, super().open_append(path))


class _InterruptingFile:
    def __init__(self, filesystem: _Interrupting, file: AppendFile) -> None:
        self._filesystem = filesystem
        self._file = file
        self.sync, self.truncate, self.close = file.sync, file.truncate, file.close

    def write(self, data: bytes) -> int:
        self._filesystem.tick(data)
        return self._file.write(data)


def test_a_handler_that_shuts_down(tmp_path: Path) -> None:
    """In the midst of an emit: what is being written and what comes later is counted, and is there afterwards."""
    results: list[FlushResult] = []
    disk = _Interrupting(b"interrupted", lambda: results.append(spooled.shutdown_within(0.5)))
    spooled = SpooledLogRecordProcessor(Backend(), tmp_path, filesystem=disk, schedule_delay_millis=5)
    emitter = Emitter(spooled)
    emitter.emit("first")
    assert spooled.flush(10).complete
    for body in ("interrupted", "late", "later"):
        emitter.emit(body)
    assert len(results) == 1
    stats = spooled.stats()
    assert adds_up(stats)
    assert (stats.accepted, stats.delivered, stats.spooled) == (4, 1, 3)
    spooled.spool.close()
    backend = Backend()
    Drain(backend, tmp_path).run(10)
    assert sorted(backend.bodies) == ["interrupted", "late", "later"]


def test_interrupt_from_a_handler_ends_the_waiting(tmp_path: Path) -> None:
    """``interrupt`` may be called in a handler; a flush that waits for a dead backend then ends at once."""
    processor = SpooledLogRecordProcessor(Backend(lambda _: Answer("retry")), tmp_path, schedule_delay_millis=5)
    Emitter(processor).emit("kept")
    began = time.monotonic()
    with interrupted(processor.interrupt, 0.2):
        result = processor.flush(30)
    assert time.monotonic() - began < 5
    assert not result.complete
    assert result.stats.spooled == 1
    processor.shutdown_within(5)
