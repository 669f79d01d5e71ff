"""A provider of the application, through which others emit, too: each record goes where it belongs, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import activitylog
from activitylog import config
from activitylog.exceptions import ConfigurationError
from activitylog.metrics import PipelineMetrics
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings
from tests.activitylog.test_metrics import points


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config, "_state", config._State())
    yield
    activitylog.shutdown()


class Application:
    """A provider, pipelines through it, and what came to the destination of each."""

    def __init__(self) -> None:
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.arrived: list[InMemoryLogRecordExporter] = []
        self.pipelines: list[Pipeline] = []

    def pipeline(self, **settings: Any) -> Pipeline:
        exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.arrived.append(exporter)
        made = Settings(schedule_delay_millis=5, counters=False, **settings)
        destination = BoundedProcessor(lambda: exporter, f"number {len(self.arrived)}:", made)
        self.pipelines.append(Pipeline(made, destinations=[destination], logger_provider=self.provider))
        return self.pipelines[-1]

    def emit_as_another(self, name: str) -> None:
        self.provider.get_logger("app").emit(event_name=name)

    def names(self) -> list[list[str | None]]:
        """By destination, in their order; each has been given no more than that."""
        given = [counts for one in self.pipelines for counts in one.stats().destinations.values()]
        assert [counts.accepted for counts in given] == [counts.delivered for counts in given]
        return [[data.log_record.event_name for data in one.get_finished_logs()] for one in self.arrived]


def test_configured_again() -> None:
    """What is emitted then goes to the destination in force, and to it alone; whoever emits it."""
    application = Application()
    config.install(application.pipeline())
    activitylog.emit("a.first")
    application.emit_as_another("b.first")
    config.install(application.pipeline())
    activitylog.emit("a.second")
    application.emit_as_another("b.second")
    assert activitylog.shutdown().complete
    assert application.names() == [["a.first", "b.first"], ["a.second", "b.second"]]


def test_what_waits_belongs_to_the_pipeline_in_which_it_waits() -> None:
    """A roll-up that is cut off by another ``configure`` is of the destination before."""
    application = Application()
    rules = [{"match": "a.*", "rollup": "1h"}]
    config.install(application.pipeline(rules=rules))
    activitylog.emit("a.b")
    config.install(application.pipeline())
    activitylog.shutdown()
    assert application.names() == [["a.b"], []]


def test_a_pipeline_that_is_not_put_in_place() -> None:
    """As of a configuration that fails: nothing goes there."""
    application = Application()
    config.install(application.pipeline())
    application.pipeline()
    activitylog.emit("a.b")
    application.emit_as_another("b.c")
    activitylog.shutdown()
    assert application.names() == [["a.b", "b.c"], []]


def test_another_provider() -> None:
    """The one before has nothing of us in force any more, and goes on for others."""
    application, other = Application(), Application()
    seen = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    application.provider.add_log_record_processor(SimpleLogRecordProcessor(seen))
    config.install(application.pipeline())
    config.install(other.pipeline())
    activitylog.emit("a.b")
    application.emit_as_another("b.c")
    activitylog.shutdown()
    assert (application.names(), other.names()) == ([[]], [["a.b"]])
    assert [data.log_record.event_name for data in seen.get_finished_logs()] == ["b.c"]


def test_it_is_flushed_and_shut_down_with_the_provider() -> None:
    """As any processor of it; what comes later is refused, and counted."""
    application = Application()
    config.install(application.pipeline())
    activitylog.emit("a.b")
    assert application.provider.force_flush()
    assert application.names() == [["a.b"]]
    application.provider.shutdown()
    config.install(None)


def test_a_provider_that_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """By OpenTelemetry's variable: nothing is called emitted."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    activitylog.configure("memory:", logger_provider=LoggerProvider(shutdown_on_exit=False))
    assert not activitylog.emit("a.b")
    assert (activitylog.stats().emitted, dict(activitylog.stats().dropped)) == (0, {"disabled": 1})


def test_what_is_no_provider() -> None:
    """It is said at once."""
    with pytest.raises(ConfigurationError, match="logger_provider is a dict"):
        activitylog.configure(logger_provider={})  # type: ignore[arg-type]


def test_metrics_after_a_configuration_that_failed(tmp_path: Path) -> None:
    """They are of the pipeline in force."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    metrics = PipelineMetrics(provider)
    config.install(Pipeline(Settings(metrics=True), logger_provider=LoggerProvider(), metrics=metrics))
    activitylog.emit("a.b")
    bad = tmp_path / "rules.toml"
    bad.write_text("nonsense")
    with pytest.raises(ConfigurationError):
        Pipeline(Settings(metrics=True, rules_file=bad), logger_provider=LoggerProvider(), metrics=metrics)
    activitylog.emit("a.b")
    assert points(reader)["activitylog.events.emitted", "", ""] == 2
    provider.shutdown()
