"""
A function as a platform runs it: ``python -m tests.life_cycle.frozen_function CELL TIMEOUT_SECONDS``.

It answers each line of its input with ``answered``, or ``failed`` where the handler raises. Between two lines it
is for whoever started it to freeze it.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import activitylog
from activitylog.integrations.serverless import flush_per_invocation
from tests.kill.worker import Cell, Worker, leave_out_extras

#: What one invocation emits.
EVENTS = 5


def main() -> None:
    """Until there is no more to answer."""
    leave_out_extras()
    worker = Worker(Cell(**json.loads(sys.argv[1])))
    worker.configure()

    @flush_per_invocation(timeout_seconds=float(sys.argv[2]))
    def handler(event: str, context: Any) -> None:
        with activitylog.bind(actor="user:1"):
            worker.emit(EVENTS, 0)
        if event == "fail":
            raise ValueError(event)

    for number, line in enumerate(sys.stdin):
        answer = "answered"
        try:
            handler(line.strip(), SimpleNamespace(aws_request_id=f"i-{number}", function_name="f"))
        except ValueError:
            answer = "failed"
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
