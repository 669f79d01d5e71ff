"""
Which errors deserve another attempt, and when. Pure, but for the waiting itself.

Every batch carries a deduplication token, so an attempt too many costs time and an attempt too few costs events.
That is why an error that is not in the table is tried again: only what certainly fails the same way is permanent.
What an operator can put right while the process runs (a missing table, column, database or grant) is tried again
as well; what this process would have to be restarted for (its password, its SQL) is not.

Attempts begin at once, then after random waits of up to 0.2, 0.4, 0.8 ... 5 seconds ("full jitter", so that many
processes do not come back together), until the deadline on the monotonic clock or an interrupt.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from otel_clickhouse.exceptions import GivenUpError, RetryableError

T = TypeVar("T")

_FIRST_WAIT_SECONDS: Final = 0.2
_LONGEST_WAIT_SECONDS: Final = 5.0


class Verdict(NamedTuple):
    """
    What to do about an error.

    Attributes:
        name: of the error, as ClickHouse calls it.
        reason: why another attempt helps, or does not.
        hint: what an operator can do about it.
    """

    name: str
    retryable: bool
    reason: str
    hint: str | None = None


def _again(name: str, reason: str, hint: str | None = None) -> Verdict:
    return Verdict(name, True, reason, hint)


def _never(name: str, reason: str, hint: str | None = None) -> Verdict:
    return Verdict(name, False, reason, hint)


_CREDENTIALS: Final = "Check the user and the password of the DSN."

#: ClickHouse's error codes (src/Common/ErrorCodes.cpp; names and numbers checked against 26.9).
CODES: Final[Mapping[int, Verdict]] = MappingProxyType(
    {
        # An operator can put it right while we wait.
        60: _again("UNKNOWN_TABLE", "someone may create it", "Create the table, or let create_schema do it."),
        81: _again("UNKNOWN_DATABASE", "someone may create it", "Create the database, or change the DSN."),
        16: _again("NO_SUCH_COLUMN_IN_TABLE", "a migration may add it", "Apply the migration that adds it."),
        497: _again("ACCESS_DENIED", "someone may grant it", "GRANT INSERT on the table to the user of the DSN."),
        218: _again("TABLE_IS_DROPPED", "someone may create it anew"),
        243: _again("NOT_ENOUGH_SPACE", "someone may free space", "Free space on the server's disk."),
        745: _again("SERVER_OVERLOADED", "load passes"),
        # The server is busy, short of something, or restarting.
        3: _again("UNEXPECTED_END_OF_FILE", "the connection broke while the block was sent"),
        32: _again("ATTEMPT_TO_READ_AFTER_EOF", "the connection broke while the block was sent"),
        33: _again("CANNOT_READ_ALL_DATA", "the connection broke while the block was sent"),
        40: _again("CHECKSUM_DOESNT_MATCH", "the block was damaged on its way"),
        159: _again("TIMEOUT_EXCEEDED", "the server may be faster next time"),
        173: _again("CANNOT_ALLOCATE_MEMORY", "memory becomes free"),
        201: _again("QUOTA_EXCEEDED", "quotas are per interval"),
        202: _again("TOO_MANY_SIMULTANEOUS_QUERIES", "queries end"),
        203: _again("NO_FREE_CONNECTION", "connections become free"),
        209: _again("SOCKET_TIMEOUT", "between servers of the cluster"),
        210: _again("NETWORK_ERROR", "between servers of the cluster"),
        236: _again("ABORTED", "the server is shutting down"),
        241: _again("MEMORY_LIMIT_EXCEEDED", "memory becomes free"),
        252: _again("TOO_MANY_PARTS", "merges catch up", "Send larger batches, or partition more coarsely."),
        279: _again("ALL_CONNECTION_TRIES_FAILED", "between servers of the cluster"),
        290: _again("LIMIT_EXCEEDED", "limits of the server are about what runs now"),
        364: _again("RECEIVED_ERROR_TOO_MANY_REQUESTS", "load passes"),
        394: _again("QUERY_WAS_CANCELLED", "someone killed it, or the server is shutting down"),
        439: _again("CANNOT_SCHEDULE_TASK", "threads become free"),
        574: _again("DISTRIBUTED_TOO_MANY_PENDING_BYTES", "the backlog is sent"),
        700: _again("USER_SESSION_LIMIT_EXCEEDED", "sessions end"),
        733: _again("TABLE_IS_BEING_RESTARTED", "it comes back"),
        749: _again("TCP_CONNECTION_LIMIT_REACHED", "connections end"),
        762: _again("HTTP_CONNECTION_LIMIT_REACHED", "connections end"),
        1019: _again("QUERY_SLOT_ACQUISITION_TIMEOUT", "slots become free"),
        1020: _again("MEMORY_RESERVATION_ACQUISITION_TIMEOUT", "memory becomes free"),
        # Replication; the token makes "perhaps written" harmless.
        225: _again("NO_ZOOKEEPER", "Keeper comes back"),
        242: _again("TABLE_IS_READ_ONLY", "the replica has lost Keeper for now"),
        254: _again("NO_ACTIVE_REPLICAS", "replicas come back"),
        285: _again("TOO_FEW_LIVE_REPLICAS", "replicas come back"),
        286: _again("UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE", "the earlier write completes"),
        319: _again("UNKNOWN_STATUS_OF_INSERT", "the token tells whether it was written"),
        999: _again("KEEPER_EXCEPTION", "Keeper comes back"),
        # Storage outside the server.
        499: _again("S3_ERROR", "object storage comes back"),
        500: _again("AZURE_BLOB_STORAGE_ERROR", "object storage comes back"),
        # This process would have to be started with other settings.
        192: _never("UNKNOWN_USER", "the DSN does not change", _CREDENTIALS),
        193: _never("WRONG_PASSWORD", "the DSN does not change", _CREDENTIALS),
        194: _never("REQUIRED_PASSWORD", "the DSN does not change", _CREDENTIALS),
        195: _never("IP_ADDRESS_NOT_ALLOWED", "our address does not change", "Allow this host for the user."),
        516: _never("AUTHENTICATION_FAILED", "the DSN does not change", _CREDENTIALS),
        164: _never("READONLY", "the user may not write", "Use a user whose profile does not have readonly."),
        291: _never("DATABASE_ACCESS_DENIED", "the user may not use the database", _CREDENTIALS),
        115: _never("UNKNOWN_SETTING", "we send the same settings again", "Check the argument settings=."),
        452: _never("SETTING_CONSTRAINT_VIOLATION", "we send the same settings again", "Check settings=."),
        471: _never("INVALID_SETTING_VALUE", "we send the same settings again", "Check settings=."),
        472: _never("READONLY_SETTING", "we send the same settings again", "Check settings=."),
        # The same block fails the same way.
        6: _never("CANNOT_PARSE_TEXT", "the block stays as it is"),
        8: _never("THERE_IS_NO_COLUMN", "the block stays as it is", "Compare mapping and table."),
        10: _never("NOT_FOUND_COLUMN_IN_BLOCK", "the block stays as it is"),
        15: _never("DUPLICATE_COLUMN", "the mapping stays as it is"),
        20: _never("NUMBER_OF_COLUMNS_DOESNT_MATCH", "the block stays as it is"),
        27: _never("CANNOT_PARSE_INPUT_ASSERTION_FAILED", "the block stays as it is"),
        36: _never("BAD_ARGUMENTS", "the statement stays as it is"),
        44: _never("ILLEGAL_COLUMN", "the block stays as it is"),
        47: _never("UNKNOWN_IDENTIFIER", "the statement stays as it is"),
        48: _never("NOT_IMPLEMENTED", "the server does not learn it"),
        50: _never("UNKNOWN_TYPE", "the server does not learn it"),
        53: _never("TYPE_MISMATCH", "the block stays as it is", "Compare the types in mapping and table."),
        62: _never("SYNTAX_ERROR", "the statement stays as it is"),
        70: _never("CANNOT_CONVERT_TYPE", "the block stays as it is", "Compare the types in mapping and table."),
        73: _never("UNKNOWN_FORMAT", "the server does not learn it"),
        117: _never("INCORRECT_DATA", "the block stays as it is"),
        131: _never("TOO_LARGE_STRING_SIZE", "the block stays as it is"),
        344: _never("SUPPORT_IS_DISABLED", "the server's settings forbid it"),
        392: _never("QUERY_IS_PROHIBITED", "the server's settings forbid it"),
        469: _never("VIOLATED_CONSTRAINT", "the block stays as it is"),
        565: _never("TOO_MANY_PARTITIONS", "the block stays as it is", "Use a coarser partition key."),
        774: _never("TABLE_IS_PERMANENTLY_READ_ONLY", "by its definition"),
    }
)  # fmt: skip

_UNKNOWN: Final = _again("unknown error", "the token makes another attempt harmless, giving up does not")
_NO_ANSWER: Final = _again("no answer", "servers and networks come back", "Check that the server of the DSN runs.")

_TEMPORARY_STATUSES: Final = frozenset({408, 425, 429})


def judge(code: int | None, http_status: int | None = None) -> Verdict:
    """
    What to do about an error.

    Args:
        code: ClickHouse's error code, when the server (or the embedded engine) gave one.
        http_status: of the answer, when it came without a code: from a proxy, or from something else.

    Neither means that there was no answer: refused, reset, timed out.
    """
    if code is not None:
        return CODES.get(code, _UNKNOWN)
    if http_status is None:
        return _NO_ANSWER
    name = f"HTTP status {http_status}"
    if http_status >= 500 or http_status in _TEMPORARY_STATUSES:
        return _again(name, "the status says: not now")
    return _never(
        name, "the status says: not like this", "Check that ClickHouse's HTTP port is at the DSN's address."
    )


class Interrupt:
    """
    Ends waits, for good. Like ``threading.Event``, but ``set`` may be called from a signal handler.

    An Event's lock would be taken twice by the thread that waits and runs the handler; ``SimpleQueue.put`` is
    documented to be reentrant.
    """

    def __init__(self) -> None:
        self._set = False
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """End the waits that are under way, and every later one at once. Idempotent."""
        self._set = True
        self._queue.put(None)

    def is_set(self) -> bool:
        """Whether ``set`` was called."""
        return self._set

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until ``set``. Returns ``is_set()``."""
        try:
            self._queue.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return self._set
        self._queue.put(None)  # for other threads that wait
        return True


def waits(rng: Callable[[], float] = random.random) -> Iterator[float]:
    """Seconds to wait before the second attempt, the third, and so on; ``rng`` gives numbers from 0 to 1."""
    longest = _FIRST_WAIT_SECONDS
    while True:
        yield rng() * longest
        longest = min(longest * 2, _LONGEST_WAIT_SECONDS)


def retry(
    attempt: Callable[[], T],
    *,
    deadline_seconds: float,
    interrupt: Interrupt,
    failed: Callable[[RetryableError], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    rng: Callable[[], float] = random.random,
) -> T:
    """
    Call ``attempt`` until it returns.

    Args:
        deadline_seconds: from now; no attempt begins later. (One that began before may take its own timeout.)
        interrupt: ends a wait that is under way; when it is set there is one attempt only.
        failed: told of each failed attempt that may be repeated.

    Raises:
        GivenUpError: from the last RetryableError.
        Exception: whatever else ``attempt`` raises, at once.
    """
    ends = clock() + deadline_seconds
    for wait in waits(rng):
        try:
            return attempt()
        except RetryableError as error:
            failed(error)
            if interrupt.is_set():
                raise GivenUpError("shutdown") from error
            if clock() + wait >= ends:
                raise GivenUpError("deadline") from error
            if interrupt.wait(wait):
                raise GivenUpError("shutdown") from error
    raise AssertionError("waits() never ends")  # pragma: no cover
