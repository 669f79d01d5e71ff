"""
The errors of this package.

    ExporterError
    ├── ConfigurationError      a setting that cannot be used (also a ValueError); raised by constructors
    ├── RetryableError          the same batch may succeed later
    ├── PermanentError          the same batch fails again in this process
    │   └── BlockRefusedError   ... and in any other: these values are refused, and nothing of them is stored
    └── GivenUpError            no further attempt is made, though one might have succeeded

Neither ``ClickHouseLogExporter.export`` nor ``deliver`` raises any of them: what cannot be delivered is counted
and logged, or answered.
No message holds a password.
"""

from __future__ import annotations

from otel_delivery.printable import printable


class ExporterError(Exception):
    """
    Base of all errors.

    Args:
        message: what is wrong, with what was given.
        hint: what the reader can do next.
        code: a short name for counters, such as ``unknown_table``.
    """

    def __init__(self, message: str, *, hint: str | None = None, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        # A server's words are in it, and tracebacks go to terminals.
        return printable(f"{self.message} {self.hint}" if self.hint else self.message)


class ConfigurationError(ExporterError, ValueError):
    """A setting that cannot be used."""


class RetryableError(ExporterError):
    """
    The same batch may succeed later: nobody answered, or the answer was "not now".

    Args:
        retry_after_seconds: when, if the server said so.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, code: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(ExporterError):
    """
    The same batch fails again, so this process must not send it again as it is set up.

    Args:
        reason: under which name the loss is counted.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, reason: str = "permanent", code: str = ""
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.reason = reason


class BlockRefusedError(PermanentError):
    """
    The server looked at the values of this block, stored none of them and would refuse them again.

    Args:
        perhaps_all: it may refuse every block like that, as the columns are not what the mapping takes them for.
            A block that it takes shows that the values are to blame.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, code: str = "", perhaps_all: bool = False
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.perhaps_all = perhaps_all


class GivenUpError(ExporterError):
    """
    No further attempt is made, though one might have succeeded. The cause is the last error.

    Args:
        reason: ``deadline`` or ``shutdown``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"Given up: {reason}.")
        self.reason = reason
