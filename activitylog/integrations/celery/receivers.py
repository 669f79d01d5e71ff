"""What listens to Celery's signals. Celery logs what a receiver raises, and goes on."""

from __future__ import annotations

import time
from typing import Any, Final
from weakref import WeakValueDictionary

from celery import signals
from celery.app.task import Context
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from activitylog import config, context
from activitylog.integrations import messages
from activitylog.integrations.celery import soft_limits
from activitylog.integrations.celery.task_events import end_of, name_of, values_of

#: Of messages.
HEADER: Final = "activitylog"
#: Where a run is noted on its request.
_RUN: Final = "_activitylog_run"
#: What a worker says of a task whose process or greenlet it has killed, or found dead.
_KILLED: Final = (WorkerLostError, TimeLimitExceeded)


class _Run:
    """One run of a task: what came with it, and when it began."""

    def __init__(self, task_id: Any, header: Any) -> None:
        self.task_id = task_id
        self.header = header
        self.began_ns = time.perf_counter_ns()
        self.token: Any = None


class Receivers:
    """
    What :func:`activitylog.integrations.celery.instrument` was told, at work.

    Args:
        events: names of the events about tasks that there are.
        omit: what does not travel in messages.
        shutdown_timeout_seconds: of processes of the prefork pool; None for the setting.
    """

    def __init__(
        self, events: frozenset[str], omit: frozenset[str], shutdown_timeout_seconds: float | None
    ) -> None:
        self._events = events
        self._omit = omit
        self._shutdown_timeout_seconds = shutdown_timeout_seconds
        #: What this worker has got and not done with, by the task's id: of a task whose process is killed, Celery
        #: tells no more than that.
        self._received: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def _receivers(self) -> list[tuple[Any, Any]]:
        found = [
            (signals.before_task_publish, self.publish),
            (signals.task_prerun, self.begin),
            (signals.task_postrun, self.end),
            (signals.worker_process_shutdown, self.shut_down),
        ]
        if "task.failed" in self._events:
            found += [(signals.task_received, self.note), (signals.task_failure, self.fail)]
        if "task.revoked" in self._events:
            found.append((signals.task_revoked, self.revoke))
        return found

    def connect(self) -> None:
        """Begin to listen."""
        for signal, receiver in self._receivers():
            signal.connect(receiver, weak=False, dispatch_uid=_uid(receiver))

    def disconnect(self) -> None:
        """Listen no more."""
        for signal, receiver in self._receivers():
            signal.disconnect(dispatch_uid=_uid(receiver))

    def publish(self, headers: Any = None, **_: Any) -> None:
        """A task is asked for: by anybody, or by a run of itself, again."""
        if headers is None or HEADER in headers:
            return
        run = _current_run()
        again = run is not None and run.task_id == headers.get("id")
        text = run.header if run is not None and again else messages.written(self._omit)
        if text is not None:
            headers[HEADER] = text

    def begin(self, task_id: Any = None, task: Any = None, **_: Any) -> None:
        """A run begins, in the process, thread or greenlet in which it will end."""
        request = task.request
        soft_limits.begin()
        run = _Run(task_id, None if request.is_eager else vars(request).get(HEADER))
        run.token = context.push(_surroundings(task, request, run.header), run)
        vars(request)[_RUN] = run

    def end(self, task: Any = None, state: Any = None, retval: Any = None, **_: Any) -> None:
        """A run has ended, in whichever way."""
        request = task.request
        run = vars(request).pop(_RUN, None)
        if run is None:
            return
        try:
            state, result = end_of(state, retval)
            self._tell(request, state, result, duration=(time.perf_counter_ns() - run.began_ns) / 1e9)
        finally:
            context.pop(run.token)
            soft_limits.end()

    def _tell(self, request: Any, state: Any, result: Any, **further: Any) -> None:
        name = name_of(state)
        if name in self._events:
            config.submit("info", name, {**values_of(request, state, result), **further})

    def note(self, request: Any = None, **_: Any) -> None:
        """This worker has got a task."""
        self._received[request.id] = request

    def fail(self, sender: Any = None, task_id: Any = None, exception: Any = None, **_: Any) -> None:
        """A task has failed; told here is what no run can tell: its process was killed."""
        if not isinstance(exception, _KILLED) or _RUN in vars(sender.request):
            return
        received = self._received.pop(
            task_id, None
        )  # Celery may say so twice: that its time was over, and it lost
        if received is not None:
            self._tell_elsewhere(sender, Context(received.request_dict), "FAILURE", exception)

    def revoke(
        self, sender: Any = None, request: Any = None, terminated: Any = None, expired: Any = None, **_: Any
    ) -> None:
        """A task was taken back, before it began or while it ran."""
        reason = "expired" if expired else "terminated" if terminated else "revoked"
        self._tell_elsewhere(sender, request, "REVOKED", None, reason=reason)

    def _tell_elsewhere(self, task: Any, request: Any, state: str, result: Any, **further: Any) -> None:
        """Tell of a task in a process that did not run it."""
        token = context.push(_surroundings(task, request, vars(request).get(HEADER)))
        try:
            self._tell(request, state, result, **further)
        finally:
            context.pop(token)

    def shut_down(self, **_: Any) -> None:
        """A process of the prefork pool ends, by os._exit."""
        config.shutdown(self._shutdown_timeout_seconds)


def _uid(receiver: Any) -> str:
    return f"activitylog.{receiver.__name__}"


def _current_run() -> _Run | None:
    frame: context.Frame | None = context.frame()
    while frame is not None:
        if isinstance(frame.owner, _Run):
            return frame.owner
        frame = frame.outer
    return None


def _surroundings(task: Any, request: Any, header: Any) -> dict[str, Any]:
    """What the events of a task say: what came with it, and which task it is."""
    values = messages.read(header) if header is not None else {}
    values[messages.MESSAGE_ID] = request.id
    values[messages.TASK_NAME] = task.name
    if request.root_id != request.id:
        values[messages.CONVERSATION_ID] = request.root_id
    return values
