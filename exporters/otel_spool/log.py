"""
Our own log lines: one a minute for each subject, and never about a thread's own spooling.

Many applications route all their loggers into OpenTelemetry. A line that is written while a record is spooled or
sent would be spooled and sent, and so on; :mod:`otel_spool.processor` refuses records that come from such a
thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from otel_delivery.rare_log import RareLog

LOGGER_NAME: Final = "otel_spool"


class SpoolLog(RareLog):
    """
    Writes warnings rarely.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(LOGGER_NAME, clock)

    def tell(self, subject: str, line: str, *args: object) -> None:
        """Write a line, unless one about the same subject was written within the last minute."""
        super().tell(subject, f"{LOGGER_NAME}: {line}", *args)
