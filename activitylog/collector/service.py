"""Whether there are logs pipelines, whether they begin and end somewhere, and whether anybody sees how they do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.examined import Examined, Role
from activitylog.collector.finding import Check, Problem, error, example
from activitylog.collector.pipelines import SOURCES, Pipeline, Reference
from activitylog.collector.value import NotJudged, Setting

_ENDS: Final = {
    Role.AGENT: frozenset({"otlp_grpc", "otlp_http", "load_balancing"}),
    Role.GATEWAY: frozenset({"clickhouse", "kafka"}),
}


def _whole(examined: Examined) -> list[Examined]:
    return [examined]


def judge_any(examined: Examined) -> Iterator[Problem]:
    """Nothing for logs at all."""
    if not examined.pipelines:
        yield error(
            examined.configuration.at("service", "pipelines"),
            "has no pipeline of the signal logs: events are refused, or not received",
            *example(
                ("service", "pipelines", "logs"),
                ("receivers: [otlp]", "processors: [memory_limiter]", "exporters: [clickhouse]"),
            ),
        )


ANY: Final = Check(
    "service.pipelines",
    "A pipeline for events",
    "Activity events are log records. A Collector without a logs pipeline refuses them for good.",
    _whole,
    judge_any,
    lambda examined: ", ".join(str(pipeline) for pipeline in examined.pipelines),
)


def _pipelines(examined: Examined) -> tuple[Pipeline, ...]:
    return examined.pipelines


@dataclass(frozen=True, slots=True)
class _Placed:
    """A pipeline among the others."""

    pipeline: Pipeline
    examined: Examined

    @property
    def is_needed(self) -> bool:
        """Whether events of one of its receivers are delivered by no other pipeline either."""
        sources = self.examined.sources.get(self.pipeline.id, ())
        delivered = {route.receiver.path for route in self.examined.routes}
        missing = [source.path for source in sources if source.path not in delivered]
        for other in self.examined.pipelines if missing else ():
            if any(source.path in missing for source in self.examined.sources.get(other.id, ())):
                other.require("exporters")
        return not sources or bool(missing)

    def __str__(self) -> str:
        return str(self.pipeline)


def _others(examined: Examined) -> list[_Placed]:
    others = (pipeline for pipeline in examined.all_pipelines if pipeline not in examined.pipelines)
    return [_Placed(pipeline, examined) for pipeline in others]


def judge_others(placed: _Placed) -> Iterator[Problem]:
    """Logs of something else."""
    if placed.pipeline.id not in placed.examined.sources:
        raise NotJudged(
            placed.pipeline.setting, "no otlp or kafka receiver leads to it, so no activity event does"
        )
    yield from ()


OTHERS: Final = Check(
    "service.others",
    "Pipelines of other logs",
    "What is not for activity events may lose or change what it likes.",
    _others,
    judge_others,
    str,
)


def judge_known(pipeline: Pipeline) -> Iterator[Problem]:
    """What it consists of depends on something that is not there."""
    for _, not_known in pipeline.unknown:
        raise not_known
    yield from ()


KNOWN: Final = Check(
    "service.components",
    "Components that are known",
    "What a pipeline consists of decides what is checked.",
    _pipelines,
    judge_known,
    str,
)


@dataclass(frozen=True, slots=True)
class _Names:
    examined: Examined
    references: tuple[Reference, ...]


def _names(examined: Examined) -> list[_Names]:
    return [_Names(examined, tuple(name for pipeline in examined.all_pipelines for name in pipeline.undefined))]


def judge_references(names: _Names) -> Iterator[Problem]:
    """Names that nothing has."""
    configuration = names.examined.configuration
    for reference in names.references:
        there = [key for key, _ in configuration.at(reference.kind).items()]
        yield _undefined(reference.setting, reference.id, reference.kind, there)
    extensions = [key.strip() for key, _ in configuration.at("extensions").items()]
    for setting, name in configuration.at("service", "extensions").texts():
        if name.strip() not in extensions:
            yield _undefined(setting, name, "extensions", extensions)


def _undefined(setting: Setting, name: str, section: str, there: list[str]) -> Problem:
    if setting.is_expanded:
        return error(
            setting,
            f"is what stands in ${{...}}, which {section} does not have",
            f"# Let it be one of {', '.join(there)}." if there else f"# Configure it in {section}.",
        )
    return error(
        setting,
        f"is {name}, which {section} does not have",
        *_near(name, there),
        *example((section, name), "{}"),
    )


def _near(name: str, there: list[str]) -> tuple[str, ...]:
    near = difflib.get_close_matches(name, there, n=1)
    return (f"# Did you mean {near[0]}?",) if near else ()


REFERENCES: Final = Check(
    "service.references",
    "Components that are configured",
    "A Collector does not start when a pipeline names what is not configured.",
    _names,
    judge_references,
    lambda names: ", ".join(str(pipeline) for pipeline in names.examined.pipelines) or "service",
)


def judge_receiver(pipeline: Pipeline) -> Iterator[Problem]:
    """No way in."""
    pipeline.require("receivers")
    if not _has_undefined(pipeline, "receivers") and not any(
        receiver.is_connector or receiver.type in SOURCES for receiver in pipeline.receivers
    ):
        yield error(
            pipeline.setting.at("receivers"),
            "has no receiver for activity events (otlp or kafka)",
            *example(("receivers", "otlp", "protocols", "grpc"), "{}"),
            *example((*pipeline.setting.path, "receivers"), "[otlp]"),
        )


RECEIVER: Final = Check(
    "service.receivers",
    "A way in",
    "Clients and agents send OTLP; nothing else brings the attributes that make a row.",
    _pipelines,
    judge_receiver,
    str,
)


def judge_exporter(placed: _Placed) -> Iterator[Problem]:
    """No way out."""
    pipeline = placed.pipeline
    pipeline.require("exporters")
    if _has_undefined(pipeline, "exporters"):
        return
    leads_on = pipeline.destinations or any(exporter.is_connector for exporter in pipeline.exporters)
    if not leads_on and (not pipeline.exporters or placed.is_needed):
        yield error(
            pipeline.setting.at("exporters"),
            "has no exporter that delivers: what comes in is acknowledged and thrown away"
            if pipeline.exporters
            else "has no exporter",
            *example((*pipeline.setting.path, "exporters"), "[clickhouse]"),
        )


EXPORTER: Final = Check(
    "service.exporters",
    "A way out",
    "Events that are acknowledged and go nowhere are lost.",
    lambda examined: [_Placed(pipeline, examined) for pipeline in examined.pipelines],
    judge_exporter,
    str,
)


def _has_undefined(pipeline: Pipeline, kind: str) -> bool:
    """Another check speaks of these."""
    return any(reference.kind == kind for reference in pipeline.undefined)


def _with_role(examined: Examined) -> list[Examined]:
    return [examined] if examined.role is not Role.AUTO else []


def judge_role(examined: Examined) -> Iterator[Problem]:
    """A Collector that is not what it is said to be."""
    ends = _ENDS[examined.role]
    for pipeline in examined.pipelines:
        for exporter in pipeline.destinations:
            if exporter.type not in ends and any(exporter.type in others for others in _ENDS.values()):
                yield error(
                    exporter.named,
                    f"is {exporter.id}, in which no pipeline of an {examined.role} ends"
                    if examined.role is Role.AGENT
                    else f"is {exporter.id}, in which no pipeline of a {examined.role} ends",
                    f"# It ends in {', '.join(sorted(ends))}. Leave out --role, or say another one.",
                )


ROLE: Final = Check(
    "service.role",
    "Role",
    "A file that is deployed in the wrong place sends events where nobody expects them.",
    _with_role,
    judge_role,
    lambda examined: str(examined.role),
)


def _metrics(examined: Examined) -> list[Setting]:
    return [examined.configuration.at("service", "telemetry", "metrics")]


def judge_level(metrics: Setting) -> Iterator[Problem]:
    """No metrics at all."""
    setting = metrics.at("level")
    if setting.is_known and setting.kind == "a number":
        return
    if setting.text("normal").lower() == "none":
        yield error(setting, "is none: losses are invisible", *example(setting.path, "normal"))


LEVEL: Final = Check(
    "telemetry.level",
    "Metrics of the Collector",
    "What a Collector refuses, drops or fails to send is in its metrics, and in no counter of ours.",
    _metrics,
    judge_level,
    lambda metrics: metrics.name,
)


def judge_readers(metrics: Setting) -> Iterator[Problem]:
    """Metrics that nobody reads."""
    do = example(
        (*metrics.path, "readers"),
        ("- pull:", "    exporter:", "      prometheus: {host: 127.0.0.1, port: 8888}"),
    )
    address, readers = metrics.at("address"), metrics.at("readers")
    if address.is_set:
        yield error(address, "was replaced by readers: the Collector does not start with it", *do)
    if not readers.elements() and readers.kind == "a list":
        yield error(readers, "is empty: nobody sees the metrics, and the Collector does not start", *do)


READERS: Final = Check(
    "telemetry.readers",
    "Readers of the metrics",
    "Without a reader nothing says that events are refused or dropped. By default Prometheus finds them on "
    "localhost:8888.",
    _metrics,
    judge_readers,
    lambda metrics: metrics.name,
)

CHECKS: Final = (ANY, OTHERS, KNOWN, REFERENCES, RECEIVER, EXPORTER, ROLE, LEVEL, READERS)
