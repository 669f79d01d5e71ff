"""Whether what a process costs stays flat, though outages come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: What the machine may have to give for an event that waits in memory, and for what is recovered meanwhile.
_BYTES_AN_EVENT = 1_500
_BYTES_FOR_RECOVERY = 24 * 1024 * 1024


def slope_a_minute(looks: Sequence[dict[str, Any]], key: str) -> float:
    """
    What ``key`` grows by in a minute (least squares).

    What waits in memory takes memory, so only looks at calm times count, with a queue no longer than it is
    without an outage. The first quarter is left out: modules are imported, caches filled.

    Args:
        looks: in order of ``seconds``, with what ``key`` names and ``queued``.
    """
    calm = 2 * sorted(look["queued"] for look in looks)[len(looks) // 3]
    late = [look for look in looks[len(looks) // 4 :] if look["queued"] <= calm]
    xs, ys = [look["seconds"] / 60 for look in late], [float(look[key]) for look in late]
    x, y = sum(xs) / max(len(xs), 1), sum(ys) / max(len(ys), 1)
    below = sum((a - x) ** 2 for a in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / below if below else 0.0


def bytes_above_ceiling(looks: Sequence[dict[str, Any]]) -> float:
    """
    By how much ``resident`` is ever above what outages explain; below zero when it never is.

    The allocator does not give back all that the longest queue so far took, nor what a recovery took. Neither
    depends on how long it all goes on: a longer soak finds a slower growth.
    """
    start = len(looks) // 4
    begin = max(look["resident"] for look in looks[: start + 1])
    longest, above = 0, float("-inf")
    for number, look in enumerate(looks):
        longest = max(longest, look["queued"])
        if number > start:
            above = max(above, look["resident"] - begin - _BYTES_AN_EVENT * longest - _BYTES_FOR_RECOVERY)
    return above
