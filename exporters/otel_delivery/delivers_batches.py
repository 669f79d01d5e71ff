"""What a keeper of batches asks of an exporter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery.answer import Answer


@runtime_checkable
class DeliversBatches(Protocol):
    """An exporter that gives definite answers."""

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """
        Make one attempt to deliver a batch. Never raises, never waits between attempts.

        Args:
            records: the same at each attempt, in the same order.
            token: deduplication token of the batch, the same at each attempt, and in another process.
            first_attempt_ns: when the first attempt began, nanoseconds since the epoch, as its outcome is unknown;
                None at the first one.

        Two threads may call it at the same time: one with what is fresh, one with what was left.
        """
