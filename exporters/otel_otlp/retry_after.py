"""How long a server asks to wait: ``Retry-After`` as seconds or as a date (RFC 9110, 10.2.3), bounded."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Final

#: A server that asks for more is mistaken, or down for so long that it is looked at in between.
LONGEST_RETRY_AFTER_SECONDS: Final = 600.0

_MOST_DIGITS: Final = 12


def retry_after_seconds(value: str | None, server_date: str | None = None) -> float | None:
    """
    Seconds to wait, from 0 to the longest; None when the server did not ask, or not understandably.

    Args:
        value: of the header ``Retry-After``.
        server_date: of the header ``Date``: a date is a time by the server's clock, which may differ from ours.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return bounded(float(text[:_MOST_DIGITS]))
    until = _timestamp(text)
    if until is None:
        return None
    now = _timestamp(server_date or "")
    return bounded(until - (time.time() if now is None else now))


def bounded(seconds: float) -> float:
    """The number, not below 0 and not above the longest."""
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
