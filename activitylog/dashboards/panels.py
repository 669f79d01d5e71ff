"""What is on the dashboard: rows of panels, each one question and how it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

PanelKind = Literal["timeseries", "barchart", "bargauge", "table", "stat"]


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One panel.

    Attributes:
        row: heading under which it stands; panels of one row follow each other.
        question: name of the question that it asks.
        kind: Grafana's panel type.
        width: of 24 columns.
        height: in Grafana's units of 30 pixels.
        values: parameters that are not left at their default. Time range and tenant are the dashboard's own.
        show: columns that are drawn; empty for all.
        unit: Grafana's unit of the numbers; empty for plain counts.
    """

    row: str
    question: str
    kind: PanelKind
    width: int
    height: int = 8
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    show: tuple[str, ...] = ()
    unit: str = ""


_ACTIVITY: Final = "Activity"
_TROUBLE: Final = "Failures and denials"

PANELS: Final[tuple[Panel, ...]] = (
    Panel(_ACTIVITY, "events-by-hour", "timeseries", 16, show=("hour", "events")),
    Panel(_ACTIVITY, "outcomes", "bargauge", 8, show=("outcome", "events")),
    Panel(_TROUBLE, "failures-by-route", "table", 24),
)
