"""
One configured pipeline: the chain of processors, the OpenTelemetry logger, the destinations, the counts.

``submit`` is the way of every event: run the chain, emit the record. It raises nothing unless the pipeline is
strict, waits for nothing (unless ``overflow="block"``), and counts whatever it does not hand on.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry._logs import NoOpLogger
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from structlog.exceptions import DropEvent
from structlog.typing import Processor

from activitylog.destinations import exporter_builder
from activitylog.event import MAX_EVENT_NAME_LENGTH, Limits
from activitylog.exceptions import ConfigurationError, StrictModeError
from activitylog.identity import Producer
from activitylog.output import EventLogger, RenderLogRecord
from activitylog.processors import (
    FLAGS,
    Redact,
    Sanitize,
    add_timestamp,
    merge_context,
    name_attributes,
    name_entities,
    name_error,
)
from activitylog.provider import BoundedProcessor, deadline
from activitylog.redaction import RedactionSettings, Redactor
from activitylog.settings import Settings
from activitylog.stats import Counter, DestinationStats, FlushResult, ReasonCounters, Stats
from activitylog.typed import name_event

SCOPE_NAME: Final = "activitylog"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
_LOG_EVERY_SECONDS: Final = 60.0

_log = logging.getLogger("activitylog")


def processor_chain(
    limits: Limits, own: Iterable[Processor] = (), redactor: Redactor | None = None
) -> list[Processor]:
    """The chain up to the event dict of attributes, with the application's own processors first."""
    redactor = redactor or Redactor(RedactionSettings())
    return [
        *own,
        add_timestamp,
        merge_context,
        name_entities,
        name_error,
        name_attributes,
        Sanitize(limits, redactor.redact_text),
        Redact(redactor),
    ]


class Pipeline:
    """
    Everything between ``emit`` and the exporters.

    Args:
        settings: checked settings.
        processors: of the application, run first, in this order.
        logger_provider: of the application, to emit through; by default one of our own is made.
        destinations: where records go, added to the provider.
        version: of the instrumentation scope.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        processors: Sequence[Processor] = (),
        logger_provider: APILoggerProvider | None = None,
        destinations: Sequence[BoundedProcessor] = (),
        version: str = "",
    ) -> None:
        self.settings = settings
        self.destinations = tuple(destinations)
        self._own_processors = tuple(processors)
        self._redactor = Redactor(settings.redaction)
        provider = logger_provider or LoggerProvider(_resource(settings), shutdown_on_exit=False)
        if destinations and not isinstance(provider, LoggerProvider):
            raise ConfigurationError(
                f"logger_provider is a {type(provider).__name__}, to which no destination can be added.",
                hint="Pass an opentelemetry.sdk._logs.LoggerProvider, or leave the URL out.",
            )
        for destination in destinations:
            provider.add_log_record_processor(destination)  # type: ignore[attr-defined]
        self.provider = provider
        logger = provider.get_logger(SCOPE_NAME, version, SCHEMA_URL)
        self._event_logger = EventLogger(logger)
        self._closed_because: str | None = None if settings.enabled else "disabled"
        if logger_provider is None and isinstance(logger, NoOpLogger):
            self._closed_because = "disabled"
            _log.warning("activitylog: events are dropped because OTEL_SDK_DISABLED is set.")
        self.reset_after_fork()
        _pipelines.add(self)

    def reset_after_fork(self) -> None:
        """A new producer and counts from zero: the parent's events are the parent's."""
        self._emitted = Counter()
        self._sanitized = Counter()
        self._dropped = ReasonCounters()
        self._errors = ErrorLog()
        render = RenderLogRecord(Producer())
        self._chain: tuple[Any, ...] = (
            *processor_chain(self.settings.limits, self._own_processors, self._redactor),
            render,
        )
        for destination in self.destinations:
            destination.reset_after_fork()

    def submit(self, method_name: str, event: Any, values: dict[str, Any]) -> bool:
        """
        Send one event through the chain to OpenTelemetry.

        Args:
            method_name: the logger's method, which sets the severity.
            event: its name, or an instance of a class declared with ``@activitylog.event``.
            values: the keywords of the call; the chain changes this dict.

        Returns:
            True when it was handed on.

        Raises:
            StrictModeError: under ``strict``, when something of the event was changed or cut.
            Exception: under ``strict``, whatever failed inside.
        """
        if self._closed_because is not None:
            self._dropped.increment(self._closed_because)
            return False
        try:
            passed: Any = name_event(event, values)
            for processor in self._chain:
                passed = processor(self._event_logger, method_name, passed)
            record = passed[0][0]
            if FLAGS in record.attributes:
                self._note_flags(record)
            self._event_logger.emit(record)
        except DropEvent:
            self._dropped.increment("filtered")
            return False
        except Exception as error:  # noqa: BLE001 - emit never raises; counted, and logged once a minute
            self.fail(error, event)
            return False
        except BaseException:
            self._dropped.increment("interrupted")
            raise
        self._emitted.increment()
        return True

    def fail(self, error: Exception, event: Any) -> None:
        """Count an event that ended in an error; raise the error when strict, else log it, rarely."""
        self._dropped.increment("error")
        if self.settings.strict:
            raise error
        with suppress(Exception):  # a handler or filter of the application's logging that fails
            self._errors.report(error, self._redactor.redact_text(event) if isinstance(event, str) else event)

    def _note_flags(self, record: Any) -> None:
        flags = record.attributes[FLAGS]
        if self.settings.strict:
            raise StrictModeError(
                f"The event {record.event_name!r} cannot be stored as it was given: {', '.join(flags)}.",
                hint="Each item is key:reason; see activitylog.sanitize for the reasons.",
            )
        self._sanitized.increment()

    def stats(self) -> Stats:
        """The counts so far."""
        return Stats(
            emitted=self._emitted.value(),
            dropped=self._dropped.values(),
            sanitized=self._sanitized.value(),
            destinations={destination.name: destination.stats() for destination in self.destinations},
        )

    def flush(self, timeout: float) -> FlushResult:
        """Send what is queued, for at most ``timeout`` seconds over all destinations."""
        left = deadline(timeout)
        for destination in self.destinations:
            destination.flush_within(left())
        return self._result()

    def shutdown(self, timeout: float) -> FlushResult:
        """
        Refuse new events, send what is queued, stop; within ``timeout`` seconds.

        What cannot be sent in time is counted as dropped, ``shutdown``. A provider of the application is not
        shut down, only the destinations that were added to it.
        """
        if self._closed_because == "shutdown":
            return self._result()
        self._closed_because = "shutdown"
        left = deadline(timeout)
        for destination in self.destinations:
            # A batch that waits for its next attempt would hold the rest up; half the time is for such waits.
            if not destination.flush_within(left() / 2):
                destination.interrupt()
            destination.shutdown_within(left())
        result = self._result()
        if result.dropped:
            with suppress(Exception):
                _log.warning("activitylog: %d events were lost until shutdown: %s", result.dropped, self.losses())
        return result

    def losses(self) -> dict[str, int]:
        """Events that the destinations lost, by reason, over all of them."""
        total: dict[str, int] = {}
        for destination in self.destinations:
            for reason, count in destination.stats().dropped.items():
                total[reason] = total.get(reason, 0) + count
        return total

    def _result(self) -> FlushResult:
        counts: list[DestinationStats] = [destination.stats() for destination in self.destinations]
        queued = sum(count.queued for count in counts)
        return FlushResult(
            complete=queued == 0,
            delivered=sum(count.delivered for count in counts),
            queued=queued,
            dropped=sum(sum(count.dropped.values()) for count in counts),
        )


#: All that are alive: in a forked child each needs a producer of its own, the one in force and any other.
_pipelines: WeakSet[Pipeline] = WeakSet()


def _after_fork_in_child() -> None:
    for pipeline in list(_pipelines):
        pipeline.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class ErrorLog:
    """Logs what failed inside, one line a minute, without values: they may be secrets."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._unlogged = 0

    def report(self, error: BaseException, event: Any) -> None:
        """Note one failure."""
        now = time.monotonic()
        if now < self._next_at:
            self._unlogged += 1
            return
        self._next_at = now + _LOG_EVERY_SECONDS
        unlogged, self._unlogged = self._unlogged, 0
        _log.error(
            "activitylog: an event was dropped because of a %s in the chain at %s (event %r; %d more since "
            "the last line). Set strict=True in tests to see it raised.",
            type(error).__name__,
            _place(error),
            event[:MAX_EVENT_NAME_LENGTH] if isinstance(event, str) else type(event).__name__,
            unlogged,
        )


def _place(error: BaseException) -> str:
    """File and line where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _resource(settings: Settings) -> Resource:
    attributes: dict[str, str] = dict(settings.resource_attributes)
    if settings.service_name:
        attributes["service.name"] = settings.service_name
    return Resource.create(attributes)


def build_pipeline(
    settings: Settings,
    *,
    processors: Sequence[Processor] = (),
    logger_provider: APILoggerProvider | None = None,
    version: str = "",
) -> Pipeline:
    """
    Make a pipeline from settings.

    Raises:
        ConfigurationError: no destination and no provider, or something a destination needs is missing.
        StoreLockedError: another process has the embedded store open.
    """
    if not settings.url and logger_provider is None and settings.enabled:
        raise ConfigurationError(
            "No destination is configured.",
            hint="Pass a URL to configure(), set ACTIVITYLOG_URL, or write url = ... into activitylog.toml; "
            "chdb:///abs/dir needs nothing else.",
        )
    builders = [(str(url), exporter_builder(url, settings)) for url in settings.url]
    destinations = [BoundedProcessor(build, name, settings) for name, build in builders]
    return Pipeline(
        settings,
        processors=processors,
        logger_provider=logger_provider,
        destinations=destinations,
        version=version,
    )
