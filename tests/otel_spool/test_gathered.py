"""Records that are written down together: on disk when the call returns, and each delivered once."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor, SpoolOptions, durable, gathering
from otel_spool.filesystem import LocalFileSystem
from tests.otel_spool.failing_disk import SHORT, FailingFileSystem
from tests.otel_spool.spools import SMALL, Backend, Process, killed
from tests.waiting import wait_until


def gather(process: Process, gathered: dict[Any, list[Any]], *bodies: Any, on_medium: bool = False) -> None:
    """Emit records that wait for each other."""
    context = gathering(gathered, durable() if on_medium else None)
    for body in bodies:
        important = isinstance(body, str) and body.startswith("!")
        severity = SeverityNumber.ERROR if important else SeverityNumber.INFO
        record = LogRecord(body=body, event_name="user.activated", severity_number=severity, context=context)
        process.logger.emit(record)


def names(count: int) -> list[str]:
    """So many bodies, each fifth of an important record."""
    return [f"!{number}" if number % 5 == 0 else str(number) for number in range(count)]


class Written(LocalFileSystem):
    """Counts what is written to segments."""

    def __init__(self) -> None:
        self.writes = 0
        self.synced = 0

    def open_append(self, path: Path) -> Any:
        file = super().open_append(path)
        if path.suffix == ".seg":
            write = file.write

            def counted(data: bytes) -> int:
                self.writes += 1
                return write(data)

            return _Wrapped(file, counted)
        return file

    def sync_file(self, path: Path) -> None:
        self.synced += 1
        super().sync_file(path)


class _Wrapped:
    def __init__(self, file: Any, write: Any) -> None:
        self.write = write
        self.sync, self.truncate, self.close = file.sync, file.truncate, file.close


def with_disk(process: Process, disk: LocalFileSystem) -> None:
    """Have a process that has written nothing yet write to this disk."""
    process.processor.spool.filesystem = disk
    process.processor.spool.writer._filesystem = disk
    process.processor.spool._syncing._filesystem = disk


@pytest.fixture
def backend() -> Backend:
    """One that is there."""
    return Backend()


def test_nothing_is_there_before_it_is_written(backend: Backend, tmp_path: Path) -> None:
    """Who gathers says when."""
    process = Process(backend, tmp_path)
    gathered: dict[Any, list[Any]] = {}
    gather(process, gathered, "1", "2")
    assert process.processor.stats().accepted == 0
    process.processor.write_gathered(gathered)
    assert process.processor.stats().accepted == 2
    process.processor.write_gathered(gathered)
    assert process.processor.flush(30).complete
    assert backend.stored == ["1", "2"]
    process.leave()


def test_one_write_for_each_lane(tmp_path: Path) -> None:
    """That is what it is for; the others are a file's header and its source."""
    process, disk = Process(Backend(is_open=False), tmp_path, SpoolOptions()), Written()
    with_disk(process, disk)
    gathered: dict[Any, list[Any]] = {}
    gather(process, gathered, *names(100))
    process.processor.write_gathered(gathered)
    assert process.processor.stats().spooled == 100
    assert disk.writes == 6
    process.leave()


@pytest.mark.slow
def test_they_survive_the_process(backend: Backend, tmp_path: Path) -> None:
    """A killed one: what was written is sent by the next, and what still waited was promised to nobody."""
    killed(
        tmp_path,
        """
from tests.otel_spool.test_gathered import gather, names
process, gathered = Process(Backend(is_open=False), directory), {}
gather(process, gathered, *names(50))
process.processor.write_gathered(gathered)
gather(process, gathered, "lost")
""",
    )
    process = Process(backend, tmp_path)
    process.processor.start()
    wait_until(lambda: len(backend.stored) >= 50)
    assert sorted(backend.stored) == sorted(names(50))
    process.leave()


def test_all_are_on_the_medium_by_one_sync(tmp_path: Path) -> None:
    """Of each lane; a hundred of them take no longer than one."""
    process, disk = Process(Backend(is_open=False), tmp_path, SpoolOptions()), Written()
    with_disk(process, disk)
    gathered: dict[Any, list[Any]] = {}
    gather(process, gathered, *names(100), on_medium=True)
    process.processor.write_gathered(gathered)
    assert disk.synced == 2
    process.leave()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, SHORT])
@pytest.mark.parametrize("call", range(1, 12))
def test_a_call_that_fails(error: int | str, call: int, backend: Backend, tmp_path: Path) -> None:
    """They are written one by one then; each is delivered once."""
    process = Process(backend, tmp_path, SpoolOptions())
    with_disk(process, FailingFileSystem(error, lambda number: number == call))
    gathered: dict[Any, list[Any]] = {}
    for _ in range(2):
        gather(process, gathered, *names(20))
        process.processor.write_gathered(gathered)
    assert process.processor.flush(30).complete
    stats = process.processor.stats()
    assert sorted(backend.stored) == sorted(names(20) * 2)
    assert (stats.accepted, stats.delivered, stats.dropped) == (40, 40, {})
    process.leave()


def test_a_disk_that_takes_nothing(backend: Backend, tmp_path: Path) -> None:
    """They are kept in memory."""
    process = Process(backend, tmp_path, SpoolOptions())
    disk = FailingFileSystem(errno.ENOSPC)
    disk.broken = True
    with_disk(process, disk)
    gathered: dict[Any, list[Any]] = {}
    gather(process, gathered, *names(20))
    process.processor.write_gathered(gathered)
    assert process.processor.stats().in_memory + len(backend.stored) >= 20
    assert process.processor.flush(30).complete
    assert sorted(backend.stored) == sorted(names(20))
    process.leave()


def test_a_spool_that_is_full(tmp_path: Path) -> None:
    """As many as fit are written, the others are counted."""
    options = SpoolOptions(max_bytes=16 * 1024, segment_bytes=4096, overflow="drop_newest")
    process = Process(Backend(is_open=False), tmp_path, options)
    gathered: dict[Any, list[Any]] = {}
    gather(process, gathered, *("x" * 300 + str(number) for number in range(100)))
    process.processor.write_gathered(gathered)
    stats = process.processor.stats()
    assert stats.accepted == 100
    assert 0 < stats.spooled < 100
    assert stats.dropped == {"spool_full": 100 - stats.spooled}
    process.leave()


class Unwritable:
    """What has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


def test_one_that_cannot_be_written_down(backend: Backend, tmp_path: Path) -> None:
    """It is kept in memory; the others are written."""
    process = Process(backend, tmp_path)
    gathered: dict[Any, list[Any]] = {}
    gather(process, gathered, "1", Unwritable(), "3")
    process.processor.write_gathered(gathered)
    stats = process.processor.stats()
    assert (stats.accepted, stats.in_memory) == (3, 1)
    process.leave()


def test_from_inside_an_export(tmp_path: Path) -> None:
    """They would feed the export that emits them."""

    class Emits(Backend):
        def deliver(
            self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None
        ) -> Answer:
            gathered: dict[Any, list[Any]] = {}
            gather(process, gathered, "inside", "inside")
            process.processor.write_gathered(gathered)
            return super().deliver(records, token=token, first_attempt_ns=first_attempt_ns)

    backend = Emits()
    process = Process(backend, tmp_path)
    process.emit("1")
    assert process.processor.flush(30).complete
    assert backend.stored == ["1"]
    assert process.processor.stats().dropped == {"reentrant": 2}
    process.leave()


@pytest.mark.slow
def test_after_the_shutdown_they_are_left_for_the_next(backend: Backend, tmp_path: Path) -> None:
    """As single ones are."""
    killed(
        tmp_path,
        """
from tests.otel_spool.test_gathered import gather
process, gathered = Process(Backend(is_open=False), directory), {}
gather(process, gathered, "1", "2")
process.leave()
process.processor.write_gathered(gathered)
""",
    )
    process = Process(backend, tmp_path)
    process.processor.start()
    wait_until(lambda: len(backend.stored) == 2)
    process.leave()


def test_two_spools(tmp_path: Path) -> None:
    """Each writes its own."""
    backends = [Backend(), Backend()]
    process = Process(backends[0], tmp_path / "1")
    second = SpooledLogRecordProcessor(backends[1], tmp_path / "2", options=SMALL, adopt_at_once=False)
    provider: Any = process.logger._multi_log_record_processor  # type: ignore[attr-defined]
    provider.add_log_record_processor(second)
    gathered: dict[Any, list[Any]] = {}
    gather(process, gathered, "1", "2")
    for processor in (process.processor, second):
        processor.write_gathered(gathered)
        assert processor.flush(30).complete
    assert [backend.stored for backend in backends] == [["1", "2"]] * 2
    process.leave()
    second.shutdown()
