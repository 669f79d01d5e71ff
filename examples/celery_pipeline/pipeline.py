"""
A pipeline of Celery tasks: files are fetched, cleaned and counted; each event knows who asked for it all.

    celery -A pipeline worker

The broker is a folder (PIPELINE_DATA/broker), so that nothing has to be installed; name another one in
CELERY_BROKER_URL. Events go where ACTIVITYLOG_URL says, else into the embedded store in PIPELINE_DATA.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery, chain, group

import activitylog
from activitylog.integrations.celery import instrument

DATA = Path(os.environ.get("PIPELINE_DATA", "data")).absolute()
for name in ("broker", "control", "results"):
    (DATA / name).mkdir(parents=True, exist_ok=True)

app = Celery("pipeline", broker=os.environ.get("CELERY_BROKER_URL", "filesystem://"))
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(DATA / "broker"),
        "data_folder_out": str(DATA / "broker"),
        "control_folder": str(DATA / "control"),
    },
    result_backend=f"file://{DATA / 'results'}",
    broker_connection_retry_on_startup=True,
)

activitylog.configure(
    os.environ.get("ACTIVITYLOG_URL", f"chdb://{DATA / 'activity'}"),
    service_name="pipeline",
    spool_directory=DATA / "spool",
)
instrument(task_events=True)


@app.task(bind=True, max_retries=2)
def fetch(task: Any, name: str) -> list[str]:
    """Get a file; the first attempt for every other one fails."""
    if name.endswith("2.txt") and task.request.retries == 0:
        raise task.retry(exc=ConnectionError("the other side hung up"), countdown=0)
    activitylog.emit("file.fetched", object=("file", name))
    return [f"{name}: line {number}" for number in range(10)]


@app.task
def clean(lines: list[str], name: str) -> list[str]:
    """Keep what is good; one file has nothing good."""
    if name.endswith("3.txt"):
        raise ValueError(f"{name} has no table")
    kept = [line for line in lines if not line.endswith("7")]
    activitylog.emit("file.cleaned", object=("file", name), dropped=len(lines) - len(kept))
    return kept


@app.task
def count(lines: list[str], name: str) -> int:
    """How many lines there are."""
    activitylog.emit("file.counted", object=("file", name), rows=len(lines))
    return len(lines)


def start(names: list[str], *, asked_by: str, tenant: str) -> Any:
    """Ask for the files; whoever asks is the actor of all that follows, in whichever worker."""
    with activitylog.bind(actor=asked_by, tenant=tenant):
        activitylog.emit("import.requested", objects=[("file", name) for name in names])
        return group(chain(fetch.s(name), clean.s(name), count.s(name)) for name in names).apply_async()
