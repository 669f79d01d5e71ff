"""
Hard budgets: at most so many events in any whole second of this process's clock.

Events that may be kept get a :class:`Ticket`, and wait until their second is over: only then is it known how
many there were, and so what each kept one stands for. Not the thread that emits the next event releases them, but
``tick``; how many closed seconds may wait for it is bounded, and beyond that an emitter releases one.

The lock is held for a handful of steps, never while ``settle`` runs. A signal handler or a ``__del__`` that emits
inside those steps is refused, ``reentrant``: its thread already changes the very structures.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from activitylog.sampling.randomness import BITS, encode_threshold, generator, threshold_of, weight_of
from activitylog.sampling.strata import EventReservoir, Prior, UnitCounts, UnitReservoir
from activitylog.sampling.verdict import Verdict
from activitylog.sampling.verdicts import Verdicts

Settle = Callable[[Any, Verdict], None]
Clock = Callable[[], int]
Stratum = EventReservoir | UnitReservoir

SECOND_NS: Final = 1_000_000_000
MAX_KEYS: Final = 1_000
MAX_WAITING_SECONDS: Final = 8
#: The clock may step back so many seconds without a new second being opened (and with it a new budget).
MAX_STEP_BACK: Final = 2
_OTHER_KEYS: Final = "\0other"

_WAITING, _PLACED, _GIVEN_UP, _DONE = range(4)


class Ticket:
    """A place in the budget of a second, for an event that is being rendered."""

    __slots__ = ("_budget", "_payload", "_second", "_state", "prior", "stratum")

    def __init__(self, budget: Budget, second: Second, stratum: Stratum, prior: Prior) -> None:
        self._budget = budget
        self._second = second
        self._state = _WAITING
        self._payload: Any = None
        self.stratum = stratum
        self.prior = prior

    @property
    def verdict(self) -> Verdict:
        """Which rule holds the event; the final one comes with ``settle``."""
        return self._budget.pending

    def place(self, payload: Any) -> None:
        """
        Hand over the rendered event; it is settled when its second is over.

        At once, when it is over already or the place is lost. Only the first call does anything.
        """
        budget = self._budget
        with budget.lock:
            outer, budget.busy = budget.busy, True
            try:
                state = self._state
                if state == _WAITING and not self._second.closed:
                    self._payload = payload
                    self._state = _PLACED
                    self._second.held += 1
                    return
                if state in (_PLACED, _DONE):
                    return
                self._state = _DONE
            finally:
                budget.busy = outer
        budget.settle_one(payload, budget.lost if state == _GIVEN_UP else budget.verdict_of(self))

    def withdraw(self) -> None:
        """There is nothing to place: the chain failed. The event has arrived all the same, and keeps its place."""
        with self._budget.lock:
            if self._state != _PLACED:
                self._state = _DONE

    def give_up(self) -> Any | None:
        """Lose the place; returns what was in it. Under the lock."""
        state, self._state = self._state, _DONE
        if state == _WAITING:
            self._state = _GIVEN_UP
        if state != _PLACED:
            return None
        self._second.held -= 1
        payload, self._payload = self._payload, None
        return payload

    def release(self) -> bool:
        """Settle what was placed, once the second is closed; False when nothing was."""
        if self._state != _PLACED:
            return False
        self._state = _DONE
        payload, self._payload = self._payload, None
        self._budget.settle_one(payload, self._budget.verdict_of(self))
        return True


class Second:
    """One whole second: what arrived, by key, and what is kept of it."""

    __slots__ = ("arrived", "closed", "counts", "held", "number", "strata")

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False
        self.held = 0
        self.arrived = 0
        self.counts = UnitCounts()
        self.strata: dict[str, Stratum] = {}

    def tickets(self) -> list[Ticket]:
        """All places taken."""
        found = [ticket for stratum in self.strata.values() for ticket in stratum.kept()]
        for stratum in self.strata.values():
            if type(stratum) is UnitReservoir:
                found += stratum.tail.kept()
        return found


def _number(second: Second, counts: dict[int, int], randomness: int) -> int:
    """The number of this event in its unit, from 1."""
    count = counts.get(randomness)
    if count is None:
        return second.counts.first(counts, randomness)
    counts[randomness] = count = count + 1
    return count


class Budget:
    """
    ``max_per_second`` of one rule.

    Args:
        limit: most events kept in a second, for each key; 2 or more with units.
        whole_units: the rule keeps whole units together.
        consistent: R is the unit's own, so that a threshold on it means something elsewhere too.
        verdicts: of the rule.
        settle: is given each placed payload with what was decided; must not raise, and is never called under the
            lock.
        clock: wall nanoseconds.
        draw: 56 random bits.
    """

    def __init__(
        self,
        limit: int,
        *,
        whole_units: bool,
        consistent: bool = True,
        verdicts: Verdicts,
        settle: Settle,
        clock: Clock,
        draw: Callable[[], int] | None = None,
    ) -> None:
        self._limit = limit
        self._whole_units = whole_units
        self._consistent = consistent
        self._verdicts = verdicts
        self.settle = settle
        self._clock = clock
        self._draw = draw or partial(generator.getrandbits, BITS)
        self.pending = verdicts.kept
        self.lost = verdicts.dropped("budget")
        self._reentrant = verdicts.dropped("reentrant")
        self.lock = threading.RLock()
        self.busy = False
        self._second: Second | None = None
        self._waiting: deque[Second] = deque()
        self._releasing = threading.RLock()
        self._at_once: AtOnce | None = None

    def decide(self, key: str, randomness: int, prior: Prior) -> Verdict | Ticket:
        """A ticket for an event that may be kept, else why not."""
        given_up: list[Ticket] = []
        payloads: list[Any] | None = None
        with self.lock:
            if self.busy:
                return self._reentrant
            self.busy = True
            try:
                number = self._clock() // SECOND_NS
                if self._at_once is not None:
                    return self._at_once.decide(number, self._draw(), prior)
                second = self._second
                if second is None or second.number != number:
                    second = self._open(number)
                ticket = self._offer(second, key, randomness, prior, given_up)
                if given_up:
                    payloads = [payload for lost in given_up if (payload := lost.give_up()) is not None]
            finally:
                self.busy = False
        if payloads is not None:
            for payload in payloads:
                self.settle_one(payload, self.lost)
        if len(self._waiting) > MAX_WAITING_SECONDS:
            self._release_oldest()
        return self.lost if ticket is None else ticket

    def _offer(
        self, second: Second, key: str, randomness: int, prior: Prior, given_up: list[Ticket]
    ) -> Ticket | None:
        second.arrived += 1
        stratum = second.strata.get(key)
        if stratum is None:
            key, stratum = self._new_stratum(second, key)
        if isinstance(stratum, UnitReservoir):
            if not prior.by or _number(second, stratum.counts, randomness) <= stratum.head:
                if not stratum.admits(randomness, given_up):
                    return None
                ticket = Ticket(self, second, stratum, prior)
                stratum.put(randomness, ticket)
                return ticket
            if stratum.tail.seen < stratum.tail.places:
                stratum.make_room_for_tail(given_up)
            return self._draw_event(second, stratum.tail, self._draw(), prior, given_up)
        return self._draw_event(second, stratum, randomness, prior, given_up)

    def _draw_event(
        self, second: Second, stratum: EventReservoir, randomness: int, prior: Prior, given_up: list[Ticket]
    ) -> Ticket | None:
        if not stratum.admits(randomness):
            return None
        ticket = Ticket(self, second, stratum, prior)
        lost = stratum.put(randomness, ticket)
        if lost is not None:
            given_up.append(lost)
        return ticket

    def _new_stratum(self, second: Second, key: str) -> tuple[str, Stratum]:
        if len(second.strata) >= MAX_KEYS:
            key = _OTHER_KEYS
            if key in second.strata:
                return key, second.strata[key]
        stratum = UnitReservoir(self._limit) if self._whole_units else EventReservoir(self._limit)
        second.strata[key] = stratum
        return key, stratum

    def _open(self, number: int) -> Second:
        """The second of this number, after closing the one before; a small step back stays in the open one."""
        second = self._second
        if second is not None:
            if second.number - MAX_STEP_BACK <= number < second.number:
                return second
            self._close(second)
        self._second = second = Second(number)
        return second

    def _close(self, second: Second) -> None:
        second.closed = True
        self._second = None
        if second.held:
            self._waiting.append(second)

    def tick(self) -> None:
        """Close the second if it is over, and settle what waits in those that are."""
        with self.lock:
            if self.busy:
                return
            self.busy = True
            try:
                second = self._second
                if second is not None:
                    number = self._clock() // SECOND_NS
                    if not second.number - MAX_STEP_BACK <= number <= second.number:
                        self._close(second)
            finally:
                self.busy = False
        self.release()

    def cut(self) -> None:
        """Close and settle all now. Later events are decided at once, at the share that was kept last."""
        with self.lock:
            if self.busy:
                return
            self.busy = True
            try:
                if self._at_once is None:
                    self._at_once = AtOnce(self._limit, self._second, self._verdicts)
                if self._second is not None:
                    self._close(self._second)
            finally:
                self.busy = False
        self.release()

    def release(self) -> None:
        """Settle the closed seconds; waits for another thread that is doing it."""
        with self._releasing:
            while self._waiting:
                self._release_next()

    def _release_oldest(self) -> None:
        if self._releasing.acquire(blocking=False):
            try:
                self._release_next()
            finally:
                self._releasing.release()

    def _release_next(self) -> None:
        if not self._waiting:
            return
        second = self._waiting[0]
        for ticket in second.tickets():
            if ticket.release():
                second.held -= 1
        with suppress(ValueError):  # a signal handler or settle has come in here meanwhile, and finished it
            self._waiting.remove(second)

    def settle_one(self, payload: Any, verdict: Verdict) -> None:
        """Hand one event back."""
        with suppress(Exception):  # settle counts its own failures; the others of the second must not be lost
            self.settle(payload, verdict)

    def verdict_of(self, ticket: Ticket) -> Verdict:
        """What was decided about a kept event, once its second is closed."""
        stratum, prior = ticket.stratum, ticket.prior
        threshold = stratum.threshold(prior)
        if threshold is None or not prior.by:
            return self._verdicts.kept_as(stratum.weight(prior))
        th = encode_threshold(threshold) if self._consistent else ""
        return self._verdicts.kept_as(stratum.weight(prior), threshold=th, by=prior.by)

    def held(self) -> int:
        """Events that wait."""
        second = self._second
        return sum(waiting.held for waiting in list(self._waiting)) + (0 if second is None else second.held)

    def last_end_ns(self) -> int | None:
        """When the last second that holds anything is over; None when none does."""
        second, waiting = self._second, list(self._waiting)  # in this order: a second goes from here to there
        last = second if second is not None and second.held else waiting[-1] if waiting else None
        return None if last is None else (last.number + 1) * SECOND_NS


class AtOnce:
    """
    What takes the place of the seconds at shutdown, when nothing may wait any more.

    Each event is kept at the share that the last second kept, until the budget is spent.
    """

    def __init__(self, limit: int, last: Second | None, verdicts: Verdicts) -> None:
        self._limit = limit
        self._verdicts = verdicts
        kept = 0 if last is None else len(last.tickets())
        self._threshold = threshold_of(kept / last.arrived) if last is not None and kept else 0
        self._number = -1 if last is None else last.number
        self._left = max(0, limit - kept)
        self._lost = verdicts.dropped("budget")

    def decide(self, number: int, randomness: int, prior: Prior) -> Verdict:
        """Kept or not, now."""
        if number != self._number:
            self._number, self._left = number, self._limit
        if self._left == 0 or randomness < self._threshold:
            return self._lost
        self._left -= 1
        return self._verdicts.kept_as(prior.weight * weight_of(prior.threshold) * weight_of(self._threshold))
