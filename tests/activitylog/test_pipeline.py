"""One pipeline: its time limits, and its counts under threads."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings
from tests.exporters_for_tests import GatedExporter, ScriptedExporter


def pipeline_into(*exporters: Any, **values: Any) -> Pipeline:
    """A pipeline with a destination for each exporter."""
    settings = Settings(**{"schedule_delay_millis": 60_000, "max_export_batch_size": 10, **values})
    destinations = [
        BoundedProcessor(itertools.repeat(exporter).__next__, f"test:{number}", settings)
        for number, exporter in enumerate(exporters)
    ]
    return Pipeline(settings, destinations=destinations)


class Stubborn(GatedExporter):
    """Hangs, and does not let itself be interrupted."""

    interrupt = None  # type: ignore[assignment]


class TestTimeLimits:
    def test_flush_keeps_its_word_when_the_backend_hangs(self) -> None:
        """The SDK's own force_flush ignores its timeout and says it was complete."""
        exporter = GatedExporter()
        pipeline = pipeline_into(exporter)
        pipeline.submit("info", "a.b", {})
        result = pipeline.flush(0.05)
        assert (result.complete, result.queued) == (False, 1)
        exporter.gate.set()
        assert pipeline.flush(10).complete
        pipeline.shutdown(10)

    def test_shutdown_interrupts_a_wait_between_attempts(self) -> None:
        """A batch that waits for its next attempt must not hold up the end of the process."""
        exporter = GatedExporter()
        pipeline = pipeline_into(exporter)
        pipeline.submit("info", "a.b", {})
        begun = time.monotonic()
        assert pipeline.shutdown(0.2).complete
        assert exporter.interrupted.is_set()
        assert time.monotonic() - begun < 5
        assert pipeline.stats().destinations["test:0"].delivered == 1

    def test_shutdown_gives_up_on_what_does_not_end(self) -> None:
        """What is left is counted as lost, and the process may end."""
        exporter = Stubborn()
        pipeline = pipeline_into(exporter)
        for _ in range(3):
            pipeline.submit("info", "a.b", {})
        result = pipeline.shutdown(0.05)
        assert (result.delivered, result.queued, result.dropped) == (0, 0, 3)
        assert pipeline.stats().destinations["test:0"].dropped == {"shutdown": 3}
        exporter.gate.set()

    def test_one_slow_destination_does_not_cost_another_its_events(self) -> None:
        """Each has a queue and a worker of its own."""
        slow, quick = GatedExporter(), ScriptedExporter()
        pipeline = pipeline_into(slow, quick)
        for _ in range(10):
            pipeline.submit("info", "a.b", {})
        assert slow.arrived.wait(10)
        pipeline.destinations[1].flush_within(10)
        counts = pipeline.stats().destinations
        assert (counts["test:0"].queued, counts["test:1"].delivered) == (10, 10)
        slow.gate.set()
        pipeline.shutdown(10)


def test_reading_the_counts_in_a_signal_handler_does_not_deadlock() -> None:
    """A handler may interrupt the main thread while it reads the counts itself."""
    pipeline = pipeline_into(ScriptedExporter())
    seen: list[int] = []

    def handler(_number: int, _frame: Any) -> None:
        seen.append(pipeline.stats().emitted)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        while len(seen) < 50:
            pipeline.stats()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    pipeline.shutdown(10)


def test_an_sdk_that_is_disabled_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED makes a logger that forgets everything; we do not say that it was emitted."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    pipeline = pipeline_into(ScriptedExporter())
    assert not pipeline.submit("info", "a.b", {})
    assert pipeline.stats().dropped == {"disabled": 1}


def test_counts_are_exact_under_threads() -> None:
    """Eight threads, a failing exporter, a full queue: every event ends in one count."""
    exporter = ScriptedExporter(*[LogRecordExportResult.FAILURE, LogRecordExportResult.SUCCESS] * 200)
    pipeline = pipeline_into(exporter, max_queue_size=50)

    def emit() -> None:
        for _ in range(500):
            pipeline.submit("info", "a.b", {})

    threads = [threading.Thread(target=emit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipeline.shutdown(10)
    counts = pipeline.stats()
    destination = counts.destinations["test:0"]
    assert counts.emitted == 4000
    assert destination.queued == 0
    assert destination.delivered + sum(destination.dropped.values()) == 4000 + counts.counted
    numbers = [record.log_record.attributes["activity.seq"] for batch in exporter.batches for record in batch]  # type: ignore[index]
    assert len(set(numbers)) == len(numbers) == destination.delivered
