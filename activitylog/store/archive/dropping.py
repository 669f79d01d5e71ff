"""
How archived rows leave a replicated table: part by part.

``MOVE PARTITION`` and ``DROP PARTITION`` of a replicated table take every block that has a number, also those that
the replica which runs them has not fetched yet: rows that another replica has acknowledged would be in neither
table, and nobody would know. ``DROP PART`` takes the blocks of one part. So:

1. The parts are named that hold exactly the archived rows, as this replica has them, and noted in the record.
2. Each is dropped. One that a merge is about to take is refused by the server, and looked at again.
3. The record says that the rows are archived.

A run that was killed in between is finished by the next one: what is left of the named parts, merged or not, lies
within their block numbers. A part that reaches out of them has taken in rows that came later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import ArchiveError, SchemaError
from activitylog.store.archive.fingerprint import quoted, text
from activitylog.store.archive.table import RECORD_TABLE
from activitylog.store.servers import Server, catch_up

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: How often parts that merges take are looked at again.
_TRIES: Final = 20
#: The part was merged, or is about to be.
_TAKEN: Final = frozenset({232, 384})
_BEGUN: Final = f"""
SELECT Action, Folder, Shard, Partition, Piece, Checksum, Parts FROM {RECORD_TABLE}
WHERE Action IN ('dropping', 'archived', 'copied') ORDER BY Time, Action = 'dropping' DESC
"""  # noqa: S608 - our name


class MixedError(Exception):
    """A part has archived rows, and others."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


@dataclass(frozen=True, slots=True)
class Begun:
    """
    A piece whose rows were leaving the table when a run was killed.

    Attributes:
        folder: of archives, as the record has it.
        checksum: of the piece then.
        parts: that held its rows.
    """

    folder: str
    shard: int
    partition: str
    piece: str
    checksum: str
    parts: Sequence[str]


def synchronise(server: Server, table: str) -> None:
    """
    Have this replica fetch all that others have acknowledged until now.

    Raises:
        SchemaError: the record has no room for parts.
        StoreError: it does not.
    """
    columns = server.client.query(
        "SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND name IN ('Shard', 'Parts')",
        parameters={"table": RECORD_TABLE},
    ).result_rows
    if columns[0][0] != 2:
        raise SchemaError(
            f"{RECORD_TABLE} lacks the columns Shard and Parts.", hint="Run: activitylog schema apply --url URL."
        )
    catch_up(server, [table, RECORD_TABLE])


def part_names(client: Client, table: str, partition: str) -> tuple[str, ...]:
    """The active parts of a partition that have rows."""
    rows = client.query(
        "SELECT name FROM system.parts WHERE database = currentDatabase() AND table = {table:String} "
        "AND partition_id = {partition:String} AND active AND rows > 0 ORDER BY name",
        parameters={"table": table, "partition": partition},
    ).result_rows
    return tuple(str(name) for (name,) in rows)


def begun(client: Client) -> list[Begun]:
    """What killed runs have not brought to an end, in the order in which it was begun."""
    rows = client.query(_BEGUN).result_rows
    latest = {tuple(one[:4]): (action, Begun(*one)) for action, *one in rows}
    return [one for action, one in latest.values() if action == "dropping"]


def drop_parts(client: Client, table: str, partition: str, names: Sequence[str]) -> None:
    """
    Drop what is left of some parts, merged or not.

    Raises:
        MixedError: one of them was merged with rows that came later.
        ArchiveError: merges keep taking them.
    """
    blocks = [_blocks(partition, name) for name in names]
    for _ in range(_TRIES):
        left = [
            name for name in part_names(client, table, partition) if _touches(_blocks(partition, name), blocks)
        ]
        if not left:
            return
        for name in left:
            if not _within(_blocks(partition, name), blocks):
                raise MixedError(name)
        for name in left:
            _drop_part(client, table, name)
    raise ArchiveError(
        f"Merges of the partition {partition} keep taking the parts that are to be dropped.",
        hint="The archive is whole. Run the same again.",
    )


def _drop_part(client: Client, table: str, name: str) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        client.command(f"ALTER TABLE {quoted(table)} DROP PART {text(name)}")
    except DatabaseError as error:
        if error.code not in _TAKEN:
            raise
        # Waits for the merge that has taken it.
        client.command(f"SYSTEM SYNC REPLICA {quoted(table)}")


def _blocks(partition: str, name: str) -> tuple[int, int]:
    """The first and the last block number of a part: ``202401_3_17_2`` -> (3, 17)."""
    first, last = name.removeprefix(f"{partition}_").split("_")[:2]
    return int(first), int(last)


def _touches(part: tuple[int, int], blocks: Sequence[tuple[int, int]]) -> bool:
    return any(part[0] <= last and first <= part[1] for first, last in blocks)


def _within(part: tuple[int, int], blocks: Sequence[tuple[int, int]]) -> bool:
    """Whether each block of a part is one of these."""
    at = part[0]
    for first, last in sorted(blocks):
        if first <= at <= last:
            at = last + 1
    return at > part[1]
