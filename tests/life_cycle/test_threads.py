"""Threads of ours that die, and threads of the application that emit whenever they like."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor, SpoolOptions, live_queue, worker
from tests.life_cycle.exporters import Backend, Emitter, adds_up
from tests.otel_spool.failing_disk import FailingFileSystem
from tests.waiting import wait_until


def batch_thread() -> threading.Thread:
    """The SDK's, of the processor that was made last: other tests may have left theirs."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("OtelBatch")][-1]


def end_thread(thread: threading.Thread) -> None:
    """Have a thread raise SystemExit, whatever it is at."""
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
    )
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, RuntimeError])
def test_whatever_an_exporter_raises(error: type[BaseException], tmp_path: Path) -> None:
    """The batch comes again, in the same thread, and arrives once."""

    def answer(attempt: int) -> Answer:
        if attempt <= 2:
            raise error
        return Answer("delivered")

    backend = Backend(answer)
    processor = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    thread = batch_thread()
    Emitter(processor).emit("one")
    assert processor.flush(20).complete
    assert thread.is_alive()
    assert backend.bodies == ["one"]
    assert processor.stats().retries == 2
    processor.shutdown_within(10)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_batch_thread_is_noticed_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events are sent from disk, once, and the next ones by the new thread."""
    monkeypatch.setattr(live_queue, "_SECONDS_UNTIL_DEAD", 0.5)
    backend = Backend()
    processor = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=20)
    emitter = Emitter(processor)
    emitter.emit("before")
    assert processor.flush(10).complete
    end_thread(batch_thread())
    for number in range(10):
        emitter.emit(number)
    wait_until(lambda: len(backend.bodies) == 11)
    emitter.emit("after")
    wait_until(lambda: len(backend.bodies) == 12)
    assert sorted(map(str, backend.bodies)) == sorted(["before", *map(str, range(10)), "after"])
    stats = processor.stats()
    assert (stats.worker_restarts, stats.delivered, stats.dropped) == (1, 12, {})
    processor.shutdown_within(10)


@pytest.mark.slow
def test_events_that_disturb_their_own_export(tmp_path: Path) -> None:
    """Log lines of the export, routed into OpenTelemetry by the application, do not feed it: counted, no loop."""
    loggers: list[Callable[[str], None]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            for emit in loggers:
                emit(record.getMessage())

    def answer(attempt: int) -> Answer:
        logging.getLogger("driver").warning("attempt %d", attempt)
        return Answer("retry" if attempt < 4 else "delivered")

    backend = Backend(answer)
    processor = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    logger = provider.get_logger("test")
    loggers.append(lambda text: logger.emit(LogRecord(body=text)))
    handler = Handler()
    logging.getLogger().addHandler(handler)
    try:
        logger.emit(LogRecord(body="one"))
        assert processor.flush(20).complete
    finally:
        logging.getLogger().removeHandler(handler)
    stats = processor.stats()
    assert backend.bodies == ["one"]
    assert stats.dropped["reentrant"] >= 4
    assert adds_up(stats)
    processor.shutdown_within(10)


@contextmanager
def logging_through(handler: logging.Handler) -> Iterator[None]:
    """All loggers of the application, with such a handler."""
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def test_a_disk_that_fails_while_another_thread_logs(tmp_path: Path) -> None:
    """Its handler holds a lock and emits; whoever is told of the disk waits for that with no lock of the spool."""
    logs = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "application":
                logs.set()
                wait_until(lambda: emitting.ident in held_by)
                emitter.emit(record.getMessage())

    def fails(_: int) -> bool:
        if disk.broken and logs.wait(20):
            held_by.add(threading.get_ident())  # the spool's lock
        return disk.broken

    held_by: set[int] = set()
    disk = FailingFileSystem(errno.EIO, fails, only={"write"})
    processor = SpooledLogRecordProcessor(Backend(), tmp_path, filesystem=disk, schedule_delay_millis=5)
    emitter = Emitter(processor)
    emitter.emit("before")
    disk.broken = True
    emitting = threading.Thread(target=emitter.emit, args=("one",), daemon=True)
    logging_ = threading.Thread(target=logging.getLogger("application").warning, args=("two",), daemon=True)
    with logging_through(Handler()):
        for thread in (emitting, logging_):
            thread.start()
        for thread in (emitting, logging_):
            thread.join(10)
    assert not emitting.is_alive()
    assert not logging_.is_alive()
    assert processor.flush(10).complete
    assert processor.stats().delivered == 3
    processor.shutdown_within(10)


def test_lines_are_written_outside_the_lock(
    tmp_path: Path, lines_of: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is told inside is written by the emit that was told, or a moment later by who watches."""
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_LOOKS", 0.05)
    inside: list[bool] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "otel_spool":
                inside.append(processor.spool.is_inside())

    disk = FailingFileSystem(errno.EIO, only={"write"})
    processor = SpooledLogRecordProcessor(Backend(), tmp_path, filesystem=disk, schedule_delay_millis=5)
    with logging_through(Handler()):
        disk.broken = True
        Emitter(processor).emit("one")
        wait_until(lambda: lines_of("otel_spool"))
        (line,) = lines_of("otel_spool")
        assert "kept in memory only" in line
        with processor.spool.lock:
            processor.spool.log.tell("subject", "told inside")
            assert len(lines_of("otel_spool")) == 1
        wait_until(lambda: lines_of("otel_spool")[1:] == ["otel_spool: told inside"])
    assert inside == [False, False]
    processor.shutdown_within(10)


@pytest.mark.parametrize("hangs", [True, False])
def test_somebody_watches_in_an_outage(hangs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While who sends is in an attempt, or waits: what others write is seen, and that a folder is gone."""
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_ROUNDS", 0.02)
    spool = tmp_path / "spool"
    dead = SpooledLogRecordProcessor(Backend(lambda _: Answer("retry")), spool, schedule_delay_millis=5)
    Emitter(dead).emit("left")
    dead.shutdown_within(0.2)
    over = threading.Event()

    def answer(_: int) -> Answer:
        if hangs:
            over.wait(30)
        return Answer("delivered" if over.is_set() else "retry")

    backend = Backend(answer)
    processor = SpooledLogRecordProcessor(backend, spool, schedule_delay_millis=5)
    wait_until(lambda: backend.attempts)  # by the thread that sends what was left: there is nothing else
    other = SpooledLogRecordProcessor(Backend(lambda _: Answer("retry")), spool, schedule_delay_millis=5)
    Emitter(other).emit("x" * 1_000_000)
    wait_until(lambda: processor.spool.room.of_others > 1_000_000, 10)
    Emitter(processor).emit("fresh")
    folder = processor.spool.writer.folder
    assert folder is not None
    wait_until(lambda: folder.journal.pending)  # nothing more is written there
    folder.path.rename(tmp_path / "removed")  # at once: what is removed file by file is made anew meanwhile
    wait_until(folder.path.exists, 10)
    over.set()
    other.shutdown_within(0.2)
    processor.shutdown_within(10)


def test_what_is_in_memory_only_is_bounded(tmp_path: Path) -> None:
    """In bytes: beyond that it is refused and counted, until there is room again."""
    disk = FailingFileSystem(errno.ENOSPC, only={"write"})
    disk.broken = True
    here = threading.Event()
    backend = Backend(lambda _: Answer("delivered" if here.is_set() else "retry", retry_after_seconds=0.01))
    options = SpoolOptions(max_queue_bytes=100_000)
    processor = SpooledLogRecordProcessor(
        backend, tmp_path, options=options, filesystem=disk, schedule_delay_millis=5
    )
    emitter = Emitter(processor)
    for _ in range(30):
        emitter.emit("x" * 9_900)
    stats = processor.stats()
    assert (stats.in_memory, dict(stats.dropped)) == (10, {"queue_full": 20})
    assert 99_000 < stats.queue_bytes <= 100_000
    here.set()
    assert processor.flush(20).complete
    wait_until(lambda: processor.stats().queue_bytes == 0)
    here.clear()
    for _ in range(30):
        emitter.emit("y" * 9_900)
    stats = processor.stats()
    assert (stats.in_memory, stats.delivered, dict(stats.dropped)) == (10, 10, {"queue_full": 40})
    assert adds_up(stats)
    processor.shutdown_within(0.1)


def test_what_cannot_be_written_down_takes_memory_too(tmp_path: Path) -> None:
    """Nobody knows how much: 16 KiB are assumed."""

    class Odd:
        def __str__(self) -> str:
            raise ValueError

    options = SpoolOptions(max_queue_bytes=56_000)
    backend = Backend(lambda _: Answer("retry"))
    processor = SpooledLogRecordProcessor(backend, tmp_path, options=options, schedule_delay_millis=5)
    for _ in range(5):
        Emitter(processor).emit(Odd())
    stats = processor.stats()
    assert (stats.in_memory, dict(stats.dropped)) == (3, {"queue_full": 2})
    processor.shutdown_within(0.1)


def test_two_destinations_are_independent(tmp_path: Path) -> None:
    """One that is away holds the other one up in nothing, and each counts for itself."""
    here, away = Backend(), Backend(lambda _: Answer("retry"))
    processors = [
        SpooledLogRecordProcessor(backend, tmp_path / name, schedule_delay_millis=5)
        for backend, name in ((here, "here"), (away, "away"))
    ]
    emitter = Emitter(*processors)
    for number in range(100):
        emitter.emit(number)
    assert processors[0].flush(10).complete
    assert here.bodies == list(range(100))
    assert (processors[1].stats().spooled, processors[1].stats().delivered) == (100, 0)
    away.answer = lambda _: Answer("delivered")
    for processor in processors:
        processor.shutdown_within(20)
    assert away.bodies == list(range(100))


def test_two_processors_on_one_folder(tmp_path: Path) -> None:
    """Two processes, or two pipelines, share a spool; neither takes what the other one is at."""
    backend = Backend()
    processors = [SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5) for _ in range(2)]
    for name, processor in zip("ab", processors, strict=True):
        for number in range(200):
            Emitter(processor).emit(f"{name}{number}")
    for processor in processors:
        assert processor.flush(20).complete
        assert processor.stats().delivered == 200
        assert processor.stats().recovered == 0
        processor.shutdown_within(10)
    assert len(backend.bodies) == len(set(backend.bodies)) == 400


def test_a_flush_holds_no_event_loop_up(tmp_path: Path) -> None:
    """Awaited in a thread, as ``aflush`` does, it lets the loop go on while the backend takes its time."""
    enough = threading.Event()

    def answer(_: int) -> Answer:
        return Answer("delivered") if enough.wait(20) else Answer("retry")

    processor = SpooledLogRecordProcessor(Backend(answer), tmp_path, schedule_delay_millis=5)
    Emitter(processor).emit("one")

    async def turns() -> int:
        turns, flushing = 0, asyncio.ensure_future(asyncio.to_thread(processor.flush, 20))
        while not flushing.done():
            await asyncio.sleep(0)
            turns += 1
            if turns == 100:
                enough.set()
        assert flushing.result().complete
        return turns

    assert asyncio.run(turns()) >= 100
    processor.shutdown_within(10)


def test_the_number_of_an_ended_thread_is_free(tmp_path: Path) -> None:
    """After the shutdown a new thread may have the number that ours had: its events are nobody's reentry."""
    spooled = SpooledLogRecordProcessor(Backend(), tmp_path, schedule_delay_millis=5)
    spooled.start()
    ours = list(spooled._worker.threads())
    wait_until(lambda: {thread.ident for thread in ours} <= spooled._live.sending)  # what they log is no event
    spooled.shutdown_within(10)
    assert not any(thread.is_alive() for thread in ours)
    assert spooled._live.sending.isdisjoint({thread.ident for thread in ours})
