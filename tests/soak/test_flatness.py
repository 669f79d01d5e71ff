"""The soak's measures tell a leak from an outage."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.soak.flatness import bytes_above_ceiling, slope_a_minute
from tests.soak.memory import malloc_bytes, resident_bytes, small_blocks

MB = 1_000_000
#: When an outage begins, and how long the queue gets.
OUTAGES = {40: 3_000, 130: 6_500, 200: 6_000, 260: 9_000}


def looks(leak_a_minute: float) -> list[dict[str, Any]]:
    """Of five minutes: an event in use takes 1.2 KB, and what the longest queue took stays with the allocator."""
    rng = random.Random(1)
    found, longest = [], 0
    for second in range(300):
        queued = rng.randint(50, 200)
        for begin, length in OUTAGES.items():
            if begin <= second < begin + 10:
                queued = length * (second - begin + 1) // 10
        longest = max(longest, queued)
        leaked = rng.gauss(0, 0.3 * MB) + leak_a_minute * second / 60
        found.append(
            {
                "seconds": float(second),
                "queued": queued,
                "in_use": 40 * MB + 1_200 * queued + leaked,
                "resident": 60 * MB + 1_200 * longest + leaked,
            }
        )
    return found


@pytest.mark.parametrize("leak", [0, 0.5 * MB, 3 * MB])
def test_growth_beside_outages(leak: float) -> None:
    """What the process would grow by without them."""
    assert slope_a_minute(looks(leak), "in_use") == pytest.approx(leak, abs=0.2 * MB)


@pytest.mark.parametrize(("leak", "is_above"), [(0, False), (1 * MB, False), (12 * MB, True)])
def test_growth_that_outages_do_not_explain(leak: float, is_above: bool) -> None:
    """What the allocator keeps is explained; what grows on is not."""
    assert (bytes_above_ceiling(looks(leak)) > 0) is is_above


def test_flat_files() -> None:
    """A number that never changes."""
    assert slope_a_minute([{**look, "files": 7} for look in looks(0)], "files") == 0


def test_too_few_looks() -> None:
    """One says nothing about growth."""
    assert slope_a_minute(looks(0)[:1], "in_use") == 0
    assert bytes_above_ceiling(looks(0)[:1]) < 0


def test_what_is_in_use_is_counted() -> None:
    """Small objects by their number, large ones by their bytes; both are given back."""
    before = small_blocks(), malloc_bytes()
    small, large = [bytes([n % 256]) * 31 for n in range(50_000)], bytearray(3 * MB)
    during = small_blocks(), malloc_bytes()
    assert len(small) == 50_000 <= during[0] - before[0] < 60_000
    assert len(large) == 3 * MB <= during[1] - before[1] < 5 * MB
    del small, large
    assert small_blocks() - before[0] < 5_000
    assert malloc_bytes() - before[1] < 1 * MB
    assert resident_bytes() > malloc_bytes()
