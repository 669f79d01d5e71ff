"""What is on the dashboard: rows of panels, each one question and how it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

PanelKind = Literal["timeseries", "bargauge", "table"]


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
        hours: parameter that is how many hours the dashboard's range has; empty without.
        note: what of the range is shown, where that is not all; a sentence.
    """

    row: str
    question: str
    kind: PanelKind
    width: int
    height: int = 8
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    show: tuple[str, ...] = ()
    unit: str = ""
    hours: str = ""
    note: str = ""


_ACTIVITY: Final = "Activity"
_TROUBLE: Final = "Failures, denials, slowness"
_PEOPLE: Final = "Actors"
_QUALITY: Final = "Sampling and completeness"
_STORAGE: Final = "Storage"

#: A series shows at most this many points: two months of hours.
_POINTS: Final = MappingProxyType({"limit": "1440"})
_NEWEST_HOURS: Final = "At most the newest 1,440 hours of the range."

PANELS: Final[tuple[Panel, ...]] = (
    Panel(
        _ACTIVITY, "events-by-hour", "timeseries", 16, values=_POINTS, show=("hour", "events"), note=_NEWEST_HOURS
    ),
    Panel(_ACTIVITY, "outcomes", "bargauge", 8, show=("outcome", "events")),
    Panel(_ACTIVITY, "event-counts", "table", 12),
    Panel(_ACTIVITY, "top-movers", "table", 12, hours="hours"),
    Panel(
        _TROUBLE,
        "failures-by-hour",
        "timeseries",
        16,
        values=_POINTS,
        show=("hour", "failures", "denials"),
        note=_NEWEST_HOURS,
    ),
    Panel(_TROUBLE, "denial-bursts", "table", 8),
    Panel(_TROUBLE, "failures-by-route", "table", 12),
    Panel(_TROUBLE, "slow-operations", "table", 12),
    Panel(_TROUBLE, "anomalies", "table", 24, hours="hours", note="At most the newest 168 hours of the range."),
    Panel(_PEOPLE, "unique-actors-per-day", "timeseries", 12, values=_POINTS, show=("day", "actors")),
    Panel(_PEOPLE, "new-and-returning", "timeseries", 12, values=_POINTS),
    Panel(_PEOPLE, "top-actors", "table", 16),
    Panel(_PEOPLE, "funnel", "bargauge", 8, show=("event", "actors")),
    Panel(_QUALITY, "estimates", "table", 16),
    Panel(_QUALITY, "sampled-out", "table", 8),
    Panel(_QUALITY, "gaps", "table", 8),
    Panel(_QUALITY, "duplicates", "table", 8),
    Panel(_QUALITY, "silent", "table", 8),
    Panel(_STORAGE, "volume", "timeseries", 16, values=_POINTS, show=("day", "rows")),
    Panel(_STORAGE, "storage-by-event", "bargauge", 8, show=("event", "estimated_bytes"), unit="decbytes"),
    Panel(_STORAGE, "tenant-usage", "table", 16),
    Panel(_STORAGE, "size", "bargauge", 8, show=("what", "bytes"), unit="decbytes"),
)
