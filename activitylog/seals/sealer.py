"""The writing side: collects a producer's records, and makes a seal of them about twice a second."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from activitylog.event import COUNTER_EVENT_NAME
from activitylog.seals.leaf import GENESIS, NOTHING, chain_of, leaf_of
from activitylog.ticker import Ticker

SEAL_EVENT_NAME: Final = "activity.sealed"
#: Events that one seal covers at the most.
MAX_EVENTS: Final = 1_000
#: How long later events wait for a number that was drawn: a signal handler's exception may have ended its emit.
PATIENCE_SECONDS: Final = 10.0
#: And how many of them wait.
MAX_WAITING: Final = 50 * MAX_EVENTS


class SealedRecord(Protocol):
    """What is read of a log record."""

    event_name: str
    timestamp: int
    severity_number: Any
    body: Any
    trace_id: int
    span_id: int
    attributes: dict[str, Any]


class Sealer:
    """
    The chain of one producer. A thread of its own makes the seals; it begins with the first record.

    Args:
        producer: its name.
        emit: emits a seal, given its attributes; the seal's own record comes back to :meth:`note`.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        producer: str,
        emit: Callable[[dict[str, Any]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._producer = producer
        self._emit = emit
        self._clock = clock
        self._gap_since: float | None = None
        #: Numbers and records that are not sealed yet; appending is atomic, for any thread and signal handler.
        self._noted: deque[tuple[int, SealedRecord]] = deque()
        #: None for a number that no record has.
        self._waiting: dict[int, SealedRecord | None] = {}
        self._next = 1
        self._previous = GENESIS
        self._sealing = threading.Lock()
        self._ticker = Ticker(self.seal)
        self._closed = False

    def note(self, number: int, record: SealedRecord) -> None:
        """A record got its number."""
        self._noted.append((number, record))
        if self._closed:
            with suppress(Exception):  # the event is kept, whatever becomes of its seal
                self.seal()
        elif not self._ticker.started:
            self._ticker.start()

    def close(self) -> None:
        """Seal what is there, and end the thread; records that still come are sealed at once."""
        self._closed = True
        self._ticker.stop()
        self.seal()

    def seal(self) -> None:
        """
        Seal all events whose predecessors are known; a seal of seals and counts alone is not worth one, unless it
        is full: nothing behind it would ever be sealed.

        A number that does not come is sealed as none, in the end: nothing can be put in its place later.
        """
        if not self._sealing.acquire(blocking=False):
            return
        try:
            while (found := self._take()) and (len(found) == MAX_EVENTS or not _only_seals(found)):
                self._emit(self._seal(found))
        finally:
            self._sealing.release()

    def _take(self) -> list[SealedRecord | None]:
        while self._noted:
            number, record = self._noted.popleft()
            if number >= self._next:
                self._waiting[number] = record
        self._give_up_gap()
        found: list[SealedRecord | None] = []
        while len(found) < MAX_EVENTS and (number := self._next + len(found)) in self._waiting:
            found.append(self._waiting[number])
        return found

    def _give_up_gap(self) -> None:
        """Wait no longer for the next number, if later ones have waited for it for too long."""
        if not self._waiting or self._next in self._waiting:
            self._gap_since = None
            return
        now = self._clock()
        since = self._gap_since = now if self._gap_since is None else self._gap_since
        if now - since >= PATIENCE_SECONDS or len(self._waiting) > MAX_WAITING:
            self._waiting.update(dict.fromkeys(range(self._next, min(self._waiting))))
            self._gap_since = None

    def _seal(self, records: list[SealedRecord | None]) -> dict[str, Any]:
        first, last = self._next, self._next + len(records) - 1
        leaves = b"".join(map(_leaf, records))
        chain = chain_of(self._previous, self._producer, first, last, leaves)
        attributes = {
            "activity.seal.first": first,
            "activity.seal.last": last,
            "activity.seal.previous": self._previous.hex(),
            "activity.seal.chain": chain.hex(),
            "activity.seal.leaves": b64encode(leaves).decode("ascii"),
        }
        for number in range(first, last + 1):
            del self._waiting[number]
        self._next, self._previous = last + 1, chain
        return attributes


def _only_seals(records: list[SealedRecord | None]) -> bool:
    return all(record is None or record.event_name in (SEAL_EVENT_NAME, COUNTER_EVENT_NAME) for record in records)


def _leaf(record: SealedRecord | None) -> bytes:
    from otel_clickhouse.anyvalue import as_text  # how ClickHouse has values: one meaning, in one place

    if record is None or record.event_name == COUNTER_EVENT_NAME:
        return NOTHING
    return leaf_of(
        name=record.event_name,
        timestamp_ns=record.timestamp,
        severity_number=record.severity_number.value,
        body=as_text(record.body),
        trace_id=f"{record.trace_id:032x}" if record.trace_id else "",
        span_id=f"{record.span_id:016x}" if record.span_id else "",
        attributes={key: as_text(value) for key, value in record.attributes.items() if value is not None},
    )
