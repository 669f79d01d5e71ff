"""Rules in the pipeline, numbers in the store: what was emitted can be told exactly, whatever was kept of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

import activitylog
from activitylog import config
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.queries import ask
from activitylog.store import INGEST_TABLE
from otel_clickhouse import ClickHouseLogExporter

RULES = [
    {"match": "e2e.ping", "drop": True},
    {"match": "e2e.viewed", "name": "views", "sample": 0.3, "by": "session"},
    {"match": "e2e.clicked", "sample": 0.5},
    {"match": "e2e.searched", "max_per_second": 20},
    {"match": "e2e.typing", "rollup": "10s"},
]
SESSIONS = 200


def emit_everything() -> Counter[tuple[str, str, str]]:
    """Events of every kind of rule; what was emitted by event, tenant and outcome."""
    random = Random(11)
    emitted: Counter[tuple[str, str, str]] = Counter()

    def emit(name: str, **values: Any) -> None:
        activitylog.emit(name, tenant=values.pop("tenant", "acme"), **values)
        emitted[name, values.get("tenant", "acme"), values.get("outcome", "success")] += values.get("count", 1)

    for session in range(SESSIONS):
        for _ in range(random.randint(1, 6)):
            emit("e2e.viewed", session=f"s{session}")
    emit("e2e.viewed", session="s1", outcome="failure")
    for number in range(300):
        emit("e2e.clicked", actor=f"user:{number % 7}", count=random.randint(1, 3))
        emit("e2e.searched", actor=f"user:{number % 7}")
    for number in range(60):
        emit("e2e.typing", actor=f"user:{number % 3}")
    for _ in range(40):
        emit("e2e.ping")
    for number in range(5):
        emit("e2e.paid", actor=f"user:{number}")
    return emitted


@pytest.fixture(scope="module")
def sampled(chdb_url: str, _chdb_engine: Any) -> Iterator[tuple[Any, str, Counter[tuple[str, str, str]]]]:
    """A client on a store into which a process with rules has sent its events, its producer, what it emitted."""
    activitylog.configure([chdb_url, "memory:"], service_name="shop", rules=RULES, schedule_delay_millis=60_000)
    emitted = emit_everything()
    assert activitylog.flush().complete
    producer = str(records()[0].log_record.attributes["activity.producer"])
    yield _chdb_engine, producer, emitted
    activitylog.shutdown()
    config.swap(None)


def records() -> list[Any]:
    """What the pipeline sent, as it is."""
    pipeline = config._state.pipeline
    assert pipeline is not None
    destination: Any = pipeline.destinations[1]
    exporter = destination.exporter._exporter
    return list(exporter.get_finished_logs())


def totals(client: Any, producer: str) -> dict[tuple[str, str, str], int]:
    """The exact totals, by event, tenant and outcome."""
    rows = client.query(
        "SELECT EventName, TenantId, Outcome, sum(EventCount) FROM activity_totals "
        "WHERE Producer = {producer:String} GROUP BY ALL",
        parameters={"producer": producer},
    ).result_rows
    return {(event, tenant, outcome): count for event, tenant, outcome, count in rows}


def kept(client: Any, producer: str, table: str, column: str) -> dict[str, int]:
    """A sum by event."""
    rows = client.query(
        f"SELECT EventName, sum({column}) AS n FROM {table} WHERE Producer = {{producer:String}} "
        "GROUP BY EventName HAVING n > 0",
        parameters={"producer": producer},
    ).result_rows
    return dict(rows)


class TestExactTotals:
    def test_what_was_emitted(self, sampled: Any) -> None:
        """By event, tenant and outcome the totals are what was emitted, to the last event."""
        client, producer, emitted = sampled
        assert totals(client, producer) == emitted

    def test_reasons(self, sampled: Any) -> None:
        """Each event that is not kept has the reason of its rule, and each rule its name."""
        client, producer, _ = sampled
        rows = client.query(
            "SELECT DISTINCT EventName, Rule, Reason FROM activity_totals WHERE Producer = {producer:String} "
            "ORDER BY ALL",
            parameters={"producer": producer},
        ).result_rows
        assert [tuple(row) for row in rows] == [
            ("e2e.clicked", "e2e.clicked", ""),
            ("e2e.clicked", "e2e.clicked", "sample"),
            ("e2e.paid", "", ""),
            ("e2e.ping", "e2e.ping", "drop"),
            ("e2e.searched", "e2e.searched", ""),
            ("e2e.searched", "e2e.searched", "budget"),
            ("e2e.typing", "e2e.typing", ""),
            ("e2e.viewed", "views", ""),
            ("e2e.viewed", "views", "sample"),
        ]

    def test_rows_are_what_was_kept(self, sampled: Any) -> None:
        """The events that the rows stand for after roll-up are those that the counters call kept."""
        client, producer, _ = sampled
        rows = kept(client, producer, "activity_events", "EventCount")
        assert rows == kept(client, producer, "activity_totals", "Kept")
        assert rows.keys() == {"e2e.viewed", "e2e.clicked", "e2e.searched", "e2e.typing", "e2e.paid"}


class TestLandingTable:
    def test_inserted_twice(self, sampled: Any, chdb_url: str, migrated_client: Any) -> None:
        """Through the landing table, where a Collector inserts, all twice and more: the same totals."""
        _, producer, emitted = sampled
        exporter = ClickHouseLogExporter(
            f"{chdb_url}?database={migrated_client.database}", table=INGEST_TABLE, create_schema=False
        )
        counters = [record for record in records() if record.log_record.event_name == COUNTER_EVENT_NAME]
        for batch in (records(), records(), counters):
            exporter.export(batch)
        exporter.shutdown()
        assert exporter.dropped() == {}
        assert totals(migrated_client, producer) == emitted
        stored = migrated_client.command("SELECT count() FROM activity_events")
        assert stored == 2 * migrated_client.command("SELECT uniqExact(EventId) FROM activity_events") > 0
        counted = migrated_client.command("SELECT count() FROM activity_counters")
        assert counted == 3 * len(counters) > 0


class TestEstimates:
    def test_intervals_cover(self, sampled: Any) -> None:
        """Of each event; five standard errors, so that no run fails by chance."""
        client, _, emitted = sampled
        rows = client.query(
            "SELECT EventName, Weighted, StandardError, Trust FROM activity_estimates_by_unit "
            "WHERE startsWith(EventName, 'e2e.')"
        ).result_rows
        truth: Counter[str] = Counter()
        for (event, _tenant, _outcome), count in emitted.items():
            truth[event] += count
        found = {event: (weighted, error, trust) for event, weighted, error, trust in rows}
        assert found.keys() == truth.keys() - {"e2e.ping"}
        for event, (weighted, error, _) in found.items():
            assert abs(weighted - truth[event]) <= 5 * error
        assert {event: trust for event, (_, _, trust) in found.items()} == {
            "e2e.viewed": "yes",
            "e2e.clicked": "yes",
            "e2e.searched": found["e2e.searched"][2],
            "e2e.typing": "exact",
            "e2e.paid": "exact",
        }

    def test_sessions_are_one_draw(self, sampled: Any) -> None:
        """The roll-up has no sessions and says so; the rows have them."""
        client, _, _ = sampled
        sql = "SELECT Trust, UnitRows > 0 FROM activity_estimates WHERE EventName = 'e2e.viewed'"
        assert [tuple(row) for row in client.query(sql).result_rows] == [("ask", 1)]


class TestSequence:
    def test_no_gaps(self, sampled: Any) -> None:
        """Events and counters share the producer's numbers: none is missing, none is there twice."""
        client, producer, _ = sampled
        answer = ask(client, "gaps", limit=10_000)
        (line,) = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows if row[0] == producer]
        assert (line["missing"], line["repeated"], line["rows"]) == (0, 0, len(records()))
