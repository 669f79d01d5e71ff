"""
One configured pipeline: rules, chain of processors, OpenTelemetry logger, destinations, counts.

``submit`` is the way of every event: ask the rules, run the chain, emit the record. It raises nothing unless the
pipeline is strict, waits for nothing (unless ``overflow="block"``), and counts whatever it does not hand on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry._logs import NoOpLogger
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from structlog.exceptions import DropEvent
from structlog.typing import EventDict, Processor

from activitylog.admission import Admission
from activitylog.counters import Cell
from activitylog.destinations import exporter_builder
from activitylog.error_log import ErrorLog
from activitylog.event import COUNTER_EVENT_NAME, Limits
from activitylog.exceptions import ConfigurationError, StrictModeError
from activitylog.identity import Producer
from activitylog.output import NO_TRACE, EventLogger, RenderLogRecord, Trace, trace_of
from activitylog.processors import (
    FLAGS,
    Redact,
    Sanitize,
    add_timestamp,
    merge_context,
    name_attributes,
    name_entities,
    name_error,
    stored_name,
)
from activitylog.provider import BoundedProcessor, deadline
from activitylog.redaction import RedactionSettings, Redactor
from activitylog.rules import RulesFile
from activitylog.sanitize import sanitize
from activitylog.settings import Settings
from activitylog.stats import Counter, DestinationStats, FlushResult, ReasonCounters, RuleStats, Stats
from activitylog.typed import name_event

SCOPE_NAME: Final = "activitylog"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

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
        self._rules_file = RulesFile(settings.rules_file) if settings.rules_file is not None else None
        self._admission: Admission | None = None
        self.reset_after_fork()
        _pipelines.add(self)

    def reset_after_fork(self) -> None:
        """A new producer and counts from zero: the parent's events, those that wait included, are the parent's."""
        self._emitted = Counter()
        self._counted = Counter()
        self._sanitized = Counter()
        self._dropped = ReasonCounters()
        self._errors = ErrorLog()
        self._chain: tuple[Processor, ...] = tuple(
            processor_chain(self.settings.limits, self._own_processors, self._redactor)
        )
        self._render = RenderLogRecord(Producer())
        self._admission = self._new_admission(self._admission)
        for destination in self.destinations:
            destination.reset_after_fork()

    def _new_admission(self, before: Admission | None = None) -> Admission | None:
        settings, file = self.settings, self._rules_file
        rules = before.rules if before is not None else settings.rules if file is None else file.load()
        if not rules and file is None:
            return None
        admission = Admission(
            rules,
            self,
            key=settings.sampling_key_bytes,
            dry_run=settings.dry_run,
            counting=settings.counters is not False,
        )
        if file is not None:
            admission.watch(file, settings.rules_reload_seconds)
        return admission

    def submit(self, method_name: str, event: Any, values: dict[str, Any]) -> bool:
        """
        Send one event through the rules and the chain to OpenTelemetry.

        Args:
            method_name: the logger's method, which sets the severity.
            event: its name, or an instance of a class declared with ``@activitylog.event``.
            values: the keywords of the call; the chain changes this dict.

        Returns:
            True when it was handed on, or waits in a window of a rule.

        Raises:
            StrictModeError: under ``strict``, when something of the event was changed or cut.
            Exception: under ``strict``, whatever failed inside.
        """
        if self._closed_because is not None:
            self._dropped.increment(self._closed_because)
            return False
        admission, admitted, passed = self._admission, None, values
        try:
            passed = name_event(event, values)
            if admission is not None:
                admitted = admission.admit(method_name, passed)
                if admitted is None:
                    return False
            for processor in self._chain:
                passed = processor(self._event_logger, method_name, passed)  # type: ignore[assignment]
            if FLAGS in passed:
                self._note_flags(passed)
            trace = trace_of(passed)
            if admitted is not None and admitted.hold(method_name, passed, trace):
                return True
            self._event_logger.emit(self._render.record(method_name, passed, trace))
            if admitted is not None:
                admitted.count("", passed)
        except DropEvent:
            self._dropped.increment("filtered")
            if admitted is not None:
                admitted.lose("filtered", passed)
            return False
        except Exception as error:  # noqa: BLE001 - emit never raises; counted, and logged once a minute
            if admitted is not None:
                admitted.lose("error", passed)
            self.fail(error, event)
            return False
        except BaseException:
            self._dropped.increment("interrupted")
            if admitted is not None:
                admitted.lose("interrupted", passed)
            raise
        self._emitted.increment()
        return True

    def enabled(self, name: str) -> bool:
        """False when an event of this name would be dropped whatever else it has; it then counts as dropped."""
        if self._closed_because is not None:
            self._dropped.increment(self._closed_because)
            return False
        return self._admission is None or self._admission.enabled(name)

    def send(self, method_name: str, event_dict: EventDict, trace: Trace | None) -> bool:
        """Emit an event that went through the chain and has waited; False when that failed, and was counted."""
        try:
            self._event_logger.emit(self._render.record(method_name, event_dict, trace or NO_TRACE))
        except Exception as error:  # noqa: BLE001 - there is no caller any more; counted, and logged once a minute
            self._dropped.increment("error")
            with suppress(Exception):
                self._errors.report(error, event_dict.get("event"))
            return False
        self._emitted.increment()
        return True

    def report(self, cell: Cell, count: int) -> None:
        """Emit one exact count."""
        found = {
            "activity.tenant.id": cell.tenant,
            "activity.counter.event": cell.event,
            "activity.counter.reason": cell.reason,
            "activity.outcome": cell.outcome if cell.outcome != "success" else "",
            "activity.sample.rule": cell.rule,
        }
        event_dict: dict[str, Any] = {key: value for key, value in found.items() if value}
        event_dict |= {"event": COUNTER_EVENT_NAME, "timestamp": cell.minute_ns, "activity.count": count}
        try:
            sanitize(event_dict)
            self._event_logger.emit(self._render.record("info", self._redactor.redact(event_dict), NO_TRACE))
        except Exception as error:  # noqa: BLE001 - there is no caller; logged once a minute
            with suppress(Exception):
                self._errors.report(error, COUNTER_EVENT_NAME)
            return
        self._counted.increment()

    def stored_name(self, name: Any) -> str:
        """What the chain makes of a name that is none."""
        return stored_name(name, self._redactor.redact_text)

    def has_room(self, records: int) -> bool:
        """Whether every destination would queue so many records."""
        return all(destination.has_room(records) for destination in self.destinations)

    def fail(self, error: Exception, event: Any) -> None:
        """Count an event that ended in an error; raise the error when strict, else log it, rarely."""
        self._dropped.increment("error")
        if self.settings.strict:
            raise error
        with suppress(Exception):  # a handler or filter of the application's logging that fails
            self._errors.report(error, self._redactor.redact_text(event) if isinstance(event, str) else event)

    def _note_flags(self, event_dict: Mapping[str, Any]) -> None:
        flags = event_dict[FLAGS]
        if self.settings.strict:
            raise StrictModeError(
                f"The event {event_dict['event']!r} cannot be stored as it was given: {', '.join(flags)}.",
                hint="Each item is key:reason; see activitylog.sanitize for the reasons.",
            )
        self._sanitized.increment()

    def stats(self) -> Stats:
        """The counts so far."""
        admission = self._admission
        return Stats(
            emitted=self._emitted.value(),
            dropped=self._dropped.values() | (admission.dropped() if admission else {}),
            held=admission.held() if admission else 0,
            rolled_up=admission.rolled_up() if admission else 0,
            counted=self._counted.value(),
            sanitized=self._sanitized.value(),
            destinations={destination.name: destination.stats() for destination in self.destinations},
            rules=admission.stats() if admission else RuleStats(),
        )

    def flush(self, timeout: float) -> FlushResult:
        """
        Send what is queued and what waits in windows, for at most ``timeout`` seconds over all destinations.

        A budget's window ends by itself: that is waited for, a second at the most.
        """
        left = deadline(timeout)
        if self._admission is not None:
            self._admission.flush(left())
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
        if self._admission is not None:
            self._admission.close()
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
        held = self._admission.held() if self._admission else 0
        queued = held + sum(count.queued for count in counts)
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
