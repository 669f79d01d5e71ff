"""
What a database has: its tables, views, columns and indexes, as the engine lists them.

Only system tables are read, so an insert-only writer and a read-only analyst can ask, too (and see what they were
granted). On a cluster what is looked at is this server's: its local tables, under the names that the files give
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from activitylog.store.cluster import SHARDING_KEYS, local_table
from activitylog.store.definitions import ColumnDefinition

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TTL: Final = re.compile(r" TTL (.*?)(?: SETTINGS |$)")
_TARGET: Final = re.compile(r"^CREATE MATERIALIZED VIEW \S+(?: UUID '[^']*')? TO (?:\S+\.)?(\w+)")
_LOCAL: Final = re.compile(rf"\b({'|'.join(SHARDING_KEYS)})_local\b")
_CONSTRAINT: Final = re.compile(r"\bCONSTRAINT `?(\w+)`? CHECK ")
_SETTING: Final = re.compile(r"(\w+) = (\w+|'[^']*')")
_TABLES: Final = """
SELECT
    name, engine, engine_full, partition_key, storage_policy, create_table_query,
    if(as_select = '', '', formatQuerySingleLine(as_select)) AS query
FROM system.tables WHERE database = currentDatabase()
"""
_COLUMNS: Final = """
SELECT table, name, type, default_kind, default_expression, compression_codec
FROM system.columns WHERE database = currentDatabase()
"""
_INDEXES: Final = "SELECT table, name, expr FROM system.data_skipping_indices WHERE database = currentDatabase()"
_NORMAL: Final = "SELECT formatQuerySingleLine(arrayJoin({texts:Array(String)}))"


@dataclass(frozen=True, slots=True)
class Found:
    """
    A table or view as the database has it.

    Attributes:
        ttl: its expressions as the engine prints them; empty without.
        indexes: expression by name.
        constraints: their names.
        settings: by name, those that the table has of its own.
        target: of a materialized view, the table that it fills.
        query: of a view, as the engine prints it in one line, without the database's name.
        clustered: it is a local table of a cluster, under the name of the Distributed one over it.
        hidden: on a cluster, the local table is there, but not the Distributed one over it.
    """

    name: str
    engine: str
    partition_by: str = ""
    storage_policy: str = ""
    ttl: str = ""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    target: str = ""
    query: str = ""
    columns: Mapping[str, ColumnDefinition] = field(default_factory=lambda: MappingProxyType({}))
    indexes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    constraints: tuple[str, ...] = ()
    clustered: bool = False
    hidden: bool = False


class Snapshot:
    """
    The client's current database at one moment.

    Attributes:
        objects: tables and views by name.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._database = str(client.command("SELECT currentDatabase()"))
        columns: dict[str, dict[str, ColumnDefinition]] = {}
        for table, name, *rest in client.query(_COLUMNS).result_rows:
            columns.setdefault(table, {})[name] = ColumnDefinition(name, *rest)
        indexes: dict[str, dict[str, str]] = {}
        for table, name, expression in client.query(_INDEXES).result_rows:
            indexes.setdefault(table, {})[name] = expression
        self.objects: dict[str, Found] = {}
        for row in client.query(_TABLES).named_results():
            name = row["name"]
            self.objects[name] = self._found(row, columns.get(name, {}), indexes.get(name, {}))
        for name in SHARDING_KEYS:
            if local := self.objects.get(local_table(name)):
                self.objects[name] = _of_cluster(name, local, self.objects.get(name))

    def normal(self, texts: Iterable[str]) -> dict[str, str]:
        """SELECTs as this server prints them, which is how it lists those it has; without the database's name."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return {}
        rows = self._client.query(_NORMAL, parameters={"texts": distinct}).result_rows
        return {text: self._unqualified(normal) for text, (normal,) in zip(distinct, rows, strict=True)}

    def _found(
        self, row: Mapping[str, Any], columns: Mapping[str, ColumnDefinition], indexes: Mapping[str, str]
    ) -> Found:
        ttl, target = _TTL.search(row["engine_full"]), _TARGET.match(row["create_table_query"])
        settings = _SETTING.findall(row["engine_full"].rpartition(" SETTINGS ")[2])
        return Found(
            row["name"],
            row["engine"],
            row["partition_key"],
            row["storage_policy"],
            ttl[1] if ttl else "",
            MappingProxyType(dict(settings)),
            _plain_names(target[1]) if target else "",
            self._unqualified(row["query"]),
            MappingProxyType(dict(columns)),
            MappingProxyType(dict(indexes)),
            tuple(_CONSTRAINT.findall(row["create_table_query"])),
        )

    def _unqualified(self, query: str) -> str:
        name = re.escape(self._database)
        return _plain_names(re.sub(rf"(?<![\w`.])(?:{name}|`{name}`)\.", "", query))


def _of_cluster(name: str, local: Found, distributed: Found | None) -> Found:
    """A local table, with the columns that both have: a change that was cut off may have reached one of them."""
    both = local.columns if distributed is None else local.columns.keys() & distributed.columns.keys()
    columns = MappingProxyType({column: found for column, found in local.columns.items() if column in both})
    return replace(local, name=name, columns=columns, clustered=True, hidden=distributed is None)


def _plain_names(text: str) -> str:
    """Local tables under the names that the files give them."""
    return _LOCAL.sub(r"\1", text)
