"""The first events of each kind in a window: kept at weight 1, so that what is rare never vanishes."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Final

from activitylog.rules import Rule
from activitylog.rules.reading import tenant_of, unit_reader

MAX_KEYS: Final = 10_000


class FirstOfKey:
    """
    ``first`` of one rule: so many events of each name, tenant and outcome (and ``first_per``) in a window.

    Windows are whole multiples of their length since the epoch. A window knows a bounded number of keys; events of
    others are not first. Which events are first depends on their order alone, never on a draw.

    Without a lock: two threads may both be the last of the first ones, and both are then kept, at weight 1.

    Args:
        rule: with ``first`` above 0.
        clock: wall nanoseconds.
    """

    def __init__(self, rule: Rule, clock: Callable[[], int]) -> None:
        self._limit = rule.first
        self._window_ns = max(1, round(rule.first_window_seconds * 1e9))
        self._key_of = None if rule.first_per is None else unit_reader(rule.first_per)
        self._clock = clock
        self._window = -1
        self._counts: dict[tuple[Any, ...], int] = {}

    def takes(self, event_dict: MutableMapping[str, Any], outcome: str) -> bool:
        """True for one of the first, which it counts."""
        window = self._clock() // self._window_ns
        if window != self._window and window != self._window - 1:  # the clock may step back a little
            self._window, self._counts = window, {}
        own = None if self._key_of is None else self._key_of(event_dict)
        key = (event_dict.get("event"), tenant_of(event_dict), outcome, own)
        counts = self._counts
        count = counts.get(key, 0)
        if count >= self._limit or (count == 0 and len(counts) >= MAX_KEYS):
            return False
        counts[key] = count + 1
        return True
