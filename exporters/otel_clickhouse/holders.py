"""
Which value a typed column can hold, and whether it prints back what the attribute said.

The rule is about the attribute's *text* (:func:`otel_clickhouse.anyvalue.as_text`), because texts are all that a
ClickHouse view behind the Collector's table can see: the whole number 200, the float 200.0 and the text "200" are
one value. Shortcuts by Python type, for one value or for a whole column, give the same answers faster.

=================  ====================================================  =============================
type               holds                                                 prints
=================  ====================================================  =============================
String             every text                                            itself
UUID               36 characters with dashes or 32 digits, in any case   36 characters, lower case
UInt8 ... UInt64   decimal digits in range                               decimal digits
... with a scale   a number whose scaled, rounded value is in range      the value divided by the scale
Float64            a finite number                                       as ClickHouse prints it
=================  ====================================================  =============================

Numbers are written ``12``, ``-1.5``, ``2e-7``; other forms (``+1``, ``.5``, ``1_000``, ``inf``) are texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

from otel_clickhouse.anyvalue import as_text, float_text

#: The types a column may have, with the default of each.
COLUMN_TYPES: Final[Mapping[str, str | int | float]] = MappingProxyType(
    {
        "String": "",
        "UUID": "00000000-0000-0000-0000-000000000000",
        "UInt8": 0,
        "UInt16": 0,
        "UInt32": 0,
        "UInt64": 0,
        "Float64": 0.0,
    }
)

_NOT_HELD: Final = (None, False)
_LARGEST_PLAIN_FLOAT: Final = 1e21
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_UUID_IN_OTHER_FORM: Final = re.compile(
    r"([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})", re.IGNORECASE | re.ASCII
).fullmatch
_WHOLE: Final = re.compile(r"[0-9]{1,20}").fullmatch
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE).fullmatch


@dataclass(frozen=True, slots=True)
class Holder:
    """
    How a column takes values.

    Attributes:
        one: an attribute's value -> what the column holds, or None; and whether that prints back its text.
        all: n values -> what the column holds for each, when all of them are of the type's own Python type, are
            held and print back; None when they must be looked at one by one.
    """

    one: Callable[[Any], tuple[Any, bool]]
    all: Callable[[list[Any]], list[Any] | None]


def holder(type_name: str, scale: int = 1) -> Holder:
    """The holder of a column of one of :data:`COLUMN_TYPES`. ``scale`` above 1 is for whole numbers only."""
    if type_name == "String":
        return Holder(lambda value: (as_text(value), True), lambda values: values if _only(str, values) else None)
    if type_name == "UUID":
        return Holder(_uuid, _uuids)
    if type_name == "Float64":
        return Holder(_float, _floats)
    largest = 2 ** int(type_name.removeprefix("UInt")) - 1
    return _whole_numbers(largest) if scale == 1 else _scaled_numbers(largest, scale)


def is_default(type_name: str, value: object) -> bool:
    """Whether a column of this type can have this default, written as Python has it."""
    expected = type(COLUMN_TYPES[type_name])
    return type(value) is expected and holder(type_name).one(value)[0] == value


def _only(kind: type, values: list[Any]) -> bool:
    return set(map(type, values)) == {kind}


def _uuid(value: Any) -> tuple[Any, bool]:
    text = as_text(value)
    if _UUID(text):
        return text, True
    match = _UUID_IN_OTHER_FORM(text)
    if match is None:
        return _NOT_HELD
    first, _, *rest = match.groups()
    return "-".join((first, *rest)).lower(), False


def _uuids(values: list[Any]) -> list[Any] | None:
    return values if _only(str, values) and all(map(_UUID, values)) else None


def _whole_numbers(largest: int) -> Holder:
    def one(value: Any) -> tuple[Any, bool]:
        text = as_text(value)
        if not _WHOLE(text) or (number := int(text)) > largest:
            return _NOT_HELD
        return number, str(number) == text

    def every(values: list[Any]) -> list[Any] | None:
        return values if _only(int, values) and min(values) >= 0 and max(values) <= largest else None

    return Holder(one, every)


def _scaled_numbers(largest: int, scale: int) -> Holder:
    def one(value: Any) -> tuple[Any, bool]:
        text = as_text(value)
        if not _NUMBER(text):
            return _NOT_HELD
        scaled = float(text) * scale
        if not isfinite(scaled) or not 0 <= (held := round(scaled)) <= largest:
            return _NOT_HELD
        return held, _clickhouse_text(held / scale) == text

    def every(values: list[Any]) -> list[Any] | None:
        if not _only(float, values) or not all(map(isfinite, values)):
            return None
        if min(values) < 0 or max(values) * scale > largest:
            return None
        held = [round(number * scale) for number in values]
        return held if [number / scale for number in held] == values else None

    return Holder(one, every)


def _float(value: Any) -> tuple[Any, bool]:
    text = as_text(value)
    if not _NUMBER(text) or not isfinite(number := float(text)):
        return _NOT_HELD
    return number, _clickhouse_text(number) == text


def _floats(values: list[Any]) -> list[Any] | None:
    if not _only(float, values) or not all(map(isfinite, values)):
        return None
    return values if max(map(abs, values)) < _LARGEST_PLAIN_FLOAT else None


def _clickhouse_text(number: float) -> str:
    """ClickHouse prints floats as Go does, but for the sign of an exponent: 1e21, not 1e+21."""
    return float_text(number).replace("e+", "e")
