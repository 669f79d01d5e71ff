"""
A process under load: ``python -m tests.soak.worker URL FOLDER NAME RATE LEAK``, until it is told to end or killed.

It keeps the number of acknowledged events in a file that survives it, and each second writes down what it costs:
memory, open files, threads, and whether the counts add up.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.kill.ledger import Ledger
from tests.kill.worker import leave_out_extras
from tests.soak.memory import malloc_bytes, resident_bytes, small_blocks

_LONG = struct.Struct("<q")


class Acknowledged:
    """A number in a file, which survives the process."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(_LONG.pack(0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LONG.size)

    def set(self, number: int) -> None:
        """So many events are acknowledged."""
        _LONG.pack_into(self._map, 0, number)

    @staticmethod
    def read(path: Path) -> int:
        """Of a process that may be gone."""
        return int(_LONG.unpack(path.read_bytes())[0])


def open_files() -> dict[str, int]:
    """Of this process, by what they are."""
    kinds: Counter[str] = Counter()
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            name = path.readlink().name
            kinds[name.split(":")[0] if ":" in name else Path(name).suffix or name] += 1
    return dict(kinds)


def look(seconds: float) -> dict[str, Any]:
    """What this process costs, and whether its counts add up."""
    import activitylog

    files = open_files()
    before = activitylog.stats().emitted
    (found,) = activitylog.stats().destinations.values()
    after = activitylog.stats().emitted
    total = found.delivered + found.queued + found.taken_over + sum(found.dropped.values())
    return {
        "seconds": seconds,
        "resident": resident_bytes(),
        "blocks": small_blocks(),
        "malloc": malloc_bytes(),
        "files": sum(files.values()),
        "kinds": files,
        "threads": threading.active_count(),
        "emitted": after,
        "delivered": found.delivered,
        "queued": found.queued,
        "recovered": found.recovered,
        "dropped": sum(found.dropped.values()),
        "retries": found.retries,
        "adds_up": total == found.accepted and before <= found.accepted <= after + 1,
    }


def leak(size: int) -> list[bytes]:
    """So many bytes in one piece, and as many in pieces of 64."""
    return [os.urandom(size), *(os.urandom(31) for _ in range(size // 64))]


def main() -> None:
    """Emit at the rate, in bursts of a hundredth of a second."""
    import activitylog

    leave_out_extras()
    url, folder, name, rate, leaks = (
        sys.argv[1],
        Path(sys.argv[2]),
        sys.argv[3],
        int(sys.argv[4]),
        int(sys.argv[5]),
    )
    leaked: list[bytes] = []
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    activitylog.configure(url, spool_directory=str(folder / "spool"), schedule_delay_millis=250)
    acknowledged, looks = Acknowledged(folder / f"{name}.acknowledged"), Ledger(folder / f"{name}.looks")
    began = next_look = time.monotonic()
    number = 0
    while not ending.is_set():
        for _ in range(max(1, rate // 100)):
            activitylog.emit(
                "load.made", actor=("worker", name), object=("n", number), channel="general", size=312
            )
            number += 1
            acknowledged.set(number)
        now = time.monotonic()
        if now >= next_look:
            next_look = now + 1
            leaked += leak(leaks)
            looks.note(json.dumps(look(now - began)))
        ending.wait(max(0.0, began + number / rate - now))
    activitylog.shutdown(30)
    looks.note(json.dumps(look(time.monotonic() - began)))


if __name__ == "__main__":
    main()
