"""
What is logged while a batch is exported must not become part of a batch.

Many applications route all their loggers into OpenTelemetry. Then every export that fails would log, the line
would be exported, fail, and log again; and at level DEBUG every export that succeeds would feed the next one.

* A processor that exports in the logging thread comes back into ``export``: refused, this thread is exporting.
* A batch processor queues the line: records of our own logger are left out of the batch they arrive in.
* The driver logs each failed attempt, which we tell better: its loggers are silent in threads that export.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LOGGER_NAME: Final = "otel_clickhouse"

_DRIVERS: Final = ("clickhouse_connect", "urllib3")

_thread = threading.local()


@contextmanager
def exporting() -> Iterator[None]:
    """Mark this thread as exporting."""
    _thread.exporting = True
    try:
        yield
    finally:
        _thread.exporting = False


def is_exporting() -> bool:
    """Whether this thread is exporting."""
    return getattr(_thread, "exporting", False)


def _said_elsewhere(_record: logging.LogRecord) -> bool:
    return not is_exporting()


def quiet_driver() -> None:
    """Silence the loggers of the driver's modules in threads that export. Idempotent; call it once they exist."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _DRIVERS:
            logging.getLogger(name).addFilter(_said_elsewhere)
