"""What an erasure would take: rows by table and partition, rows of archives, and who else mentions the subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import SchemaError, StoreError
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.migrations import pending
from activitylog.store.subjects.archives import ArchiveFound, find_in_archives, folders
from activitylog.store.subjects.mentions import (
    UNLOGGED,
    Mention,
    MentionsMode,
    erased_rows,
    mentions,
    text_columns,
)
from activitylog.store.subjects.subject import ACTOR_DAILY_TABLE, COUNTERS_TABLE, HOURLY_TABLE, TABLES, Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TIMES: Final = {
    EVENTS_TABLE: ("Timestamp", "Timestamp"),
    ACTOR_DAILY_TABLE: ("FirstSeen", "LastSeen"),
    HOURLY_TABLE: ("Hour", "Hour"),
    COUNTERS_TABLE: ("Minute", "Minute"),
}
#: Where the archiver has partitions between the table and a file.
_BETWEEN: Final = ("activity_events_archiving", "activity_events_restoring")
#: Sees rows that a lightweight DELETE has only marked, too: they are on disk.
_ALL_ROWS: Final = {**UNLOGGED, "apply_deleted_mask": 0}


@dataclass(frozen=True, slots=True)
class Found:
    """
    Rows of a subject in one partition.

    Attributes:
        partition: its id, such as ``202611``.
        rows: on disk.
        hidden: of them those that a lightweight DELETE has marked and no question sees.
        first, last: times in UTC, as text.
    """

    table: str
    partition: str
    rows: int
    hidden: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What an erasure would take.

    Attributes:
        found: by table and partition; those with no rows are left out.
        mentions: rows of others that mention the subject, and whether they are among ``found``.
        types: types under which the same id has rows as well, with their number: other actors, or a mistake.
        archives: what the archives hold, by piece.
        missing: folders of archives that the database has a record of and this machine has not.
        tables: where it looks, in the order of work.
    """

    subject: Subject
    mode: MentionsMode
    found: tuple[Found, ...]
    mentions: tuple[Mention, ...]
    types: tuple[tuple[str, int], ...]
    archives: tuple[ArchiveFound, ...]
    missing: tuple[Path, ...]
    tables: tuple[str, ...]

    @property
    def table_rows(self) -> dict[str, int]:
        """Rows by table, 0 included."""
        counted = Counter(dict.fromkeys(self.tables, 0))
        for part in self.found:
            counted[part.table] += part.rows
        return dict(counted)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to erase."""
        return not self.found and not any(one.rows or one.strays for one in self.archives)


def plan(client: Client, subject: Subject, *, mode: MentionsMode = "keep", archives: Sequence[Path] = ()) -> Plan:
    """
    Look what an erasure would take. Only reads.

    Args:
        mode: what happens to rows of others that mention the subject.
        archives: folders; those that the database has a record of need not be given.

    Raises:
        SchemaError: the database lacks steps of the schema.
        ArchiveError: an archive cannot be read.
        StoreError: the tables are on a cluster, or partitions are on their way to an archive or back.
    """
    _check_schema(client)
    _check_tables(client)
    reached, missing = folders(client, archives)
    tables = TABLES[subject.kind]
    return Plan(
        subject,
        mode,
        tuple(part for table in tables for part in find(client, table, subject, mode)),
        tuple(mentions(client, subject, mode)),
        _other_types(client, subject),
        tuple(find_in_archives(reached, subject, mode)),
        tuple(missing),
        tables,
    )


def _check_schema(client: Client) -> None:
    missing = pending(client)
    if missing:
        raise SchemaError(
            f"The database lacks the schema step {missing[0]}.", hint="Run: activitylog schema apply --url URL."
        )


def _check_tables(client: Client) -> None:
    sql = "SELECT name, engine FROM system.tables WHERE database = currentDatabase()"
    engines = {str(name): str(engine) for name, engine in client.query(sql).result_rows}
    if engines.get(EVENTS_TABLE) == "Distributed":
        raise StoreError(
            f"{EVENTS_TABLE} is spread over a cluster.",
            hint="This command works on the tables of one server. "
            "On a cluster run ALTER TABLE ..._local ON CLUSTER ... DELETE by hand.",
        )
    check_between(client)


def check_between(client: Client) -> None:
    """
    Make sure that no partition is between the table and a file.

    Raises:
        StoreError: one is.
    """
    for table in _BETWEEN:
        if client.command(f"EXISTS TABLE {table}") and client.command(f"SELECT count() FROM {table}"):  # noqa: S608 - our name
            raise StoreError(
                f"The table {table} has rows: partitions are on their way to an archive or back.",
                hint="Let that run end, or start it again if it was killed; then run this again.",
            )


def find(client: Client, table: str, subject: Subject, mode: MentionsMode) -> list[Found]:
    """A subject's rows in one of its tables, by partition."""
    first, last = _TIMES[table]
    rows = client.query(
        f"SELECT _partition_id, count(), countIf(_row_exists = 0), min({first})::String, max({last})::String "  # noqa: S608
        f"FROM {table} WHERE {condition_in(client, table, subject, mode)} GROUP BY 1 ORDER BY 1",
        parameters=subject.parameters,
        settings=_ALL_ROWS,
    ).result_rows
    return [Found(table, *row) for row in rows]


def condition_in(client: Client, table: str, subject: Subject, mode: MentionsMode) -> str:
    """The condition for a subject's rows in one of its tables."""
    return erased_rows(subject, mode, text_columns(client)) if table == EVENTS_TABLE else subject.own


def _other_types(client: Client, subject: Subject) -> tuple[tuple[str, int], ...]:
    if subject.kind == "tenant":
        return ()
    prefix = subject.kind.capitalize()
    rows = client.query(
        f"SELECT {prefix}Type, count() FROM {EVENTS_TABLE} WHERE {prefix}Id = {{subject_id:String}} "  # noqa: S608
        f"AND {prefix}Type != {{subject_type:String}} AND {subject.within} GROUP BY 1 ORDER BY 1",
        parameters=subject.parameters,
        settings=UNLOGGED,
    ).result_rows
    return tuple((str(name), int(n)) for name, n in rows)
