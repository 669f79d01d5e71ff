"""The benchmark of captured models, on a few rows: it runs, and loses no event."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.django_models import CASES

_ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_runs() -> None:
    """One round on two hundred rows, in a process of its own: Django has one configuration a process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.django_models", "1", "200"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [title for _, title in CASES]
