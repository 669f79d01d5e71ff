"""Exporters that answer as they are told, and keep what they took."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor, SpoolStats
from tests.exporters_for_tests import DeliversOnly


class Backend(DeliversOnly):
    """
    Stores each token once, as ClickHouse does.

    Attributes:
        answer: asked for each attempt, with its number; may raise, or wait.
        stored: bodies by token.
    """

    def __init__(self, answer: Callable[[int], Answer] = lambda _: Answer("delivered")) -> None:
        self.answer = answer
        self.stored: dict[str, list[Any]] = {}
        self.attempts = 0
        self._lock = threading.Lock()

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """One attempt."""
        with self._lock:
            self.attempts += 1
            attempt = self.attempts
        said = self.answer(attempt)
        if said.status == "delivered" or said.reason == "lost answer":
            with self._lock:
                self.stored.setdefault(token, [record.log_record.body for record in records])
        return said

    @property
    def bodies(self) -> list[Any]:
        """All that was stored."""
        with self._lock:
            return [body for batch in self.stored.values() for body in batch]


class Emitter:
    """An OpenTelemetry logger in front of one processor."""

    def __init__(self, *processors: SpooledLogRecordProcessor) -> None:
        provider = LoggerProvider(shutdown_on_exit=False)
        for processor in processors:
            provider.add_log_record_processor(processor)
        self._logger = provider.get_logger("test")

    def emit(self, body: Any) -> None:
        """One record."""
        self._logger.emit(LogRecord(body=body))


def adds_up(stats: SpoolStats) -> bool:
    """Whether every event that came in is in exactly one of the other numbers."""
    lost = sum(stats.dropped.values())
    return stats.accepted == stats.delivered + stats.spooled + stats.in_memory + stats.taken_over + lost
