"""
The processes of one cell of the matrix, run as ``python -m tests.kill.worker CELL`` with the cell in JSON.

``thread`` is one process with three emitting threads. The others are families: a parent that starts children as
the named way does, one of which is the victim. A child that ends by itself ends as its way ends it: by
``sys.exit`` (gunicorn), by ``os._exit`` (uWSGI, Celery), by multiprocessing's own end.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.kill import failpoints
from tests.kill.ledger import Ledger

WAYS: Final = ("thread", "fork", "multiprocessing", "spawn", "gunicorn", "gunicorn_preload", "uwsgi")
#: Configured before the fork, and with events of their own.
_PARENT_CONFIGURES: Final = ("fork", "multiprocessing", "gunicorn_preload", "uwsgi")
_SIBLINGS: Final = ("gunicorn", "gunicorn_preload", "uwsgi")
#: How long a victim goes on for its failpoint to be reached.
_SECONDS: Final = 20.0
_SECONDS_OF_RACE: Final = 4.0
_RACES: Final = 5
_LEFTOVER: Final = ("insert.before", "SIGKILL", 3)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """
    One cell of the matrix.

    Attributes:
        url: of the store.
        folder: of spool and ledger.
        tenant: of its events, by which they are found.
        way: one of :data:`WAYS`.
        point: name of the failpoint, or ``none``.
        kind: how the victim ends.
        nth: at which passage.
        durability: of the events.
        fresh_tokens: whether each attempt gets a token of its own: the control.
    """

    url: str
    folder: str
    tenant: str
    way: str = "thread"
    point: str = "none"
    kind: str = "SIGKILL"
    nth: int = 1
    events: int = 600
    durability: str = "process"
    fresh_tokens: bool = False

    def to_json(self) -> str:
        """As the worker's argument."""
        return json.dumps(asdict(self))

    @property
    def phase(self) -> str:
        """Of its failpoint."""
        return failpoints.FAILPOINTS[self.point].phase if self.point in failpoints.FAILPOINTS else ""

    @property
    def is_embedded(self) -> bool:
        """The engine is in the process that dies. Only there it makes its tables: those of a server are there."""
        return self.url.startswith("chdb:")

    @property
    def acknowledged(self) -> Path:
        """The ledger of events for which ``emit`` has returned."""
        return Path(self.folder) / "acknowledged"

    @property
    def killed(self) -> Path:
        """The ledger of failpoints that were reached, and of how children ended."""
        return Path(self.folder) / "killed"


class Worker:
    """What one process does."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self._acknowledged = Ledger(cell.acknowledged)
        self._killed = Ledger(cell.killed)

    def configure(self) -> None:
        """As an application would, with segments and a journal so small that they roll all the time; once."""
        import activitylog
        import otel_spool
        from activitylog import config
        from otel_spool import SpoolOptions, journal

        if config._state.pipeline is not None:
            return
        otel_spool.SpoolOptions = lambda **options: SpoolOptions(**{**options, "segment_bytes": 8_192})  # type: ignore[misc,assignment]
        journal._COMPACT_BYTES = 2_048  # type: ignore[misc]
        if self.cell.fresh_tokens:
            forget_tokens()
        activitylog.configure(
            self.cell.url,
            service_name="kill",
            durability=self.cell.durability,
            spool_directory=str(Path(self.cell.folder) / "spool"),
            schedule_delay_millis=20,
            max_export_batch_size=64,
            create_schema=self.cell.is_embedded,
        )

    def arm(self, point: str, kind: str, nth: int) -> None:
        """Have this process die there."""
        if point != "none":
            failpoints.arm(point, kind, nth, self._killed.note)

    def emit(self, events: int, pause_seconds: float = 0.0005) -> None:
        """Emit so many events, each noted when ``emit`` has returned."""
        import activitylog

        me = os.urandom(6).hex()
        for number in range(events):
            name = f"{me}-{number}"
            if activitylog.emit("thing.done", object=("thing", name), tenant=self.cell.tenant, step="some text"):
                self._acknowledged.note(name)
            time.sleep(pause_seconds)

    def emit_in_threads(self, events: int) -> None:
        """The same, in three threads at once."""
        threads = [threading.Thread(target=self.emit, args=(events // 3,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def be_victim(self) -> None:
        """Emit until the failpoint is reached."""
        import activitylog

        cell = self.cell
        self.arm(cell.point, cell.kind, cell.nth)
        self.configure()
        if cell.point == "idle":
            self.emit(200)
            activitylog.flush(10)
            self._killed.note("idle")
            failpoints.die(cell.kind)
        (self.emit_in_threads if cell.way == "thread" else self.emit)(cell.events)
        end = time.monotonic() + (_SECONDS_OF_RACE if cell.phase == "recovering" else _SECONDS)
        while cell.point != "none" and time.monotonic() < end:
            self.emit(10, 0.01)

    def leave_something(self) -> None:
        """Die with events that were not sent: work for the next one to recover."""
        self.arm(*_LEFTOVER)
        self.configure()
        self.emit(300)
        time.sleep(20)

    def note_end(self, role: str, status: int) -> None:
        """Note how a child ended."""
        self._killed.note(f"{role} {status}")


def forget_tokens(put: Callable[[type, str, Any], None] = setattr) -> None:
    """The control: from now on each attempt has a token of its own, and looks for nothing."""
    import uuid

    from otel_clickhouse import ClickHouseLogExporter

    deliver = ClickHouseLogExporter.deliver

    def fresh(self: Any, records: Any, *, token: str, first_attempt_ns: int | None) -> Any:
        return deliver(self, records, token=uuid.uuid4().hex, first_attempt_ns=None)

    put(ClickHouseLogExporter, "deliver", fresh)


def leave_out_extras() -> None:
    """The driver imports these where they are, for nothing that we use: two thirds of a process's start."""
    for name in ("pandas", "pyarrow"):
        sys.modules[name] = None  # type: ignore[assignment]


def _child(cell: Cell, role: str) -> None:
    """What a child does, in whichever way it was started."""
    worker = Worker(cell)
    if role == "leaver":
        worker.leave_something()
    elif role == "victim":
        worker.be_victim()
    else:
        worker.configure()
        worker.emit(100, 0.002)


def run_child(cell: Cell, role: str) -> None:
    """The whole of a started child's life, with the end that its way has."""
    leave_out_extras()
    _child(cell, role)
    if cell.way == "gunicorn_preload" or cell.way == "gunicorn":
        sys.exit(0)
    if cell.way == "uwsgi":
        os._exit(0)


def _start_by_fork(cell: Cell, role: str) -> Callable[[], int]:
    pid = os.fork()
    if pid == 0:
        run_child(cell, role)
        os._exit(0)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _start_by_multiprocessing(cell: Cell, role: str) -> Callable[[], int]:
    method = "spawn" if cell.way == "spawn" else "fork"
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=run_child, args=(cell, role))
    process.start()

    def ended() -> int:
        process.join()
        return int(process.exitcode)

    return ended


def start(cell: Cell, role: str) -> Callable[[], int]:
    """Start a child; returns a function that waits for it, and says how it ended."""
    by = _start_by_multiprocessing if cell.way in ("spawn", "multiprocessing") else _start_by_fork
    return by(cell, role)


def run_family(cell: Cell) -> None:
    """A parent, a child that is killed, perhaps a sibling, and the child that takes its place."""
    parent = Worker(cell)
    if cell.way != "spawn":  # whose children have nothing of what was imported
        import activitylog
    if cell.way in _PARENT_CONFIGURES:
        parent.configure()
        parent.emit(20)
        activitylog.flush(30)  # what a fork meets that comes earlier has tests of its own
    recovering = cell.phase == "recovering"
    sibling = start(cell, "sibling") if cell.way in _SIBLINGS and not recovering else None
    for _ in range(_RACES if recovering else 1):
        if recovering:
            start(cell, "leaver")()
        status = start(cell, "victim")()
        parent.note_end("victim", status)
        if status != 0:
            break  # else the parent was faster in taking over what was left
    start(cell, "replacement")()
    if sibling is not None:
        sibling()
    if cell.way in _PARENT_CONFIGURES:
        parent.emit(20)


def main() -> None:
    """One cell."""
    cell = Cell(**json.loads(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # each is hundreds of megabytes
    leave_out_extras()
    if cell.way != "thread":
        run_family(cell)
        return
    worker = Worker(cell)
    if len(sys.argv) > 2:
        worker.leave_something()
    else:
        worker.be_victim()


if __name__ == "__main__":
    main()
