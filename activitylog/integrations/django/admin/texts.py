"""Texts of anybody, for a page: short, printable, and broken where a line may end. The template escapes them."""

from __future__ import annotations

import re
from typing import Final

from activitylog.visible import visible_lines

#: After spaces and slashes, and inside what is longer than a column.
_PARTS: Final = re.compile(r"[^\s/]{1,32}[\s/]*|[\s/]+")


def parts(text: str, longest: int) -> tuple[str, ...]:
    """
    A text in parts, between which a line may end.

    Args:
        longest: characters; of a longer text the beginning and an ellipsis.
    """
    printable = visible_lines(text[: longest + 1])
    if len(printable) > longest:
        printable = f"{printable[: longest - 1]}…"
    return tuple(_PARTS.findall(printable))
