"""What the checks look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from activitylog.collector.pipelines import (
    Component,
    Kind,
    Pipeline,
    Route,
    distinct,
    pipelines_of,
    routes_of,
    sources_of,
)
from activitylog.collector.value import Setting


class Role(StrEnum):
    """What a Collector is for."""

    AUTO = "auto"
    """Whatever its pipelines end in."""
    AGENT = "agent"
    """It hands events on to other Collectors."""
    GATEWAY = "gateway"
    """It writes them into ClickHouse, or into Kafka."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A configuration under examination."""

    configuration: Setting
    role: Role = Role.AUTO

    @cached_property
    def all_pipelines(self) -> tuple[Pipeline, ...]:
        """The logs pipelines."""
        return pipelines_of(self.configuration)

    @cached_property
    def sources(self) -> dict[str, tuple[Component, ...]]:
        """The pipelines that activity events come to, by name, with the receivers that they come from."""
        return sources_of(self.all_pipelines)

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The logs pipelines that activity events come to; all of them when that is none."""
        taking = tuple(pipeline for pipeline in self.all_pipelines if pipeline.id in self.sources)
        return taking or self.all_pipelines

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The ways of events through them."""
        return routes_of(self.pipelines)

    def used(self, kind: Kind, types: Iterable[str]) -> list[Component]:
        """The components of these types that a logs pipeline uses, each once."""
        wanted = frozenset(types)
        return [component for component in self._all(kind) if component.type in wanted]

    @cached_property
    def destinations(self) -> list[Component]:
        """The exporters that deliver to somebody, each once."""
        return distinct(component for pipeline in self.pipelines for component in pipeline.destinations)

    def _all(self, kind: Kind) -> list[Component]:
        return distinct(
            component
            for pipeline in self.pipelines
            for component in getattr(pipeline, kind)
            if not component.is_connector
        )
