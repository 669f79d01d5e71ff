"""Names that are going away, or are gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, warning
from activitylog.collector.pipelines import KINDS, RENAMED, Component, distinct

#: Gone since v0.111; what took their place.
_REPLACED: Final = {("exporters", "logging"): "debug"}


def _components(examined: Examined) -> list[Component]:
    """Those that have an old name."""
    used = distinct(
        component for kind in KINDS for pipeline in examined.pipelines for component in getattr(pipeline, kind)
    )
    return [component for component in used if _new_type(component)]


def _new_type(component: Component) -> str | None:
    return RENAMED.get(component.section, {}).get(component.written_type) or _REPLACED.get(
        (component.section, component.written_type)
    )


def judge_type(component: Component) -> Iterator[Problem]:
    """An old name."""
    new = _new_type(component)
    if new:
        name = component.id.partition("/")[2]
        renamed = f"{new}/{name}" if name else new
        yield warning(
            component.setting,
            f"has a type that is called {new} now",
            f"# Rename it here and in the pipelines: {component.id} becomes {renamed}.",
            "# A queue on disk belongs to the name: let it run empty first.",
        )


TYPES: Final = Check(
    "deprecated.types",
    "Names of types",
    "The old name is an alias that a later Collector does not have; it does not start then.",
    _components,
    judge_type,
    str,
)

CHECKS: Final = (TYPES,)
