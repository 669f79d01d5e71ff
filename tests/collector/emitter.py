"""
A service that emits at a steady rate, as a process of its own::

    python -m tests.collector.emitter URL SPOOL EVENTS RATE PAYLOAD

It prints one line of JSON when everything that it emitted has been taken by the Collector.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from typing import Final

import activitylog

_ACTORS: Final = 500
_SLICE_SECONDS: Final = 0.02


def main(url: str, spool: str, events: int, rate: int, payload: int) -> None:
    """Emit events with so many characters more, flush until all is delivered, and say what became of it."""
    activitylog.configure(url, service_name="emitter", spool_directory=spool, shutdown_timeout_seconds=600)
    begun, emitted, refused = time.monotonic(), 0, 0
    while emitted < events:
        due = min(events, int((time.monotonic() - begun) * rate) + 1)
        for number in range(emitted, due):
            kept = activitylog.emit(
                "message.sent",
                actor=("user", number % _ACTORS),
                object=("message", number),
                channel="general",
                length=number % 280,
                text=f"{number:010}"[-payload:] * (payload // 10),
            )
            refused += not kept
        emitted = due
        time.sleep(_SLICE_SECONDS)
    result = activitylog.shutdown()
    sys.stdout.write(json.dumps({"emitted": emitted, "refused": refused, **dataclasses.asdict(result)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
