"""
Messages to several applications, one each in turn: what differs by a tenth of a millisecond shows only so.

Run in a process of its own, ``python -m tests.benchmarks.applications.turns COUNT PORT...``; it prints the figures
of each as JSON, times in milliseconds.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[3]
_LOAD: Final = _ROOT / "examples" / "django_messaging" / "load.py"


def messages_in_turn(ports: Sequence[int], count: int) -> list[dict[str, float]]:
    """So many messages to each application: ``p50``, ``p99`` and ``writes`` of each."""
    command = [sys.executable, "-m", __spec__.name, str(count), *map(str, ports)]
    done = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("load", _LOAD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _measured(count: int, ports: Sequence[int]) -> list[dict[str, float]]:
    load = _load()
    members = [load.Client(port, "member0") for port in ports]
    times: list[list[float]] = [[] for _ in members]
    for _ in range(count):
        for member, own in zip(members, times, strict=True):
            own.extend(load.timed(member.send, 1))
    return [
        {"p50": statistics.median(own), "p99": load.percentile(own, 0.99), "writes": member.writes}
        for member, own in zip(members, times, strict=True)
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]), [int(port) for port in sys.argv[2:]])))
