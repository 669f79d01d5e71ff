"""
One way to a ClickHouse server and to the embedded engine: clickhouse-connect, behind a protocol of three methods.

* A client belongs to the thread that uses it; neither its insert context nor the driver may be shared.
* The driver is imported and connected on first use, in that thread.
* An insert sends one block. Names and types are known, so no DESCRIBE goes before it, and the context that holds
  them is kept (measured on chDB: 0.01 ms instead of 1.4 ms a batch).
* The driver itself sends an insert again, once, when the connection closes without an answer, and has no switch
  for it. Our settings carry a deduplication token, so the second one changes nothing; apart from that,
  :mod:`otel_clickhouse.retry` alone decides.
* Every error of the driver leaves here as PermanentError or RetryableError, without credentials.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from otel_clickhouse import embedded
from otel_clickhouse.dsn import DSN, parse_dsn, redact
from otel_clickhouse.encoder import Columns
from otel_clickhouse.exceptions import ExporterError, PermanentError, RetryableError
from otel_clickhouse.reentrancy import quiet_driver
from otel_clickhouse.retry import judge

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client as Driver
    from clickhouse_connect.driver.insert import InsertContext

_STATUS: Final = re.compile(r"HTTP status (\d{3})")
_LONGEST_MESSAGE: Final = 500


class Client(Protocol):
    """What an exporter needs of a database."""

    def command(self, sql: str, settings: Mapping[str, Any] | None = None) -> Any:
        """
        Run a statement.

        Returns:
            What it prints: a number, a text, or several texts.

        Raises:
            RetryableError, PermanentError: it did not succeed.
        """

    def insert(self, table: str, columns: Columns, settings: Mapping[str, Any] | None = None) -> None:
        """
        Write one block, whole or not at all.

        Args:
            table: as it stands in SQL, quoted where that is needed.
            settings: of this insert.

        Raises:
            RetryableError, PermanentError: it did not succeed, or nobody knows whether it did.
        """

    def close(self) -> None:
        """Let go of the connection. Idempotent; the client may be used again, and connects again."""


def connect(dsn: str | DSN, *, timeout_seconds: float = 10.0, settings: Mapping[str, Any] | None = None) -> Client:
    """
    A client of the database that the DSN names. Nothing is imported or opened yet.

    Args:
        timeout_seconds: how long one statement may wait for a server.
        settings: ClickHouse settings for every statement.

    Raises:
        ConfigurationError: the DSN is none of the accepted forms.
    """
    parsed = parse_dsn(dsn) if isinstance(dsn, str) else dsn
    return ClickHouseClient(parsed, timeout_seconds=timeout_seconds, settings=settings)


class ClickHouseClient:
    """A server or the embedded engine, by clickhouse-connect; see the top of this module."""

    def __init__(
        self, dsn: DSN, *, timeout_seconds: float = 10.0, settings: Mapping[str, Any] | None = None
    ) -> None:
        self._dsn = dsn
        self._timeout_seconds = timeout_seconds
        self._settings = dict(settings or {})
        self._driver: Driver | None = None
        self._context: InsertContext | None = None

    def __repr__(self) -> str:
        return f"ClickHouseClient({str(self._dsn)!r})"

    @property
    def driver(self) -> Driver:
        """
        The driver's own client, for what the protocol does not offer. Connects first where needed.

        Raises:
            RetryableError, PermanentError: it cannot connect.
        """
        if self._driver is None:
            try:
                self._driver = self._embedded() if self._dsn.embedded else self._server()
                quiet_driver()
            except Exception as error:
                raise translate(error, self._dsn) from error
        return self._driver

    def command(self, sql: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Run a statement; see the protocol."""
        driver = self.driver
        try:
            return driver.command(sql, settings=dict(settings or {}))
        except Exception as error:
            raise translate(error, self._dsn) from error

    def insert(self, table: str, columns: Columns, settings: Mapping[str, Any] | None = None) -> None:
        """Write one block; see the protocol."""
        driver = self.driver
        try:
            context = self._context_for(driver, table, columns)
            context.settings = dict(settings or {})
            driver.insert(data=columns.data, context=context)
        except Exception as error:
            self._context = None
            raise translate(error, self._dsn) from error

    def close(self) -> None:
        """Let go of the connection; see the protocol."""
        driver, self._driver, self._context = self._driver, None, None
        if driver is not None:
            driver.close()

    def _context_for(self, driver: Driver, table: str, columns: Columns) -> InsertContext:
        context = self._context
        if context is None or (context.table, context.column_names) != (table, columns.names):
            context = self._context = driver.create_insert_context(
                table, columns.names, column_type_names=columns.types, column_oriented=True
            )
        context.req_block_size = max(columns.rows, 1)  # one batch is one block, whatever its size
        return context

    def _server(self) -> Driver:
        import clickhouse_connect
        from urllib3 import Timeout

        quiet_driver()  # it would log each refused connection, and we say it once

        dsn = self._dsn
        options: dict[str, Any] = dict(dsn.options)
        client: Any = clickhouse_connect.get_client(
            interface="https" if dsn.secure else "http",
            host=dsn.host,
            port=dsn.port,
            username=dsn.username or None,
            password=dsn.password,
            database=dsn.database or None,
            settings=dict(self._settings),
            connect_timeout=math.ceil(self._timeout_seconds),
            send_receive_timeout=math.ceil(self._timeout_seconds),
            client_name="otel-clickhouse",
            autogenerate_session_id=False,
            query_retries=0,
            dedicated_pool=True,
            **options,
        )
        client.timeout = Timeout(connect=self._timeout_seconds, read=self._timeout_seconds)
        client.http_retries = 0
        return client  # type: ignore[no-any-return]

    def _embedded(self) -> Driver:
        embedded.refuse_inherited_engine()
        if self._dsn.path:
            embedded.refuse_locked(self._dsn.path)
        import clickhouse_connect

        return clickhouse_connect.get_client(
            interface="chdb",
            path=self._dsn.path or None,
            database=self._dsn.database or None,
            settings=dict(self._settings),
        )


def translate(error: Exception, dsn: DSN) -> ExporterError:
    """
    The driver's error as one of ours, on one line, without credentials. Errors of ours stay as they are.

    Without a code and without a status there was no answer; and what the driver raises before it sends anything
    (a value it cannot write, an option it does not know) is permanent.
    """
    if isinstance(error, ExporterError):
        return error
    if isinstance(error, ImportError):
        hint = "Run: pip install chdb" if dsn.embedded else "Run: pip install clickhouse-connect"
        return PermanentError(f"The driver of {dsn} is missing: {_one_line(str(error), dsn)}", hint=hint)
    from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

    text = str(error)
    code = getattr(error, "code", None)
    status = _STATUS.search(text)
    if code is None and status is None and type(error) not in (DatabaseError, OperationalError):
        return _engine_error(text, dsn) if dsn.embedded and "chdb engine" in text else _not_sent(error, dsn)
    verdict = judge(code, int(status[1]) if status else None)
    what = text if code is not None or status else _innermost(error)
    kind = RetryableError if verdict.retryable else PermanentError
    return kind(f"{dsn}: {verdict.name}: {_one_line(what, dsn)}", hint=verdict.hint)


def _not_sent(error: Exception, dsn: DSN) -> PermanentError:
    return PermanentError(f"{dsn}: {type(error).__name__}: {_one_line(str(error), dsn)}")


def _engine_error(text: str, dsn: DSN) -> ExporterError:
    if "already" in text:  # another path is open in this process; it stays so
        return PermanentError(
            f"{dsn} cannot be opened: this process has another embedded store open.",
            hint="A process has one: use the same folder everywhere, or a ClickHouse server.",
        )
    return RetryableError(
        f"{dsn} cannot be opened: {_one_line(text.partition(', Stack trace')[0], dsn)}",
        hint="Check that the folder can be written and that no other process has it open.",
    )


def _innermost(error: BaseException) -> str:
    """What the operating system said; the driver and urllib3 wrap it in texts with the whole URL."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}"


def _one_line(text: str, dsn: DSN) -> str:
    line = redact(" ".join(text.split()))
    if dsn.password:
        line = line.replace(dsn.password, "***")
    if len(line) > _LONGEST_MESSAGE:
        return f"{line[:_LONGEST_MESSAGE]}..."
    return line if line.endswith(".") else f"{line}."
