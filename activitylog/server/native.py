"""
The Native format as a client of a newer protocol expects it (URL parameter ``client_protocol_version``).

chDB writes revision 0: columns and rows, then each column's name, type and values. From revision 1 a block
begins with its info (8 bytes), which clickhouse-connect asks for with 54405; from 54454 each column has one
byte more, "no custom serialization", which clickhouse-go reads. To put that byte in, one has to know where a
column ends, and Native does not say: :class:`_Columns` walks over the values by their type. Values are not
read; only strings cost a step each.

Types whose values cannot be walked over (JSON, Dynamic, AggregateFunction) are refused for such clients,
unless they are a block's last column, whose end is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from activitylog.server.errors import ServerError

CUSTOM_SERIALIZATION_REVISION = 54454

_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_SIZES = {
    "UInt8": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8, "UInt128": 16, "UInt256": 32,
    "Int8": 1, "Int16": 2, "Int32": 4, "Int64": 8, "Int128": 16, "Int256": 32,
    "Float32": 4, "Float64": 8, "BFloat16": 2, "Bool": 1, "Nothing": 1, "Enum8": 1, "Enum16": 2,
    "Date": 2, "Date32": 4, "DateTime": 4, "DateTime64": 8, "Time": 4, "Time64": 8,
    "UUID": 16, "IPv4": 4, "IPv6": 16, "Point": 16,
    "Decimal32": 4, "Decimal64": 8, "Decimal128": 16, "Decimal256": 32,
}  # fmt: skip
_ARRAYS = {
    "Ring": "Point",
    "LineString": "Point",
    "Polygon": "Ring",
    "MultiLineString": "LineString",
    "MultiPolygon": "Polygon",
}
_ADDITIONAL_KEYS = 1 << 9
_ELEMENT_NAME = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[A-Za-z_0-9.]+) +(?=\S)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a result: its bytes and the rows in them."""

    data: bytes
    rows: int


def for_revision(chunks: Iterable[Chunk], revision: int) -> Iterator[bytes]:
    """
    Write Native chunks of revision 0 for a client of ``revision``.

    Each chunk holds whole blocks.

    Raises:
        ServerError: a column's type cannot be walked over.
    """
    for chunk in chunks:
        if revision <= 0 or not chunk.data:
            yield chunk.data
            continue
        at = 0
        while at < len(chunk.data):
            block = _Columns(chunk.data, at)
            if block.rows == chunk.rows and at == 0 and revision < CUSTOM_SERIALIZATION_REVISION:
                yield _BLOCK_INFO + chunk.data
                break
            pieces = block.pieces(flag=revision >= CUSTOM_SERIALIZATION_REVISION, alone=block.rows == chunk.rows)
            yield b"".join((_BLOCK_INFO, *pieces))
            at = block.at


class _Columns:
    """Walks over one block that begins at ``at`` in ``data``; afterwards ``at`` is its end."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.start = self.at = at
        self.columns = self._number()
        self.rows = self._number()

    def pieces(self, *, flag: bool, alone: bool) -> list[bytes | memoryview]:
        """The block in pieces, with the byte for custom serialization after each type if ``flag``."""
        view = memoryview(self.data)
        found: list[bytes | memoryview] = [view[self.start : self.at]]
        for left in reversed(range(self.columns)):
            header = self.at
            name, type_name = self._text(), self._text()
            values = self.at
            found.append(view[header:values])
            if flag:
                found.append(b"\x00")
            if self.rows:
                self._column(name, type_name, last=alone and not left)
            found.append(view[values : self.at])
        return found

    def _column(self, name: str, type_name: str, *, last: bool) -> None:
        try:
            self._prefix(type_name)
            self._values(type_name, self.rows)
        except _UnknownTypeError as unknown:
            if not last:
                raise ServerError(
                    48,
                    f"Column {name} of type {type_name}: {unknown} cannot be written in the Native format for "
                    "this client's protocol revision: select it as text (toString, toJSONString, "
                    "finalizeAggregation), or name it last",
                ) from None
            self.at = len(self.data)

    def _prefix(self, type_name: str) -> None:
        """What stands before a column's values, over all its parts."""
        name, arguments = _parsed(type_name)
        if name in ("LowCardinality", "Variant"):
            self.at += 8
        if name != "LowCardinality":
            for part in _parts(name, arguments):
                self._prefix(part)

    def _values(self, type_name: str, rows: int) -> None:
        name, arguments = _parsed(type_name)
        if (size := _fixed_size(name, arguments)) is not None:
            self.at += size * rows
        elif name == "String":
            self._strings(rows)
        elif name == "Nullable":
            self.at += rows
            self._values(arguments[0], rows)
        elif name in ("Array", "Map", "Nested") or name in _ARRAYS:
            inner = self._offsets(rows)
            for part in _parts(name, arguments):
                self._values(part, inner)
        elif name == "Tuple" and not arguments:
            self.at += rows
        elif name in ("Tuple", "SimpleAggregateFunction"):
            for part in _parts(name, arguments):
                self._values(part, rows)
        elif name == "LowCardinality":
            self._dictionary(arguments[0], rows)
        elif name == "Variant":
            self._variant(arguments, rows)
        else:
            raise _UnknownTypeError(name)

    def _offsets(self, rows: int) -> int:
        self.at += 8 * rows
        return int.from_bytes(self.data[self.at - 8 : self.at], "little") if rows else 0

    def _strings(self, rows: int) -> None:
        data, at = self.data, self.at
        for _ in range(rows):
            length = data[at]
            at += 1
            if length > 127:
                length &= 127
                shift = 7
                while (byte := data[at]) > 127:
                    length |= (byte & 127) << shift
                    shift += 7
                    at += 1
                length |= byte << shift
                at += 1
            at += length
        self.at = at

    def _dictionary(self, type_name: str, rows: int) -> None:
        if not rows:
            return
        kind = self._word()
        if kind & _ADDITIONAL_KEYS:
            name, arguments = _parsed(type_name)
            self._values(arguments[0] if name == "Nullable" else type_name, self._word())
        indexes = (1 << (kind & 0xFF)) * self._word()
        self.at += indexes

    def _variant(self, arguments: tuple[str, ...], rows: int) -> None:
        which = self.data[self.at : self.at + rows]
        self.at += rows
        for number, part in enumerate(arguments):
            self._values(part, which.count(number))

    def _word(self) -> int:
        self.at += 8
        return int.from_bytes(self.data[self.at - 8 : self.at], "little")

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _text(self) -> str:
        length = self._number()
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8", "replace")


class _UnknownTypeError(Exception):
    """A type whose values cannot be walked over."""


def _fixed_size(name: str, arguments: tuple[str, ...]) -> int | None:
    """Bytes a value, None where they differ."""
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        precision = int(arguments[0])
        return next(size for limit, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if precision <= limit)
    return 8 if name.startswith("Interval") else _SIZES.get(name)


def _parts(name: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The types inside a type, names of elements removed."""
    match name:
        case "Tuple" | "Nested":
            return tuple(_ELEMENT_NAME.sub("", part, count=1) if _named(part) else part for part in arguments)
        case "Array" | "Nullable" | "Map" | "Variant":
            return arguments
        case "SimpleAggregateFunction":
            return arguments[1:]
        case _:
            return (_ARRAYS[name],) if name in _ARRAYS else ()


def _named(part: str) -> bool:
    return _ELEMENT_NAME.match(part) is not None


@lru_cache(maxsize=1024)
def _parsed(type_name: str) -> tuple[str, tuple[str, ...]]:
    """``Map(String, Array(UInt8))`` as ("Map", ("String", "Array(UInt8)"))."""
    name, bracket, inside = type_name.partition("(")
    if not bracket:
        return name.strip(), ()
    arguments, depth, start, quote, at = [], 0, 0, "", 0
    inside = inside[: inside.rindex(")")]
    while at < len(inside):
        letter = inside[at]
        if quote:
            at += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'`":
            quote = letter
        elif letter == "," and not depth:
            arguments.append(inside[start:at].strip())
            start = at + 1
        else:
            depth += (letter == "(") - (letter == ")")
        at += 1
    last = inside[start:].strip()
    return name.strip(), (*arguments, last) if last else tuple(arguments)
