"""
Rows that have left the store for a reason that it knows: retention, archives, erasures.

None of these keeps the numbers of what left, so a gap is set against them by time and by count: what may have been
removed is no loss that anybody could prove.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.watch.asking import Database

Kind = Literal["retention", "archive", "erasure"]

#: Parts go as a whole, so rows leave up to a partition later than the retention says.
_PARTITION: Final = timedelta(days=31)
#: Pieces whose last word is that their rows left the table.
_ARCHIVED: Final = """
SELECT Piece AS piece, argMax(Action, Time) AS action, argMax(RowCount, Time) AS rows,
    parseDateTime64BestEffortOrZero(argMax(MinTime, Time), 9, 'UTC') AS first,
    parseDateTime64BestEffortOrZero(argMax(MaxTime, Time), 9, 'UTC') AS last
FROM activity_archives WHERE Action IN ('archived', 'restored') GROUP BY Folder, Piece
HAVING action = 'archived' AND rows > 0 ORDER BY first
"""
_ERASED: Final = f"""
SELECT BegunAt AS first, At AS last, TableRows['{EVENTS_TABLE}'] AS rows
FROM activity_erasures WHERE State = 'finished' AND rows > 0 ORDER BY At
"""  # noqa: S608 - our own name


@dataclass(frozen=True, slots=True)
class Removal:
    """
    Rows that have left on purpose.

    Attributes:
        kind: by what.
        rows: how many events; None where nobody counted them.
        until: the newest time of an event that may be among them.
    """

    kind: Kind
    rows: int | None
    until: datetime

    def __str__(self) -> str:
        moment = f"{self.until:%Y-%m-%d %H:%M} UTC"
        if self.kind == "retention":
            return f"retention removes events from before {moment}"
        what = f"{self.rows:,} event{'s' if self.rows != 1 else ''}"
        if self.kind == "archive":
            return f"{what} from before {moment} left for an archive"
        return f"{what} from before {moment} were erased"

    def may_hold(self, first: datetime, *, is_head: bool) -> bool:
        """
        Whether numbers that a producer lacks may be among them.

        Args:
            first: time of the oldest row that it has.
            is_head: the numbers are before that row's; else behind it.
        """
        if self.kind == "retention":
            return is_head and first <= self.until + _PARTITION
        return is_head or self.until >= first


def removals(database: Database) -> tuple[Removal, ...]:
    """What the store knows to have left. Reads the records that archiving and erasing write, and the TTL."""
    found = [*_retention(database)]
    for kind, table, sql in (
        ("archive", "activity_archives", _ARCHIVED),
        ("erasure", "activity_erasures", _ERASED),
    ):
        rows = (database.rows_if_there(sql) or []) if database.holds(table) else []
        found += _counted(kind, rows)
    return tuple(found)


def _retention(database: Database) -> list[Removal]:
    table = database.tables.get(database.events)
    days = table.retention_days if table is not None else None
    return [] if days is None else [Removal("retention", None, datetime.now(UTC) - timedelta(days=days))]


def _counted(kind: Any, rows: Sequence[dict[str, Any]]) -> list[Removal]:
    return [Removal(kind, int(row["rows"]), row["last"]) for row in rows]
