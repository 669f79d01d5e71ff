"""Threads of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable


def started(target: Callable[[], None], name: str) -> threading.Thread | None:
    """A running daemon thread; None when the interpreter ends, and what is on disk is for the next process."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
