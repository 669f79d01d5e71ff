"""The few numbers that change from second to second, cheap enough to ask for every second."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activitylog.store.watch.asking import Database

_SQL: Final = """
SELECT now64(3, 'UTC') AS at, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts,
       (SELECT count() FROM system.merges WHERE database = currentDatabase()) AS merges,
       (SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done) AS mutations
FROM system.parts WHERE active AND database = currentDatabase() AND table = {table:String}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """
    The table of events at one moment.

    Attributes:
        at: the server's clock.
        merges, mutations: of the database, under way.
    """

    at: datetime
    rows: int
    bytes: int
    parts: int
    merges: int
    mutations: int

    def rows_per_second(self, earlier: Pulse) -> float:
        """Rows that came in since an earlier moment, a second; what was dropped meanwhile counts against it."""
        seconds = (self.at - earlier.at).total_seconds()
        return (self.rows - earlier.rows) / seconds if seconds > 0 else 0.0


def pulse(database: Database) -> Pulse:
    """Ask for it."""
    return Pulse(**database.row(_SQL, table=database.events))
