"""
Names of reasons, under which lost events are counted.

They come from exporters: a short code, and perhaps words behind a colon, which are for the dead letters. One that
puts an id into each code would make of every event a new counter, a new metric and a new note in the journal; so
there are only so many, and what comes later is counted as ``other``.
"""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"
_MAX_REASONS: Final = 64
_MAX_LENGTH: Final = 64


class Reasons:
    """The names that one process uses. Thread-safe: two threads at once may make it one name more."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def name(self, reason: str) -> str:
        """The name under which a reason is counted: its code, one printable line, or ``other``."""
        code = reason.partition(":")[0].strip() or OTHER
        if code in self._known:
            return code
        if len(code) > _MAX_LENGTH or len(self._known) >= _MAX_REASONS or not code.isprintable():
            return OTHER
        self._known.add(code)
        return code
