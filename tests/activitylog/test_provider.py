"""What becomes of events between the chain and the exporter: nothing is lost unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings
from tests.exporters_for_tests import GatedExporter, ScriptedExporter
from tests.waiting import wait_until

FAILURE = LogRecordExportResult.FAILURE
SUCCESS = LogRecordExportResult.SUCCESS

Make = Callable[..., tuple[BoundedProcessor, Callable[[int], None]]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes a processor around an exporter, and a function that emits n records into it."""
    made: list[BoundedProcessor] = []

    def build(exporter: Any, **values: Any) -> tuple[BoundedProcessor, Callable[[int], None]]:
        values = {"max_queue_size": 100, "max_export_batch_size": 10, "schedule_delay_millis": 60_000} | values
        processor = BoundedProcessor(lambda: exporter, "test:", Settings(**values))
        made.append(processor)
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(processor)
        logger = provider.get_logger("test")

        def emit(count: int) -> None:
            for n in range(count):
                logger.emit(event_name="a.b", attributes={"n": n})

        return processor, emit

    yield build
    for processor in made:
        processor.interrupt()
        processor.shutdown()


def join_threads() -> None:
    """Wait for the threads that were left behind."""
    for thread in threading.enumerate():
        if thread.name == "activitylog-flush":
            thread.join(10)


class TestCounting:
    def test_delivered(self, make: Make) -> None:
        """What the exporter took is delivered."""
        processor, emit = make(ScriptedExporter())
        emit(25)
        assert processor.force_flush()
        assert (processor.stats().delivered, processor.stats().queued, processor.stats().dropped) == (25, 0, {})

    def test_reasons_are_few(self, make: Make) -> None:
        """An exporter that puts an id into each makes no counter and no metric of every event."""
        processor, emit = make(ScriptedExporter(*({f"row {number} is bad": 1} for number in range(80))))
        for _ in range(80):
            emit(1)
            processor.force_flush()
        dropped = processor.stats().dropped
        assert (len(dropped), dropped["other"], sum(dropped.values())) == (65, 16, 80)

    def test_a_failed_batch_is_lost_and_counted(self, make: Make) -> None:
        """The SDK forgets such a batch in silence."""
        exporter = ScriptedExporter(FAILURE)
        processor, emit = make(exporter)
        emit(9)
        processor.force_flush()
        emit(1)
        processor.force_flush()
        assert processor.stats().delivered == 1
        assert processor.stats().dropped == {"export_failed": 9}

    def test_the_exporters_own_reasons_are_kept(self, make: Make) -> None:
        """An exporter that says why, and of how many, is believed."""
        processor, emit = make(ScriptedExporter({"permanent": 2, "deadline": 1}))
        emit(9)
        processor.force_flush()
        assert processor.stats().delivered == 6
        assert processor.stats().dropped == {"permanent": 2, "deadline": 1}

    @pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
    def test_an_exporter_that_raises_does_not_end_the_worker(self, make: Make, error: BaseException) -> None:
        """SystemExit in an exporter would end the SDK's worker thread for good."""
        exporter = ScriptedExporter(error)
        processor, emit = make(exporter)
        emit(10)  # a full batch wakes the worker
        wait_until(lambda: processor.stats().dropped)
        emit(10)
        wait_until(lambda: exporter.batches)
        assert processor.stats().dropped == {"export_error": 10}
        assert processor.stats().delivered == 10

    def test_an_exporter_that_cannot_be_built(self, make: Make) -> None:
        """Is tried again with the next batch; what was lost is counted."""
        processor, emit = make(None)
        attempts = []

        def build() -> Any:
            attempts.append(1)
            raise ImportError("no driver")

        processor.exporter._build = build
        emit(3)
        processor.force_flush()
        emit(2)
        processor.force_flush()
        assert len(attempts) == 2
        assert processor.stats().dropped == {"export_error": 5}

    def test_reading_the_counts_changes_nothing(self, make: Make) -> None:
        """A monitor that asks every second must not use up the queue."""
        processor, emit = make(ScriptedExporter())
        for _ in range(1000):
            processor.stats()
        emit(100)
        assert processor.force_flush()
        assert (processor.stats().delivered, processor.stats().dropped) == (100, {})


class TestOverflow:
    def test_drop_refuses_the_newest_and_counts_it(self, make: Make) -> None:
        """The SDK drops the oldest: the beginning of an incident. The queue's bound holds exactly."""
        exporter = GatedExporter()
        processor, emit = make(exporter)
        emit(10)
        assert exporter.arrived.wait(10)
        emit(150)
        assert processor.stats().dropped == {"queue_full": 50}
        assert processor.stats().queued == 110
        exporter.gate.set()
        processor.force_flush()
        kept = [record.log_record.attributes["n"] for batch in exporter.batches for record in batch]  # type: ignore[index]
        assert kept == [*range(10), *range(100)]

    def test_block_waits_for_room(self, make: Make) -> None:
        """An import job loses nothing, however slow the backend."""
        exporter = GatedExporter()
        processor, emit = make(exporter, overflow="block")
        done = threading.Event()

        def produce() -> None:
            emit(500)
            done.set()

        producer = threading.Thread(target=produce)
        producer.start()
        assert exporter.arrived.wait(10)
        assert not done.is_set()
        exporter.gate.set()
        producer.join(30)
        processor.force_flush()
        assert processor.stats().delivered == 500
        assert processor.stats().dropped == {}

    def test_block_gives_up_after_its_timeout(self, make: Make) -> None:
        """A backend that hangs must not hang the caller for ever."""
        exporter = GatedExporter()
        processor, emit = make(exporter, overflow="block", overflow_timeout_seconds=0.01)
        emit(10)
        assert exporter.arrived.wait(10)
        emit(101)
        assert processor.stats().dropped == {"queue_full": 1}


class TestShutdown:
    def test_sends_what_is_queued_and_refuses_the_rest(self, make: Make) -> None:
        """Later records are counted, not ignored."""
        exporter = ScriptedExporter()
        processor, emit = make(exporter)
        emit(5)
        processor.shutdown()
        emit(3)
        assert processor.stats().delivered == 5
        assert processor.stats().dropped == {"shutdown": 3}
        assert exporter.shutdowns == 1

    def test_what_was_abandoned_and_delivered_after_all_is_counted_once(self, make: Make) -> None:
        """A batch under way when time ran out ends up in one place only."""
        exporter = GatedExporter()
        processor, emit = make(exporter)
        emit(10)
        assert exporter.arrived.wait(10)
        processor.shutdown_within(0.01)
        assert (processor.stats().queued, processor.stats().dropped) == (0, {"shutdown": 10})
        exporter.gate.set()
        join_threads()
        assert (processor.stats().delivered, processor.stats().dropped) == (10, {})

    def test_callers_that_wait_for_room_are_let_go(self, make: Make) -> None:
        """A blocked caller must not hold up the end of the process until its own timeout."""
        exporter = GatedExporter()
        processor, emit = make(exporter, overflow="block", overflow_timeout_seconds=60)
        emit(10)
        assert exporter.arrived.wait(10)
        producer = threading.Thread(target=emit, args=(101,))
        producer.start()
        wait_until(lambda: processor.queued() >= 110)
        processor.shutdown_within(0.05)
        producer.join(10)
        assert not producer.is_alive()
        assert sum(processor.stats().dropped.values()) == 111
        exporter.gate.set()
        join_threads()

    def test_a_hung_backend_costs_one_flush_thread(self, make: Make) -> None:
        """However often flush is called meanwhile."""
        exporter = GatedExporter()
        processor, emit = make(exporter)
        emit(1)
        for _ in range(20):
            assert not processor.flush_within(0.001)
        assert sum(thread.name == "activitylog-flush" for thread in threading.enumerate()) == 1
        exporter.gate.set()
        assert processor.flush_within(10)


class TestReentrance:
    def test_an_exporter_that_emits_does_not_feed_itself(self, make: Make) -> None:
        """Such events are counted, not exported for ever, and never waited for."""
        exporter = ScriptedExporter()
        processor, emit = make(exporter, overflow="block")
        exporter.script = [lambda: (emit(1), SUCCESS)[1]] * 5
        emit(3)
        assert processor.flush_within(10)
        assert (processor.stats().delivered, processor.stats().dropped) == (3, {"reentrant": 1})

    def test_a_destination_that_is_made_meanwhile_changes_nothing(self, make: Make) -> None:
        """As a second configure() does."""
        exporter = ScriptedExporter()
        processor, emit = make(exporter, overflow="block")
        exporter.script = [lambda: (make(ScriptedExporter()), emit(1), SUCCESS)[2]] * 5
        emit(3)
        assert processor.flush_within(10)
        assert (processor.stats().delivered, processor.stats().dropped) == (3, {"reentrant": 1})


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(min_value=0, max_value=60), max_size=6),
    st.lists(st.sampled_from([SUCCESS, FAILURE, "raise", "part"]), max_size=12),
)
def test_conservation(bursts: list[int], answers: list[Any]) -> None:
    """emitted = delivered + queued + dropped, whatever the exporter answers."""
    script = [
        ValueError("x") if answer == "raise" else {"permanent": 1} if answer == "part" else answer
        for answer in answers
    ]
    values = Settings(max_queue_size=40, max_export_batch_size=10, schedule_delay_millis=60_000)
    processor = BoundedProcessor(lambda: ScriptedExporter(*script), "test:", values)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    logger = provider.get_logger("test")
    for burst in bursts:
        for _ in range(burst):
            logger.emit(event_name="a.b")
        processor.force_flush()
    processor.shutdown()
    stats = processor.stats()
    assert stats.queued == 0
    assert stats.delivered + sum(stats.dropped.values()) == sum(bursts)
