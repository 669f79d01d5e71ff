"""
Programs whose ends are looked at, run as ``python -m tests.life_cycle.programs NAME CELL``.

Each emits through ``activitylog`` and notes in the cell's ledger what was acknowledged.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import faulthandler
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from tests.kill.worker import Cell, Worker, leave_out_extras
from tests.waiting import wait_until

#: More than any of them takes, on a machine that does ten other things.
_SECONDS: Final = 240
_workers: list[Worker] = []


def _emit(events: int, pause_seconds: float = 0.0) -> int:
    """In a child of whichever kind."""
    _workers[0].emit(events, pause_seconds)
    return events


def _more_acknowledged(worker: Worker, events: int) -> None:
    """Return when so many more events of all threads and processes were acknowledged."""
    ledger = worker.cell.acknowledged
    before = len(ledger.read_text().splitlines())
    wait_until(lambda: len(ledger.read_text().splitlines()) >= before + events)


def _begin_spawned(text: str) -> None:
    leave_out_extras()
    _workers.append(Worker(Cell(**json.loads(text))))
    _workers[0].configure()


def normal(worker: Worker) -> None:
    """Emits, and returns."""
    worker.emit(300, 0)


def atexit_before(worker: Worker) -> None:
    """A handler that was registered before activitylog's runs after it."""
    atexit.register(worker.emit, 20)
    worker.configure()
    worker.emit(100, 0)


def atexit_after(worker: Worker) -> None:
    """The other order."""
    worker.emit(100, 0)
    atexit.register(worker.emit, 20)


def after_shutdown(worker: Worker) -> None:
    """Goes on after the shutdown."""
    import activitylog

    worker.emit(100, 0)
    activitylog.shutdown(10)
    worker.emit(100, 0)


def daemon_threads(worker: Worker) -> None:
    """Threads that nobody waits for emit until the interpreter is gone."""
    for _ in range(3):
        threading.Thread(target=worker.emit, args=(100_000, 0.002), daemon=True).start()
    _more_acknowledged(worker, 300)


def process(worker: Worker) -> None:
    """multiprocessing's Process, by fork."""
    context: Any = multiprocessing.get_context("fork")
    children = [context.Process(target=_emit, args=(100,)) for _ in range(3)]
    worker.emit(50, 0)
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0


def pool(worker: Worker) -> None:
    """Its Pool, whose workers are terminated."""
    worker.emit(50, 0)
    with multiprocessing.get_context("fork").Pool(3) as workers:
        assert workers.map(_emit, [50] * 6) == [50] * 6


def executor(worker: Worker) -> None:
    """ProcessPoolExecutor, by fork."""
    worker.emit(50, 0)
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as workers:
        assert list(workers.map(_emit, [50] * 6)) == [50] * 6


def spawned_pool(worker: Worker) -> None:
    """Processes that configure themselves."""
    worker.emit(50, 0)
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, _begin_spawned, (worker.cell.to_json(),)) as workers:
        assert workers.map(_emit, [50] * 4) == [50] * 4


def fork_and_exit(worker: Worker) -> None:
    """os.fork, and a child that ends without a word."""
    worker.emit(50, 0)
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            worker.emit(100, 0)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0


def fork_at_once(worker: Worker) -> None:
    """Forks again and again while the exporting thread imports the driver, and other threads emit."""
    done = threading.Event()

    def go_on() -> None:
        while not done.is_set():
            worker.emit(10)

    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    pids = []
    for _ in range(12):
        pid = os.fork()
        if pid == 0:
            worker.emit(20, 0.002)
            os._exit(0)
        pids.append(pid)
        _more_acknowledged(worker, 200)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    done.set()
    for thread in threads:
        thread.join()


def grandchildren(worker: Worker) -> None:
    """A fork in a fork."""
    worker.emit(10, 0)
    if (pid := os.fork()) == 0:
        worker.emit(10, 0)
        if (pid := os.fork()) == 0:
            worker.emit(10, 0)
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    assert os.waitpid(pid, 0)[1] == 0


def terminated(worker: Worker) -> None:
    """SIGTERM, with the usual handler."""
    import activitylog

    def handler(*_: object) -> None:
        activitylog.emit("thing.done", object=("thing", "terminated"), tenant=worker.cell.tenant)
        activitylog.shutdown(5)
        sys.exit(0)

    signal.signal(signal.SIGTERM, handler)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    worker.emit(100_000)


def interrupted(worker: Worker) -> None:
    """KeyboardInterrupt, in the midst of an emit or between two."""
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        worker.emit(100_000)
    except KeyboardInterrupt:
        sys.exit(0)


PROGRAMS: Final[dict[str, Callable[[Worker], None]]] = {
    function.__name__: function
    for function in (
        normal,
        atexit_before,
        atexit_after,
        after_shutdown,
        daemon_threads,
        process,
        pool,
        executor,
        spawned_pool,
        fork_and_exit,
        fork_at_once,
        grandchildren,
        terminated,
        interrupted,
    )
}


def main() -> None:
    """One program. Where it hangs, it says where all of its threads are, and ends."""
    faulthandler.dump_traceback_later(_SECONDS, exit=True)
    leave_out_extras()
    program = PROGRAMS[sys.argv[1]]
    _workers.append(Worker(Cell(**json.loads(sys.argv[2]))))
    if program is not atexit_before:
        _workers[0].configure()
    program(_workers[0])


if __name__ == "__main__":
    main()
