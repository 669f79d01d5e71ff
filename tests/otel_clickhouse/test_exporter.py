"""The exporter as a whole: what arrives, what is tried again, what is counted as lost, and what stays secret."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_clickhouse import ClickHouseLogExporter, ConfigurationError, PermanentError, RetryableError
from otel_clickhouse.client import ClickHouseClient
from otel_clickhouse.dsn import parse_dsn
from otel_clickhouse.insert_settings import INSERT_SETTINGS
from otel_clickhouse.mapping import TableMapping
from otel_clickhouse.schema import otel_logs_sql
from otel_clickhouse.testing import FailingClient, InMemoryClient
from tests.otel_clickhouse.fault_server import Answering
from tests.otel_clickhouse.records import ACTOR_COLUMNS, FULL_RECORD, record
from tests.otel_clickhouse.test_encoder import Unprintable

SUCCESS, FAILURE = LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE


class IntoOpenTelemetry(logging.Handler):
    """Routes the lines of all loggers into OpenTelemetry, as applications do."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__(logging.DEBUG)
        self.provider = provider
        self.routed: list[str] = []

    def emit(self, given: logging.LogRecord) -> None:
        self.routed.append(given.name)
        self.provider.get_logger(given.name).emit(
            body=given.getMessage(), severity_number=SeverityNumber.INFO, timestamp=1
        )


def _tokens(client: FailingClient) -> list[str]:
    return [str(block.settings["insert_deduplication_token"]) for block in client.attempts]


class TestExport:
    def test_a_batch_is_one_insert(self, exporter_for):
        """All records of a batch go into one block, with its settings."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client)
        assert exporter.export([FULL_RECORD, record({"n": 2})]) is SUCCESS
        (block,) = client.blocks
        assert (block.table, block.columns.rows) == ("`otel_logs`", 2)
        token = block.settings["insert_deduplication_token"]
        assert block.settings == {**INSERT_SETTINGS, "insert_deduplication_token": token}
        assert exporter.dropped() == {}

    def test_every_batch_has_a_token_of_its_own(self, exporter_for):
        """Batches that are alike are not taken for repetitions."""
        client = FailingClient([])
        exporter = exporter_for(client=lambda: client)
        for _ in range(3):
            exporter.export([FULL_RECORD])
        assert len(set(_tokens(client))) == 3

    def test_an_empty_batch_sends_nothing(self, exporter_for):
        """Nothing to write, nothing to fail."""
        client = InMemoryClient()
        assert exporter_for(client=lambda: client).export([]) is SUCCESS
        assert (client.blocks, client.statements) == ([], [])

    def test_columns_of_ones_own(self, exporter_for):
        """With a mapping the typed columns are filled, and no table is created."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client, table="db.events", columns=ACTOR_COLUMNS)
        exporter.export([record({"user.id": "7"}, body="7 came")])
        assert client.statements == []
        (row,) = client.rows("`db`.`events`")
        assert (row["ActorId"], row["ActorType"], row["BodyTemplate"]) == ("7", "user", "\x01 came")

    def test_the_table_is_created_once(self, exporter_for):
        """Before the first insert, and not before each."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client)
        exporter.export([FULL_RECORD])
        exporter.export([FULL_RECORD])
        (statement,) = client.statements
        assert "CREATE TABLE IF NOT EXISTS `otel_logs`" in statement

    def test_the_table_is_not_created_unless_asked(self, exporter_for):
        """Production users have no right to."""
        client = InMemoryClient()
        exporter_for(client=lambda: client, create_schema=False).export([FULL_RECORD])
        assert client.statements == []

    def test_preparation_that_fails_is_repeated(self, exporter_for):
        """The store may be there a moment later; the batch waits for it."""
        client, calls = InMemoryClient(), []

        def prepare(given: Any) -> None:
            calls.append(given)
            if len(calls) < 3:
                raise OSError("no store yet")

        exporter = exporter_for(client=lambda: client, columns=ACTOR_COLUMNS, prepare=prepare)
        assert exporter.export([FULL_RECORD]) is SUCCESS
        assert exporter.export([FULL_RECORD]) is SUCCESS
        assert calls == [client, client, client]
        assert len(client.blocks) == 2


class TestRetry:
    def test_the_same_block_with_the_same_token(self, exporter_for):
        """Attempts are repetitions: neither rows nor token change."""
        client = FailingClient([RetryableError("busy"), RetryableError("busy"), None])
        assert exporter_for(client=lambda: client).export([FULL_RECORD]) is SUCCESS
        assert len(client.attempts) == 3
        assert len(set(_tokens(client))) == 1
        assert client.attempts[0].columns is client.attempts[2].columns

    def test_an_answer_that_got_lost_does_not_double(self, exporter_for):
        """The rows were written, the client was not told, and tries again."""
        client = FailingClient([(RetryableError("reset"), True), None])
        assert exporter_for(client=lambda: client).export([FULL_RECORD]) is SUCCESS
        assert (len(client.attempts), len(client.rows())) == (2, 1)

    def test_the_deadline_ends_it(self, exporter_for, lines):
        """What does not get through in time is counted, with its reason."""
        client = FailingClient(RetryableError("the server is busy") for _ in range(10_000))
        exporter = exporter_for(client=lambda: client, retry_deadline_seconds=0.3)
        assert exporter.export([FULL_RECORD, FULL_RECORD]) is FAILURE
        assert exporter.dropped() == {"deadline": 2}
        assert lines() == [
            "Export failed, trying again: the server is busy",
            "2 records dropped (deadline), 2 in all: the server is busy",
        ]

    def test_permanent_errors_are_not_repeated(self, exporter_for, lines):
        """One attempt, one line, and the count."""
        client = FailingClient([PermanentError("wrong type.", hint="Compare mapping and table.")])
        exporter = exporter_for(client=lambda: client)
        assert exporter.export([FULL_RECORD]) is FAILURE
        assert (len(client.attempts), exporter.dropped()) == (1, {"permanent": 1})
        assert lines() == ["1 records dropped (permanent), 1 in all: wrong type. Compare mapping and table."]

    def test_an_error_that_nobody_thought_of(self, exporter_for):
        """It is counted, and does not reach the processor."""
        client = FailingClient([ZeroDivisionError("?")])
        exporter = exporter_for(client=lambda: client)
        assert exporter.export([FULL_RECORD]) is FAILURE
        assert exporter.dropped() == {"permanent": 1}

    def test_an_interrupt_ends_the_wait(self, exporter_for):
        """Another thread, or a signal handler, ends a wait of up to five seconds."""
        failed = threading.Event()

        class Down(InMemoryClient):
            def insert(self, *_: Any) -> None:
                failed.set()
                raise RetryableError("down")

        exporter = exporter_for(client=Down, retry_deadline_seconds=3_600)
        worker = threading.Thread(target=exporter.export, args=([FULL_RECORD],))
        worker.start()
        assert failed.wait(10)
        exporter.interrupt()
        exporter.interrupt()
        worker.join(10)
        assert not worker.is_alive()
        assert exporter.dropped() == {"shutdown": 1}

    def test_after_an_interrupt_a_batch_has_one_attempt(self, exporter_for):
        """It gets through when the server is there."""
        client = FailingClient([RetryableError("down"), None])
        exporter = exporter_for(client=lambda: client)
        exporter.interrupt()
        assert [exporter.export([FULL_RECORD]), exporter.export([FULL_RECORD])] == [FAILURE, SUCCESS]
        assert exporter.dropped() == {"shutdown": 1}


class TestLosses:
    def test_a_record_that_cannot_be_encoded(self, exporter_for, lines):
        """It is counted, and the others arrive."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client)
        batch = [record({"n": 1}), record({"bad": Unprintable()}), record({"n": 2})]
        assert exporter.export(batch) is SUCCESS
        assert [row["LogAttributes"] for row in client.rows()] == [{"n": "1"}, {"n": "2"}]
        assert exporter.dropped() == {"encode": 1}
        assert lines() == [
            "1 records dropped (encode), 1 in all: a record cannot be written as text (RuntimeError)"
        ]

    def test_losses_of_two_kinds_add_up_to_the_batch(self, exporter_for):
        """Nothing is counted twice."""
        client = FailingClient([PermanentError("no")])
        exporter = exporter_for(client=lambda: client)
        exporter.export([record({"bad": Unprintable()}), FULL_RECORD, FULL_RECORD])
        assert exporter.dropped() == {"encode": 1, "permanent": 2}

    def test_a_line_a_minute_for_each_reason(self, exporter_for, lines):
        """An outage does not fill the log, and its beginning is in it."""
        client = FailingClient(PermanentError("no") for _ in range(100))
        exporter = exporter_for(client=lambda: client)
        for _ in range(100):
            exporter.export([FULL_RECORD])
        assert exporter.dropped() == {"permanent": 100}
        assert lines() == ["1 records dropped (permanent), 1 in all: no"]

    def test_system_exit_does_not_end_the_worker(self, exporter_for):
        """Whatever raises it below, the thread that exports lives on."""
        client = FailingClient([SystemExit(1), None])
        exporter = exporter_for(client=lambda: client)
        results: list[Any] = []
        worker = threading.Thread(target=lambda: results.extend(exporter.export([FULL_RECORD]) for _ in range(2)))
        worker.start()
        worker.join(10)
        assert results == [FAILURE, SUCCESS]
        assert exporter.dropped() == {"shutdown": 1}

    @pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt()])
    def test_the_main_thread_is_not_kept_from_ending(self, exporter_for, error):
        """Ctrl-C and a signal handler's exit pass, and the batch is counted."""
        exporter = exporter_for(client=lambda: FailingClient([error]))
        with pytest.raises(type(error)):
            exporter.export([FULL_RECORD])
        assert exporter.dropped() == {"shutdown": 1}
        assert exporter.force_flush(0) is True


class TestOwnLines:
    def _provider(self, exporter: ClickHouseLogExporter, processor: Callable[..., Any]) -> IntoOpenTelemetry:
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(processor(exporter))
        return IntoOpenTelemetry(provider)

    @pytest.mark.parametrize("processor", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
    def test_a_failing_export_does_not_feed_itself(self, exporter_for, processor):
        """Log lines about an export, routed into OpenTelemetry, do not become records to export."""
        client = FailingClient(PermanentError(str(n)) for n in range(100))
        exporter = exporter_for(client=lambda: client)
        handler = self._provider(exporter, processor)
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            handler.provider.get_logger("app").emit(body="hello")
            for _ in range(5):
                handler.provider.force_flush()
        finally:
            root.removeHandler(handler)
            handler.provider.shutdown()
        assert "otel_clickhouse" in handler.routed
        assert len(client.attempts) == 1
        assert exporter.dropped() == {"permanent": 1, "reentrant": 1}

    def test_lines_that_preparation_logs(self, exporter_for):
        """They come back in the thread that prepares, and must not wait for the preparation to end."""
        client = InMemoryClient()

        def prepare(_client: Any) -> None:
            logging.getLogger("app").warning("creating the table")

        exporter = exporter_for(client=lambda: client, prepare=prepare)
        handler = self._provider(exporter, SimpleLogRecordProcessor)
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            handler.provider.get_logger("app").emit(body="hello")
        finally:
            root.removeHandler(handler)
            handler.provider.shutdown()
        assert [row["Body"] for row in client.rows()] == ["hello"]
        assert exporter.dropped() == {"reentrant": 1}

    def test_the_drivers_lines_do_not_either(self, exporter_for, serve_faults):
        """Neither its warning for each failed attempt, nor its lines at level DEBUG for each that succeeds."""
        import clickhouse_connect.driver.httpclient  # noqa: F401 - it logs once, when it is imported

        server = serve_faults("reset", "reset", "ok")
        exporter = exporter_for(server.url, retry_deadline_seconds=20)
        handler = self._provider(exporter, BatchLogRecordProcessor)
        root = logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            handler.provider.get_logger("app").emit(body="hello")
            for _ in range(5):
                handler.provider.force_flush()
        finally:
            root.removeHandler(handler)
            root.setLevel(before)
            handler.provider.shutdown()
        assert len(server.inserts) == 3
        assert {name for name in handler.routed if not name.startswith("opentelemetry")} == {"otel_clickhouse"}


class TestOverTheWire:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "fault",
        [
            "reset",
            500,
            503,
            429,
            Answering(404, b"default backend - 404"),
            Answering(403, b"<html>Forbidden</html>"),
            ("exception", 241, "MEMORY_LIMIT_EXCEEDED"),
        ],
    )
    def test_faults_are_tried_again_with_the_same_token(self, exporter_for, serve_faults, fault):
        """Every attempt that the server sees is the same one."""
        server = serve_faults(fault, fault, fault, "ok")
        exporter = exporter_for(server.url)
        assert exporter.export([FULL_RECORD]) is SUCCESS
        assert len(server.inserts) == 4
        assert len({(insert.token, insert.body_bytes) for insert in server.inserts}) == 1
        assert len(server.inserts[0].token) == 36
        assert exporter.dropped() == {}

    def test_the_settings_are_on_the_wire(self, exporter_for, serve_faults):
        """What the server's profile says does not matter."""
        server = serve_faults()
        exporter_for(server.url, settings={"max_memory_usage": 1_000_000_000}).export([FULL_RECORD])
        sent = server.inserts[0].settings
        names = (*INSERT_SETTINGS, "max_memory_usage", "database")
        assert {name: sent[name] for name in names if name in sent} == {
            "async_insert": "0",
            "deduplicate_blocks_in_dependent_materialized_views": "1",
            "distributed_foreground_insert": "1",
            "throw_on_max_partitions_per_insert_block": "0",
            "max_memory_usage": "1000000000",
            "database": "logs",
        }
        assert "session_id" not in sent

    def test_a_server_of_an_older_release(self, exporter_for, serve_faults):
        """It refuses a setting that the one before knew; the batch is not lost for it."""
        from clickhouse_connect.driver.models import SettingDef

        text = (
            b"Code: 115. DB::Exception: Unknown setting 'deduplicate_insert'. (UNKNOWN_SETTING) (version 25.8.1.1)"
        )
        server = serve_faults(Answering(404, text, {"X-ClickHouse-Exception-Code": "115"}, by_clickhouse=True))
        client = ClickHouseClient(parse_dsn(server.url))
        client.driver.server_settings = {"deduplicate_insert": SettingDef("deduplicate_insert", "auto", 0)}
        exporter = exporter_for(server.url, client=lambda: client, create_schema=False)
        assert exporter.export([FULL_RECORD]) is SUCCESS
        assert ["deduplicate_insert" in insert.settings for insert in server.inserts] == [True, False]

    def test_a_server_that_hangs(self, exporter_for, serve_faults):
        """An attempt ends with its timeout, and the next one gets through."""
        server = serve_faults("hang", "ok")
        exporter = exporter_for(server.url, timeout_seconds=0.2)
        assert exporter.export([FULL_RECORD]) is SUCCESS
        assert len({insert.token for insert in server.inserts}) == 1

    def test_a_server_that_hangs_until_the_deadline(self, exporter_for, serve_faults):
        """Both limits hold; the loss is counted."""
        server = serve_faults(*["hang"] * 100)
        exporter = exporter_for(server.url, timeout_seconds=0.1, retry_deadline_seconds=0.3)
        assert exporter.export([FULL_RECORD]) is FAILURE
        assert exporter.dropped() == {"deadline": 1}
        assert 1 <= len(server.inserts) < 10

    def test_an_interrupt_reaches_a_wait_between_attempts(self, exporter_for, serve_faults):
        """The worker comes back without the rest of its hour."""
        server = serve_faults(*[503] * 10_000)
        exporter = exporter_for(server.url, retry_deadline_seconds=3_600)
        worker = threading.Thread(target=exporter.export, args=([FULL_RECORD],))
        worker.start()
        assert server.arrived.acquire(timeout=20)
        exporter.shutdown()
        worker.join(20)
        assert not worker.is_alive()
        assert exporter.dropped() == {"shutdown": 1}

    def test_a_wrong_password_is_permanent(self, exporter_for, serve_faults, lines):
        """The process would have to be started anew."""
        server = serve_faults(("exception", 516, "AUTHENTICATION_FAILED"))
        exporter = exporter_for(server.url)
        assert exporter.export([FULL_RECORD]) is FAILURE
        assert (len(server.inserts), exporter.dropped()) == (1, {"permanent": 1})
        assert lines() == [
            "1 records dropped (permanent), 1 in all: "
            f"clickhouse://reader:***@127.0.0.1:{server.port}/logs: AUTHENTICATION_FAILED: "
            "Received ClickHouse exception, code: 516, server response: "
            "Code: 516. DB::Exception: said the server. "
            f"(AUTHENTICATION_FAILED) (version 26.9.2.1) (for url http://127.0.0.1:{server.port}). "
            "Check the user and the password of the DSN."
        ]

    def test_nobody_listens(self, exporter_for, serve_faults, lines):
        """The message says who does not answer, and what to check."""
        server = serve_faults()
        port = server.port
        server.close()
        exporter = exporter_for(f"clickhouse://127.0.0.1:{port}", retry_deadline_seconds=0.1)
        assert exporter.export([FULL_RECORD]) is FAILURE
        assert lines()[-1] == (
            f"1 records dropped (deadline), 1 in all: clickhouse://127.0.0.1:{port}: no answer: "
            "ConnectionRefusedError: [Errno 111] Connection refused. Check that the server of the DSN runs."
        )

    def test_a_missing_table_is_waited_for(self, exporter_for, server_url, lines):
        """An operator who creates it in time loses nothing; the log says what to do."""
        import clickhouse_connect

        admin = clickhouse_connect.get_client(dsn=server_url, autogenerate_session_id=False)
        exporter = exporter_for(server_url, table="created_later", create_schema=False, retry_deadline_seconds=60)
        worker = threading.Thread(target=exporter.export, args=([FULL_RECORD],))
        worker.start()
        try:
            while not lines():
                worker.join(0.01)
            admin.command(otel_logs_sql("created_later"))
            worker.join(30)
            assert admin.command("SELECT count() FROM created_later") == 1
        finally:
            admin.command("DROP TABLE IF EXISTS created_later")
            admin.close()
        assert "UNKNOWN_TABLE" in lines()[0]
        assert lines()[0].endswith("Create the table, or let create_schema do it.")


class TestShutdown:
    def test_closes_the_clients(self, exporter_for):
        """Twice is as good as once."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client)
        exporter.export([FULL_RECORD])
        exporter.shutdown()
        exporter.shutdown()
        assert client.closed == 1

    def test_later_batches_are_counted(self, exporter_for):
        """They are not sent, and not forgotten."""
        exporter = exporter_for(client=InMemoryClient)
        exporter.shutdown()
        assert exporter.export([FULL_RECORD]) is FAILURE
        assert exporter.dropped() == {"shutdown": 1}

    def test_a_client_in_use_is_closed_when_it_comes_back(self, exporter_for):
        """Shutdown pulls no connection from under an insert."""
        started, go_on = threading.Event(), threading.Event()

        class Slow(InMemoryClient):
            def insert(self, *given: Any) -> None:
                started.set()
                assert go_on.wait(10)
                super().insert(*given)

        client = Slow()
        exporter = exporter_for(client=lambda: client)
        worker = threading.Thread(target=exporter.export, args=([FULL_RECORD],))
        worker.start()
        assert started.wait(10)
        assert exporter.force_flush(1) is False
        exporter.shutdown()
        assert client.closed == 0
        go_on.set()
        assert exporter.force_flush(10_000) is True
        worker.join(10)
        assert (client.closed, len(client.rows())) == (1, 1)

    def test_threads_have_clients_of_their_own(self, exporter_for):
        """Two exports at a time never share one; one after the other do."""
        made: list[InMemoryClient] = []
        together = threading.Barrier(4)

        class Busy(InMemoryClient):
            def insert(self, *given: Any) -> None:
                together.wait(10)
                super().insert(*given)

        def make() -> InMemoryClient:
            made.append(Busy())
            return made[-1]

        exporter = exporter_for(client=make)
        for _ in range(2):
            threads = [threading.Thread(target=exporter.export, args=([FULL_RECORD],)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
        assert [len(client.blocks) for client in made] == [2, 2, 2, 2]


class TestConstructor:
    def test_imports_no_driver(self):
        """Importing and constructing costs what the OpenTelemetry SDK costs."""
        code = """
            import sys
            from otel_clickhouse import ClickHouseLogExporter
            ClickHouseLogExporter("chdb:///nowhere")
            ClickHouseLogExporter()
            print([name for name in ("clickhouse_connect", "chdb", "urllib3", "numpy") if name in sys.modules])
        """
        assert _run(code) == "[]\n"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"table": "a b"}, "The table 'a b' cannot be used."),
            ({"timeout_seconds": 0}, "timeout_seconds is 0. Accepted: a number of seconds above 0."),
            ({"retry_deadline_seconds": float("inf")}, "retry_deadline_seconds is inf."),
            ({"columns": {"x": 1}}, "columns has the unknown key 'x'."),
            ({"columns": TableMapping(other_attributes="Body")}, "The column 'Body' has two uses."),
            (
                {"columns": {}, "create_schema": True},
                "create_schema=True creates the Collector's columns, not those of columns=. "
                "Create the table yourself, or give prepare= a function that does.",
            ),
        ],
    )
    def test_wrong_settings_fail_at_once(self, arguments, message):
        """Not at the first export, where nobody looks."""
        with pytest.raises(ConfigurationError) as raised:
            ClickHouseLogExporter(**arguments)
        assert str(raised.value).startswith(message)

    def test_repr_hides_the_password(self):
        """It lands in logs and tracebacks."""
        exporter = ClickHouseLogExporter("clickhouse://writer:s3cr3t@host/db", table="x")
        assert repr(exporter) == "ClickHouseLogExporter('clickhouse://writer:***@host/db', table='`x`')"


class TestSecrets:
    def test_no_line_and_no_message_has_the_password(self, exporter_for, serve_faults, caplog):
        """Not even at level DEBUG, whatever the driver raises."""
        caplog.set_level(logging.DEBUG)
        server = serve_faults("reset", 500, ("exception", 60, "UNKNOWN_TABLE"), ("exception", 516, "X"), 401)
        exporter = exporter_for(server.url)
        exporter.export([FULL_RECORD])
        exporter.export([FULL_RECORD])
        server.close()
        down = exporter_for(server.url, retry_deadline_seconds=0.1)
        down.export([FULL_RECORD])
        assert exporter.dropped() == {"permanent": 2}
        assert down.dropped() == {"deadline": 1}
        assert "s3cr3t-canary" not in caplog.text + repr(exporter)


def _run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_child_of_an_interrupted_exporter_tries_once():
    """It ends with its parent, and must not wait for a server that is away."""
    code = """
        import os, signal
        from tests.otel_clickhouse.records import FULL_RECORD
        from otel_clickhouse import ClickHouseLogExporter
        exporter = ClickHouseLogExporter("clickhouse://127.0.0.1:1", retry_deadline_seconds=3_600)
        exporter.interrupt()
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            exporter.export([FULL_RECORD])
            print(dict(exporter.dropped()), flush=True)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """
    assert _run(code) == "{'shutdown': 1}\n"


class TestEmbedded:
    @pytest.mark.slow
    def test_a_forked_child_is_refused_and_says_why(self, tmp_path: Path):
        """chDB would hang there for good; the records are counted instead."""
        code = f"""
            import os, signal
            from tests.otel_clickhouse.records import FULL_RECORD
            from otel_clickhouse import ClickHouseLogExporter
            exporter = ClickHouseLogExporter("chdb://{tmp_path}/store")
            print(exporter.export([FULL_RECORD]), flush=True)
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)
                print(exporter.export([FULL_RECORD, FULL_RECORD]), dict(exporter.dropped()), flush=True)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            print(exporter.export([FULL_RECORD]), dict(exporter.dropped()))
            exporter.shutdown()
        """
        assert _run(code) == (
            "LogRecordExportResult.SUCCESS\n"
            "LogRecordExportResult.FAILURE {'forked_embedded': 2}\n"
            "LogRecordExportResult.SUCCESS {}\n"
        )

    @pytest.mark.slow
    def test_a_process_that_forks_before_its_first_export(self, tmp_path: Path):
        """Where the engine was not imported yet, the child has one of its own."""
        code = f"""
            import os
            from tests.otel_clickhouse.records import FULL_RECORD
            from otel_clickhouse import ClickHouseLogExporter
            exporter = ClickHouseLogExporter("chdb://{tmp_path}/store")
            pid = os.fork()
            if pid == 0:
                print(exporter.export([FULL_RECORD]), dict(exporter.dropped()), flush=True)
                exporter.shutdown()
                raise SystemExit
            assert os.waitpid(pid, 0)[1] == 0
        """
        assert _run(code) == "LogRecordExportResult.SUCCESS {}\n"

    def test_a_store_that_another_process_has_open(self, exporter_for, chdb_url, lines):
        """The message names the process, where the engine says only BAD_ARGUMENTS."""
        code = f"""
            import logging
            from tests.otel_clickhouse.records import FULL_RECORD
            from otel_clickhouse import ClickHouseLogExporter
            logging.basicConfig(format="%(message)s")
            exporter = ClickHouseLogExporter({chdb_url!r}, retry_deadline_seconds=0.1)
            exporter.export([FULL_RECORD])
            print(dict(exporter.dropped()))
        """
        assert exporter_for(chdb_url, table="held").export([FULL_RECORD]) is SUCCESS
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, check=True
        )
        folder = chdb_url.removeprefix("chdb://")
        assert done.stdout == "{'deadline': 1}\n"
        assert done.stderr.splitlines()[-1] == (
            f"1 records dropped (deadline), 1 in all: The store {folder} is open in process {os.getpid()}. "
            "An embedded store serves one process: end that one, or let both send to a ClickHouse server."
        )

    def test_another_store_in_this_process(self, exporter_for, chdb_url, tmp_path: Path, lines):
        """A process has one engine."""
        assert exporter_for(chdb_url, table="held").export([FULL_RECORD]) is SUCCESS
        exporter = exporter_for(f"chdb://{tmp_path}")
        assert exporter.export([FULL_RECORD]) is FAILURE
        assert exporter.dropped() == {"permanent": 1}
        assert lines()[-1] == (
            f"1 records dropped (permanent), 1 in all: chdb://{tmp_path} cannot be opened: "
            "this process has another embedded store open. "
            "A process has one: use the same folder everywhere, or a ClickHouse server."
        )

    def test_a_disk_that_is_full_for_a_moment(self, exporter_for, chdb_url, monkeypatch):
        """Blocks go to the engine by way of a file."""
        exporter = exporter_for(chdb_url, table="held")
        assert exporter.export([FULL_RECORD]) is SUCCESS
        left = [OSError(errno.ENOSPC, "No space left on device"), MemoryError()]
        make = tempfile.NamedTemporaryFile

        def full(*args: Any, **options: Any) -> Any:
            if left:
                raise left.pop()
            return make(*args, **options)

        monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
        assert exporter.export([FULL_RECORD]) is SUCCESS
        assert (left, exporter.dropped()) == ([], {})


class TestScope:
    def test_records_of_our_own_logger_are_left_out(self, exporter_for):
        """They come back through a handler that routes all loggers into OpenTelemetry."""
        client = InMemoryClient()
        exporter = exporter_for(client=lambda: client)
        ours = record({}, scope=InstrumentationScope("otel_clickhouse"))
        assert exporter.export([ours, FULL_RECORD, ours]) is SUCCESS
        assert (len(client.rows()), exporter.dropped()) == (1, {"reentrant": 2})
