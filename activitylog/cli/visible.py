"""
Text from outside, made safe for a terminal.

What is stored was written by anybody: a name may hold an escape sequence that rewrites the screen, a bidi
mark that turns a sentence around, or half of a surrogate pair that cannot be printed at all. Nothing of
that reaches the terminal: every character that does not print becomes its escape, ``\\x1b`` or ``\\u202e``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Joiners hold together what people write (Persian words, families of emoji) and move nothing.
_JOINERS: Final = frozenset("\u200c\u200d")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SECRET: Final = re.compile(r"(\w[\w+.-]{0,20}://[^\s:/@]{0,200}):[^\s/]{1,500}@")


def visible(text: str) -> str:
    """
    The text in one line, with everything that does not print written as an escape.

    Args:
        text: anything, lone surrogates included.

    Returns:
        Text of printing characters and spaces only, which any UTF-8 terminal shows as it is.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    if char in _JOINERS:
        return char
    if char in _SHORT:
        return _SHORT[char]
    if unicodedata.category(char) == "Zs":
        return " "
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def without_secrets(text: str) -> str:
    """The text with ``***`` for the password of any URL that stands in it."""
    return _SECRET.sub(r"\1:***@", text)
