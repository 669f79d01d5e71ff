"""
The errors of this package.

    ExporterError
    ├── ConfigurationError      a setting that cannot be used (also a ValueError); raised by constructors
    └── NoAnswerError           nobody answered, or not in time; becomes an Answer before it leaves the package

No message holds a header's value or a password.
"""

from __future__ import annotations


class ExporterError(Exception):
    """Base of all errors."""


class ConfigurationError(ExporterError, ValueError):
    """
    A setting that cannot be used.

    Args:
        message: what is wrong.
        hint: what is accepted.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(f"{message} {hint}")


class NoAnswerError(ExporterError):
    """
    No answer came, so nobody knows what became of the request.

    Args:
        reason: ``unavailable``, ``timeout``, ``connection_lost`` or ``tls``.
        message: what the network said.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
