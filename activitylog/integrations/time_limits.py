"""
Time limits that a signal handler raises into a task wait for the event that is being emitted.

Raised into ``emit``, which never raises, such an exception would be taken for a failure of the event: that would
be lost, and the limit with it. So the signal is sent again, a moment later, until the event is done; where that
takes long (a bound callable that hangs) the exception is raised inside, and once more behind.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from activitylog import config
from activitylog.deferred import defer, defer_many
from activitylog.emit import emit_many

#: Between two looks whether the event is done, and how often there is one before the exception is raised inside.
PAUSE_SECONDS: Final = 0.002
LOOKS: Final = 100
_EMITTING: Final = frozenset(
    function.__code__ for function in (config.submit, config.submit_many, emit_many, defer, defer_many)
)

Handler = Callable[[int, FrameType | None], Any]


def is_emitting(frame: FrameType | None) -> bool:
    """Whether what a signal has interrupted is ``emit``, or one of its kind."""
    while frame is not None:
        if frame.f_code in _EMITTING:
            return True
        frame = frame.f_back
    return False


class PatientHandler:
    """
    A signal handler in the place of another one, which it calls when no event is being emitted.

    Args:
        handler: the one that raises.
        signum: its signal.
    """

    def __init__(self, handler: Handler, signum: int) -> None:
        self._handler = handler
        self._signum = signum
        self._looks = 0
        self._task = 0
        self._sent_for: int | None = None
        self._again: queue.SimpleQueue[int] = queue.SimpleQueue()  # whose put() may be called by signal handlers

    def install(self) -> None:
        """Take the handler's place; in the main thread."""
        threading.Thread(target=self._send_again, name="activitylog-time-limit", daemon=True).start()
        signal.signal(self._signum, self)

    def next_task(self) -> None:
        """What was postponed was for a task that is over."""
        self._task += 1
        self._looks = 0

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        sent_for, self._sent_for = self._sent_for, None
        if sent_for is not None and sent_for != self._task:
            return
        if is_emitting(frame):
            self._again.put(self._task)
            self._looks += 1
            if self._looks < LOOKS:
                return
        self._looks = 0
        self._handler(signum, frame)

    def _send_again(self) -> None:
        pause = threading.Event()
        while True:
            task = self._again.get()
            pause.wait(PAUSE_SECONDS)
            if task == self._task:
                self._sent_for = task
                os.kill(os.getpid(), self._signum)
