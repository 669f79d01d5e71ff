"""A Celery application as its worker imports it: before it forks the processes of its pool."""

from __future__ import annotations

import os
import signal

from celery import Celery

from tests.life_cycle.prefork import EVENTS, configured

_worker = configured()
_folder = _worker.cell.folder

app = Celery("application", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": f"{_folder}/queue",
        "data_folder_out": f"{_folder}/queue",
        "control_folder": f"{_folder}/control",
    },
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
)


@app.task
def work() -> None:
    """What a task does."""
    _worker.emit(EVENTS, 0.001)


@app.task
def die() -> None:
    """As the kernel ends a process that takes too much memory."""
    _worker.emit(EVENTS, 0)
    os.kill(os.getpid(), signal.SIGKILL)
