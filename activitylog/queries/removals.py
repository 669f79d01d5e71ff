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

#: How long a producer may have been silent between its rows that left and the oldest one that did not. For
#: retention it is an eighth of the days, and this at the most: else it would explain any beginning.
_LONGEST_SILENCE_DAYS: Final = 31.0
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
        silence_days: a producer whose oldest row is so much younger may have begun among them.

    Retention takes events, and leaves the counters between them: numbers of the same sequence, which may be far
    older. So of what it took is every missing number that is before all events and before a row of that age.
    """

    kind: Kind
    rows: int | None
    until: datetime
    silence_days: float = _LONGEST_SILENCE_DAYS

    def __str__(self) -> str:
        moment = f"{self.until:%Y-%m-%d %H:%M} UTC"
        if self.kind == "retention":
            return f"retention removes events from before {moment}"
        what = f"{self.rows:,} event{'s' if self.rows != 1 else ''}"
        if self.kind == "archive":
            return f"{what} from before {moment} left for an archive"
        return f"{what} from before {moment} were erased"

    @property
    def reach(self) -> datetime:
        """A producer whose oldest row is not younger may have begun among them."""
        return self.until + timedelta(days=self.silence_days)

    def may_hold(self, first: datetime, *, is_head: bool) -> bool:
        """
        Whether numbers that a producer lacks may be among them.

        Args:
            first: time of the oldest row that it has.
            is_head: the numbers are before that row's; else behind it.
        """
        if is_head:
            return first <= self.reach
        return self.kind != "retention" and first <= self.until


def may_have_begun_earlier(first: datetime, known: Sequence[Removal]) -> bool:
    """
    Whether all that a producer wrote before its oldest row may have left on purpose.

    By retention, or for an archive: an erasure takes events of one person, and never all.
    """
    return any(removal.kind != "erasure" and removal.may_hold(first, is_head=True) for removal in known)


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
    if days is None:
        return []
    until = datetime.now(UTC) - timedelta(days=days)
    return [Removal("retention", None, until, min(days / 8, _LONGEST_SILENCE_DAYS))]


def _counted(kind: Any, rows: Sequence[dict[str, Any]]) -> list[Removal]:
    return [Removal(kind, int(row["rows"]), row["last"]) for row in rows]
