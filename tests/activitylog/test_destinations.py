"""What a ClickHouse URL becomes: where its records arrive, and what happens before the first one."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog import store
from activitylog.destinations import _once, exporter_builder
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.exceptions import ConfigurationError
from activitylog.routing import CountersApart
from activitylog.settings import Settings
from activitylog.store import EVENTS_TABLE, INGEST_TABLE, column_mapping
from activitylog.url import parse
from otel_clickhouse import ClickHouseLogExporter, RetryableError
from otel_clickhouse.client import Client, connect
from otel_clickhouse.dsn import parse_dsn
from otel_clickhouse.encoder import Columns
from tests.otel_clickhouse.fault_server import Answering, FaultServer
from tests.otel_clickhouse.records import record
from tests.otel_otlp.fault_server import FaultServer as OTLPServer
from tests.otel_otlp.fault_server import answer, partial
from tests.otel_otlp.grpc_server import Call, GRPCServer

SUCCESS, FAILURE = LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE
MINUTE = datetime(2026, 3, 1, 10, 7, tzinfo=UTC)
MINUTE_NS = int(MINUTE.timestamp()) * 1_000_000_000


def counter(seq: int, **attributes: Any) -> ReadableLogRecord:
    """A record as the pipeline emits it for one counter of one minute."""
    named = {
        "activity.counter.event": "page.viewed",
        "activity.count": 19,
        "activity.sample.rule": "pages",
        "activity.producer": "00000000abc",
        "activity.seq": seq,
        "log.record.uid": f"00000000-0000-7000-8000-{seq:012x}",
        **{f"activity.{key}": value for key, value in attributes.items()},
    }
    return record(named, event_name=COUNTER_EVENT_NAME, timestamp=MINUTE_NS)


def event(seq: int) -> ReadableLogRecord:
    """A kept event beside them."""
    attributes = {"user.id": "7", "activity.sample.weight": 20.0, "activity.seq": seq}
    return record(attributes, event_name="page.viewed", timestamp=MINUTE_NS)


BATCH = [
    event(1),
    counter(2),
    counter(3, **{"counter.reason": "sample", "tenant.id": "acme", "outcome": "denied"}),
    event(4),
]
COUNTED = [
    (MINUTE, "", "page.viewed", "success", "pages", "", 19, "shop", "00000000abc", 2),
    (MINUTE, "acme", "page.viewed", "denied", "pages", "sample", 19, "shop", "00000000abc", 3),
]


def counted(client: Any) -> list[tuple[Any, ...]]:
    """The rows of counters."""
    rows = client.query("SELECT * FROM activity_counters ORDER BY Seq", tz_mode="aware").result_rows
    return [tuple(row) for row in rows]


def stored(client: Any) -> list[tuple[Any, ...]]:
    """The rows of events, and what the roll-up says of them."""
    sql = (
        "SELECT EventName, ActorId, SampleWeight, Seq FROM activity_events ORDER BY Seq",
        "SELECT EventName, sum(RowCount) FROM activity_events_hourly GROUP BY ALL",
    )
    return [tuple(row) for one in sql for row in client.query(one).result_rows]


STORED = [("page.viewed", "7", 20.0, 1), ("page.viewed", "7", 20.0, 4), ("page.viewed", 2)]


class LosesAnswers:
    """A client whose inserts are done, and whose first answers do not arrive."""

    def __init__(self, client: Client, lost: int) -> None:
        self._client = client
        self._lost = lost

    def command(self, sql: str, settings: Mapping[str, Any] | None = None) -> Any:
        return self._client.command(sql, settings)

    def insert(self, table: str, columns: Columns, settings: Mapping[str, Any] | None = None) -> None:
        self._client.insert(table, columns, settings)
        self._lost -= 1
        if self._lost >= 0:
            raise RetryableError("the answer is lost")

    def close(self) -> None:
        self._client.close()


def losing_answers(url: str, lost: int) -> CountersApart:
    """Both exporters of a store, into the engine, each of which loses so many answers."""

    def client() -> Client:
        return LosesAnswers(connect(url), lost)

    return CountersApart(
        events=ClickHouseLogExporter(url, table=EVENTS_TABLE, columns=column_mapping(), client=client),
        counters=ClickHouseLogExporter(url, table=INGEST_TABLE, create_schema=False, client=client),
    )


def exported(
    server_url: str, client: Any, batch: Sequence[ReadableLogRecord], **values: Any
) -> tuple[LogRecordExportResult, dict[str, int]]:
    """What it gives to export a batch to a database of the server as a process does, and what is lost."""
    url = f"{server_url.rpartition('/')[0]}/{client.database}"
    exporter: Any = exporter_builder(parse(url), Settings(**values))()
    result = exporter.export(batch)
    exporter.shutdown()
    return result, dict(exporter.dropped())


def identified(seq: int) -> ReadableLogRecord:
    """An event with the id that our producers give."""
    named = {"log.record.uid": f"00000000-0000-7000-8000-{seq:012x}", "user.id": "7", "activity.seq": seq}
    return record(named, event_name="page.viewed", timestamp=MINUTE_NS + seq)


class TestDeliver:
    """Batches of both kinds across a socket, by exporters built as a process builds them."""

    @pytest.mark.parametrize(
        "faults",
        [
            ("commit, reset", "commit, reset"),
            (("commit", Answering(503)), ("commit", Answering(503))),
            (503, ("commit", Answering(200, b"<html>"))),
            ("ok", ("commit", Answering(504))),
        ],
        ids=["resets", "503", "pages", "the counters' answer is lost"],
    )
    def test_each_part_is_stored_once(self, server_url: str, migrated_client: Any, faults: Any) -> None:
        """Tables, the roll-up and the view behind the landing table; whoever sends it again under its token."""
        behind = parse_dsn(server_url)
        server = FaultServer(faults, (behind.host, behind.port))
        try:
            url = f"clickhouse://127.0.0.1:{server.port}/{migrated_client.database}"
            exporters: list[Any] = [exporter_builder(parse(url), Settings())() for _ in range(2)]
            now = time.time_ns()
            answers = [
                exporters[n % 2].deliver(BATCH, token="b-1", first_attempt_ns=now if n else None) for n in range(8)
            ]
            assert answers[-1].status == "delivered"
            assert {answer.status for answer in answers} <= {"delivered", "retry"}
            assert answers[-1].rejected == {}
            for exporter in exporters:
                exporter.shutdown()
        finally:
            server.close()
        assert {insert.token.partition("/")[0] for insert in server.inserts} == {"b-1"}
        assert (stored(migrated_client), counted(migrated_client)) == (STORED, COUNTED)

    def test_counters_that_are_too_many_at_once(self, server_url: str, migrated_client: Any) -> None:
        """They are stored in pieces; of a process that then is killed they may come twice, and count once."""
        behind = parse_dsn(server_url)
        server = FaultServer(["ok", 413], (behind.host, behind.port))
        try:
            url = f"clickhouse://127.0.0.1:{server.port}/{migrated_client.database}"
            for first_attempt_ns in (None, time.time_ns()):
                exporter: Any = exporter_builder(parse(url), Settings())()
                answer = exporter.deliver(BATCH, token="b-1", first_attempt_ns=first_attempt_ns)
                exporter.shutdown()
                assert (answer.status, answer.rejected) == ("delivered", {})
                assert stored(migrated_client) == STORED
                assert migrated_client.command("SELECT count() FROM activity_totals") == 2
        finally:
            server.close()
        tokens = [insert.token for insert in server.inserts]
        assert tokens == ["b-1", "b-1", "b-1/0", "b-1/1", "b-1", "b-1"]

    def test_other_tokens_are_other_batches(self, server_url: str, migrated_client: Any) -> None:
        """The control: what is told apart above is the token, not the rows."""
        url = f"{server_url.rpartition('/')[0]}/{migrated_client.database}"
        exporter: Any = exporter_builder(parse(url), Settings())()
        for token in ("b-1", "b-2"):
            assert exporter.deliver(BATCH, token=token, first_attempt_ns=None).status == "delivered"
        exporter.shutdown()
        assert (len(stored(migrated_client)), len(counted(migrated_client))) == (2 * 2 + 1, 4)

    def test_an_outage_that_outlasts_the_window(self, server_url: str, migrated_client: Any) -> None:
        """Events are looked for by their id; counters are sent again, and the totals have each of them once."""
        for table in (
            "activity_events",
            "activity_events_hourly",
            "activity_events_actor_daily",
            "activity_counters",
        ):
            migrated_client.command(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 2")
        url = f"{server_url.rpartition('/')[0]}/{migrated_client.database}"
        exporter: Any = exporter_builder(parse(url), Settings())()
        batch = [identified(1), counter(2), identified(4)]
        exporter.deliver(batch, token="b-1", first_attempt_ns=None)
        for n in range(5, 9):
            others = [identified(10 * n), counter(10 * n + 1)]
            assert exporter.deliver(others, token=f"b-{n}", first_attempt_ns=None).status == "delivered"
        fresh: Any = exporter_builder(parse(url), Settings())()
        long_ago = time.time_ns() - 3_600 * 10**9
        assert fresh.deliver(batch, token="b-1", first_attempt_ns=long_ago).status == "delivered"
        for one in (exporter, fresh):
            one.shutdown()
        asked = (
            "SELECT count() FROM activity_events",
            "SELECT sum(RowCount) FROM activity_events_hourly",
            "SELECT sum(RowCount) FROM activity_events_actor_daily",
            "SELECT count() FROM activity_totals",
        )
        assert [migrated_client.command(sql) for sql in asked] == [6, 6, 6, 5]


class TestCounters:
    def test_counters_have_a_table_of_their_own(self, server_url: str, migrated_client: Any) -> None:
        """Out of one batch events become events, typed, and counters become counters."""
        assert exported(server_url, migrated_client, BATCH) == (SUCCESS, {})
        assert (stored(migrated_client), counted(migrated_client)) == (STORED, COUNTED)

    @pytest.mark.parametrize("lost", [1, 3])
    def test_a_batch_that_is_sent_again_counts_once(self, chdb_url: str, migrated_client: Any, lost: int) -> None:
        """The insert's token holds through the landing table, which stores nothing, and the view behind it."""
        exporter = losing_answers(f"{chdb_url}?database={migrated_client.database}", lost)
        assert exporter.export(BATCH) is SUCCESS
        exporter.shutdown()
        assert exporter.dropped() == {}
        assert (stored(migrated_client), counted(migrated_client)) == (STORED, COUNTED)

    def test_equal_batches_are_two(self, chdb_url: str, migrated_client: Any) -> None:
        """Deduplication goes by the token of a batch, not by its content."""
        exporter = losing_answers(f"{chdb_url}?database={migrated_client.database}", 1)
        assert [exporter.export([counter(2)]), exporter.export([counter(2)])] == [SUCCESS, SUCCESS]
        exporter.shutdown()
        assert len(counted(migrated_client)) == 2


class TestOTLP:
    @pytest.fixture
    def _otlp_headers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme")

    @pytest.mark.usefixtures("_otlp_headers")
    def test_over_http(self) -> None:
        """A redirect is no success: the batch arrives later, with the environment's headers."""
        server = OTLPServer([answer(302, headers={"Location": "/login"}), partial(1, "bad")])
        exporter: Any = exporter_builder(parse(f"otlp+http://127.0.0.1:{server.port}"), Settings())()
        try:
            assert exporter.export([event(1), event(2)]) is FAILURE
        finally:
            exporter.shutdown()
            server.close()
        assert (server.stored, exporter.dropped()) == (1, {"partial_success": 1})
        assert [request.headers["x-tenant"] for request in server.requests] == ["acme", "acme"]

    @pytest.mark.usefixtures("_otlp_headers")
    def test_over_grpc(self) -> None:
        """The same."""
        server = GRPCServer([Call("UNAUTHENTICATED", "not yet")])
        exporter: Any = exporter_builder(parse(f"otlp://127.0.0.1:{server.port}"), Settings())()
        try:
            assert exporter.export([event(1), event(2)]) is SUCCESS
        finally:
            exporter.shutdown()
            server.close()
        assert (server.stored, [one["x-tenant"] for one in server.metadata]) == (2, ["acme", "acme"])

    @pytest.mark.parametrize("url", ["otlp://c", "otlp+http://c", "clickhouse://c/db"])
    def test_an_exporter_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """It is missed at configure time, not at the first batch."""
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: ())
        with pytest.raises(ConfigurationError, match=r"needs the exporter .* is not installed"):
            exporter_builder(parse(url), Settings())


class TestPreparation:
    def test_the_schema_is_made_for_whichever_comes_first(self, server_url: str, chdb_client: Any) -> None:
        """Also when the first batch has nothing but counters."""
        assert exported(server_url, chdb_client, [counter(2)], create_schema=True) == (SUCCESS, {})
        assert store.pending(chdb_client) == []
        assert len(counted(chdb_client)) == 1

    def test_counters_need_the_view_behind_the_landing_table(
        self, server_url: str, migrated_client: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Without it the landing table would swallow them: lost at once and told about; no event waits."""
        migrated_client.command("DROP VIEW activity_counters_mv")
        began = time.monotonic()
        found = exported(server_url, migrated_client, BATCH)
        assert time.monotonic() - began < 30  # the deadline for what is tried again is 60
        assert found == (FAILURE, {"no_counters_table": 2})
        assert stored(migrated_client) == STORED
        assert "no view activity_counters_mv in" in caplog.text
        assert "activitylog schema apply" in caplog.text

    def test_who_may_make_the_schema_mends_it(self, server_url: str, migrated_client: Any) -> None:
        """Whoever creates it has a place for counters after that; the first batch's are stored."""
        migrated_client.command("DROP VIEW activity_counters_mv")
        assert exported(server_url, migrated_client, BATCH, create_schema=True) == (SUCCESS, {})
        assert (stored(migrated_client), counted(migrated_client)) == (STORED, COUNTED)

    def test_stored_again_once_the_schema_is_applied(self, server_url: str, migrated_client: Any) -> None:
        """The process need not be restarted for it."""
        migrated_client.command("DROP VIEW activity_counters_mv")
        url = f"{server_url.rpartition('/')[0]}/{migrated_client.database}"
        exporter: Any = exporter_builder(parse(url), Settings())()
        assert exporter.export(BATCH) is FAILURE
        store.apply(migrated_client)
        exporter._place._look_again = 0.0
        assert exporter.export([counter(3)]) is SUCCESS
        exporter.shutdown()
        assert exporter.dropped() == {"no_counters_table": 2}
        assert [line[-1] for line in counted(migrated_client)] == [3]

    def test_a_server_that_answers_nothing_definite(self) -> None:
        """No answer, or one that is no ClickHouse's: the counters' own attempts decide."""
        server = FaultServer([])
        try:
            exporter: Any = exporter_builder(parse(server.url), Settings(retry_deadline_seconds=0.2))()
            exporter.export(BATCH)
            assert "no_counters_table" not in exporter.dropped()
        finally:
            exporter.shutdown()
            server.close()

    def test_what_succeeded_is_not_done_again(self) -> None:
        """Both exporters prepare the same store; what failed is tried again."""
        calls: list[int] = []

        def step(number: Any) -> None:
            calls.append(number)
            if number == 1:
                raise OSError("not yet")

        prepare = _once(step)
        with pytest.raises(OSError, match="not yet"):
            prepare(1)
        prepare(2)
        prepare(3)
        assert calls == [1, 2]
