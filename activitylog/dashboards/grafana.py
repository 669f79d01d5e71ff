"""
A dashboard for Grafana and its ClickHouse data source (``grafana-clickhouse-datasource``, 4.x).

Each panel's query is the SQL of a question, in which the parameters became what Grafana fills in: ``since`` and
``until`` the macros ``$__fromTime_ms`` and ``$__toTime_ms``, ``tenant`` a variable of the dashboard that Grafana
quotes (``sqlstring``), a panel's ``hours`` the length of the range, and every other one a literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from activitylog.dashboards.panels import PANELS, Panel
from activitylog.queries import Parameter, Question, question

#: Columns of Grafana's grid.
GRID_WIDTH: Final = 24
_PLACEHOLDER: Final = re.compile(r"\{(\w+):([^{}]+)\}")
_HEAD: Final = re.compile(r"(?:--[^\n]*\n)+")
_DATASOURCE: Final = {"type": "grafana-clickhouse-datasource", "uid": "${datasource}"}
_FORMAT_TIME_SERIES: Final = 0
_FORMAT_TABLE: Final = 1
#: What Grafana puts in for the parameters that all questions share; the types stay those of the question.
_FROM_GRAFANA: Final = {
    "since": "toDateTime64($__fromTime_ms, 9, 'UTC')",
    "until": "toDateTime64($__toTime_ms, 9, 'UTC')",
    "tenant": "${tenant:sqlstring}",
}
_HOURS: Final = "toUInt32(greatest(dateDiff('hour', $__fromTime_ms, $__toTime_ms), 1))"


def grafana_dashboard() -> dict[str, Any]:
    """
    The dashboard as Grafana imports it: one JSON document, for any ClickHouse data source.

    Its time range, its tenant and its data source are chosen in Grafana.
    """
    return {
        "uid": "activitylog",
        "title": "Activity",
        "description": "Who did what to which object. Made by: activitylog dashboard",
        "tags": ["activitylog", "clickhouse"],
        "schemaVersion": 39,
        "editable": True,
        "timezone": "utc",
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": [_datasource_variable(), _tenant_variable()]},
        "panels": list(_laid_out()),
    }


def panel_sql(panel: Panel) -> str:
    """
    A panel's query, with Grafana's macros and variables in it.

    Raises:
        QueryError: the panel's question does not exist, or does not have one of its values.
    """
    asked = question(panel.question)
    parameters = {parameter.name: parameter for parameter in asked.parameters}
    values = asked.values(panel.values)
    from_grafana = {**_FROM_GRAFANA, panel.hours: _HOURS}

    def literal(found: re.Match[str]) -> str:
        name = found[1]
        return from_grafana.get(name) or _literal(parameters[name], values[name])

    body = _HEAD.sub("", asked.sql, count=1).strip()
    return f"-- {asked.name}: {asked.answers}\n{_PLACEHOLDER.sub(literal, body)}"


def _literal(parameter: Parameter, value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"CAST('{text}', '{parameter.type.replace(chr(39), chr(92) + chr(39))}')"


def _laid_out() -> Iterator[dict[str, Any]]:
    """Rows with their headings, and panels from left to right as they fit."""
    top = 0
    number = 1
    for heading, panels in groupby(PANELS, key=lambda panel: panel.row):
        yield _row(heading, number, top)
        number, top, left, highest = number + 1, top + 1, 0, 0
        for panel in panels:
            if left + panel.width > GRID_WIDTH:
                top, left, highest = top + highest, 0, 0
            yield _panel(panel, number, left, top)
            number, left, highest = number + 1, left + panel.width, max(highest, panel.height)
        top += highest


def _row(heading: str, number: int, top: int) -> dict[str, Any]:
    return {
        "type": "row",
        "id": number,
        "title": heading,
        "collapsed": False,
        "gridPos": {"h": 1, "w": GRID_WIDTH, "x": 0, "y": top},
        "panels": [],
    }


def _panel(panel: Panel, number: int, left: int, top: int) -> dict[str, Any]:
    asked = question(panel.question)
    series = panel.kind == "timeseries"
    return {
        "type": panel.kind,
        "id": number,
        "title": asked.title,
        "description": f"{asked.answers} {panel.note}".rstrip(),
        "datasource": _DATASOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": left, "y": top},
        "fieldConfig": {"defaults": {"unit": panel.unit or "short", "noValue": "no rows"}, "overrides": []},
        "options": _options(panel, asked),
        "transformations": _only(panel),
        "targets": [
            {
                "refId": "A",
                "datasource": _DATASOURCE,
                "editorType": "sql",
                "queryType": "timeseries" if series else "table",
                "format": _FORMAT_TIME_SERIES if series else _FORMAT_TABLE,
                "rawSql": panel_sql(panel),
            }
        ],
    }


def _options(panel: Panel, asked: Question) -> dict[str, Any]:
    match panel.kind:
        case "table":
            return {"showHeader": True}
        case "bargauge":
            return {
                "orientation": "horizontal",
                "displayMode": "gradient",
                "reduceOptions": {"values": True, "calcs": [], "fields": f"/^{asked.y}$/"},
            }
        case _:
            return {"legend": {"showLegend": True, "placement": "bottom"}, "tooltip": {"mode": "multi"}}


def _only(panel: Panel) -> list[dict[str, Any]]:
    """Leave out the columns that are not drawn."""
    if not panel.show:
        return []
    return [{"id": "filterFieldsByName", "options": {"include": {"names": list(panel.show)}}}]


def _datasource_variable() -> dict[str, Any]:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": _DATASOURCE["type"],
        "refresh": 1,
        "hide": 0,
        "current": {},
        "options": [],
    }


def _tenant_variable() -> dict[str, Any]:
    """A text; empty for all tenants."""
    return {
        "type": "textbox",
        "name": "tenant",
        "label": "Tenant",
        "query": "",
        "current": {"text": "", "value": ""},
        "hide": 0,
        "options": [],
    }
