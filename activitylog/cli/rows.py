"""
Rows of an answer, exactly as the engine printed them.

The engine writes JSON and times in ISO 8601, so nothing passes through a type that would round it:
nanoseconds, 64-bit integers, UUIDs and decimals arrive as they are stored. Only bytes that are no UTF-8, which
JSON cannot have, become U+FFFD (``hex(column)`` shows them). Rows are read one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activitylog.exceptions import StoreError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Reads, and may change settings other than this one.
READ_ONLY: Final = {"readonly": 2}
_FORMAT: Final = "JSONCompactEachRowWithNamesAndTypes"
_AS_STORED: Final[dict[str, Any]] = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 1,
    "output_format_json_quote_decimals": 1,
}
_WRAPPED: Final = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)", re.DOTALL)
_NUMBERS: Final = ("Int", "UInt", "Float", "Decimal", "BFloat")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, unique in its answer, and its type without ``Nullable`` and ``LowCardinality``."""

    name: str
    type: str

    @property
    def is_time(self) -> bool:
        """Whether the values are times in UTC, such as ``2026-05-01T10:00:00.000000001Z``."""
        return self.type.startswith("DateTime")

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers (or decimals as text)."""
        return self.type.startswith(_NUMBERS)


@dataclass(frozen=True, slots=True)
class Rows:
    """
    An answer.

    Attributes:
        columns: k columns.
        values: rows of k values as JSON has them; read once.
    """

    columns: tuple[Column, ...]
    values: Iterator[Sequence[Any]]

    def only(self, names: Sequence[str]) -> Rows:
        """The columns of these names that there are, in this order; uses the rows up."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        kept = [places[name] for name in names if name in places]
        values = ([row[place] for place in kept] for row in self.values)
        return Rows(tuple(self.columns[place] for place in kept), values)

    def objects(self) -> Iterator[dict[str, Any]]:
        """Each row as a mapping by column name."""
        names = [column.name for column in self.columns]
        for row in self.values:
            yield dict(zip(names, row, strict=True))


def select(
    client: Client,
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> Rows:
    """
    Ask for rows.

    Args:
        client: of the store.
        sql: one statement that returns rows, without ``FORMAT``; it cannot write.
        parameters: values of ``{name:Type}``.
        settings: further settings of ClickHouse.

    Raises:
        clickhouse_connect.driver.exceptions.DatabaseError: the engine refuses.
        StoreError: while iterating, when the answer breaks off.
    """
    stream = client.raw_stream(
        sql,
        parameters=dict(parameters or {}),
        settings={**_AS_STORED, **READ_ONLY, **(settings or {})},
        fmt=_FORMAT,
    )
    lines = _decoded(stream)
    names = next(lines, [])
    types = next(lines, [])
    return Rows(_columns(names, types), lines)


def _columns(names: Sequence[str], types: Sequence[str]) -> tuple[Column, ...]:
    columns: list[Column] = []
    seen: dict[str, int] = {}
    for name, type_name in zip(names, types, strict=True):
        seen[name] = seen.get(name, 0) + 1
        unique = name if seen[name] == 1 else f"{name}_{seen[name]}"
        columns.append(Column(unique, _bare(type_name)))
    return tuple(columns)


def _bare(type_name: str) -> str:
    while match := _WRAPPED.fullmatch(type_name):
        type_name = match[1]
    return type_name


def _decoded(stream: Any) -> Iterator[list[Any]]:
    with stream:
        for line in _lines(stream):
            try:
                row = json.loads(line.decode("utf-8", "replace"))
            except ValueError:
                text = line.decode("utf-8", "backslashreplace")
                raise StoreError(f"The answer broke off: {text[:300]}") from None
            yield row


def _lines(stream: Any) -> Iterator[bytes]:
    """Lines of a stream that only promises ``read``."""
    rest = b""
    while piece := stream.read(1 << 18):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        yield from lines
    if rest.strip():
        yield rest
