"""
Emit to an OpenTelemetry Collector: the same calls, another URL.

    python examples/behind_a_collector.py [URL]

Without a URL it talks to otlp://localhost:4317, where ``docker compose up`` in ``collector-config/compose`` has an
agent. What it cannot deliver stays in the spool on this machine, for the next process that has the same URL.
"""

import sys
import time

import activitylog
from activitylog.cli.demo_service import generate


def main(url: str) -> None:
    """Emit two weeks of an imagined chat service's activity, and say what became of it."""
    activitylog.configure(url, service_name="huddle")
    for event in generate(5_000, seed=1, end_ns=time.time_ns()):
        activitylog.emit(event.pop("event"), **event)
    print(activitylog.shutdown())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "otlp://localhost:4317")
