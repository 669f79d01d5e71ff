"""
The next process of an application with an embedded store: ``python -m tests.kill.recover CELL``.

It sends what the dead have left, and prints what the store then has. A process of its own, because a process has
one engine, on one folder.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from tests.kill import matrix
from tests.kill.worker import Cell, leave_out_extras


def main() -> None:
    """Drain and count."""
    from activitylog.store import connect

    leave_out_extras()
    cell = Cell(**json.loads(sys.argv[1]))
    matrix.drain(cell)
    client = connect(cell.url)
    sys.stdout.write(json.dumps(asdict(matrix.count(client, cell))) + "\n")
    client.close()


if __name__ == "__main__":
    main()
