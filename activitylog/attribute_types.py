"""
Types of attributes, as a catalogue of events names them, and which of them a value may have.

=============  ===========================================================================================
``integer``    a whole number within 64 bits
``number``     any number; a decimal's text, too
``boolean``    ``true`` or ``false``
``time``       a date, or a date and a time, in ISO 8601
``text``       any other text
``bytes``      bytes, which the store has as base64
``list``       of anything; the store has it as JSON
``map``        from texts to anything; the store has it as JSON
``any``        whatever it is
=============  ===========================================================================================

In the store every attribute without a column of its own is a text, so its type is what its texts can be read as:
:data:`PATTERNS` says how, to Python and to ClickHouse alike. A text that reads as a number may be a text all the
same (``"2"``, a version); what is no number proves that it is none. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

#: In the order in which they are explained.
TYPES: Final = ("integer", "number", "boolean", "time", "text", "bytes", "list", "map", "any")
#: What stands in the place of a value that redaction took out.
REDACTED_TEXT: Final = "[redacted]"
#: Kinds of texts that say nothing about the type.
SILENT: Final = frozenset({"empty", "redacted"})
#: Values from which on a type that was read from texts is believed.
ENOUGH: Final = 20

_DATE: Final = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = (
    "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2}(?::[0-9]{2})?)?"
)
#: What whole texts of a kind look like: for :mod:`re` and for ClickHouse's RE2, tried in this order. ``integer``
#: must also be within 64 bits, and ``list`` and ``map`` must be JSON.
PATTERNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "boolean": "true|false",
        "integer": "-?(?:0|[1-9][0-9]{0,18})",
        "number": (r"-?(?:0|[1-9][0-9]{0,20})(?:\.[0-9]{1,40})?(?:[eE][+-][0-9]{1,3})?|NaN|-?Infinity"),
        "time": f"{_DATE}(?:[T ]{_CLOCK})?",
    }
)
_COMPILED: Final = {kind: re.compile(pattern) for kind, pattern in PATTERNS.items()}
_INT64: Final = 1 << 63
_KIND_OF_CLASS: Final[Mapping[type, str]] = MappingProxyType(
    {bool: "boolean", int: "integer", float: "number", bytes: "bytes", list: "list", tuple: "list", dict: "map"}
)
#: The kinds of texts that a type admits, beside itself and what is silent.
_ADMITTED: Final[Mapping[str, frozenset[str]]] = MappingProxyType({"number": frozenset({"integer"})})
_ADMIT_ALL: Final = frozenset({"any", "text", "bytes"})


def kind_of_text(text: str) -> str:
    """What a text of the store can be read as: a type, ``empty`` or ``redacted``."""
    if text == "":
        return "empty"
    if text == REDACTED_TEXT:
        return "redacted"
    for kind, pattern in _COMPILED.items():
        if pattern.fullmatch(text) and (kind != "integer" or -_INT64 <= int(text) < _INT64):
            return kind
    if text[0] in "[{" and _is_json(text):
        return "list" if text[0] == "[" else "map"
    return "text"


def kind_of_value(value: Any) -> str:
    """What a captured value is: a text may be a ``time``, or silent, and is a ``text`` otherwise."""
    if isinstance(value, str):
        kind = kind_of_text(value)
        return kind if kind == "time" or kind in SILENT else "text"
    return _KIND_OF_CLASS.get(type(value), "map" if isinstance(value, Mapping) else "any")


def text_fits(kind: str, type_name: str) -> bool:
    """Whether a text of the store that is of this kind can be a value of the type."""
    if kind in SILENT or kind == type_name or type_name in _ADMIT_ALL:
        return True
    return kind in _ADMITTED.get(type_name, ())


def value_fits(value: Any, type_name: str) -> bool:
    """Whether a captured value is one of the type: more is known of it than of a text of the store."""
    kind = kind_of_value(value)
    if kind in SILENT or type_name in (kind, "any"):
        return True
    if type_name == "number":
        return kind == "integer" or (isinstance(value, str) and text_fits(kind_of_text(value), "number"))
    return type_name == "text" and kind == "time"


def narrowest(kinds: Collection[str]) -> str:
    """
    The narrowest type that admits texts of all these kinds.

    Returns:
        ``text`` where nothing is known, and where texts are among them that read as nothing else; ``any`` where
        what they read as has nothing in common.
    """
    telling = set(kinds) - SILENT
    if len(telling) == 1:
        return telling.pop()
    if telling == {"integer", "number"}:
        return "number"
    return "text" if not telling or "text" in telling or telling <= {"time", "text"} else "any"


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return False
    return True


def _no_json(_: str) -> None:
    raise ValueError
