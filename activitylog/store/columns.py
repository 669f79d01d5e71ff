"""
The table of events as the exporter needs it: which attribute goes to which column, as plain data.

Derived from :data:`activitylog.event.FIELDS`; the exporter knows nothing of activity and gets this as
configuration (``otel_clickhouse.mapping`` says what each key means).
"""

from __future__ import annotations

from typing import Any, Final

from activitylog.event import BODY_MARKS, FIELDS, Field

#: The typed table.
EVENTS_TABLE: Final = "activity_events"
#: Where an unmodified Collector inserts; the view behind it fills :data:`EVENTS_TABLE`.
INGEST_TABLE: Final = "activity_events_ingest"
#: The exact counters of each process.
COUNTERS_TABLE: Final = "activity_counters"
#: The view that takes the exact counters out of :data:`INGEST_TABLE`.
COUNTERS_VIEW: Final = "activity_counters_mv"


def column_mapping() -> dict[str, Any]:
    """
    The mapping for ``ClickHouseLogExporter(columns=...)``: a new dict of plain data on each call.

    Attributes come in the order of :data:`~activitylog.event.FIELDS`: where two share a column, the first one that
    is present takes it.
    """
    return {
        "attributes": {field.attribute: _column(field) for field in FIELDS if field.column is not None},
        "other_attributes": "Attributes",
        "body": {"column": "BodyTemplate", "marks": dict(BODY_MARKS)},
        "resource": {"column": "Resource", "format": "json"},
        "scope": {"column": "ScopeAttrs", "format": "json"},
    }


def _column(field: Field) -> dict[str, Any]:
    column: dict[str, Any] = {"column": field.column, "type": field.type, "default": field.default}
    if field.scale != 1:
        column["scale"] = field.scale
    if field.implies:
        column["implies"] = dict(field.implies)
    if field.unless:
        column["unless"] = dict(field.unless)
    return column
