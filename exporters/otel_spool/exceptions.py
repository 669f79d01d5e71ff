"""
The errors of this package.

    SpoolError
    ├── ConfigurationError      a setting that cannot be used (also a ValueError); raised by constructors
    ├── FolderError             a folder that must not be used: not ours, or no folder
    ├── CorruptError            bytes of a file that are not what was written
    └── MissingCodecError       a file that another installation can read, and this one cannot

Nothing of this is raised by ``on_emit``: what goes wrong there is counted and logged.
"""

from __future__ import annotations


class SpoolError(Exception):
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
        return f"{self.message} {self.hint}" if self.hint else self.message


class ConfigurationError(SpoolError, ValueError):
    """A setting that cannot be used."""


class FolderError(SpoolError):
    """A folder that must not be used: it belongs to another user, or is none."""


class CorruptError(SpoolError):
    """Bytes that are not what was written."""


class MissingCodecError(SpoolError):
    """A file that another installation can read, and this one cannot: it is left as it is."""
