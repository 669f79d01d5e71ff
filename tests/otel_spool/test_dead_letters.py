"""Letters: what was refused is there to be read, within a bound."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_spool.dead_letters import DeadLetters, Letter, letter_files, read_letters
from otel_spool.filesystem import FileSystem, LocalFileSystem
from tests.otel_spool.failing_disk import SHORT, FailingFileSystem
from tests.otel_spool.records import TIME_NS, number_of, record

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


def test_files_that_are_no_letters(tmp_path):
    """Garbage yields nothing."""
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "1.letters").write_bytes(b"garbage" * 100)
    (tmp_path / "dead" / "notes.txt").write_bytes(b"of somebody")
    assert _all(tmp_path) == []
