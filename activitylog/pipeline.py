"""
One configured pipeline: rules, chain of processors, OpenTelemetry logger, destinations, counts.

``submit`` is the way of every event: ask the rules, run the chain, emit the record. It raises nothing unless the
pipeline is strict, waits for nothing (unless ``overflow="block"``), and counts whatever it does not hand on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal

from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry._logs import NoOpLogger
from structlog.exceptions import DropEvent
from structlog.typing import Processor

from activitylog.admission import Admission, Admitted
from activitylog.bulk import Bulk
from activitylog.chain import SharedChain, processor_chain, shared_chain
from activitylog.context import underlaid
from activitylog.error_log import ErrorLog
from activitylog.exceptions import StrictModeError
from activitylog.forked import renew_in_children
from activitylog.identity import Producer
from activitylog.logger_provider import attach, detach, provider_for
from activitylog.losses import INTERVAL_SECONDS, LossReporter
from activitylog.metrics import EMITS_PER_SAMPLE, PipelineMetrics
from activitylog.outlet import Outlet
from activitylog.output import DURABLE, EventLogger, RenderLogRecord, trace_of
from activitylog.processors import FLAGS
from activitylog.provider import Destination, deadline
from activitylog.redaction import Redactor
from activitylog.rules import RulesFile
from activitylog.seals import Sealer
from activitylog.settings import Settings
from activitylog.stats import Counter, FlushResult, ReasonCounters, RuleStats, Stats, losses_of, result_of
from activitylog.ticker import Ticker
from activitylog.typed import name_event

SCOPE_NAME: Final = "activitylog"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

_log = logging.getLogger("activitylog")


class Pipeline:
    """
    Everything between ``emit`` and the exporters.

    Args:
        settings: checked settings.
        processors: of the application, run first, in this order.
        logger_provider: of the application, to emit through; by default one of our own is made.
        destinations: where records go.
        version: of the instrumentation scope.
        metrics: told what happens, from :meth:`begin_metrics` on.
        clock: of the rules' windows and of exact counts; nanoseconds since the epoch.
    """

    #: Whether ``configure`` leaves it in place: true where a test captures events.
    stays = False

    def __init__(
        self,
        settings: Settings,
        *,
        processors: Sequence[Processor] = (),
        logger_provider: APILoggerProvider | None = None,
        destinations: Sequence[Destination] = (),
        version: str = "",
        metrics: PipelineMetrics | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self.destinations = tuple(destinations)
        self._own_processors = tuple(processors)
        self._redactor = Redactor(settings.redaction)
        self.provider = provider = provider_for(destinations, settings, logger_provider)
        logger = provider.get_logger(SCOPE_NAME, version, SCHEMA_URL)
        self._event_logger = EventLogger(logger, None if logger_provider is None else self.destinations)
        self._closed_because: str | None = None if settings.enabled else "disabled"
        self._shut_down = False
        if (destinations or logger_provider is None) and isinstance(logger, NoOpLogger):
            self._closed_because = "disabled"
            _log.warning("activitylog: events are dropped because OTEL_SDK_DISABLED is set.")
        self._rules_file = RulesFile(settings.rules_file) if settings.rules_file is not None else None
        self._admission: Admission | None = None
        self._metrics = metrics
        self.reset_after_fork()
        renew_in_children(self)

    def attach(self) -> None:
        """Take what others emit through the application's provider, too."""
        attach(self.provider, self.destinations)

    def detach(self) -> None:
        """Leave to others what others emit."""
        detach(self.provider, self.destinations)

    def begin_metrics(self) -> None:
        """From now on the metrics of the process are of this pipeline."""
        if self._metrics is not None:
            self._metrics.follow(self.stats)

    def reset_after_fork(self) -> None:
        """A new producer and counts from zero: the parent's events, those that wait included, are the parent's."""
        self._emitted = Counter()
        self._sanitized = Counter()
        self._dropped = ReasonCounters()
        self._errors = ErrorLog()
        self._chain: tuple[Processor, ...] = tuple(
            processor_chain(self.settings.limits, self._own_processors, self._redactor)
        )
        producer = Producer()
        self._sealer = Sealer(producer.name, self._report_seal) if self.settings.seals else None
        if self._sealer is not None and self._shut_down:
            self._sealer.close()
        self._render = RenderLogRecord(producer, self._sealer.note if self._sealer is not None else None)
        self._outlet = self._new_outlet()
        self._admission = self._new_admission(self._admission)
        self._losses = LossReporter(self.destinations, self._outlet.report_loss)
        self._loss_ticker = Ticker(self._losses.report, interval_seconds=INTERVAL_SECONDS)
        for destination in self.destinations:
            destination.begin_producer(producer.name)
            destination.reset_after_fork()

    def _new_outlet(self) -> Outlet:
        return Outlet(
            self._event_logger,
            self._render,
            self._redactor,
            self.destinations,
            sent=self._count_emitted,
            failed=lambda: self._dropped.increment("error"),
            errors=self._errors,
        )

    def _report_seal(self, attributes: dict[str, Any]) -> None:
        self._outlet.report_seal(attributes)

    def _new_admission(self, before: Admission | None = None) -> Admission | None:
        settings, file = self.settings, self._rules_file
        rules = before.rules if before is not None else settings.rules if file is None else file.load()
        if not rules and file is None:
            return None
        admission = Admission(
            rules,
            self._outlet,
            key=settings.sampling_key_bytes,
            dry_run=settings.dry_run,
            counting=settings.counters is not False,
            clock=self._clock,
        )
        if file is not None:
            admission.watch(file, settings.rules_reload_seconds)
        if self._shut_down:
            admission.close()
        return admission

    def submit(
        self,
        method_name: str,
        event: Any,
        values: dict[str, Any],
        chain: Sequence[Processor] | None = None,
        bulk: Bulk | None = None,
    ) -> bool:
        """
        Send one event through the rules and the chain to OpenTelemetry.

        Args:
            method_name: the logger's method, which sets the severity.
            event: its name, or an instance of a class declared with ``@activitylog.event``.
            values: the keywords of the call; the chain changes this dict.
            chain: what it goes through, where that is not the whole chain.
            bulk: the call that it is one event of.

        Returns:
            True when it was handed on, or waits in a window of a rule.

        Raises:
            StrictModeError: under ``strict``, when something of the event was changed or cut.
            Exception: under ``strict``, whatever failed inside.
        """
        if self._closed_because is not None:
            return self._lose(self._closed_because)
        admission, admitted, passed = self._admission, None, values
        try:
            passed = name_event(event, values)
            durable = bool(passed.pop("durable", False))
            if admission is not None:
                admitted = admission.admit(method_name, passed, durable=durable)
                if admitted is None:
                    return False
            for processor in chain or self._chain:
                passed = processor(self._event_logger, method_name, passed)  # type: ignore[assignment]
            if FLAGS in passed:
                self._note_flags(passed)
            trace = trace_of(passed)
            if admitted is not None and admitted.hold(method_name, passed, trace):
                return True
            record = self._render.record(method_name, passed, trace)
            durable = durable or (admitted is not None and admitted.durable)
            if bulk is not None:
                bulk.go_on_in(self._outlet)
                bulk.gather(record, durable=durable)
            elif durable:
                record.tell(DURABLE)
            self._event_logger.emit(record)
            if admitted is not None:
                admitted.count("", passed)
        except DropEvent:
            return self._lose("filtered", admitted, passed)
        except Exception as error:  # noqa: BLE001 - emit never raises; counted, and logged once a minute
            return self._fail(error, event, admitted, passed)
        except BaseException:
            self._lose("interrupted", admitted, passed)
            raise
        if bulk is None:
            self._count_emitted()
        elif bulk.is_due():
            self._write(bulk)
        return True

    def submit_many(self, event: str, items: Iterable[Any], common: Mapping[str, Any]) -> int:
        """
        Send one event for each item; how many were handed on. What they share is looked at once.

        Args:
            items: the object of each, or a mapping of keywords of its own.
            common: keywords of all.
        """
        handed_on, bulk, shared = 0, Bulk(self._outlet.holders), self._share(event, common)
        chain = None if shared is None else (shared,)
        # Rules look at what the events share; the chain of its own does not.
        whole = chain is None or self._admission is not None
        seen = common if whole else {"durable": common.get("durable")}
        try:
            for item in items:
                if isinstance(item, Mapping):
                    handed_on += self.submit("info", event, underlaid(dict(item), common), None, bulk)
                else:
                    handed_on += self.submit("info", event, underlaid({"object": item}, seen), chain, bulk)
        except Exception as error:  # noqa: BLE001 - the application's iterable may raise anything; counted
            self.fail(error, event)
        finally:
            self._write(bulk)
        return handed_on

    def _write(self, bulk: Bulk) -> None:
        """Have written down what a call's events wait for; only then do they count as emitted."""
        bulk.go_on_in(self._outlet)
        events = bulk.waiting
        try:
            bulk.write()
        except BaseException:
            for _ in range(events):
                self._lose("interrupted")
            raise
        for _ in range(events):
            self._count_emitted()

    def _share(self, event: str, common: Mapping[str, Any]) -> SharedChain | None:
        """
        Have what many events have in common go through the chain once.

        None where that cannot be: each event then goes through it whole. Processors of the application see each.
        """
        if self._own_processors or self._closed_because is not None:
            return None
        try:
            return shared_chain(self.settings.limits, self._redactor, self._chain, event, common)
        except Exception:  # noqa: BLE001 - the events fail in the same way, each by itself, and are counted
            return None

    def _lose(self, reason: str, admitted: Admitted | None = None, passed: Any = None) -> Literal[False]:
        self._dropped.increment(reason)
        if admitted is not None:
            admitted.lose(reason, passed)
        return False

    def _fail(self, error: Exception, event: Any, admitted: Admitted | None, passed: Any) -> Literal[False]:
        if admitted is not None:
            admitted.lose("error", passed)
        self.fail(error, event)
        return False

    def _count_emitted(self) -> None:
        if not self._emitted.increment() % EMITS_PER_SAMPLE:
            self._now_and_then()

    def _now_and_then(self) -> None:
        """At the first event, and at each thousandth."""
        if self.destinations and self.settings.counters is not False:
            self._loss_ticker.start()
        if self._metrics is not None:
            self.submit = self._submit_timed  # type: ignore[assignment, method-assign]

    def _submit_timed(self, *arguments: Any) -> bool:
        """As ``submit``, for one event, whose time is taken."""
        self.__dict__.pop("submit", None)
        began = time.perf_counter()
        try:
            return self.submit(*arguments)
        finally:
            if self._metrics is not None:
                self._metrics.emit_took(time.perf_counter() - began)

    def enabled(self, name: str) -> bool:
        """False when an event of this name would be dropped whatever else it has; it then counts as dropped."""
        if self._closed_because is not None:
            return self._lose(self._closed_because)
        return self._admission is None or self._admission.enabled(name)

    def tick(self) -> None:
        """Do what is due by the clock (windows that are over, counts), as a ticker does twice a second."""
        if self._admission is not None:
            self._admission.tick()

    def _report_losses(self, *, final: bool = False) -> None:
        if self.settings.counters is not False:
            self._losses.report(final=final)

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
            counted=self._outlet.counted.value(),
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
        self._report_losses(final=True)
        if self._sealer is not None:
            self._sealer.seal()
        for destination in self.destinations:
            destination.flush_within(left())
        return self._result()

    def shutdown(self, timeout: float) -> FlushResult:
        """
        Send what is queued and stop, within ``timeout`` seconds.

        What cannot be sent in time stays on disk where there is a spool, and is counted as dropped, ``shutdown``,
        where there is none. Later events are refused, or written to the spool for the next process. A provider of
        the application is not shut down, only the destinations that were added to it.
        """
        if self._shut_down:
            return self._result()
        self._shut_down = True
        if not any(destination.keeps_late_events for destination in self.destinations):
            self._closed_because = "shutdown"  # else those without a spool refuse and count them
        left = deadline(timeout)
        if self._admission is not None:
            self._admission.close()
        self._loss_ticker.stop()
        self._report_losses(final=True)
        if self._sealer is not None:
            self._sealer.close()
        for destination in self.destinations:
            # A batch that waits for its next attempt would hold the rest up; half the time is for such waits.
            if not destination.flush_within(left() / 2):
                destination.interrupt()
            destination.shutdown_within(left())
        if self._closed_because is None:  # the report is a late event, too
            self._report_losses(final=True)
        result = self._result()
        if result.dropped:
            with suppress(Exception):
                _log.warning("activitylog: %d events were lost until shutdown: %s", result.dropped, self.losses())
        return result

    def losses(self) -> dict[str, int]:
        """Events that the destinations lost, by reason, over all of them."""
        return losses_of([destination.stats() for destination in self.destinations])

    def _result(self) -> FlushResult:
        held = self._admission.held() if self._admission else 0
        return result_of([destination.stats() for destination in self.destinations], held=held)
