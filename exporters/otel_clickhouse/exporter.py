"""
The exporter: composes the other modules and decides nothing itself.

    batch ──encode_logs──> Columns ──Client.insert──> one INSERT of one block
                                         └─ again, with the same token, as retry.py says

A batch gets its deduplication token before its first attempt and keeps it, so an attempt whose answer was lost
may be repeated: where the table has a deduplication window, it arrives once. ``export`` draws the token and
repeats itself, for a limited time. ``deliver`` is one attempt for somebody who keeps batches and tokens for as
long as it takes (:mod:`otel_clickhouse.delivery`).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_clickhouse import arguments
from otel_clickhouse.client import Client, connect
from otel_clickhouse.delivery import Delivery, Destination
from otel_clickhouse.encoder import Columns, encode_logs
from otel_clickhouse.exceptions import GivenUpError, PermanentError
from otel_clickhouse.insert_settings import INSERT_SETTINGS
from otel_clickhouse.mapping import TableMapping
from otel_clickhouse.pool import ClientPool
from otel_clickhouse.reentrancy import REENTRANCY
from otel_clickhouse.retry import retry
from otel_clickhouse.translation import one_line
from otel_delivery import Answer
from otel_delivery.forks import at_each_fork
from otel_delivery.losses import Losses
from otel_delivery.printable import printable
from otel_delivery.rare_log import RareLog
from otel_delivery.under_way import UnderWay
from otel_delivery.waiting import Interrupt


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
        retry_deadline_seconds: after that a batch gets no further attempt by ``export``.
        presence_check_after_seconds: when ``deliver`` repeats a batch whose first attempt is longer ago, it asks
            first which records the table has. Infinity for never.
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
        presence_check_after_seconds: float | None = None,
        settings: Mapping[str, Any] | None = None,
        client: Callable[[], Client] | None = None,
    ) -> None:
        self._dsn = arguments.dsn_of(dsn)
        self._table = arguments.table_of(table)
        timeout = arguments.timeout_seconds(timeout_seconds)
        self._deadline_seconds = arguments.retry_deadline_seconds(retry_deadline_seconds)
        self._layout = arguments.layout_of(columns)
        check_after = arguments.presence_check_after_seconds(presence_check_after_seconds)
        self._destination = Destination(self._dsn, self._table, self._layout, check_after)
        self._prepare = arguments.preparation_of(
            self._table, own_columns=columns is not None, create_schema=create_schema, prepare=prepare
        )
        sent = dict(settings or {})
        self._connect = client or (lambda: connect(self._dsn, timeout_seconds=timeout, settings=sent))
        self._closed = False
        self._inherited: list[ClientPool] = []
        self._interrupt = Interrupt()
        self._begin_process()
        at_each_fork(self, after_in_child=lambda exporter: exporter._after_fork())

    def __repr__(self) -> str:
        return f"ClickHouseLogExporter({str(self._dsn)!r}, table={self._table!r})"

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """
        Write the batch, or count it as dropped. Never raises, except what interrupts the main thread.

        Returns:
            SUCCESS when every record that could be encoded is written; otherwise FAILURE, and :meth:`dropped` has
            the reason. It may take the retry deadline and one timeout.
        """
        if REENTRANCY.is_exporting():
            self._losses.add("reentrant", len(batch))
            return LogRecordExportResult.FAILURE
        with self._under_way.one(), REENTRANCY.exporting():
            return self._export([record for record in batch if not REENTRANCY.is_own_line(record)], len(batch))

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """
        Make one attempt to write a batch. Never raises, except what interrupts the main thread.

        Args:
            records: the same at each attempt, in the same order.
            token: the batch's deduplication token, the same at each attempt, by whichever process.
            first_attempt_ns: when the first attempt began, nanoseconds since the epoch, as its outcome is unknown;
                None at the first one.

        Returns:
            What became of it. Nothing is counted here: the answer has all of it.

        It may take two timeouts, and longer where a part of the batch is stored and the rest refused. Any number
        of threads may call it at the same time.
        """
        if REENTRANCY.is_exporting():
            return Answer("delivered", rejected=dict.fromkeys(range(len(records)), "reentrant"))
        with self._under_way.one(), REENTRANCY.exporting():
            try:
                return self._deliver(records, token, first_attempt_ns)
            except Exception as error:  # noqa: BLE001 - a mistake of ours loses no batch
                text = one_line(f"{type(error).__name__}: {error}", self._dsn)
                self._losses.tell("deliver error", "Not delivered (retry): %s", text)
                return Answer("retry", "error", printable(text))
            except BaseException:
                if threading.current_thread() is threading.main_thread():
                    raise  # Ctrl-C, or sys.exit() in a signal handler
                return Answer("retry", "interrupted")  # SystemExit would end the caller's worker for good

    def dropped(self) -> Mapping[str, int]:
        """
        Records that ``export`` gave up so far in this process, by reason.

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
        return self._under_way.wait_for_none(timeout_millis / 1000)

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
                    self._losses.add("encode", len(columns.skipped), next(iter(columns.skipped.values())))
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

    def _deliver(self, records: Sequence[ReadableLogRecord], token: str, first_attempt_ns: int | None) -> Answer:
        if self._closed:
            return Answer("retry", "shutdown", "The exporter is shut down.")
        kept = [index for index, record in enumerate(records) if not REENTRANCY.is_own_line(record)]
        rejected = dict.fromkeys(set(range(len(records))).difference(kept), "reentrant")
        columns = encode_logs([records[index] for index in kept], self._layout)
        rejected |= {kept[index]: f"encode: {why}" for index, why in columns.skipped.items()}
        answer = self._delivery.attempt(columns, token, first_attempt_ns) if columns.rows else Answer("delivered")
        if answer.status != "delivered":
            return answer
        rows = [index for position, index in enumerate(kept) if position not in columns.skipped]
        rejected |= {rows[row]: why for row, why in answer.rejected.items()}
        return replace(answer, rejected=rejected)

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

    def _begin_process(self) -> None:
        """Make what belongs to one process: locks that are free, counts at zero, clients of its own."""
        self._losses = Losses(RareLog(REENTRANCY.logger_name))
        self._pool = ClientPool(self._connect, self._prepare)
        self._delivery = Delivery(self._destination, self._pool, self._losses)
        self._under_way = UnderWay()

    def _after_fork(self) -> None:
        self._inherited.append(self._pool)  # kept, unused: its connections are the parent's
        self._interrupt = self._interrupt.renewed()
        self._begin_process()
