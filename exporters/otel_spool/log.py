"""
Our own log lines: one a minute for each subject, and never about a thread's own spooling.

Many applications route all their loggers into OpenTelemetry. A line that is written while a record is spooled or
sent would be spooled and sent, and so on; :mod:`otel_spool.processor` refuses records that come from such a
thread.

And never inside the spool's lock: another thread may hold the lock of a handler, and wait in it for the spool's.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from otel_delivery.rare_log import RareLog

LOGGER_NAME: Final = "otel_spool"
_MOST_WAITING: Final = 64


class SpoolLog(RareLog):
    """
    Writes warnings rarely.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(LOGGER_NAME, clock)
        self._is_inside: Callable[[], bool] = lambda: False
        self.waiting: deque[tuple[str, str, tuple[object, ...]]] = deque(maxlen=_MOST_WAITING)

    def wait_while(self, is_inside: Callable[[], bool]) -> None:
        """Write nothing while this says so of the calling thread; then with the next line, or :meth:`write`."""
        self._is_inside = is_inside

    def tell(self, subject: str, line: str, *args: object) -> None:
        """Write a line, unless one about the same subject was written within the last minute."""
        self.waiting.append((subject, line, args))
        self.write()

    def write(self) -> None:
        """Write the lines that wait, unless this thread is inside the spool."""
        if self._is_inside():
            return
        while self.waiting:
            try:
                subject, line, args = self.waiting.popleft()
            except IndexError:
                return  # another thread was faster
            super().tell(subject, f"{LOGGER_NAME}: {line}", *args)
