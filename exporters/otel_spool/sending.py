"""
A frozen batch on its way: sent until there is a definite answer, letters for what was refused, settled.

What is fresh and what is the backlog go this way, each in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery import DeliversBatches
from otel_delivery.waiting import Interrupt
from otel_spool.dead_letters import DeadLetters
from otel_spool.delivery import Batch, Deliverer, Observe, Outcome, Pace, observed_by_nobody
from otel_spool.folder import Entry, Folder
from otel_spool.log import SpoolLog
from otel_spool.spool import Spool


class Sender:
    """
    Args:
        spool: whose events are sent.
        deliverer: makes the attempts.
        letters: keep what is refused.

    Attributes:
        elsewhere: the last definite answer was that another process must deliver.
    """

    def __init__(self, spool: Spool, deliverer: Deliverer, letters: DeadLetters) -> None:
        self._spool = spool
        self._deliverer = deliverer
        self._letters = letters
        self.elsewhere = False

    @property
    def retries(self) -> int:
        """Attempts so far that ended without a definite answer."""
        return self._deliverer.retries

    def close(self) -> None:
        """Let go of the dead letters."""
        self._letters.close()

    def abandon(self) -> None:
        """In a forked child: leave the dead letters to the parent. This sender is not to be used on."""
        self._letters.abandon()

    def freeze_and_send(
        self,
        folder: Folder,
        entries: Sequence[Entry],
        records: Sequence[ReadableLogRecord],
        *,
        doubtful: bool = False,
    ) -> Outcome:
        """
        Make a batch of events that were in none.

        Args:
            doubtful: they may have been in one that nobody knows of; then the exporter is to look first.
        """
        first_ns = 0 if doubtful else None
        token = self._spool.freeze(folder, entries, first_attempt_ns=first_ns)
        if token is None:
            return Outcome(complete=False)
        batch = Batch(records, range(len(records)), token, first_ns)
        return self.send(folder, entries, batch, token=token)

    def send(self, folder: Folder, entries: Sequence[Entry], batch: Batch, *, token: str) -> Outcome:
        """
        Send a batch until its answer is definite, or the waiting is ended; then settle it.

        Args:
            token: under which it was frozen; the batch's own may follow from it.
        """
        spool, journal = self._spool, folder.journal

        def split(part: str) -> None:
            with spool.lock:
                journal.mark_split(part)

        with spool.lock:
            spool.in_flight.add(token)
        try:
            outcome = self._deliverer.deliver(batch, split=split, is_split=journal.split.__contains__)
            if outcome.complete:
                self.post(batch.records, outcome)
                spool.settle(folder, entries, token, outcome)
        finally:
            with spool.lock:
                spool.in_flight.discard(token)
        if outcome.complete or outcome.elsewhere:
            self.elsewhere = outcome.elsewhere
        return outcome

    def send_unspooled(self, batch: Batch) -> Outcome:
        """Send events that are on no disk; what is put off is to come again."""
        split: set[str] = set()
        outcome = self._deliverer.deliver(batch, split=split.add, is_split=split.__contains__)
        if not outcome.put_off:
            self.post(batch.records, outcome)
        return outcome

    def resend(self, records: Sequence[ReadableLogRecord], token: str) -> Outcome:
        """Send events that were refused before; nothing is written down of what has no definite answer."""
        split: set[str] = set()
        batch = Batch(records, range(len(records)), token, 0)  # perhaps not for the first time
        outcome = self._deliverer.deliver(batch, split=split.add, is_split=split.__contains__)
        if outcome.complete:
            self.post(records, outcome)
        return outcome

    def post(self, records: Sequence[ReadableLogRecord], outcome: Outcome) -> None:
        """Write letters for what was refused; where the answer does not name it, for all that may be it."""
        for position, (reason, detail) in outcome.refused.items():
            self._letters.write(records[position], reason, detail)
        if outcome.unknown:
            of = f"{outcome.unknown} of {len(records)} records were refused, perhaps not this one."
            for record in records:
                self._letters.write(record, "rejected", f"{of} {outcome.unknown_detail}")


def new_sender(
    spool: Spool,
    exporter: DeliversBatches,
    *,
    interrupt: Interrupt,
    log: SpoolLog,
    observe: Observe = observed_by_nobody,
) -> Sender:
    """
    A sender of a spool's events to one exporter, at a pace of its own.

    Args:
        interrupt: ends waits.
        observe: told of each attempt.
    """
    letters = DeadLetters(
        spool.filesystem, spool.directory, max_bytes=spool.options.letters_bytes, now_ns=spool.now_ns
    )
    deliverer = Deliverer(exporter, pace=Pace(), interrupt=interrupt, log=log, observe=observe)
    return Sender(spool, deliverer, letters)
