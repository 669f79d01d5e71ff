"""What failed inside, in the application's logging: rarely, and without values."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from activitylog.event import MAX_EVENT_NAME_LENGTH
from activitylog.visible import visible

_LOG_EVERY_SECONDS: Final = 60.0

_log = logging.getLogger("activitylog")


class ErrorLog:
    """Logs what failed inside, one line a minute, without values: they may be secrets."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._unlogged = 0

    def report(self, error: BaseException, event: Any) -> None:
        """Note one failure."""
        now = time.monotonic()
        if now < self._next_at:
            self._unlogged += 1
            return
        self._next_at = now + _LOG_EVERY_SECONDS
        unlogged, self._unlogged = self._unlogged, 0
        _log.error(
            "activitylog: an event was dropped because of a %s in the chain at %s (event %s; %d more since "
            "the last line). Set strict=True in tests to see it raised.",
            visible(type(error).__name__),
            visible(_place(error)),
            visible(repr(event[:MAX_EVENT_NAME_LENGTH] if isinstance(event, str) else type(event).__name__)),
            unlogged,
        )


def _place(error: BaseException) -> str:
    """File and line where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
