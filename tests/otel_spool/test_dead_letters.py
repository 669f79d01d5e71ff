"""Letters: what was refused is there to be read, within a bound."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_spool.dead_letters import DeadLetters, Letter, letter_files, read_letters
from otel_spool.filesystem import AppendFile, FileSystem, LocalFileSystem, Lock
from otel_spool.status import is_held
from tests.life_cycle.test_forks import in_child
from tests.otel_spool.failing_disk import SHORT, FailingFileSystem
from tests.otel_spool.records import TIME_NS, number_of, record
from tests.otel_spool.spools import Backend, Process
from tests.waiting import wait_until

DISK = LocalFileSystem()


def _letters(
    path: Path,
    filesystem: FileSystem = DISK,
    max_bytes: int = 2**20,
    clock: Callable[[], int] = lambda: TIME_NS,
) -> DeadLetters:
    return DeadLetters(filesystem, path, max_bytes=max_bytes, now_ns=clock)


def _all(path: Path) -> list[Letter]:
    return [letter for file in letter_files(DISK, path) for letter in read_letters(DISK, file)]


def test_a_letter_comes_back(tmp_path):
    """With its record, its reason, its detail and its time."""
    letters = _letters(tmp_path)
    assert letters.write(record(7, text="poison"), "permanent", "no column takes it")
    letters.close()
    (letter,) = _all(tmp_path)
    assert letter.record.log_record.body == [7, "poison"]
    assert letter.record.resource == record().resource
    assert letter.record.instrumentation_scope == record().instrumentation_scope
    assert (letter.reason, letter.detail, letter.refused_ns) == ("permanent", "no column takes it", TIME_NS)
    assert letter.path.stat().st_mode & 0o777 == 0o600


def test_no_letters(tmp_path):
    """A spool without refusals has no folder for them."""
    assert letter_files(DISK, tmp_path) == []


def test_they_stay_within_their_bound(tmp_path):
    """The oldest files go; the newest letters are there."""
    ticks = iter(range(TIME_NS, TIME_NS + 10**6))
    letters = _letters(tmp_path, max_bytes=40_000, clock=lambda: next(ticks))
    for number in range(400):
        assert letters.write(record(number, text="x" * 200), "permanent", "")
    letters.close()
    assert sum(path.stat().st_size for path in letter_files(DISK, tmp_path)) <= 40_000
    numbers = [number_of(letter.record) for letter in _all(tmp_path)]
    assert numbers == list(range(400 - len(numbers), 400))
    assert len(numbers) > 30


@pytest.mark.parametrize("frame", [0, 1, 2], ids=["source", "letter", "event"])
def test_damage_takes_one_letter(frame, tmp_path):
    """And never gives an event the resource or the reason of another."""
    letters = _letters(tmp_path)
    other = record(2, resource=record().resource.merge(record().resource.create({"service.name": "other"})))
    for log, reason in [(record(1), "first"), (other, "second"), (record(3), "third")]:
        letters.write(log, reason, "")
    letters.close()
    (path,) = letter_files(DISK, tmp_path)
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data)) if data.startswith(b"\xa5\x53\x01", at)]
    data[places[1 + 3 + frame] + 18] ^= 1
    path.write_bytes(data)
    found = [(letter.reason, number_of(letter.record)) for letter in _all(tmp_path)]
    assert found == [("first", 1), ("third", 3)]
    assert {letter.record.resource.attributes["service.name"] for letter in _all(tmp_path)} == {"shop"}


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, SHORT])
def test_a_write_that_fails(error, tmp_path):
    """Whichever call it is: nothing raises, the letter is not there, the others are."""
    for n in range(1, 40):
        disk = FailingFileSystem(error, lambda call: call == n)  # noqa: B023
        directory = tmp_path / str(n)
        letters = _letters(directory, disk)
        written = [number for number in range(5) if letters.write(record(number), "permanent", "")]
        letters.close()
        assert [number_of(letter.record) for letter in _all(directory)] == written, n
        assert len(written) >= 4
        if not disk.failed:
            return
    raise AssertionError("every call failed")


def test_a_value_without_a_text(tmp_path):
    """The loss is counted elsewhere; here it is only not written."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    letters = _letters(tmp_path)
    assert not letters.write(record(1, text=Hostile()), "encode", "")
    assert letters.write(record(2), "encode", "")
    letters.close()
    assert [number_of(letter.record) for letter in _all(tmp_path)] == [2]


def test_a_value_whose_text_is_made_slowly(tmp_path):
    """Meanwhile nobody waits: the code that makes it may emit, and so wait for locks that others hold."""
    letters = _letters(tmp_path)
    locked: list[bool] = []

    class Text:
        def __str__(self) -> str:
            locked.append(letters._lock.locked())
            return "text"

    assert letters.write(record(1, text=Text()), "permanent", "")
    letters.close()
    assert not any(locked)
    assert [letter.record.log_record.body for letter in _all(tmp_path)] == [[1, "text"]]


@pytest.mark.parametrize("error", [errno.ENOSPC, SHORT])
@pytest.mark.parametrize("header", [False, True])
def test_a_full_disk_gets_no_files(header, error, tmp_path):
    """Whether it has room for a header or not, what is refused leaves no file in which no letter is."""
    disk = FailingFileSystem(error, lambda call: disk.broken and (not header or call % 2 == 0), only={"write"})
    letters = _letters(tmp_path, disk)
    disk.broken = True
    assert not any(letters.write(record(number), "permanent", "") for number in range(10))
    assert letter_files(DISK, tmp_path) == []
    disk.broken = False
    assert letters.write(record(10), "permanent", "")
    disk.broken, disk.calls = True, 1
    assert not any(letters.write(record(number), "permanent", "") for number in range(11, 20))
    letters.close()
    assert len(letter_files(DISK, tmp_path)) == 1
    assert [number_of(letter.record) for letter in _all(tmp_path)] == [10]


def test_a_disk_without_locks_gets_no_files(tmp_path):
    """A file of which nobody can say whose it is takes no letter."""

    class Lockless(LocalFileSystem):
        def lock(self, path: Path) -> Lock | None:
            held = super().lock(path)
            assert held is not None
            held.release()
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    letters = _letters(tmp_path, Lockless())
    assert not letters.write(record(1), "permanent", "")
    assert letter_files(DISK, tmp_path) == []


def test_files_that_are_no_letters(tmp_path):
    """Garbage yields nothing."""
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "1.letters").write_bytes(b"garbage" * 100)
    (tmp_path / "dead" / "notes.txt").write_bytes(b"of somebody")
    assert _all(tmp_path) == []


def _remove_file(path: Path) -> None:
    for file in letter_files(DISK, path):
        file.unlink()


def _remove_folder(path: Path) -> None:
    shutil.rmtree(path / "dead")


def _replace_file(path: Path) -> None:
    for file in letter_files(DISK, path):
        file.unlink()
        file.touch()


@pytest.mark.parametrize("disturb", [_remove_file, _remove_folder, _replace_file])
def test_a_file_that_is_removed_while_it_is_written_to(disturb, tmp_path):
    """An operator tidies up, or another process makes room: the next letters go to another file."""
    letters = _letters(tmp_path)
    assert letters.write(record(1), "permanent", "")
    disturb(tmp_path)
    for number in (2, 3):
        assert letters.write(record(number), "permanent", "")
    letters.close()
    assert [number_of(letter.record) for letter in _all(tmp_path)] == [2, 3]


class _Drained(LocalFileSystem):
    """Another process drains, as ``otel_spool.drain`` does it, whenever a file is opened here."""

    def __init__(self, *, before: bool) -> None:
        self._before = before
        self.taken: list[Path] = []

    def open_append(self, path: Path) -> AppendFile:
        if self._before:
            self._drain(path)
        opened = super().open_append(path)
        self._drain(path)
        return opened

    def _drain(self, path: Path) -> None:
        if path.exists() and (held := super().lock(path)) is not None:
            self.taken.append(path)
            path.unlink()
            held.release()


@pytest.mark.parametrize("before", [True, False])
def test_a_new_file_is_nobody_elses(before, tmp_path):
    """From its first moment on it is locked: who drains meanwhile leaves it alone."""
    disk = _Drained(before=before)
    letters = _letters(tmp_path, disk)
    for number in (1, 2):
        assert letters.write(record(number), "permanent", "")
    letters.close()
    assert disk.taken == []
    assert [number_of(letter.record) for letter in _all(tmp_path)] == [1, 2]


class _Taken(LocalFileSystem):
    """Another process has locked so many of the next new files before us."""

    def __init__(self, files: int) -> None:
        self.files = files

    def lock(self, path: Path) -> Lock | None:
        held = super().lock(path)
        if self.files and held is not None:
            self.files -= 1
            held.release()
            path.unlink()
            return None
        return held


def test_a_new_file_that_somebody_else_has_locked(tmp_path):
    """It is theirs, and goes with what is in it: the letter goes to the next one."""
    letters = _letters(tmp_path, _Taken(2))
    assert letters.write(record(1), "permanent", "")
    (file,) = letter_files(DISK, tmp_path)
    assert is_held(file)
    letters.close()
    assert [number_of(letter.record) for letter in _all(tmp_path)] == [1]


def test_new_files_that_are_all_taken(tmp_path):
    """The letter is not written, and said so; nobody tries for ever."""
    disk = _Taken(10**6)
    letters = _letters(tmp_path, disk)
    assert not letters.write(record(1), "permanent", "")
    disk.files = 0
    assert letters.write(record(2), "permanent", "")
    letters.close()
    assert [number_of(letter.record) for letter in _all(tmp_path)] == [2]


def test_a_new_file_of_somebody_else_is_not_removed(tmp_path):
    """It goes when they are through with it."""

    class Held(LocalFileSystem):
        def lock(self, path: Path) -> Lock | None:
            theirs.append(super().lock(path))
            return None

    theirs: list[Lock | None] = []
    assert not _letters(tmp_path, Held()).write(record(1), "permanent", "")
    assert len(letter_files(DISK, tmp_path)) == len(theirs)
    for held in theirs:
        assert held is not None
        held.release()


def test_a_child_does_not_hold_its_dead_parents_letters(tmp_path):
    """What a killed parent has left can be drained while its children live on."""
    reading, writing = os.pipe()

    def parent() -> bool:
        backend = Backend()
        backend.refuses = frozenset({"poison"})
        process = Process(backend, tmp_path)
        process.emit("poison")
        assert process.processor.flush(30).complete
        if os.fork() == 0:
            os.close(writing)
            (tmp_path / "forked").touch()
            os.read(reading, 1)  # until the test is over
            os._exit(0)
        wait_until((tmp_path / "forked").exists)
        (file,) = letter_files(DISK, tmp_path)
        return is_held(file)  # the child has left it to us

    try:
        assert in_child(parent)
        (file,) = letter_files(DISK, tmp_path)
        assert not is_held(file)
    finally:
        os.close(reading)
        os.close(writing)
    assert [letter.reason for letter in _all(tmp_path)] == ["permanent"]
