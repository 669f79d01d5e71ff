"""
One attempt at a time, repeated with the same token until it is settled: stored exactly once, views included.

Faults happen across a real socket, in front of a real store: CLICKHOUSE_URL, or ``activitylog serve``.
"""

from __future__ import annotations

import copy
import math
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_clickhouse import (
    BlockRefusedError,
    ClickHouseLogExporter,
    PermanentError,
    RetryableError,
    connect,
    delivery,
    encode_logs,
)
from otel_clickhouse.insert_settings import INSERT_SETTINGS
from otel_clickhouse.layout import compile_layout
from otel_clickhouse.mapping import parse_mapping
from otel_clickhouse.presence import rows_of
from otel_clickhouse.reentrancy import REENTRANCY
from otel_clickhouse.testing import FailingClient, InMemoryClient
from otel_clickhouse.verdicts import MEMORY
from otel_delivery import Answer
from otel_delivery.answer import SUSPECT
from otel_delivery.waiting import Interrupt
from otel_spool.delivery import Batch, Deliverer, Pace
from otel_spool.log import SpoolLog
from tests.otel_clickhouse.fault_server import Answering
from tests.otel_clickhouse.records import ACTOR_COLUMNS, FULL_RECORD, TIME_NS, record
from tests.otel_clickhouse.stores import Store, new_store
from tests.otel_clickhouse.test_encoder import Unprintable

ACTORS = compile_layout(parse_mapping(ACTOR_COLUMNS))
ROWS = 40
HOUR_NS = 3_600 * 10**9
LOGIN = b"<html>Please log in</html>"
BUSY = Answering(500, b"Code: 202. (TOO_MANY_SIMULTANEOUS_QUERIES)", {"X-ClickHouse-Exception-Code": "202"})
STRANGER = Answering(403, b"Code: 516. (AUTHENTICATION_FAILED)", {"X-ClickHouse-Exception-Code": "516"})
EXCEPTION = b"Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED) (version 26.9.2.1)"


def batch(rows: int = ROWS, kinds: int = 3) -> list[ReadableLogRecord]:
    """Records with ids of their own, a millisecond apart, of a few kinds."""
    return [
        record(
            {"log.record.uid": str(uuid.uuid4()), "activity.actor.type": f"kind-{number % kinds}"},
            timestamp=TIME_NS + number * 1_000_000,
            body="somebody came",
        )
        for number in range(rows)
    ]


def kind(one: ReadableLogRecord) -> str:
    """Of a record of :func:`batch`; partitions and the view are by it."""
    attributes: Any = one.log_record.attributes
    return str(attributes["activity.actor.type"])


def until_settled(exporter: ClickHouseLogExporter, records: Any, token: str, attempts: int = 12) -> list[Answer]:
    """Deliver as a spool does, without its pauses."""
    answers: list[Answer] = []
    first: int | None = None
    while len(answers) < attempts:
        began = time.time_ns()
        answers.append(exporter.deliver(records, token=token, first_attempt_ns=first))
        if answers[-1].status != "retry":
            break
        first = first or began
    return answers


def long_ago() -> int:
    """When a first attempt began that no table remembers for certain."""
    return time.time_ns() - HOUR_NS


@pytest.fixture
def store(server_url: str) -> Iterator[Store]:
    """A store across a socket."""
    with new_store(server_url) as made:
        yield made


@pytest.fixture
def make(exporter_for: Callable[..., ClickHouseLogExporter]) -> Callable[..., ClickHouseLogExporter]:
    """An exporter into the table ``events``."""
    return lambda url, **more: exporter_for(url, table="events", columns=ACTOR_COLUMNS, **more)


FAULTS = {
    "reset": ("reset", "no_answer"),
    "reset when stored": ("commit, reset", "no_answer"),
    "hang": ("hang", "no_answer"),
    "hang when stored": ("commit, hang", "no_answer"),
    "302": (Answering(302, b"", {"Location": "http://127.0.0.1:9/login"}), "http_302"),
    "401": (Answering(401, LOGIN), "http_401"),
    "404": (Answering(404, LOGIN), "http_404"),
    "408": (408, "http_408"),
    "429": (429, "http_429"),
    "500": (500, "http_500"),
    "503": (503, "http_503"),
    "504 when stored": (("commit", Answering(504, LOGIN)), "http_504"),
    "memory": (("exception", 241, "MEMORY_LIMIT_EXCEEDED"), "memory_limit_exceeded"),
    "password": (("exception", 516, "AUTHENTICATION_FAILED"), "authentication_failed"),
    "readonly": (("exception", 164, "READONLY"), "readonly"),
    "setting": (("exception", 115, "UNKNOWN_SETTING"), "unknown_setting"),
    "column": (("exception", 8, "THERE_IS_NO_COLUMN"), "there_is_no_column"),
    "never heard of": (("exception", 9_999, "NEW_ERROR"), "unknown_error"),
    "a login page": (Answering(200, LOGIN), "not_clickhouse"),
    "a login page when stored": (("commit", Answering(200, LOGIN)), "not_clickhouse"),
    "nobody's 200": (Answering(200), "not_clickhouse"),
    "exception in the body": (Answering(200, EXCEPTION, by_clickhouse=True), "not_clickhouse"),
    "exception in a header": (
        Answering(200, EXCEPTION, {"X-ClickHouse-Exception-Code": "241"}, by_clickhouse=True),
        "memory_limit_exceeded",
    ),
}


@pytest.mark.server
class TestFaults:
    @pytest.mark.parametrize("name", FAULTS)
    def test_exactly_once(self, store, make, serve_faults, name):
        """Whatever happened to the attempts before, the batch is in the table once, and counted once."""
        fault, reason = FAULTS[name]
        server = serve_faults(*[fault] * 3, store=store.address)
        exporter = make(store.behind(server), timeout_seconds=0.5 if "hang" in name else 20)
        answers = until_settled(exporter, batch(), "b-1")
        assert store.rows() == (ROWS, ROWS, ROWS)
        assert {answer.status for answer in answers[:-1]} == {"retry"}
        assert {answer.reason for answer in answers[:-1]} == {reason}
        assert answers[-1] == Answer("delivered")
        assert len({(insert.token, insert.body_bytes) for insert in server.inserts}) == 1
        assert server.inserts[0].token == "b-1"
        assert exporter.dropped() == {}

    def test_slow_reading(self, store, make, serve_faults):
        """It takes longer, and that is all."""
        server = serve_faults("slow", store=store.address)
        assert until_settled(make(store.behind(server)), batch(400), "b-1") == [Answer("delivered")]
        assert store.rows() == (400, 400, 400)

    def test_refused_until_there_is_a_server(self, store, make, serve_faults):
        """Nobody listens, then somebody does."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        exporter = make(f"clickhouse://127.0.0.1:{port}/{store.admin.database}")
        records = batch()
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
        assert (answer.status, answer.reason) == ("retry", "no_answer")
        assert "Connection refused" in answer.detail
        serve_faults(store=store.address, port=port)
        assert until_settled(exporter, records, "b-1") == [Answer("delivered")]
        assert store.rows() == (ROWS, ROWS, ROWS)

    def test_what_the_driver_sends_again_by_itself(self, store, make, serve_faults):
        """It repeats an insert once when the connection closes: with the token that changes nothing."""
        server = serve_faults("commit, reset", store=store.address)
        exporter = make(store.behind(server))
        assert exporter.deliver(batch(), token="b-1", first_attempt_ns=None) == Answer("delivered")
        assert [insert.token for insert in server.inserts] == ["b-1", "b-1"]
        assert store.rows() == (ROWS, ROWS, ROWS)

    def test_when_to_come_again(self, store, make, serve_faults):
        """What the server asks for is handed on."""
        server = serve_faults(Answering(429, b"slow down", {"Retry-After": "7"}), 503, store=store.address)
        answers = until_settled(make(store.behind(server)), batch(), "b-1")
        assert [answer.retry_after_seconds for answer in answers] == [7.0, None, None]

    def test_when_to_ask_again(self, store, make, serve_faults):
        """So is what it asks for at a question; the next answer does not inherit it."""
        server = serve_faults(store=store.address)
        exporter, records = make(store.behind(server)), batch()
        exporter.deliver(records, token="b-1", first_attempt_ns=None)
        server.question = Answering(503, b"not yet", {"Retry-After": "30"})
        asking = exporter.deliver(records, token="b-1", first_attempt_ns=long_ago())
        server.question = Answering(503, b"not yet")
        no_wish = exporter.deliver(records, token="b-1", first_attempt_ns=long_ago())
        answers = [asking, no_wish]
        assert [(answer.status, answer.reason) for answer in answers] == [("retry", "http_503")] * 2
        assert [answer.retry_after_seconds for answer in answers] == [30.0, None]

    def test_a_gate(self, store, make):
        """A constraint that keeps writers out for a while is no fault of the rows."""
        exporter, records = make(store.url), batch()
        store.admin.command("ALTER TABLE events ADD CONSTRAINT insert_gate_a CHECK now() > '2100-01-01'")
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
        assert (answer.status, answer.reason, store.rows()) == ("retry", "violated_constraint", (0, 0, 0))
        store.admin.command("ALTER TABLE events DROP CONSTRAINT insert_gate_a")
        assert until_settled(exporter, records, "b-1") == [Answer("delivered")]
        assert store.rows() == (ROWS, ROWS, ROWS)

    def test_too_large(self, store, make, serve_faults):
        """Nothing is stored; halves of it are welcome, under tokens of their own."""
        server = serve_faults(413, store=store.address)
        exporter, records = make(store.behind(server)), batch()
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
        assert (answer.status, answer.reason, store.rows()) == ("refused", "http_413", (0, 0, 0))
        until_settled(exporter, records[:20], "b-1/0")
        until_settled(exporter, records[20:], "b-1/1")
        assert store.rows() == (ROWS, ROWS, ROWS)

    def test_a_password_that_somebody_puts_right(self, store, make, serve_faults, lines):
        """The batch waits, and the log says why, once a minute."""
        server = serve_faults(*[("exception", 516, "AUTHENTICATION_FAILED")] * 20, store=store.address)
        exporter = make(store.behind(server))
        answers = until_settled(exporter, batch(), "b-1", attempts=20)
        assert {answer.status for answer in answers} == {"retry"}
        assert len(lines()) == 1
        assert lines()[0].startswith("Not delivered (retry): clickhouse://")
        assert "Check the user and the password of the DSN." in lines()[0]

    def test_no_answer_has_the_password(self, store, make, serve_faults):
        """Whatever the driver puts into its texts."""
        server = serve_faults("reset", "reset", 500, 413, Answering(200, b"s3cr3t-canary said the page"))
        exporter = make(f"clickhouse://me:s3cr3t-canary@127.0.0.1:{server.port}/logs")
        answers = [exporter.deliver(batch(), token=str(n), first_attempt_ns=None) for n in range(4)]
        assert [answer.status for answer in answers] == ["retry", "retry", "refused", "retry"]
        assert "s3cr3t-canary" not in repr(answers)


class TestControls:
    """The same faults where a promise does not hold: the tests above can fail."""

    @pytest.mark.server
    @pytest.mark.parametrize(
        ("windows", "same_token", "found"),
        [
            ({}, True, (ROWS, ROWS, ROWS)),
            ({"window": 0, "counts_window": 0}, True, (2 * ROWS, ROWS, 2 * ROWS)),
            ({"counts_window": 0}, True, (ROWS, ROWS, 2 * ROWS)),
            ({}, False, (2 * ROWS, ROWS, 2 * ROWS)),
        ],
        ids=["kept", "no windows", "the view's target has none", "a token for each attempt"],
    )
    def test_an_answer_that_got_lost(self, server_url, make, serve_faults, windows, same_token, found):
        """Once with a window and a token, twice without."""
        with new_store(server_url, **windows) as store:
            server = serve_faults(("commit", 503), store=store.address)
            exporter, records = make(store.behind(server)), batch()
            first = exporter.deliver(records, token="b-1", first_attempt_ns=None)
            again = exporter.deliver(
                records, token="b-1" if same_token else "b-2", first_attempt_ns=time.time_ns()
            )
            assert (first.status, again.status) == ("retry", "delivered")
            assert store.rows() == found


@pytest.fixture(params=["chdb", pytest.param("http", marks=pytest.mark.server)])
def way(request: pytest.FixtureRequest) -> str:
    """The embedded engine, or a server across a socket."""
    request.getfixturevalue("_chdb_engine")
    return str(request.getfixturevalue("chdb_url" if request.param == "chdb" else "server_url"))


class TestOnce:
    def test_two_processes(self, way, make):
        """A batch that a process sent before it was killed is sent by the next one: stored once."""
        with new_store(way) as store:
            records = batch()
            make(store.url).deliver(records, token="b-1", first_attempt_ns=None)
            answer = make(store.url).deliver(copy.deepcopy(records), token="b-1", first_attempt_ns=time.time_ns())
            assert answer == Answer("delivered")
            assert store.rows() == (ROWS, ROWS, ROWS)

    @pytest.mark.slow
    def test_threads_at_once(self, way, make):
        """Live batches and the backlog are delivered at the same time, and some of them twice."""
        with new_store(way) as store:
            exporter, batches = make(store.url), [batch(5) for _ in range(8)]
            exporter.deliver(batches[0], token="b-0", first_attempt_ns=None)
            together, answers = threading.Barrier(4), list[Answer]()

            def run(mine: list[int]) -> None:
                together.wait(30)
                for n in mine:
                    answers.append(exporter.deliver(batches[n], token=f"b-{n}", first_attempt_ns=None))

            orders = [[*range(8)], [*reversed(range(8))], [*range(8)], [4, 5, 6, 7, 0, 1, 2, 3]]
            threads = [threading.Thread(target=run, args=(order,)) for order in orders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert len(answers) == 32
            # One that meets itself may be refused by the engine for now; it is never stored twice.
            assert {answer.status for answer in answers} <= {"delivered", "retry"}
            for n in range(8):
                assert until_settled(exporter, batches[n], f"b-{n}")[-1].status == "delivered"
            assert store.rows() == (40, 40, 40)

    def test_several_partitions(self, way, make):
        """A batch of which some partitions are stored is completed."""
        with new_store(way, partition_by="ActorType") as store:
            records = batch(kinds=4)
            columns = encode_logs(records, ACTORS)
            some = [one for one in records if kind(one) < "kind-2"]
            client = connect(store.url)
            settings = {**INSERT_SETTINGS, "insert_deduplication_token": "b-1"}
            client.insert("events", encode_logs(some, ACTORS), settings)
            assert columns.rows == ROWS
            assert until_settled(make(store.url), records, "b-1") == [Answer("delivered")]
            assert store.rows()[:2] == (ROWS, ROWS)
            client.close()


class StoreInMemory(InMemoryClient):
    """A table of a server that was started so long ago; it is asked what it has."""

    def __init__(self, uptime_seconds: int = 20) -> None:
        super().__init__()
        self._uptime_seconds = uptime_seconds

    def command(self, sql: str, settings: Any = None) -> Any:
        if "system.tables" in sql:
            return ["MergeTree", ""]
        if "uptime" in sql:
            return self._uptime_seconds
        return "=" + ",".join(row["EventId"].encode().hex().upper() for row in self.rows())


#: What is refused -> an expression, a value that it takes, and one that it does not take.
POISON = {
    "attempt_to_read_after_eof": ("toUInt8({v})", "7", ""),
    "cannot_compile_regexp": ("match('x', {v})", "x", "("),
    "cannot_parse_bool": ("CAST({v} AS Bool)", "true", "perhaps"),
    "cannot_parse_escape_sequence": ("CAST({v} AS Array(String))", "['a']", r"['\x"),
    "cannot_parse_ipv4": ("toIPv4({v})", "10.0.0.1", "300.0.0.1"),
    "cannot_parse_ipv6": ("toIPv6({v})", "::1", "localhost"),
    "cannot_parse_quoted_string": ("CAST({v} AS Array(String))", "['a']", "['a"),
    "cannot_read_array_from_text": ("CAST({v} AS Array(String))", "['a']", "a"),
    "illegal_division": ("intDiv(1, length({v}) - 1)", "ab", "a"),
    "parameter_out_of_bound": ("bitTest(1, length({v}))", "a", "a" * 9),
    "sizes_of_arrays_dont_match": ("arrayZip([1], range(length({v})))", "a", "ab"),
}


def valued(*values: str) -> list[ReadableLogRecord]:
    """Records with an attribute ``v``."""
    return [record({"log.record.uid": str(uuid.uuid4()), "v": value}) for value in values]


class TestBlame:
    """Which part of a batch is to blame, asked of the engine."""

    def test_a_constraint(self, way, make):
        """One value is refused: nothing of the block is stored, and the others are when it is taken out."""
        with new_store(way, more=", CONSTRAINT c CHECK ActorType != 'kind-2'") as store:
            exporter, records = make(store.url), batch(3)
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
            assert (answer.status, answer.reason, store.rows()) == ("refused", "violated_constraint", (0, 0, 0))
            assert exporter.deliver(records[:2], token="b-1/0", first_attempt_ns=None).status == "delivered"
            assert exporter.deliver(records[2:], token="b-1/1", first_attempt_ns=None).status == "refused"
            assert store.rows() == (2, 2, 2)

    @pytest.mark.parametrize("name", POISON)
    def test_a_value_that_an_expression_does_not_take(self, way, make, name):
        """The one event is refused, and the others of the batch are stored."""
        expression, good, bad = POISON[name]
        more = ", M String MATERIALIZED toString(" + expression.format(v="Attributes['v']") + ")"
        with new_store(way, more=more) as store:
            exporter, records = make(store.url), [*valued(good, good), *valued(bad), *valued(good)]
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
            assert (answer.status, answer.reason, store.rows()) == ("refused", name, (0, 0, 0))
            assert exporter.deliver(records[:2], token="b-1/0", first_attempt_ns=None).status == "delivered"
            assert exporter.deliver(records[2:3], token="b-1/1", first_attempt_ns=None).status == "refused"
            assert exporter.deliver(records[3:], token="b-1/2", first_attempt_ns=None).status == "delivered"
            assert store.rows() == (3, 3, 3)

    def test_an_error_that_the_driver_cuts(self, way, make, monkeypatch):
        """Where it came from is at its end; an application may have it cut before."""
        from clickhouse_connect import common

        monkeypatch.setattr(common._common_settings["max_error_size"], "value", 100)
        with new_store(way) as store:
            store.admin.command("ALTER TABLE counts ADD CONSTRAINT c CHECK ActorType != 'kind-1'")
            answer = make(store.url).deliver(batch(), token="b-1", first_attempt_ns=None)
            assert (answer.status, answer.reason) == ("retry", "violated_constraint")
            assert store.rows()[0] == ROWS

    def test_a_view_that_throws(self, way, make):
        """The table has the rows by then: the batch stays, and when the view is mended all is exact."""
        with new_store(way) as store:
            exporter, records = make(store.url), batch()
            store.admin.command("DROP TABLE view")
            store.admin.command(
                "CREATE MATERIALIZED VIEW view TO counts AS "
                "SELECT ActorType, toUInt64(throwIf(ActorType = 'kind-1', 'no')) + 1 AS Times FROM events"
            )
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
            assert answer.status == "retry"
            store.admin.command(
                "ALTER TABLE view MODIFY QUERY SELECT ActorType, count() AS Times FROM events GROUP BY ActorType"
            )
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=time.time_ns())
            assert (answer.status, store.rows()) == ("delivered", (ROWS, ROWS, ROWS))

    @pytest.mark.parametrize("column", ["UInt8", "Enum8('other' = 0)", "UUID", "Date"])
    def test_a_column_of_another_type(self, way, make, column):
        """Mapping and table differ: halves are tried, and no event is given up for that."""
        with new_store(way) as store:
            store.admin.command("DROP TABLE view")
            store.admin.command(f"ALTER TABLE events ADD COLUMN Kind {column}, DROP COLUMN ActorType")
            store.admin.command("ALTER TABLE events RENAME COLUMN Kind TO ActorType")
            exporter, records = make(store.url), batch(3)
            assert exporter.deliver(records, token="b-1", first_attempt_ns=None).status == "refused"
            singles = [exporter.deliver([one], token="b-1/0", first_attempt_ns=None) for one in records]
            assert {(answer.status, answer.reason) for answer in singles} == {("retry", SUSPECT)}

    @pytest.mark.parametrize(
        ("statement", "reason"),
        [
            ("DROP TABLE events", "unknown_table"),
            ("ALTER TABLE events DROP COLUMN ObjectId", "no_such_column_in_table"),
        ],
    )
    def test_what_an_operator_puts_right(self, way, make, statement, reason):
        """It waits for that, however long."""
        with new_store(way) as store:
            store.admin.command(statement)
            answer = make(store.url).deliver(batch(), token="b-1", first_attempt_ns=None)
            assert (answer.status, answer.reason) == ("retry", reason)

    def test_a_rule_that_came_after_the_first_attempt(self, way, make):
        """What is stored already is not called refused, which would have it sent again in halves."""
        with new_store(way) as store:
            exporter, records = make(store.url), batch(3)
            exporter.deliver(records, token="b-1", first_attempt_ns=None)
            store.admin.command("ALTER TABLE events ADD CONSTRAINT c CHECK ActorType != 'kind-2'")
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=time.time_ns())
            assert (answer.status, store.rows()) == ("delivered", (3, 3, 3))
            other = exporter.deliver(batch(3), token="b-2", first_attempt_ns=time.time_ns())
            assert (other.status, store.rows()) == ("refused", (3, 3, 3))


def heavy_index(bytes_a_row: int) -> str:
    """Takes that much memory when a part is written, for each partition by itself."""
    return f", INDEX heavy length(repeat(toString(EventId), {bytes_a_row // 36})) TYPE minmax"


class TestPartlyStored:
    """Some rows are stored, and one of the others is refused."""

    @pytest.mark.parametrize("poison", [0, 3, 19])
    def test_by_an_earlier_batch(self, way, make, poison):
        """That one is named; the others are stored, once, and the view has them once."""
        with new_store(way, more=", CONSTRAINT c CHECK ActorType != 'bad'") as store:
            exporter, records = make(store.url), batch(20)
            exporter.deliver(records[5:10], token="b-1/0", first_attempt_ns=None)
            records[poison] = valued_as("bad")
            for _ in range(2):  # the second time as by a process that does not know of the first
                answer = make(store.url).deliver(records, token="b-1/rest", first_attempt_ns=0)
                assert (answer.status, [*answer.rejected]) == ("delivered", [poison])
                assert answer.rejected[poison].startswith("violated_constraint: ")
                assert "Constraint `c` for table" in answer.rejected[poison]
                assert store.rows() == (19, 19, 19)

    def test_a_batch_with_more_that_is_left_out(self, way, make):
        """Indices are those of the batch."""
        with new_store(way, more=", CONSTRAINT c CHECK ActorType != 'bad'") as store:
            exporter, stored = make(store.url), batch(3)
            exporter.deliver(stored, token="b-1", first_attempt_ns=None)
            ours = record({}, scope=InstrumentationScope("otel_clickhouse"))
            records = [ours, stored[0], record({"bad": Unprintable()}), valued_as("bad"), *stored[1:]]
            answer = exporter.deliver(records, token="b-2", first_attempt_ns=0)
            reasons = {index: why.partition(":")[0] for index, why in answer.rejected.items()}
            assert reasons == {0: "reentrant", 2: "encode", 3: "violated_constraint"}
            assert store.rows() == (3, 3, 3)

    def test_by_an_attempt_before_the_rule(self, way, make, lines):
        """As long as that one may be under way, the batch waits; then what is stored is not asked for."""
        with new_store(way, partition_by="ActorType") as store:
            exporter, records = make(store.url), batch(kinds=4)
            client = connect(store.url)
            settings = {**INSERT_SETTINGS, "insert_deduplication_token": "b-1"}
            client.insert("events", encode_logs([r for r in records if kind(r) < "kind-2"], ACTORS), settings)
            store.admin.command("ALTER TABLE events ADD CONSTRAINT c CHECK ActorType NOT IN ('kind-0', 'kind-2')")
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=time.time_ns())
            assert (answer.status, answer.reason) == ("retry", "violated_constraint")
            assert "A part of the block is stored, the rest refused" in answer.detail
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=time.time_ns() - 61 * 10**9)
            assert [kind(records[index]) for index in answer.rejected] == ["kind-2"] * 10
            assert store.rows() == (30, 30, 30)
            assert (
                sum("10 records are refused, the others of their batch are stored" in line for line in lines())
                == 1
            )
            client.close()

    @pytest.mark.server
    @pytest.mark.parametrize("at", range(5))
    @pytest.mark.parametrize("fault", [503, ("commit", 503), "commit, hang"], ids=["lost", "answer lost", "hangs"])
    def test_an_answer_that_gets_lost_in_between(self, server_url, make, serve_faults, fault, at):
        """The next attempt, by another process, goes on: each once."""
        with new_store(server_url, more=", CONSTRAINT c CHECK ActorType != 'bad'") as store:
            records = batch(12)
            make(store.url).deliver(records[:3], token="b-0", first_attempt_ns=None)
            records[7] = valued_as("bad")
            server = serve_faults(*["ok"] * at, fault, store=store.address)
            answers = list[Answer]()
            while len(answers) < 5 and (not answers or answers[-1].status == "retry"):
                exporter = make(store.behind(server), timeout_seconds=1 if fault == "commit, hang" else 20)
                answers.append(exporter.deliver(records, token="b-1", first_attempt_ns=0))
            assert [answer.status for answer in answers] == ["retry", "delivered"]
            assert [*answers[-1].rejected] == [7]
            assert store.rows() == (11, 11, 11)

    def test_what_a_spool_makes_of_it(self, way, make):
        """It is delivered but for one, which is named; nothing waits behind it."""
        with new_store(way, more=", CONSTRAINT c CHECK ActorType != 'bad'") as store:
            exporter, records = make(store.url), batch(6)
            exporter.deliver(records[:3], token="b-1/0", first_attempt_ns=None)
            records[4] = valued_as("bad")
            interrupt = Interrupt()
            deliverer = Deliverer(
                exporter, pace=Pace(), interrupt=interrupt, log=SpoolLog(), observe=lambda *_: interrupt.set()
            )
            whole = Batch(records, range(6), "b-1/rest", 0)
            outcome = deliverer.deliver(whole, split=pytest.fail, is_split=lambda _token: False)
            assert (outcome.complete, outcome.delivered, deliverer.retries) == (True, 5, 0)
            ((position, (reason, detail)),) = outcome.refused.items()
            assert (position, reason, "Constraint `c`" in detail) == (4, "violated_constraint", True)
            assert outcome.lost() == {"violated_constraint": 1}

    def test_rows_that_the_server_only_says_to_have(self, exporter_for):
        """A range's token may be one without its rows, too: they are sent under another one."""

        class Killed(StoreInMemory):
            """Takes whatever is sent under a range's token for stored."""

            def insert(self, table: str, columns: Any, settings: Any = None) -> None:
                if "bad" in columns.data[columns.names.index("ActorType")]:
                    raise BlockRefusedError("no", code="c")
                if "/rows-" not in settings["insert_deduplication_token"] or "/unstored" in str(settings):
                    super().insert(table, columns, settings)

        client, records = Killed(), batch(8)
        exporter = exporter_for(client=lambda: client, table="events", columns=ACTOR_COLUMNS)
        exporter.deliver(records[:2], token="b-0", first_attempt_ns=None)
        records[5] = valued_as("bad")
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=0)
        assert answer == Answer("delivered", rejected={5: "c: no"})
        assert len(client.rows()) == 7


def valued_as(actor_type: str) -> ReadableLogRecord:
    """A record with an id of its own."""
    return record(
        {"log.record.uid": str(uuid.uuid4()), "activity.actor.type": actor_type}, timestamp=TIME_NS + 5_000_000
    )


def large(megabytes: float, actor_type: str = "kind-0") -> ReadableLogRecord:
    """A record of that size."""
    body = uuid.uuid4().hex * int(megabytes * 2**20 / 32)
    attributes = {"log.record.uid": str(uuid.uuid4()), "activity.actor.type": actor_type}
    return record(attributes, timestamp=TIME_NS, body=body)


class TestMemory:
    """A block that takes more memory than the server gives to one statement, asked of the engine."""

    def test_a_large_block(self, way, make):
        """It is refused; pieces of it are taken."""
        with new_store(way) as store:
            exporter = make(store.url, settings={"max_memory_usage": 40_000_000})
            records = [large(1) for _ in range(32)]
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
            assert (answer.status, answer.reason) == ("refused", "memory_limit_exceeded")
            assert "Raise max_memory_usage" in answer.detail
            for first in range(0, 32, 4):
                token = f"b-1/{first}"
                answer = exporter.deliver(records[first : first + 4], token=token, first_attempt_ns=None)
                assert answer == Answer("delivered")
            assert store.rows() == (32, 32, 32)

    def test_a_large_record(self, way, make):
        """It is refused by itself."""
        with new_store(way) as store:
            exporter = make(store.url, settings={"max_memory_usage": 40_000_000})
            answer = exporter.deliver([large(32)], token="b-1", first_attempt_ns=None)
            assert (answer.status, answer.reason) == ("refused", "memory_limit_exceeded")

    def test_a_small_record(self, way, make):
        """Then none fits: that is nothing about this one, and it waits until somebody raises the limit."""
        with new_store(way, more=heavy_index(20_000_000)) as store:
            tight, records = make(store.url, settings={"max_memory_usage": 10_000_000}), batch(1)
            for first in (None, time.time_ns()):
                answer = tight.deliver(records, token="b-1", first_attempt_ns=first)
                assert (answer.status, answer.reason) == ("retry", "memory_limit_exceeded")
                assert "Raise max_memory_usage" in answer.detail
            assert make(store.url).deliver(records, token="b-1", first_attempt_ns=long_ago()) == Answer(
                "delivered"
            )
            assert store.rows() == (1, 1, 1)

    def test_some_partitions_are_stored_by_then(self, exporter_for):
        """No server of 26.9 leaves any, and none promises that: it is looked at, and nothing of it is doubled."""

        class Stopped(StoreInMemory):
            """Stores the first of two partitions, and the second where it is sent alone."""

            def insert(self, table: str, columns: Any, settings: Any = None) -> None:
                kinds = columns.data[columns.names.index("ActorType")]
                token = settings["insert_deduplication_token"]
                for one in sorted(set(kinds)):
                    rows = rows_of(columns, [row for row, of_row in enumerate(kinds) if of_row == one])
                    super().insert(table, rows, {"insert_deduplication_token": f"{token} {one}"})
                    if len(set(kinds)) > 1:
                        raise BlockRefusedError("no memory", code=MEMORY)

        client, records = Stopped(), batch(10, kinds=2)
        exporter = exporter_for(client=lambda: client, table="events", columns=ACTOR_COLUMNS)
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=None)
        assert (answer.status, answer.reason, len(client.rows())) == ("retry", "memory_limit_exceeded", 5)
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=time.time_ns() - 61 * 10**9)
        assert (answer, len(client.rows())) == (Answer("delivered"), 10)

    def test_a_view(self, way, make):
        """Behind the table nobody knows what is stored: the batch stays as it is."""
        with new_store(way) as store:
            store.admin.command("DROP TABLE view")
            store.admin.command(
                "CREATE MATERIALIZED VIEW view TO counts AS "
                "SELECT ActorType, max(length(repeat(toString(EventId), 900000))) AS Times "
                "FROM events GROUP BY ActorType"
            )
            exporter = make(store.url, settings={"max_memory_usage": 60_000_000})
            answer = exporter.deliver(batch(), token="b-1", first_attempt_ns=None)
            assert (answer.status, answer.reason) == ("retry", "memory_limit_exceeded")
            assert "while pushing to view" in answer.detail


class TestPresence:
    """A batch whose first attempt is so long ago that the table may have forgotten its token."""

    def test_nothing_is_sent_where_all_is_stored(self, way, make):
        """The token is forgotten, and still nothing is doubled."""
        with new_store(way, window=5, counts_window=5) as store:
            exporter, records = make(store.url), batch()
            exporter.deliver(records, token="b-1", first_attempt_ns=None)
            store.others(6)
            assert exporter.deliver(records, token="b-1", first_attempt_ns=long_ago()) == Answer("delivered")
            assert store.rows() == (ROWS, ROWS, ROWS)

    def test_without_a_look_it_is_doubled(self, way, make):
        """The control: the window is really over."""
        with new_store(way, window=5, counts_window=5) as store:
            exporter, records = make(store.url, presence_check_after_seconds=float("inf")), batch()
            exporter.deliver(records, token="b-1", first_attempt_ns=None)
            store.others(6)
            exporter.deliver(records, token="b-1", first_attempt_ns=long_ago())
            assert store.rows() == (2 * ROWS, ROWS, 2 * ROWS)

    def test_all_is_sent_where_nothing_is_stored(self, way, make):
        """The first attempt did not get there."""
        with new_store(way) as store:
            exporter, records = make(store.url), batch()
            assert exporter.deliver(records, token="b-1", first_attempt_ns=long_ago()) == Answer("delivered")
            assert exporter.deliver(records, token="b-1", first_attempt_ns=None) == Answer("delivered")
            assert store.rows() == (ROWS, ROWS, ROWS)

    @pytest.mark.parametrize("others", [0, 6], ids=["token known", "token forgotten"])
    def test_a_batch_of_which_some_partitions_are_stored(self, way, make, others):
        """The others follow, and nothing comes twice; neither from an attempt that nobody waits for any more."""
        with new_store(way, window=5, partition_by="ActorType") as store:
            exporter, records = make(store.url), batch(kinds=4)
            stored = [one for one in records if kind(one) < "kind-2"]
            client = connect(store.url)
            settings = {**INSERT_SETTINGS, "insert_deduplication_token": "b-1"}
            client.insert("events", encode_logs(stored, ACTORS), settings)
            store.others(others)
            for _ in range(2):
                assert exporter.deliver(records, token="b-1", first_attempt_ns=long_ago()) == Answer("delivered")
                assert store.rows()[:2] == (ROWS, ROWS)
            if not others:
                client.insert("events", encode_logs(records, ACTORS), settings)
                assert store.rows()[:2] == (ROWS, ROWS)
            client.close()

    def test_rows_that_were_erased_do_not_come_back(self, way, make, monkeypatch):
        """As far as the table remembers the token, and the server was not started since."""
        monkeypatch.setattr(delivery, "uptime_seconds", lambda _client: 30 * 86_400.0)
        with new_store(way) as store:
            exporter, records = make(store.url), batch()
            exporter.deliver(records, token="b-1", first_attempt_ns=None)
            store.admin.command("ALTER TABLE events DELETE WHERE ActorType = 'kind-1' SETTINGS mutations_sync = 2")
            left = store.rows()[0]
            exporter.deliver(records, token="b-1", first_attempt_ns=long_ago())
            assert (store.rows()[0], 0 < left < ROWS) == (left, True)

    @pytest.mark.server
    @pytest.mark.parametrize("when", ["soon", "long ago"])
    @pytest.mark.parametrize("kinds", [("kind-1",), ("kind-0", "kind-1", "kind-2")], ids=["a part", "all"])
    def test_a_token_without_its_rows(self, store, make, when, kinds):
        """A server that was killed may remember a block that it did not store: it gets it under another token."""
        check_after = math.inf if when == "soon" else 300
        exporter, records = make(store.url, presence_check_after_seconds=check_after), batch()
        exporter.deliver(records, token="b-1", first_attempt_ns=None)
        gone = ", ".join(f"'{kind}'" for kind in kinds)
        store.admin.command(f"ALTER TABLE events DELETE WHERE ActorType IN ({gone}) SETTINGS mutations_sync = 2")
        assert store.rows()[0] < ROWS
        for _ in range(2):
            assert exporter.deliver(records, token="b-1", first_attempt_ns=long_ago()) == Answer("delivered")
            assert store.rows()[:2] == (ROWS, ROWS)

    @pytest.mark.server
    def test_a_token_without_its_rows_again_and_again(self, store, make, monkeypatch):
        """Another token may be such a one, too; and that it never ends is no reason to give the batch up."""
        exporter, records = make(store.url), batch()
        exporter.deliver(records, token="b-1", first_attempt_ns=None)
        insert = delivery.Delivery._insert

        def stored_and_gone(self, client, columns, token):
            insert(self, client, columns, token)
            store.admin.command("ALTER TABLE events DELETE WHERE 1 SETTINGS mutations_sync = 2")

        with monkeypatch.context() as patch:
            patch.setattr(delivery.Delivery, "_insert", stored_and_gone)
            answer = exporter.deliver(records, token="b-1", first_attempt_ns=long_ago())
        assert (answer.status, answer.reason, store.rows()[0]) == ("retry", "unstored", 0)

    @pytest.mark.parametrize(
        ("seems_seconds", "uptime_seconds"),
        [(60, 20), (10, 20), (0, 20), (-240, 20), (-240, 10**6), (600, 1_800)],
        ids=["right", "put back", "by all of it", "into the future", "into the future, up for long", "by hours"],
    )
    @pytest.mark.parametrize("stored", [False, True])
    def test_a_token_without_its_rows_and_a_clock_that_was_put_back(
        self, exporter_for, seems_seconds, uptime_seconds, stored
    ):
        """How long ago the first attempt seems to be does not decide whether the server was killed since."""

        client, records = StoreInMemory(uptime_seconds), batch(3)
        exporter = exporter_for(client=lambda: client, table="events", columns=ACTOR_COLUMNS)
        exporter.deliver(records, token="b-1", first_attempt_ns=None)
        if not stored:
            client.blocks.clear()
        first = time.time_ns() - seems_seconds * 10**9
        assert exporter.deliver(records, token="b-1", first_attempt_ns=first) == Answer("delivered")
        assert len(client.rows()) == 3

    @pytest.mark.slow
    def test_a_clock_that_was_put_back(self, way, make):
        """A first attempt in the future: nobody knows how long ago it was."""
        with new_store(way, window=5, counts_window=5) as store:
            exporter, records = make(store.url), batch()
            exporter.deliver(records, token="b-1", first_attempt_ns=None)
            store.others(6)
            exporter.deliver(records, token="b-1", first_attempt_ns=time.time_ns() + HOUR_NS)
            assert store.rows() == (ROWS, ROWS, ROWS)

    @pytest.mark.server
    @pytest.mark.parametrize(
        ("page", "reason"),
        [
            (Answering(200, LOGIN), "not_clickhouse"),
            *((Answering(status, LOGIN), f"http_{status}") for status in (302, 400, 401, 403, 404, 413)),
            (STRANGER, "authentication_failed"),
        ],
    )
    def test_a_page_is_no_answer(self, store, make, serve_faults, page, reason):
        """A page instead of ids does not mean that nothing is stored, nor that it may never be asked."""
        server = serve_faults(store=store.address)
        exporter, records = make(store.behind(server)), batch()
        exporter.deliver(records, token="b-1", first_attempt_ns=None)
        server.question = page
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=long_ago())
        assert (answer.status, answer.reason, len(server.inserts)) == ("retry", reason, 1)
        server.question = None
        assert exporter.deliver(records, token="b-1", first_attempt_ns=long_ago()) == Answer("delivered")
        assert len(server.inserts) == 1

    @pytest.mark.server
    @pytest.mark.parametrize("asked", [b"system.tables", b"uptime()"])
    @pytest.mark.parametrize(
        ("failure", "reason"),
        [
            (BUSY, "too_many_simultaneous_queries"),
            (STRANGER, "authentication_failed"),
            (Answering(404, LOGIN), "http_404"),
            (Answering(401, LOGIN), "http_401"),
            (Answering(200, LOGIN), "not_clickhouse"),
            (Answering(200), "not_clickhouse"),
        ],
        ids=["busy", "stranger", "404", "401", "page", "nothing"],
    )
    def test_a_token_without_its_rows_and_nobody_who_says_so(
        self, store, make, serve_faults, asked, failure, reason
    ):
        """Whether the rows are looked for is a question, too: while it fails, nothing is delivered."""
        server = serve_faults(store=store.address)
        exporter, records = make(store.behind(server), presence_check_after_seconds=math.inf), batch()
        exporter.deliver(records, token="b-1", first_attempt_ns=None)
        store.admin.command("ALTER TABLE events DELETE WHERE 1 SETTINGS mutations_sync = 2")
        server.question, server.asked = failure, asked
        answer = exporter.deliver(records, token="b-1", first_attempt_ns=long_ago())
        assert (answer.status, answer.reason, store.rows()[0]) == ("retry", reason, 0)
        server.question = None
        assert exporter.deliver(records, token="b-1", first_attempt_ns=long_ago()) == Answer("delivered")
        assert store.rows()[:2] == (ROWS, ROWS)

    @pytest.mark.parametrize(
        ("error", "answer"),
        [
            (RetryableError("no", code="access_denied"), Answer("delivered", "unchecked")),
            (PermanentError("no", code="readonly_setting"), Answer("delivered", "unchecked")),
            (RetryableError("down", code="no_answer"), Answer("retry", "no_answer", "down")),
            (PermanentError("too large", code="http_413"), Answer("retry", "http_413", "too large")),
        ],
    )
    def test_who_may_not_look(self, exporter_for, lines, error, answer):
        """It is sent with its token, at least once, and that is told once; who gets no answer waits for one."""

        class Blind(InMemoryClient):
            def command(self, sql: str, settings: Any = None) -> Any:
                raise error

        client = Blind()
        exporter = exporter_for(client=lambda: client, table="events", columns=ACTOR_COLUMNS)
        given = [exporter.deliver(batch(1), token=str(n), first_attempt_ns=long_ago()) for n in range(3)]
        assert given == [answer] * 3
        assert len(client.blocks) == (3 if answer.status == "delivered" else 0)
        assert len(lines()) == 1

    @pytest.mark.parametrize("columns", [None, ACTOR_COLUMNS])
    def test_records_without_an_id(self, exporter_for, lines, columns):
        """Nothing to look for: sent with the token, and told once."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client, table="events", columns=columns, create_schema=False)
        answers = [
            exporter.deliver([*batch(1), FULL_RECORD], token=str(n), first_attempt_ns=long_ago()) for n in range(2)
        ]
        assert answers == [Answer("delivered", "unchecked")] * 2
        (line,) = lines()
        assert line == (
            "Batches are sent to `events` without a look whether they are there. After a long time they may be "
            "stored twice, after a server was killed not at all: the mapping has no column of its own for the "
            "attribute log.record.uid, or a record has none"
        )


class TestRejected:
    def test_records_that_cannot_be_encoded(self, exporter_for):
        """They are left out by their index, also when they are not the first; the others arrive."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client)
        ours = record({}, scope=InstrumentationScope("otel_clickhouse"))
        records = [ours, record({"n": 1}), record({"bad": Unprintable()}), ours, record({"n": 2})]
        answer = exporter.deliver(records, token="t", first_attempt_ns=None)
        assert answer == Answer(
            "delivered",
            rejected={
                0: "reentrant",
                2: "encode: a record cannot be written as text (RuntimeError)",
                3: "reentrant",
            },
        )
        assert [row["LogAttributes"] for row in client.rows()] == [{"n": "1"}, {"n": "2"}]
        assert exporter.dropped() == {}

    def test_one_far_behind(self, exporter_for):
        """The index is that in the batch, however the batch is encoded."""
        records = [record({"n": n}) for n in range(1_200)]
        records[700] = records[1_100] = record({"bad": Unprintable()})
        answer = exporter_for(client=InMemoryClient).deliver(records, token="t", first_attempt_ns=None)
        assert [*answer.rejected] == [700, 1_100]

    def test_nothing_is_left(self, exporter_for):
        """Then nothing is sent."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client)
        answer = exporter.deliver([record({"bad": Unprintable()})], token="t", first_attempt_ns=None)
        assert (answer.status, [*answer.rejected], client.statements) == ("delivered", [0], [])

    def test_an_empty_batch(self, exporter_for):
        """Is delivered."""
        exporter = exporter_for(client=InMemoryClient)
        assert exporter.deliver([], token="t", first_attempt_ns=None) == Answer("delivered")

    def test_a_line_of_the_thread_that_exports(self, exporter_for):
        """It must not come back into the export that wrote it."""
        exporter = exporter_for(client=InMemoryClient)
        with REENTRANCY.exporting():
            answer = exporter.deliver([FULL_RECORD] * 2, token="t", first_attempt_ns=None)
        assert answer == Answer("delivered", rejected={0: "reentrant", 1: "reentrant"})

    def test_only_a_delivery_leaves_out(self, exporter_for):
        """While the batch is to come again, all of it does."""
        exporter = exporter_for(client=lambda: FailingClient([RetryableError("down", code="no_answer")]))
        answer = exporter.deliver([record({"bad": Unprintable()}), FULL_RECORD], token="t", first_attempt_ns=None)
        assert answer == Answer("retry", "no_answer", "down")


class TestAttempt:
    def test_is_one_insert_with_the_token(self, exporter_for):
        """No repetition, no wait."""
        client = FailingClient([RetryableError("down")] * 5)
        exporter = exporter_for(client=lambda: client)
        exporter.deliver([FULL_RECORD], token="given", first_attempt_ns=None)
        (block,) = client.attempts
        assert block.settings == {**INSERT_SETTINGS, "insert_deduplication_token": "given"}

    @pytest.mark.parametrize(
        ("error", "answer"),
        [
            (RetryableError("busy", code="c", retry_after_seconds=3.0), Answer("retry", "c", "busy", 3.0)),
            (RetryableError("busy"), Answer("retry", "unavailable", "busy")),
            (PermanentError("no column", code="c"), Answer("retry", "c", "no column")),
            (PermanentError("no column"), Answer("retry", "settings", "no column")),
            (BlockRefusedError("bad value", code="c"), Answer("refused", "c", "bad value")),
            (ZeroDivisionError("\x1b[31m?"), Answer("retry", "error", "ZeroDivisionError: \\x1b[31m?.")),
        ],
    )
    def test_what_is_answered(self, exporter_for, error, answer):
        """Only a block that is to blame itself is refused; what nobody thought of loses nothing."""
        exporter = exporter_for(client=lambda: FailingClient([error]))
        assert exporter.deliver([FULL_RECORD], token="t", first_attempt_ns=None) == answer
        assert exporter.dropped() == {}

    def test_preparation_that_fails(self, exporter_for):
        """The batch waits, and preparation is tried again."""
        errors = [OSError("no store yet"), PermanentError("no table"), None]

        def prepare(_client: Any) -> None:
            if (error := errors.pop(0)) is not None:
                raise error

        exporter = exporter_for(client=InMemoryClient, columns=ACTOR_COLUMNS, prepare=prepare)
        answers = [exporter.deliver([FULL_RECORD], token="t", first_attempt_ns=None) for _ in range(3)]
        assert [answer.status for answer in answers] == ["retry", "retry", "delivered"]

    def test_after_shutdown(self, exporter_for):
        """It stays for the next process."""
        exporter = exporter_for(client=InMemoryClient)
        exporter.shutdown()
        answer = exporter.deliver([FULL_RECORD], token="t", first_attempt_ns=None)
        assert (answer.status, answer.reason) == ("retry", "shutdown")

    def test_system_exit_in_a_thread(self, exporter_for):
        """The thread that delivers lives on."""
        exporter = exporter_for(client=lambda: FailingClient([SystemExit(1)]))
        answers: list[Answer] = []
        worker = threading.Thread(
            target=lambda: answers.append(exporter.deliver([FULL_RECORD], token="t", first_attempt_ns=None))
        )
        worker.start()
        worker.join(10)
        assert answers == [Answer("retry", "interrupted")]

    def test_the_main_thread_may_be_interrupted(self, exporter_for):
        """Ctrl-C passes."""
        exporter = exporter_for(client=lambda: FailingClient([KeyboardInterrupt()]))
        with pytest.raises(KeyboardInterrupt):
            exporter.deliver([FULL_RECORD], token="t", first_attempt_ns=None)
        assert exporter.force_flush(0) is True


class TestWindow:
    def test_is_looked_at_once(self, exporter_for):
        """Not before each insert, nor after."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client, table="d.t", columns=ACTOR_COLUMNS)
        for number in range(3):
            exporter.deliver(batch(1), token=str(number), first_attempt_ns=None)
        assert client.statements == [
            "SELECT engine, engine_full FROM system.tables WHERE database = 'd' AND name = 't'"
        ]

    @pytest.mark.parametrize(
        ("sql", "told"),
        [
            (
                "MergeTree ORDER BY n",
                "A batch whose answer gets lost is stored twice: `t` remembers no inserts: "
                "non_replicated_deduplication_window is 0. "
                "Run: ALTER TABLE t MODIFY SETTING non_replicated_deduplication_window = 10000",
            ),
            (
                "Memory",
                "A batch whose answer gets lost is stored twice: The engine Memory of `t` remembers no inserts. "
                "Use a table of the MergeTree family.",
            ),
            ("MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 10", None),
            ("Null", None),
        ],
    )
    def test_a_table_that_forgets_is_told_once(self, chdb_client, chdb_url, exporter_for, lines, sql, told):
        """It is no reason to fail."""
        url = f"{chdb_url}?database={chdb_client.database}"
        chdb_client.command(ACTOR_TABLE.format(engine=sql))
        exporter = exporter_for(url, table="t", columns=ACTOR_COLUMNS)
        for number in range(3):
            answer = exporter.deliver(batch(2), token=str(number), first_attempt_ns=None)
            assert answer == Answer("delivered")
        assert lines() == ([told] if told else [])


ACTOR_TABLE = """
CREATE TABLE t (n UInt8, Timestamp DateTime64(9), TraceId String, SpanId String, TraceFlags UInt8, SeverityText
    String, SeverityNumber UInt8, ServiceName String, ResourceSchemaUrl String, ScopeSchemaUrl String, ScopeName
    String, ScopeVersion String, EventName String, EventId UUID, ActorId String, ActorType String, ObjectId String,
    Outcome String, EventCount UInt64, DurationUs UInt64, HttpStatus UInt16, SampleWeight Float64, BodyTemplate
    String, Resource String, ScopeAttrs String, Attributes Map(String, String)) ENGINE = {engine}
"""


def run(code: str) -> str:
    """What a process prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
class TestElsewhere:
    def test_a_forked_child(self, tmp_path: Path):
        """Another process owns the engine; records stay on disk for it."""
        code = f"""
            import os, signal
            from tests.otel_clickhouse.records import FULL_RECORD
            from otel_clickhouse import ClickHouseLogExporter
            exporter = ClickHouseLogExporter("chdb://{tmp_path}/store")
            print(exporter.deliver([FULL_RECORD], token="t", first_attempt_ns=None).status, flush=True)
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)
                answer = exporter.deliver([FULL_RECORD], token="u", first_attempt_ns=None)
                print(answer.status, answer.reason, flush=True)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            exporter.shutdown()
        """
        assert run(code) == "delivered\nelsewhere forked_embedded\n"

    @pytest.mark.usefixtures("_chdb_engine")
    def test_a_store_that_another_process_has_open(self, chdb_url):
        """It owns the engine as long as it lives; the detail names it, and nothing was prepared or loaded."""
        code = f"""
            import sys
            from tests.otel_clickhouse.records import FULL_RECORD
            from otel_clickhouse import ClickHouseLogExporter
            prepared = []
            exporter = ClickHouseLogExporter({chdb_url!r}, create_schema=False, prepare=prepared.append)
            answer = exporter.deliver([FULL_RECORD], token="t", first_attempt_ns=None)
            print(answer.status, answer.reason, prepared, "chdb" in sys.modules)
            print(answer.detail)
        """
        folder = chdb_url.removeprefix("chdb://")
        assert run(code) == (
            "elsewhere locked_embedded [] False\n"
            f"The store {folder} is open in process {os.getpid()}. "
            "An embedded store serves one process: end that one, or let both send to a ClickHouse server.\n"
        )
