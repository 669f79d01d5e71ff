"""A process with a spool: what the processor does, one step at a time and without its threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otel_delivery.waiting import Interrupt
from otel_spool.backlog import Backlog
from otel_spool.dead_letters import DeadLetters
from otel_spool.delivery import Deliverer, Pace
from otel_spool.filesystem import FileSystem
from otel_spool.folder import Entry
from otel_spool.log import SpoolLog
from otel_spool.options import SpoolOptions
from otel_spool.sending import Sender
from otel_spool.spool import Spool
from otel_spool.writer import NotWritten
from tests.otel_spool.backend import Backend
from tests.otel_spool.records import TIME_NS, number_of


class Producer:
    """A process with a spool: what the processor does, without its threads."""

    def __init__(
        self, directory: Path, backend: Backend, options: SpoolOptions, filesystem: FileSystem | None = None
    ) -> None:
        self.backend = backend
        self.log = SpoolLog()
        self.clock = 0.0
        self.now_ns = TIME_NS
        self.spool = Spool(
            directory,
            options,
            filesystem=filesystem,
            clock=lambda: self.clock,
            now_ns=lambda: self.now_ns,
            log=self.log,
        )
        self.letters = DeadLetters(self.spool.filesystem, directory, max_bytes=2**20, now_ns=lambda: self.now_ns)
        self.live: list[tuple[Any, Entry]] = []
        self.numbers: set[int] = set()
        self.accepted = 0
        self.backlog_sender = self._sender()
        self.backlog = Backlog(self.spool, self.backlog_sender, max_records=3)

    def _sender(self) -> Sender:
        pace = Pace(clock=lambda: 0.0, rng=lambda: 0.0)
        deliverer = Deliverer(self.backend, pace=pace, interrupt=Interrupt(), log=self.log, now_ns=lambda: TIME_NS)
        return Sender(self.spool, deliverer, self.letters)

    def _attempts(self, script: list[str]) -> Interrupt:
        """The next attempts are answered like that, and then the waiting is ended."""
        interrupt = Interrupt()
        self.backlog_sender._deliverer._interrupt = interrupt
        self.backend.script = [*script]
        self.backend.exhausted = interrupt.set
        return interrupt

    def append(self, log: Any) -> Entry | NotWritten:
        """Write a record; what is written and not deferred waits to be sent."""
        entry = self.spool.append(log)
        self._note(log, entry)
        return entry

    def append_together(self, logs: Sequence[Any]) -> Sequence[Entry | NotWritten]:
        """Write records at one go."""
        events = [self.spool.encode(log) for log in logs]
        with self.spool.lock:
            entries = self.spool.write_together(events)
        for log, entry in zip(logs, entries, strict=True):
            self._note(log, entry)
        return entries

    def _note(self, log: Any, entry: Entry | NotWritten) -> None:
        if isinstance(entry, Entry):
            self.accepted += 1
            self.numbers.add(number_of(log))
            if not entry.segment.deferred:
                self.live.append((log, entry))

    def send_live(self, events: int, script: list[str]) -> None:
        """What the batch processor's thread does."""
        batch, self.live = self.live[:events], self.live[events:]
        folder = self.spool.writer.folder
        if not batch or folder is None:
            return
        self._attempts(script)
        self.backlog_sender.freeze_and_send(folder, [entry for _, entry in batch], [log for log, _ in batch])

    def send_backlog(self, script: list[str]) -> bool:
        """What the backlog's thread does; False when some of it waits."""
        interrupt = self._attempts(script)
        self.backlog._turn = lambda: not interrupt.is_set()
        return self.backlog.work()

    def counts_add_up(self) -> bool:
        """Whether every event that was written is on disk still, delivered, or counted as dropped."""
        return self.accepted == self.spool.accounts.own.total() + self.spool.unsent()

    def die(self) -> None:
        """Like SIGKILL: files and locks go, and nothing else happens."""
        self.spool.abandon()


def deliver_the_rest(
    directory: Path,
    backend: Backend,
    options: SpoolOptions,
    filesystem: FileSystem | None = None,
    *,
    now_ns: int = TIME_NS,
) -> Producer:
    """What the next process does that finds the spool; returns that process, closed."""
    last = Producer(directory, backend, options, filesystem)
    last.now_ns = now_ns
    while last.spool.adopted.take():
        if not last.send_backlog([]):
            raise AssertionError("a backlog that can be delivered is left")
    last.letters.close()
    last.spool.close()
    return last
