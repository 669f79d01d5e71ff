"""An exporter that is made when the first batch is there, in the thread that sends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter

from otel_delivery import Answer, DeliversBatches
from otel_spool.delivery import PlainExporter


class LateExporter:
    """
    The exporter, made when the first batch is there.

    Args:
        exporter: an exporter, or a function that makes one.

    Attributes:
        starting: held during its attempts until one has a definite answer: drivers are imported in them, and a
            child that is forked meanwhile could never import them.
    """

    def __init__(self, exporter: LogRecordExporter | Callable[[], LogRecordExporter]) -> None:
        self._given = exporter
        self._built: LogRecordExporter | None = None
        self._started = False
        self._unusable = False
        self.reset_after_fork()

    def reset_after_fork(self, half_imported: bool = False) -> None:
        """A lock that a thread of the parent held would stay locked; so do those of modules that it imported."""
        self._unusable = self._unusable or half_imported
        self.starting = threading.RLock()
        self._delivers: DeliversBatches | None = None

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """One attempt."""
        if self._unusable:
            return Answer(
                "elsewhere", "forked", "this process was forked while another thread imported the driver"
            )
        delivers = self._delivers
        if self._started and delivers is not None:
            return delivers.deliver(records, token=token, first_attempt_ns=first_attempt_ns)
        with self.starting:
            answer = self._get().deliver(records, token=token, first_attempt_ns=first_attempt_ns)
            self._started = self._started or answer.status == "delivered"
            return answer

    def _get(self) -> DeliversBatches:
        if self._built is None:
            given = self._given
            self._built = given() if not isinstance(given, LogRecordExporter) else given
        if self._delivers is None:
            built = self._built
            self._delivers = built if isinstance(built, DeliversBatches) else PlainExporter(built)
        return self._delivers

    def shutdown(self) -> None:
        """Shut it down, if there is one."""
        if self._built is not None:
            self._built.shutdown()  # type: ignore[no-untyped-call]
