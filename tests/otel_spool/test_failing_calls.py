"""Every call to the file system fails once, each in each way: nothing raises, is lost, or is doubled."""

from __future__ import annotations

import errno
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from otel_spool.folder import Entry
from otel_spool.options import SpoolOptions
from tests.otel_spool.backend import Backend
from tests.otel_spool.failing_disk import SHORT, FailingFileSystem
from tests.otel_spool.producer import Producer, deliver_the_rest
from tests.otel_spool.records import number_of, record

OPTIONS = SpoolOptions(segment_bytes=4096, max_bytes=48 * 1024, durability="process")
POWER = SpoolOptions(segment_bytes=4096, max_bytes=48 * 1024, durability="power")
ERRORS = [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EACCES, SHORT]


class Story:
    """One life of a process, and who can say afterwards what must be where."""

    def __init__(self, directory: Path, options: SpoolOptions) -> None:
        self.directory = directory
        self.options = options
        self.backend = Backend()
        self.promised: set[int] = set()
        self.numbers = count(1)

    def append(self, producer: Producer, events: int, **fields: object) -> None:
        for _ in range(events):
            log = record(next(self.numbers), text="x" * 300, **fields)  # type: ignore[arg-type]
            if isinstance(producer.append(log), Entry):
                self.promised.add(number_of(log))
            else:
                producer.clock += 6.0  # the disk is tried again

    def append_together(self, producer: Producer, events: int) -> None:
        """At one go, of both lanes."""
        logs = [record(next(self.numbers), text="x" * 300, important=n % 4 == 0) for n in range(events)]
        for log, entry in zip(logs, producer.append_together(logs), strict=True):
            if isinstance(entry, Entry):
                self.promised.add(number_of(log))
        producer.clock += 6.0

    def leave_an_orphan(self) -> None:
        """A process that works, and is killed with a batch on its way."""
        dead = Producer(self.directory, self.backend, self.options)
        self.append(dead, 20)
        dead.send_live(5, ["stored"])
        dead.die()

    def live(self, filesystem: FailingFileSystem, *, killed: bool) -> Producer | None:
        """A process on the disk that fails; None when it was told so when it began."""
        try:
            producer = Producer(self.directory, self.backend, self.options, filesystem)
        except OSError:
            return None
        self.append(producer, 25)
        self.append_together(producer, 10)
        producer.send_live(10, ["error", "ack"])
        producer.send_live(5, ["stored", "ack"])
        entry = producer.append(record(number := next(self.numbers)))
        if isinstance(entry, Entry):
            self.promised.add(number)
            producer.spool.make_durable(entry)
        with suppress(OSError):
            producer.spool.sync()
        producer.spool.adopted.take()
        producer.send_backlog(["ack", "stored"])
        self.append(producer, 3, important=True)
        producer.spool.writer.deferring = True
        self.append(producer, 30)
        producer.spool.look_at_others()
        producer.spool.room.of_others += 20 * 1024
        self.append(producer, 12)
        self.append_together(producer, 12)
        producer.send_backlog(["ack", "stored", "ack", "error"])
        producer.send_live(4, ["stored"])
        assert producer.counts_add_up()
        if not killed:
            producer.letters.close()
            producer.spool.close()
            assert producer.counts_add_up()
        producer.die()
        return producer


@pytest.mark.slow
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "closed"])
@pytest.mark.parametrize("options", [OPTIONS, POWER], ids=["process", "power"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: errno.errorcode.get(error, error))
def test_the_nth_call_fails_for_all_n(error, options, killed, tmp_path):
    """What was written is delivered exactly once, by this process or by the next, or is counted as given up."""
    for n in count(1):
        story = Story(tmp_path / str(n), options)
        story.leave_an_orphan()
        disk = FailingFileSystem(error, lambda call: call == n)  # noqa: B023
        producer = story.live(disk, killed=killed)
        last = deliver_the_rest(story.directory, story.backend, options)
        given_up = producer.spool.accounts.own.dropped.get("spool_full", 0) if producer else 0
        rows = story.backend.rows
        assert story.backend.violations == [], (n, disk.failed)
        assert {number: times for number, times in rows.items() if times > 1} == {}, (n, disk.failed)
        assert len(story.promised - set(rows)) == given_up, (n, disk.failed)
        assert last.spool.accounts.recovered.dropped == {}, (n, disk.failed)
        assert {path.name for path in story.directory.iterdir()} <= {"quarantine"}, (n, disk.failed)
        if not disk.failed:
            break
    assert n > 80
