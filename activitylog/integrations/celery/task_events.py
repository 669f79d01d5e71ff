"""The event that a run of a task ends in: its name, its outcome and what it says."""

from __future__ import annotations

import sys
from typing import Any, Final

from celery.exceptions import Ignore, Reject, Retry

#: By the state in which Celery leaves a run.
_EVENT_OF_STATE: Final = {
    "SUCCESS": "task.succeeded",
    "FAILURE": "task.failed",
    "RETRY": "task.retried",
    "IGNORED": "task.ignored",
    "REJECTED": "task.rejected",
    "REVOKED": "task.revoked",
}
TASK_EVENTS: Final = tuple(_EVENT_OF_STATE.values())
#: Of runs that an exception has left (those of ``apply()``, when it is to raise), by its class.
_STATE_OF_EXCEPTION: Final[tuple[tuple[type[Exception], str], ...]] = (
    (Retry, "RETRY"),
    (Ignore, "IGNORED"),
    (Reject, "REJECTED"),
    (Exception, "FAILURE"),
)


def name_of(state: Any) -> str:
    """The event's name; empty for a state that is no end."""
    return _EVENT_OF_STATE.get(state, "")


def end_of(state: Any, result: Any) -> tuple[Any, Any]:
    """
    State and result of a run that has just ended.

    Without a state it ended by an exception that goes on: of ``apply()`` to its caller. One that ends processes or
    greenlets is the worker's to tell about.
    """
    error = sys.exc_info()[1]
    if state is not None or error is None:
        return state, result
    return next((found for kind, found in _STATE_OF_EXCEPTION if isinstance(error, kind)), None), error


def values_of(request: Any, state: Any, result: Any) -> dict[str, Any]:
    """
    What the event says.

    Args:
        request: Celery's ``Context`` of the run.
        state: one that has an event.
        result: the exception, where there is one.
    """
    values: dict[str, Any] = {
        "object": ("task", request.id),
        "messaging.destination.name": (request.delivery_info or {}).get("routing_key"),
        "celery.retries": request.retries or None,
    }
    error = result.exc if isinstance(result, Retry) else result
    if state in ("FAILURE", "RETRY") and error is not None:
        values["error"] = error
        values["outcome"] = "denied" if isinstance(error, PermissionError) else "failure"
    elif state != "SUCCESS":
        values["outcome"] = "unknown"
    return values
