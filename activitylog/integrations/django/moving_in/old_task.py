"""
An old task that wrote a row in a worker. ``.delay(...)`` emits an event instead, which waits for no broker.

.. code-block:: python

    @legacy_task()
    @shared_task
    def async_log_activity(user_id, action, **metadata):
        ActivityLog.objects.create(...)          # still run by workers, for what is in the queue when you switch

Calls of it inside a canvas (``async_log_activity.s(...)``, ``.si``, ``.signature``) stay Celery's: the worker
runs the body when it is its turn, and its ``ActivityLog.objects.create(...)`` is the event.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from activitylog.integrations.django.moving_in import switch
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.old_function import LegacyCall


def legacy_task(
    mapping: LegacyMapping | None = None,
    *,
    write: switch.Write = None,
    on_commit: bool = False,
    using: str = "default",
) -> Callable[[Any], LegacyTask]:
    """
    Have an old task emit an event where it is called.

    Args:
        mapping: which parameter is which word; without one their names decide.
        write: as for :func:`.legacy_model`. With ``both`` and ``table`` the task is sent to its queue as before;
            the event of ``both`` is that of the old model, by which the worker writes the row.
        on_commit: emit when the transaction of ``using`` is committed. By default at once: a task that was sent
            was not rolled back, either. ``delay_on_commit`` waits in any case, as it does in Celery.
        using: alias of that database.

    Returns:
        A decorator of a task of Celery, or of a function. What it returns has ``delay``, ``apply_async`` and, on a
        task, all that the task has.

    Raises:
        ConfigurationError: a mode that is none.
    """
    checked = switch.checked(write)
    committing = using if on_commit else None
    return lambda task: LegacyTask(task, LegacyCall(task, mapping or LegacyMapping()), checked, committing, using)


@dataclass(frozen=True, slots=True)
class EmittedResult:
    """
    What ``delay`` answers when an event was emitted: like a Celery result of a task that has ended, with None.

    Attributes:
        id: random, of nothing that could be asked elsewhere.
    """

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "SUCCESS"
    result: None = None
    parent: None = None
    children: None = None
    traceback: None = None
    ignored: bool = False

    @property
    def task_id(self) -> str:
        """The id."""
        return self.id

    @property
    def status(self) -> str:
        """The state."""
        return self.state

    def get(self, *_args: Any, **_options: Any) -> None:
        """None, at once."""

    wait = get
    forget = get
    revoke = get

    def ready(self) -> bool:
        """True."""
        return True

    successful = ready

    def failed(self) -> bool:
        """False."""
        return False

    def __str__(self) -> str:
        return self.id


class LegacyTask:
    """A task whose calls become events; see :func:`legacy_task`."""

    def __init__(
        self, task: Any, call: LegacyCall, write: switch.Write, committing: str | None, using: str
    ) -> None:
        self._task: Final = task  # not looked at before it is needed: Celery makes it then
        self._call = call
        self._write = write
        self._committing = committing
        self._using = using

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The task in this process."""
        if switch.mode(self._write) != "events":
            return self._task(*args, **kwargs)
        self._call.emit(args, kwargs, using=self._committing)
        return None

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """The task with these arguments."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *more: Any,
        **options: Any,
    ) -> Any:
        """The task; what is said of queues, delays and retries is for a queue, and an event waits for none."""
        if switch.mode(self._write) != "events":
            return self._task.apply_async(args, kwargs, *more, **options)
        self._call.emit(tuple(args or ()), dict(kwargs or {}), using=self._committing)
        return EmittedResult()

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """The task, when the transaction is committed."""
        self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *more: Any,
        **options: Any,
    ) -> None:
        """The task, when the transaction is committed."""
        if switch.mode(self._write) != "events":
            self._task.apply_async_on_commit(args, kwargs, *more, **options)
        else:
            self._call.emit(tuple(args or ()), dict(kwargs or {}), using=self._using)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def __repr__(self) -> str:
        return f"<legacy task {self._task!r}>"
