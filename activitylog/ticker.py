"""A thread that does what is due, about twice a second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

INTERVAL_SECONDS: Final = 0.5

_log = logging.getLogger("activitylog")


class Ticker:
    """
    Calls a function again and again, in a daemon thread that begins with the first :meth:`start`.

    Args:
        work: what is due; an exception ends neither the thread nor the process, and is logged once.
        interval_seconds: between two calls.

    A thread does not survive a fork: the child makes a ticker of its own.
    """

    def __init__(self, work: Callable[[], None], *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._work = work
        self._interval_seconds = interval_seconds
        self._stopped = threading.Event()
        self._starting = threading.Lock()
        self._failed: set[type[Exception]] = set()
        self.started = False

    def start(self) -> None:
        """Begin; further calls do nothing. At the end of the interpreter no thread begins, and nothing ticks."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if not self.started:
                self.started = True
                with suppress(RuntimeError):
                    threading.Thread(target=self._run, name="activitylog-ticker", daemon=True).start()
        finally:
            self._starting.release()

    def stop(self) -> None:
        """End; a call that is under way ends first, by itself."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_seconds):
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - the next call may do better; logged
                self._report(error)

    def _report(self, error: Exception) -> None:
        if type(error) not in self._failed:
            self._failed.add(type(error))
            with suppress(Exception):  # a handler or filter of the application's logging that fails
                _log.error("activitylog: the ticker failed with a %s; it goes on.", type(error).__name__)
