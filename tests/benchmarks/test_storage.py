"""The benchmark of the store, on two thousand events: it runs, and what it relies on is true."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from activitylog.identity import Producer
from tests.benchmarks.storage import tables
from tests.benchmarks.storage.asking import UnequalAnswersError, ask
from tests.benchmarks.storage.loading import load
from tests.benchmarks.storage.questions import QUESTIONS
from tests.benchmarks.storage.report import geometric_mean, markdown
from tests.benchmarks.storage.run import Plan, run, stage
from tests.benchmarks.storage.subjects import subjects

pytestmark = pytest.mark.slow

EVENTS = 2_000
PEERS = ("otel_logs", "clickstack")
OLD = "otel_logs_before"
#: What a log record is, whatever order its maps have.
RECORD = (
    "toUnixTimestamp64Nano(Timestamp), TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, "
    "ServiceName, Body, "
    "mapSort(ResourceAttributes), ScopeName, ScopeVersion, mapSort(LogAttributes), EventName"
)


@pytest.fixture(scope="module")
def engine(chdb_url: str, _chdb_engine: Any) -> Iterator[Any]:
    """A client with the staged records of seed 1; the databases of the run are dropped afterwards."""
    import clickhouse_connect

    client = clickhouse_connect.get_client(dsn=chdb_url)
    stage(client, chdb_url, EVENTS)
    yield client
    client.database = "default"
    for database in ("stage", "ours", OLD, *PEERS):
        client.command(f"DROP DATABASE IF EXISTS {database}")
    client.close()


@pytest.fixture(scope="module")
def result(engine: Any) -> Any:
    return run(engine, Plan(EVENTS, batch=EVENTS, rounds=1, peers=PEERS, unit=tables.MONTH), data="generated")


def _records(client: Any, table: str) -> str:
    return str(client.command(f"SELECT count(), sum(cityHash64({RECORD})) FROM {table}"))


class TestActivity:
    """The generated records."""

    def test_are_those_of_the_seed(self, engine: Any) -> None:
        """The same seed and number give the same records; another seed gives others."""
        first = _records(engine, "stage.source_logs")
        stage(engine, "", EVENTS, seed=2)
        other = _records(engine, "stage.source_logs")
        stage(engine, "", EVENTS)
        assert _records(engine, "stage.source_logs") == first != other

    def test_ids_are_the_librarys(self, engine: Any) -> None:
        """Event ids are what ``activitylog.identity`` makes of the time, the producer and the number."""
        rows = engine.query(
            "SELECT toString(EventId), Producer, Seq, toUnixTimestamp64Nano(Timestamp) FROM stage.source_typed"
        ).result_rows
        assert len({event for event, *_ in rows}) == EVENTS
        for event, name, seq, time_ns in rows[::100]:
            producer = Producer(int(name, 16))
            assert producer.name == name
            ids = [producer.next_id(time_ns) for _ in range(seq)]
            assert ids[-1] == (seq, event)

    def test_have_the_shape_of_activity(self, engine: Any) -> None:
        """60 names at most, nine of ten traced, a few failures and denials, most without free words."""
        row = engine.query(
            "SELECT uniq(EventName), countIf(TraceId != '') / count(), countIf(Outcome = 'failure') / count(), "
            "countIf(Outcome = 'denied') / count(), countIf(BodyTemplate LIKE '%: %') / count() FROM "
            "stage.source_typed"
        ).first_row
        assert 50 <= row[0] <= 60
        assert row[1:] == pytest.approx((0.9, 0.02, 0.01, 0.4), abs=0.03)


class TestRun:
    """A whole run."""

    def test_every_question_is_answered_equally(self, result: Any) -> None:
        """All twenty-two are asked of all tables, with equal answers, and few have none."""
        assert {one.question for one in result.asked} == {question.name for question in QUESTIONS}
        assert {one.table for one in result.asked} == {"ours", "rollup", *PEERS}
        assert {one.question for one in result.asked if one.rows == 0} == set()

    def test_the_named_questions_are_answered_equally(self, result: Any) -> None:
        """The project's own questions run unchanged over the peers, behind views, with equal answers."""
        named = {one.question for one in result.named}
        assert {"actor-timeline", "funnel", "top-actors", "volume"} <= named
        assert {(one.question, one.table) for one in result.named} == {
            (name, table) for name in named for table in ("ours", *PEERS)
        }

    def test_all_tables_hold_the_records(self, engine: Any, result: Any) -> None:
        """Every table reads back what was staged, by OpenTelemetry's names."""
        expected = _records(engine, "stage.source_logs")
        names = ("ours.activity_events", *(f"{peer}.otel_logs" for peer in PEERS))
        assert {name: _records(engine, name) for name in names} == dict.fromkeys(names, expected)

    def test_ours_is_smaller(self, result: Any) -> None:
        """Fewer bytes an event than any of the peers', roll-ups included."""
        ours = result.sizes["ours"]
        assert all(ours.total < result.sizes[peer].total for peer in PEERS)
        assert ours.rollups > 0
        assert sum(ours.columns.values()) < ours.data
        assert result.sizes["without_both"].indexes == 0
        assert result.sizes["without_rollups"].rollups == 0

    def test_the_report_is_one_table(self, result: Any) -> None:
        """One Markdown table, all of its rows as wide as its head, with a row for each question."""
        lines = markdown(result, PEERS).splitlines()
        rows = [line for line in lines if line.startswith("|")]
        assert len({line.count(" | ") for line in rows}) == 1
        assert lines.index(rows[-1]) - lines.index(rows[0]) == len(rows) - 1
        asked = {question.name for question in QUESTIONS} | {one.question for one in result.named}
        assert all(any(row.startswith(f"| {name} ") for row in rows) for name in asked)

    def test_the_old_default_holds_them_too(self, engine: Any, result: Any) -> None:
        """The table of before v0.151 reads back the same, too, and is asked by its own time column."""
        load(engine, tables.otel_logs_before(tables.MONTH), EVENTS, batch=EVENTS)
        assert _records(engine, f"{OLD}.otel_logs") == _records(engine, "stage.source_logs")
        values = subjects(engine)
        for question in QUESTIONS:
            assert ask(engine, question, ("ours", OLD), values, rounds=1)

    def test_unequal_answers_are_an_error(self, engine: Any, result: Any) -> None:
        """A table that lost a row is not compared: the run ends."""
        engine.database = "otel_logs"
        newest = "(SELECT max(Timestamp) FROM otel_logs)"
        engine.command(f"DELETE FROM otel_logs WHERE Timestamp = {newest}")
        question = next(question for question in QUESTIONS if question.name == "newest hundred")
        with pytest.raises(UnequalAnswersError, match="newest hundred"):
            ask(engine, question, ("ours", "otel_logs"), subjects(engine), rounds=1)


def test_geometric_mean() -> None:
    """Halves and doubles cancel out."""
    assert geometric_mean([0.5, 2.0, 4.0, 0.25]) == pytest.approx(1.0)
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)


def test_a_question_without_its_subject_is_left_out() -> None:
    """Which parameters a question has is read from its SQL."""
    by_name = {question.name: question for question in QUESTIONS}
    assert by_name["events of a trace"].needs == {"trace"}
    assert by_name["feed of a tenant, 24 hours"].needs == {"day", "tenant"}
    assert dataclasses.replace(by_name["newest hundred"]).needs == frozenset()
