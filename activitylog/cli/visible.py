"""What a command may show: text from outside made safe for a terminal, and no password of a URL."""

from __future__ import annotations

import re
from typing import Final

from activitylog.visible import ascii_json, visible, visible_lines

__all__ = ["ascii_json", "visible", "visible_lines", "without_secrets"]

_SECRET: Final = re.compile(r"(\w[\w+.-]{0,20}://[^\s:/@]{0,200}):[^\s/]{1,500}@")


def without_secrets(text: str) -> str:
    """The text with ``***`` for the password of any URL that stands in it."""
    return _SECRET.sub(r"\1:***@", text)
