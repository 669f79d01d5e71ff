"""
The time of a test: it stands still and moves when it is told to.

Every module of activitylog reads the time by a name of its own, ``time_ns`` or ``perf_counter_ns``. While time is
frozen these names mean the functions below; code that emits in production is the same, and no slower.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from activitylog.exceptions import ConfigurationError, shown

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FORMS: Final = (
    "Give ISO 8601 text with its zone, such as '2026-01-01T00:00:00Z', an aware datetime, or whole nanoseconds."
)
_INT64: Final = 1 << 63


class Clock:
    """
    The real time until it is frozen.

    Called, it answers in nanoseconds since the epoch: the clock of the rules.
    """

    def __init__(self) -> None:
        self._now_ns: int | None = None
        self._ticked_ns = 0
        self._replaced: list[tuple[ModuleType, str, Any]] = []

    def __call__(self) -> int:
        return time.time_ns() if self._now_ns is None else self._now_ns

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._now_ns is not None

    def freeze(self, at: str | dt.datetime | int) -> None:
        """
        Have time stand still at a moment.

        Raises:
            ConfigurationError: it is no moment.
        """
        self._now_ns = nanoseconds(at)
        if not self._replaced:
            self._replace("time_ns", self)
            self._replace("perf_counter_ns", self._ticked)

    def tick(self, seconds: float) -> None:
        """
        Move on by so many seconds.

        Raises:
            ConfigurationError: time does not stand still.
        """
        if self._now_ns is None:
            raise ConfigurationError(
                "tick() moves a time that stands still, and it does not.", hint="Call freeze() before."
            )
        passed_ns = round(seconds * 1e9)
        self._now_ns += passed_ns
        self._ticked_ns += passed_ns

    def release(self) -> None:
        """Have time be real again."""
        self._now_ns = None
        while self._replaced:
            module, name, function = self._replaced.pop()
            setattr(module, name, function)

    def _ticked(self) -> int:
        return self._ticked_ns

    def _replace(self, name: str, by: Callable[[], int]) -> None:
        for module_name, module in list(sys.modules.items()):
            if module_name.startswith("activitylog.") and name in vars(module):
                self._replaced.append((module, name, getattr(module, name)))
                setattr(module, name, by)


def nanoseconds(at: Any) -> int:
    """
    A moment in nanoseconds since the epoch, to the microsecond.

    Args:
        at: ISO 8601 text with a zone, an aware ``datetime``, a number of seconds (a float), or whole nanoseconds.

    Raises:
        ConfigurationError: it is none of these, or no moment between 1970 and 2262.
    """
    moment = _parsed(at) if isinstance(at, str) else at
    found: Any = moment
    if isinstance(moment, dt.datetime) and moment.tzinfo is not None:
        found = (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000
    elif isinstance(moment, float) and moment - moment == 0.0:
        found = round(moment * 1_000_000) * 1000
    if type(found) is not int or not 0 <= found < _INT64:
        raise ConfigurationError(f"{shown(at)} is no moment.", hint=_FORMS)
    return found


def _parsed(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None
