"""
Text from outside, made safe for a terminal: every character that does not print becomes its escape.

What is stored was written by anybody: a name may hold an escape sequence that rewrites the screen (C0, C1, DEL), a
bidi mark that turns a sentence around, a line end that forges a line of a log, a character without width that
makes two names look the same, or half of a surrogate pair that cannot be printed at all. They become ``\\x1b``,
``\\u202e`` and the like. Standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_JOINERS: Final = "\u200c\u200d"
#: Python holds these for printing characters; they are seen by nobody: fillers, and what selects a form of the
#: character before it.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Behind Latin, Greek and Cyrillic: scripts and symbols in which joiners have something to do.
_FIRST_JOINED: Final = 0x590
_FIRST_SYMBOL: Final = 0x203C
_KEYCAP: Final = "\u20e3"


def visible(text: str) -> str:
    """
    The text in one line, with everything that does not print written as an escape.

    Args:
        text: anything, lone surrogates included.

    Returns:
        Text of printing characters and spaces only, which any UTF-8 terminal shows as it is. Joiners and variation
        selectors stay where people write them (Persian words, families of emoji), which is never between letters
        of Latin, Greek or Cyrillic script.
    """
    if text.isprintable() and (text.isascii() or not _UNSEEN.search(text)):
        return text
    return "".join(_shown(text, place) for place in range(len(text)))


def visible_lines(text: str) -> str:
    """Like :func:`visible`, but line ends stay: for what has lines of its own, such as a stack."""
    return "\n".join(map(visible, text.split("\n")))


def ascii_json(text: str) -> str:
    """A JSON text that says the same and has ASCII characters only, DEL not among them."""
    text = text.replace("\x7f", "\\u007f")
    return text if text.isascii() else _BEYOND_ASCII.sub(lambda found: _json_escape(found[0]), text)


_BEYOND_ASCII: Final = re.compile("[^\x00-\x7f]")


def _json_escape(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _shown(text: str, place: int) -> str:
    char = text[place]
    if char in _JOINERS:
        return char if _joins(text, place) else _escape(char)
    if _UNSEEN.match(char):
        return char if _selects(text, place) else _escape(char)
    if char.isprintable():
        return char
    if char in _SHORT:
        return _SHORT[char]
    return " " if unicodedata.category(char) == "Zs" else _escape(char)


def _joins(text: str, place: int) -> bool:
    """Whether a joiner stands between two characters that may need it."""
    return 0 < place < len(text) - 1 and all(
        ord(char) >= _FIRST_JOINED and (char.isprintable() or char in "\ufe0f")
        for char in (text[place - 1], text[place + 1])
    )


def _selects(text: str, place: int) -> bool:
    """Whether a variation selector follows an emoji, a symbol, an ideograph or the digit of a keycap."""
    if place == 0 or not "\ufe00" <= text[place] <= "\U000e01ef" or text[place] == "\uffa0":
        return False
    before = text[place - 1]
    if _UNSEEN.match(before) or before in _JOINERS:
        return False
    return ord(before) >= _FIRST_SYMBOL or before in "©®" or text[place + 1 : place + 2] == _KEYCAP


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
