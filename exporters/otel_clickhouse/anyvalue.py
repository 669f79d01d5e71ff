"""
How OpenTelemetry prints a value: the text that stands in ``Map(String, String)`` columns.

The rule is ``Value.AsString`` of the Collector's pdata (go.opentelemetry.io/collector/pdata/pcommon/value.go,
v1.71.0), so a row is the same whether it came through a Collector or from here:

========================  ======================================================================
text                      as it is; surrogates, which UTF-8 cannot hold, become U+FFFD
bool                      ``true``, ``false``
whole number              decimal
float                     shortest that reads back equal; an exponent below 1e-6 and from 1e21 on;
                          ``NaN``, ``Infinity``, ``-Infinity``
bytes                     base64
None                      empty
sequence, mapping         JSON as Go's encoder writes it: no spaces, keys sorted, ``<>&`` unescaped;
                          empty when a number in it is not finite, because Go's encoder refuses those
anything else             ``str(value)``
========================  ======================================================================
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, Final

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class _NotJsonError(ValueError):
    """A number that JSON cannot hold."""


def as_text(value: object) -> str:
    """
    Print one attribute value or body; see the table above.

    Raises:
        Exception: whatever ``str(value)`` raises for a type that OpenTelemetry does not know, or
            RecursionError for a value that contains itself.
    """
    return (_TEXT_OF_TYPE.get(type(value)) or _text_of_other)(value)


def without_surrogates(text: str) -> str:
    """The text with each surrogate, which UTF-8 cannot hold, replaced by U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def float_text(number: float) -> str:
    """Print a float as Go and ECMAScript do."""
    text = float.__repr__(number)
    if "e" in text:
        return _with_moved_point(text)
    if "n" in text:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text]
    return text.removesuffix(".0")


def _with_moved_point(text: str) -> str:
    """Python takes exponents below 1e-4 and from 1e16, Go below 1e-6 and from 1e21 (``1e-7``, not ``1e-07``)."""
    mantissa, _, exponent_text = text.partition("e")
    exponent = int(exponent_text)
    if not -7 < exponent < 21:
        return f"{mantissa}e{exponent:+d}"
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.lstrip("-").replace(".", "")
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    return sign + digits.ljust(exponent + 1, "0")


def _bytes_text(value: bytes | bytearray | memoryview) -> str:
    return b64encode(value).decode("ascii")


def _json_text(value: object) -> str:
    try:
        return _json(value)
    except _NotJsonError:
        return ""


def _json(value: object) -> str:
    kind = type(value)
    if kind is str:
        return _json_string(value)  # type: ignore[arg-type]
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        items = {_key_text(key): item for key, item in value.items()}
        return "{" + ",".join(f"{_json_string(key)}:{_json(items[key])}" for key in sorted(items)) + "}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f'"{_bytes_text(value)}"' if value else "null"  # an empty []byte is nil to Go's encoder
    if isinstance(value, float):
        if not isfinite(value):
            raise _NotJsonError
        return float_text(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(_json, value)) + "]"
    return _json_string(_text_of_other(value))


def _json_string(text: str) -> str:
    quoted = encode_basestring(without_surrogates(text))
    if quoted.isascii():
        return quoted
    return quoted.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _key_text(key: object) -> str:
    return without_surrogates(key) if type(key) is str else as_text(key)


def _text_of_other(value: object) -> str:
    """Print a value of a type that has no entry in the table: subclasses first, then ``str``."""
    if isinstance(value, str):
        return without_surrogates(str.__str__(value))
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, (bytearray, memoryview, bytes)):
        return _bytes_text(value)
    if isinstance(value, (Mapping, Sequence)):
        return _json_text(value)
    return without_surrogates(str(value))


_TEXT_OF_TYPE: Final[Mapping[type, Callable[[Any], str]]] = {
    str: without_surrogates,
    bool: {True: "true", False: "false"}.__getitem__,
    int: int.__repr__,
    float: float_text,
    bytes: _bytes_text,
    type(None): lambda _: "",
    list: _json_text,
    tuple: _json_text,
    dict: _json_text,
}
