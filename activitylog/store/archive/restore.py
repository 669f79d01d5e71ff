"""
Partitions back from an archive into the table.

The files are checked, loaded into a side table, compared with the manifest there, and then moved into the table as
partitions: no materialized view fires, so roll-ups, which kept counting these events, do not count them twice. The
table is untouched until the move; a run that was killed is done again, and does not restore what is there already.

On a cluster they come back to the shard that they are from, or to the first one if there is no such shard any
more; no question depends on it. A replicated table takes a copy of the partitions, which its other replicas fetch.

The archive stays as it is. To archive the partition again costs no second export if nothing changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import ArchiveError, ConfigurationError
from activitylog.store.archive import side_table
from activitylog.store.archive.dropping import synchronise
from activitylog.store.archive.file_engine import FileEngine, file_engine
from activitylog.store.archive.fingerprint import of_table, quoted
from activitylog.store.archive.lock import locked
from activitylog.store.archive.manifest import Archive, Manifest
from activitylog.store.archive.presence import Presence, presence, times
from activitylog.store.archive.reading import fingerprint
from activitylog.store.archive.side_table import RESTORING
from activitylog.store.archive.table import Table, describe, record
from activitylog.store.archive.verify import problems
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.servers import Server, Servers, servers

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TTL: Final = re.compile(r" TTL (.+?)(?: SETTINGS |$)", re.DOTALL)
_SETTINGS: Final = {"async_insert": 0, "insert_deduplicate": 0}


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: the piece, its rows, and into which table."""

    piece: str
    rows: int
    table: str


def restore(
    client: Client,
    archive: Archive,
    *,
    into: str = EVENTS_TABLE,
    take_over: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Restored:
    """
    Put the rows of a piece into a table.

    Args:
        client: of the store.
        into: another table beside the one of events, made if need be, without roll-ups and without TTL; on a
            cluster on the one server that ``client`` is connected to.
        take_over: what a killed run of another machine left belongs to nobody.
        progress: told how many rows have been loaded.

    Raises:
        ArchiveError: the archive is damaged; the table has its rows already, or some of them; its TTL would remove
            them at once; or they are not the same in it, because a column was changed or dropped.
        ConfigurationError: ``into`` is no name of a table.
        SchemaError: a table is missing.
        StoreError: the embedded engine, which reads the files, is not installed.
    """
    if not _NAME.fullmatch(into):
        raise ConfigurationError(f"{into!r} is no name of a table.", hint="Letters, digits and '_'.")
    with locked(archive.path.parent), file_engine() as engine, servers(client) as reached:
        _check_sound(engine, archive)
        place = _place(reached, client, archive, into)
        describe(place.client, reached.table(EVENTS_TABLE))
        if into != EVENTS_TABLE:
            _make_beside(client, into, archive.manifest)
        table = describe(place.client, reached.table(into))
        if table.replicated:
            synchronise(place, table.name)
        resumed = _recover(place.client, table, force=take_over)
        found = presence(place.client, engine, table.name, archive)
        if not (resumed and found == "all"):
            _check_absent(archive, into, found)
            for other in _others(reached, place, into):
                _check_absent(archive, into, presence(other.client, engine, table.name, archive))
            _bring_in(place.client, engine, archive, table, progress)
        _give_ages(place.client, archive, table)
        record(place.client, "restored", archive, shard=place.shard)
        place.client.command(f"DROP TABLE IF EXISTS {quoted(RESTORING)}")
    return Restored(archive.name, archive.manifest.rows, into)


def _place(reached: Servers, client: Client, archive: Archive, into: str) -> Server:
    """The server that takes the rows."""
    if into != EVENTS_TABLE or not reached.clustered:
        return Server(client)
    return reached.of(archive.manifest.shard)


def _others(reached: Servers, place: Server, into: str) -> list[Server]:
    """Servers of the other shards, which may have the rows."""
    if into != EVENTS_TABLE:
        return []
    return [server for server in reached.one_of_each if server.shard != place.shard]


def _bring_in(
    client: Client, engine: FileEngine, archive: Archive, table: Table, progress: Callable[[int], None]
) -> None:
    side_table.create(client, RESTORING, table, expires=False)
    try:
        _load(client, archive, table, progress)
        _check_loaded(client, archive, table)
    except BaseException:
        client.command(f"DROP TABLE IF EXISTS {quoted(RESTORING)}")
        raise
    side_table.mark_whole(client, RESTORING)
    for partition in side_table.partition_ids(client, RESTORING):
        side_table.bring_in(client, RESTORING, table, partition)
    if table.replicated and presence(client, engine, table.name, archive) != "all":
        raise ArchiveError(
            f"The table {table.name} took some of the rows of {archive.name} for those of an earlier restore.",
            hint="Restore beside (--into TABLE), and compare.",
        )


def _give_ages(client: Client, archive: Archive, table: Table) -> None:
    """The table's TTL knows nothing of parts that were written without one, and would keep them for ever."""
    if not table.expires:
        return
    found = (
        client.query(
            f"SELECT DISTINCT _partition_id FROM {quoted(table.name)} "  # noqa: S608 - quoted
            "WHERE Timestamp BETWEEN {first:DateTime64(9, 'UTC')} AND {last:DateTime64(9, 'UTC')}",
            parameters=times(archive),
        ).result_rows
        if archive.manifest.rows
        else []
    )
    for (partition,) in found:
        client.command(
            f"ALTER TABLE {quoted(table.name)} MATERIALIZE TTL IN PARTITION ID {{partition:String}}",
            parameters={"partition": str(partition)},
            settings={"mutations_sync": 1},
        )


def _check_sound(engine: FileEngine, archive: Archive) -> None:
    wrong = problems(engine, archive)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ArchiveError(
            f"The archive {archive.name} is damaged: {wrong[0]}{more}. Nothing was restored.",
            hint=f"Take it from a backup. All that is wrong: activitylog archive verify {archive.path.parent}",
        )


def _make_beside(client: Client, into: str, manifest: Manifest) -> None:
    columns = [f"{quoted(column.name)} {column.type}" for column in manifest.columns]
    columns += [f"{quoted(alias.name)} {alias.type} ALIAS {alias.expression}" for alias in manifest.aliases]
    client.command(
        f"CREATE TABLE IF NOT EXISTS {quoted(into)} ({', '.join(columns)}) ENGINE = MergeTree "
        f"PARTITION BY {manifest.partition_key or 'tuple()'} ORDER BY ({manifest.sorting_key})"
    )


def _recover(client: Client, table: Table, *, force: bool) -> bool:
    """
    Bring to an end what a killed restore left: what was whole, and perhaps moved in part, is moved; what was still
    being loaded is thrown away.

    Returns:
        Whether there was anything.
    """
    if not side_table.exists(client, RESTORING):
        return False
    side_table.check_abandoned(client, RESTORING, force=force)
    whole = side_table.was_whole(client, RESTORING)
    for partition in side_table.partition_ids(client, RESTORING):
        if side_table.remove_copies(client, RESTORING, table, partition) or whole:
            side_table.adapt(client, RESTORING, table)
            side_table.bring_in(client, RESTORING, table, partition)
    client.command(f"DROP TABLE IF EXISTS {quoted(RESTORING)}")
    return True


def _check_absent(archive: Archive, table: str, found: Presence) -> None:
    if found != "none":
        there = "the rows" if found == "all" else "some of the rows"
        raise ArchiveError(
            f"The table {table} has {there} of the archive {archive.name} already. Nothing was restored.",
            hint="They would count twice. To compare, restore beside: --into TABLE.",
        )


def _load(client: Client, archive: Archive, table: Table, progress: Callable[[int], None]) -> None:
    """The files into the side table; columns that the archive lacks get their defaults."""
    given = [column.name for column in archive.manifest.columns if column.name in table.insertable]
    loaded = 0
    for file, path in zip(archive.manifest.files, archive.files, strict=True):
        with path.open("rb") as content:
            client.raw_insert(
                RESTORING, column_names=given, insert_block=content, settings=_SETTINGS, fmt="Parquet"
            )
        loaded += file.rows
        progress(loaded)


def _check_loaded(client: Client, archive: Archive, table: Table) -> None:
    rows = of_table(client, RESTORING, archive.manifest.columns, cast=True)
    if not rows.same_rows(fingerprint(archive)):
        raise ArchiveError(
            f"The rows of the archive {archive.name} are not the same in the table {table.name}: a column was "
            "changed since. Nothing was restored.",
            hint="Restore beside, with the columns of the archive: --into TABLE.",
        )
    expired = _expired(client, table)
    if expired:
        raise ArchiveError(
            f"The TTL of {table.name} would remove {expired:,} of the rows at once. Nothing was restored.",
            hint="Ask the archive in place (`archive query`), restore beside (--into TABLE), or change the TTL.",
        )


def _expired(client: Client, table: Table) -> int:
    """How many of the loaded rows the table's TTL would remove."""
    if not table.expires:
        return 0
    full = str(
        client.query(
            "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
            parameters={"table": table.name},
        ).result_rows[0][0]
    )
    found = _TTL.search(full)
    conditions = [_condition(element) for element in _elements(found[1])] if found else []
    wanted = " OR ".join(condition for condition in conditions if condition)
    if not wanted:
        return 0
    return int(client.query(f"SELECT countIf({wanted}) FROM {quoted(RESTORING)}").result_rows[0][0])  # noqa: S608


def _elements(ttl: str) -> Sequence[str]:
    """The elements of a TTL: cut at commas outside parentheses."""
    found, depth, begin = [], 0, 0
    for place, char in enumerate(ttl):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            found.append(ttl[begin:place])
            begin = place + 1
    return [element.strip() for element in [*found, ttl[begin:]]]


def _condition(element: str) -> str:
    """When an element of a TTL removes a row; empty for one that moves or compresses it."""
    if re.search(r" (TO (VOLUME|DISK)|RECOMPRESS|GROUP BY) ", element):
        return ""
    when, _, where = element.partition(" WHERE ")
    expression = when.removesuffix(" DELETE")
    return f"(({expression}) <= now(){f' AND ({where})' if where else ''})"
