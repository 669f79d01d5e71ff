"""
What rows are, in two numbers: how many, and a checksum that depends neither on their order nor on who computes it.

The checksum of a row is ``sipHash128`` over the row in the format RowBinary: exact to the bit (nanoseconds, NaN,
the sign of zero, bytes that are no UTF-8), the same for a table and for a Parquet file, for any type of column.
The checksum of many rows is the sum modulo 2^128: those of parts add up, and equal rows do not cancel out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activitylog.exceptions import ArchiveError
from activitylog.store.archive.manifest import NO_ROWS, Alias, Column

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: The first and the last time of rows, as a manifest has them, for SELECT.
TIMES: Final = (
    "if(count() = 0, '', replaceOne(toString(min(Timestamp), 'UTC'), ' ', 'T') || 'Z'), "
    "if(count() = 0, '', replaceOne(toString(max(Timestamp), 'UTC'), ' ', 'T') || 'Z')"
)
_UNKNOWN_IDENTIFIER: Final = 47


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """
    Of a set of rows.

    Attributes:
        min_time, max_time: of ``Timestamp``, as a manifest has them.
    """

    rows: int
    checksum: str
    min_time: str = ""
    max_time: str = ""

    def same_rows(self, other: Fingerprint) -> bool:
        """Whether both are of the same rows."""
        return (self.rows, self.checksum) == (other.rows, other.checksum)


EMPTY: Final = Fingerprint(0, NO_ROWS)


def quoted(name: str) -> str:
    """An identifier for SQL."""
    from clickhouse_connect.driver.binding import quote_identifier

    return quote_identifier(name)


def text(value: str) -> str:
    """A string literal for SQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def structure(columns: Sequence[Column]) -> str:
    """The columns as the table function ``file`` wants them."""
    return ", ".join(f"{quoted(column.name)} {column.type}" for column in columns)


def names(columns: Sequence[Column]) -> str:
    """The columns' names, for SELECT."""
    return ", ".join(quoted(column.name) for column in columns)


def computed(aliases: Sequence[Alias]) -> str:
    """The columns that are computed, behind :func:`names`, for SELECT."""
    return "".join(f", CAST({one.expression}, {text(one.type)}) AS {quoted(one.name)}" for one in aliases)


def row_hash(columns: Sequence[Column], *, cast: bool = False) -> str:
    """
    The expression of a row's checksum, a UInt128.

    Args:
        cast: the table may have the columns with other types.
    """
    values = ", ".join(_value(column, cast) for column in columns)
    return f"reinterpretAsUInt128(sipHash128(formatRow('RowBinary', {values})))"


def _value(column: Column, cast: bool) -> str:
    value = f"CAST({quoted(column.name)}, {text(column.type)})" if cast else quoted(column.name)
    return f"mapSort({value})" if column.type.startswith("Map(") else value


def aggregates(columns: Sequence[Column], *, cast: bool = False) -> str:
    """The four values of a fingerprint, for SELECT."""
    return f"count(), lower(hex(sum({row_hash(columns, cast=cast)}))), {TIMES}"


def from_row(row: Sequence[Any]) -> Fingerprint:
    """The answer to :func:`aggregates`."""
    rows, checksum, first, last = row
    return Fingerprint(int(rows), str(checksum).rjust(32, "0"), str(first), str(last))


def of_table(
    client: Client,
    table: str,
    columns: Sequence[Column],
    *,
    where: str = "1",
    parameters: Mapping[str, Any] | None = None,
    cast: bool = False,
) -> Fingerprint:
    """
    The fingerprint of rows in a table, as of one moment.

    Args:
        where: which rows; all by default.
        parameters: of ``where``.
        cast: the table may have the columns with other types.

    Raises:
        ArchiveError: the table lacks one of the columns.
    """
    sql = f"SELECT {aggregates(columns, cast=cast)} FROM {quoted(table)} WHERE {where}"  # noqa: S608 - quoted, ours
    return from_row(ask(client, table, sql, parameters or {}))


def ask(client: Client, table: str, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    """
    One row about a table.

    Raises:
        ArchiveError: the table lacks one of the columns.
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        row: Sequence[Any] = client.query(sql, parameters=dict(parameters)).result_rows[0]
    except DatabaseError as error:
        if error.code == _UNKNOWN_IDENTIFIER:
            reason = str(error).partition(" In scope ")[0].splitlines()[0][:200]
            raise ArchiveError(
                f"The table {table} lacks a column that the archive has: {reason}",
                hint="Add the column again, or restore beside: --into TABLE.",
            ) from error
        raise
    return row


def of_partition(client: Client, table: str, columns: Sequence[Column], partition: str) -> Fingerprint:
    """The fingerprint of a partition."""
    return of_table(
        client, table, columns, where="_partition_id = {partition:String}", parameters={"partition": partition}
    )


def of_parts(
    client: Client, table: str, columns: Sequence[Column], partition: str, parts: Sequence[str]
) -> Fingerprint:
    """The fingerprint of some parts of a partition."""
    return of_table(
        client,
        table,
        columns,
        where="_partition_id = {partition:String} AND has({parts:Array(String)}, _part)",
        parameters={"partition": partition, "parts": list(parts)},
    )


def stored_columns(client: Client, table: str) -> tuple[tuple[Column, ...], tuple[Alias, ...]]:
    """The columns of a table that are stored, and those that are computed when they are read."""
    found = client.query(
        "SELECT name, type, default_kind, default_expression FROM system.columns "
        "WHERE database = currentDatabase() AND table = {table:String} AND default_kind != 'EPHEMERAL' "
        "ORDER BY position",
        parameters={"table": table},
    ).result_rows
    columns = tuple(Column(name, type_) for name, type_, kind, _ in found if kind != "ALIAS")
    aliases = tuple(Alias(name, type_, expression) for name, type_, kind, expression in found if kind == "ALIAS")
    return columns, aliases
