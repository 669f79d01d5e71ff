"""
That a subject is gone: what was looked at, and what was found.

It shows that no row of the tables and archives that were reached is the subject's, rows that a lightweight
DELETE has only marked included; that no mutation is pending; that no old part with such rows is on disk, or when
it will be gone; and that neither the list of mutations, nor the server's query_log, nor (of an embedded store) a
file beside the column data names it. Column data are compressed; they are read by queries, not byte by byte.

Of a cluster every server is asked, each replica for itself; if one does not answer there is no proof.

It cannot show what is elsewhere: backups, replicas of volumes, detached parts, archives on other machines,
spools and queues of processes and Collectors (which may still bring rows), and logs of the server as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activitylog.store.archive.fingerprint import quoted
from activitylog.store.servers import Server, servers
from activitylog.store.subjects.archives import ArchiveFound, find_in_archives, folders
from activitylog.store.subjects.mentions import UNLOGGED, Mention, MentionsMode
from activitylog.store.subjects.mutations import Inactive, remove_inactive
from activitylog.store.subjects.plan import all_mentions, find
from activitylog.store.subjects.subject import TABLES, Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Files of column data and their marks; everything else in a store's folder is plain.
_COMPRESSED: Final = (
    ".bin",
    ".idx",
    ".mrk",
    ".mrk2",
    ".mrk3",
    ".mrk4",
    ".cmrk",
    ".cmrk2",
    ".cmrk3",
    ".cmrk4",
    ".cidx",
)
#: An id shorter than this is found in any bytes.
_SHORTEST_IN_BYTES: Final = 4
_BLOCK: Final = 1 << 20
_MUTATIONS: Final = """
SELECT table, mutation_id, command, is_done, is_killed FROM system.mutations WHERE database = currentDatabase()
"""
_DETACHED: Final = """
SELECT count() FROM system.detached_parts
WHERE database = currentDatabase() AND has({tables:Array(String)}, table)
"""
_BESIDE: Final = """
SELECT name FROM system.tables WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')
AND NOT has({tables:Array(String)}, name) AND name IN (
    SELECT table FROM system.columns WHERE database = currentDatabase()
    AND name IN ('TenantId', 'ActorType', 'ActorId', 'ObjectType', 'ObjectId') GROUP BY table HAVING count() = 5)
ORDER BY name
"""
_NAMED_IN_LOG: Final = "position(query, {subject_id:String}) > 0 AND match(query, {subject_word:String})"


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What was looked at after an erasure, or at any time.

    Attributes:
        rows: of the subject by table, on disk; all 0 when it is gone. archives: pieces in which something was
        found. missing: recorded archives that are not on this machine. pending: mutations of its tables that are
        not finished, as ``table mutation``. inactive: old parts that are still on disk. detached: parts that
        somebody set aside; nobody looks into them. mutations: finished mutations that name the subject in their
        text, as ``table mutation``: not ours. They are
            forgotten when 100 newer ones of that table are finished.
        logged: statements in the server's query_log that name it; None where there is no such log or it may not be
            read.
        files: of an embedded store's folder that name it, beside column data; None where not looked at.
        mentions: rows of others that mention it, and were kept.
        beside: rows of the subject in other tables with the columns of events, by table: those that ``archive
            restore --into`` has made, and copies. They are not erased.
    """

    rows: Mapping[str, int]
    archives: tuple[ArchiveFound, ...]
    missing: tuple[Path, ...]
    pending: tuple[str, ...]
    inactive: tuple[Inactive, ...]
    detached: int
    mutations: tuple[str, ...]
    logged: int | None
    files: tuple[str, ...] | None
    mentions: tuple[Mention, ...]
    beside: Mapping[str, int]

    @property
    def gone(self) -> bool:
        """Whether nothing of the subject's own is left: rows, archived rows, pending work, old parts."""
        left = any(self.rows.values()) or any(one.rows or one.strays for one in self.archives)
        return not left and not self.pending and not self.inactive

    @property
    def complete(self) -> bool:
        """Whether it is gone, and nothing else that was looked at names it or was out of reach."""
        named = self.mutations or self.logged or self.files
        return self.gone and not self.missing and not self.detached and not named and not self.beside


def prove(
    client: Client,
    subject: Subject,
    *,
    mode: MentionsMode = "keep",
    archives: Sequence[Path] = (),
    folder: Path | None = None,
) -> Proof:
    """
    Look for what is left of a subject. Changes nothing; has the embedded engine remove old parts that are due.

    Args:
        mode: rows that only mention the subject count as its own unless they were to be kept.
        archives: folders; those that the database has a record of need not be given.
        folder: of an embedded store, whose files are searched as well.

    Raises:
        ArchiveError: an archive cannot be read.
        StoreUnavailableError: a server of the cluster does not answer: then nobody can say.
    """
    tables = TABLES[subject.kind]
    here, missing = folders(client, archives)
    with servers(client, all_replicas=True) as reached:
        rows = {table: sum(part.rows for part in find(reached, table, subject, mode)) for table in tables}
        local = [reached.table(table) for table in tables]
        seen = [_see(server, subject, local) for server in reached.every]
        mentioned = tuple(all_mentions(reached, subject, mode))
    return Proof(
        rows=rows,
        archives=tuple(find_in_archives(here, subject, mode)),
        missing=tuple(missing),
        pending=tuple(one for server in seen for one in server.pending),
        inactive=tuple(one for server in seen for one in server.inactive),
        detached=sum(server.detached for server in seen),
        mutations=tuple(one for server in seen for one in server.mutations),
        logged=_sum([server.logged for server in seen]),
        files=None if folder is None else tuple(_naming_files(folder, subject.id)),
        mentions=mentioned,
        beside={table: rows for server in seen for table, rows in server.beside.items()},
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found on one server, as in :class:`Proof`; of a cluster with the server's name."""

    pending: Sequence[str]
    inactive: Sequence[Inactive]
    detached: int
    mutations: Sequence[str]
    logged: int | None
    beside: Mapping[str, int]


def _see(server: Server, subject: Subject, tables: Sequence[str]) -> _Seen:
    client, where = server.client, server.name and f" on {server.name}"
    left = remove_inactive(server, tables)
    mutations = client.query(_MUTATIONS).result_rows
    unfinished = [row for row in mutations if row[0] in tables and not row[3] and not row[4]]
    return _Seen(
        pending=[f"{row[0]} {row[1]}{where}" for row in unfinished],
        inactive=left,
        detached=int(client.query(_DETACHED, parameters={"tables": list(tables)}).result_rows[0][0]),
        mutations=[f"{row[0]} {row[1]}{where}" for row in mutations if _names(row[2], subject)],
        logged=_logged(client, subject),
        beside={f"{table}{where}": rows for table, rows in _beside(client, subject, tables).items()},
    )


def _sum(counted: Sequence[int | None]) -> int | None:
    """None where one of them is: then it was not looked everywhere."""
    known = [one for one in counted if one is not None]
    return sum(known) if len(known) == len(counted) else None


def _beside(client: Client, subject: Subject, tables: Sequence[str]) -> dict[str, int]:
    names = [str(name) for (name,) in client.query(_BESIDE, parameters={"tables": list(tables)}).result_rows]
    counted = {
        name: client.query(
            f"SELECT count() FROM {quoted(name)} WHERE {subject.own}",  # noqa: S608 - quoted, values are parameters
            parameters=subject.parameters,
            settings={**UNLOGGED, "apply_deleted_mask": 0},
        ).result_rows[0][0]
        for name in names
    }
    return {name: int(rows) for name, rows in counted.items() if rows}


def _names(command: str, subject: Subject) -> bool:
    """Statements are kept with quotes and backslashes escaped."""
    return subject.named_in(command) or subject.named_in(command.replace("\\'", "'").replace("\\\\", "\\"))


def _logged(client: Client, subject: Subject) -> int | None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        if not int(str(client.command("EXISTS TABLE system.query_log"))):
            return None
        sql = f"SELECT count() FROM system.query_log WHERE {_NAMED_IN_LOG}"  # noqa: S608 - values are parameters
        found: Any = client.query(sql, parameters=subject.parameters, settings=UNLOGGED).result_rows
    except DatabaseError:
        return None
    return int(found[0][0])


def _naming_files(folder: Path, text: str) -> list[str]:
    """Paths below the folder of files that hold the text and are no column data."""
    needle = text.encode("utf-8", "surrogateescape")
    if len(needle) < _SHORTEST_IN_BYTES:
        return []
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix not in _COMPRESSED and path.is_file())
    return [str(path.relative_to(folder)) for path in paths if _holds(path, needle)]


def _holds(path: Path, needle: bytes) -> bool:
    try:
        with path.open("rb") as file:
            rest = b""
            while block := file.read(_BLOCK):
                if needle in rest + block:
                    return True
                rest = block[-len(needle) :]
    except FileNotFoundError:
        pass  # a part that was removed meanwhile
    return False
