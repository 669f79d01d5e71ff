"""One run of the records through the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import activitylog
from activitylog import config
from activitylog.admission import Admission
from activitylog.assembly import build_pipeline
from activitylog.pipeline import Pipeline
from activitylog.sampling.randomness import generator
from activitylog.settings import load_settings
from tests.benchmarks.sampling.plans import Plan
from tests.benchmarks.sampling.records import Event

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: As often as the pipeline's ticker looks.
_TICK_NS: Final = 500_000_000
_TABLES: Final = (
    "activity_events",
    "activity_events_hourly",
    "activity_events_actor_daily",
    "activity_counters",
)


class RecordsClock:
    """
    Follows the times of records.

    Args:
        first_ns: time of the first one.
        speed: how much faster this clock runs than they do.
    """

    def __init__(self, first_ns: int, speed: float) -> None:
        self._first_ns = first_ns
        self._speed = speed
        self.now_ns = first_ns

    def follow(self, time_ns: int) -> None:
        """An event of this time is next."""
        self.now_ns = self._first_ns + int((time_ns - self._first_ns) / self._speed)

    def __call__(self) -> int:
        return self.now_ns


def clear(client: Client) -> None:
    """An empty store."""
    for table in _TABLES:
        client.command(f"TRUNCATE TABLE IF EXISTS {table}")


def send(url: str, events: Sequence[Event], plan: Plan, *, draw: int) -> None:
    """
    Send events under the rules of a plan.

    Args:
        url: of an embedded store.
        events: in the order of their times.
        draw: another number, another key and other chances.

    Raises:
        AssertionError: something was lost that no rule dropped.
    """
    generator.seed(f"draw {draw} of {plan.name}")
    key = f"the key of draw {draw:08d}"
    given = {"url": url, "service_name": "study", "overflow": "block", "rules": plan.rules or None}
    pipeline = build_pipeline(load_settings({**given, "sampling_key": key}, environ={}))
    clock = RecordsClock(events[0]["timestamp"], plan.speed)
    admission = _with_clock(pipeline, clock, key) if plan.rules else None
    previous = config.swap(pipeline)
    try:
        _emit_all(events, clock, admission)
    finally:
        config.swap(previous)
        pipeline.shutdown(60)
    stats = pipeline.stats()
    assert not pipeline.losses(), pipeline.losses()
    assert set(stats.dropped) <= {"sample", "budget"}, stats.dropped
    assert stats.emitted + sum(stats.dropped.values()) == len(events)


def _with_clock(pipeline: Pipeline, clock: RecordsClock, key: str) -> Admission:
    """The pipeline's rules by another clock; no thread ticks, the clock's steps do."""
    rules = pipeline.settings.rules
    admission = Admission(rules, pipeline._outlet, key=key.encode(), clock=clock)
    admission._ticker.started = True
    pipeline._admission = admission
    return admission


def _emit_all(events: Sequence[Event], clock: RecordsClock, admission: Admission | None) -> None:
    tick_at = 0
    for event in events:
        clock.follow(event["timestamp"])
        if admission is not None and clock.now_ns >= tick_at:
            admission.tick()
            tick_at = clock.now_ns - clock.now_ns % _TICK_NS + _TICK_NS
        values = dict(event)
        activitylog.emit(values.pop("event"), **values)
    clock.now_ns += 10_000_000_000
    if admission is not None:
        admission.tick()
