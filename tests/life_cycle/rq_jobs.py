"""
Jobs as an application has them, each of which emits; who asks for them says who it is.

Both who asks and the worker import the module, each in a process of its own.
"""

from __future__ import annotations

import os
import signal
import sys

from redis import Redis
from rq import Queue
from rq.timeouts import JobTimeoutException

import activitylog
from activitylog.integrations.rq import ActivityJob, ActivityWorker
from tests.life_cycle.prefork import BROKER, EVENTS, configured

_worker = configured()
_redis = Redis(unix_socket_path=os.environ[BROKER])
_queue = Queue(connection=_redis, job_class=ActivityJob)


def do() -> None:
    """What a job does."""
    _worker.emit(EVENTS, 0.001)


def die() -> None:
    """As the kernel ends a process that takes too much memory."""
    _worker.emit(EVENTS, 0)
    os.kill(os.getpid(), signal.SIGKILL)


def spin() -> None:
    """Emits without a pause until its time is over, and says so."""
    try:
        _worker.emit(1_000_000, 0)
    except JobTimeoutException:
        _worker._killed.note("over")
        raise


def ask(name: str, count: int) -> None:
    """Ask for so many jobs, in somebody's name."""
    with activitylog.bind(actor="user:1", tenant=_worker.cell.tenant, request={"activity.request.id": "r-1"}):
        for _ in range(count):
            _queue.enqueue(getattr(sys.modules[__name__], name), job_timeout=1 if name == "spin" else 60)


def work(*, stays: bool = False) -> None:
    """Do all that is there; a process for each job."""
    ActivityWorker([_queue], connection=_redis, job_class=ActivityJob).work(burst=not stays)
