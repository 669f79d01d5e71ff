"""What an erasure would take: rows by table and partition, rows of archives, and who else mentions the subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import SchemaError, StoreError
from activitylog.store.archive.dropping import begun
from activitylog.store.archive.table import RECORD_TABLE
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.migrations import pending
from activitylog.store.servers import Server, Servers, catch_up, servers
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
        StoreUnavailableError: a server of the cluster does not answer.
        StoreError: partitions are on their way to an archive or back.
    """
    _check_schema(client)
    with servers(client, all_replicas=True) as reached:
        check_between(reached)
        here, missing = folders(client, archives)
        tables = TABLES[subject.kind]
        return Plan(
            subject,
            mode,
            tuple(part for table in tables for part in find(reached, table, subject, mode)),
            tuple(all_mentions(reached, subject, mode)),
            _other_types(reached, subject),
            tuple(find_in_archives(here, subject, mode)),
            tuple(missing),
            tables,
        )


def _check_schema(client: Client) -> None:
    missing = pending(client)
    if missing:
        raise SchemaError(
            f"The database lacks the schema step {missing[0]}.", hint="Run: activitylog schema apply --url URL."
        )


def check_between(reached: Servers) -> None:
    """
    Make sure that no partition is between the table and a file, on any server.

    Raises:
        StoreError: one is.
    """
    for server in reached.every:
        for table in _BETWEEN:
            if server.client.command(f"EXISTS TABLE {table}") and server.client.command(
                f"SELECT count() FROM {table}"  # noqa: S608 - our name
            ):
                raise StoreError(
                    f"The table {table} has rows{server.name and f' on {server.name}'}: partitions are on "
                    "their way to an archive or back.",
                    hint="Let that run end, or start it again if it was killed; then run this again.",
                )
    first = reached.every[0]
    catch_up(first, [RECORD_TABLE])
    for one in begun(first.client):
        raise StoreError(
            f"The partition {one.partition} is on its way to the archive {one.piece} in {one.folder}.",
            hint="Let that run end, or start it again if it was killed; then run this again.",
        )


def find(reached: Servers, table: str, subject: Subject, mode: MentionsMode) -> list[Found]:
    """
    A subject's rows in one of its tables, by partition, over all shards.

    Every replica is asked, after it has fetched what the others have: of a shard the one counts that has most.
    """
    found: dict[str, list[Found]] = {}
    for shard in reached.shards:
        of_shard: dict[str, Found] = {}
        for server in shard:
            for part in _find_on(server, reached.table(table), table, subject, mode):
                known = of_shard.get(part.partition)
                of_shard[part.partition] = part if known is None or part.rows > known.rows else known
        for name, part in of_shard.items():
            found.setdefault(name, []).append(part)
    return [_together(found[name]) for name in sorted(found)]


def _together(parts: Sequence[Found]) -> Found:
    """A partition that several shards have."""
    return replace(
        parts[0],
        rows=sum(part.rows for part in parts),
        hidden=sum(part.hidden for part in parts),
        first=min(part.first for part in parts),
        last=max(part.last for part in parts),
    )


def _find_on(server: Server, local: str, table: str, subject: Subject, mode: MentionsMode) -> list[Found]:
    first, last = _TIMES[table]
    if server.shard:
        catch_up(server, [local])
    rows = server.client.query(
        f"SELECT _partition_id, count(), countIf(_row_exists = 0), min({first})::String, max({last})::String "  # noqa: S608
        f"FROM {local} WHERE {condition_in(server.client, table, subject, mode)} GROUP BY 1 ORDER BY 1",
        parameters=subject.parameters,
        settings=_ALL_ROWS,
    ).result_rows
    return [Found(table, *row) for row in rows]


def all_mentions(reached: Servers, subject: Subject, mode: MentionsMode) -> list[Mention]:
    """Rows of others that mention the subject, over all shards; neighbours are those within a shard."""
    found: dict[tuple[str, str], Mention] = {}
    for server in reached.one_of_each:
        for one in mentions(server.client, reached.table(EVENTS_TABLE), subject, mode):
            known = found.get((one.how, one.place))
            found[one.how, one.place] = replace(one, rows=one.rows + known.rows) if known else one
    return list(found.values())


def condition_in(client: Client, table: str, subject: Subject, mode: MentionsMode) -> str:
    """The condition for a subject's rows in one of its tables."""
    return erased_rows(subject, mode, text_columns(client)) if table == EVENTS_TABLE else subject.own


def _other_types(reached: Servers, subject: Subject) -> tuple[tuple[str, int], ...]:
    if subject.kind == "tenant":
        return ()
    prefix = subject.kind.capitalize()
    counted = Counter[str]()
    for server in reached.one_of_each:
        rows = server.client.query(
            f"SELECT {prefix}Type, count() FROM {reached.table(EVENTS_TABLE)} "  # noqa: S608
            f"WHERE {prefix}Id = {{subject_id:String}} AND {prefix}Type != {{subject_type:String}} "
            f"AND {subject.within} GROUP BY 1",
            parameters=subject.parameters,
            settings=UNLOGGED,
        ).result_rows
        counted.update({str(name): int(n) for name, n in rows})
    return tuple(sorted(counted.items()))
