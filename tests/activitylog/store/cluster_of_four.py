"""Two shards of two replicas each, with the schema: four databases of one engine, which replicate for real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from activitylog.store import connect
from activitylog.store.cluster import SHARDING_KEYS, local_table
from activitylog.store.migrations import create_record, migrations
from activitylog.store.rendering import statements
from activitylog.store_settings import StoreSettings
from tests.activitylog.store.replicated_engine import ReplicatedEngine

#: Database by (shard, replica).
SERVERS: Final = {(1, 1): "s1a", (1, 2): "s1b", (2, 1): "s2a", (2, 2): "s2b"}
_CHANGES: Final = re.compile(r"\s*(ALTER|CREATE|DROP|INSERT)\b")
_ON_CLUSTER: Final = re.compile(r" ON CLUSTER `\w+`")
_ALTERED: Final = re.compile(r"(?:\s*--.*\n)*\s*ALTER TABLE (\w+) ON CLUSTER `\w+`\s+\w+ (\w+)")


def clusters() -> str:
    """``remote_servers``: ``main``; ``lame``, of which a replica is away; ``half``, of which a shard is."""
    away = {"main": set(), "lame": {(2, 2)}, "half": {(2, 1), (2, 2)}}
    return "".join(f"<{name}>{_shards(gone)}</{name}>" for name, gone in away.items())


def _shards(gone: set[tuple[int, int]]) -> str:
    shards = ("".join(_replica(shard, number, gone) for number in (1, 2)) for shard in (1, 2))
    return "".join(
        f"<shard><internal_replication>true</internal_replication>{replicas}</shard>" for replicas in shards
    )


def _replica(shard: int, number: int, gone: set[tuple[int, int]]) -> str:
    # Nobody listens on other addresses of this machine.
    host = "127.0.0.66" if (shard, number) in gone else "127.0.0.1"
    database = SERVERS[shard, number]
    return (
        f"<replica><host>{host}</host><port>9000</port><default_database>{database}</default_database></replica>"
    )


class KilledError(BaseException):
    """The process is no more: nothing that it would do afterwards reaches a server."""


@contextmanager
def killed_after(monkeypatch: pytest.MonkeyPatch, statements_: int) -> Iterator[None]:
    """Let the process die after its n-th statement that changes something; it never hears that it was done."""
    from clickhouse_connect.driver._backend.http_sync import HttpSyncBackend as Backend

    left, request = statements_, Backend.request

    def counted(self: Any, data: Any, params: dict[str, str], *args: Any, **options: Any) -> Any:
        nonlocal left
        if left <= 0:
            raise KilledError
        answer = request(self, data, params, *args, **options)
        text = data.decode() if isinstance(data, bytes) else data if isinstance(data, str) else ""
        left -= _CHANGES.match(params.get("query", text)) is not None
        if left <= 0:
            raise KilledError
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Backend, "request", counted)
        yield


class Four:
    """
    The servers.

    Attributes:
        clients: by database.
        folder: with the files of the engine and of Keeper.
    """

    def __init__(self, engine: ReplicatedEngine) -> None:
        self.folder = engine.folder
        root = connect(engine.url("default"))
        for database in SERVERS.values():
            root.command(f"CREATE DATABASE {database}")
        self.clients = {database: connect(engine.url(database)) for database in SERVERS.values()}
        self._apply("main")
        engine.announce(root)
        root.close()

    def _apply(self, cluster: str) -> None:
        settings = StoreSettings(cluster=cluster)
        for sql in [
            *create_record(settings),
            *(one for step in migrations() for one in statements(step.sql, settings)),
        ]:
            for (shard, replica), database in SERVERS.items():
                if _runs_on(sql, shard, replica):
                    text = for_server(sql, shard, replica, "activity")
                    self.clients[database].command(text, settings={"alter_sync": 2})
        for step in migrations():
            self.clients["s1a"].command(
                "INSERT INTO activity_schema_migrations (number, name, checksum) "
                "SELECT {n:UInt32}, {m:String}, {c:String}",
                parameters={"n": step.number, "m": step.name, "c": step.checksum},
            )

    def spread_over(self, cluster: str) -> None:
        """Let the Distributed tables name another of the clusters."""
        for client in self.clients.values():
            for table in SHARDING_KEYS:
                client.command(f"DROP TABLE {table} SYNC")
                client.command(
                    f"CREATE TABLE {table} AS {local_table(table)} "
                    f"ENGINE = Distributed('{cluster}', '', '{local_table(table)}', {SHARDING_KEYS[table]})"
                )

    def leaders(self) -> list[Any]:
        """A client of each shard."""
        return [self.clients["s1a"], self.clients["s2a"]]

    def synchronise(self) -> None:
        """Have every server fetch and do what there is."""
        for client in self.clients.values():
            for (table,) in client.query(
                "SELECT table FROM system.replicas WHERE database = currentDatabase()"
            ).result_rows:
                client.command(f"SYSTEM SYNC REPLICA {table}")

    def counts(self, table: str = "activity_events_local", where: str = "1") -> dict[str, int]:
        """Rows of a table on every server, after :meth:`synchronise`."""
        self.synchronise()
        return {
            database: int(str(client.command(f"SELECT count() FROM {table} WHERE {where}")))
            for database, client in self.clients.items()
        }

    def clear(self) -> None:
        """Empty all tables."""
        for client in self.leaders():
            for (table,) in client.query(
                "SELECT name FROM system.tables WHERE database = currentDatabase() "
                "AND startsWith(engine, 'Replicated') AND name != 'activity_schema_migrations'"
            ).result_rows:
                client.command(f"TRUNCATE TABLE {table}")
        self.synchronise()


def alters_replicas(sql: str) -> bool:
    """Whether a statement alters what all replicas of a table have in common: one of them passes it on."""
    altered = _ALTERED.match(sql)
    return altered is not None and altered[2] not in ("SETTING", "QUERY") and altered[1] not in SHARDING_KEYS


def _runs_on(sql: str, shard: int, replica: int) -> bool:
    """Whether ON CLUSTER runs a statement there."""
    if not alters_replicas(sql):
        return True
    everywhere = re.search(r"ALTER TABLE \w+_local\b", sql) is None
    return replica == 1 and (shard == 1 or not everywhere)


def for_server(sql: str, shard: int, replica: int, database: str) -> str:
    """A statement as its server understands it: macros filled in, without the queue of ON CLUSTER."""
    text = _ON_CLUSTER.sub("", sql).replace("{database}", database)
    text = text.replace("currentDatabase()", "''") if "Distributed(" in text else text
    return text.replace("{shard}", str(shard)).replace("{replica}", f"r{replica}")


def four(folder: Path, keeper: Any) -> Iterator[Four]:
    """The servers, while they run."""
    with ReplicatedEngine(folder, keeper, clusters()) as engine:
        yield Four(engine)
