"""Samplers as they are often written. Each has a flaw that the statistical tests must find."""

from __future__ import annotations

import random
import zlib
from collections import Counter
from typing import Any

from activitylog.sampling import Verdict
from tests.activitylog.sampling.simulation import SECOND, Clock, Event, Make, Outcome


class Naive:
    """What they share: a clock, and a kept count of the second."""

    def __init__(self, seed: int, clock: Clock, budget: int) -> None:
        self.dice = random.Random(seed)
        self.clock = clock
        self.budget = budget
        self.second = -1
        self.kept: Counter[str] = Counter()

    def tick(self) -> None:
        """Nothing waits."""

    def turn(self) -> None:
        """Begin a new second when it is one."""
        second = self.clock() // SECOND
        if second != self.second:
            self.second = second
            self.kept.clear()


class StopWhenFull(Naive):
    """Keeps a share until the budget is spent, then nothing: what comes late counts for nothing."""

    share = 0.5

    def decide(self, _method_name: str, _event_dict: dict[str, Any], /) -> Verdict:
        """One event."""
        self.turn()
        if self.kept.total() >= self.budget or self.dice.random() >= self.share:
            return Verdict("naive", "budget")
        self.kept["all"] += 1
        return Verdict("naive", weight=1 / self.share)


class FeedbackOnKept(Naive):
    """Lowers the share by what it has kept so far: how far an event is thinned depends on earlier draws."""

    def decide(self, _method_name: str, _event_dict: dict[str, Any], /) -> Verdict:
        """One event."""
        self.turn()
        share = max(0.01, 1 - self.kept.total() / self.budget)
        if self.dice.random() >= share:
            return Verdict("naive", "budget")
        self.kept["all"] += 1
        # The weight of the share that is in force after the draw, as one does who sets it once a batch.
        return Verdict("naive", weight=1 / max(0.01, 1 - self.kept.total() / self.budget))


class WholeUnitsUntilFull(Naive):
    """Bottom-k over units without a stratum for heavy ones: a unit larger than the budget can never be kept."""

    def __init__(self, seed: int, clock: Clock, budget: int, outcome: Outcome) -> None:
        super().__init__(seed, clock, budget)
        self.outcome = outcome
        self.waiting: list[Event] = []

    def tick(self) -> None:
        """Decide the second that is over."""
        units: dict[str, list[Event]] = {}
        for event in self.waiting:
            units.setdefault(event.session, []).append(event)
        self.waiting = []
        drawn = sorted(((self.dice.random(), unit) for unit in units.values()), key=lambda item: item[0])
        kept, threshold = 0, 1.0
        for place, (randomness, unit) in enumerate(drawn):
            if kept + len(unit) > self.budget:
                threshold = randomness
                drawn = drawn[:place]
                break
            kept += len(unit)
        for _, unit in drawn:
            for event in unit:
                self.outcome.note(event, Verdict("naive", weight=1 / threshold))

    def decide(self, _method_name: str, event_dict: dict[str, Any], /) -> Verdict:
        """One event, which is noted when the second is over."""
        self.waiting.append(Event(self.clock() // SECOND, event_dict["event"], event_dict["session"]))
        return Verdict("naive", "waiting")


def stop_when_full(budget: int) -> Make:
    """Makes them."""
    return lambda seed, clock, _outcome: StopWhenFull(seed, clock, budget)


def feedback_on_kept(budget: int) -> Make:
    """Makes them."""
    return lambda seed, clock, _outcome: FeedbackOnKept(seed, clock, budget)


def whole_units_until_full(budget: int) -> Make:
    """Makes them."""
    return lambda seed, clock, outcome: WholeUnitsUntilFull(seed, clock, budget, outcome)


def crc32_randomness(text: str) -> int:
    """56 bits from a checksum: it spreads numbered ids too evenly to be a draw."""
    return zlib.crc32(text.encode()) << 24
