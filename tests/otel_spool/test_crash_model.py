"""
The spool on a disk that forgets, against a plain list of what was promised.

A process may be killed in the midst of any operation, and the power may go at any time; the backend stores
what it then denies. Whatever happened, a last process that finds the spool must bring the backend to where the
promises say. The machine is worth what it catches, so it is run against planted bugs, too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from otel_spool import frame
from otel_spool.backlog import Backlog
from otel_spool.codec import encode_record
from otel_spool.folder import Entry, Folder
from otel_spool.frame import pack
from otel_spool.journal import Journal
from otel_spool.options import SpoolOptions
from otel_spool.spool import Spool
from tests.otel_spool.backend import Backend
from tests.otel_spool.memory_disk import Disk, Killed, Process
from tests.otel_spool.producer import Producer
from tests.otel_spool.records import record

DIRECTORY = Path("/spool")
BOGUS = -1


class BrokenPromiseError(AssertionError):
    """What must never be."""


def promise(kept: bool, sentence: str, *found: object) -> None:
    """Stop at what must never be."""
    if not kept:
        raise BrokenPromiseError(sentence, *found)


class Running(Producer):
    """One that can be killed in the midst of an operation."""

    def __init__(self, disk: Disk, backend: Backend, options: SpoolOptions, rng: Random) -> None:
        self.process = Process(disk, rng)
        super().__init__(DIRECTORY, backend, options, self.process)


class Machine(RuleBasedStateMachine):
    """Two processes at most, one spool, one backend."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.backend = Backend()
        self.producers: list[Running] = []
        self.next_number = 1
        self.tried: set[int] = set()
        self.promised: set[int] = set()
        self.unsynced: set[int] = set()
        self.lost: set[int] = set()
        self.power_went = False

    @initialize(power=st.booleans(), poison=st.booleans(), seed=st.integers(0, 2**32))
    def begin(self, power: bool, poison: bool, seed: int) -> None:
        self.options = SpoolOptions(
            durability="power" if power else "process", segment_bytes=4096, max_bytes=2**30
        )
        self.backend.poison = frozenset(range(5, 1000, 7)) if poison else frozenset()
        self.rng = Random(seed)

    def _on(self, producer: Running, action: Callable[[], Any]) -> Any:
        """Do something in a process, which may be killed by it."""
        try:
            return action()
        except Killed:
            self.producers.remove(producer)
            return None

    def _some(self, pick: int) -> Running | None:
        return self.producers[pick % len(self.producers)] if self.producers else None

    @precondition(lambda self: len(self.producers) < 2)
    @rule()
    def start(self) -> None:
        self.producers.append(Running(self.disk, self.backend, self.options, self.rng))

    @rule(
        pick=st.integers(0, 1),
        events=st.integers(1, 6),
        kind=st.sampled_from(["plain", "long", "forged", "important", "bytes"]),
        durable=st.booleans(),
    )
    def append(self, pick: int, events: int, kind: str, durable: bool) -> None:
        self._append(pick, events, kind, durable)

    @rule(
        pick=st.integers(0, 1),
        events=st.integers(1, 6),
        last=st.sampled_from(["ack", "stored", "stored", "error"]),
    )
    def append_and_send(self, pick: int, events: int, last: str) -> None:
        self._append(pick, events, "plain", durable=False)
        self.send_live(pick, 99, [], last)

    def _append(self, pick: int, events: int, kind: str, durable: bool) -> None:
        if not self.producers:
            self.start()
        producer = self._some(pick)
        for _ in range(events):
            if producer is None or not producer.process.alive:
                return
            number, self.next_number = self.next_number, self.next_number + 1
            self.tried.add(number)
            entry = self._on(producer, lambda: producer.append(_record(number, kind)))  # noqa: B023
            if not isinstance(entry, Entry):
                promise(entry is None, "a disk that works takes every event", entry)
                return
            self.promised.add(number)
            self.unsynced.add(number)
            if durable and self._on(producer, lambda: producer.spool.make_durable(entry)):  # noqa: B023
                self.unsynced.discard(number)

    @rule(
        pick=st.integers(0, 1),
        kinds=st.lists(st.sampled_from(["plain", "long", "forged", "important", "bytes"]), min_size=1, max_size=9),
        durable=st.booleans(),
    )
    def append_together(self, pick: int, kinds: list[str], durable: bool) -> None:
        if not self.producers:
            self.start()
        producer = self._some(pick)
        if producer is None:
            return
        numbers = range(self.next_number, self.next_number + len(kinds))
        self.next_number = numbers.stop
        self.tried.update(numbers)
        logs = [_record(number, kind) for number, kind in zip(numbers, kinds, strict=True)]
        entries = self._on(producer, lambda: producer.append_together(logs))
        if entries is None:
            return
        promise(all(isinstance(entry, Entry) for entry in entries), "a disk that works takes every event", entries)
        self.promised.update(numbers)
        self.unsynced.update(numbers)
        for number, entry in zip(numbers, entries, strict=True):
            alive = durable and producer.process.alive
            if alive and self._on(producer, lambda: producer.spool.make_durable(entry)):  # noqa: B023
                self.unsynced.discard(number)

    @rule(pick=st.integers(0, 1))
    def sync(self, pick: int) -> None:
        producer = self._some(pick)
        if producer is not None and self.options.durability == "power":
            self._on(producer, producer.spool.sync)
            if producer.process.alive:
                self.unsynced -= producer.numbers

    @rule(
        pick=st.integers(0, 1),
        events=st.integers(1, 12),
        script=st.lists(st.sampled_from(["stored", "error"]), max_size=2),
        last=st.sampled_from(["ack", "ack", "stored", "error"]),
    )
    def send_some(self, pick: int, events: int, script: list[str], last: str) -> None:
        self.send_live(pick, events, script, last)

    def send_live(self, pick: int, events: int, script: list[str], last: str) -> None:
        producer = self._some(pick)
        if producer is not None:
            self._on(producer, lambda: producer.send_live(events, [*script, last]))

    @rule(pick=st.integers(0, 1), script=st.lists(st.sampled_from(["ack", "stored", "error"]), max_size=4))
    def send_backlog(self, pick: int, script: list[str]) -> None:
        producer = self._some(pick)
        if producer is not None:
            self._on(producer, lambda: producer.send_backlog(script))

    @rule(pick=st.integers(0, 1))
    def adopt(self, pick: int) -> None:
        producer = self._some(pick)
        if producer is not None:
            self._on(producer, producer.spool.adopted.take)

    @rule(pick=st.integers(0, 1))
    def defer(self, pick: int) -> None:
        producer = self._some(pick)
        if producer is not None:
            producer.spool.writer.deferring = not producer.spool.writer.deferring

    @rule(pick=st.integers(0, 1))
    def roll(self, pick: int) -> None:
        producer = self._some(pick)
        if producer is not None:
            self._on(producer, producer.spool.writer.seal_all)

    @rule(pick=st.integers(0, 1))
    def close(self, pick: int) -> None:
        producer = self._some(pick)
        if producer is not None:
            self._on(producer, producer.spool.close)
            if producer in self.producers:
                self.producers.remove(producer)

    @rule(pick=st.integers(0, 1))
    def kill(self, pick: int) -> None:
        producer = self._some(pick)
        if producer is not None:
            producer.process.kill()
            self.producers.remove(producer)

    @rule(pick=st.integers(0, 1), operations=st.integers(1, 12))
    def kill_soon(self, pick: int, operations: int) -> None:
        producer = self._some(pick)
        if producer is not None and producer.process.kill_at is None:
            producer.process.kill_at = producer.process.operations + operations

    @rule(fate=st.sampled_from(["mixed", "mixed", "mixed", "lost"]))
    def cut_power(self, fate: str) -> None:
        for producer in self.producers:
            producer.process.kill()
        self.producers.clear()
        self.disk.cut_power(self.rng, fate)
        self.lost |= self.unsynced
        self.unsynced.clear()
        self.power_went = True

    @invariant()
    def no_token_goes_with_other_events(self) -> None:
        promise(not self.backend.violations, "a token comes with the same events", self.backend.violations)

    @invariant()
    def nothing_is_stored_that_nobody_wrote(self) -> None:
        bogus = set(self.backend.rows) - self.tried
        promise(not bogus, "what is stored was written", bogus)

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        if not self.power_went or self.options.durability == "power":
            doubled = [number for number, times in self.backend.rows.items() if times > 1]
            promise(not doubled, "nothing is stored twice", doubled)

    @invariant()
    def the_counts_add_up(self) -> None:
        for producer in self.producers:
            if producer.process.alive:
                promise(
                    producer.counts_add_up(), "the counts add up", producer.accepted, producer.spool.accounts.own
                )

    def teardown(self) -> None:
        if not hasattr(self, "rng"):
            return
        for producer in self.producers:
            producer.process.kill()
        self._recover()
        self.no_token_goes_with_other_events()
        self.nothing_is_stored_that_nobody_wrote()
        self.nothing_is_stored_twice()
        missing = self.promised - self.lost - set(self.backend.rows) - self.backend.poison
        promise(not missing, "nothing is lost", missing)
        if self.next_number > 1:
            left = {path.parts[2] for path in self.disk.files(DIRECTORY)} - {"dead", "quarantine"}
            promise(not left, "what is delivered leaves no files", left)

    def _recover(self) -> None:
        last = Running(self.disk, self.backend, self.options, self.rng)
        while last.spool.adopted.take():
            promise(last.send_backlog([]), "a backlog that can be delivered is")
        promise(not last.spool.adopted, "folders are let go")
        if not self.power_went:
            dropped = last.spool.accounts.recovered.dropped
            promise(dropped.keys() <= {"permanent"}, "after kills nothing is counted as damaged", dropped)
        last.spool.close()


def _record(number: int, kind: str) -> Any:
    if kind == "forged":
        payload = encode_record(record(BOGUS), 1)
        return record(number, text="x" * 300 + pack(payload[0], 1000 + number, payload[1], 0).decode("latin-1"))
    if kind == "bytes":
        payload = encode_record(record(BOGUS), 1)
        return record(number, text=b"x" * 600 + pack(payload[0], 1000 + number, payload[1], 0) * 3)
    return record(number, text="x" * (900 if kind == "long" else 20), important=kind == "important")


def _run(examples: int, *, steps: int = 40, derandomize: bool = False) -> None:
    run_machine(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=[Phase.generate],
            derandomize=derandomize,
            report_multiple_bugs=False,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_the_promises_are_kept():
    """After kills nothing is lost or doubled; after a loss of power nothing that was synced is lost."""
    _run(30)


@pytest.mark.slow
def test_whatever_happens_the_promises_are_kept_in_more_ways():
    """The same, longer."""
    _run(500, steps=60)


def checksum_over_payloads_only(patch: pytest.MonkeyPatch) -> None:
    """Text that looks like a frame is taken for one."""
    patch.setattr(frame, "crc32", lambda data, seed=0: crc32(bytes(data)[frame._PREFIX.size :]))


def tokens_without_a_process(patch: pytest.MonkeyPatch) -> None:
    """A token of a folder and a number: in a container each process begins with the first again."""
    names = iter(["0123456789abcdef"] * 10**6)
    original = Spool.freeze

    def freeze(self: Spool, folder: Folder, entries: Any, **options: Any) -> str | None:
        self.writer.producer, name = next(names), self.writer.producer
        try:
            return original(self, folder, entries, **options)
        finally:
            self.writer.producer = name

    patch.setattr(Spool, "freeze", freeze)


def removed_before_the_answer(patch: pytest.MonkeyPatch) -> None:
    """Files go when their events are sent, not when they have arrived."""
    original = Folder.freeze

    def freeze(self: Folder, frozen: Any, shares: Any) -> bool:
        noted = original(self, frozen, shares)
        for segment in shares:
            with suppress(FileNotFoundError):
                self.filesystem.unlink(segment.path)
        return noted

    patch.setattr(Folder, "freeze", freeze)


def settled_before_the_answer(patch: pytest.MonkeyPatch) -> None:
    """The journal says that a batch has arrived before it is sent."""
    original = Spool.freeze

    def freeze(self: Spool, folder: Folder, entries: Any, **options: Any) -> str | None:
        token = original(self, folder, entries, **options)
        folder.journal._append(folder.journal._frame(frame.Kind.SETTLED, {"t": token}))
        return token

    patch.setattr(Spool, "freeze", freeze)


def sent_before_it_is_noted(patch: pytest.MonkeyPatch) -> None:
    """The journal learns of a batch with its answer."""
    patch.setattr(Journal, "freeze", lambda self, frozen: self._apply(frame.Kind.FROZEN, _entry(frozen)) or True)


def _entry(frozen: Any) -> dict[str, Any]:
    return {"t": frozen.token, "r": frozen.ranges, "ns": frozen.first_attempt_ns}


def new_batches_with_old_tokens(patch: pytest.MonkeyPatch) -> None:
    """What was frozen is sent again with whatever else there is."""
    original = Backlog._again

    def again(self: Backlog, folder: Folder, frozen_batch: Any, found: Any) -> bool:
        first, last = frozen_batch.ranges[0]
        shorter = type(frozen_batch)(frozen_batch.token, ((last, last), (first, last - 1)), 1)
        return original(self, folder, shorter if last > first else frozen_batch, found)

    patch.setattr(Backlog, "_again", again)


def what_was_frozen_gets_new_tokens(patch: pytest.MonkeyPatch) -> None:
    """A process that finds batches without an answer puts their events into batches of its own."""
    patch.setattr(Journal, "load", _load_without_pending(Journal.load))


def _load_without_pending(original: Any) -> Any:
    def load(self: Journal) -> None:
        original(self)
        self.pending.clear()

    return load


def folders_are_not_synced(patch: pytest.MonkeyPatch) -> None:
    """The data is on the medium, the name that leads to it is not."""
    patch.setattr(Process, "sync_folder", lambda self, path: None)


def files_are_not_synced(patch: pytest.MonkeyPatch) -> None:
    """What is durable is in the page cache."""
    patch.setattr(Process, "sync_file", lambda self, path: None)


def the_journal_is_not_synced(patch: pytest.MonkeyPatch) -> None:
    """Under ``power``, a batch is sent of which after a loss of power nobody knows."""
    patch.setattr(Journal, "sync", lambda self: None)


def unread_segments_are_removed(patch: pytest.MonkeyPatch) -> None:
    """A process that closes takes adopted segments for settled that it has not looked into."""
    original = Folder.add

    def add(self: Folder, segment: Any) -> None:
        segment.measured = True
        original(self, segment)

    patch.setattr(Folder, "add", add)


def journals_go_before_segments(patch: pytest.MonkeyPatch) -> None:
    """A folder loses its journal while its segments may come back."""
    original = Folder.remove_if_settled

    def remove(self: Folder, segment: Any) -> None:
        original(self, segment)
        if segment.removed:
            with suppress(OSError):
                self.filesystem.unlink(self.path / "journal")
            self.journal._file = None

    patch.setattr(Folder, "remove_if_settled", remove)


PLANTED = [
    checksum_over_payloads_only,
    tokens_without_a_process,
    removed_before_the_answer,
    settled_before_the_answer,
    sent_before_it_is_noted,
    new_batches_with_old_tokens,
    what_was_frozen_gets_new_tokens,
    folders_are_not_synced,
    files_are_not_synced,
    the_journal_is_not_synced,
    unread_segments_are_removed,
    journals_go_before_segments,
]


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_the_machine_sees_planted_bugs(plant, monkeypatch):
    """Each of them breaks a promise, and the machine finds out."""
    plant(monkeypatch)
    with pytest.raises((BrokenPromiseError, Flaky)):
        _run(1500, derandomize=True)
