"""
What ClickHouse's errors mean for a batch. Pure: one table, with a reason for each row.

Three things can help, and which one it is decides what becomes of a batch:

* ``again``: another attempt. Every batch carries a deduplication token, so an attempt too many costs time and an
  attempt too few costs events; an error that is not in the table is therefore one of these. What an operator can
  put right while the process runs (a missing table, column, database or grant) belongs here, too.
* ``settings``: another password, user, mapping or schema. No batch succeeds before that, and none is to blame.
  Without a spool a process that has to be restarted for it cannot wait; with one the batch waits for the restart.
* ``block``: another block. The server looked at these very values, stored none of them, and would refuse them
  again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from otel_clickhouse.insert_settings import PINNED

Remedy = Literal["again", "settings", "block"]


class Verdict(NamedTuple):
    """
    What to do about an error.

    Attributes:
        name: of the error, as ClickHouse calls it.
        remedy: what helps, see the top of this module.
        reason: why another attempt helps, or does not.
        hint: what an operator can do about it.
    """

    name: str
    remedy: Remedy
    reason: str
    hint: str | None = None

    @property
    def retryable(self) -> bool:
        """Whether another attempt may succeed while this process runs."""
        return self.remedy == "again"

    @property
    def code(self) -> str:
        """The name as counters have it: ``unknown_table``, ``http_302``, ``unavailable``."""
        return self.name.lower().replace(" status ", "_").replace(" ", "_")


def _again(name: str, reason: str, hint: str | None = None) -> Verdict:
    return Verdict(name, "again", reason, hint)


def _settings(name: str, reason: str, hint: str | None = None) -> Verdict:
    return Verdict(name, "settings", reason, hint)


def _block(name: str, reason: str, hint: str | None = None) -> Verdict:
    return Verdict(name, "block", reason, hint)


_TYPES: Final = "Compare the types in mapping and table."
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
        192: _settings("UNKNOWN_USER", "the DSN does not change", _CREDENTIALS),
        193: _settings("WRONG_PASSWORD", "the DSN does not change", _CREDENTIALS),
        194: _settings("REQUIRED_PASSWORD", "the DSN does not change", _CREDENTIALS),
        195: _settings("IP_ADDRESS_NOT_ALLOWED", "our address does not change", "Allow this host for the user."),
        516: _settings("AUTHENTICATION_FAILED", "the DSN does not change", _CREDENTIALS),
        164: _settings("READONLY", "the user may not write", "Use a user whose profile does not have readonly."),
        291: _settings("DATABASE_ACCESS_DENIED", "the user may not use the database", _CREDENTIALS),
        115: _settings("UNKNOWN_SETTING", "we send the same settings again", "Check the argument settings=."),
        452: _settings("SETTING_CONSTRAINT_VIOLATION", "we send the same settings again", "Check settings=."),
        471: _settings("INVALID_SETTING_VALUE", "we send the same settings again", "Check settings=."),
        472: _settings("READONLY_SETTING", "we send the same settings again", "Check settings=."),
        # The mapping, the table or the server is not what this process takes it for.
        8: _settings("THERE_IS_NO_COLUMN", "every block is like that", "Compare mapping and table."),
        10: _settings("NOT_FOUND_COLUMN_IN_BLOCK", "every block is like that"),
        15: _settings("DUPLICATE_COLUMN", "the mapping stays as it is"),
        20: _settings("NUMBER_OF_COLUMNS_DOESNT_MATCH", "every block is like that"),
        36: _settings("BAD_ARGUMENTS", "the statement stays as it is"),
        44: _settings("ILLEGAL_COLUMN", "every block is like that"),
        47: _settings("UNKNOWN_IDENTIFIER", "the statement stays as it is"),
        48: _settings("NOT_IMPLEMENTED", "the server does not learn it"),
        50: _settings("UNKNOWN_TYPE", "the server does not learn it"),
        53: _settings("TYPE_MISMATCH", "every block is like that", _TYPES),
        62: _settings("SYNTAX_ERROR", "the statement stays as it is"),
        70: _settings("CANNOT_CONVERT_TYPE", "every block is like that", _TYPES),
        73: _settings("UNKNOWN_FORMAT", "the server does not learn it"),
        344: _settings("SUPPORT_IS_DISABLED", "the server's settings forbid it"),
        392: _settings("QUERY_IS_PROHIBITED", "the server's settings forbid it"),
        774: _settings("TABLE_IS_PERMANENTLY_READ_ONLY", "by its definition"),
        # The server does not take these values. None of them is stored, unless a view or another server said it.
        6: _block("CANNOT_PARSE_TEXT", "the block stays as it is"),
        12: _block("PARAMETER_OUT_OF_BOUND", "an expression of the table throws at a value"),
        25: _block("CANNOT_PARSE_ESCAPE_SEQUENCE", "the block stays as it is"),
        26: _block("CANNOT_PARSE_QUOTED_STRING", "the block stays as it is"),
        27: _block("CANNOT_PARSE_INPUT_ASSERTION_FAILED", "the block stays as it is"),
        38: _block("CANNOT_PARSE_DATE", "the block stays as it is"),
        41: _block("CANNOT_PARSE_DATETIME", "the block stays as it is"),
        69: _block("ARGUMENT_OUT_OF_BOUND", "the block stays as it is"),
        72: _block("CANNOT_PARSE_NUMBER", "the block stays as it is"),
        117: _block("INCORRECT_DATA", "the block stays as it is"),
        128: _block("TOO_LARGE_ARRAY_SIZE", "the block stays as it is"),
        130: _block("CANNOT_READ_ARRAY_FROM_TEXT", "the block stays as it is"),
        131: _block("TOO_LARGE_STRING_SIZE", "the block stays as it is"),
        153: _block("ILLEGAL_DIVISION", "an expression of the table divides by a value"),
        190: _block("SIZES_OF_ARRAYS_DONT_MATCH", "an expression of the table throws at a value"),
        229: _block("QUERY_IS_TOO_LARGE", "the block stays as large as it is", "Send smaller batches."),
        321: _block("VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE", "the block stays as it is"),
        349: _block("CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN", "the block stays as it is"),
        376: _block("CANNOT_PARSE_UUID", "the block stays as it is"),
        395: _block("FUNCTION_THROW_IF_VALUE_IS_NON_ZERO", "an expression of the table throws at a value"),
        407: _block("DECIMAL_OVERFLOW", "the block stays as it is"),
        427: _block("CANNOT_COMPILE_REGEXP", "an expression of the table takes a value for a pattern"),
        441: _block("CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING", "the block stays as it is"),
        467: _block("CANNOT_PARSE_BOOL", "the block stays as it is"),
        469: _block("VIOLATED_CONSTRAINT", "the block stays as it is"),
        565: _block("TOO_MANY_PARTITIONS", "the block stays as it is", "Use a coarser partition key."),
        632: _block("UNEXPECTED_DATA_AFTER_PARSED_VALUE", "the block stays as it is"),
        675: _block("CANNOT_PARSE_IPV4", "the block stays as it is"),
        676: _block("CANNOT_PARSE_IPV6", "the block stays as it is"),
        691: _block("UNKNOWN_ELEMENT_OF_ENUM", "the block stays as it is"),
    }
)  # fmt: skip

#: A constraint whose name begins so holds no block to be wrong: it keeps writers out for a while, for example as
#: long as the views of a table are changed (``ADD CONSTRAINT insert_gate_x CHECK toUnixTimestamp(now()) >= ...``).
GATE: Final = "insert_gate_"
_CLOSED: Final = _again("VIOLATED_CONSTRAINT", "the constraint keeps writers out, for a while")
_GATE_TEXT: Final = re.compile(rf"^[^'\"]*Constraint `{GATE}")
_VIOLATED_CONSTRAINT: Final = 469

#: The end of a value and that of the block are one error. This text is behind that of a value: ``toUInt8('')``.
_TOO_SHORT: Final = _block("ATTEMPT_TO_READ_AFTER_EOF", "an expression of the table reads a value that ends early")
_EVALUATED: Final = ": while executing 'FUNCTION "
_READ_AFTER_EOF: Final = 32

#: A server of an older release has come; :mod:`otel_clickhouse.client` asks it which settings it knows.
_OLDER_RELEASE: Final = _again("UNKNOWN_SETTING", "what a server does not know is left out")
_NAMED_SETTING: Final = re.compile(r"[Ss]etting '?(\w+)")
_UNKNOWN_SETTING: Final = 115

#: The limit of one statement, as newer and older releases say it; that of a user or a server is about others, too.
_TOO_MUCH_MEMORY: Final = _block(
    "MEMORY_LIMIT_EXCEEDED",
    "the block stays as large as it is",
    "Raise max_memory_usage for the user of the DSN, or send smaller batches.",
)
_OF_STATEMENT: Final = re.compile(r"^[^'\"]*: (?:Query memory limit|Memory limit \(for query\)) exceeded: ")
_MEMORY_LIMIT_EXCEEDED: Final = 241
#: Its code. Nobody promises that no partition of such a block is stored.
MEMORY: Final = _TOO_MUCH_MEMORY.code

_UNKNOWN: Final = _again("unknown error", "the token makes another attempt harmless, giving up does not")
_NO_ANSWER: Final = _again("no answer", "servers and networks come back", "Check that the server of the DSN runs.")

_TEMPORARY_STATUSES: Final = frozenset({408, 425, 429})
_LOGIN_STATUSES: Final = frozenset({401, 407})
_TOO_LARGE: Final = 413
_WRONG_ADDRESS: Final = "Check that ClickHouse's HTTP port is at the DSN's address."
_BEHIND: Final = re.compile(
    r": while pushing to view [^'\"]*$|^[^'\"]*DB::Exception: Received from |: Insertion status:\n"
)


def judge(code: int | None, http_status: int | None = None, text: str = "") -> Verdict:
    """
    What to do about an error.

    Args:
        code: ClickHouse's error code, when the server (or the embedded engine) gave one.
        http_status: of the answer, when it came without a code: from a proxy, or from something else.
        text: what the server said: which constraint a block violates, or which setting it does not know, is in no
            code.

    Neither means that there was no answer: refused, reset, timed out.
    """
    if code == _VIOLATED_CONSTRAINT and _GATE_TEXT.search(text):
        return _CLOSED
    if code == _READ_AFTER_EOF and _EVALUATED in text:
        return _TOO_SHORT
    if code == _UNKNOWN_SETTING and (named := _NAMED_SETTING.search(text)) and named[1] in PINNED:
        return _OLDER_RELEASE
    if code == _MEMORY_LIMIT_EXCEEDED and _OF_STATEMENT.search(text) and not somewhere_behind(text):
        return _TOO_MUCH_MEMORY
    if code is not None:
        return CODES.get(code, _UNKNOWN)
    if http_status is None:
        return _NO_ANSWER
    name = f"HTTP status {http_status}"
    if http_status == _TOO_LARGE:
        return _block(name, "the block stays as large as it is", "Send smaller batches, or raise the limit.")
    if http_status >= 500 or http_status in _TEMPORARY_STATUSES:
        return _again(name, "the status says: not now")
    if http_status in _LOGIN_STATUSES:
        return _settings(name, "the DSN does not change", _WRONG_ADDRESS)
    return _again(name, "somebody else answers: a login, a proxy whose servers are being changed", _WRONG_ADDRESS)


def somewhere_behind(text: str) -> bool:
    """
    Whether an error comes from behind the table that the block was sent to, so that parts of it may be stored.

    Args:
        text: what the server said.

    A materialized view gets the rows after the table has them, and a Distributed table's servers get theirs each
    by itself. Which of them failed is in no code, only in the text; a record's own value could hold these words,
    and then stands in quotes.
    """
    return _BEHIND.search(text) is not None


def of_types(text: str) -> bool:
    """Whether an error is about the type of a column: one value does not turn into it, or none does."""
    return "while converting column" in text
