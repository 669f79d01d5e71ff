"""How the work of a call grows, for tests that texts of strangers cannot make it explode."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: 100 kB in so many CPU seconds: nothing that goes over them twice for each character can be so fast.
_SURELY_LINEAR_SECONDS = 0.02


def grows_linearly(small: Callable[[], Any], large: Callable[[], Any]) -> bool:
    """
    Whether the call on four times as much takes less than eight times the CPU; quadratic work takes sixteen times.

    The least of some tries in turn, so that other work on the machine disturbs both alike.
    """
    if _cpu_seconds(large) < _SURELY_LINEAR_SECONDS:
        return True
    pairs = [(_cpu_seconds(small), _cpu_seconds(large)) for _ in range(3)]
    return min(took for _, took in pairs) < 8 * min(took for took, _ in pairs) + 0.005


def _cpu_seconds(call: Callable[[], Any]) -> float:
    """Of this thread alone."""
    started = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - started) / 1e9
