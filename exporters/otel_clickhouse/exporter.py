"""
The exporter: composes the other modules and decides nothing itself.

    batch ──encode_logs──> Columns ──Client.insert──> one INSERT of one block
                                         └─ again, with the same token, as retry.py says

A batch gets its deduplication token before its first attempt and keeps it, so an attempt whose answer was lost
may be repeated: where the table has a deduplication window, it arrives once.
"""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_clickhouse import environment_variables as env
from otel_clickhouse.client import Client, connect
from otel_clickhouse.dsn import parse_dsn
from otel_clickhouse.encoder import Columns, encode_logs
from otel_clickhouse.exceptions import ConfigurationError, GivenUpError, PermanentError
from otel_clickhouse.layout import OTEL_LOGS_LAYOUT, Layout, compile_layout
from otel_clickhouse.losses import Losses
from otel_clickhouse.mapping import TableMapping, check_mapping, parse_mapping
from otel_clickhouse.pool import ClientPool
from otel_clickhouse.reentrancy import LOGGER_NAME, exporting, is_exporting
from otel_clickhouse.retry import Interrupt, retry
from otel_clickhouse.schema import create_otel_logs, quoted_table

#: What every insert is sent with, whatever the server's profile says.
INSERT_SETTINGS: Final[Mapping[str, Any]] = {
    "async_insert": 0,  # the default since 26.2; it would merge batches and lose their tokens
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "distributed_foreground_insert": 1,  # on a cluster: the answer is that of the shards, not of a queue on disk
    "throw_on_max_partitions_per_insert_block": 0,  # an import may span years
}


class ClickHouseLogExporter(LogRecordExporter):
    """
    Writes log records to ClickHouse, or to the embedded engine.

    Args:
        dsn: where, see :mod:`otel_clickhouse.dsn`.
        table: ``table`` or ``database.table``.
        columns: which attribute has a column of its own, see :func:`otel_clickhouse.mapping.parse_mapping`;
            without it the table has the Collector's columns.
        create_schema: create the table where it does not exist. Only for the Collector's columns: a table with
            columns of yours is created by you, or by ``prepare``.
        prepare: called once in each process before the first insert, with a client that is not connected yet.
            When it raises, the batch waits and it is called again.
        timeout_seconds: how long one attempt may wait for the server.
        retry_deadline_seconds: after that a batch gets no further attempt.
        settings: ClickHouse settings for every statement.
        client: makes the clients, one for each export that is under way; for tests.

    Arguments that are None come from the environment, see :mod:`otel_clickhouse.environment_variables`.

    Raises:
        ConfigurationError: a setting cannot be used. The constructor does no I/O and imports no driver.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        table: str | None = None,
        columns: TableMapping | Mapping[str, Any] | None = None,
        create_schema: bool | None = None,
        prepare: Callable[[Client], None] | None = None,
        timeout_seconds: float | None = None,
        retry_deadline_seconds: float | None = None,
        settings: Mapping[str, Any] | None = None,
        client: Callable[[], Client] | None = None,
    ) -> None:
        self._dsn = parse_dsn(dsn or env.text(env.OTEL_EXPORTER_CLICKHOUSE_DSN, env.DEFAULT_DSN))
        self._table = quoted_table(table or env.text(env.OTEL_EXPORTER_CLICKHOUSE_TABLE, env.DEFAULT_TABLE))
        timeout, self._deadline_seconds = _times(timeout_seconds, retry_deadline_seconds)
        self._layout = _layout(columns)
        self._prepare = _preparation(self._table, columns is not None, create_schema, prepare)
        sent = dict(settings or {})
        self._connect = client or (lambda: connect(self._dsn, timeout_seconds=timeout, settings=sent))
        self._closed = False
        self._inherited: list[ClientPool] = []
        self._interrupt = Interrupt()
        self._begin_process()
        _renew_after_fork(self)

    def __repr__(self) -> str:
        return f"ClickHouseLogExporter({str(self._dsn)!r}, table={self._table!r})"

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """
        Write the batch, or count it as dropped. Never raises, except what interrupts the main thread.

        Returns:
            SUCCESS when every record that could be encoded is written; otherwise FAILURE, and :meth:`dropped` has
            the reason. It may take the retry deadline and one timeout.
        """
        if is_exporting():
            self._losses.add("reentrant", len(batch))
            return LogRecordExportResult.FAILURE
        with self._under_way(), exporting():
            return self._export([record for record in batch if not _is_own_line(record)], len(batch))

    def dropped(self) -> Mapping[str, int]:
        """
        Records given up so far in this process, by reason.

        ``permanent`` (the server refuses them), ``deadline`` (no success in time), ``shutdown`` (interrupted, or
        after shutdown), ``encode`` (not writable as text), ``forked_embedded`` (see
        :mod:`otel_clickhouse.embedded`), ``reentrant`` (log lines about the export itself).
        """
        return self._losses.counts()

    def interrupt(self) -> None:
        """End a wait between attempts; later exports try once. Idempotent, for signal handlers, too."""
        self._interrupt.set()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until no export is under way. Nothing is kept here, so there is nothing else to flush."""
        with self._idle:
            return self._idle.wait_for(lambda: self._exports == 0, timeout_millis / 1000)

    def shutdown(self) -> None:
        """Close the clients. An export that is under way gets no further attempt. Idempotent."""
        self._closed = True
        self._interrupt.set()
        self._pool.close()

    def _export(self, records: Sequence[ReadableLogRecord], given: int) -> LogRecordExportResult:
        if given != len(records):
            self._losses.add("reentrant", given - len(records))
        lost = len(records)
        reason, why = "shutdown", "the exporter is shut down"
        try:
            if not self._closed:
                columns = encode_logs(records, self._layout)
                if columns.skipped:
                    self._losses.add("encode", len(columns.skipped), columns.skipped[0])
                    lost -= len(columns.skipped)
                self._send(columns)
                return LogRecordExportResult.SUCCESS
        except PermanentError as error:
            reason, why = error.reason, str(error)
        except GivenUpError as error:
            reason, why = error.reason, str(error.__cause__)
        except Exception as error:  # noqa: BLE001 - counted; the SDK would lose the batch without a word
            reason, why = "permanent", f"{type(error).__name__}: {error}"
        except BaseException:
            self._losses.add("shutdown", lost, "interrupted")
            if threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, or sys.exit() in a signal handler
            return LogRecordExportResult.FAILURE  # SystemExit would end the SDK's worker for good
        if lost:
            self._losses.add(reason, lost, why)
        return LogRecordExportResult.FAILURE

    def _send(self, columns: Columns) -> None:
        if not columns.rows:
            return
        settings = {**INSERT_SETTINGS, "insert_deduplication_token": str(uuid.uuid4())}

        def attempt() -> None:
            with self._pool.lease() as client:
                client.insert(self._table, columns, settings)

        retry(
            attempt,
            deadline_seconds=self._deadline_seconds,
            interrupt=self._interrupt,
            failed=lambda error: self._losses.tell("retry", "Export failed, trying again: %s", error),
        )

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._idle:
            self._exports += 1
        try:
            yield
        finally:
            with self._idle:
                self._exports -= 1
                self._idle.notify_all()

    def _begin_process(self) -> None:
        """Make what belongs to one process: locks that are free, counts at zero, clients of its own."""
        self._losses = Losses()
        self._pool = ClientPool(self._connect, self._prepare)
        self._idle = threading.Condition()
        self._exports = 0

    def _after_fork(self) -> None:
        self._inherited.append(self._pool)  # kept, unused: its connections are the parent's
        interrupted, self._interrupt = self._interrupt.is_set(), Interrupt()
        if interrupted:
            self._interrupt.set()
        self._begin_process()


def _renew_after_fork(exporter: ClickHouseLogExporter) -> None:
    renew = weakref.WeakMethod(exporter._after_fork)

    def renew_if_alive() -> None:
        method = renew()
        if method is not None:
            method()

    os.register_at_fork(after_in_child=renew_if_alive)


def _is_own_line(record: ReadableLogRecord) -> bool:
    scope = record.instrumentation_scope
    return scope is not None and scope.name == LOGGER_NAME


def _times(timeout: float | None, deadline: float | None) -> tuple[float, float]:
    return (
        env.seconds(env.OTEL_EXPORTER_CLICKHOUSE_TIMEOUT, env.DEFAULT_TIMEOUT_SECONDS)
        if timeout is None
        else env.positive_seconds("timeout_seconds", timeout),
        env.seconds(env.OTEL_EXPORTER_CLICKHOUSE_RETRY_DEADLINE, env.DEFAULT_RETRY_DEADLINE_SECONDS)
        if deadline is None
        else env.positive_seconds("retry_deadline_seconds", deadline),
    )


def _layout(columns: TableMapping | Mapping[str, Any] | None) -> Layout:
    if columns is None:
        return OTEL_LOGS_LAYOUT
    if not isinstance(columns, TableMapping):
        return compile_layout(parse_mapping(columns))
    check_mapping(columns)
    return compile_layout(columns)


def _preparation(
    table: str, own_columns: bool, create_schema: bool | None, prepare: Callable[[Client], None] | None
) -> Callable[[Client], None] | None:
    if own_columns:
        if create_schema and prepare is None:
            raise ConfigurationError(
                "create_schema=True creates the Collector's columns, not those of columns=.",
                hint="Create the table yourself, or give prepare= a function that does.",
            )
        return prepare
    if create_schema is None:
        create_schema = env.boolean(env.OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA, env.DEFAULT_CREATE_SCHEMA)

    def create(client: Client) -> None:
        if prepare is not None:
            prepare(client)
        create_otel_logs(client, table)

    return create if create_schema else prepare
