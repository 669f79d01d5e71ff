"""OpenTelemetry's metrics say what the counts say: the real pipeline, the SDK's reader, real faults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from activitylog.metrics import EMITS_PER_SAMPLE, PipelineMetrics
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings, load_settings
from activitylog.spooling import SpooledDestination
from activitylog.stats import DestinationStats, Stats
from tests.exporters_for_tests import ScriptedExporter
from tests.otel_spool.spools import Backend
from tests.waiting import wait_until

Point = tuple[str, str, str]


def points(reader: InMemoryMetricReader) -> dict[Point, float]:
    """Name, destination and reason -> value; of a histogram the count."""
    found: dict[Point, float] = {}
    data: Any = reader.get_metrics_data()
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            kind = point.attributes.get("error.type", point.attributes.get("activitylog.outcome", ""))
            key = metric.name, point.attributes.get("activitylog.destination", ""), kind
            found[key] = point.count if hasattr(point, "count") else point.value
    return found


class Metered:
    """A pipeline, and what the reader collects of it."""

    def __init__(self, tmp_path: Path, backend: Any, **settings: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])
        metrics = PipelineMetrics(self.provider)
        self.settings = Settings(schedule_delay_millis=10, metrics=True, **settings)
        observe = metrics.of_attempts("there:")
        self.destination = SpooledDestination(
            lambda: backend, "there:", tmp_path / "s", "process", self.settings, observe=observe
        )
        self.pipeline = Pipeline(self.settings, destinations=[self.destination], metrics=metrics)
        self.pipeline.begin_metrics()

    def collect(self) -> dict[Point, float]:
        """Name, destination and reason -> value; of a histogram the count."""
        return points(self.reader)

    def units(self) -> dict[str, str]:
        data: Any = self.reader.get_metrics_data()
        return {metric.name: metric.unit for metric in data.resource_metrics[0].scope_metrics[0].metrics}


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def metered(tmp_path: Path, backend: Backend) -> Iterator[Metered]:
    made = Metered(tmp_path, backend)
    yield made
    made.pipeline.shutdown(0.5)
    made.provider.shutdown()


def test_delivered_events_are_delivered(metered: Metered) -> None:
    """Emitted, delivered, how long the attempt took; nothing waits."""
    for _ in range(3):
        metered.pipeline.submit("info", "a.b", {})
    assert metered.pipeline.flush(10).complete
    found = metered.collect()
    assert found["activitylog.events.emitted", "", ""] == 3
    assert found["activitylog.events.delivered", "there:", ""] == 3
    assert found["activitylog.delivery.duration", "there:", "delivered"] >= 1
    assert found["activitylog.spool.events", "there:", ""] == 0
    assert found["activitylog.queue.events", "there:", ""] == 0
    assert ("activitylog.spool.oldest.age", "there:", "") not in found


def test_an_outage_is_seen_as_it_is(metered: Metered, backend: Backend) -> None:
    """Retries, what waits in memory and on disk, in events and bytes, and how long."""
    backend.is_open = False
    for _ in range(5):
        metered.pipeline.submit("info", "a.b", {"text": "x" * 1000})
    wait_until(lambda: metered.pipeline.stats().destinations["there:"].retries >= 2)
    found = metered.collect()
    assert found["activitylog.delivery.retries", "there:", ""] >= 2
    assert found["activitylog.delivery.duration", "there:", "retry"] >= 2
    assert found["activitylog.spool.events", "there:", ""] == 5
    assert found["activitylog.spool.size", "there:", ""] > 5_000
    assert found["activitylog.queue.events", "there:", ""] == 5
    assert found["activitylog.queue.size", "there:", ""] > 5_000
    assert 0 <= found["activitylog.spool.oldest.age", "there:", ""] < 600


def test_losses_have_their_reasons(metered: Metered, backend: Backend) -> None:
    """Of the destination and of the pipeline, each under its own name."""
    backend.refuses = frozenset({"poison"})
    metered.pipeline.submit("info", "a.b", {"message": "poison"})
    metered.pipeline.submit("info", "a.b", {"message": "fine"})
    metered.pipeline.fail(ValueError("no event"), "a.b")
    metered.destination.flush_within(10)
    found = metered.collect()
    assert found["activitylog.events.lost", "there:", "permanent"] == 1
    assert found["activitylog.events.dropped", "", "error"] == 1


def test_numbers_of_one_collection_add_up(metered: Metered, backend: Backend) -> None:
    """Emitted is delivered, on disk or lost, in the midst of it, too."""
    backend.refuses = frozenset({"poison"})
    for number in range(200):
        metered.pipeline.submit("info", "a.b", {"message": "poison" if number % 50 == 0 else "fine"})
    found = metered.collect()
    lost = sum(value for (name, _, _), value in found.items() if name == "activitylog.events.lost")
    waiting = found["activitylog.spool.events", "there:", ""]
    assert found["activitylog.events.delivered", "there:", ""] + waiting + lost == 200


def test_one_collection_looks_at_the_counts_once() -> None:
    """So that its numbers are of one moment, and cost one look."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    looks = []

    def stats() -> Stats:
        looks.append(1)
        return Stats(emitted=7)

    PipelineMetrics(provider).follow(stats)
    reader.get_metrics_data()
    assert len(looks) == 1
    provider.shutdown()


def test_counts_go_on_and_levels_begin_anew() -> None:
    """Over pipelines: what one lost at its end stays counted, what waited in it no longer waits."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    metrics = PipelineMetrics(provider)
    before = {"a:": DestinationStats(delivered=3, dropped={"shutdown": 2}, in_queue=4)}
    after = {
        "a:": DestinationStats(delivered=1, dropped={"shutdown": 1}, recovered_dropped={"expired": 1}),
        "b:": DestinationStats(retries=7),
    }
    metrics.follow(lambda: Stats(emitted=5, dropped={"error": 1}, destinations=before))
    metrics.follow(lambda: Stats(emitted=2, dropped={"sample": 1}, destinations=after))
    found = points(reader)
    assert found["activitylog.events.emitted", "", ""] == 7
    assert found["activitylog.events.dropped", "", "error"] == 1
    assert found["activitylog.events.dropped", "", "sample"] == 1
    assert found["activitylog.events.delivered", "a:", ""] == 4
    assert found["activitylog.events.lost", "a:", "shutdown"] == 3
    assert found["activitylog.events.lost", "a:", "expired"] == 1
    assert found["activitylog.delivery.retries", "b:", ""] == 7
    assert found["activitylog.queue.events", "a:", ""] == 0
    metrics.reset_after_fork()
    assert points(reader)["activitylog.events.emitted", "", ""] == 2
    provider.shutdown()


def test_one_emit_in_a_thousand_is_timed(metered: Metered) -> None:
    """The one behind the first, and so on; all of them are emitted."""
    for _ in range(2 * EMITS_PER_SAMPLE + 10):
        metered.pipeline.submit("info", "a.b", {})
    assert metered.collect()["activitylog.emit.duration", "", ""] == 3
    assert metered.pipeline.stats().emitted == 2 * EMITS_PER_SAMPLE + 10
    assert "submit" not in vars(metered.pipeline)


def test_units_are_those_of_the_conventions(metered: Metered, backend: Backend) -> None:
    """``s``, ``By``, and what is counted in braces."""
    backend.refuses = frozenset({"poison"})
    metered.pipeline.submit("info", "a.b", {"message": "poison"})
    metered.pipeline.submit("info", "a.b", {})
    metered.pipeline.fail(ValueError("no event"), "a.b")
    metered.destination.flush_within(10)
    backend.is_open = False
    metered.pipeline.submit("info", "a.b", {})
    assert metered.units() == {
        "activitylog.events.emitted": "{event}",
        "activitylog.events.dropped": "{event}",
        "activitylog.events.delivered": "{event}",
        "activitylog.events.recovered": "{event}",
        "activitylog.events.lost": "{event}",
        "activitylog.delivery.retries": "{attempt}",
        "activitylog.delivery.duration": "s",
        "activitylog.queue.events": "{event}",
        "activitylog.queue.size": "By",
        "activitylog.spool.events": "{event}",
        "activitylog.spool.size": "By",
        "activitylog.spool.oldest.age": "s",
        "activitylog.emit.duration": "s",
    }


def test_a_destination_without_spool_is_measured_too(tmp_path: Path) -> None:
    """Its exports have a duration and an outcome."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    metrics = PipelineMetrics(provider)
    exporter = ScriptedExporter(LogRecordExportResult.FAILURE)
    settings = Settings(metrics=True)
    destination = BoundedProcessor(lambda: exporter, "there:", settings, metrics.of_attempts("there:"))
    pipeline = Pipeline(settings, destinations=[destination], metrics=metrics)
    pipeline.submit("info", "a.b", {})
    destination.flush_within(10)
    data: Any = reader.get_metrics_data()
    points = {
        metric.name: [(dict(point.attributes), getattr(point, "count", None)) for point in metric.data.data_points]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    assert points["activitylog.delivery.duration"] == [
        ({"activitylog.destination": "there:", "activitylog.outcome": "failed"}, 1)
    ]
    pipeline.shutdown(5)
    provider.shutdown()


def test_they_are_off_unless_asked_for() -> None:
    """As the SDK's own metrics, by the same variable."""
    assert load_settings(environ={}).metrics is False
    assert load_settings(environ={"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}).metrics is True
    assert load_settings(environ={"ACTIVITYLOG_METRICS": "1"}).metrics is True
    asked = {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true", "ACTIVITYLOG_METRICS": "0"}
    assert load_settings(environ=asked).metrics is False


_CONFIGURED_TWICE = """
import activitylog
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
activitylog.configure("memory:", metrics=True)
activitylog.emit("a.b")
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
activitylog.emit("a.b")
def emitted():
    found = [m for m in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
             if m.name == "activitylog.events.emitted"]
    return [[point.value for point in metric.data.data_points] for metric in found]
print(emitted())
activitylog.configure("memory:", metrics=True)
activitylog.emit("a.b")
print(emitted())
"""


@pytest.mark.slow
def test_a_provider_that_is_set_later_and_a_second_configure() -> None:
    """One instrument of each name, without a warning; it goes on from where the pipeline before ended."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _CONFIGURED_TWICE],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[[2]]\n[[3]]\n", "")
