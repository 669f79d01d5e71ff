"""The ways that ``python -m tests.benchmarks.spool`` compares: each of them takes an event."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.spool.variants import VARIANTS, Variant


@pytest.mark.benchmark(group="spool")
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_cost(benchmark, variant: Variant, tmp_path: Path) -> None:
    """What one event costs its caller."""
    emit, end = variant.open(tmp_path)
    benchmark(emit)
    end()
