"""What the driver raises becomes one of two errors, on one line, without credentials."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    DataError,
    InternalError,
    OperationalError,
    ProgrammingError,
    StreamFailureError,
)

from otel_clickhouse.client import connect
from otel_clickhouse.dsn import parse_dsn
from otel_clickhouse.exceptions import ConfigurationError, PermanentError, RetryableError
from otel_clickhouse.translation import translate

SERVER = parse_dsn("clickhouse://me:s3cr3t@db/logs")
ENGINE = parse_dsn("chdb:///var/logs")


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class TestTranslate:
    @pytest.mark.parametrize(
        ("error", "kind", "message"),
        [
            (
                DatabaseError("Code: 60. DB::Exception:\n Table t does not exist.", code=60),
                RetryableError,
                "clickhouse://me:***@db/logs: UNKNOWN_TABLE: Code: 60. DB::Exception: Table t does not exist. "
                "Create the table, or let create_schema do it.",
            ),
            (
                DatabaseError("HTTP driver received HTTP status 502, server response: <html>"),
                RetryableError,
                "clickhouse://me:***@db/logs: HTTP status 502: "
                "HTTP driver received HTTP status 502, server response: <html>.",
            ),
            (
                DatabaseError("HTTP driver received HTTP status 404"),
                RetryableError,
                "clickhouse://me:***@db/logs: HTTP status 404: HTTP driver received HTTP status 404. "
                "Check that ClickHouse's HTTP port is at the DSN's address.",
            ),
            (
                _caused(OperationalError("Error ... /?query=..."), TimeoutError("timed out")),
                RetryableError,
                "clickhouse://me:***@db/logs: no answer: TimeoutError: timed out. "
                "Check that the server of the DSN runs.",
            ),
            (
                StreamFailureError("Stream ended unexpectedly"),
                RetryableError,
                "clickhouse://me:***@db/logs: no answer: StreamFailureError: Stream ended unexpectedly. "
                "Check that the server of the DSN runs.",
            ),
            *(
                (
                    error,
                    RetryableError,
                    f"clickhouse://me:***@db/logs: an answer that cannot be read: {said} "
                    "Check that ClickHouse's HTTP port is at the DSN's address, and what proxies between do.",
                )
                for error, said in (
                    (InternalError("Unrecognized type: <html>"), "InternalError: Unrecognized type: <html>."),
                    (RuntimeError("LZ4F_decompress failed"), "RuntimeError: LZ4F_decompress failed."),
                )
            ),
            (
                OSError(28, "No space left on device"),
                RetryableError,
                "clickhouse://me:***@db/logs: OSError: [Errno 28] No space left on device.",
            ),
            (MemoryError(), RetryableError, "clickhouse://me:***@db/logs: MemoryError: ."),
            (
                DataError("Failed to write column 'A'"),
                PermanentError,
                "clickhouse://me:***@db/logs: DataError: Failed to write column 'A'.",
            ),
            (
                ProgrammingError("http://me:s3cr3t@db says that s3cr3t is wrong"),
                PermanentError,
                "clickhouse://me:***@db/logs: ProgrammingError: http://***@db says that *** is wrong.",
            ),
            (
                DatabaseError("HTTP driver received HTTP status 502, server response: Basic bWU6czNjcjN0 s3cr3t"),
                RetryableError,
                "clickhouse://me:***@db/logs: HTTP status 502: "
                "HTTP driver received HTTP status 502, server response: Basic *** ***.",
            ),
            (
                ImportError("No module named 'clickhouse_connect'"),
                PermanentError,
                "The driver of clickhouse://me:***@db/logs is missing: No module named 'clickhouse_connect'. "
                "Run: pip install clickhouse-connect",
            ),
        ],
    )
    def test_errors_of_a_server(self, error, kind, message):
        """Who, what, and what to do next."""
        translated = translate(error, SERVER)
        assert type(translated) is kind
        assert str(translated) == message

    def test_the_engine_without_its_stack_trace(self):
        """The reason is in the first line of forty."""
        error = ProgrammingError("Unable to open the chdb engine at '/x': no such folder, Stack trace (when ...")
        translated = translate(error, ENGINE)
        assert type(translated) is RetryableError
        assert str(translated) == (
            "chdb:///var/logs cannot be opened: Unable to open the chdb engine at '/x': no such folder. "
            "Check that the folder can be written and that no other process has it open."
        )

    @pytest.mark.parametrize("error", [InternalError("no type"), RuntimeError("no"), TypeError("no")])
    def test_the_engine_has_no_network(self, error):
        """What it raises comes again."""
        assert type(translate(error, ENGINE)) is PermanentError

    def test_a_mistake_outside_of_the_values(self):
        """Only what is raised while a column is written speaks of the block."""
        assert type(translate(TypeError("no"), SERVER, inserting=True)) is RetryableError
        assert type(translate(TypeError("no"), ENGINE, inserting=True)) is PermanentError

    def test_a_long_message_is_cut(self):
        """A server may send a page."""
        assert len(str(translate(DatabaseError("x" * 10_000, code=53), SERVER))) < 700

    def test_our_own_errors_stay_as_they_are(self):
        """They are translated already."""
        error = PermanentError("no", reason="forked_embedded")
        assert translate(error, SERVER) is error


class TestConnect:
    def test_opens_nothing(self):
        """The first statement does."""
        client = connect("clickhouse://me:s3cr3t@nowhere.invalid/db")
        assert repr(client) == "ClickHouseClient('clickhouse://me:***@nowhere.invalid/db')"
        client.close()

    def test_checks_the_dsn(self):
        """At once, and not in the worker."""
        with pytest.raises(ConfigurationError):
            connect("nowhere")
