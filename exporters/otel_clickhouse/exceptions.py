"""
The errors of this package.

    ExporterError
    ├── ConfigurationError      a setting that cannot be used (also a ValueError); raised by constructors
    ├── RetryableError          the same batch may succeed later
    ├── PermanentError          the same batch fails again
    └── GivenUpError            no further attempt is made, though one might have succeeded

``ClickHouseLogExporter.export`` raises none of them: what cannot be delivered is counted and logged.
No message holds a password.
"""

from __future__ import annotations

from otel_clickhouse.printable import printable


class ExporterError(Exception):
    """
    Base of all errors.

    Args:
        message: what is wrong, with what was given.
        hint: what the reader can do next.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        # A server's words are in it, and tracebacks go to terminals.
        return printable(f"{self.message} {self.hint}" if self.hint else self.message)


class ConfigurationError(ExporterError, ValueError):
    """A setting that cannot be used."""


class RetryableError(ExporterError):
    """The same batch may succeed later: nobody answered, or the answer was "not now"."""


class PermanentError(ExporterError):
    """
    The same batch fails again, so it must not be sent again.

    Args:
        reason: under which name the loss is counted.
    """

    def __init__(self, message: str, *, hint: str | None = None, reason: str = "permanent") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class GivenUpError(ExporterError):
    """
    No further attempt is made, though one might have succeeded. The cause is the last error.

    Args:
        reason: ``deadline`` or ``shutdown``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"Given up: {reason}.")
        self.reason = reason
