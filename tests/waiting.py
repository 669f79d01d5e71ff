"""Waiting for what another thread or process does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """
    Return as soon as the condition holds.

    Args:
        seconds: after which the test fails: far more than it takes on a machine that does ten other things.
    """
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s"
        pause.wait(0.005)
