"""
What the pipeline does, as OpenTelemetry metrics, through their API alone: without an SDK they cost nothing.

=====================================  =========  =========================================================
``activitylog.events.emitted``         {event}    went through the chain
``activitylog.events.dropped``         {event}    ended before that, by ``error.type``
``activitylog.events.delivered``       {event}    a destination has them
``activitylog.events.recovered``       {event}    of dead processes, delivered by this one
``activitylog.events.lost``            {event}    a destination gave them up, by ``error.type``
``activitylog.delivery.retries``       {attempt}  ended without a definite answer
``activitylog.delivery.duration``      s          of each attempt, by its outcome (a histogram)
``activitylog.queue.events``           {event}    wait in memory
``activitylog.queue.size``             By         of them, those on disk as well
``activitylog.spool.events``           {event}    on disk, and unsent
``activitylog.spool.size``             By         what they take there
``activitylog.spool.oldest.age``       s          of the oldest unsent event, about
``activitylog.emit.duration``          s          of one ``emit`` in 1,000 (a histogram)
=====================================  =========  =========================================================

All but the first two and the last have the attribute ``activitylog.destination``, a URL without secrets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation, get_meter_provider

from activitylog._version import __version__
from activitylog.forked import renew_in_children
from activitylog.losses import reason_code
from activitylog.stats import DestinationStats, Stats

#: One emit in so many is timed.
EMITS_PER_SAMPLE: Final = 1000
#: So long one look at the counts serves all instruments: numbers of one collection add up.
_SECONDS_OF_A_LOOK: Final = 0.1
_DESTINATION: Final = "activitylog.destination"
_ERROR: Final = "error.type"
_OUTCOME: Final = "activitylog.outcome"
_EMIT_BOUNDARIES: Final = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
_DELIVERY_BOUNDARIES: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_Observations = Iterator[Observation]
#: From the counts of a destination to a number, if there is one.
_Reading = Callable[[DestinationStats], float | None]


class PipelineMetrics:
    """
    The instruments of one process. They follow one pipeline at a time: the one that was configured last. What is
    counted goes on from where the one before it ended.

    Args:
        meter_provider: by default the global one, also when it is set later.
    """

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        self._stats: Callable[[], Stats] = Stats
        self.reset_after_fork()
        renew_in_children(self)
        meter = (meter_provider or get_meter_provider()).get_meter("activitylog", __version__)
        self._observe_events(meter)
        self._observe_destinations(meter)
        self._emit = meter.create_histogram(
            "activitylog.emit.duration",
            "s",
            f"Duration of one emit in {EMITS_PER_SAMPLE:,}.",
            explicit_bucket_boundaries_advisory=_EMIT_BOUNDARIES,
        )
        self._delivery = meter.create_histogram(
            "activitylog.delivery.duration",
            "s",
            "Duration of each attempt to deliver a batch.",
            explicit_bucket_boundaries_advisory=_DELIVERY_BOUNDARIES,
        )

    def reset_after_fork(self) -> None:
        """In a forked child: what pipelines of the past counted is the parent's."""
        self._past = Stats()
        self._look = _Look(float("-inf"), Stats(), Stats())

    def follow(self, stats: Callable[[], Stats]) -> None:
        """Observe these counts from now on, beside the last ones of what was followed so far."""
        self._past = _total(self._past, self._stats())
        self._stats = stats
        self._look = _Look(float("-inf"), Stats(), Stats())

    def emit_took(self, seconds: float) -> None:
        """One ``emit`` was timed."""
        self._emit.record(seconds)

    def of_attempts(self, destination: str) -> Callable[[float, int, str], None]:
        """What is to be told of each attempt to deliver: seconds, records, outcome."""

        def record(seconds: float, _records: int, outcome: str) -> None:
            self._delivery.record(seconds, {_DESTINATION: destination, _OUTCOME: outcome})

        return record

    def _now(self) -> _Look:
        look = self._look
        if time.monotonic() - look.at > _SECONDS_OF_A_LOOK:
            stats = self._stats()
            look = self._look = _Look(time.monotonic(), stats, _total(self._past, stats))
        return look

    def _observe_events(self, meter: Meter) -> None:
        def emitted(_: CallbackOptions) -> _Observations:
            yield Observation(self._now().total.emitted)

        def dropped(_: CallbackOptions) -> _Observations:
            for reason, events in self._now().total.dropped.items():
                yield Observation(events, {_ERROR: reason_code(reason)})

        counter = meter.create_observable_counter
        counter("activitylog.events.emitted", [emitted], "{event}", "Events that went through the chain.")
        counter("activitylog.events.dropped", [dropped], "{event}", "Events that ended before that.")

    def _observe_destinations(self, meter: Meter) -> None:
        def lost(_: CallbackOptions) -> _Observations:
            for name, stats in self._now().total.destinations.items():
                for reason, events in _losses(stats).items():
                    yield Observation(events, {_DESTINATION: name, _ERROR: reason})

        counter, gauge = meter.create_observable_counter, meter.create_observable_up_down_counter
        counter("activitylog.events.lost", [lost], "{event}", "Events that a destination gave up.")
        for name, unit, about, reading in _COUNTERS:
            counter(f"activitylog.{name}", [self._reading(reading, total=True)], unit, about)
        for name, unit, about, reading in _LEVELS:
            gauge(f"activitylog.{name}", [self._reading(reading)], unit, about)
        meter.create_observable_gauge(
            "activitylog.spool.oldest.age", [self._reading(_age)], "s", "Age of the oldest unsent event, about."
        )

    def _reading(self, reading: _Reading, *, total: bool = False) -> Callable[[CallbackOptions], _Observations]:
        def read(_: CallbackOptions) -> _Observations:
            look = self._now()
            for name, stats in (look.total if total else look.stats).destinations.items():
                value = reading(stats)
                if value is not None:
                    yield Observation(value, {_DESTINATION: name})

        return read


class _Look(NamedTuple):
    """What the counts were at a moment (monotonic seconds), alone and with those of the past."""

    at: float
    stats: Stats
    total: Stats


def _total(past: Stats, now: Stats) -> Stats:
    """What is counted of both."""
    names = [*past.destinations, *(name for name in now.destinations if name not in past.destinations)]
    none = DestinationStats()
    return Stats(
        emitted=past.emitted + now.emitted,
        dropped=_sums(past.dropped, now.dropped),
        destinations={
            name: _total_of_one(past.destinations.get(name, none), now.destinations.get(name, none))
            for name in names
        },
    )


def _total_of_one(past: DestinationStats, now: DestinationStats) -> DestinationStats:
    return DestinationStats(
        delivered=past.delivered + now.delivered,
        recovered=past.recovered + now.recovered,
        retries=past.retries + now.retries,
        dropped=_sums(past.dropped, now.dropped),
        recovered_dropped=_sums(past.recovered_dropped, now.recovered_dropped),
    )


def _sums(*all_counts: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for counts in all_counts:
        for reason, events in counts.items():
            found[reason] = found.get(reason, 0) + events
    return found


def _losses(stats: DestinationStats) -> dict[str, int]:
    """By the codes of their reasons, those of dead processes' events included."""
    return _sums(
        *(
            {reason_code(reason): events}
            for counts in (stats.dropped, stats.recovered_dropped)
            for reason, events in counts.items()
        )
    )


def _age(stats: DestinationStats) -> float | None:
    if stats.oldest_unsent_ns is None:
        return None
    return max(0.0, (time.time_ns() - stats.oldest_unsent_ns) / 1e9)


_COUNTERS: Final[tuple[tuple[str, str, str, _Reading], ...]] = (
    ("events.delivered", "{event}", "Events that a destination has.", lambda s: s.delivered),
    ("events.recovered", "{event}", "Events of dead processes, delivered by this one.", lambda s: s.recovered),
    ("delivery.retries", "{attempt}", "Attempts without a definite answer.", lambda s: s.retries),
)
_LEVELS: Final[tuple[tuple[str, str, str, _Reading], ...]] = (
    ("queue.events", "{event}", "Events that wait in memory.", lambda s: s.in_queue),
    ("queue.size", "By", "Of events that wait in memory and are on disk, too.", lambda s: s.queue_bytes),
    ("spool.events", "{event}", "Unsent events on disk.", lambda s: s.spooled),
    ("spool.size", "By", "What the unsent events take on disk.", lambda s: s.spool_bytes),
)

_of_process: list[PipelineMetrics] = []


def process_metrics() -> PipelineMetrics:
    """The instruments of this process at the global provider, which knows each name once."""
    if not _of_process:
        _of_process.append(PipelineMetrics())
    return _of_process[0]
