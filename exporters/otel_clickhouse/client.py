"""
One way to a ClickHouse server and to the embedded engine: clickhouse-connect, behind a protocol of three methods.

* A client belongs to the thread that uses it; neither its insert context nor the driver may be shared.
* The driver is imported and connected on first use, in that thread.
* An insert sends one block. Names and types are known, so no DESCRIBE goes before it, and the context that holds
  them is kept (measured on chDB: 0.01 ms instead of 1.4 ms a batch).
* The driver itself sends an insert again, once, when the connection closes without an answer, and has no switch
  for it. Our settings carry a deduplication token, so the second one changes nothing; apart from that,
  :mod:`otel_clickhouse.retry` alone decides.
* The driver takes every status from 200 on for success, whoever answers: see :mod:`otel_clickhouse.http_answers`.
* The driver asks once which settings the server knows. When one is refused, the next statement connects anew: the
  server may be of another release by now, or the profile another one.
* Every error of the driver leaves here as PermanentError or RetryableError, without credentials. It does not send
  user and password of a proxy's URL, but quotes them: it gets the URL without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from otel_clickhouse import embedded
from otel_clickhouse.dsn import DSN, parse_dsn
from otel_clickhouse.encoder import Columns
from otel_clickhouse.exceptions import ExporterError, PermanentError
from otel_clickhouse.http_answers import HTTPAnswers
from otel_clickhouse.insert_settings import accepted_settings
from otel_clickhouse.reentrancy import REENTRANCY
from otel_clickhouse.translation import translate
from otel_clickhouse.unstored import forget_unstored
from otel_delivery.proxy_url import split_proxy_url, without_login

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client as Driver
    from clickhouse_connect.driver.insert import InsertContext

#: By the server; the last one by the driver itself, which knows what was readonly when it connected.
_SETTING_REFUSED: Final = frozenset(
    {
        "unknown_setting",
        "readonly",
        "setting_constraint_violation",
        "invalid_setting_value",
        "readonly_setting",
        "driver_error",
    }
)


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
        self._answers: HTTPAnswers | None = None
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
                REENTRANCY.quiet_drivers()
            except Exception as error:
                raise self._translated(error) from error
        return self._driver

    def command(self, sql: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Run a statement; see the protocol."""
        driver = self.driver
        try:
            return driver.command(sql, settings=dict(settings or {}))
        except Exception as error:
            raise self._translated(error) from error

    def insert(self, table: str, columns: Columns, settings: Mapping[str, Any] | None = None) -> None:
        """Write one block; see the protocol."""
        driver = self.driver
        answers = self._answers
        try:
            context = self._context_for(driver, table, columns)
            context.settings = accepted_settings(settings or {}, driver.server_settings)
            driver.insert(data=columns.data, context=context)
            if answers is not None:
                answers.check_insert(self._dsn)
        except Exception as error:
            self._context = None
            raise self._translated(error, inserting=True) from error

    def close(self) -> None:
        """Let go of the connection; see the protocol."""
        driver, self._driver, self._answers, self._context = self._driver, None, None, None
        if driver is not None:
            driver.close()

    def _translated(self, error: Exception, *, inserting: bool = False) -> ExporterError:
        answers = self._answers
        ours = translate(
            error,
            self._dsn,
            inserting=inserting,
            said=answers.text() if answers is not None and inserting else "",
            retry_after_seconds=None if answers is None else answers.retry_after_seconds(),
        )
        if ours.code in _SETTING_REFUSED and not self._dsn.embedded:
            self.close()
        return ours

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
        from urllib3 import Retry, Timeout

        REENTRANCY.quiet_drivers()  # it would log each refused connection, and we say it once

        self._answers = None  # those of an attempt that failed
        dsn = self._dsn
        options: dict[str, Any] = {**dsn.options, **_proxy(dsn)}
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
        client.http_retries = Retry(0, raise_on_redirect=False)  # a redirect is an answer, with a status
        self._answers = HTTPAnswers(client.http)
        return client  # type: ignore[no-any-return]

    def _embedded(self) -> Driver:
        embedded.refuse_inherited_engine()
        if self._dsn.path:
            embedded.refuse_locked(self._dsn.path)
            forget_unstored(self._dsn.path)
        import clickhouse_connect

        return clickhouse_connect.get_client(
            interface="chdb",
            path=self._dsn.path or None,
            database=self._dsn.database or None,
            settings=dict(self._settings),
        )


def _proxy(dsn: DSN) -> dict[str, str]:
    """
    The option with the proxy that the driver would take, from the DSN or the environment; empty for none.

    Raises:
        PermanentError: it cannot be used. The message does not repeat it.
    """
    from clickhouse_connect.driver.httputil import check_env_proxy

    for scheme in ("https", "http") if dsn.secure else ("http",):
        option = f"{scheme}_proxy"
        text = dsn.options.get(option) or check_env_proxy(scheme, dsn.host, dsn.port)
        if text:
            parts = split_proxy_url(text if "://" in text else f"{scheme}://{text}")
            if parts is None:
                raise PermanentError(
                    f"{dsn}: {option} cannot be used.",
                    hint="Accepted: http://host:port, https://host:port.",
                    code=option,
                )
            return {option: without_login(parts)}
    return {}
