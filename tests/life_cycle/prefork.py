"""What the applications of the prefork servers share: a worker of the cell that the environment names."""

from __future__ import annotations

import json
import os

from tests.kill.worker import Cell, Worker, leave_out_extras

#: The environment variable that has the cell.
CELL = "TEST_CELL"
#: The environment variable that has the URL of a broker of Celery; without it there is one of files.
BROKER = "TEST_BROKER"
#: What one task or request emits.
EVENTS = 5


def configured() -> Worker:
    """Configured where an application is: when it is imported, in whichever process that is."""
    leave_out_extras()
    worker = Worker(Cell(**json.loads(os.environ[CELL])))
    worker.configure()
    return worker
