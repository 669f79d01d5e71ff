"""Events that go two ways at once: what fails on one of them comes again on all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, example, warning
from activitylog.collector.pipelines import Component, Pipeline


def judge_exporters(pipeline: Pipeline) -> Iterator[Problem]:
    """Several exporters behind one acknowledgement."""
    pipeline.require("exporters")
    exporters = list(dict.fromkeys(exporter.id for exporter in pipeline.destinations))
    if len(exporters) > 1:
        yield warning(
            pipeline.setting.at("exporters"),
            f"has {' and '.join(exporters)}: an error of one is answered as an error of all",
            "# Let a second Collector take the second copy, or let the clients send to both themselves:",
            '#   activitylog.configure(["otlp://gateway:4317", "otlp://other:4317"])',
            *example((*pipeline.setting.path, "exporters"), f"[{exporters[0]}]"),
        )


EXPORTERS: Final = Check(
    "routes.exporters",
    "One exporter in a pipeline",
    "The sender repeats what was refused, and those that had taken it have the rows twice.",
    lambda examined: examined.pipelines,
    judge_exporters,
    str,
)


@dataclass(frozen=True, slots=True)
class _Shared:
    """A receiver, and all pipelines that it feeds."""

    receiver: Component
    pipelines: tuple[Pipeline, ...]
    tables: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.receiver)


def _receivers(examined: Examined) -> list[_Shared]:
    shared = []
    for receiver in {one.path: one for pipeline in examined.pipelines for one in pipeline.receivers}.values():
        if receiver.is_connector:
            continue
        fed = tuple(
            pipeline
            for pipeline in examined.pipelines
            if receiver.path in [one.path for one in pipeline.receivers]
        )
        tables = [
            exporter.setting.at("logs_table_name").text("otel_logs")
            for pipeline in fed
            for exporter in pipeline.destinations
            if exporter.type == "clickhouse"
        ]
        shared.append(_Shared(receiver, fed, tuple(tables)))
    return shared


def judge_receiver(shared: _Shared) -> Iterator[Problem]:
    """Several pipelines behind one acknowledgement."""
    names = [str(pipeline) for pipeline in shared.pipelines]
    if len(names) < 2:
        return
    twice = len(shared.tables) > len(set(shared.tables))
    found = (
        "to the same table: each event is stored once for each, unless filters keep them apart"
        if twice
        else "and an error of one is answered as an error of all"
    )
    yield warning(
        shared.receiver.setting,
        f"feeds {' and '.join(names)}, {found}",
        "# Let it feed one of them:",
        *example((*shared.pipelines[-1].setting.path, "receivers"), "[otlp/other]"),
    )


RECEIVERS: Final = Check(
    "routes.receivers",
    "One pipeline for a receiver",
    "The sender repeats what was refused, and the pipelines that had taken it have the events twice.",
    _receivers,
    judge_receiver,
    str,
)

CHECKS: Final = (EXPORTERS, RECEIVERS)
