"""
A block of which some rows are stored and the others refused: each of those is stored, or refused by itself.

Whoever keeps batches halves what is refused as a whole. Of such a block it must not be told "refused", as some of
it is stored, nor "retry" for ever: what waits behind it would never come. It arises where a batch has events of
another one, whose note was lost or whose bytes were damaged, and where letters of the dead are sent again.

The same ranges of rows are halved at each attempt, whatever is missing of them, and each range has its own token:
that of the block, the rows' numbers, and a checksum of all ids, so that no token names other rows when a frozen
batch has lost some. An attempt that nobody waits for any more and the next one so store a range once.

One attempt sends a bounded number of ranges. What was refused is remembered, and the next attempt goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from zlib import crc32

from otel_clickhouse.encoder import Columns
from otel_clickhouse.exceptions import BlockRefusedError, RetryableError
from otel_clickhouse.presence import rows_of

_MOST_RANGES: Final = 256
#: Blocks of which something is remembered.
_MOST_BLOCKS: Final = 4

Insert = Callable[[Columns, str], None]
Look = Callable[[Columns], Sequence[int]]
#: Token of a range -> which rows of it were refused, and why.
_Refused = dict[str, tuple[tuple[int, ...], str]]


class Halving:
    """The blocks of one process that are sent in ranges. Thread-safe: a token is with one thread at a time."""

    def __init__(self) -> None:
        self._blocks: dict[str, _Refused] = {}

    def note(self, token: str, rows: Sequence[int], refusal: BlockRefusedError) -> None:
        """Remember that these rows were refused under the token of the block itself."""
        if token not in self._blocks and len(self._blocks) >= _MOST_BLOCKS:
            self._blocks.pop(next(iter(self._blocks)), None)
        self._blocks.setdefault(token, {})[token] = tuple(rows), _why(refusal)

    def send(
        self,
        columns: Columns,
        missing: Sequence[int],
        token: str,
        *,
        ids: Sequence[Any],
        insert: Insert,
        look: Look,
    ) -> dict[int, str]:
        """
        Store what is missing, but for the rows that are refused.

        Args:
            columns: the whole block.
            missing: indices of rows.
            token: of the block.
            ids: of all rows.
            insert: stores rows under a token.
            look: which of the rows are not there; a limit may stop an insert between two partitions.

        Returns:
            Index of a row -> why it is refused.

        Raises:
            RetryableError: there is more to do, or as from ``insert`` and ``look``.
        """
        refused = self._blocks.setdefault(token, {})
        prefix = f"{token}/rows-{crc32(repr([*map(str, ids)]).encode()):08x}"
        left, rejected, sent = set(missing), dict[int, str](), 0
        ranges = [(0, columns.rows, token)]
        while ranges:
            first, last, name = ranges.pop()
            rows = tuple(row for row in range(first, last) if row in left)
            if not rows:
                continue
            if name not in refused:
                if sent == _MOST_RANGES:
                    raise RetryableError(
                        "Some rows are refused; the next attempt goes on to find them.", code="halving"
                    )
                sent += 1
                try:
                    insert(rows_of(columns, rows), name)
                    continue
                except BlockRefusedError as refusal:
                    refused[name] = rows, _why(refusal)
                if len(rows) > 1:
                    left.difference_update(rows)
                    left.update(rows[index] for index in look(rows_of(columns, rows)))
            tried, why = refused[name]
            if tried == rows and len(rows) == 1:
                rejected[rows[0]] = why
                continue
            middle = (first + last) // 2
            ranges += [(begin, end, f"{prefix}-{begin}-{end}") for begin, end in ((middle, last), (first, middle))]
        self._blocks.pop(token, None)
        return rejected


def _why(refusal: BlockRefusedError) -> str:
    return f"{refusal.code or refusal.reason}: {refusal}"
