"""
The driver's errors as ours: on one line, without credentials, and with what helps
(:mod:`otel_clickhouse.verdicts`).
"""

from __future__ import annotations

import re
from base64 import b64encode
from traceback import walk_tb
from typing import Final

from otel_clickhouse.dsn import DSN, redact
from otel_clickhouse.exceptions import BlockRefusedError, ExporterError, PermanentError, RetryableError
from otel_clickhouse.verdicts import judge, of_types, somewhere_behind

_STATUS: Final = re.compile(r"HTTP status (\d{3})")
_LONGEST_MESSAGE: Final = 500
#: Where the driver writes columns.
_COLUMN_TYPES: Final = "clickhouse_connect.datatypes."
#: What to do about answers that are not ClickHouse's.
NOT_CLICKHOUSE: Final = "Check that ClickHouse's HTTP port is at the DSN's address, and what proxies between do."


def translate(
    error: Exception,
    dsn: DSN,
    *,
    inserting: bool = False,
    said: str = "",
    retry_after_seconds: float | None = None,
) -> ExporterError:
    """
    The driver's error as one of ours, on one line, without credentials. Errors of ours stay as they are.

    Args:
        inserting: it is about an insert of ours, so that a block can be to blame.
        said: the server's own words, where there are some: the driver may be told to cut them.
        retry_after_seconds: what the answer asked for.

    Without a code and without a status there was no answer, or none that can be read. What the driver raises
    before it sends anything (a value it cannot write, an option it does not know) is permanent, unless this
    machine is short of something.
    """
    if isinstance(error, ExporterError):
        return error
    if isinstance(error, ImportError):
        hint = "Run: pip install chdb" if dsn.embedded else "Run: pip install clickhouse-connect"
        missing = f"The driver of {dsn} is missing: {one_line(str(error), dsn)}"
        return PermanentError(missing, hint=hint, code="no_driver")
    from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

    text = str(error)
    code = getattr(error, "code", None)
    status = _STATUS.search(text)
    silent = type(error) is DatabaseError or isinstance(error, OperationalError)
    if code is None and status is None and not silent:
        if dsn.embedded and "chdb engine" in text:
            return _engine_error(text, dsn)
        return _of_the_driver(error, dsn, inserting=inserting)
    said = said or text
    verdict = judge(code, int(status[1]) if status else None, said)
    what = text if code is not None or status else _innermost(error)
    message = f"{dsn}: {verdict.name}: {one_line(what, dsn)}"
    if verdict.retryable:
        return RetryableError(
            message, hint=verdict.hint, code=verdict.code, retry_after_seconds=retry_after_seconds
        )
    if inserting and verdict.remedy == "block" and not somewhere_behind(said):
        return BlockRefusedError(message, hint=verdict.hint, code=verdict.code, perhaps_all=of_types(said))
    return PermanentError(message, hint=verdict.hint, code=verdict.code)


def _of_the_driver(error: Exception, dsn: DSN, *, inserting: bool) -> ExporterError:
    from clickhouse_connect.driver.exceptions import DataError, Error, InternalError

    what = f"{type(error).__name__}: {one_line(str(error), dsn)}"
    message = f"{dsn}: {what}"
    if isinstance(error, (OSError, MemoryError)):  # a full disk, as the engine's blocks go through a file
        return RetryableError(message, code="driver_error")
    if inserting and (isinstance(error, DataError) or _wrote_a_column(error)):
        return BlockRefusedError(message, code="unwritable", perhaps_all=True)
    if not dsn.embedded and (isinstance(error, InternalError) or not isinstance(error, Error)):
        return RetryableError(
            f"{dsn}: an answer that cannot be read: {what}", hint=NOT_CLICKHOUSE, code="not_clickhouse"
        )
    return PermanentError(message, code="driver_error")


def _wrote_a_column(error: Exception) -> bool:
    """Whether it was raised by a value, of whatever type, on its way into the block."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__", "").startswith(_COLUMN_TYPES) for frame in frames)


def _engine_error(text: str, dsn: DSN) -> ExporterError:
    if "already" in text:  # another path is open in this process; it stays so
        return PermanentError(
            f"{dsn} cannot be opened: this process has another embedded store open.",
            hint="A process has one: use the same folder everywhere, or a ClickHouse server.",
            code="other_store_open",
        )
    return RetryableError(
        f"{dsn} cannot be opened: {one_line(text.partition(', Stack trace')[0], dsn)}",
        hint="Check that the folder can be written and that no other process has it open.",
        code="store_unavailable",
    )


def _innermost(error: BaseException) -> str:
    """What the operating system said; the driver and urllib3 wrap it in texts with the whole URL."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return f"{type(error).__name__}: {error}"


def one_line(text: str, dsn: DSN) -> str:
    """The text on one line that is not too long, without credentials; it ends in a full stop."""
    line = redact(" ".join(text.split()))
    if dsn.password:
        login = b64encode(f"{dsn.username or 'default'}:{dsn.password}".encode()).decode()
        # Pages of proxies repeat headers. Without its end, which some of them cut.
        line = line.replace(login.rstrip("="), "***").replace(dsn.password, "***")
    if len(line) > _LONGEST_MESSAGE:
        return f"{line[:_LONGEST_MESSAGE]}..."
    return line if line.endswith(".") else f"{line}."
