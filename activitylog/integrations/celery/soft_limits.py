"""Soft time limits of the prefork pool, which billiard raises by a signal: not in the midst of an event."""

from __future__ import annotations

import signal
import sys
import threading

from activitylog.integrations.time_limits import PatientHandler

_SIGNAL = getattr(signal, "SIGUSR1", None)


def begin() -> None:
    """A task begins. Billiard has installed its handler by then, in processes of its pool and nowhere else."""
    handler = None if _SIGNAL is None else signal.getsignal(_SIGNAL)
    if isinstance(handler, PatientHandler):
        handler.next_task()
    elif _SIGNAL is not None and callable(handler) and handler is _of_billiard() and _in_main_thread():
        PatientHandler(handler, _SIGNAL).install()


def end() -> None:
    """A task is over: its limit is none of the next one's."""
    handler = None if _SIGNAL is None else signal.getsignal(_SIGNAL)
    if isinstance(handler, PatientHandler):
        handler.next_task()


def _of_billiard() -> object:
    return getattr(sys.modules.get("billiard.pool"), "soft_timeout_sighandler", None)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
