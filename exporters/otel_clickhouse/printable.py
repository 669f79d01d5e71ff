"""Text of servers and of records in lines of a log: what does not print is written as its escape."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text in one line, with every character that does not print as ``\\\\x1b``, ``\\\\n``, ``\\\\u202e``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
