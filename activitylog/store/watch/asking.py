"""Asking a database about itself: rows as mappings, and the tables that hold what is ours."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from activitylog.store.columns import COUNTERS_TABLE, EVENTS_TABLE, INGEST_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

HOURLY_TABLE: Final = "activity_events_hourly"
ACTOR_TABLE: Final = "activity_events_actor_daily"
#: What is derived from the events.
ROLLUP_TABLES: Final = (HOURLY_TABLE, ACTOR_TABLE, COUNTERS_TABLE)

#: A table, column, function or setting that this server does not have, or that this user may not see.
NOT_THERE: Final = frozenset({46, 47, 60, 81, 115})
NOT_ALLOWED: Final = frozenset({164, 497})

_TTL: Final = re.compile(r" TTL (.*?)(?: SETTINGS |$)", re.DOTALL)
_DROP_AGE: Final = re.compile(r"\+ toInterval(Second|Minute|Hour|Day|Week|Month|Year)\((\d+)\)(?= DELETE|,|\s*$)")
_DAYS: Final = {
    "Second": 1 / 86_400,
    "Minute": 1 / 1_440,
    "Hour": 1 / 24,
    "Day": 1.0,
    "Week": 7.0,
    "Month": 31.0,
    "Year": 366.0,
}
_DISTRIBUTED: Final = re.compile(r"Distributed\('[^']*',\s*'([^']*)',\s*'([^']*)'")


@dataclass(frozen=True, slots=True)
class TableFacts:
    """
    A table as ``system.tables`` has it.

    Attributes:
        engine_full: engine with keys, TTL and settings, as the server prints it.
        views: views that read from it, as (database, name).
        target: where a view writes to, as (database, name); empty of a table.
    """

    name: str
    engine: str
    engine_full: str = ""
    partition_key: str = ""
    storage_policy: str = ""
    views: tuple[tuple[str, str], ...] = ()

    @property
    def keeps_rows(self) -> bool:
        """Whether it has parts of its own."""
        return self.engine.endswith("MergeTree")

    @property
    def is_replicated(self) -> bool:
        """Whether its engine replicates (``Shared`` is ClickHouse Cloud's)."""
        return self.engine.startswith(("Replicated", "Shared"))

    def setting(self, name: str) -> str | None:
        """The table's own value of a setting."""
        found = re.search(rf"\b{re.escape(name)} = ('[^']*'|[^,\s]+)", self.engine_full)
        return found[1].strip("'") if found else None

    @property
    def retention_days(self) -> float | None:
        """Age in days at which the TTL drops rows; None without such a TTL."""
        ttl = _TTL.search(self.engine_full)
        found = _DROP_AGE.search(ttl[1]) if ttl else None
        return int(found[2]) * _DAYS[found[1]] if found else None


class Database:
    """
    The client's current database, asked about itself. Never writes.

    Args:
        client: as :func:`activitylog.store.connect` gives it; stays the caller's.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """
        Ask.

        Args:
            parameters: values of ``{name:Type}``.

        Returns:
            A mapping a row; times are aware, in UTC.

        Raises:
            clickhouse_connect.driver.exceptions.DatabaseError: the engine refuses.
        """
        answer = self.client.query(sql, parameters=parameters, tz_mode="aware")
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def checked_parts(self, table: str) -> list[dict[str, Any]]:
        """
        ``CHECK TABLE``: the server reads every part and compares it with its checksums.

        Returns:
            A mapping a part: ``part_path`` (its name), ``is_passed`` and ``message``.
        """
        answer = self.client.raw_query(
            f"CHECK TABLE {quoted(table)}", settings={"check_query_single_value_result": 0}, fmt="JSONEachRow"
        )
        return [json.loads(line) for line in answer.splitlines() if line.strip()]

    def row(self, sql: str, **parameters: Any) -> dict[str, Any]:
        """The first row; empty when there is none."""
        return next(iter(self.rows(sql, **parameters)), {})

    def rows_if_there(self, sql: str, **parameters: Any) -> list[dict[str, Any]] | None:
        """As :meth:`rows`; None where the server lacks what is asked, or does not show it to this user."""
        from clickhouse_connect.driver.exceptions import DatabaseError

        try:
            return self.rows(sql, **parameters)
        except DatabaseError as error:
            if error.code in NOT_THERE | NOT_ALLOWED:
                return None
            raise

    @cached_property
    def tables(self) -> dict[str, TableFacts]:
        """All tables and views of the database by name, as they were when first asked."""
        return {
            row["name"]: TableFacts(
                row["name"],
                row["engine"],
                row["engine_full"],
                row["partition_key"],
                row["storage_policy"],
                tuple(zip(row["dependencies_database"], row["dependencies_table"], strict=True)),
            )
            for row in self.rows(
                "SELECT name, engine, engine_full, partition_key, storage_policy, dependencies_database, "
                "dependencies_table FROM system.tables WHERE database = currentDatabase() AND NOT is_temporary"
            )
        }

    def local(self, name: str) -> str:
        """The table of this server that holds a table's rows: behind a Distributed one its local table."""
        table = self.tables.get(name)
        found = _DISTRIBUTED.search(table.engine_full) if table else None
        return found[2] if found else name

    def holds(self, name: str) -> bool:
        """Whether the database has the table (or a Distributed one of that name)."""
        return name in self.tables

    @property
    def events(self) -> str:
        """The table of this server with the events."""
        return self.local(EVENTS_TABLE)

    @property
    def ours(self) -> tuple[str, ...]:
        """The tables of this server that hold rows of ours, the events first."""
        names = (self.local(name) for name in (EVENTS_TABLE, *ROLLUP_TABLES, INGEST_TABLE))
        return tuple(name for name in names if name in self.tables and self.tables[name].keeps_rows)


def quoted(name: str) -> str:
    """An identifier in backticks."""
    from clickhouse_connect.driver.binding import quote_identifier

    return quote_identifier(name)
