"""Threads of ours that die, and threads of the application that emit whenever they like."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor, live_queue
from tests.life_cycle.exporters import Backend, Emitter, adds_up
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
    (ours,) = spooled._worker.threads()
    spooled.shutdown_within(10)
    assert not ours.is_alive()
    assert ours.ident not in spooled._live.sending
