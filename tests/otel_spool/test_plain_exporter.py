"""Exporters without definite answers: what they never take is refused, and everything else arrives, once."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_delivery.waiting import Interrupt
from otel_spool import SpooledLogRecordProcessor
from otel_spool.backlog import Backlog
from otel_spool.dead_letters import DeadLetters, letter_files, read_letters
from otel_spool.delivery import Batch, Deliverer, Outcome, Pace, PlainExporter
from otel_spool.folder import Entry
from otel_spool.log import SpoolLog
from otel_spool.sending import Sender
from otel_spool.spool import Spool
from tests.life_cycle.exporters import Emitter
from tests.otel_spool.failing_disk import FailingFileSystem
from tests.otel_spool.records import TIME_NS, number_of, record
from tests.waiting import wait_until


def _key(log: ReadableLogRecord) -> Any:
    """The number of a record of :mod:`tests.otel_spool.records`, or the whole body of another one."""
    body = log.log_record.body
    return body if isinstance(body, str) else number_of(log)


class Plain(LogRecordExporter):
    """
    Takes a batch unless something is in it that it never takes, or it is away.

    Attributes:
        rows: number of a record, or its body -> how often it was taken.
        calls: so far.
        away: the calls at which it is.
    """

    def __init__(self, poison: Collection[int | str] = (), away: Collection[int] = ()) -> None:
        self.poison = frozenset(poison)
        self.away = away
        self.rows: Counter[int | str] = Counter()
        self.calls = 0
        self.interrupt = Interrupt()
        self.last_call = 100_000

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self.calls += 1
        if self.calls >= self.last_call:
            self.interrupt.set()
        numbers = [_key(log) for log in batch]
        if self.calls in self.away or self.poison.intersection(numbers):
            return LogRecordExportResult.FAILURE
        self.rows.update(numbers)
        return LogRecordExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


class Pipeline:
    """A process that sends to such an exporter, one step at a time and without its waits."""

    def __init__(self, directory: Path, exporter: Plain) -> None:
        log = SpoolLog()
        self.exporter = exporter
        self.spool = Spool(directory, log=log)
        pace = Pace(clock=lambda: 0.0, rng=lambda: 0.0)
        deliverer = Deliverer(PlainExporter(exporter), pace=pace, interrupt=exporter.interrupt, log=log)
        letters = DeadLetters(self.spool.filesystem, directory, max_bytes=2**20, now_ns=self.spool.now_ns)
        self.sender = Sender(self.spool, deliverer, letters)
        self.backlog = Backlog(
            self.spool, self.sender, max_records=100, turn=lambda: not exporter.interrupt.is_set()
        )

    def send(self, *numbers: int) -> Outcome:
        """A batch of fresh events, as the batch processor's thread sends it."""
        logs = [record(number) for number in numbers]
        entries = [entry for log in logs if isinstance(entry := self.spool.append(log), Entry)]
        folder = self.spool.writer.folder
        assert folder is not None
        return self.sender.freeze_and_send(folder, entries, logs)

    def send_unspooled(self, *numbers: int) -> Outcome:
        """The same of events that are on no disk, again and again while they are put off."""
        batch = Batch([record(number) for number in numbers], range(len(numbers)), "in memory")
        while (outcome := self.sender.send_unspooled(batch)).put_off and not self.exporter.interrupt.is_set():
            if self.exporter.calls + 1 not in self.exporter.away:
                self.send(100 + self.exporter.calls)
        return outcome

    @property
    def refused(self) -> int:
        """Events that were given up so far."""
        dropped = self.spool.accounts.own.dropped
        assert set(dropped) <= {"export_failed"}
        return dropped.get("export_failed", 0)


@contextmanager
def pipeline(exporter: Plain) -> Iterator[Pipeline]:
    """A process with a folder of its own."""
    with TemporaryDirectory() as directory:
        process = Pipeline(Path(directory), exporter)
        yield process
        process.sender.close()
        process.spool.close()


def letters(directory: Path) -> list[int]:
    """The numbers of refused events that were written down."""
    files = Spool(directory).filesystem
    return [
        number_of(letter.record) for path in letter_files(files, directory) for letter in read_letters(files, path)
    ]


def once(*keys: int | str) -> dict[int | str, int]:
    """Each of them, once."""
    return dict.fromkeys(keys, 1)


@pytest.mark.parametrize("poison", [{0}, {3}, {7}, {0, 7}, {2, 3}, set(range(0, 8, 2)), set(range(7))])
def test_what_it_never_takes_is_refused(poison: set[int], tmp_path: Path) -> None:
    """In whatever position of a batch, and however many; the others arrive once, and letters are written."""
    process = Pipeline(tmp_path, Plain(poison))
    process.send(*range(8))
    for number in (8, 9):
        process.send(number)
        process.backlog.work()
    assert dict(process.exporter.rows) == once(*set(range(10)) - poison)
    assert process.refused == len(poison)
    assert process.spool.unsent() == 0
    process.sender.close()
    assert sorted(letters(tmp_path)) == sorted(poison)


def test_one_that_is_alone_holds_up_nothing(tmp_path: Path) -> None:
    """Nobody knows whether it is at fault: it is put off, what is behind it arrives, and then it is refused."""
    process = Pipeline(tmp_path, Plain({1}))
    first = process.send(1)
    assert (first.complete, first.put_off) == (False, True)
    assert not process.backlog.work()
    assert process.send(2).complete
    assert not process.backlog.work()
    assert process.refused == 0, "the backend may be away again"
    assert process.send(3).complete
    assert process.backlog.work()
    assert (dict(process.exporter.rows), process.refused) == (once(2, 3), 1)


def test_several_that_are_alone(tmp_path: Path) -> None:
    """One after the other in batches of their own, and on disk only."""
    process = Pipeline(tmp_path, Plain({1, 2, 3, 4}))
    for number in (1, 2):
        assert process.send(number).put_off
    process.spool.writer.deferring = True
    for number in (3, 4, 5):
        process.spool.append(record(number))
        process.spool.writer.seal_all()
    for number in (6, 7):
        process.backlog.work()
        process.send(number)
    process.backlog.work()
    assert (dict(process.exporter.rows), process.refused) == (once(5, 6, 7), 4)
    assert process.spool.unsent() == 0


@pytest.mark.parametrize("records", [1, 2, 7])
def test_nothing_is_refused_in_an_outage(records: int, tmp_path: Path) -> None:
    """However long it lasts; afterwards everything arrives once."""
    process = Pipeline(tmp_path, Plain(away=range(100_000)))
    process.send(*range(records))
    while process.exporter.calls < 1_000:
        process.send(process.exporter.calls + 1_000)
        assert not process.backlog.work()
    assert process.refused == 0
    waiting = process.spool.unsent()
    process.exporter.away = ()
    assert process.backlog.work()
    assert (process.exporter.rows.total(), process.refused) == (waiting, 0)
    assert set(process.exporter.rows.values()) == {1}


def test_what_arrived_of_a_batch_is_not_sent_again(tmp_path: Path) -> None:
    """In whatever round the rest of it is tried."""
    process = Pipeline(tmp_path, Plain(poison={3}, away=range(8)))
    assert process.send(0, 1, 2, 3).put_off
    for _ in range(5):
        process.backlog.work()
    assert dict(process.exporter.rows) == once(0, 1, 2)
    process.exporter.poison = frozenset()  # it was not its fault
    assert process.backlog.work()
    assert (dict(process.exporter.rows), process.refused) == (once(0, 1, 2, 3), 0)


@pytest.mark.parametrize("poison", [{0}, {0, 1, 2}, {1, 2}])
def test_events_that_are_on_no_disk(poison: set[int], tmp_path: Path) -> None:
    """They go the same way."""
    process = Pipeline(tmp_path, Plain(poison, away=range(20)))
    outcome = process.send_unspooled(*range(4))
    assert outcome.complete
    assert set(outcome.refused) == poison
    assert outcome.delivered == 4 - len(poison)
    assert process.exporter.rows.items() >= once(*set(range(4)) - poison).items()
    assert set(process.exporter.rows.values()) == {1}


def test_an_outage_that_does_not_end(tmp_path: Path) -> None:
    """Events that are on no disk are tried until the process ends, and none is refused."""
    exporter = Plain(away=range(10_000))
    exporter.last_call = 500
    outcome = Pipeline(tmp_path, exporter).send_unspooled(0, 1, 2)
    assert (outcome.complete, outcome.delivered, outcome.refused) == (False, 0, {})


@pytest.mark.parametrize("bodies", [["poison"], ["good", "poison"]])
def test_one_that_is_on_no_disk_holds_up_nothing(bodies: list[str], tmp_path: Path) -> None:
    """What is behind it in the queue arrives, and then it is refused."""
    disk = FailingFileSystem(errno.ENOSPC, only={"write"})
    disk.broken = True
    exporter = Plain({"poison"})
    processor = SpooledLogRecordProcessor(exporter, tmp_path, filesystem=disk, schedule_delay_millis=5)
    processor._sender._deliverer._pace = Pace(rng=lambda: 0.001)
    emitter = Emitter(processor)
    for body in bodies:
        emitter.emit(body)
    wait_until(lambda: processor._live._put_off)
    behind: list[str] = []

    def is_refused_after_others() -> bool:
        behind.append(f"behind it, {len(behind)}")
        emitter.emit(behind[-1])
        return bool(processor.stats().dropped)

    wait_until(is_refused_after_others)
    result = processor.flush(5)
    processor.shutdown_within(1)
    assert dict(exporter.rows) == once(*[body for body in bodies if body != "poison"], *behind)
    assert (result.complete, dict(result.stats.dropped)) == (True, {"export_failed": 1})


def test_what_was_put_off_does_not_wait_for_fresh_events(tmp_path: Path) -> None:
    """It was an outage: when that is over, what is on no disk is sent though nothing else comes."""
    disk = FailingFileSystem(errno.ENOSPC, only={"write"})
    disk.broken = True
    exporter = Plain(away=range(1_000_000))
    processor = SpooledLogRecordProcessor(exporter, tmp_path, filesystem=disk, schedule_delay_millis=5)
    processor._sender._deliverer._pace = Pace(rng=lambda: 0.001)
    Emitter(processor).emit("a")
    wait_until(lambda: processor._live._put_off)
    exporter.away = ()
    assert processor.flush(10).complete
    processor.shutdown_within(1)
    assert (dict(exporter.rows), dict(processor.stats().dropped)) == (once("a"), {})


def test_two_outages_are_no_fault_of_a_record(tmp_path: Path) -> None:
    """Of several that were put off in the first one: one is delivered, the others fail in the second."""
    exporter = Plain(away=range(100))
    process = Pipeline(tmp_path, exporter)
    for number in range(4):
        assert process.send(number).put_off
    exporter.away = range(exporter.calls + 2, exporter.calls + 40)
    while exporter.calls < exporter.away[-1]:
        process.backlog.work()
    process.backlog.work()
    assert (dict(exporter.rows), process.refused) == (once(0, 1, 2, 3), 0)


def test_what_is_old_and_put_off_is_counted_once(tmp_path: Path) -> None:
    """A batch of a dead process in a segment that has expired: nobody gives it up while it has no answer."""
    dead = Spool(tmp_path, now_ns=lambda: TIME_NS)
    entry = dead.append(record(1))
    assert isinstance(entry, Entry)
    assert dead.writer.folder is not None
    assert dead.freeze(dead.writer.folder, [entry])
    dead.abandon()
    process = Pipeline(tmp_path, Plain({1}))
    process.spool.adopted.take()
    for number in (2, 3, 4):
        process.backlog.work()
        process.send(number)
    process.backlog.work()
    assert dict(process.spool.accounts.recovered.dropped) == {"export_failed": 1}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=5),
    st.sets(st.integers(0, 30), max_size=6),
    st.integers(1, 120),
    st.integers(0, 200),
)
@pytest.mark.slow
def test_whatever_comes_when(
    batches: list[tuple[int, bool]], poison: set[int], outage_at: int, outage_calls: int
) -> None:
    """An outage at any time, bad ones anywhere, from memory and from disk: refused are the bad ones only."""
    exporter = Plain(poison, range(outage_at, outage_at + outage_calls))
    with pipeline(exporter) as process:
        number = 0
        for size, fresh in batches:
            numbers, number = range(number, number + size), number + size
            process.spool.writer.deferring = not fresh
            if fresh:
                process.send(*numbers)
            else:
                for each in numbers:
                    process.spool.append(record(each))
                process.spool.writer.seal_all()
            process.backlog.work()
        process.spool.writer.deferring = False
        while not process.backlog.work():
            process.send(1_000 + exporter.calls)
        expected = set(range(number)) - poison
        assert {row: times for row, times in exporter.rows.items() if int(row) < 1_000} == once(*expected)
        assert set(exporter.rows.values()) == {1}
        assert process.refused == number - len(expected)
        assert process.spool.unsent() == 0
