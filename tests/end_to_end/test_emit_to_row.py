"""From one call to a row that SQL finds, on the embedded engine, with nothing in between replaced."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

import activitylog
from activitylog import config
from tests.strategies import any_text, any_value, clean_value


@pytest.fixture(scope="module")
def store(chdb_url: str, _chdb_engine: Any) -> Iterator[Any]:
    """A configured pipeline into memory and into the store; yields a client that reads the store."""
    activitylog.configure([chdb_url, "memory:"], service_name="chat", schedule_delay_millis=60_000)
    yield _chdb_engine
    activitylog.shutdown()
    config.swap(None)


def records() -> list[Any]:
    """The records that the memory destination received since the last call."""
    pipeline = config._state.pipeline
    assert pipeline is not None
    destination: Any = pipeline.destinations[1]
    exporter = destination.exporter._exporter
    found = [data.log_record for data in exporter.get_finished_logs()]
    exporter.clear()
    return found


def rows(client: Any, emitted: list[Any]) -> dict[int, dict[str, Any]]:
    """The rows of these records by number, the OpenTelemetry names included."""
    result = client.query(
        "SELECT *, Body, LogAttributes, ResourceAttributes, toUnixTimestamp64Nano(Timestamp) AS ns "
        "FROM activity_events WHERE Producer = {producer:String} AND Seq IN {seqs:Array(UInt64)}",
        parameters={
            "producer": emitted[0].attributes["activity.producer"],
            "seqs": [record.attributes["activity.seq"] for record in emitted],
        },
    )
    return {row["Seq"]: row for row in result.named_results()}


def means(text: str, value: Any) -> bool:
    """Whether a stored text says what the value says."""
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, int):
        return text == str(value)
    if isinstance(value, float):
        return float(text) == value
    if isinstance(value, bytes):
        return base64.b64decode(text) == value
    if isinstance(value, (list, dict)):
        return same(json.loads(text), value)
    return bool(text == value)


def same(parsed: Any, value: Any) -> bool:
    """Whether parsed JSON says what a nested value says: bytes are base64, none of them null."""
    if isinstance(value, list):
        return len(parsed) == len(value) and all(map(same, parsed, value))
    if isinstance(value, dict):
        return parsed.keys() == value.keys() and all(same(parsed[key], item) for key, item in value.items())
    if isinstance(value, bytes):
        return bool(parsed == (base64.b64encode(value).decode() or None))
    if isinstance(value, float):
        return float(parsed) == value
    return bool(parsed == value)


def assert_arrived(client: Any, emitted: list[Any]) -> None:
    """Each record is one row, and every part of it is in that row."""
    found = rows(client, emitted)
    for record in emitted:
        row = found[record.attributes["activity.seq"]]
        assert row["EventName"] == record.event_name
        assert row["ns"] == record.timestamp
        assert row["Body"] == ("" if record.body is None else record.body.translate({1: 26, 2: 26}))
        assert row["SeverityNumber"] == record.severity_number.value
        assert row["LogAttributes"].keys() == record.attributes.keys()
        for key, value in record.attributes.items():
            assert means(row["LogAttributes"][key], value), (key, value, row["LogAttributes"][key])


class TestOneEvent:
    def test_every_keyword_has_its_column(self, store: Any) -> None:
        """The example of the design, column by column."""
        with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("request") as span:
            activitylog.emit(
                "invoice.approved",
                actor="user:42",
                object=("invoice", "i-7", "Invoice 7"),
                target="ledger:1",
                tenant="acme",
                outcome="denied",
                error="limit",
                message="user 42 approved i-7",
                duration=0.25,
                session="s-1",
                request_id="r-1",
                timestamp=dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
                request={
                    "http.request.method": "POST",
                    "http.route": "/invoices/{id}",
                    "http.response.status_code": 403,
                    "url.path": "/invoices/7",
                    "client.address": "10.0.0.1",
                    "user_agent.original": "curl/8",
                },
                amount=12.5,
            )
        assert activitylog.flush().complete
        (record,) = records()
        row = rows(store, [record])[record.attributes["activity.seq"]]
        context = span.get_span_context()
        expected = {
            "ns": 1_767_323_045_678_901_000,
            "EventName": "invoice.approved",
            "TenantId": "acme",
            "ActorType": "user",
            "ActorId": "42",
            "ObjectType": "invoice",
            "ObjectId": "i-7",
            "TargetType": "ledger",
            "TargetId": "1",
            "Outcome": "denied",
            "ErrorType": "limit",
            "DurationUs": 250_000,
            "EventCount": 1,
            "SampleWeight": 1.0,
            "SessionId": "s-1",
            "RequestId": "r-1",
            "HttpMethod": "POST",
            "HttpRoute": "/invoices/{id}",
            "HttpStatus": 403,
            "UrlPath": "/invoices/7",
            "ClientAddress": "10.0.0.1",
            "UserAgent": "curl/8",
            "TraceId": f"{context.trace_id:032x}",
            "SpanId": f"{context.span_id:016x}",
            "TraceFlags": int(context.trace_flags),
            "SeverityText": "WARN",
            "SeverityNumber": 13,
            "ServiceName": "chat",
            "ScopeName": "activitylog",
            "ScopeVersion": activitylog.__version__,
            "BodyTemplate": "user \x01 approved \x02",
            "Body": "user 42 approved i-7",
            "Attributes": {"activity.object.name": "Invoice 7", "amount": "12.5"},
        }
        assert {key: row[key] for key in expected} == expected
        assert str(row["EventId"]) == record.attributes["log.record.uid"]
        assert row["ResourceAttributes"]["service.name"] == "chat"

    def test_many_objects_in_one_event(self, store: Any) -> None:
        """Their number is a column, their ids are kept."""
        activitylog.emit("user.activated", actor="user:1", objects=[f"user:{n}" for n in range(2, 5)])
        assert activitylog.flush().complete
        (record,) = records()
        row = rows(store, [record])[record.attributes["activity.seq"]]
        assert (row["EventCount"], row["ObjectType"]) == (3, "user")
        assert json.loads(row["LogAttributes"]["activity.object.ids"]) == ["2", "3", "4"]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.dictionaries(any_text(), st.one_of(clean_value(), any_value()), max_size=5), any_text()),
        min_size=1,
        max_size=30,
    )
)
def test_every_sanitised_record_arrives_equal(store: Any, events: list[tuple[dict[str, Any], str]]) -> None:
    """Whatever was emitted, the row says what the record says, attribute by attribute."""
    for attributes, message in events:
        activitylog.emit("thing.happened", **{**attributes, "message": message, "timestamp": None})
    assert activitylog.flush().complete
    emitted = records()
    assert len(emitted) == len(events)
    assert_arrived(store, emitted)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "actor": st.one_of(any_text(), st.tuples(any_text(), any_text())),
                "object": st.one_of(any_text(), st.tuples(any_text(), st.integers())),
                "target": st.tuples(any_text(), any_text()),
                "tenant": any_text(),
                "outcome": st.sampled_from(["success", "failure", "denied", "unknown", "other"]),
                "error": any_text(),
                "duration": st.one_of(st.floats(min_value=0, max_value=1e7), st.floats()),
                "count": st.one_of(st.integers(), any_text()),
                "session": any_text(),
                "http.response.status_code": st.one_of(st.integers(), any_text()),
                "activity.sample.weight": st.one_of(st.floats(), st.integers(), any_text()),
                "activity.outcome": any_text(),
                "activity.actor.type": st.sampled_from(["user", "service", ""]),
                "user.id": any_text(),
                "timestamp": st.integers(min_value=0, max_value=2**63 - 1),
            },
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_named_fact_arrives_equal(store: Any, events: list[dict[str, Any]]) -> None:
    """Typed columns lose nothing, however wrong their values are."""
    for values in events:
        activitylog.emit("thing.happened", **values)
    assert activitylog.flush().complete
    assert_arrived(store, records())
