"""The dashboard: a document that Grafana can read, each of whose queries the engine answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.dashboards import PANELS, Panel, grafana_dashboard
from activitylog.dashboards.grafana import GRID_WIDTH, panel_sql
from activitylog.queries import ask, question
from tests.activitylog.queries.conftest import EVENTS, MORE
from tests.activitylog.queries.rows import put
from tests.conftest import MakeDatabase

#: The dashboard's time range.
_SINCE, _FROM_MS = "2026-01-01", 1_767_225_600_000
_UNTIL, _TO_MS = "2026-07-01", 1_782_864_000_000


def _expanded(sql: str, *, tenant: str = "") -> str:
    """
    As Grafana sends it: variables first, macros then.

    ``sqlstring`` doubles single quotes (grafana, ``packages/scenes`` formats); the macros are those of
    clickhouse-datasource 4.20, ``pkg/macros/macros.go``.
    """
    sql = sql.replace("${tenant:sqlstring}", "'" + tenant.replace("'", "''") + "'")
    for macro, moment in (("fromTime_ms", _FROM_MS), ("toTime_ms", _TO_MS)):
        sql = sql.replace(f"$__{macro}", f"fromUnixTimestamp64Milli({moment})")
    return sql


@pytest.fixture(scope="module")
def store(make_migrated: MakeDatabase) -> Iterator[Any]:
    """A store about which every question has something to tell; only read here."""
    counted = {"Minute": "2026-03-02 10:00:00", "EventName": "ping", "EventCount": 40}
    with make_migrated() as client:
        put(client, *EVENTS, *MORE)
        put(client, counted, table="activity_counters")
        yield client


def _ids(panels: tuple[Panel, ...]) -> list[str]:
    return [panel.question for panel in panels]


class TestPanels:
    """What each panel asks."""

    @pytest.mark.parametrize("panel", PANELS, ids=_ids(PANELS))
    def test_answers_as_the_question_does(self, store: Any, panel: Panel) -> None:
        """With the macros expanded the engine gives the answer of the question for the same time."""
        asked = question(panel.question)
        times = {"since": _SINCE, "until": _UNTIL}
        names = {parameter.name for parameter in asked.parameters}
        hours = {panel.hours: (_TO_MS - _FROM_MS) // 3_600_000} if panel.hours else {}
        given = {**panel.values, **hours, **{name: moment for name, moment in times.items() if name in names}}
        answer = store.query(_expanded(panel_sql(panel)), tz_mode="aware")
        expected = ask(store, panel.question, **given)
        assert tuple(answer.column_names) == expected.columns
        assert [tuple(row) for row in answer.result_rows] == expected.rows
        assert expected.rows

    def test_all_follow_the_range(self) -> None:
        """Each panel about times uses the range's end; one that counts hours up to it has the range's length."""
        for panel in PANELS:
            parameters = {parameter.name: parameter for parameter in question(panel.question).parameters}
            assert "until" in parameters or panel.question == "size"
            counted = [
                name for name, one in parameters.items() if re.search(r"this many .*hours up to", one.meaning)
            ]
            assert [name for name in counted if name not in panel.values] == ([panel.hours] if panel.hours else [])

    @pytest.mark.parametrize("panel", PANELS, ids=_ids(PANELS))
    def test_nothing_is_left_to_fill_in(self, panel: Panel) -> None:
        """No placeholder of ClickHouse is left, and no macro that the data source does not know."""
        sql = _expanded(panel_sql(panel))
        assert re.search(r"\{\w+:", sql) is None
        assert "$" not in sql

    @pytest.mark.parametrize("panel", PANELS, ids=_ids(PANELS))
    def test_shows_columns_that_there_are(self, store: Any, panel: Panel) -> None:
        """Columns that are drawn are columns of the answer; a series has its time first."""
        columns = ask(store, panel.question, **panel.values).columns
        assert set(panel.show) <= set(columns)
        if panel.kind == "timeseries":
            assert columns[0] == question(panel.question).x

    def test_a_tenant_is_a_value(self, store: Any) -> None:
        """Whatever is typed into the variable stays a text, and one tenant's panel counts that tenant alone."""
        panel = Panel("", "event-counts", "table", 24)
        for text in ("acme", "o'brien", "' OR 1 = 1 --"):
            rows = store.query(_expanded(panel_sql(panel), tenant=text)).result_rows
            assert [row[0] for row in rows] == (["page.viewed"] if text == "acme" else [])

    @given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12))
    def test_literals(self, text: str) -> None:
        """A panel's own values are quoted: a text cannot end its literal."""
        if not text:
            return
        sql = panel_sql(Panel("", "newest", "table", 24, values={"event": text}))
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        assert f"EventName = CAST('{escaped}', 'String')" in sql


class TestDashboard:
    """The document."""

    def test_is_json(self) -> None:
        """It survives JSON, has the data source and the tenant as variables, and a heading for each row."""
        document = json.loads(json.dumps(grafana_dashboard()))
        assert [variable["name"] for variable in document["templating"]["list"]] == ["datasource", "tenant"]
        headings = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
        assert headings == list(dict.fromkeys(panel.row for panel in PANELS))

    def test_layout(self) -> None:
        """Panels lie inside the grid, none over another, each with an id of its own."""
        panels = grafana_dashboard()["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= GRID_WIDTH
            covered = {
                (place["x"] + column, place["y"] + line)
                for column in range(place["w"])
                for line in range(place["h"])
            }
            assert not cells & covered
            cells |= covered

    def test_one_data_source(self) -> None:
        """Every query goes to the data source that is chosen in Grafana."""
        for panel in grafana_dashboard()["panels"]:
            for target in panel.get("targets", []):
                assert target["datasource"] == {"type": "grafana-clickhouse-datasource", "uid": "${datasource}"}
