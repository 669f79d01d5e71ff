"""What waits in memory, without the SDK's thread: batches are handed over when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter

from otel_delivery import Answer
from otel_delivery.waiting import Interrupt
from otel_spool import live_queue
from otel_spool.folder import Entry
from otel_spool.live_queue import LiveQueue, Unspooled
from otel_spool.log import SpoolLog
from otel_spool.sending import Sender, new_sender
from otel_spool.spool import Spool
from tests.otel_spool.records import number_of, record

DELIVERED = Answer("delivered")
#: What is answered about a record that others are to be sent before.
SUSPECT = Answer("retry", "export_suspect")


class _Batches:
    """In the place of the SDK's batch processor."""

    def __init__(self, exporter: LogRecordExporter, **_: Any) -> None:
        self._exporter = exporter
        self.records: list[ReadableLogRecord] = []

    def on_emit(self, log_record: ReadableLogRecord) -> None:
        self.records.append(log_record)

    def send(self, size: int) -> None:
        """What its thread does, until nothing is left."""
        while self.records:
            batch, self.records = self.records[:size], self.records[size:]
            self._exporter.export(batch)

    def shutdown(self) -> None:
        pass


class _Backend:
    """Answers in turn, and does what a test wants to happen during the first attempt."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None
        self.answers: list[Answer] = []
        self.sent: list[list[int]] = []

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        del token, first_attempt_ns
        self.sent.append([number_of(each) for each in records])
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return self.answers.pop(0) if self.answers else DELIVERED


class _Queue:
    """A queue with its spool and its backend; at most ten events may wait."""

    def __init__(self, path: Path) -> None:
        self.spool = Spool(path)
        self.backend = _Backend()
        self.live = LiveQueue(self.spool, {}, max_records=10)
        self.live.send_with(new_sender(self.spool, self.backend, interrupt=Interrupt(), log=SpoolLog()))

    @property
    def batches(self) -> _Batches:
        found: Any = self.live._batch
        assert isinstance(found, _Batches)
        return found

    def put(self, *numbers: int, spooled: bool = False) -> None:
        """Events, on disk or in memory only."""
        for number in numbers:
            log: Any = record(number)
            with self.spool.lock:
                entry = self.spool.append(log) if spooled else Unspooled(10)
                assert isinstance(entry, (Entry, Unspooled))
                self.live.put(log, entry)

    def put_off(self, *numbers: int) -> None:
        """Events in memory only that were attempted, each in a batch of its own, and wait for others."""
        self.backend.answers = [SUSPECT for _ in numbers]
        self.put(*numbers)
        self.batches.send(1)
        self.backend.sent.clear()

    def seem_dead(self) -> None:
        """Nothing was taken from the queue for an hour."""
        self.live._last_taken -= 3600
        self.live.watch(1.0)

    @property
    def counts(self) -> tuple[int, int, dict[str, int]]:
        """In memory only, delivered, given up."""
        own = self.spool.accounts.own
        return self.live.in_memory, own.delivered, own.dropped


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Queue:
    monkeypatch.setattr(live_queue, "BatchLogRecordProcessor", _Batches)
    return _Queue(tmp_path)


class TestGivenUp:
    """Each event that is in memory only is counted once, whatever is under way when it is given up."""

    def test_batches_that_begin_later(self, queue: _Queue) -> None:
        """They are counted already, and not sent: what counts as lost does not arrive."""
        queue.put(*range(6))
        queue.backend.meanwhile = lambda: queue.live.give_up_memory("shutdown")
        queue.batches.send(2)
        assert queue.counts == (0, 0, {"shutdown": 6})
        assert queue.backend.sent == [[0, 1]]

    def test_the_part_of_a_batch_that_is_on_no_disk(self, queue: _Queue) -> None:
        """It comes second, when the part on disk has its answer."""
        queue.put(1, 2, spooled=True)
        queue.put(3, 4, 5)
        queue.backend.meanwhile = lambda: queue.live.give_up_memory("shutdown")
        queue.batches.send(10)
        assert queue.counts == (0, 2, {"shutdown": 3})
        assert queue.backend.sent == [[1, 2]]

    def test_batches_that_were_put_off(self, queue: _Queue) -> None:
        """They are sent one after the other."""
        queue.put_off(1, 2, 3)
        queue.backend.meanwhile = lambda: queue.live.give_up_memory("shutdown")
        queue.live.send_put_off()
        assert queue.counts == (0, 0, {"shutdown": 3})
        assert queue.backend.sent == [[1]]

    def test_what_comes_later_is_sent(self, queue: _Queue) -> None:
        """Only what was there is given up: the process goes on when a thread has died."""
        queue.put(1, 2)
        queue.live.give_up_memory("worker_died")
        queue.put(3)
        queue.batches.send(10)
        assert queue.counts == (0, 1, {"worker_died": 2})
        assert queue.backend.sent == [[3]]

    @pytest.mark.parametrize("dies", [False, True])
    def test_letters_are_not_written_inside_the_lock(
        self, dies: bool, queue: _Queue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another thread may write one, and wait for the spool's lock: what it writes down may emit."""
        inside: list[bool] = []
        monkeypatch.setattr(Sender, "post", lambda *_: inside.append(queue.spool.is_inside()))
        queue.put_off(1)
        queue.put(2)
        if dies:
            queue.seem_dead()
        else:
            queue.live.give_up_memory("shutdown")
        assert inside == [False]


class TestDeadThread:
    """A batch processor whose thread has died is replaced."""

    @pytest.mark.parametrize("only_disk", [False, True])
    def test_new_events_wait_in_memory_again(self, only_disk: bool, queue: _Queue) -> None:
        """The queue was full and is empty now: nobody else would say so. Who cannot deliver goes on without."""
        queue.put(*range(11), spooled=True)
        assert queue.spool.writer.deferring
        if only_disk:
            queue.live.use_only_disk()
        queue.seem_dead()
        assert (queue.live.restarts, queue.live.queued) == (1, 0)
        assert queue.spool.writer.deferring is only_disk
