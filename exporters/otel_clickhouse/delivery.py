"""
One attempt to store a block under a given token, and what to make of its outcome.

    first attempt ─────────────────────> INSERT with the token ──> delivered | retry | refused | elsewhere
    a repetition, soon ────────────────> the same                  (the table remembers the token: stored once)
    a repetition, after a long time ──> which rows are there? ──> the others, with the same token

The token stays the same when only some rows are sent: a table remembers it for each partition (and shard) by
itself, and what a partition has of a batch it has as a whole. So a piece that is missing is recognised also where
it arrives late, from an attempt that everybody had given up; where the replica that was asked lags behind; and
where rows were erased in the meantime, which must not come back.

A server that was killed may remember the token of a block that it did not store: see
:mod:`otel_clickhouse.unstored`, which mends stores of the embedded engine before they are opened. Other servers
are asked when they were started. If that was after the first attempt, a success is looked at, and rows that are
not there are sent under another token; rows that were erased meanwhile come back then. (100 kills of such a server
under load left two such tokens among 352 repeated batches; none was lost, and a view lacked one of them.)

What a view made of rows is not looked at. It may lack a batch that was being stored when the server was killed, or
count it twice where it had its part before: a store with such days has to compare its roll-ups with its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from otel_clickhouse import embedded
from otel_clickhouse.client import Client
from otel_clickhouse.dsn import DSN
from otel_clickhouse.encoder import Columns
from otel_clickhouse.exceptions import BlockRefusedError, ExporterError, PermanentError, RetryableError
from otel_clickhouse.insert_settings import INSERT_SETTINGS
from otel_clickhouse.layout import Layout
from otel_clickhouse.pool import ClientPool
from otel_clickhouse.presence import missing_rows, rows_of
from otel_clickhouse.window import forgets_blocks, is_unanswerable, uptime_seconds, why_doubled
from otel_delivery import Answer
from otel_delivery.losses import Losses

#: Sent again without a look whether it was there: at least once.
UNCHECKED: Final = "unchecked"

#: Behind the token of rows that are sent again under another one.
_UNSTORED: Final = "/unstored"
_MOST_TOKENS: Final = 8
#: A server that started so long before the first attempt is looked at, too: it says whole seconds.
_STARTED_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Destination:
    """
    Where blocks go.

    Attributes:
        table: as it stands in SQL.
        check_after_seconds: how old the first attempt may be without a look at what the table has.
        clock_ns: nanoseconds since the epoch.
    """

    dsn: DSN
    table: str
    layout: Layout
    check_after_seconds: float
    clock_ns: Callable[[], int] = time.time_ns


class Delivery:
    """The attempts of one process. Thread-safe."""

    def __init__(self, destination: Destination, pool: ClientPool, losses: Losses) -> None:
        self._to = destination
        self._pool = pool
        self._losses = losses
        self._looked = False
        self._told_unchecked = False

    def attempt(self, columns: Columns, token: str, first_attempt_ns: int | None) -> Answer:
        """
        Store the block, or say why not.

        Args:
            columns: at least one row; the same at each attempt.
            token: the same at each attempt.
            first_attempt_ns: when the first attempt began, nanoseconds since the epoch; None for this one.
        """
        try:
            return self._attempt(columns, token, first_attempt_ns)
        except ExporterError as error:
            answer = _answer_of(error)
            self._losses.tell(f"deliver {answer.reason}", "Not delivered (%s): %s", answer.status, answer.detail)
            return answer

    def _attempt(self, columns: Columns, token: str, first_attempt_ns: int | None) -> Answer:
        self._refuse_elsewhere()
        with self._pool.lease() as client:
            missing, reason = columns, ""
            if self._is_old(first_attempt_ns):
                missing, reason = self._missing(client, columns)
            try:
                self._insert(client, missing, token)
            except BlockRefusedError as refusal:
                if first_attempt_ns is None:
                    raise
                self._check_refusal(client, columns, refusal)
            self._look_at_window(client)
            if first_attempt_ns is not None:
                self._send_unstored(client, columns, token, first_attempt_ns)
        return Answer("delivered", reason=reason)

    def _insert(self, client: Client, columns: Columns, token: str) -> None:
        if columns.rows:
            client.insert(self._to.table, columns, {**INSERT_SETTINGS, "insert_deduplication_token": token})

    def _check_refusal(self, client: Client, columns: Columns, refusal: BlockRefusedError) -> None:
        """What is refused now may be stored by an earlier attempt: limits and tables change in between."""
        missing, _ = self._missing(client, columns)
        if missing.rows == columns.rows:
            raise refusal
        if missing.rows:
            raise RetryableError(f"A part of the block is stored, the rest refused: {refusal}", code=refusal.code)

    def _send_unstored(self, client: Client, columns: Columns, token: str, first_attempt_ns: int) -> None:
        """Send what the server takes for stored, and has not: each of its ends may have left such a token."""
        if self._to.dsn.embedded or not forgets_blocks(client, self._to.table):
            return
        age_seconds = (self._to.clock_ns() - first_attempt_ns) / 1e9
        if not 0 <= uptime_seconds(client) <= age_seconds + _STARTED_SECONDS:
            return
        for _ in range(_MOST_TOKENS):
            missing, reason = self._missing(client, columns)
            if reason or not missing.rows:
                return
            token += _UNSTORED
            self._insert(client, missing, token)
        raise RetryableError(f"{missing.rows} rows are not there, though they were stored.", code="unstored")

    def _refuse_elsewhere(self) -> None:
        """Before anything loads the engine, ``prepare`` included."""
        if self._to.dsn.embedded:
            embedded.refuse_inherited_engine()
            if self._to.dsn.path:
                embedded.refuse_locked(self._to.dsn.path)

    def _is_old(self, first_attempt_ns: int | None) -> bool:
        """Whether the table may have forgotten the token; a clock that was put back tells nothing."""
        if first_attempt_ns is None:
            return False
        age_ns = self._to.clock_ns() - first_attempt_ns
        return not 0 <= age_ns <= self._to.check_after_seconds * 1e9

    def _missing(self, client: Client, columns: Columns) -> tuple[Columns, str]:
        try:
            missing = missing_rows(client.command, self._to.table, columns, self._to.layout)
            why = "the mapping has no column of its own for the attribute log.record.uid, or a record has none"
        except ExporterError as error:
            if not is_unanswerable(error):
                raise
            missing, why = None, str(error)
        if missing is None:
            self._tell_unchecked(why)
            return columns, UNCHECKED
        return (columns if len(missing) == columns.rows else rows_of(columns, missing)), ""

    def _tell_unchecked(self, why: str) -> None:
        if not self._told_unchecked:
            self._told_unchecked = True
            self._losses.tell(
                UNCHECKED,
                "Batches are sent to %s without a look whether they are there. After a long time they may be "
                "stored twice, after a server was killed not at all: %s",
                self._to.table,
                why,
            )

    def _look_at_window(self, client: Client) -> None:
        if not self._looked:
            self._looked = True
            if why := why_doubled(client, self._to.table):
                self._losses.tell("window", "A batch whose answer gets lost is stored twice: %s", why)


def _answer_of(error: ExporterError) -> Answer:
    detail = str(error)
    if error.code in (embedded.FORKED, embedded.LOCKED):
        return Answer("elsewhere", error.code, detail)
    if isinstance(error, BlockRefusedError):
        return Answer("refused", error.code or error.reason, detail)
    if isinstance(error, PermanentError):
        return Answer("retry", error.code or "settings", detail)
    wish = error.retry_after_seconds if isinstance(error, RetryableError) else None
    return Answer("retry", error.code or "unavailable", detail, wish)
