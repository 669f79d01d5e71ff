"""
A rate to aim at: frequent keys are thinned, rare ones kept.

The shares of a second are computed from the arrivals of the seconds before it, never from what was kept or drawn,
so the weights are exact. Each key's arrivals a second are averaged, the last second counting for half. The target
is divided among the keys by the logarithm of their rates; what a key does not need goes to those that need more. A
key that is new is kept whole until its first second is over: this is a rate to aim at, not a bound.

The idea is that of Honeycomb's dynsampler (EMAThroughput).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import Final

from activitylog.sampling.randomness import threshold_of

INTERVAL_NS: Final = 1_000_000_000
MAX_KEYS: Final = 1_000
_NEWEST: Final = 0.5
#: Events a second below which a key is forgotten.
_FORGET_BELOW: Final = 0.01
_OTHER_KEYS: Final = "\0other"


def shares(rates: Mapping[str, float], target: float) -> dict[str, float]:
    """
    The share of each key that is kept, so that together they come to ``target`` events a second.

    Args:
        rates: events a second, by key.
        target: events a second, over all keys.

    Returns:
        Shares above 0 and up to 1; all 1 when the rates are within the target.
    """
    found: dict[str, float] = {}
    importance = {key: math.log10(1 + rate) + 1e-9 for key, rate in rates.items()}
    left, wanting = target, sum(importance.values())
    # From the rarest up: a key that needs less than its part leaves the rest of it to all others.
    for key, rate in sorted(rates.items(), key=lambda item: item[1]):
        part = left * importance[key] / wanting
        found[key] = 1.0 if rate <= part else part / rate
        left -= min(rate, part)
        wanting -= importance[key]
    return found


class TargetRates:
    """
    ``target_per_second`` of one rule.

    Counting takes no lock: an arrival that is lost between two threads changes a later share a little, and no
    weight.

    Args:
        target: events a second, over all keys.
        clock: wall nanoseconds.
    """

    def __init__(self, target: float, clock: Callable[[], int]) -> None:
        self._target = target
        self._clock = clock
        self._lock = threading.Lock()
        self._started_ns = clock()
        self._arrived: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self._thresholds: dict[str, int] = {}

    def threshold(self, key: str) -> int:
        """Count one arrival; the threshold in force for its key."""
        now = self._clock()
        if not self._started_ns <= now < self._started_ns + INTERVAL_NS:
            self._adapt(now)
        arrived = self._arrived
        count = arrived.get(key)
        if count is None and key not in self._rates and len(arrived) >= MAX_KEYS:
            key = _OTHER_KEYS
            count = arrived.get(key)
        arrived[key] = 1 if count is None else count + 1
        return self._thresholds.get(key, 0)

    def _adapt(self, now: int) -> None:
        """New shares from the interval that is over; one thread does it, the others go on with the old ones."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            elapsed = now - self._started_ns
            arrived, self._arrived, self._started_ns = self._arrived, {}, now
            if elapsed < INTERVAL_NS:
                return  # another thread was first, or the clock went back: what it counted has no length
            rates = _averaged(self._rates, arrived, elapsed / 1e9)
            self._thresholds = {
                key: threshold_of(share) for key, share in shares(rates, self._target).items() if share < 1
            }
            self._rates = rates
        finally:
            self._lock.release()


def _averaged(before: Mapping[str, float], arrived: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Moving averages of events a second, of the most frequent keys."""
    rates = {}
    for key in {**before, **arrived}:
        now = arrived.get(key, 0) / seconds
        earlier = before.get(key)
        rate = now if earlier is None else earlier + _NEWEST * (now - earlier)
        if rate >= _FORGET_BELOW:
            rates[key] = rate
    if len(rates) > MAX_KEYS:
        return dict(sorted(rates.items(), key=lambda item: -item[1])[:MAX_KEYS])
    return rates
