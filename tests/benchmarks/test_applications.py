"""The benchmark of applications runs, and finds every event of the requests that were answered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.engine
def test_it_runs() -> None:
    """On few requests, whose times say nothing."""
    command = [sys.executable, "-m", "tests.benchmarks.applications", "--databases", "sqlite", "--rounds", "1"]
    command += ["--messages", "2", "--bulk", "3", "--clients", "2", "--seconds", "0.2"]
    command += ["--ways", "before: a row each", "activitylog, store away"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line]
    writes = {row[0]: (row[3], row[5]) for row in rows[2:]}
    assert writes == {"before: a row each": ("3", "4"), "activitylog, store away": ("2", "1")}
