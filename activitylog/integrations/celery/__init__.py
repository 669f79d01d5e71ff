"""
Activity events in Celery: who asked for a task, along with it; events of the tasks themselves; none lost at the
end.

.. code-block:: python

    app = Celery("shop", broker="redis://...")
    activitylog.configure("clickhouse://...", service_name="shop")
    activitylog.integrations.celery.instrument()

One call, where both who asks for tasks and the workers import it. What is bound where a task is asked for travels
in the header ``activitylog`` of its message and is bound while the task runs, in all pools; tasks that a task asks
for, chains, groups, chords, retries and error callbacks take it over. Events inside carry the task's id and name
as ``messaging.message.id`` and ``code.function.name``, and in a task that another one has asked for the id of the
first one as ``messaging.message.conversation_id``. With ``task_always_eager`` a task has what its caller has.

Traces are not ours to carry: OpenTelemetry's instrumentation of Celery does that, in headers of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.celery.receivers import HEADER, Receivers
from activitylog.integrations.celery.task_events import TASK_EVENTS

__all__ = ["HEADER", "TASK_EVENTS", "instrument", "uninstrument"]

_connected: list[Receivers] = []


def instrument(
    *,
    task_events: bool | Iterable[str] = False,
    omit: Collection[str] = (),
    shutdown_timeout_seconds: float | None = None,
) -> None:
    """
    Follow the tasks of this process, of all its applications; called again it replaces what was said before.

    Args:
        task_events: whether each run of a task ends in an event, or which of :data:`TASK_EVENTS` there are. They
            say who asked for it, how long it took, the error, the queue, and how often it was retried.
        omit: what does not travel in messages: keys that are bound, and attributes of the request
            (``{"client.address"}``).
        shutdown_timeout_seconds: how long a process of the prefork pool that ends waits for what is unsent; by
            default the setting of that name. What is left then is in the spool.

    Raises:
        ConfigurationError: there is no such event.
    """
    events = _checked(task_events)
    uninstrument()
    receivers = Receivers(events, frozenset(omit), shutdown_timeout_seconds)
    _connected.append(receivers)
    receivers.connect()


def uninstrument() -> None:
    """Undo :func:`instrument`."""
    while _connected:
        _connected.pop().disconnect()


def _checked(task_events: bool | Iterable[str]) -> frozenset[str]:
    if isinstance(task_events, bool):
        return frozenset(TASK_EVENTS if task_events else ())
    names = frozenset([task_events] if isinstance(task_events, str) else task_events)
    for name in names.difference(TASK_EVENTS):
        near = difflib.get_close_matches(str(name), TASK_EVENTS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(TASK_EVENTS)}."
        raise ConfigurationError(f"task_events has {shown(name)} in it, which is no event of a task.", hint=hint)
    return names
