"""
The threads beside the batch processor: one sends the backlog, one watches over everything, one syncs.

Each goes on whatever happens: what cannot be done now is done in the next round. Who sends may be at it for as
long as the backend is away, so who watches does nothing else.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from otel_delivery.waiting import Interrupt
from otel_spool.backlog import Backlog
from otel_spool.live_queue import LiveQueue
from otel_spool.log import SpoolLog
from otel_spool.sending import Sender
from otel_spool.spool import Spool
from otel_spool.threads import started

#: Not the application's generator, whose sequence may be seeded, nor one that a child shares with its parent.
_jitter: Final = random.SystemRandom().uniform
_SECONDS_BETWEEN_LOOKS: Final = 2.0
_SECONDS_BETWEEN_ROUNDS: Final = 0.5
_MOST_SECONDS_BETWEEN_LEAVES: Final = 60.0


class Worker:
    """
    Args:
        spool: whose backlog is sent.
        live: what is fresh; watched, and left to itself while this process can deliver.
        schedule_seconds: longest wait of the batch processor.
        interrupt: ends everything.

    Attributes:
        is_started: whether it runs, or did.
    """

    def __init__(
        self,
        spool: Spool,
        live: LiveQueue,
        sender: Sender,
        *,
        max_records: int,
        schedule_seconds: float,
        interrupt: Interrupt,
        log: SpoolLog,
    ) -> None:
        self._spool = spool
        self._live = live
        self._sender = sender
        self._schedule_seconds = schedule_seconds
        self._interrupt = interrupt
        self._log = log
        self._backlog = Backlog(spool, sender, max_records=max_records, turn=lambda: not interrupt.is_set())
        self._closing = False
        self._threads: list[threading.Thread | None] = []
        self.is_started = False

    def start(self) -> None:
        """Start the threads, unless they run."""
        with self._spool.lock:
            if self.is_started:
                return
            thread = started(self._run, "otel-spool")
            self._threads.append(thread)
            self.is_started = thread is not None
            if not self.is_started:
                return
            self._threads.append(started(self._keep_watch, "otel-spool-watch"))
            if self._spool.options.durability == "power":
                self._threads.append(started(self._keep_synced, "otel-spool-sync"))

    def threads(self) -> Iterator[threading.Thread]:
        """Those that run, or did."""
        return (thread for thread in self._threads if thread is not None)

    def close(self) -> None:
        """Change nothing of the live queue any more; the interrupt ends the threads."""
        self._closing = True

    def _run(self) -> None:
        me = threading.get_ident()
        self._live.sending.add(me)
        try:
            self._work()
        finally:
            self._live.sending.discard(me)  # a thread of the application's may get this number next

    def _work(self) -> None:
        next_look = next_leave = float("-inf")
        while not self._interrupt.is_set():
            try:
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + _jitter(0.5, 1.0) * _SECONDS_BETWEEN_LOOKS
                    self._look()
                if not self._sender.elsewhere:
                    self._backlog.work()
                    self._live.send_put_off()
                if self._sender.elsewhere:
                    self._leave_to_others()
                    if time.monotonic() >= next_leave:
                        self._spool.leave()
                        # Where nobody takes them over, folders do not become ever more.
                        wait = _SECONDS_BETWEEN_ROUNDS * len(self._spool.accounts.left)
                        next_leave = time.monotonic() + min(wait, _MOST_SECONDS_BETWEEN_LEAVES)
            except BaseException as error:  # noqa: BLE001 - this thread must not die; it comes again
                self._log.tell("thread", "the backlog is left for now: %s", type(error).__name__)
            if self._interrupt.wait(_SECONDS_BETWEEN_ROUNDS):
                return

    def _look(self) -> None:
        if self._sender.elsewhere:
            self._spool.adopted.take(most=1)  # to see whether this process can deliver by now
            self._backlog.work()
        else:
            self._spool.adopted.take()

    def _leave_to_others(self) -> None:
        self._log.tell("elsewhere", "this process cannot deliver; its events are left for one that can")
        self._live.use_only_disk()
        self._backlog.forget()
        self._spool.adopted.release_all()

    def _keep_watch(self) -> None:
        me = threading.get_ident()
        self._live.sending.add(me)
        try:
            self._watch()
        finally:
            self._live.sending.discard(me)

    def _watch(self) -> None:
        while not self._interrupt.is_set():
            try:
                self._spool.look_at_others()
                self._watch_live_queue()
                self._log.write()
            except BaseException as error:  # noqa: BLE001 - this thread must not die; it comes again
                self._log.tell("thread", "nobody looked this time: %s", type(error).__name__)
            if self._interrupt.wait(_jitter(0.5, 1.0) * _SECONDS_BETWEEN_LOOKS):
                return

    def _watch_live_queue(self) -> None:
        if self._closing:
            return
        with self._spool.lock:
            if self._live.is_idle:
                self._spool.defer_stranded()
                if self._live.only_disk and not self._sender.elsewhere:
                    self._live.use_memory()
        self._live.watch(self._schedule_seconds)

    def _keep_synced(self) -> None:
        while not self._interrupt.wait(self._spool.options.sync_interval_seconds):
            with suppress(OSError):  # told of already
                self._spool.sync()
