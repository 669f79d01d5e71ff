"""
Which records of a batch a table has already: asked before a batch is sent again after a long time.

A table remembers tokens for a number of inserts or a time. Within that, sending again is harmless; after it, a
batch whose first answer got lost would be stored twice. So records are looked for by their id: the column that
takes the attribute ``log.record.uid``, if the mapping has one. Each question names a bounded number of ids, and
the times between which they lie, which is what tables are sorted by; so it reads the parts and granules of those
times only.

Both ends are without trust: ids are put into the question as literals of a checked form, and the answer is
accepted only if it looks as asked, since a proxy's page has the status 200, too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from otel_clickhouse.encoder import Columns
from otel_clickhouse.exceptions import RetryableError
from otel_clickhouse.layout import Layout, Owner

_ID_ATTRIBUTE: Final = "log.record.uid"
_TIME_COLUMN: Final = "Timestamp"
#: ClickHouse's ``max_query_size`` is 262,144 bytes unless somebody changed it.
_QUERY_BYTES: Final = 128 * 1024
_MARGIN_NS: Final = 1_000_000_000
_GAP_NS: Final = 3_600 * 1_000_000_000
_MOST_RANGES: Final = 64
_LATEST_NS: Final = 2**63 - 1
_ANSWER: Final = re.compile(r"=((?:[0-9A-F]{2})+(?:,(?:[0-9A-F]{2})+)*)?")

#: A profile that cuts results short, or leaves out servers that are away, would make stored records look missing.
_SETTINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "skip_unavailable_shards": 0,
        "read_overflow_mode": "throw",
        "result_overflow_mode": "throw",
        "timeout_overflow_mode": "throw",
        "set_overflow_mode": "throw",
        "use_query_cache": 0,
    }
)

Ask = Callable[[str, Mapping[str, Any]], Any]


def id_owner(layout: Layout) -> Owner | None:
    """The attribute that identifies records, where it has a column that nothing else writes; else None."""
    for owner in layout.owners:
        if owner.attribute == _ID_ATTRIBUTE and layout.types[layout.names.index(owner.column)] != "Float64":
            return owner
    return None


def missing_rows(ask: Ask, table: str, columns: Columns, layout: Layout) -> list[int] | None:
    """
    Look which rows a table does not have.

    Args:
        ask: runs a statement with settings and returns what it prints.
        table: as it stands in SQL.

    Returns:
        Indices of rows, in order; None where it cannot be told, because a row has no id.

    Raises:
        RetryableError, PermanentError: as from ``ask``; also when something else than a table has answered.
    """
    owner = id_owner(layout)
    if owner is None:
        return None
    ids = columns.data[columns.names.index(owner.column)]
    if any(value == owner.default for value in ids):
        return None
    times = columns.data[columns.names.index(_TIME_COLUMN)]
    found: set[str] = set()
    for chosen in _portions([_literal(value) for value in ids]):
        question = _question(table, owner.column, [ids[i] for i in chosen], [times[i] for i in chosen])
        found |= _read(ask(question, _SETTINGS))
    return [index for index, value in enumerate(ids) if str(value) not in found]


def rows_of(columns: Columns, rows: Sequence[int]) -> Columns:
    """The block with these rows only."""
    data = [[values[row] for row in rows] for values in columns.data]
    return Columns(columns.names, columns.types, data, columns.skipped)


def _portions(literals: Sequence[str]) -> Iterator[range]:
    """Ranges of indices whose literals fit into one statement; one at least."""
    start = size = 0
    for index, literal in enumerate(literals):
        if size and size + len(literal.encode()) > _QUERY_BYTES:
            yield range(start, index)
            start, size = index, 0
        size += len(literal.encode()) + 1
    if start < len(literals):
        yield range(start, len(literals))


def _question(table: str, column: str, ids: Sequence[Any], times: Sequence[int]) -> str:
    wanted = ",".join(map(_literal, ids))
    between = " OR ".join(
        f"`{_TIME_COLUMN}` BETWEEN fromUnixTimestamp64Nano({first}) AND fromUnixTimestamp64Nano({last})"
        for first, last in _ranges(times)
    )
    return (
        f"SELECT concat('=', arrayStringConcat(groupUniqArray(hex(toString(`{column}`))), ',')) "  # noqa: S608 - see top
        f"FROM {table} WHERE ({between}) AND `{column}` IN ({wanted})"
    )


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(int(value))


def _ranges(times: Sequence[int]) -> list[tuple[int, int]]:
    """
    Ranges that cover all times, parted at the longest gaps of more than an hour.

    They are wider by a second at both ends: a table may keep less than nanoseconds.
    """
    ordered = sorted(set(times))
    gaps = sorted((later - earlier, earlier, later) for earlier, later in pairwise(ordered))
    longest = sorted(gap[1:] for gap in gaps[-(_MOST_RANGES - 1) :] if gap[0] > _GAP_NS)
    bounds = [ordered[0], *itertools.chain.from_iterable(longest), ordered[-1]]
    return [
        (max(first - _MARGIN_NS, min(first, 0)), min(last + _MARGIN_NS, _LATEST_NS))
        for first, last in zip(bounds[::2], bounds[1::2], strict=True)
    ]


def _read(printed: Any) -> set[str]:
    found = _ANSWER.fullmatch(printed) if isinstance(printed, str) else None
    if found is None:
        raise RetryableError(
            "Whoever was asked which records are stored is not a ClickHouse.", code="not_clickhouse"
        )
    return {bytes.fromhex(text).decode("utf-8", "replace") for text in (found[1] or "").split(",") if text}
