"""
Which components the logs pipelines use, in which order, and on which ways events go through them.

What is configured and in no logs pipeline is not used; pipelines of other signals are not looked at. A connector
ends one pipeline and begins another one, so a way may lead through several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from activitylog.collector.value import NotKnown, Setting

Kind = Literal["receivers", "processors", "exporters"]
KINDS: Final[tuple[Kind, ...]] = ("receivers", "processors", "exporters")

#: Names of types that are going away, by kind, and the new ones (``deprecated_type`` in each metadata.yaml).
RENAMED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "exporters": MappingProxyType(
            {"otlp": "otlp_grpc", "otlphttp": "otlp_http", "loadbalancing": "load_balancing"}
        )
    }
)
#: Both names of the processor; the one here is that of the checks.
_SAME: Final = MappingProxyType({"logdedup": "log_dedup"})
#: Exporters that deliver to nobody.
NO_DESTINATIONS: Final = frozenset({"debug", "logging", "nop"})
#: A configuration has a handful of ways; more than this only an invented one.
_MOST_STEPS: Final = 2000

_SIGNAL: Final = re.compile(r"\s*logs\s*(?:/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Component:
    """
    A component that is used.

    Attributes:
        section: where it is configured: that of its kind, or ``connectors``.
        id: ``type`` or ``type/name``.
        setting: its configuration.
        named: where a pipeline names it.
    """

    section: str
    id: str
    setting: Setting
    named: Setting

    @property
    def written_type(self) -> str:
        """The type as it is written, which may be an old name."""
        return self.id.split("/")[0].strip()

    @property
    def type(self) -> str:
        """The type by its present name."""
        written = self.written_type
        return RENAMED.get(self.section, {}).get(written, _SAME.get(written, written))

    @property
    def is_connector(self) -> bool:
        """Whether it joins two pipelines."""
        return self.section == "connectors"

    @property
    def path(self) -> tuple[str, str]:
        """``("exporters", "clickhouse")``."""
        return (self.section, self.id)

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a pipeline that nothing has."""

    setting: Setting
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """
    A logs pipeline.

    Attributes:
        undefined: names that no component has.
        unknown: what it consists of is not known here in full: of which kind, and why.
    """

    id: str
    setting: Setting
    receivers: tuple[Component, ...]
    processors: tuple[Component, ...]
    exporters: tuple[Component, ...]
    undefined: tuple[Reference, ...] = ()
    unknown: tuple[tuple[Kind, NotKnown], ...] = ()

    def __str__(self) -> str:
        return self.setting.name

    def require(self, kind: Kind) -> None:
        """
        See that all components of a kind are known, for checks to which it matters that one is not there.

        Raises:
            NotKnown: they are not.
        """
        for unknown, not_known in self.unknown:
            if unknown == kind:
                raise not_known

    @property
    def destinations(self) -> tuple[Component, ...]:
        """Exporters that deliver to somebody."""
        return tuple(
            component
            for component in self.exporters
            if not component.is_connector and component.type not in NO_DESTINATIONS
        )


@dataclass(frozen=True, slots=True)
class Route:
    """A way of events: a receiver, processors in order, an exporter."""

    receiver: Component
    processors: tuple[Component, ...]
    exporter: Component
    pipelines: tuple[Pipeline, ...]

    def require_processors(self) -> None:
        """
        See that all processors on the way are known.

        Raises:
            NotKnown: they are not.
        """
        for pipeline in self.pipelines:
            pipeline.require("processors")

    def after(self, component: Component) -> tuple[Component, ...]:
        """The processors behind this one."""
        ids = [processor.id for processor in self.processors]
        return self.processors[ids.index(component.id) + 1 :] if component.id in ids else ()


def pipelines_of(configuration: Setting) -> tuple[Pipeline, ...]:
    """
    The logs pipelines, in the order of the file.

    Raises:
        NotKnown: which pipelines there are depends on something that is not there.
        WrongValueError: the sections are not what a Collector's are.
    """
    pipelines = configuration.at("service", "pipelines").items()
    return tuple(_pipeline(configuration, name, setting) for name, setting in pipelines if _SIGNAL.fullmatch(name))


def _pipeline(configuration: Setting, name: str, setting: Setting) -> Pipeline:
    components: dict[Kind, list[Component]] = {kind: [] for kind in KINDS}
    undefined: list[Reference] = []
    unknown: list[tuple[Kind, NotKnown]] = []
    for kind in KINDS:
        for named, given in _ids(setting.at(kind), kind, unknown):
            try:
                component = _component(configuration, kind, given, named)
            except NotKnown as not_known:
                unknown.append((kind, not_known))
                continue
            if component is None:
                undefined.append(Reference(named, kind, given))
            else:
                components[kind].append(component)
    return Pipeline(
        name,
        setting,
        tuple(components["receivers"]),
        tuple(components["processors"]),
        tuple(components["exporters"]),
        tuple(undefined),
        tuple(unknown),
    )


def _ids(listed: Setting, kind: Kind, unknown: list[tuple[Kind, NotKnown]]) -> Iterator[tuple[Setting, str]]:
    try:
        elements = listed.elements()
    except NotKnown as not_known:
        unknown.append((kind, not_known))
        return
    for element in elements:
        try:
            yield element, element.text().strip()
        except NotKnown as not_known:
            unknown.append((kind, not_known))


def _component(configuration: Setting, kind: Kind, given: str, named: Setting) -> Component | None:
    """What a pipeline means by a name: a component of the kind, or a connector."""
    sections = [str(kind)] if kind == "processors" else [kind, "connectors"]
    for section in sections:
        for key, setting in configuration.at(section).items():
            if key.strip() == given:
                return Component(section, given, setting, named)
    return None


def distinct(components: Iterable[Component]) -> list[Component]:
    """Each component once, however many pipelines use it."""
    return list({component.path: component for component in components}.values())


#: Receivers that take activity events: from clients and other Collectors, or from Kafka.
SOURCES: Final = frozenset({"otlp", "kafka"})


def sources_of(pipelines: Iterable[Pipeline]) -> dict[str, tuple[Component, ...]]:
    """
    The pipelines that activity events come to, by name, with the receivers that they come from.

    One that cannot be known to take none is among them, with no receiver.
    """
    known = tuple(pipelines)
    found: dict[str, dict[tuple[str, str], Component]] = {
        pipeline.id: {}
        for pipeline in known
        if any(kind == "receivers" for kind, _ in pipeline.unknown)
        or any(reference.kind == "receivers" for reference in pipeline.undefined)
    }
    for pipeline in known:
        sources = {one.path: one for one in pipeline.receivers if one.type in SOURCES and not one.is_connector}
        if sources:
            found.setdefault(pipeline.id, {}).update(sources)
    waiting = [pipeline for pipeline in known if pipeline.id in found]
    while waiting:
        pipeline = waiting.pop()
        for behind in _behind(pipeline, known):
            before = found.get(behind.id)
            after = {**(before or {}), **found[pipeline.id]}
            if before is None or len(after) > len(before):
                found[behind.id] = after
                waiting.append(behind)
    return {name: tuple(sources.values()) for name, sources in found.items()}


def _behind(pipeline: Pipeline, others: Iterable[Pipeline]) -> Iterator[Pipeline]:
    """The pipelines that go on where this one ends; all that a connector begins where its end is not known."""
    unknown = any(kind == "exporters" for kind, _ in pipeline.unknown)
    ends = {exporter.id for exporter in pipeline.exporters if exporter.is_connector}
    for other in others:
        if any(begin.is_connector and (unknown or begin.id in ends) for begin in other.receivers):
            yield other


def routes_of(pipelines: Iterable[Pipeline]) -> tuple[Route, ...]:
    """All ways from a receiver to an exporter that delivers."""
    walk = _Walk(tuple(pipelines), [])
    for pipeline in walk.pipelines:
        for receiver in pipeline.receivers:
            if not receiver.is_connector:
                walk.follow(receiver, (), (pipeline,))
    return tuple(walk.routes)


@dataclass(slots=True)
class _Walk:
    pipelines: tuple[Pipeline, ...]
    routes: list[Route]
    steps: int = 0

    def follow(self, receiver: Component, before: tuple[Component, ...], way: tuple[Pipeline, ...]) -> None:
        processors = before + way[-1].processors
        for exporter in way[-1].exporters:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                return
            if exporter.is_connector:
                for pipeline in self._behind(exporter):
                    if pipeline not in way:
                        self.follow(receiver, processors, (*way, pipeline))
            elif exporter.type not in NO_DESTINATIONS:
                self.routes.append(Route(receiver, processors, exporter, way))

    def _behind(self, connector: Component) -> Iterator[Pipeline]:
        for pipeline in self.pipelines:
            if any(begin.is_connector and begin.id == connector.id for begin in pipeline.receivers):
                yield pipeline
