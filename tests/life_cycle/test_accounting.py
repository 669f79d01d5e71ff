"""
``accepted = delivered + spooled + in_memory + taken_over + dropped``, at every moment.

A moment is a call of ``stats()``: it takes the spool's lock, so that of an event that another thread is emitting
it sees everything or nothing. What is accepted is therefore at least what was acknowledged before the call, and at
most what was begun before its end.
"""

from __future__ import annotations

import itertools
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor, SpoolOptions
from tests.life_cycle.exporters import Backend, Emitter, adds_up


def troubled(seed: int) -> Backend:
    """A backend that is away for a while, loses answers, refuses batches and single events."""
    rng = random.Random(seed)
    lock = threading.Lock()

    def answer(_: int) -> Answer:
        with lock:
            drawn = rng.random()
        if drawn < 0.3:
            return Answer("retry", "lost answer" if drawn < 0.15 else "away", retry_after_seconds=0.0)
        if drawn < 0.4:
            return Answer("refused", "poison")
        if drawn < 0.5:
            return Answer("delivered", rejected={0: "encode"})
        return Answer("delivered")

    return Backend(answer)


@pytest.mark.slow
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block"])
@pytest.mark.parametrize("max_queue_size", [50, 5_000])
def test_the_counts_add_up_at_every_moment(overflow: Any, max_queue_size: int, tmp_path: Path) -> None:
    """While threads emit, the backend fails and the spool overflows, each look adds up and fits the events."""
    processor = SpooledLogRecordProcessor(
        troubled(1),
        tmp_path,
        options=SpoolOptions(
            segment_bytes=4_096,
            max_bytes=24 * 1024,
            overflow=overflow,
            overflow_timeout_seconds=0.01,
            max_queue_bytes=16 * 1024,
        ),
        schedule_delay_millis=2,
        max_export_batch_size=16,
        max_queue_size=max_queue_size,
    )
    emitter = Emitter(processor)
    begun, ended = itertools.count(), itertools.count()
    wrong: list[Any] = []
    done = threading.Event()
    looks = itertools.count()

    def emit() -> None:
        for number in range(400):
            next(begun)
            emitter.emit(f"an event of some length {number}")
            next(ended)

    def look() -> None:
        while not done.is_set():
            before = _value(ended)
            stats = processor.stats()
            after = _value(begun)
            next(looks)
            if not adds_up(stats) or not before <= stats.accepted <= after:
                wrong.append((before, after, stats))

    threads = [threading.Thread(target=emit) for _ in range(3)]
    looking = threading.Thread(target=look)
    looking.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = processor.flush(30)
    processor.shutdown_within(10)
    done.set()
    looking.join()
    assert wrong[:3] == []
    assert _value(looks) > 20
    assert result.complete
    stats = processor.stats()
    assert stats.accepted == 1_200
    assert stats.delivered + sum(stats.dropped.values()) == 1_200


@pytest.mark.slow
def test_the_counts_fit_what_the_backend_has(tmp_path: Path) -> None:
    """What counts as delivered is what the backend took, although answers got lost on the way."""
    backend = troubled(2)
    processor = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=2, max_export_batch_size=16)
    emitter = Emitter(processor)
    for number in range(500):
        emitter.emit(number)
    assert processor.flush(60).complete
    stats = processor.shutdown_within(10).stats
    assert stats.accepted == 500
    assert stats.delivered + stats.dropped.get("encode", 0) + stats.dropped.get("poison", 0) == 500
    assert len(set(backend.bodies)) >= stats.delivered


def _value(counter: itertools.count[int]) -> int:
    return int(repr(counter)[len("count(") : -1])
