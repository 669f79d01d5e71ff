"""Events that go two ways at once: what fails on one of them comes again on all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.addresses import endpoint_of
from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, example, warning
from activitylog.collector.pipelines import Component, Pipeline, Route

#: Connectors that hand each event on to one of the pipelines behind them.
_CHOOSING: Final = frozenset({"routing", "failover", "round_robin", "roundrobin"})
#: More ways to one table than this only an invented configuration has.
_MOST_WAYS: Final = 200


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
    """
    A receiver, and where its events go.

    Attributes:
        pipelines: those that begin with it and lead somewhere.
        twice: two ways to the same table, when there are such.
    """

    receiver: Component
    pipelines: tuple[Pipeline, ...]
    twice: tuple[Route, Route] | None

    def __str__(self) -> str:
        return str(self.receiver)


def _receivers(examined: Examined) -> list[_Shared]:
    shared = []
    for receiver in {one.path: one for pipeline in examined.pipelines for one in pipeline.receivers}.values():
        if receiver.is_connector:
            continue
        ways = [route for route in examined.routes if route.receiver.path == receiver.path]
        leading = {way.pipelines[0].id for way in ways}
        fed = tuple(
            pipeline
            for pipeline in examined.pipelines
            if receiver.path in [one.path for one in pipeline.receivers]
            and (pipeline.id in leading or any(kind == "exporters" for kind, _ in pipeline.unknown))
        )
        shared.append(_Shared(receiver, fed, _twice(ways)))
    return shared


def _twice(ways: list[Route]) -> tuple[Route, Route] | None:
    """Two ways on which the same event comes to the same table."""
    to_tables: dict[tuple[str, ...], list[Route]] = {}
    for way in ways:
        if way.exporter.type == "clickhouse":
            to_tables.setdefault(_table(way.exporter), []).append(way)
    for routes in to_tables.values():
        for second in routes[1:_MOST_WAYS]:
            first = routes[0]
            if not _are_apart(first, second):
                return first, second
    return None


def _table(exporter: Component) -> tuple[str, ...]:
    """The one that it writes to: server, database and name."""
    setting = exporter.setting
    endpoint = endpoint_of(setting.at("endpoint").text())
    own = setting.at("database").text("default")
    # The exporter's own database stands over that of the endpoint, unless it is the default one.
    database = own if own not in ("", "default") else endpoint.database or "default"
    return endpoint.authority.lower(), database, setting.at("logs_table_name").text("otel_logs")


def _are_apart(first: Route, second: Route) -> bool:
    """Whether an event goes only one of two ways: where they part is a connector that chooses."""
    pairs = list(zip(first.pipelines, second.pipelines, strict=False))
    same = next((place for place, (one, other) in enumerate(pairs) if one.id != other.id), len(pairs))
    if same == 0 or same == len(pairs):
        return False
    begins = [{one.id for one in way.pipelines[same].receivers if one.is_connector} for way in (first, second)]
    joints = [
        exporter
        for exporter in first.pipelines[same - 1].exporters
        if exporter.is_connector and all(exporter.id in ids for ids in begins)
    ]
    return any(joint.type in _CHOOSING for joint in joints)


def judge_receiver(shared: _Shared) -> Iterator[Problem]:
    """Several ways behind one acknowledgement."""
    if len(shared.pipelines) > 1:
        pipelines, twice = list(shared.pipelines), shared.twice is not None
    elif shared.twice is not None and shared.twice[0].pipelines[-1].id != shared.twice[1].pipelines[-1].id:
        pipelines, twice = [way.pipelines[-1] for way in shared.twice], True
    else:
        return
    found = (
        "to the same table: each event is stored once for each, unless filters keep them apart"
        if twice
        else "and an error of one is answered as an error of all"
    )
    yield warning(
        shared.receiver.setting,
        f"feeds {' and '.join(map(str, pipelines))}, {found}",
        "# Let it feed one of them:",
        *example((*pipelines[-1].setting.path, "receivers"), "[otlp/other]"),
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
