"""Whether what a process costs stays flat, though outages come and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

#: A queue that is longer than the longest one so far by this factor begins a new plateau.
_NEW_PEAK = 1.05


def slope_a_minute(looks: Sequence[dict[str, Any]], key: str) -> float:
    """
    What ``key`` grows by in a minute.

    What waits in memory takes memory, and the allocator keeps what it had for the longest queue so far. So only
    looks at calm times count, with a queue no longer than it is without an outage; and only growth between two
    records of the queue's length: the line through each such plateau has the same slope, and a height of its own
    (least squares). The first quarter is left out: modules are imported, caches filled.

    Args:
        looks: in order of ``seconds``, with what ``key`` names and ``queued``.
    """
    above = below = 0.0
    for plateau in _plateaus(looks):
        xs, ys = [look["seconds"] / 60 for look in plateau], [float(look[key]) for look in plateau]
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        above += sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
        below += sum((a - x) ** 2 for a in xs)
    return above / below if below else 0.0


def _plateaus(looks: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Calm looks of the last three quarters, between two records of the queue's length."""
    calm = 2 * sorted(look["queued"] for look in looks)[len(looks) // 3]
    number, peak, numbered = 0, 0.0, []
    for look in looks:
        if look["queued"] > max(calm, peak * _NEW_PEAK):
            number, peak = number + 1, look["queued"]
        numbered.append((number, look))
    late = [(number, look) for number, look in numbered[len(looks) // 4 :] if look["queued"] <= calm]
    for _, plateau in groupby(late, key=lambda pair: pair[0]):
        yield [look for _, look in plateau]
