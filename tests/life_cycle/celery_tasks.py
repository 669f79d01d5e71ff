"""
Tasks as an application has them, each of which emits; who asks for them says who it is.

Both who asks and a worker import the module, each in a process of its own.
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
from tests.life_cycle.prefork import BROKER, EVENTS, configured

_worker = configured()
_folder = _worker.cell.folder

app = Celery("tasks", broker=os.environ.get(BROKER, "filesystem://"))
if BROKER not in os.environ:
    app.conf.broker_transport_options = {
        "data_folder_in": f"{_folder}/queue",
        "data_folder_out": f"{_folder}/queue",
        "control_folder": f"{_folder}/control",
        "polling_interval": 0.05,
    }
app.conf.update(broker_connection_retry_on_startup=True, task_ignore_result=True, worker_prefetch_multiplier=1)
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


@app.task(soft_time_limit=0.15, time_limit=60)
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


def ask(name: str, count: int) -> None:
    """Ask for so many tasks, in somebody's name, and print their ids."""
    tenant = _worker.cell.tenant
    with activitylog.bind(actor="user:1", tenant=tenant, request={"activity.request.id": "r-1"}):
        for _ in range(count):
            sys.stdout.write(f"{globals()[name].delay().id}\n")


def revoke(task_id: str) -> None:
    """Have a task taken back, and killed if it runs."""
    app.control.revoke(task_id, terminate=True)
