"""
Values of parameters: what people type, checked and written as the server reads it.

Each function takes a text or a value of Python's own type and raises ValueError with the rest of the sentence
"it is ...".
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

_FIRST: Final = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
_LAST: Final = dt.datetime(2262, 4, 11, tzinfo=dt.UTC)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError("not a text")


def _whole(largest: int) -> Callable[[Any], int]:
    def whole(value: Any) -> int:
        text = _text(value).strip().replace("_", "").replace(",", "")
        if not (text.isascii() and text.isdigit()) or int(text) > largest:
            raise ValueError(f"not a whole number from 0 to {largest:,}")
        return int(text)

    return whole


def _time(value: Any) -> str:
    """A time in UTC, to the microsecond, as ``2026-05-01 10:00:00.000000``. Without an offset it is UTC."""
    if isinstance(value, dt.datetime):
        moment = value
    elif isinstance(value, dt.date):
        moment = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    else:
        moment = _parsed(value)
    moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    if not _FIRST <= moment <= _LAST:
        raise ValueError("not a time between the years 1900 and 2262")
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def _parsed(value: Any) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(_text(value).strip())
    except (ValueError, OverflowError):
        raise ValueError("not a time, such as 2026-05-01 or 2026-05-01T10:00:00+02:00") from None


def _one_of(names: tuple[str, ...]) -> Callable[[Any], str]:
    def one(value: Any) -> str:
        text = _text(value).strip()
        if text not in names:
            raise ValueError(f"not one of: {', '.join(names)}")
        return text

    return one


#: The types that parameters may have, and the check of each; beside them enumerations (:func:`check_of`).
VALUE_OF_TYPE: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "String": _text,
        "UInt32": _whole(2**32 - 1),
        "UInt64": _whole(2**64 - 1),
        "DateTime64(9, 'UTC')": _time,
    }
)

_NAME_IN_ENUM: Final = re.compile(r"'(\w+)'=\d+")


def check_of(type_name: str) -> Callable[[Any], Any]:
    """
    The check of a type, such as ``UInt64`` or ``Enum8('event'=1,'route'=2)``.

    Raises:
        KeyError: parameters cannot have this type.
    """
    if type_name.startswith("Enum8("):
        return _one_of(tuple(_NAME_IN_ENUM.findall(type_name)))
    return VALUE_OF_TYPE[type_name]
