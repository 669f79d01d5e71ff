"""
The direct exporter and the view behind the Collector's table are two ways in with one meaning.

The same log records go in (a) as typed columns, as ClickHouseLogExporter encodes them, and (b) as the columns of
the Collector's ``otel_logs`` through the landing table. Every stored column and every alias must be the same, and
``LogAttributes`` must be what went in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from activitylog.cli.demo_service import generate
from activitylog.event import FIELDS
from otel_clickhouse.anyvalue import as_text
from otel_clickhouse.encoder import encode_logs
from tests.end_to_end.ways import both_ways, check, records_of

_START = 1_767_225_600_000_000_000  # 2026-01-01; a partition is a month, and many of them in one insert are slow
_UUID = "0190163d-8694-739b-aea5-966c26f8ad91"


@pytest.fixture
def store(migrated_client: Any) -> Any:
    return migrated_client


def _record(
    number: int, attributes: Mapping[str, Any] | None = None, body: Any = None, **more: Any
) -> ReadableLogRecord:
    """A record whose span id is its number: rows come back in the order of the records."""
    resource = Resource(more.pop("resource", {"service.name": "shop"}))
    scope = InstrumentationScope("tests", "1.0", None, more.pop("scope", None))
    record = LogRecord(
        timestamp=more.pop("timestamp", _START + number),
        body=body,
        attributes=dict(attributes or {}),
        event_name=more.pop("event_name", "order.placed"),
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        **more,
    )
    record.span_id = number + 1
    return ReadableLogRecord(log_record=record, resource=resource, instrumentation_scope=scope)


_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
_NUMBER_TEXTS = st.sampled_from(
    ["007", "1e3", "-5", "65535", "65536", " 7", "7 ", "+7", "1.50", "0", "1", "00", "-0", "1.", ".5", "1E+2",
     "0.25", "18446744073709551615", "18446744073709551616", "99999999999999999999", "1e400", "1e308", "5e-324",
     "0.0000005", "18446744073709.551615", "NaN", "inf", "0x10", "1_000", "٣", "7\n", "success", "", "true",
     "2.5e-7", "1e21", "1e+21"]
)  # fmt: skip
_ODD_UUIDS = [
    _UUID.upper(), _UUID.replace("-", ""), _UUID.replace("-", "").upper(), _UUID + " ", " " + _UUID, _UUID + "x",
    "{" + _UUID + "}", _UUID.replace("-", "", 1), _UUID[:-1] + "g", _UUID[:-1], _UUID.replace("-", "_"), "0" * 32,
    "00000000-0000-0000-0000-000000000000", "İ" * 18, "z" * 36, "z" * 32, "-" * 36, "",
]  # fmt: skip
_UUID_TEXTS = st.one_of(st.uuids().map(str), st.sampled_from(_ODD_UUIDS))
_SCALARS = st.one_of(
    _TEXT,
    _NUMBER_TEXTS,
    st.sampled_from(["user", "org", "7", "\x01", "\x02", "a\x02b", "é", "'", "\\", "\\x01", "\n"]),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.integers(min_value=-2, max_value=70_000),
    st.floats(),
    st.floats(min_value=0, max_value=1e6),
    st.integers(0, 10**9).map(lambda microseconds: microseconds / 1_000_000),
    st.binary(max_size=6),
    _UUID_TEXTS,
)
_VALUES = st.one_of(
    _SCALARS, st.lists(_SCALARS, max_size=3), st.dictionaries(_TEXT, _SCALARS, max_size=3), st.none()
)
_TYPED_NAMES = [field.attribute for field in FIELDS]
_ACTOR_NAMES = ["user.id", "activity.actor.type", "activity.actor.id"]
_ATTRIBUTES = st.dictionaries(
    st.one_of(st.sampled_from(_ACTOR_NAMES), st.sampled_from(_TYPED_NAMES), _TEXT.filter(bool)),
    _VALUES,
    max_size=10,
)
_ODD_ATTRIBUTES = st.dictionaries(
    st.one_of(st.sampled_from(["service.name", "a/b", "host.name"]), _TEXT.filter(bool)), _VALUES, max_size=4
).map(lambda attributes: {name: value for name, value in attributes.items() if value is not None})


@st.composite
def _records(draw: st.DrawFn) -> list[ReadableLogRecord]:
    resource, scope = draw(_ODD_ATTRIBUTES), draw(_ODD_ATTRIBUTES)
    return [
        _record(
            number,
            attributes := draw(_ATTRIBUTES),
            draw(_bodies(attributes)),
            resource=resource,
            scope=scope,
            timestamp=_START + draw(st.integers(min_value=0, max_value=10**15)),
            event_name=draw(_TEXT),
        )
        for number in range(draw(st.integers(min_value=1, max_value=20)))
    ]


def _bodies(attributes: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Bodies that hold the ids of the record, none to several times, between texts and marks."""
    ids = [as_text(value) for name, value in attributes.items() if name.endswith("id") and value is not None]
    parts = st.one_of(_TEXT, st.sampled_from(["\x01", "\x02", "\x1a", " did it to ", *ids]))
    return st.one_of(st.lists(parts, max_size=7).map("".join), _VALUES)


class TestTwoWaysIn:
    """Records of any kind are stored the same, whichever way they came."""

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(records=_records())
    @example(records=[_record(0)])
    @example(records=[_record(0, {"user.id": "7", "activity.actor.type": "user", "activity.actor.id": "7"}),
                      _record(1, {"activity.actor.type": "user", "activity.actor.id": "7"})])  # fmt: skip
    @example(records=[_record(0, {"user.id": "", "activity.actor.type": "org", "activity.actor.id": "5"}, "5")])
    @example(records=[_record(0, {"user.id": "\x02", "activity.object.id": "b"}, "a\x02b b \x02")])
    @example(records=[_record(0, {"user.id": "ab", "activity.object.id": "b"}, "ab b ab b")])
    @example(records=[_record(0, {"activity.outcome": text, "activity.count": count}) for text, count in
                      [("success", "1")]])  # fmt: skip
    @example(records=[_record(0, {"activity.outcome": "", "activity.count": 0, "activity.sample.weight": -0.0})])
    def test_any_record(self, store: Any, records: list[ReadableLogRecord]) -> None:
        """Every column and alias of a record is the same on both ways, and its attributes read back exactly."""
        check(store, records)

    @pytest.mark.slow
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(records=_records())
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
        check(store, [_record(number, {name: value}) for number, value in enumerate([*texts, *numbers])])

    def test_ids(self, store: Any) -> None:
        """Ids in any case and without dashes are ids; what only looks like one stays a text, on both ways."""
        check(
            store, [_record(number, {"log.record.uid": text}) for number, text in enumerate([_UUID, *_ODD_UUIDS])]
        )

    def test_times(self, store: Any) -> None:
        """Nanoseconds are kept, from the first one of 1970 to the last one that 64 bits hold."""
        times = [1, 999, 1_000, 1_767_225_600_123_456_789, 2**63 - 1]
        check(store, [_record(number, timestamp=time) for number, time in enumerate(times)])

    def test_a_whole_event(self, store: Any) -> None:
        """An ordinary event fills the typed columns; nothing is left in the map but the application's own."""
        attributes = {
            "log.record.uid": _UUID,
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
        direct, through_the_view = both_ways(store, [_record(0, attributes, "42 placed A-17")])
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
        assert str(row["EventId"]) == _UUID
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
