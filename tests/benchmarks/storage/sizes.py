"""What a table takes on disk: in bytes an event, by what it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from tests.benchmarks.storage.tables import Table


@dataclass(frozen=True, slots=True)
class Size:
    """
    Bytes an event of the files on disk.

    Attributes:
        data: columns, with their marks and checksums.
        indexes: data skipping indexes.
        rollups: the other tables that are filled from this one.
        columns: of each column alone, compressed, largest first.
        each_index: of each index alone.
    """

    data: float
    indexes: float
    rollups: float
    columns: dict[str, float] = field(repr=False)
    each_index: dict[str, float] = field(repr=False)

    @property
    def total(self) -> float:
        return self.data + self.indexes + self.rollups


def measure_size(client: Client, table: Table, events: int) -> Size:
    """The size of the table that the client's database holds, and of all that belongs to it."""
    sizes = {
        name: (on_disk, indexes)
        for name, on_disk, indexes in client.query(
            "SELECT table, sum(bytes_on_disk), sum(secondary_indices_compressed_bytes) FROM system.parts "
            "WHERE active AND database = currentDatabase() GROUP BY table"
        ).result_rows
    }
    on_disk, indexes = sizes.pop(table.table)
    sizes.pop("activity_schema_migrations", None)
    return Size(
        data=(on_disk - indexes) / events,
        indexes=indexes / events,
        rollups=sum(size for size, _ in sizes.values()) / events,
        columns=_columns(client, table.table, events),
        each_index=_indexes(client, table.table, events),
    )


def _columns(client: Client, table: str, events: int) -> dict[str, float]:
    rows = client.query(
        "SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns WHERE active "
        "AND database = currentDatabase() AND table = {table:String} GROUP BY column ORDER BY bytes DESC",
        parameters={"table": table},
    ).result_rows
    return {name: size / events for name, size in rows}


def _indexes(client: Client, table: str, events: int) -> dict[str, float]:
    rows = client.query(
        "SELECT name, data_compressed_bytes FROM system.data_skipping_indices "
        "WHERE database = currentDatabase() AND table = {table:String} ORDER BY 2 DESC",
        parameters={"table": table},
    ).result_rows
    return {name: size / events for name, size in rows}
