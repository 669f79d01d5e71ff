"""Does the table have an archive's rows? The table is asked, not a note somebody made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from activitylog.store.archive.file_engine import FileEngine
from activitylog.store.archive.fingerprint import Fingerprint, ask, quoted, row_hash
from activitylog.store.archive.manifest import Archive
from activitylog.store.archive.reading import fingerprint, source

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Presence = Literal["all", "none", "some"]

#: About so many rows of a piece are looked for; all rows of a smaller one.
_SAMPLE: Final = 500


def presence(
    client: Client, engine: FileEngine, table: str, piece: Archive, rows: Fingerprint | None = None
) -> Presence:
    """
    Whether a table has the rows of a piece: all, none, or some and others not.

    Args:
        rows: what the table has in the piece's partition, if that is known.

    Rows are compared by their hash; of a large piece those whose hash is a multiple of some number, about 500.

    Raises:
        ArchiveError: the table lacks a column of the piece, or a file cannot be read.
    """
    if rows is not None and (rows.rows == 0 or fingerprint(piece).same_rows(rows)):
        return "none" if rows.rows == 0 else "all"
    hashes = _sample(engine, piece)
    found = _found(client, table, piece, hashes) if hashes else 0
    return as_presence(len(hashes), found)


def as_presence(looked_for: int, found: int) -> Presence:
    """In words."""
    if found == 0:
        return "none"
    return "all" if found == looked_for else "some"


def _sample(engine: FileEngine, piece: Archive) -> list[int]:
    every = max(1, piece.manifest.rows // _SAMPLE)
    # Of rows that are all alike there may be none in the sample: then all are looked for.
    return _hashes(engine, piece, every) or _hashes(engine, piece, 1)


def _hashes(engine: FileEngine, piece: Archive, every: int) -> list[int]:
    columns = piece.manifest.columns
    hashes: set[int] = set()
    for path in piece.files:
        sql = (
            f"SELECT DISTINCT toString({row_hash(columns)} AS h) FROM {source(path, columns)} "  # noqa: S608
            f"WHERE h % {every} = 0"
        )
        hashes |= {int(row[0]) for row in engine.rows(sql)}
    return sorted(hashes)


def _found(client: Client, table: str, piece: Archive, hashes: list[int]) -> int:
    columns = piece.manifest.columns
    sql = (
        f"SELECT uniqExact(h) FROM (SELECT {row_hash(columns, cast=True)} AS h FROM {quoted(table)} "  # noqa: S608
        "WHERE Timestamp BETWEEN {first:DateTime64(9, 'UTC')} AND {last:DateTime64(9, 'UTC')}) "
        "WHERE has({hashes:Array(UInt128)}, h)"
    )
    return int(ask(client, table, sql, {**times(piece), "hashes": hashes})[0])


def times(piece: Archive) -> dict[str, str]:
    """The parameters ``first`` and ``last``: between which times its rows are."""
    return {"first": _time(piece.manifest.min_time), "last": _time(piece.manifest.max_time)}


def _time(text: str) -> str:
    """A manifest's time as the engine takes it."""
    return text.replace("T", " ").removesuffix("Z")
