"""``flush`` and ``shutdown`` keep their word, whatever the backend does, and say what became of the events."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor
from tests.life_cycle.exporters import Backend, Emitter, adds_up
from tests.waiting import wait_until


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Closed; opened at the end, so that no thread hangs on."""
    gate = threading.Event()
    yield gate
    gate.set()


def hanging(gate: threading.Event, after: int = 0) -> Backend:
    """A backend that answers so many attempts, and hangs in the next one until the gate opens."""

    def answer(attempt: int) -> Answer:
        if attempt > after:
            gate.wait(60)
        return Answer("delivered")

    return Backend(answer)


@pytest.mark.slow
def test_flush_keeps_its_time(gate: threading.Event, tmp_path: Path) -> None:
    """A hanging backend holds a flush up for its timeout and no longer; what is left is on disk."""
    processor = SpooledLogRecordProcessor(hanging(gate), tmp_path, schedule_delay_millis=5)
    Emitter(processor).emit("one")
    began = time.monotonic()
    result = processor.flush(0.5)
    assert 0.5 <= time.monotonic() - began < 1.5
    assert not result.complete
    assert (result.stats.delivered, result.stats.spooled, result.stats.dropped) == (0, 1, {})
    gate.set()
    assert processor.flush(10).complete
    processor.shutdown_within(5)


def test_many_flushes_of_a_hanging_backend_cost_one_thread(gate: threading.Event, tmp_path: Path) -> None:
    """However often it is flushed, one thread waits."""
    processor = SpooledLogRecordProcessor(hanging(gate), tmp_path, schedule_delay_millis=5)
    Emitter(processor).emit("one")
    processor.flush(0.05)
    before = threading.active_count()
    for _ in range(10):
        processor.flush(0.01)
    assert threading.active_count() == before
    gate.set()
    processor.shutdown_within(10)


@pytest.mark.slow
def test_shutdown_keeps_its_time_and_leaves_the_rest(gate: threading.Event, tmp_path: Path) -> None:
    """With a hanging backend it ends in time; the next process delivers what was left, once."""
    backend = hanging(gate, after=1)
    processor = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    emitter = Emitter(processor)
    emitter.emit("first")
    assert processor.flush(10).complete
    emitter.emit("second")
    began = time.monotonic()
    result = processor.shutdown_within(1.0)
    assert time.monotonic() - began < 2.0
    assert not result.complete
    assert (result.stats.delivered, result.stats.spooled) == (1, 1)
    gate.set()
    following = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    wait_until(lambda: following.stats().recovered == 1)
    following.shutdown_within(10)
    assert sorted(backend.bodies) == ["first", "second"]
    assert adds_up(processor.stats())


def test_shutdown_twice(tmp_path: Path) -> None:
    """The second one returns at once, and says the same."""
    processor = SpooledLogRecordProcessor(Backend(), tmp_path, schedule_delay_millis=5)
    Emitter(processor).emit("one")
    first = processor.shutdown_within(10)
    assert first.complete
    assert processor.shutdown_within(10) == first


def test_events_after_the_shutdown_are_for_the_next_process(tmp_path: Path) -> None:
    """They are on disk, counted as such, and delivered by whoever comes next."""
    backend = Backend()
    processor = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    processor.shutdown_within(10)
    for number in range(5):
        Emitter(processor).emit(number)
    stats = processor.stats()
    assert (stats.accepted, stats.spooled, stats.dropped) == (5, 5, {})
    assert backend.bodies == []
    del processor  # as the end of a process does, it closes the files; the lock goes with them
    import gc

    gc.collect()


def test_shutdown_of_a_dead_backend_does_not_wait_twice(tmp_path: Path) -> None:
    """When the waiting was ended, nothing more can be achieved, and nothing is waited for."""
    processor = SpooledLogRecordProcessor(Backend(lambda _: Answer("retry")), tmp_path, schedule_delay_millis=5)
    Emitter(processor).emit("kept")
    processor.interrupt()
    began = time.monotonic()
    assert not processor.shutdown_within(30).complete
    assert time.monotonic() - began < 3
