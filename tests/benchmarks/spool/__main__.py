"""
What it costs to keep an event: ``python -m tests.benchmarks.spool [RUNS]``.

Every way runs in a process of its own, RUNS times in turn (5 by default); the table has the medians. Compare
within a table: the ratio to ``stock OpenTelemetry`` is what lasts. The exporter takes everything at once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.spool.variants import VARIANTS

_ROOT = Path(__file__).parents[3]


def measure(name: str) -> dict[str, float]:
    """One run: microseconds an event at the 50th, 99th and 99.9th percentile of the calls, and CPU per event."""
    variant = next(variant for variant in VARIANTS if variant.name == name)
    with tempfile.TemporaryDirectory() as folder:
        emit, end = variant.open(Path(folder))
        for _ in range(max(100 // variant.together, 1)):
            emit()
        took = []
        cpu = time.process_time_ns()
        for _ in range(variant.events // variant.together):
            began = time.perf_counter_ns()
            emit()
            took.append(time.perf_counter_ns() - began)
        end()
        cpu = time.process_time_ns() - cpu
    took.sort()
    at = {
        label: took[int(len(took) * share)] / variant.together / 1e3
        for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    }
    return {**at, "cpu": cpu / variant.events / 1e3}


def in_a_process(name: str) -> dict[str, float]:
    """The same, in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.spool", "--one", name],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(result.stdout))


def main(arguments: list[str]) -> None:
    """Measure and print."""
    if arguments[:1] == ["--one"]:
        sys.stdout.write(json.dumps(measure(arguments[1])))
        return
    runs = int(arguments[0]) if arguments else 5
    found: dict[str, list[dict[str, float]]] = {variant.name: [] for variant in VARIANTS}
    for _ in range(runs):
        for variant in VARIANTS:
            found[variant.name].append(in_a_process(variant.name))
    stock = statistics.median(run["p50"] for run in found["stock OpenTelemetry"])
    write = sys.stdout.write
    write(f"{'':27}{'survives':26}{'p50':>9}{'p99':>9}{'p99.9':>10}{'cpu':>9}{'x stock':>9}\n")
    for variant in VARIANTS:
        medians = {
            key: statistics.median(run[key] for run in found[variant.name]) for key in found[variant.name][0]
        }
        numbers = "".join(
            f"{medians[key]:{width}.1f}" for key, width in (("p50", 9), ("p99", 9), ("p99.9", 10), ("cpu", 9))
        )
        write(f"{variant.name:27}{variant.survives:26}{numbers}{medians['p50'] / stock:9.2f}\n")


main(sys.argv[1:])
