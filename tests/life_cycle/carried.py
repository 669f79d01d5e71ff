"""
Work that is handed to processes, with what is bound: ``python -m tests.life_cycle.carried CELL METHOD PROGRAM``.

The method is one of multiprocessing's. A child that is forked has what its parent has configured; any other one
configures itself, by an initializer or when it is given work.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import activitylog
from tests.kill.worker import Cell, Worker, leave_out_extras

#: What one piece of work emits.
EVENTS = 10
PIECES = 6

_workers: list[Worker] = []


def begin(text: str) -> None:
    """Configure this process, as ``initializer`` or at the beginning of its work."""
    leave_out_extras()
    _workers.append(Worker(Cell(**json.loads(text))))
    _workers[0].configure()


def work(text: str = "") -> int:
    """Emits, in whichever process."""
    if text and not _workers:
        begin(text)
    _workers[0].emit(EVENTS, 0)
    return EVENTS


def dropped() -> dict[str, int]:
    """What this process has dropped, and why."""
    return dict(activitylog.stats().dropped)


def executor(context: Any, text: str, carried: Any) -> None:
    """A ProcessPoolExecutor."""
    initializer: dict[str, Any] = {}
    if context.get_start_method() != "fork":
        initializer = {"initializer": begin, "initargs": (text,)}
    with ProcessPoolExecutor(2, mp_context=context, **initializer) as pool:
        assert [work.result() for work in [pool.submit(carried) for _ in range(PIECES)]] == [EVENTS] * PIECES


def pool(context: Any, text: str, carried: Any) -> None:
    """multiprocessing's Pool, left well."""
    begun = (None, ()) if context.get_start_method() == "fork" else (begin, (text,))
    processes = context.Pool(2, *begun)
    results = [processes.apply_async(carried) for _ in range(PIECES)]
    assert [result.get(120) for result in results] == [EVENTS] * PIECES
    processes.close()
    processes.join()


def process(context: Any, text: str, carried: Any) -> None:
    """A Process for each piece."""
    children = [context.Process(target=carried, args=(text,)) for _ in range(PIECES)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        assert child.exitcode == 0


def unconfigured(context: Any, text: str, carried: Any) -> None:
    """A child that nobody has configured; what it emits is counted there, and it says so once."""
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        emit = activitylog.carry(activitylog.emit)
        assert [pool.submit(emit, "thing.done").result() for _ in range(3)] == [False] * 3
        assert pool.submit(dropped).result() == {"not_configured": 3}
        assert carried() == EVENTS


def main() -> None:
    """One program, by one method."""
    text = sys.argv[1]
    begin(text)
    context = multiprocessing.get_context(sys.argv[2])
    request = {"activity.request.id": "r-1"}
    with activitylog.bind(actor=lambda: "user:1", request=lambda: request):
        carried = activitylog.carry(work)
    {"executor": executor, "pool": pool, "process": process, "unconfigured": unconfigured}[sys.argv[3]](
        context, text, carried
    )


if __name__ == "__main__":
    main()
