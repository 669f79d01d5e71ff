"""
Newline-delimited JSON: one object a line, read strictly.

A line that is not UTF-8, not JSON, no object, or an object that names a key twice (one of the two values
would be lost in silence) is rejected with its reason. Nesting deeper than Python's own reader goes is
rejected, too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from activitylog.ingest.fields import Event, Record, reader
from activitylog.ingest.lines import Rejected, excerpt


def read_ndjson(
    lines: Iterable[tuple[int, bytes | Rejected]], read: Callable[[Record], Event] | None = None
) -> Iterator[tuple[int, Event | Rejected]]:
    """
    Turn lines into events.

    Args:
        lines: ``(number, line)``, as :class:`activitylog.ingest.Lines` gives them.
        read: what makes an event of a record (:func:`activitylog.ingest.fields.reader`).

    Yields:
        ``(number, event)``, or ``(number, Rejected)`` for each line that is none. Never raises for what
        stands in a line.
    """
    read = read or reader()
    for number, line in lines:
        if isinstance(line, Rejected):
            yield number, line
            continue
        try:
            yield number, read(_record(line))
        except ValueError as error:
            yield number, Rejected(_reason(error), excerpt(line))
        except RecursionError:
            yield number, Rejected("nested too deeply", excerpt(line))


def _record(line: bytes) -> Record:
    record = _decode(line.decode("utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"a JSON {_JSON_NAMES.get(type(record), 'value')} where an object is needed")
    return record


def _unique(pairs: list[tuple[str, Any]]) -> Record:
    record = dict(pairs)
    if len(record) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:60]!r} is there twice")
    return record


_decode: Final = json.JSONDecoder(object_pairs_hook=_unique).decode
_JSON_NAMES: Final = {
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start + 1}"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return str(error)
