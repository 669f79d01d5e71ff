"""Log lines about deliveries: an outage is in the log once a minute, and not once for each batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from otel_delivery.printable import printable

_SECONDS_BETWEEN_LINES: Final = 60.0


class RareLog:
    """
    Writes warnings, one a minute for each subject, with how many were left out between.

    Args:
        name: of the logger.
        clock: monotonic seconds.

    Any thread may tell, a signal handler too: no lock is taken, and at worst two threads write a line each. A
    handler of the application's that fails disturbs nobody.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logging.getLogger(name)
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}

    def tell(self, subject: str, line: str, *args: object) -> None:
        """Write a line, unless one about the same subject was written within the last minute."""
        now = self._clock()
        last, left_out = self._told.get(subject, (float("-inf"), 0))
        if now - last < _SECONDS_BETWEEN_LINES:
            self._told[subject] = (last, left_out + 1)
            return
        self._told[subject] = (now, 0)
        if left_out:
            line += " (%d similar lines left out)"
            args = (*args, left_out)
        with suppress(Exception):
            self._logger.warning(line, *printable_args(args))


def printable_args(args: Iterable[object]) -> tuple[object, ...]:
    """What is put into a line: numbers as they are, everything else as printable text."""
    return tuple(arg if isinstance(arg, (int, float)) else printable(str(arg)) for arg in args)
