"""
Tasks as an application has them, each of which emits; who asks for them says who it is.

``python -m tests.life_cycle.celery_tasks NAME COUNT`` asks for so many, as ``user:1``; a worker imports the module.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

import activitylog
from activitylog.integrations.celery import instrument
from tests.life_cycle.prefork import EVENTS, configured

#: The environment variable that has the broker's URL; without it there is a broker of files.
BROKER = "TEST_BROKER"

_worker = configured()
_folder = _worker.cell.folder

app = Celery("tasks", broker=os.environ.get(BROKER, "filesystem://"))
if BROKER not in os.environ:
    app.conf.broker_transport_options = {
        "data_folder_in": f"{_folder}/queue",
        "data_folder_out": f"{_folder}/queue",
        "control_folder": f"{_folder}/control",
    }
app.conf.update(
    broker_connection_retry_on_startup=True, task_ignore_result=True, worker_prefetch_multiplier=1
)
instrument(task_events=["task.failed", "task.revoked"])


def _note(word: str) -> None:
    _worker._killed.note(word)


@app.task
def work() -> None:
    """What a task does, and another one that it asks for."""
    _worker.emit(EVENTS, 0.001)
    rest.delay()


@app.task
def rest() -> None:
    """What is left to do."""
    _worker.emit(EVENTS, 0.001)


@app.task(soft_time_limit=0.4, time_limit=60)
def spin() -> None:
    """Emits without a pause until its time is over, and says so."""
    try:
        _worker.emit(1_000_000, 0)
    except SoftTimeLimitExceeded:
        _note("soft")
        raise


@app.task(time_limit=1)
def hang() -> None:
    """Does not end."""
    _worker.emit(EVENTS, 0)
    time.sleep(600)


@app.task
def wait() -> None:
    """Runs until it is killed."""
    _worker.emit(EVENTS, 0)
    _note("waiting")
    time.sleep(600)


@app.task
def leave() -> None:
    """Ends the process that it runs in."""
    _worker.emit(EVENTS, 0)
    sys.exit(3)


@app.task
def die() -> None:
    """As the kernel ends a process that takes too much memory."""
    _worker.emit(EVENTS, 0)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Ask for tasks, in somebody's name."""
    tenant = _worker.cell.tenant
    with activitylog.bind(actor="user:1", tenant=tenant, request={"activity.request.id": "r-1"}):
        for _ in range(int(sys.argv[2])):
            globals()[sys.argv[1]].delay()


if __name__ == "__main__":
    main()
