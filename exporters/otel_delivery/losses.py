"""Losses are counted always and told rarely (:mod:`otel_delivery.rare_log`)."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from otel_delivery.rare_log import RareLog


class Losses:
    """
    Counts by reason, and the log lines about them. Thread-safe.

    Args:
        log: where the lines go; :mod:`otel_delivery.reentrancy` keeps them out of the exporter.
    """

    def __init__(self, log: RareLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

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

    def tell(self, subject: str, line: str, *args: object) -> None:
        """Write the line, unless one about the same subject was written within the last minute."""
        self._log.tell(subject, line, *args)
