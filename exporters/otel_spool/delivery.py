"""
From a frozen batch to a definite answer: attempts, waiting, halving. Who refuses what is decided by the exporter.

An exporter that can give definite answers has a method ``deliver`` (:class:`otel_delivery.DeliversBatches`), and
each attempt repeats the same records with the same token, however long it takes. Any other exporter is asked by
``export``, whose "failure" says nothing about why and whether anything arrived: such batches are tried again as
well, at least once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_delivery import Answer, DeliversBatches
from otel_delivery.answer import SUSPECT
from otel_delivery.reasons import Reasons
from otel_delivery.waiting import Interrupt, system_random
from otel_spool.log import SpoolLog

FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 30.0
#: A server that asks for more than that is asked again anyway.
_LONGEST_WISH_SECONDS: Final = 300.0
#: So often must an exporter without definite answers fail before a batch is suspected, and halved.
_FAILURES_UNTIL_SUSPECT: Final = 8
#: So often must others have been delivered between two failures of a single record before it is refused.
_PROOFS: Final = 2
#: Told of an attempt: seconds it took, how many records, the status of its answer.
Observe = Callable[[float, int, str], object]


def observed_by_nobody(seconds: float, records: int, status: str) -> None:
    """Nobody wants to know."""


class PlainExporter:
    """
    Any ``LogRecordExporter``, asked for answers.

    A failure may be an outage or the batch itself. A batch that failed eight times is halved; a single record that
    failed eight times is put off, and refused when it has failed after others were delivered, twice. In an outage
    nothing is delivered, so nothing is refused, however long it lasts.
    """

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter
        self._lock = threading.Lock()  # OpenTelemetry promises exporters that their calls do not overlap
        #: How often, how much had been delivered at the last time, and how often more than the time before.
        self._failures: dict[str, tuple[int, int, int]] = {}
        self._delivered = 0

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """One call of ``export``."""
        del first_attempt_ns
        with self._lock:
            detail = ""
            try:
                result = self._exporter.export(records)
            except Exception as error:  # noqa: BLE001 - an exporter may raise anything; the batch comes again
                result, detail = LogRecordExportResult.FAILURE, type(error).__name__
            if result is LogRecordExportResult.SUCCESS:
                self._delivered += 1
                self._failures.pop(token, None)
                return Answer("delivered")
            return self._failed(token, len(records), detail)

    def _failed(self, token: str, records: int, detail: str) -> Answer:
        failures, delivered_before, proofs = self._failures.get(token, (0, self._delivered, 0))
        failures += 1
        proofs += self._delivered > delivered_before
        self._failures[token] = (failures, self._delivered, proofs)
        detail = detail or "the exporter reported a failure"
        if failures < _FAILURES_UNTIL_SUSPECT:
            return Answer("retry", "export_failed", detail)
        if records == 1 and proofs < _PROOFS:
            return Answer("retry", SUSPECT, detail)
        del self._failures[token]
        return Answer("refused", "export_failed", detail)


class Pace:
    """
    When the next attempt is due, for all threads that send to one backend: after failures random waits of up to
    0.2, 0.4, 0.8 ... 30 seconds ("full jitter"), or as long as the server asks, on the monotonic clock.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, rng: Callable[[], float] = system_random
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._due = float("-inf")
        self._longest = FIRST_WAIT_SECONDS
        self.failing = False

    def seconds_left(self) -> float:
        """How long to wait before the next attempt."""
        return max(0.0, self._due - self._clock())

    def succeeded(self) -> None:
        """An attempt had a definite answer."""
        self._due, self._longest, self.failing = float("-inf"), FIRST_WAIT_SECONDS, False

    def failed(self, wish_seconds: float | None) -> None:
        """An attempt had none."""
        wait = self._rng() * self._longest
        if wish_seconds is not None:
            wait = max(wait, min(wish_seconds, _LONGEST_WISH_SECONDS))
        self._longest = min(self._longest * 2, LONGEST_WAIT_SECONDS)
        self._due, self.failing = self._clock() + wait, True


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Records that go together, for ever.

    Attributes:
        records: n of them.
        positions: for each, its index in the batch that was frozen.
        token: deduplication token.
        first_attempt_ns: when the first attempt began; None before it.
        halves_token: what the tokens of its halves follow from, if not from its own.
    """

    records: Sequence[ReadableLogRecord]
    positions: Sequence[int]
    token: str
    first_attempt_ns: int | None = None
    halves_token: str | None = None

    def halves(self) -> tuple[Batch, Batch]:
        """The two halves, with tokens that follow from this one, so that another process makes the same."""
        middle = len(self.records) // 2
        token = self.halves_token or self.token
        return (
            Batch(self.records[:middle], self.positions[:middle], f"{token}/0", self.first_attempt_ns),
            Batch(self.records[middle:], self.positions[middle:], f"{token}/1", self.first_attempt_ns),
        )


@dataclass(slots=True)
class Outcome:
    """
    What became of a frozen batch.

    Attributes:
        complete: every record has a definite answer; otherwise the waiting was ended.
        delivered: how many records were.
        refused: position -> reason (:mod:`otel_spool.reasons`) and detail, of those that never will be.
        unknown: how many more were refused, without being named.
        elsewhere: another process must deliver it.
        put_off: it is not complete because records are suspected; a further ``deliver`` goes on with them.
    """

    complete: bool = True
    delivered: int = 0
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)
    unknown: int = 0
    unknown_detail: str = ""
    elsewhere: bool = False
    put_off: bool = False

    def lost(self) -> Counter[str]:
        """Records that never will be delivered, by reason."""
        return +(Counter(reason for reason, _ in self.refused.values()) + Counter(rejected=self.unknown))


class Deliverer:
    """
    Sends batches of one spool to one exporter.

    Args:
        exporter: with ``deliver``, or any other.
        pace: shared by all threads that send.
        interrupt: ends waits.
        observe: told of each attempt.

    Attributes:
        retries: attempts so far that ended without a definite answer.
    """

    def __init__(
        self,
        exporter: DeliversBatches,
        *,
        pace: Pace,
        interrupt: Interrupt,
        log: SpoolLog,
        now_ns: Callable[[], int] = time.time_ns,
        observe: Observe = observed_by_nobody,
    ) -> None:
        self._exporter = exporter
        self._observe = observe
        self._pace = pace
        self._interrupt = interrupt
        self._log = log
        self._now_ns = now_ns
        self._reasons = Reasons()
        #: What is left of batches that were put off, and what became of the rest; by token.
        self._put_off: dict[str, tuple[deque[Batch], Outcome]] = {}
        self.retries = 0

    def deliver(self, batch: Batch, *, split: Callable[[str], object], is_split: Callable[[str], bool]) -> Outcome:
        """
        Send a batch until it has a definite answer, or the waiting is ended.

        Args:
            split: told of a token that is sent in halves from now on, before they are sent.
            is_split: whether a token is known to be.
        """
        parts, outcome = self._put_off.pop(batch.token, (deque((batch,)), Outcome()))
        suspects: deque[Batch] = deque()
        while parts:
            part = parts.popleft()
            if not is_split(part.token):
                answer = self._until_definite(part)
                if answer is None or answer.status == "elsewhere":
                    return replace(outcome, complete=False, elsewhere=answer is not None)
                if answer.status == "retry":
                    suspects.append(part)
                    continue
                if answer.status == "delivered":
                    self._take(outcome, part, answer)
                    parts.extendleft(reversed(suspects))
                    suspects.clear()
                    continue
                if len(part.records) == 1:
                    outcome.refused[part.positions[0]] = self._named(answer.reason or "refused", answer.detail)
                    continue
                split(part.token)
            parts.extendleft(reversed(part.halves()))
        if suspects:
            self._put_off[batch.token] = (suspects, outcome)
            return replace(outcome, complete=False, put_off=True)
        return outcome

    def _until_definite(self, batch: Batch) -> Answer | None:
        """Attempts until one is definite, or says to send others first; None when the waiting was ended before."""
        first_ns = batch.first_attempt_ns
        while not self._interrupt.is_set():
            left = self._pace.seconds_left()
            if left > 0:
                if self._interrupt.wait(left):
                    return None
                continue
            began_ns, began = self._now_ns(), time.perf_counter()
            answer = self._attempt(batch, first_ns)
            self._observe(time.perf_counter() - began, len(batch.records), answer.status)
            if answer.status != "retry":
                self._pace.succeeded()
                return answer
            first_ns = began_ns if first_ns is None else first_ns
            self.retries += 1
            self._pace.failed(answer.retry_after_seconds)
            self._log.tell("retry", "%d events wait for the next attempt: %s", len(batch.records), answer.detail)
            if answer.reason == SUSPECT:
                return answer
        return None

    def _attempt(self, batch: Batch, first_ns: int | None) -> Answer:
        try:
            return self._exporter.deliver(batch.records, token=batch.token, first_attempt_ns=first_ns)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            return Answer("retry", "export_error", type(error).__name__)

    def _take(self, outcome: Outcome, batch: Batch, answer: Answer) -> None:
        rejected = dict(answer.rejected)
        for index, why in rejected.items():
            outcome.refused[batch.positions[index]] = self._named(why, answer.detail)
        outcome.unknown += answer.rejected_unknown
        if answer.rejected_unknown:
            outcome.unknown_detail = answer.detail
        outcome.delivered += len(batch.records) - len(rejected) - answer.rejected_unknown

    def _named(self, reason: str, detail: str) -> tuple[str, str]:
        """The name to count under; what it does not say goes into the detail."""
        name = self._reasons.name(reason)
        return (name, detail) if name == reason else (name, f"{reason}: {detail}")
