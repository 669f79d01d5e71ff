"""How the work of a call grows, for tests that texts of strangers cannot make it explode."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: 100 kB in so many CPU seconds: nothing that goes over them twice for each character can be so fast.
_SURELY_LINEAR_SECONDS = 0.02


def grows_linearly(small: Callable[[], Any], large: Callable[[], Any]) -> bool:
    """Whether the call on twice as much takes less than three times the CPU; quadratic work takes four times."""
    took = _cpu_seconds(large, 1)
    return took < _SURELY_LINEAR_SECONDS or _cpu_seconds(large, 3) < 3 * _cpu_seconds(small, 3) + 0.005


def _cpu_seconds(call: Callable[[], Any], tries: int) -> float:
    """CPU seconds of this thread, the least of a few tries: other work on the machine does not count."""
    least = float("inf")
    for _ in range(tries):
        started = time.thread_time_ns()
        call()
        least = min(least, (time.thread_time_ns() - started) / 1e9)
    return least
