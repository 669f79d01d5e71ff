"""
Erasing a subject from tables, roll-ups and archives.

Rows go by mutations, which write their parts anew (:mod:`activitylog.store.subjects.mutations`). No statement that
the server keeps holds the subject: mutations find it in a table in memory, and what is asked about it is not
logged. Of an actor or an object the counts by hour stay as they are: those rows hold no person. Of an object the
counts by actor stay, too.

On replicated tables the mutation waits for the replica that answers, and its text, which Keeper keeps until 100
newer ones are finished, names the subject: the proof says so.

Crash-safe: a run that was killed leaves the rows, some of them or none, and its record as ``begun``. Run again, it
erases what is left and completes the record. What arrives later (spools, Collectors) is found by running it again.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import StoreError
from activitylog.store.subjects.archives import erase_from_archives, folders
from activitylog.store.subjects.mentions import MentionsMode
from activitylog.store.subjects.mutations import Progress, apply_deleted_mask, remove_inactive, rewrite
from activitylog.store.subjects.plan import check_between, condition_in, find, plan
from activitylog.store.subjects.record import Erasure, begin, check_reason, finish, forget_beginnings, unfinished
from activitylog.store.subjects.subject import Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ERASING_TABLE: Final = "activity_erasing"
#: Rows may arrive while a mutation runs; it does not see them.
_MOST_ROUNDS: Final = 5
_PARAMETER: Final = re.compile(r"\{(subject_\w+):String\}")


def erase(
    client: Client,
    subject: Subject,
    *,
    mode: MentionsMode = "keep",
    archives: Sequence[Path] = (),
    reason: str = "",
    progress: Progress | None = None,
) -> Erasure | None:
    """
    Erase a subject from tables and archives.

    Args:
        mode: what happens to rows of others that mention the subject.
        archives: folders; those that the database has a record of need not be given.
        reason: kept in the record; must not name the subject.
        progress: told while parts are rewritten.

    Returns:
        The record; None when there was nothing to erase and nothing to finish.

    Raises:
        ConfigurationError: the reason cannot be kept.
        SchemaError: the database lacks steps of the schema.
        ArchiveError: an archive cannot be read, or is damaged.
        StoreError: the tables are on a cluster, partitions are on their way to an archive, the engine cannot
            rewrite a part, or rows arrive faster than they go.

    After an error the record stays begun; run it again.
    """
    check_reason(reason, subject)
    planned = plan(client, subject, mode=mode, archives=archives)
    forget_beginnings(client)
    earlier = unfinished(client, subject)
    if planned.is_empty and earlier is None:
        return None
    record = begin(
        client,
        subject,
        earlier,
        mentions=mode,
        table_rows=planned.table_rows,
        archive_files=sum(one.files for one in planned.archives),
        archive_rows=sum(one.rows for one in planned.archives),
        reason=reason,
    )
    with _named_in_memory(client, subject) as run:
        for table in planned.tables:
            _erase_from(client, table, subject, mode, run=run, progress=progress)
    erase_from_archives(folders(client, archives)[0], subject, mode)
    _check_stayed_away(client, planned.tables, subject, mode)
    remove_inactive(client, planned.tables)
    return finish(client, record)


def _check_stayed_away(client: Client, tables: Sequence[str], subject: Subject, mode: MentionsMode) -> None:
    """A partition that was on its way to an archive while the table was rewritten may have come back."""
    check_between(client)
    if any(find(client, table, subject, mode) for table in tables):
        raise StoreError("Rows of the subject came back while it was erased.", hint="Run this again.")


def _erase_from(
    client: Client, table: str, subject: Subject, mode: MentionsMode, *, run: uuid.UUID, progress: Progress | None
) -> None:
    hidden = [part.partition for part in find(client, table, subject, mode) if part.hidden]
    apply_deleted_mask(client, table, hidden, progress=progress)
    condition = condition_in(client, table, subject, mode)
    statement = deletion(condition, subject, run, replicated=_is_replicated(client, table))
    for _ in range(_MOST_ROUNDS):
        if not find(client, table, subject, mode):
            return
        rewrite(client, table, *statement, mark=str(run), progress=progress)
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


def deletion(
    condition: str, subject: Subject, run: uuid.UUID, *, replicated: bool
) -> tuple[str, Mapping[str, str]]:
    """
    The command that deletes rows, and its parameters.

    Each parameter of the condition becomes a subquery, so the list of mutations, which is kept, names nobody.
    Every replica executes a mutation on its own, and has no such table: there the values are written out.
    """
    if replicated:
        return f"DELETE WHERE ({condition}) AND '{run}' != ''", subject.parameters
    found = rf"(SELECT Value FROM {ERASING_TABLE} WHERE Run = '{run}' AND Name = '\1')"  # noqa: S608 - a UUID
    return f"DELETE WHERE {_PARAMETER.sub(found, condition)}", {}


def _is_replicated(client: Client, table: str) -> bool:
    sql = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
    engine = str(client.query(sql, parameters={"table": table}).result_rows[0][0])
    return engine.startswith(("Replicated", "Shared"))
