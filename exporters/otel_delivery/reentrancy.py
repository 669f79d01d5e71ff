"""
What is logged while a batch is exported must not become part of a batch.

Many applications route all their loggers into OpenTelemetry. Then every export that fails would log, the line
would be exported, fail, and log again; and at level DEBUG every export that succeeds would feed the next one.

* A processor that exports in the logging thread comes back into ``export``: refused, this thread is exporting.
* A batch processor queues the line: records of our own logger are left out of the batch they arrive in.
* Drivers log each failed attempt, which we tell better: their loggers are silent in threads that export.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.sdk._logs import ReadableLogRecord


class Reentrancy:
    """
    What one package of exporters knows of its own lines. Make one, at the top of a module.

    Args:
        logger_name: of the package's own logger.
        drivers: packages whose loggers are to be silent.
    """

    def __init__(self, logger_name: str, *, drivers: tuple[str, ...]) -> None:
        self.logger_name = logger_name
        self._drivers = drivers
        # Not a thread's own value: greenlets of one thread may share that, where gevent patches a process late.
        self._exporting: ContextVar[bool] = ContextVar(f"{logger_name}.exporting", default=False)

    @contextmanager
    def exporting(self) -> Iterator[None]:
        """Mark this thread as exporting."""
        token = self._exporting.set(True)
        try:
            yield
        finally:
            self._exporting.reset(token)

    def is_exporting(self) -> bool:
        """Whether this thread is exporting."""
        return self._exporting.get()

    def is_own_line(self, record: ReadableLogRecord) -> bool:
        """Whether a record is a line of the package's own logger."""
        scope = record.instrumentation_scope
        return scope is not None and scope.name == self.logger_name

    def quiet_drivers(self) -> None:
        """Silence the drivers' loggers in threads that export. Idempotent; call it once they are imported."""
        for name in list(logging.root.manager.loggerDict):
            if name.partition(".")[0] in self._drivers:
                logging.getLogger(name).addFilter(self._said_elsewhere)

    def _said_elsewhere(self, _record: logging.LogRecord) -> bool:
        return not self.is_exporting()
