"""
``configure`` and its counterparts. This module holds the only global state: the current pipeline.

Life cycle, all of it defined:

* before ``configure`` events are dropped and counted as ``not_configured``, with one warning;
* ``configure`` again puts the new pipeline in place, then shuts the old one down;
* in a forked child the pipeline goes on with a new producer and counts from zero; events that were queued at
  the fork belong to the parent;
* after ``shutdown`` events are dropped and counted as ``shutdown``; ``configure`` begins anew;
* at the end of the process ``shutdown`` runs by itself, also in children of ``multiprocessing``.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from opentelemetry._logs import LoggerProvider
from structlog.typing import Processor

from activitylog._version import __version__
from activitylog.assembly import build_pipeline
from activitylog.exceptions import ActivityLogError
from activitylog.pipeline import Pipeline
from activitylog.settings import load_settings
from activitylog.stats import FlushResult, ReasonCounters, Stats
from activitylog.url import DestinationURL

_log = logging.getLogger("activitylog")


class _State:
    """The current pipeline, and what happened when there was none."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None
        self.lock = threading.Lock()
        self.dropped = ReasonCounters()
        self.warned = False
        self.children = False


_state = _State()


def configure(
    url: str | DestinationURL | Sequence[str | DestinationURL] | None = None,
    *,
    service_name: str | None = None,
    resource_attributes: Mapping[str, str] | None = None,
    processors: Iterable[Processor] = (),
    logger_provider: LoggerProvider | None = None,
    **settings: Any,
) -> None:
    """
    Say where events go. Call it once when the process starts; it opens no connection and waits for nothing.

    Args:
        url: one destination or several (:mod:`activitylog.url` lists the forms).
        service_name: ``service.name`` of the resource.
        resource_attributes: further attributes of the resource.
        processors: structlog processors of the application, run before ours; one may raise
            ``structlog.DropEvent``, and the event is counted as ``filtered``.
        logger_provider: an OpenTelemetry provider to emit through, instead of one of our own.
        settings: any other setting of :class:`activitylog.settings.Settings`, which also says where settings
            may come from and which place wins.

    Raises:
        ConfigurationError: a setting cannot be used: what was given, what is accepted, what to do.
        StoreLockedError: another process has the embedded store open, and there is no spool to leave events in
            (``durability="memory"``).

    While a test captures events (:mod:`activitylog.testing`) the settings are checked, and nothing changes.
    """
    given = {
        "url": url,
        "service_name": service_name,
        "resource_attributes": resource_attributes,
        **settings,
    }
    failure: ActivityLogError | None = None
    try:
        checked = load_settings(given)
        if _state.pipeline is not None and _state.pipeline.stays:
            return
        pipeline = build_pipeline(
            checked, processors=tuple(processors), logger_provider=logger_provider, version=__version__
        )
    except ActivityLogError as error:
        failure = type(error)(error.message, hint=error.hint)
    if failure is not None:
        # Raised anew, from a frame without the URL: reporters of errors print the values of all frames.
        del url, given, settings
        raise failure
    install(pipeline)
    _shut_down_with_multiprocessing()


def install(pipeline: Pipeline | None) -> Pipeline | None:
    """Put a pipeline in place and shut down the one before it, which is returned."""
    previous = swap(pipeline)
    if pipeline is not None:
        pipeline.attach()
    if previous is not None:
        previous.detach()
        previous.shutdown(previous.settings.shutdown_timeout_seconds)
    if pipeline is not None:
        pipeline.begin_metrics()  # which go on from the last counts of the previous one
    return previous


def swap(pipeline: Pipeline | None) -> Pipeline | None:
    """Put a pipeline in place; returns the one before it, which goes on as it was."""
    with _state.lock:
        previous, _state.pipeline = _state.pipeline, pipeline
    return previous


def configured() -> bool:
    """Whether there is a pipeline in this process, working or shut down."""
    return _state.pipeline is not None


def submit(method_name: str, event: Any, values: dict[str, Any]) -> bool:
    """Send one event through the current pipeline; True when it was handed on."""
    pipeline = _state.pipeline
    if pipeline is not None:
        return pipeline.submit(method_name, event, values)
    _state.dropped.increment("not_configured")
    if not _state.warned:
        _state.warned = True
        with suppress(Exception):  # a handler or filter of the application's logging that fails
            _log.warning(
                "activitylog: events are dropped because activitylog.configure() was not called; "
                "pass it a URL such as chdb:///abs/dir or set ACTIVITYLOG_URL and call it without one."
            )
    return False


def submit_many(event: str, items: Iterable[Any], common: Mapping[str, Any]) -> int:
    """
    Send one event for each item; how many were handed on (:meth:`activitylog.pipeline.Pipeline.submit_many`).
    """
    pipeline = _state.pipeline
    if pipeline is not None:
        return pipeline.submit_many(event, items, common)
    try:
        return sum(submit("info", event, {}) for _ in items)
    except Exception as error:  # noqa: BLE001 - the application's iterable may raise anything; counted
        fail(error, event)
        return 0


def enabled(event: str) -> bool:
    """
    False when every event of this name is dropped by a rule, or by what the pipeline is in: a guard.

    .. code-block:: python

        if activitylog.enabled("cursor.moved"):
            activitylog.emit("cursor.moved", object=document, position=compute_position())

    Ask it once for each event, and emit when it is True: an event that is not emitted because of it is counted
    here, with the tenant that is bound and as a success.
    """
    pipeline = _state.pipeline
    if pipeline is not None:
        return pipeline.enabled(event)
    _state.dropped.increment("not_configured")
    return False


def fail(error: Exception, event: Any) -> None:
    """Count an event that could not even be begun."""
    pipeline = _state.pipeline
    if pipeline is None:
        _state.dropped.increment("not_configured")
    else:
        pipeline.fail(error, event)


def flush(timeout: float = 30.0) -> FlushResult:
    """
    Send what is queued, and wait for it at most ``timeout`` seconds.

    In ``async def`` use :func:`aflush`. Events emitted meanwhile by others may be included or not.
    """
    pipeline = _state.pipeline
    return FlushResult(complete=True) if pipeline is None else pipeline.flush(timeout)


async def aflush(timeout: float = 30.0) -> FlushResult:
    """Like :func:`flush`, without holding up the event loop."""
    return await asyncio.to_thread(flush, timeout)


def shutdown(timeout: float | None = None) -> FlushResult:
    """
    Send what is queued, stop, and refuse later events. May be called twice.

    Args:
        timeout: seconds; by default the setting ``shutdown_timeout_seconds``.

    Returns:
        What was delivered and dropped since ``configure``; ``complete`` is False when time ran out.
    """
    pipeline = _state.pipeline
    if pipeline is None:
        return FlushResult(complete=True)
    return pipeline.shutdown(pipeline.settings.shutdown_timeout_seconds if timeout is None else timeout)


def stats() -> Stats:
    """How many events were emitted, delivered and dropped, and why. Cheap; call it as often as you like."""
    pipeline = _state.pipeline
    return Stats(dropped=_state.dropped.values()) if pipeline is None else pipeline.stats()


def _after_fork_in_child() -> None:
    # Only the forking thread lives on in the child: a lock that another one held would stay locked for ever.
    _state.lock = threading.Lock()
    _state.dropped = ReasonCounters()


def _shut_down_with_multiprocessing() -> None:
    """Children of multiprocessing end by ``os._exit``, which runs no atexit handlers: it has a list of its own."""
    from multiprocessing import process, util

    if not _state.children:
        _state.children = True
        util.register_after_fork(_state, lambda _: util.Finalize(None, shutdown, exitpriority=0))
        if process.parent_process() is not None:
            util.Finalize(None, shutdown, exitpriority=0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(shutdown)
