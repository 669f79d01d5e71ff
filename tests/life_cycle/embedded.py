"""
One process of several with the same embedded store: ``python -m tests.life_cycle.embedded CELL SECONDS``.

It emits for so long, prints ``owner`` when it delivers by itself, ``served`` when the owner has stored events of
it, and ends by itself.
"""

from __future__ import annotations

import json
import sys
import time

from tests.kill.worker import Cell, Worker, leave_out_extras


def main() -> None:
    """Emit, and say who one is."""
    import activitylog

    leave_out_extras()
    worker = Worker(Cell(**json.loads(sys.argv[1])))
    worker.configure()
    end = time.monotonic() + float(sys.argv[2])
    said: set[str] = set()
    while time.monotonic() < end:
        worker.emit(5, 0.01)
        (destination,) = activitylog.stats().destinations.values()
        for word, events in (("owner", destination.delivered), ("served", destination.taken_over)):
            if events and word not in said:
                said.add(word)
                sys.stdout.write(f"{word}\n")
                sys.stdout.flush()
    result = activitylog.shutdown(20)
    assert result.dropped == 0
    total = destination.accepted
    sys.stdout.write(f"{total}\n")


if __name__ == "__main__":
    main()
