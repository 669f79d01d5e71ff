"""
The waits between attempts, and what ends them early.

Attempts begin at once, then after random waits of up to 0.2, 0.4, 0.8 ... 5 seconds ("full jitter", so that many
processes do not come back together), or after what the server asks for. All on the monotonic clock: a wall clock
that is put right moves no deadline.
"""

from __future__ import annotations

import queue
import random
from collections.abc import Callable, Iterator
from typing import Final

#: Not the application's generator, whose sequence may be seeded, nor one that a child shares with its parent.
system_random: Final = random.SystemRandom().random
_FIRST_WAIT_SECONDS: Final = 0.2
_LONGEST_WAIT_SECONDS: Final = 5.0


class Interrupt:
    """
    Ends waits, for good. Like ``threading.Event``, but ``set`` may be called from a signal handler.

    An Event's lock would be taken twice by the thread that waits and runs the handler; ``SimpleQueue.put`` is
    documented to be reentrant.

    The queue is made when it is needed first. A worker of gunicorn is forked, and patched by gevent after that: a
    queue that the fork has made would hold up all greenlets whenever our thread, by then one of them, waits.
    """

    def __init__(self) -> None:
        self._set = False
        self._queues: dict[str, queue.SimpleQueue[None]] = {}

    def _queue(self) -> queue.SimpleQueue[None]:
        return self._queues.get("") or self._queues.setdefault("", queue.SimpleQueue())

    def set(self) -> None:
        """End the waits that are under way, and every later one at once. Idempotent."""
        self._set = True
        self._queue().put(None)

    def is_set(self) -> bool:
        """Whether ``set`` was called."""
        return self._set

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until ``set``. Returns ``is_set()``."""
        try:
            self._queue().get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return self._set
        self._queue().put(None)  # for other threads that wait
        return True

    def renewed(self) -> Interrupt:
        """One of the same state that no thread waits for; for the child of a fork."""
        fresh = Interrupt()
        if self._set:
            fresh.set()
        return fresh


def waits(rng: Callable[[], float] = system_random) -> Iterator[float]:
    """Seconds to wait before the second attempt, the third, and so on; ``rng`` gives numbers from 0 to 1."""
    longest = _FIRST_WAIT_SECONDS
    while True:
        yield rng() * longest
        longest = min(longest * 2, _LONGEST_WAIT_SECONDS)
