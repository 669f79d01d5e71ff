"""
What chDB does not say: that the store is in use, and that it does not survive a fork.

* Its data folder can be open in one process at a time. A second one gets ``Code: 36 ... (BAD_ARGUMENTS)`` without
  the reason. The engine holds an flock on ``<folder>/status``, whose first line is its process id: we ask first.
* A process has one engine, on one path.
* Where chdb was imported before a fork, the child hangs when it uses the engine. So we remember what was imported
  when this process was forked. (Where the engine was open, too, the child also hangs in chdb's destructors when it
  ends, unless it ends by ``os._exit``, as those of multiprocessing do. Nothing can be done about that here.)
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
from pathlib import Path
from typing import Final

from otel_clickhouse.exceptions import PermanentError, RetryableError

#: Codes of the two errors that end when another process owns the engine: this one cannot deliver, that one can.
FORKED: Final = "forked_embedded"
LOCKED: Final = "locked_embedded"

_PID: Final = re.compile(r"PID: (\d+)")

_inherited_by: int | None = None


def _after_fork_in_child() -> None:
    global _inherited_by  # noqa: PLW0603 - a fact about this process
    if "chdb" in sys.modules:
        _inherited_by = os.getpid()


os.register_at_fork(after_in_child=_after_fork_in_child)


def refuse_inherited_engine() -> None:
    """
    Refuse to open an engine whose library came with a fork.

    Raises:
        PermanentError: with the reason ``forked_embedded``.
    """
    if _inherited_by == os.getpid():
        raise PermanentError(
            "The embedded engine cannot be used here: chdb was imported before this process was forked.",
            hint="Start workers before the first export (or with spawn), or send to a ClickHouse server.",
            reason=FORKED,
            code=FORKED,
        )


def holder(folder: str) -> int | None:
    """
    Which process has the store open.

    Returns:
        Its id; 0 when it is not known; None when the store is free, or is not there.
    """
    try:
        with (Path(folder) / "status").open() as status:
            try:
                # Shared: two that look at the same time do not take each other for the holder.
                fcntl.flock(status, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                found = _PID.search(status.read(4096))
                return int(found[1]) if found else 0
    except OSError:
        return None
    return None


def refuse_locked(folder: str) -> None:
    """
    Refuse to open a store that another process has open.

    Raises:
        RetryableError: with its process id: it may end.
    """
    pid = holder(folder)
    if pid is not None and pid != os.getpid():
        who = f"process {pid}" if pid else "another process"
        raise RetryableError(
            f"The store {folder} is open in {who}.",
            hint="An embedded store serves one process: end that one, or let both send to a ClickHouse server.",
            code=LOCKED,
        )
