"""
Erasing a subject from tables, roll-ups and archives.

Rows go by mutations, which write their parts anew (:mod:`activitylog.store.subjects.mutations`). No statement that
the server keeps holds the subject: mutations find it in a table in memory, and what is asked about it is not
logged. Of an actor or an object the counts by hour stay as they are: those rows hold no person. Of an object the
counts by actor stay, too.

Of a cluster every server must answer before anything is changed. Each executes the mutations of its shard for
itself, so each is told in memory whom they are about; none is left out when they are waited for, and when it is
looked whether the subject is gone. A table that is replicated without a cluster has replicas that nobody can ask:
there the text of the mutation, which Keeper keeps until 100 newer ones are finished, names the subject, and the
proof says so.

Crash-safe: a run that was killed leaves the rows, some of them or none, and its record as ``begun``. Run again, it
erases what is left and completes the record. What arrives later (spools, Collectors) is found by running it again.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import StoreError
from activitylog.store.servers import Servers, catch_up, servers
from activitylog.store.subjects.archives import erase_from_archives, folders
from activitylog.store.subjects.mentions import MentionsMode
from activitylog.store.subjects.mutations import Progress, apply_deleted_mask, remove_inactive, rewrite
from activitylog.store.subjects.plan import Plan, check_between, condition_in, find, plan
from activitylog.store.subjects.record import (
    ERASURES_TABLE,
    Erasure,
    begin,
    check_reason,
    finish,
    forget_beginnings,
    unfinished,
)
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
        StoreUnavailableError: a server of the cluster does not answer; nothing was changed.
        StoreError: partitions are on their way to an archive, the engine cannot rewrite a part, or rows arrive
            faster than they go.

    After an error the record stays begun; run it again.
    """
    check_reason(reason, subject)
    planned = plan(client, subject, mode=mode, archives=archives)
    with servers(client, all_replicas=True) as reached:
        for server in reached.every:
            catch_up(server, [ERASURES_TABLE])
        return _erase(reached, planned, archives, reason, progress)


def _erase(
    reached: Servers, planned: Plan, archives: Sequence[Path], reason: str, progress: Progress | None
) -> Erasure | None:
    client, subject, mode = reached.every[0].client, planned.subject, planned.mode
    forget_beginnings(reached)
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
    with _named_in_memory(reached, subject) as run:
        for table in planned.tables:
            for shard in reached.shards:
                one = replace(reached, shards=(shard,))
                _erase_from(one, table, subject, mode, run=run, progress=progress)
    erase_from_archives(folders(client, archives)[0], subject, mode)
    _check_stayed_away(reached, planned.tables, subject, mode)
    for server in reached.every:
        remove_inactive(server, [reached.table(table) for table in planned.tables])
    return finish(reached, record)


def _check_stayed_away(reached: Servers, tables: Sequence[str], subject: Subject, mode: MentionsMode) -> None:
    """A partition that was on its way to an archive while the table was rewritten may have come back."""
    check_between(reached)
    if any(find(reached, table, subject, mode) for table in tables):
        raise StoreError("Rows of the subject came back while it was erased.", hint="Run this again.")


def _erase_from(
    shard: Servers, table: str, subject: Subject, mode: MentionsMode, *, run: uuid.UUID, progress: Progress | None
) -> None:
    client, local = shard.every[0].client, shard.table(table)
    hidden = [part.partition for part in find(shard, table, subject, mode) if part.hidden]
    apply_deleted_mask(shard.every, local, hidden, progress=progress)
    condition = condition_in(client, table, subject, mode)
    written_out = not shard.clustered and _is_replicated(client, local)
    statement = deletion(condition, subject, run, written_out=written_out)
    for _ in range(_MOST_ROUNDS):
        if not find(shard, table, subject, mode):
            return
        rewrite(shard.every, local, *statement, mark=str(run), progress=progress)
    raise StoreError(
        f"Rows of the subject arrive in {table} as fast as they are erased.",
        hint="Stop what sends them (applications, Collectors, spools), then run this again.",
    )


@contextmanager
def _named_in_memory(reached: Servers, subject: Subject) -> Iterator[uuid.UUID]:
    """Put the subject where statements of this run find it, on each server, for as long as the block lasts."""
    run = uuid.uuid4()
    values = [[run, name, value] for name, value in subject.parameters.items()]
    with ExitStack() as named:
        for server in reached.every:
            client = server.client
            named.callback(client.command, f"ALTER TABLE {ERASING_TABLE} DELETE WHERE Run = '{run}'")
            client.command(f"ALTER TABLE {ERASING_TABLE} DELETE WHERE At < now('UTC') - INTERVAL 1 DAY")
            client.insert(
                ERASING_TABLE, values, column_names=("Run", "Name", "Value"), settings={"async_insert": 0}
            )
        yield run


def deletion(
    condition: str, subject: Subject, run: uuid.UUID, *, written_out: bool
) -> tuple[str, Mapping[str, str]]:
    """
    The command that deletes rows, and its parameters.

    Each parameter of the condition becomes a subquery, so the list of mutations, which is kept, names nobody.

    Args:
        written_out: it names the subject, because replicas execute it whose memory nobody can reach.
    """
    if written_out:
        return f"DELETE WHERE ({condition}) AND '{run}' != ''", subject.parameters
    found = rf"(SELECT Value FROM {ERASING_TABLE} WHERE Run = '{run}' AND Name = '\1')"  # noqa: S608 - a UUID
    return f"DELETE WHERE {_PARAMETER.sub(found, condition)}", {}


def _is_replicated(client: Client, table: str) -> bool:
    sql = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
    engine = str(client.query(sql, parameters={"table": table}).result_rows[0][0])
    return engine.startswith(("Replicated", "Shared"))
