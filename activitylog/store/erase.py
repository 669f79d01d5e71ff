"""
Erasing a subject: what would go, then that it goes, then the proof.

Rows go by mutations, which write their parts anew (:mod:`activitylog.store.mutations`). No statement that the server
keeps holds the subject: mutations find it in a table in memory, and what is asked about it is not logged. What the
roll-ups by hour have counted of an actor or an object stays: those rows hold no person.

Crash-safe: a run that was killed leaves rows, or none, and its record as ``begun``. Run again it erases what is left and
completes the record. What arrives later (spools, Collectors) is found by running it again.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import SchemaError, StoreError
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.erasures import Erasure, begin, check_reason, finish, forget_beginnings, unfinished
from activitylog.store.mentions import UNLOGGED, Mention, MentionsMode, erased_rows, mentions
from activitylog.store.migrations import pending
from activitylog.store.mutations import Progress, apply_deleted_mask, remove_inactive, rewrite
from activitylog.store.subject import ACTOR_DAILY_TABLE, COUNTERS_TABLE, HOURLY_TABLE, TABLES, Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ERASING_TABLE: Final = "activity_erasing"
_TIMES: Final = {
    EVENTS_TABLE: ("Timestamp", "Timestamp"),
    ACTOR_DAILY_TABLE: ("FirstSeen", "LastSeen"),
    HOURLY_TABLE: ("Hour", "Hour"),
    COUNTERS_TABLE: ("Minute", "Minute"),
}
#: Sees rows that a lightweight DELETE has marked, too: they are on disk.
ALL_ROWS: Final = {**UNLOGGED, "apply_deleted_mask": 0}
#: Rows may arrive while the mutations run.
_MOST_ROUNDS: Final = 5
_PARAMETER: Final = re.compile(r"\{(subject_\w+):String\}")


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
        tables: where it looks, in the order of work.
    """

    subject: Subject
    mode: MentionsMode
    found: tuple[Found, ...]
    mentions: tuple[Mention, ...]
    types: tuple[tuple[str, int], ...]
    tables: tuple[str, ...]

    @property
    def table_rows(self) -> dict[str, int]:
        """Rows by table."""
        counted = Counter(dict.fromkeys(self.tables, 0))
        for part in self.found:
            counted[part.table] += part.rows
        return dict(counted)


def plan(client: Client, subject: Subject, *, mode: MentionsMode = "keep") -> Plan:
    """
    Look what an erasure would take. Only reads.

    Raises:
        SchemaError: the database lacks steps of the schema.
    """
    _check_schema(client)
    tables = TABLES[subject.kind]
    conditions = {table: _condition(client, table, subject, mode) for table in tables}
    return Plan(
        subject,
        mode,
        tuple(part for table in tables for part in find(client, table, conditions[table], subject)),
        tuple(mentions(client, subject, mode)),
        _other_types(client, subject),
        tables,
    )


def _check_schema(client: Client) -> None:
    missing = pending(client)
    if missing:
        raise SchemaError(
            f"The database lacks the schema step {missing[0]}.", hint="Run: activitylog schema apply --url URL."
        )


def _condition(client: Client, table: str, subject: Subject, mode: MentionsMode) -> str:
    return erased_rows(client, subject, mode) if table == EVENTS_TABLE else subject.own


def find(client: Client, table: str, condition: str, subject: Subject) -> list[Found]:
    """The rows that a condition about a subject meets, by partition, marked ones included."""
    first, last = _TIMES[table]
    rows = client.query(
        f"SELECT _partition_id, count(), countIf(_row_exists = 0), toString(min({first})), toString(max({last})) "  # noqa: S608 - names are ours, values are parameters
        f"FROM {table} WHERE {condition} GROUP BY 1 ORDER BY 1",
        parameters=subject.parameters,
        settings=ALL_ROWS,
    ).result_rows
    return [Found(table, *row) for row in rows]


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


def erase(
    client: Client,
    subject: Subject,
    *,
    mode: MentionsMode = "keep",
    reason: str = "",
    progress: Progress | None = None,
) -> Erasure | None:
    """
    Erase a subject from the tables.

    Args:
        mode: what happens to rows of others that mention it.
        reason: kept in the record; must not name the subject.
        progress: told while parts are rewritten.

    Returns:
        The record; None when there was nothing to erase and nothing to finish.

    Raises:
        ConfigurationError: the reason cannot be kept.
        SchemaError: the database lacks steps of the schema.
        StoreError: the engine cannot rewrite a part, or rows arrive faster than they go. The record stays begun.
    """
    check_reason(reason, subject)
    planned = plan(client, subject, mode=mode)
    forget_beginnings(client)
    earlier = unfinished(client, subject)
    if not planned.found and earlier is None:
        return None
    record = begin(
        client,
        subject,
        earlier,
        mentions=mode,
        table_rows=planned.table_rows,
        archive_files=0,
        archive_rows=0,
        reason=reason,
    )
    with _named_in_memory(client, subject) as run:
        for table in planned.tables:
            _erase_from(client, table, _condition(client, table, subject, mode), subject, run, progress)
    remove_inactive(client, planned.tables)
    return finish(client, record)


def _erase_from(
    client: Client, table: str, condition: str, subject: Subject, run: uuid.UUID, progress: Progress | None
) -> None:
    hidden = [part.partition for part in find(client, table, condition, subject) if part.hidden]
    apply_deleted_mask(client, table, hidden, progress=progress)
    for _ in range(_MOST_ROUNDS):
        if not find(client, table, condition, subject):
            return
        rewrite(client, table, f"DELETE WHERE {_from_memory(condition, run)}", mark=str(run), progress=progress)
    raise StoreError(
        f"Rows of the subject arrive in {table} as fast as they are erased.",
        hint="Stop what sends them (applications, Collectors, spools), then run this again.",
    )


@contextmanager
def _named_in_memory(client: Client, subject: Subject) -> Iterator[uuid.UUID]:
    """Put the subject where statements of this run find it, for as long as the ``with`` block lasts."""
    run = uuid.uuid4()
    client.command(f"ALTER TABLE {ERASING_TABLE} DELETE WHERE At < now('UTC') - INTERVAL 1 DAY")
    values = [[run, name, value] for name, value in subject.parameters.items()]
    client.insert(ERASING_TABLE, values, column_names=("Run", "Name", "Value"), settings={"async_insert": 0})
    try:
        yield run
    finally:
        client.command(f"ALTER TABLE {ERASING_TABLE} DELETE WHERE Run = '{run}'")


def _from_memory(condition: str, run: uuid.UUID) -> str:
    """The condition with each parameter as a subquery: what the list of mutations keeps then names nobody."""
    found = rf"(SELECT Value FROM {ERASING_TABLE} WHERE Run = '{run}' AND Name = '\1')"
    return _PARAMETER.sub(found, condition)
