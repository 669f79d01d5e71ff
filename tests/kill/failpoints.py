"""
Named places in the code at which a process ends itself, the way that is asked for, at the n-th time.

Production code knows nothing of this: a failpoint wraps one function of it, in the process that is to die.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = ("SIGKILL", "SIGTERM", "SIGABRT", "exit", "segfault")
#: What ``waitpid`` says of each: the signal, or the exit code of ``os._exit``.
EXIT_CODE: Final = 86
STATUS: Final = {
    "SIGKILL": -signal.SIGKILL,
    "SIGTERM": -signal.SIGTERM,
    "SIGABRT": -signal.SIGABRT,
    "exit": EXIT_CODE,
    "segfault": -signal.SIGSEGV,
}


def die(kind: str) -> None:
    """End this process at once: nothing of Python's own ending runs."""
    if kind == "exit":
        os._exit(EXIT_CODE)
    for number in (signal.SIGSEGV, signal.SIGABRT):
        # The embedded engine has handlers of its own, in which a process hangs instead of dying.
        ctypes.CDLL(None).signal(int(number), None)
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "SIGABRT":
        os.abort()
    os.kill(os.getpid(), getattr(signal, kind))
    time.sleep(60)  # the kernel may end another thread first: this one does not go on


@dataclass(frozen=True)
class Failpoint:
    """
    Where a process dies.

    Attributes:
        phase: what it is doing, one of :data:`PHASES`.
        target: ``module:Class.method``.
        when: ``before`` the call, ``during`` it (some milliseconds after it began), ``after`` it; ``half``: with
            half of the bytes written.
    """

    phase: str
    target: str
    when: str


PHASES: Final = ("idle", "writing", "rolling", "inserting", "acknowledging", "recovering")

FAILPOINTS: Final = {
    "idle": Failpoint("idle", "", ""),
    "writing.before": Failpoint("writing", "otel_spool.segment:Segment.append", "before"),
    "writing.half": Failpoint("writing", "otel_spool.segment:Segment.append", "half"),
    "writing.after": Failpoint("writing", "otel_spool.segment:Segment.append", "after"),
    "queueing.before": Failpoint("writing", "otel_spool.live_queue:LiveQueue.put", "before"),
    "sealing.before": Failpoint("rolling", "otel_spool.writer:Writer._finish", "before"),
    "new_segment.before": Failpoint("rolling", "otel_spool.writer:Writer._open_segment", "before"),
    "new_segment.after": Failpoint("rolling", "otel_spool.writer:Writer._open_segment", "after"),
    "removing.before": Failpoint("rolling", "otel_spool.folder:Folder.remove_if_settled", "before"),
    "removing.after": Failpoint("rolling", "otel_spool.folder:Folder.remove_if_settled", "after"),
    "compacting.before": Failpoint("rolling", "otel_spool.journal:Journal._replace", "before"),
    "renaming.before": Failpoint("rolling", "otel_spool.filesystem:LocalFileSystem.rename", "before"),
    "renaming.after": Failpoint("rolling", "otel_spool.filesystem:LocalFileSystem.rename", "after"),
    "freezing.before": Failpoint("inserting", "otel_spool.journal:Journal.freeze", "before"),
    "freezing.after": Failpoint("inserting", "otel_spool.journal:Journal.freeze", "after"),
    "insert.before": Failpoint("inserting", "otel_clickhouse.client:ClickHouseClient.insert", "before"),
    "insert.during": Failpoint("inserting", "otel_clickhouse.client:ClickHouseClient.insert", "during"),
    "insert.after": Failpoint("acknowledging", "otel_clickhouse.client:ClickHouseClient.insert", "after"),
    "settling.before": Failpoint("acknowledging", "otel_spool.journal:Journal.settle_batch", "before"),
    "settling.after": Failpoint("acknowledging", "otel_spool.journal:Journal.settle_batch", "after"),
    "adopted": Failpoint("recovering", "otel_spool.journal:Journal.load", "after"),
    "again.before": Failpoint("recovering", "otel_spool.backlog:Backlog._again", "before"),
    "again.during": Failpoint("recovering", "otel_spool.backlog:Backlog._again", "during"),
    "again.after": Failpoint("recovering", "otel_spool.backlog:Backlog._again", "after"),
    "rest.before": Failpoint("recovering", "otel_spool.backlog:Backlog._segment", "before"),
    "rest.after": Failpoint("recovering", "otel_spool.backlog:Backlog._segment", "after"),
    "releasing.before": Failpoint("recovering", "otel_spool.adopted:AdoptedFolders.release", "before"),
    "releasing.after": Failpoint("recovering", "otel_spool.adopted:AdoptedFolders.release", "after"),
}


def arm(name: str, kind: str, nth: int, tell: Callable[[str], None]) -> None:
    """
    Have this process die at the n-th passage of a failpoint.

    Args:
        tell: called with the failpoint's name just before; it must have effect although the process dies.
    """
    point = FAILPOINTS[name]
    if not point.target:
        return
    module, _, path = point.target.partition(":")
    owner_name, _, method = path.partition(".")
    owner = getattr(importlib.import_module(module), owner_name)
    setattr(owner, method, _wrapped(getattr(owner, method), point, _Once(name, kind, nth, tell)))


class _Once:
    def __init__(self, name: str, kind: str, nth: int, tell: Callable[[str], None]) -> None:
        self._name = name
        self._kind = kind
        self._left = nth
        self._tell = tell

    def is_due(self) -> bool:
        self._left -= 1
        return self._left == 0

    def die(self) -> None:
        self._tell(self._name)
        die(self._kind)

    def die_soon(self) -> None:
        def later() -> None:
            time.sleep(random.uniform(0, 0.006))
            self.die()

        threading.Thread(target=later, daemon=True).start()


def _wrapped(method: Callable[..., Any], point: Failpoint, once: _Once) -> Callable[..., Any]:
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        due = once.is_due()
        if due and point.when == "before":
            once.die()
        if due and point.when == "half":
            self.file.write(args[0][: len(args[0]) // 2])
            once.die()
        if due and point.when == "during":
            once.die_soon()
        result = method(self, *args, **kwargs)
        if due and point.when == "after":
            once.die()
        return result

    return wrapper
