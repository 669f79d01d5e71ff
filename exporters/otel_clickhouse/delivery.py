"""
One attempt to store a block under a given token, and what to make of its outcome.

    first attempt ─────────────────────> INSERT with the token ──> delivered | retry | refused | elsewhere
    a repetition, soon ────────────────> the same                  (the table remembers the token: stored once)
    a repetition, after a long time ──> which rows are there? ──> the others, with the same token
    some are there, the others refused ─> row by row, see :mod:`otel_clickhouse.halving`

The token stays the same when only some rows are sent: a table remembers it for each partition (and shard) by
itself, and what a partition has of a batch it has as a whole. So a piece that is missing is recognised also where
it arrives late, from an attempt that everybody had given up; where the replica that was asked lags behind; and
where rows were erased in the meantime, which must not come back.

A server that was killed may remember the token of a block that it did not store: see
:mod:`otel_clickhouse.unstored`, which mends stores of the embedded engine before they are opened. Other servers
are asked when they were started. If that was after the first attempt, or up to a day before it, as clocks are put
back, a success is looked at, and rows that are not there are sent under another token; rows that were erased
meanwhile come back then. (100 kills of such a server under load left two such tokens among 352 repeated batches;
none was lost, and a view lacked one of them.)

A block that takes more memory than the server gives to one statement is refused, and so halved. A single row of
less than a megabyte is not to blame for that: it waits until somebody raises the limit.

Where the mapping says String, the table may have a type into which texts are turned, such as IPv6 or an Enum. What
does not turn into it tells either of the event or of the mapping, for which no event is given up. So halves are
tried, and a single row waits, as a suspect, until the table has taken another one of this process.

What a view made of rows is not looked at. It may lack a batch that was being stored when the server was killed, or
count it twice where it had its part before: a store with such days has to compare its roll-ups with its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_clickhouse import embedded
from otel_clickhouse.client import Client
from otel_clickhouse.dsn import DSN
from otel_clickhouse.encoder import Columns
from otel_clickhouse.exceptions import BlockRefusedError, ExporterError, PermanentError, RetryableError
from otel_clickhouse.halving import Halving
from otel_clickhouse.insert_settings import INSERT_SETTINGS
from otel_clickhouse.layout import Layout
from otel_clickhouse.pool import ClientPool
from otel_clickhouse.presence import id_owner, missing_rows, rows_of
from otel_clickhouse.verdicts import MEMORY
from otel_clickhouse.window import forgets_blocks, is_unanswerable, uptime_seconds, why_doubled
from otel_delivery import Answer
from otel_delivery.answer import SUSPECT
from otel_delivery.losses import Losses

#: Sent again without a look whether it was there: at least once.
UNCHECKED: Final = "unchecked"

#: Behind the token of rows that are sent again under another one.
_UNSTORED: Final = "/unstored"
_MOST_TOKENS: Final = 8
#: A server that started so long before the first attempt is looked at, too: clocks are put back in between.
_PUT_BACK_SECONDS: Final = 86_400.0
#: So long may the first attempt still be storing what is missing.
_UNDER_WAY_SECONDS: Final = 60.0
#: A row that is smaller fits wherever any row does.
_SMALL_ROW: Final = 1_048_576


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
        self._halving = Halving()
        self._fits = False  # whether the table has taken rows of this layout in this process
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
        rejected: Mapping[int, str] = {}
        with self._pool.lease() as client:
            rows, reason = _all_of(columns), ""
            if self._is_old(first_attempt_ns, self._to.check_after_seconds):
                rows, reason = self._missing(client, columns)
            try:
                self._insert(client, _chosen(columns, rows), token)
            except BlockRefusedError as refusal:
                if first_attempt_ns is None and refusal.code != MEMORY:
                    raise
                rejected = self._after_refusal(
                    client, columns, refusal, token=token, sent=rows, first_attempt_ns=first_attempt_ns
                )
            self._look_at_window(client)
            if first_attempt_ns is not None:
                taken = _chosen(columns, [row for row in _all_of(columns) if row not in rejected])
                self._send_unstored(client, taken, token, first_attempt_ns)
        return Answer("delivered", reason=reason, rejected=rejected)

    def _insert(self, client: Client, columns: Columns, token: str) -> None:
        if not columns.rows:
            return
        try:
            client.insert(self._to.table, columns, {**INSERT_SETTINGS, "insert_deduplication_token": token})
            self._fits = True
        except BlockRefusedError as refusal:
            if refusal.code == MEMORY and columns.rows == 1 and len(repr(columns.data)) < _SMALL_ROW:
                raise RetryableError(refusal.message, hint=refusal.hint, code=refusal.code) from refusal
            if refusal.perhaps_all and columns.rows == 1 and not self._fits:
                raise RetryableError(refusal.message, hint=refusal.hint, code=SUSPECT) from refusal
            raise

    def _after_refusal(
        self,
        client: Client,
        columns: Columns,
        refusal: BlockRefusedError,
        *,
        token: str,
        sent: Sequence[int],
        first_attempt_ns: int | None,
    ) -> Mapping[int, str]:
        """
        What is refused now may be stored, or a part of it: by an attempt before limits and tables changed, under
        another token, or by this attempt until its memory did not suffice.
        """
        missing, _ = self._missing(client, columns)
        if len(missing) == columns.rows:
            raise refusal
        if not missing:
            return {}
        if not self._is_old(first_attempt_ns, _UNDER_WAY_SECONDS):
            raise _partly(refusal)
        owner = id_owner(self._to.layout)
        ids = columns.data[columns.names.index(owner.column)] if owner else ()
        self._halving.note(token, sent, refusal)
        rejected = self._halving.send(
            columns,
            missing,
            token,
            ids=ids,
            insert=lambda rows, name: self._insert(client, rows, name),
            look=lambda rows: self._missing(client, rows)[0],
        )
        for why in [*rejected.values()][:1]:
            line = "%d records are refused, the others of their batch are stored: %s"
            self._losses.tell(f"rejected {refusal.code}", line, len(rejected), why)
        return rejected

    def _send_unstored(self, client: Client, columns: Columns, token: str, first_attempt_ns: int) -> None:
        """Send what the server takes for stored, and has not: each of its ends may have left such a token."""
        if self._to.dsn.embedded or not forgets_blocks(client, self._to.table):
            return
        age_seconds = (self._to.clock_ns() - first_attempt_ns) / 1e9
        if age_seconds >= 0 and not 0 <= uptime_seconds(client) <= age_seconds + _PUT_BACK_SECONDS:
            return
        missing: Sequence[int] = ()
        for _ in range(_MOST_TOKENS):
            missing, reason = self._missing(client, columns)
            if reason or not missing:
                return
            token += _UNSTORED
            try:
                self._insert(client, _chosen(columns, missing), token)
            except BlockRefusedError as refusal:
                raise _partly(refusal) from refusal
        raise RetryableError(f"{len(missing)} rows are not there, though they were stored.", code="unstored")

    def _refuse_elsewhere(self) -> None:
        """Before anything loads the engine, ``prepare`` included."""
        if self._to.dsn.embedded:
            embedded.refuse_inherited_engine()
            if self._to.dsn.path:
                embedded.refuse_locked(self._to.dsn.path)

    def _is_old(self, first_attempt_ns: int | None, seconds: float) -> bool:
        """Whether the first attempt may be longer ago than that; a clock that was put back tells nothing."""
        if first_attempt_ns is None:
            return False
        age_ns = self._to.clock_ns() - first_attempt_ns
        return not 0 <= age_ns <= seconds * 1e9

    def _missing(self, client: Client, columns: Columns) -> tuple[Sequence[int], str]:
        try:
            missing = missing_rows(client.command, self._to.table, columns, self._to.layout)
            why = "the mapping has no column of its own for the attribute log.record.uid, or a record has none"
        except ExporterError as error:
            if not is_unanswerable(error):
                raise
            missing, why = None, str(error)
        if missing is None:
            self._tell_unchecked(why)
            return _all_of(columns), UNCHECKED
        self._fits = self._fits or len(missing) < columns.rows
        return missing, ""

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


def _all_of(columns: Columns) -> Sequence[int]:
    return range(columns.rows)


def _chosen(columns: Columns, rows: Sequence[int]) -> Columns:
    return columns if len(rows) == columns.rows else rows_of(columns, rows)


def _partly(refusal: BlockRefusedError) -> RetryableError:
    return RetryableError(f"A part of the block is stored, the rest refused: {refusal}", code=refusal.code)


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
