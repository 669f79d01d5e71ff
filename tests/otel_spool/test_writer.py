"""The writing side: rolling, lanes, a disk that fails, and signal handlers that emit in the midst of an emit."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from otel_spool.encoding import RecordEncoder
from otel_spool.filesystem import AppendFile, FileSystem, LocalFileSystem, Lock
from otel_spool.folder import Entry
from otel_spool.frame import MAX_PAYLOAD_BYTES
from otel_spool.log import SpoolLog
from otel_spool.options import SpoolOptions
from otel_spool.segment import Contents, parse_name, seed_of
from otel_spool.spool import Spool
from otel_spool.writer import NotWritten, Writer
from tests.otel_spool.backend import Backend
from tests.otel_spool.failing_disk import SHORT, FailingFileSystem
from tests.otel_spool.producer import Producer, deliver_the_rest
from tests.otel_spool.records import SCOPE, TIME_NS, record

OPTIONS = SpoolOptions(segment_bytes=4096, max_bytes=2**20)


class Clock:
    """Seconds that the test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class RecordWriter(Writer):
    """A writer with an encoder of its own, as a spool has both."""

    def __init__(self, path: Path, filesystem: FileSystem, options: SpoolOptions, clock: Clock) -> None:
        log = SpoolLog()
        self.now_ns = TIME_NS
        super().__init__(filesystem, path, options, clock=clock, now_ns=lambda: self.now_ns, log=log)
        self._encode = RecordEncoder(options, log).encode

    def append_record(self, log_record: ReadableLogRecord) -> Entry | NotWritten:
        event = self._encode(log_record)
        return NotWritten.UNWRITABLE if event is None else self.append(event)


def _writer(
    path: Path, filesystem: FileSystem | None = None, options: SpoolOptions = OPTIONS, clock: Clock | None = None
) -> RecordWriter:
    return RecordWriter(path, filesystem or LocalFileSystem(), options, clock or Clock())


def _contents(path: Path) -> Contents:
    data = path.read_bytes()
    seed = seed_of(data)
    assert seed is not None
    return Contents(data, seed)


def _segments(writer: Writer) -> list[Path]:
    assert writer.folder is not None
    return sorted(writer.folder.path.glob("*.seg"))


class TestAppending:
    """What is on disk afterwards."""

    def test_numbers_are_dense(self, tmp_path):
        """Each event of a folder has the next number, in whatever segment it is."""
        writer = _writer(tmp_path)
        entries = [writer.append_record(record(n, text="x" * 300, important=n % 3 == 0)) for n in range(60)]
        assert [entry.number for entry in entries if isinstance(entry, Entry)] == list(range(1, 61))
        found = [event.number for path in _segments(writer) for event in _contents(path).events]
        assert sorted(found) == list(range(1, 61))

    def test_segments_roll_by_size(self, tmp_path):
        """None is larger than the limit and one event; the full ones are sealed and closed."""
        writer = _writer(tmp_path)
        entries = [writer.append_record(record(n, text="x" * 1000)) for n in range(20)]
        segments = {entry.segment for entry in entries if isinstance(entry, Entry)}
        assert len(segments) == 5
        assert [segment.sealed for segment in sorted(segments, key=lambda each: each.number)] == [True] * 4 + [
            False
        ]
        assert all(segment.size == segment.path.stat().st_size < 4096 + 1200 for segment in segments)
        assert writer.folder is not None
        assert writer.folder.held_bytes == sum(path.stat().st_size for path in _segments(writer))

    @pytest.mark.parametrize(("max_age_seconds", "seconds"), [(7 * 24 * 3600.0, 3600), (1000.0, 100)])
    @pytest.mark.parametrize("direction", [1, -1])
    def test_segments_roll_by_age(self, direction, max_age_seconds, seconds, tmp_path):
        """A tenth of how old events may become, an hour at most; whichever way the clock goes."""
        writer = _writer(tmp_path, options=SpoolOptions(max_age_seconds=max_age_seconds))
        numbers = []
        for elapsed in (0, seconds, seconds + 1, 2 * seconds + 2):
            writer.now_ns = TIME_NS + direction * elapsed * 10**9
            entry = writer.append_record(record(1))
            assert isinstance(entry, Entry)
            numbers.append(entry.segment.number)
        assert numbers == [1, 1, 2, 3]

    def test_lanes_are_apart(self, tmp_path):
        """Errors are in other files than the rest."""
        writer = _writer(tmp_path)
        for n in range(6):
            writer.append_record(record(n, important=n % 2 == 1))
        lanes = [parse_name(path.name) for path in _segments(writer)]
        assert lanes == [(1, 0), (2, 1)]
        assert [len(_contents(path).events) for path in _segments(writer)] == [3, 3]

    def test_an_importance_of_the_applications_own(self, tmp_path):
        """Whatever it returns, there are two lanes; where it raises, the event is not written."""

        def importance(log):
            return {"a": 7, "b": 0}[log.event_name]

        writer = _writer(tmp_path, options=SpoolOptions(importance=importance))
        entries = [writer.append_record(record(1, event_name=name)) for name in "abc"]
        assert [entry.segment.lane if isinstance(entry, Entry) else entry for entry in entries] == [
            1,
            0,
            NotWritten.UNWRITABLE,
        ]

    def test_deferred_events_have_segments_of_their_own(self, tmp_path):
        """What is for the backlog is not in a file with what is in memory."""
        writer = _writer(tmp_path)
        first = writer.append_record(record(1))
        writer.deferring = True
        second = writer.append_record(record(2))
        writer.deferring = False
        third = writer.append_record(record(3))
        entries = [entry for entry in (first, second, third) if isinstance(entry, Entry)]
        assert [entry.segment.deferred for entry in entries] == [False, True, False]
        assert len({entry.segment for entry in entries}) == 3

    def test_sources_are_repeated(self, tmp_path):
        """So that damage at the beginning of a file does not take the resource of all events."""
        writer = _writer(tmp_path, options=SpoolOptions())
        other = Resource({"service.name": "other"})
        for n in range(40):
            resource = other if n % 2 else record().resource
            assert isinstance(writer.append_record(record(n, text="x" * 10_000, resource=resource)), Entry)
        (path,) = _segments(writer)
        data = bytearray(path.read_bytes())
        data[100:12_000] = bytes(11_900)
        assert writer.folder is not None
        contents = Contents(bytes(data), writer.folder.seed)
        assert [contents.source(number) for number in (1, 2)] == [(record().resource, SCOPE), (other, SCOPE)]
        assert len(contents.events) == 38

    def test_more_resources_than_are_remembered(self, tmp_path):
        """A resource for each record works, too."""
        writer = _writer(tmp_path, options=SpoolOptions())
        for n in range(600):
            assert isinstance(writer.append_record(record(n, resource=Resource({"n": n}))), Entry)
        contents = _contents(_segments(writer)[0])
        assert len(contents.events) == 600

    def test_what_cannot_be_written(self, tmp_path):
        """A value that raises, a value in itself, more than a frame takes: that is told, and nothing is broken."""

        class Hostile:
            def __str__(self) -> str:
                raise RuntimeError("no text")

        body: list[object] = []
        body.append(body)
        writer = _writer(tmp_path)
        for text in (Hostile(), body, "x" * MAX_PAYLOAD_BYTES):
            assert writer.append_record(record(1, text=text)) is NotWritten.UNWRITABLE
        entry = writer.append_record(record(2))
        assert isinstance(entry, Entry)
        assert (entry.number, writer.degraded) == (1, "")

    def test_only_this_user_reads_it(self, tmp_path):
        """Files are 0600, folders 0700."""
        writer = _writer(tmp_path)
        writer.append_record(record(1))
        assert writer.folder is not None
        assert writer.folder.path.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in writer.folder.path.iterdir()} == {0o600}


class TestFailingDisk:
    """Degrading, and coming back."""

    @pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE, errno.EFBIG])
    def test_it_degrades_and_comes_back(self, error, tmp_path):
        """For five seconds nothing is tried; then the next event is written, and nobody sees a torn one."""
        disk = FailingFileSystem(error)
        clock = Clock()
        writer = _writer(tmp_path, disk, clock=clock)
        assert isinstance(writer.append_record(record(1)), Entry)
        disk.broken = True
        assert writer.append_record(record(2)) is NotWritten.BROKEN
        assert os.strerror(error) in writer.degraded
        tries = disk.calls
        clock.seconds = 4.9
        assert writer.append_record(record(3)) is NotWritten.BROKEN
        assert disk.calls == tries
        disk.broken = False
        clock.seconds = 5.1
        assert isinstance(writer.append_record(record(4)), Entry)
        assert writer.degraded == ""
        bodies = [len(_contents(path).events) for path in _segments(writer)]
        assert sum(bodies) == 2

    def test_one_failure_costs_nothing(self, tmp_path):
        """A file that cannot be written to any more is left for another one, at once."""
        disk = FailingFileSystem(SHORT, lambda call: call == 6)
        writer = _writer(tmp_path, disk)
        entries = [writer.append_record(record(n)) for n in range(4)]
        assert all(isinstance(entry, Entry) for entry in entries)
        assert disk.failed == ["write"]
        assert writer.written == 4
        assert [entry.segment.events for entry in entries if isinstance(entry, Entry)] == [1, 3, 3, 3]
        found = [_contents(path) for path in _segments(writer)]
        assert [len(contents.events) for contents in found] == [1, 3]
        assert [contents.damages for contents in found] == [[], []]

    def test_a_torn_frame_that_cannot_be_cut_off(self, tmp_path):
        """It is damage, behind which nothing is written; the event is in another file."""
        disk = FailingFileSystem(SHORT, lambda call: call == 6, also={"truncate"})
        writer = _writer(tmp_path, disk)
        for n in range(4):
            assert isinstance(writer.append_record(record(n)), Entry)
        found = [_contents(path) for path in _segments(writer)]
        assert [len(contents.events) for contents in found] == [1, 3]
        assert [len(contents.damages) for contents in found] == [1, 0]

    def test_numbers_that_were_drawn_are_noted(self, tmp_path):
        """The next process does not take them for events that are gone."""
        disk = FailingFileSystem(SHORT, lambda call: call == 6)
        writer = _writer(tmp_path, disk)
        for n in range(4):
            writer.append_record(record(n))
        assert writer.folder is not None
        found = {event.number for path in _segments(writer) for event in _contents(path).events}
        assert found | {n for first, last in writer.folder.journal.settled for n in range(first, last + 1)} == {
            1,
            2,
            3,
            4,
            5,
        }

    def test_no_garbage_of_files_that_could_not_be_begun(self, tmp_path):
        """Empty segments and folders do not pile up while the disk is full."""
        disk = FailingFileSystem(errno.ENOSPC, only={"write"})
        disk.broken = True
        clock = Clock()
        writer = _writer(tmp_path, disk, clock=clock)
        for seconds in range(0, 100, 6):
            clock.seconds = seconds
            assert writer.append_record(record(1)) is NotWritten.BROKEN
        assert list(tmp_path.iterdir()) == []


class Interrupting(LocalFileSystem):
    """Calls a function in the midst of the n-th call, as a signal handler would be called."""

    def __init__(self, at: int, handler: Callable[[], object]) -> None:
        self.calls = 0
        self.at = at
        self._handler = handler

    def tick(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            self._handler()

    def open_append(self, path: Path) -> AppendFile:
        self.tick()
        file = super().open_append(path)
        self.tick()
        return _InterruptingFile(self, file)

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        self.tick()

    def lock(self, path: Path) -> Lock | None:
        self.tick()
        return super().lock(path)


class _InterruptingFile:
    def __init__(self, filesystem: Interrupting, file: AppendFile) -> None:
        self._filesystem = filesystem
        self._file = file

    def write(self, data: bytes) -> int:
        self._filesystem.tick()
        written = self._file.write(data)
        self._filesystem.tick()
        return written

    def sync(self) -> None:
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def close(self) -> None:
        self._filesystem.tick()
        self._file.close()


def _held(directory: Path, writer: Writer) -> list[Path]:
    """Folders that nobody can take although the writer has left them."""
    own = writer.folder.path if writer.folder else None
    locks = {path: LocalFileSystem().lock(path / "lock") for path in directory.iterdir() if path != own}
    for lock in locks.values():
        if lock is not None:
            lock.release()
    return [path for path, lock in locks.items() if lock is None]


class TestSignalHandlers:
    """An event in the midst of the writing of another, at every call to the file system."""

    @pytest.mark.parametrize("nested", ["plain", "important", "many", "deferring", "leaving", "closing"])
    def test_both_are_written(self, nested, tmp_path):
        """Whatever the handler does, its events and the interrupted one are there, once, and can be read."""
        for at in range(1, 200):
            directory = tmp_path / str(at)
            directory.mkdir()
            got: list[object] = []

            def handler():
                if nested in {"leaving", "closing"}:
                    left = writer.leave()  # noqa: B023
                    if left is not None and nested == "closing":
                        left.close()
                if nested == "deferring":
                    writer.deferring = not writer.deferring  # noqa: B023
                logs = [record(n, text="x" * 400, important=nested == "important") for n in range(100, 120)]
                got.extend(map(writer.append_record, logs if nested == "many" else logs[:1]))  # noqa: B023

            disk = Interrupting(at, handler)
            writer = _writer(directory, disk)
            for log in [record(n, text="x" * 300) for n in range(25)]:
                got.append(writer.append_record(log))  # noqa: PERF401 - the handler appends, too
            assert all(isinstance(entry, Entry) for entry in got), at
            contents = [_contents(path) for path in sorted(directory.glob("*/*.seg"))]
            assert sum(len(each.events) for each in contents) == len(got), at
            assert nested != "closing" or _held(directory, writer) == [], at
            assert [each.damages for each in contents if each.damages] == [], at
            for each in contents:
                for event in each.events:
                    assert event.payload
                assert not each.events or each.source(1)
            if disk.calls < at:
                break
        assert at > 20

    @pytest.mark.parametrize("end", [Spool.close, Spool.leave])
    def test_held_ones_do_not_come_back(self, end, tmp_path):
        """A handler that ends the process while something takes their place leaves the folder behind that."""
        for at in range(1, 100):
            directory = tmp_path / str(at)
            disk = Interrupting(0, lambda: end(producer.spool))  # noqa: B023
            producer = Producer(directory, Backend(), OPTIONS, disk)
            held = [producer.spool.hold(record(n)) for n in range(3)]
            disk.calls, disk.at = 0, at
            for n in range(10, 14):
                replaces = [entry for entry in held if entry] if n == 10 else []
                assert isinstance(producer.spool.append(record(n), replaces=replaces), Entry), at
                assert producer.spool.unsent() == n - 9, at
            disk.at = 0
            producer.die()
            backend = Backend()
            last = deliver_the_rest(directory, backend, OPTIONS)
            assert dict(backend.rows) == dict.fromkeys(range(10, 14), 1), at
            assert last.spool.accounts.recovered.dropped == {}, at
            if disk.calls < at:
                break
        assert at > 5

    def test_a_handler_that_raises(self, tmp_path):
        """The interrupted event is not acknowledged; what comes is written, and nothing is cut off."""

        def handler():
            raise KeyboardInterrupt

        for at in range(1, 100):
            directory = tmp_path / str(at)
            directory.mkdir()
            disk = Interrupting(at, handler)
            writer = _writer(directory, disk)
            written = 0
            for n in range(15):
                with suppress(KeyboardInterrupt):
                    written += isinstance(writer.append_record(record(n, text="x" * 300)), Entry)
            contents = [_contents(path) for path in sorted(directory.glob("*/*.seg")) if path.stat().st_size]
            settled = writer.folder.journal.settled if writer.folder else ()
            events = [event for each in contents for event in each.events if event.number not in settled]
            assert len(events) == written >= 14, at
            if disk.calls < at:
                break
        assert at > 20
