"""Threads of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress


def started(target: Callable[[], None], name: str) -> threading.Thread | None:
    """A running daemon thread; None when the interpreter ends, and what is on disk is for the next process."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def started_or_done(target: Callable[[], None], name: str, *, may_wait: bool) -> threading.Thread | None:
    """
    As ``started``; where no thread can be had, the target is called here and now, however long it takes.

    As of a thread, the caller does not get what it raises.

    Args:
        may_wait: whether the caller can wait for the target; if not, it is not called.
    """
    thread = started(target, name)
    if thread is None and may_wait:
        with suppress(Exception):
            target()
    return thread
