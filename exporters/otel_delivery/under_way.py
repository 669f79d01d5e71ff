"""How many calls are under way, for whoever waits until there are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class UnderWay:
    """Counts calls. Thread-safe; the child of a fork needs one of its own."""

    def __init__(self) -> None:
        self._idle = threading.Condition()
        self._calls = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """One call, as long as the block lasts."""
        with self._idle:
            self._calls += 1
        try:
            yield
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def wait_for_none(self, timeout_seconds: float) -> bool:
        """Wait until no call is under way; whether there is none."""
        with self._idle:
            return self._idle.wait_for(lambda: self._calls == 0, timeout_seconds)
