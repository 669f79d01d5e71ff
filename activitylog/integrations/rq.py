"""
Activity events in RQ: who asked for a job, along with it; none lost in the processes that do jobs.

.. code-block:: python

    queue = Queue(connection=redis, job_class=ActivityJob)
    queue.enqueue(resize, image)

    ActivityWorker([queue], connection=redis, job_class=ActivityJob).work()

(``rq worker --job-class activitylog.integrations.rq.ActivityJob --worker-class
activitylog.integrations.rq.ActivityWorker``.) What is bound where a job is asked for travels in its ``meta``,
under ``activitylog``, and is bound while the job is done, in workers of any kind. Events inside carry the job's id
and function as ``messaging.message.id`` and ``code.function.name``.

Let the process of the worker import the application and call ``activitylog.configure``, in a script as above: the
process that is forked for each job then has all of it. (``rq worker`` imports the application in each of these.)
"""

from __future__ import annotations

import signal
from typing import Any, Final

from rq import Queue, Worker
from rq.executions import Execution
from rq.job import Job
from rq.timeouts import UnixSignalDeathPenalty

from activitylog import config, context
from activitylog.integrations import messages
from activitylog.integrations.time_limits import LOOKS, PAUSE_SECONDS, is_emitting

__all__ = ["ActivityJob", "ActivityWorker"]

#: Of a job's meta.
KEY: Final = "activitylog"
_SHUTDOWN_SECONDS: Final = 5.0


class ActivityJob(Job):
    """A job that remembers who has asked for it. Of what was put into its ``meta`` nothing is replaced."""

    @classmethod
    def create(cls, *args: Any, **options: Any) -> Job:
        """As RQ does it, with what is bound here."""
        job = super().create(*args, **options)
        text = None if KEY in job.meta else messages.written()
        if text is not None:
            job.meta = {**job.meta, KEY: text}
        return job

    def perform(self) -> Any:
        """As RQ does it, with what was bound where the job was asked for."""
        values = messages.read(self.meta[KEY]) if KEY in self.meta else {}
        values |= {messages.MESSAGE_ID: self.id, messages.TASK_NAME: self.func_name}
        token = context.push(values, self)
        try:
            return super().perform()
        finally:
            context.pop(token)


class _Patient(UnixSignalDeathPenalty):
    """RQ's time limit, which waits for the event that is being emitted (see ``time_limits``)."""

    _looks = 0

    def handle_death_penalty(self, signum: Any, frame: Any) -> None:
        """As RQ does it, when no event is being emitted."""
        if is_emitting(frame):
            self._looks += 1
            signal.setitimer(signal.ITIMER_REAL, PAUSE_SECONDS)
            if self._looks < LOOKS:
                return
        self._looks = 0
        super().handle_death_penalty(signum, frame)  # type: ignore[no-untyped-call]


class ActivityWorker(Worker):
    """
    A worker whose processes lose nothing when their job is done.

    What they have on disk they leave to the worker, where that is configured and stays: it sends it within
    seconds, and no job pays for a connection. Else, and where nothing is on disk (``durability="memory"``), they
    send it themselves, for five seconds at the most. A job's time limit never comes in the midst of an event,
    which would swallow it.
    """

    death_penalty_class = _Patient
    _stays = False

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """As RQ does it. The job is done, and its time not running, when events are looked after."""
        try:
            return super().perform_job(job, queue, execution)
        finally:
            if self.is_horse:
                leaves = self._stays and _is_on_disk()
                config.shutdown(0.0 if leaves else _SHUTDOWN_SECONDS)

    def work(self, burst: bool = False, *args: Any, **options: Any) -> bool:
        """As RQ does it. A worker that ends when there are no more jobs does not stay to send what these left."""
        self._stays = not burst and bool(config.stats().destinations)
        return super().work(burst, *args, **options)


def _is_on_disk() -> bool:
    """Whether all events that wait would survive this process."""
    return all(counts.queued == counts.spooled for counts in config.stats().destinations.values())
