"""The soak's measure tells a leak from an outage."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.soak.flatness import slope_a_minute

MB = 1_000_000
#: When an outage begins, and how long the queue gets.
OUTAGES = {40: 3_000, 130: 6_500, 200: 6_000, 260: 9_000}


def looks(leak_a_minute: float) -> list[dict[str, Any]]:
    """Of five minutes: each queue that is longer than all before it takes memory for good, 1.5 KB an event."""
    rng = random.Random(1)
    found, longest = [], 0
    for second in range(300):
        queued = rng.randint(50, 200)
        for begin, length in OUTAGES.items():
            if begin <= second < begin + 10:
                queued = length * (second - begin + 1) // 10
        longest = max(longest, queued)
        resident = 60 * MB + 1_500 * longest + rng.gauss(0, 0.3 * MB) + leak_a_minute * second / 60
        found.append({"seconds": float(second), "queued": queued, "resident": resident})
    return found


@pytest.mark.parametrize("leak", [0, 0.5 * MB, 3 * MB])
def test_growth_beside_outages(leak: float) -> None:
    """What the process would grow by without them."""
    assert slope_a_minute(looks(leak), "resident") == pytest.approx(leak, abs=0.2 * MB)


def test_flat_files() -> None:
    """A number that never changes."""
    assert slope_a_minute([{**look, "files": 7} for look in looks(0)], "files") == 0


def test_too_few_looks() -> None:
    """One says nothing about growth."""
    assert slope_a_minute(looks(0)[:1], "resident") == 0
