"""
The errors that activitylog raises, all of them at configure time or in commands. ``emit`` raises none.

    ActivityLogError
    ├── ConfigurationError      a setting that cannot be used (also a ValueError)
    ├── StrictModeError         strict=True only: what emit would have repaired or counted
    ├── StoreError              the store cannot be used
    │   ├── StoreLockedError    another process has the embedded store open
    │   ├── StoreUnavailableError   nobody answers, or the answer is no
    │   ├── StoreBusyError      another process does what only one may do at a time
    │   ├── SchemaError         a table is missing, or is not what this version needs
    │   └── ArchiveError        an archive that cannot be used, made or put back
    ├── QueryError              a question that cannot be asked as given
    └── IngestError             a file that cannot be read
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from activitylog.visible import visible_lines

_LONGEST_SHOWN: Final = 80


class ActivityLogError(Exception):
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
        # What is quoted may come from anybody, and tracebacks go to terminals.
        return visible_lines(f"{self.message} {self.hint}" if self.hint else self.message)


class ConfigurationError(ActivityLogError, ValueError):
    """A setting that cannot be used."""


class StrictModeError(ActivityLogError):
    """Raised by ``emit`` under ``strict=True``: an event that would have been repaired or dropped."""


class StoreError(ActivityLogError):
    """The store cannot be used."""


class StoreLockedError(StoreError):
    """Another process has the embedded store open."""


class StoreUnavailableError(StoreError):
    """Nobody answers at the store's address, or the answer is a refusal."""


class StoreBusyError(StoreError):
    """Another process does what only one may do at a time."""


class SchemaError(StoreError):
    """A table is missing or is not what this version needs."""


class ArchiveError(StoreError):
    """An archive that cannot be used, made or put back."""


class NewerSchemaError(SchemaError):
    """The database was made by a newer version of activitylog than this one."""


class QueryError(ActivityLogError):
    """A question that cannot be asked as it was given."""


class IngestError(ActivityLogError):
    """A file that cannot be read."""


def shown(value: Any) -> str:
    """A value for a message: short, without URLs, and only the type of what has parts: any may hold a secret."""
    if not isinstance(value, (str, int, float)):
        return type(value).__name__
    if isinstance(value, str) and "://" in value:
        return "a URL"
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def check_table(name: str, table: Any, known: Iterable[str]) -> None:
    """
    See that a setting is a table, and has no key that nobody knows.

    Raises:
        ConfigurationError: it is none, or has one; without the place it is from.
    """
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"expected a table, got {type(table).__name__}.", hint=f"Write [{name}].")
    keys = sorted(known)
    for key in table:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(keys)}."
            raise ConfigurationError(f"there is no key {key!r}.", hint=hint)
