"""Durations as Go writes them."""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h)")


def seconds_of(text: str) -> float | None:
    """
    Seconds of a duration such as ``1m30s``, ``200ms``, ``-1.5h`` or ``0``.

    Returns:
        None when it is none (``5`` and ``1d`` are none).

    Source: Go's ``time.ParseDuration``.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    seconds, position = 0.0, 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            return None
        seconds += float(part[1]) * _SECONDS[part[2]]
        position = part.end()
    return sign * seconds if rest else None
