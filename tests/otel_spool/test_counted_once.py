"""A process is killed at any operation of the disk: each event is delivered, or told of as lost, once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random

import pytest

from otel_spool.folder import Entry
from otel_spool.frame import MAGIC, Kind, pack
from otel_spool.options import SpoolOptions
from tests.otel_spool.backend import Backend
from tests.otel_spool.memory_disk import Disk, Killed, Process
from tests.otel_spool.producer import Producer
from tests.otel_spool.records import TIME_NS, record

DIRECTORY = Path("/spool")
OPTIONS = SpoolOptions(segment_bytes=4096, max_bytes=12_000, report_losses=True)
LATER_NS = TIME_NS + 8 * 24 * 3600 * 10**9


class Story:
    """Processes on one disk, one after the other."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.backend = Backend()
        self.promised: set[int] = set()
        self.told: dict[str, int] = {}

    def process(self, *, kill_at: int | None = None) -> Producer:
        files = Process(self.disk, Random(1))
        files.kill_at = kill_at
        producer = Producer(DIRECTORY, self.backend, OPTIONS, files)
        producer.now_ns = LATER_NS
        return producer

    def append(self, producer: Producer, *numbers: int) -> None:
        for number in numbers:
            if isinstance(producer.append(record(number, text="x" * 300)), Entry):
                self.promised.add(number)

    def end_all(self) -> None:
        """Whoever lives is killed."""
        for process in set(self.disk.holders.values()):
            process.kill()

    def take_over(self, producer: Producer) -> None:
        """Deliver what is there, and tell of what is lost."""
        while producer.spool.adopted.take() or producer.spool.adopted:
            assert producer.send_backlog([])
            for loss in producer.spool.take_losses():
                self.told[loss.reason] = self.told.get(loss.reason, 0) + loss.events


def fills_the_spool(story: Story, kill_at: int) -> None:
    """Old segments give way to new events."""
    producer = story.process(kill_at=kill_at)
    producer.spool.writer.deferring = True
    story.append(producer, *range(55))


def is_refused(story: Story, kill_at: int) -> None:
    """Two events of a batch."""
    story.backend.poison = frozenset({1, 4})
    producer = story.process(kill_at=kill_at)
    story.append(producer, *range(6))
    producer.send_live(6, ["ack"] * 9)


def finds_damage(story: Story, kill_at: int) -> None:
    """In a frozen batch and outside, bytes and records, behind a segment that is too old."""
    dead = story.process()
    dead.now_ns = TIME_NS
    story.append(dead, *range(6))
    dead.spool.writer.seal_all()
    dead.live.clear()
    dead.now_ns = LATER_NS
    story.append(dead, *range(10, 16))
    segment = dead.live[-1][1].segment
    data = story.disk.file(segment.path).data
    folder = dead.spool.writer.folder
    assert folder is not None
    unreadable = pack(Kind.EVENT_JSON, dead.live[-1][1].number, b"no record", folder.seed)
    data[-dead.live[-1][1].size :] = unreadable
    story.append(dead, 16, 17)
    dead.send_live(4, ["error"])
    places = [at for at in range(len(data)) if data.startswith(MAGIC, at)]
    for place in (-7, -4):  # of 11, which is frozen, and of 14
        data[places[place] + 40] ^= 1
    story.end_all()
    adopter = story.process(kill_at=kill_at)
    adopter.spool.adopted.take()
    adopter.send_backlog([])


@pytest.mark.parametrize("damaged", [0, 1])
def test_damage_behind_what_is_too_old(damaged: int) -> None:
    """What is given up is in the numbers already; each is counted once, however late somebody asks."""
    story = Story()
    dead = story.process()
    dead.now_ns = TIME_NS
    story.append(dead, *range(5))
    dead.spool.writer.seal_all()
    dead.now_ns = LATER_NS
    story.append(dead, *range(5, 10))
    entry = dead.live[-2][1]
    data = story.disk.file(entry.segment.path).data
    for _ in range(damaged):
        data[-2 * entry.size + 40] ^= 1
    story.end_all()
    last = story.process()
    last.spool.adopted.take()
    for _ in range(3):
        assert last.send_backlog([])
    assert len(story.backend.rows) == 5 - damaged
    story.take_over(last)
    assert story.told == ({"expired": 5, "corrupt": 1} if damaged else {"expired": 5})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tells", "told"),
    [
        (fills_the_spool, {"spool_full": 33}),
        (is_refused, {"permanent": 2}),
        (finds_damage, {"corrupt": 3, "expired": 6}),
    ],
    ids=["fills", "is refused", "finds damage"],
)
def test_killed_at_any_operation(tells: Callable[[Story, int], None], told: dict[str, int]) -> None:
    """What was accepted and is not stored is what somebody is told of, whoever lives to see it."""
    for kill_at in count(1):
        story = Story()
        killed = True
        with suppress(Killed):
            tells(story, kill_at)
            killed = False
        story.end_all()
        story.take_over(story.process())
        rows = story.backend.rows
        assert {number: times for number, times in rows.items() if times > 1} == {}, kill_at
        assert sum(story.told.values()) == len(story.promised - set(rows)), (kill_at, story.told)
        if not killed:
            break
    assert story.told == told
    assert kill_at > 20
