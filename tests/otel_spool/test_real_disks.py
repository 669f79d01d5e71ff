"""What only a real disk and real processes show: full, read-only, removed under us, limits, and races."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from otel_spool.folder import Entry
from otel_spool.options import SpoolOptions
from otel_spool.writer import NotWritten
from tests.otel_spool.backend import Backend
from tests.otel_spool.producer import Producer, deliver_the_rest
from tests.otel_spool.records import record
from tests.otel_spool.small_disk import NotPermittedError, SmallDisk, mounted

OPTIONS = SpoolOptions(segment_bytes=64 * 1024, max_bytes=2**26)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of one megabyte. Some containers permit none: there the summary says so, in CI as well."""
    try:
        with mounted(tmp_path) as disk:
            yield disk
    except NotPermittedError:
        pytest.skip("neither mount nor unshare --user --mount is permitted here: full real disks are not tested")


def _fill(producer: Producer, numbers) -> dict[int, object]:
    return {number: producer.append(record(number, text="x" * 1000)) for number in numbers}


def _written(got: dict[int, object]) -> list[int]:
    return [number for number, entry in got.items() if isinstance(entry, Entry)]


class TestFullDisk:
    """A tmpfs of one megabyte."""

    def test_it_fills_and_is_delivered(self, small_disk):
        """What was written is delivered, each batch noted first, full disk or not; then it is written to again."""
        backend = Backend()
        producer = Producer(small_disk.path / "spool", backend, OPTIONS)
        producer.spool.writer.deferring = True
        first = _fill(producer, range(2000))
        assert "No space left" in producer.spool.writer.degraded
        assert 700 < len(_written(first)) < 1000
        with pytest.raises(OSError, match="No space left"):
            (small_disk.path / "other").write_bytes(b"x" * 100_000)
        for _ in range(50):
            assert producer.spool.writer.folder is not None
            producer.send_backlog(["stored"])
            assert not producer.spool.writer.folder.journal.behind
        assert producer.send_backlog(["ack"] * 999)
        assert dict(backend.rows) == dict.fromkeys(_written(first), 1)
        (small_disk.path / "other").unlink()
        producer.clock += 6
        second = _fill(producer, range(3000, 3100))
        assert len(_written(second)) == 100
        assert producer.spool.writer.degraded == ""
        assert producer.counts_add_up()

    def test_it_fills_and_the_process_is_killed(self, small_disk):
        """With a batch on its way that was frozen on the full disk: the next process delivers everything once."""
        backend = Backend()
        producer = Producer(small_disk.path / "spool", backend, OPTIONS)
        got = _fill(producer, range(2000))
        with pytest.raises(OSError, match="No space left"):
            (small_disk.path / "other").write_bytes(b"x" * 100_000)
        producer.send_live(100, ["stored"])
        producer.die()
        deliver_the_rest(small_disk.path / "spool", backend, OPTIONS)
        assert dict(backend.rows) == dict.fromkeys(_written(got), 1)
        assert [path.name for path in (small_disk.path / "spool").iterdir()] == []

    def test_a_disk_that_is_read_only_at_the_start(self, small_disk):
        """A spool that is there begins, and its events wait in memory."""
        (small_disk.path / "spool").mkdir(mode=0o700)
        small_disk.make_read_only()
        producer = Producer(small_disk.path / "spool", Backend(), OPTIONS)
        assert producer.append(record(1)) is NotWritten.BROKEN
        assert producer.spool.adopted.take() == 0
        producer.spool.look_at_others()
        producer.spool.close()
        with pytest.raises(OSError, match="Read-only"):
            Producer(small_disk.path / "other", Backend(), OPTIONS)


class TestRemovedUnderUs:
    """Somebody removes the spool, or a part of it, while we run."""

    @pytest.mark.parametrize("what", ["everything", "the folder", "the segments", "the lock", "the journal"])
    def test_events_go_on(self, what, tmp_path):
        """What is in memory is delivered once, what was on disk only is counted, what comes is written again."""
        spool = tmp_path / "spool"
        backend = Backend()
        producer = Producer(spool, backend, OPTIONS)
        _fill(producer, range(10))
        producer.send_live(2, ["ack"])
        producer.spool.writer.deferring = True
        _fill(producer, range(10, 15))
        producer.spool.writer.deferring = False
        (folder,) = spool.iterdir()
        if what in {"everything", "the folder"}:
            shutil.rmtree(spool if what == "everything" else folder)
        else:
            for path in folder.glob({"the segments": "*.seg", "the lock": "lock", "the journal": "journal"}[what]):
                path.unlink()
        producer.spool.adopted.take()
        producer.spool.look_at_others()
        after = _fill(producer, range(20, 100))
        assert len(_written(after)) == 80
        producer.send_live(30, ["ack"])
        assert producer.send_backlog(["ack"] * 99)
        assert producer.counts_add_up()
        gone = what in {"everything", "the folder", "the segments"}
        assert producer.spool.accounts.own.dropped == ({"vanished": 5} if gone else {})
        producer.die()
        deliver_the_rest(spool, backend, OPTIONS)
        expected = [*range(10 if gone else 15), *range(20, 100)]
        assert dict(backend.rows) == dict.fromkeys(expected, 1)

    def test_between_two_looks(self, tmp_path):
        """Nothing raises before it is noticed, either."""
        spool = tmp_path / "spool"
        producer = Producer(spool, Backend(), OPTIONS)
        _fill(producer, range(10))
        shutil.rmtree(spool)
        assert len(_written(_fill(producer, range(10, 200)))) == 190
        producer.send_live(200, ["ack"])
        assert sorted(producer.backend.rows) == list(range(200))
        assert producer.counts_add_up()
        producer.spool.close()

    def test_a_folder_that_another_process_has_taken(self, tmp_path):
        """Its lock was removed, and taken by another: it is that one's, and we go on elsewhere."""
        backend = Backend()
        producer = Producer(tmp_path, backend, OPTIONS)
        _fill(producer, range(10))
        (folder,) = tmp_path.iterdir()
        (folder / "lock").unlink()
        other = Producer(tmp_path, backend, OPTIONS)
        assert other.spool.adopted.take() == 1
        producer.spool.look_at_others()
        _fill(producer, range(10, 12))
        assert other.send_backlog(["ack"] * 9)
        producer.live = producer.live[10:]
        producer.send_live(2, ["ack"])
        assert dict(backend.rows) == dict.fromkeys(range(12), 1)
        assert producer.counts_add_up()


class TestLimits:
    """Of the process."""

    def test_a_limit_to_the_size_of_files(self, tmp_path):
        """``ulimit -f`` below the size of segments: they become smaller, and nothing is lost."""
        code = f"""
import resource, sys
from pathlib import Path
from tests.otel_spool.test_real_disks import OPTIONS, Backend, Producer, _fill, _written
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
producer = Producer(Path({str(tmp_path)!r}), Backend(), OPTIONS)
print(len(_written(_fill(producer, range(100)))), repr(producer.spool.writer.degraded))
"""
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout == "100 ''\n"
        backend = Backend()
        deliver_the_rest(tmp_path, backend, OPTIONS)
        assert dict(backend.rows) == dict.fromkeys(range(100), 1)

    def test_no_file_descriptors_left(self, tmp_path):
        """Events go to memory until there are some; nothing is adopted, nothing raises."""
        backend = Backend()
        dead = Producer(tmp_path, backend, OPTIONS)
        _fill(dead, range(5))
        dead.die()
        producer = Producer(tmp_path, backend, OPTIONS)
        producer.spool.writer.deferring = True
        _fill(producer, range(10, 12))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        producer.spool.writer.seal_all()
        taken: list[int] = []
        gc.collect()
        gc.disable()  # spools of other tests that are garbage would give their descriptors back in between
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, hard))  # noqa: PTH208
        try:
            with suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            entry = producer.append(record(12))
            assert producer.spool.adopted.take() == 0
            producer.spool.look_at_others()
            assert not producer.send_backlog(["ack"])
        finally:
            gc.enable()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in taken:
                os.close(descriptor)
        assert len(taken) >= 20
        assert entry is NotWritten.BROKEN
        producer.clock += 6
        assert isinstance(producer.append(record(13)), Entry)
        producer.spool.adopted.take()
        assert producer.send_backlog(["ack"] * 9)
        assert dict(backend.rows) == dict.fromkeys([*range(5), 10, 11, 13], 1)


ADOPTER = """
import sys
from pathlib import Path
from otel_spool.options import SpoolOptions
from tests.otel_spool.backend import Backend
from tests.otel_spool.producer import Producer
from tests.otel_spool.records import record
backend = Backend()
producer = Producer(Path(sys.argv[1]), backend, SpoolOptions(segment_bytes=64 * 1024, max_bytes=2**26))
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    if number < 31:
        producer.append(record(int(sys.argv[2]) + number))
        producer.spool.leave()
    producer.spool.adopted.take()
    assert producer.send_backlog(["ack"] * 99)
producer.spool.close()
for number in backend.rows.elements():
    print(number)
print("dropped", producer.spool.accounts.recovered.dropped)
"""


@pytest.mark.slow
def test_processes_that_adopt_at_once(tmp_path):
    """Three real processes race for two hundred folders, and for those that they leave: all is delivered once."""
    for start in range(0, 400, 2):
        dead = Producer(tmp_path, Backend(), OPTIONS)
        _fill(dead, range(start, start + 2))
        dead.die()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ADOPTER, str(tmp_path), str(10_000 * rank)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (1, 2, 3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        outputs.append(output.splitlines())
    backend = Backend()
    deliver_the_rest(tmp_path, backend, OPTIONS)
    delivered = [int(line) for lines in outputs for line in lines if line.isdigit()] + list(
        backend.rows.elements()
    )
    appended = [number for rank in (1, 2, 3) for number in range(10_000 * rank, 10_000 * rank + 31)]
    assert len(delivered) == len(set(delivered))
    assert set(range(400)) <= set(delivered)
    assert set(appended) <= set(delivered)
    assert [line for lines in outputs for line in lines if line.startswith("dropped")] == ["dropped {}"] * 3


WRITER = """
import sys
from pathlib import Path
from otel_spool.options import SpoolOptions
from tests.otel_spool.backend import Backend
from tests.otel_spool.producer import Producer
from tests.otel_spool.records import record
producer = Producer(Path(sys.argv[1]), Backend(), SpoolOptions(segment_bytes=8192, max_bytes=2**26))
for number in range(10**9):
    producer.append(record(number, text="x" * (number % 2000)))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_real_kills_in_the_midst_of_writing(tmp_path):
    """SIGKILL at any moment: every event that was acknowledged is delivered, once."""
    for kill in range(15):
        directory = tmp_path / str(kill)
        command = [sys.executable, "-c", WRITER, str(directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(50 + 97 * kill):
                process.stdout.readline()
            process.kill()
            rest = process.stdout.read().split("\n")
        acknowledged = 50 + 97 * kill + len([line for line in rest[:-1] if line])
        backend = Backend()
        last = deliver_the_rest(directory, backend, OPTIONS)
        assert set(range(acknowledged)) <= set(backend.rows)
        assert set(backend.rows.values()) == {1}
        assert last.spool.accounts.recovered.dropped == {}
