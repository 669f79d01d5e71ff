"""
Whether a store has a place for exact counters. Without one they are given up at once, and the log says so once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from activitylog.exceptions import SchemaError
from activitylog.visible import visible

#: Between two looks at a store that had no place for counters: someone may have applied the schema.
_SECONDS_BETWEEN_LOOKS: Final = 300.0

_log = logging.getLogger("activitylog")


class CountersPlace:
    """
    Whether a store takes counters: asked before the first ones, and then rarely.

    Args:
        check: raises SchemaError where it does not; any other error is no answer.
        clock: monotonic seconds.
    """

    def __init__(self, check: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._found = False
        self._look_again = float("-inf")
        self._told = ""

    def missing(self) -> bool:
        """True where there is none for certain; the log has the reason once."""
        if self._found:
            return False
        if self._clock() < self._look_again:
            return True
        try:
            self._check()
        except SchemaError as error:
            self._look_again = self._clock() + _SECONDS_BETWEEN_LOOKS
            self._tell(str(error))
            return True
        except Exception:  # noqa: BLE001 - nobody answers: the exporter has that, too, and knows how long to wait
            return False
        self._found = True
        self._told = ""
        return False

    def doubt(self) -> None:
        """Look again before the next ones: some were not delivered, and the reason may be that it is gone."""
        self._found = False

    def _tell(self, why: str) -> None:
        if why != self._told:
            self._told = why
            _log.error("activitylog: exact counters are not stored, events are: %s", visible(why))
