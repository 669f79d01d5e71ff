"""Text of servers and of records in lines of a log: what does not print is written as its escape."""

from __future__ import annotations

from typing import Final

_LONGEST_LINE: Final = 500


def printable(text: str) -> str:
    """The text in one line, with every character that does not print as ``\\\\x1b``, ``\\\\n``, ``\\\\u202e``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def one_line(text: str) -> str:
    """The text as one printable line of bounded length."""
    line = printable(" ".join(text.split()))
    return f"{line[:_LONGEST_LINE]}..." if len(line) > _LONGEST_LINE else line
