"""
The direct exporter and the view behind the Collector's table are two ways in with one meaning.

The same log records go in (a) as typed columns, as ClickHouseLogExporter encodes them, and (b) as the columns of
the Collector's ``otel_logs`` through the landing table. Every stored column and every alias must be the same, and
``LogAttributes`` must be what went in.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from opentelemetry.sdk._logs import ReadableLogRecord

from activitylog.cli.demo_service import generate
from activitylog.event import FIELDS
from otel_clickhouse.encoder import encode_logs
from tests.end_to_end.records import ODD_UUIDS, UUID_TEXT, record, records
from tests.end_to_end.ways import both_ways, check, records_of


@pytest.fixture
def store(migrated_client: Any) -> Any:
    return migrated_client


class TestTwoWaysIn:
    """Records of any kind are stored the same, whichever way they came."""

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(records=records())
    @example(records=[record(0)])
    @example(records=[record(0, {"user.id": "7", "activity.actor.type": "user", "activity.actor.id": "7"}),
                      record(1, {"activity.actor.type": "user", "activity.actor.id": "7"})])  # fmt: skip
    @example(records=[record(0, {"user.id": "", "activity.actor.type": "org", "activity.actor.id": "5"}, "5")])
    @example(records=[record(0, {"user.id": "\x02", "activity.object.id": "b"}, "a\x02b b \x02")])
    @example(records=[record(0, {"user.id": "ab", "activity.object.id": "b"}, "ab b ab b")])
    @example(records=[record(0, {"activity.outcome": text, "activity.count": count}) for text, count in
                      [("success", "1")]])  # fmt: skip
    @example(records=[record(0, {"activity.outcome": "", "activity.count": 0, "activity.sample.weight": -0.0})])
    def test_any_record(self, store: Any, records: list[ReadableLogRecord]) -> None:
        """Every column and alias of a record is the same on both ways, and its attributes read back exactly."""
        check(store, records)

    @pytest.mark.slow
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(records=records())
    def test_many_records(self, store: Any, records: list[ReadableLogRecord]) -> None:
        """As above, for longer."""
        check(store, records)

    @pytest.mark.parametrize(
        "name", [field.attribute for field in FIELDS if field.type in ("UInt16", "UInt64", "Float64")]
    )
    def test_numbers(self, store: Any, name: str) -> None:
        """Whole numbers, fractions and texts of numbers fill a number's column the same way on both ways."""
        texts = [
            "0", "1", "99999999999999999999", "18446744073709551616", "007", "1e3", "-5", "65535", "65536", " 7",
            "+7", "1.50", "", "12.5", "1e21", "0.1", "3",
        ]  # fmt: skip
        numbers = [
            0, 1, 200, 65_535, 65_536, -5, 2**63 - 1, 0.1, 0.25, 1e-7, 1.5e-6, 2.5e-6, 1e21, 20.0,
        ]  # fmt: skip
        check(store, [record(number, {name: value}) for number, value in enumerate([*texts, *numbers])])

    def test_ids(self, store: Any) -> None:
        """Ids in any case and without dashes are ids; what only looks like one stays a text, on both ways."""
        check(
            store,
            [record(number, {"log.record.uid": text}) for number, text in enumerate([UUID_TEXT, *ODD_UUIDS])],
        )

    def test_times(self, store: Any) -> None:
        """Nanoseconds are kept, from the first one of 1970 to the last one that 64 bits hold."""
        times = [1, 999, 1_000, 1_767_225_600_123_456_789, 2**63 - 1]
        check(store, [record(number, timestamp=time) for number, time in enumerate(times)])

    def test_a_whole_event(self, store: Any) -> None:
        """An ordinary event fills the typed columns; nothing is left in the map but the application's own."""
        attributes = {
            "log.record.uid": UUID_TEXT,
            "user.id": "42",
            "activity.object.type": "order",
            "activity.object.id": "A-17",
            "activity.duration": 0.012345,
            "activity.count": 3,
            "activity.sample.weight": 12.5,
            "http.response.status_code": 200,
            "activity.seq": 9,
            "plan": "pro",
        }
        direct, through_the_view = both_ways(store, [record(0, attributes, "42 placed A-17")])
        assert through_the_view == direct
        row = direct[0]
        typed = (
            "ActorType",
            "ActorId",
            "ObjectType",
            "ObjectId",
            "DurationUs",
            "EventCount",
            "SampleWeight",
            "HttpStatus",
        )
        assert str(row["EventId"]) == UUID_TEXT
        assert [row[name] for name in typed] == ["user", "42", "order", "A-17", 12_345, 3, 12.5, 200]
        assert row["BodyTemplate"] == "\x01 placed \x02"
        assert row["Attributes"] == {"plan": "pro"}
        assert row["Resource"] == '{"service.name":"shop"}'
        assert row["ScopeAttrs"] == ""

    def test_events_of_a_service(self, store: Any) -> None:
        """What a service emits, through the real chain, is stored the same on both ways."""
        events = generate(600, seed=3, end_ns=time.time_ns())
        check(store, list(records_of(islice(events, 600))), order="Seq")

    def test_filters_by_otel_names(self, store: Any) -> None:
        """A filter on ``LogAttributes['x']`` finds the rows that one on the typed column finds."""
        events = generate(600, seed=4, end_ns=time.time_ns())
        records = list(records_of(events))
        columns = encode_logs(records)
        store.insert(
            "activity_events_ingest",
            columns.data,
            column_names=columns.names,
            column_type_names=columns.types,
            column_oriented=True,
        )
        named = (
            ("HttpRoute", "http.route", "HttpRoute != ''"),
            ("ActorId", "user.id", "ActorType = 'user'"),
            ("TenantId", "activity.tenant.id", "TenantId != ''"),
        )
        for column, attribute, present in named:
            typed = store.query(
                f"SELECT {column}, count() FROM activity_events WHERE {present} GROUP BY 1 ORDER BY 1"
            ).result_rows
            assert typed
            for value, count in typed[:5]:
                by_name = store.query(
                    "SELECT count() FROM activity_events WHERE LogAttributes[{name:String}] = {value:String}",
                    parameters={"name": attribute, "value": value},
                ).result_rows
                assert by_name == [(count,)]
