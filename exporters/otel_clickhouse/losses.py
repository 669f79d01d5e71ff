"""
Losses are counted always and told rarely: one log line a minute for each reason, with what came since.

The lines go to the logger ``otel_clickhouse``; :mod:`otel_clickhouse.reentrancy` keeps them out of the exporter.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from otel_clickhouse.printable import printable
from otel_clickhouse.reentrancy import LOGGER_NAME

_SECONDS_BETWEEN_LINES: Final = 60.0

_log = logging.getLogger(LOGGER_NAME)


class Losses:
    """
    Counts by reason, and the log lines about them. Thread-safe.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._told: dict[str, tuple[float, int]] = {}

    def counts(self) -> Mapping[str, int]:
        """How many records were given up so far, by reason."""
        with self._lock:
            return dict(self._counts)

    def add(self, reason: str, records: int, why: str = "") -> None:
        """Count records as given up; without ``why`` no line is written."""
        with self._lock:
            total = self._counts[reason] = self._counts.get(reason, 0) + records
        if why:
            self.tell(reason, "%d records dropped (%s), %d in all: %s", records, reason, total, why)

    def tell(self, reason: str, line: str, *args: object) -> None:
        """Write the line, unless one with the same reason was written within the last minute."""
        now = self._clock()
        with self._lock:
            last, unwritten = self._told.get(reason, (float("-inf"), 0))
            if now - last < _SECONDS_BETWEEN_LINES:
                self._told[reason] = (last, unwritten + 1)
                return
            self._told[reason] = (now, 0)
        if unwritten:
            line += " (%d similar lines left out)"
            args = (*args, unwritten)
        _log.warning(line, *(arg if isinstance(arg, int) else printable(str(arg)) for arg in args))
