"""
Times as they stand in files, read as integer nanoseconds since 1970-01-01 UTC.

A number is seconds, milliseconds, microseconds or nanoseconds by its size: each unit owns a thousand years
that the next one cannot mean (100,000,000,000 seconds is the year 5138, the same number of milliseconds is
1973). Text is a number in digits or ISO 8601; without a zone it is UTC. No time is rounded to a
microsecond on the way; a JSON number with a fraction is as exact as a float is, 0.2 microseconds for
seconds of today.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

_UNITS: Final = ((10**11, 9), (10**14, 6), (10**17, 3))
_LATEST: Final = 2**63 - 1
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,18}))?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_AND_LATEST: Final = "times from 1970-01-01 to 2262-04-11 can be stored"


def timestamp_ns(value: object) -> int:
    """
    Read one time.

    Args:
        value: an int or float (seconds, ms, us or ns by its size), or text: digits, or ISO 8601.

    Returns:
        Nanoseconds since the epoch, more than 0 and below 2**63.

    Raises:
        ValueError: with a reason for people, when it is no time or cannot be stored.
    """
    if isinstance(value, bool):
        pass
    elif isinstance(value, int):
        return _checked(_scaled(Decimal(value)) if value > _LATEST else _whole(value), value)
    elif isinstance(value, float):
        return _checked(_scaled(Decimal(repr(value))), value)
    elif isinstance(value, str):
        return _checked(_from_text(value.strip()), value)
    raise ValueError(f"a time is a number or ISO 8601 text, not {type(value).__name__}")


def _whole(number: int) -> int:
    for limit, digits in _UNITS:
        if number < limit:
            return int(number * 10**digits)
    return number


def _scaled(number: Decimal) -> int:
    if not number.is_finite() or abs(number) > _LATEST:
        raise ValueError(f"the time {str(number)[:40]!r} is out of range: {_EARLIEST_AND_LATEST}")
    digits = next((digits for limit, digits in _UNITS if abs(number) < limit), 0)
    return int(number.scaleb(digits))


def _from_text(text: str) -> int:
    if _NUMBER.fullmatch(text):
        return _scaled(Decimal(text))
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"the time {text[:40]!r} is neither a number nor ISO 8601")
    date, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock or '00:00'}{(zone or 'Z').upper()}")
        whole = moment - _EPOCH
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise ValueError(f"the time {text[:40]!r} is no date of the calendar: {error}") from None
    nanoseconds = int((fraction or "0")[:9].ljust(9, "0"))
    return (whole // timedelta(seconds=1)) * 10**9 + nanoseconds


def _checked(nanoseconds: int, value: object) -> int:
    # OpenTelemetry reads a time of 0 as "not set" and would put the time of reading there instead.
    if 0 < nanoseconds <= _LATEST:
        return nanoseconds
    raise ValueError(f"the time {str(value)[:40]!r} is out of range: {_EARLIEST_AND_LATEST}")
