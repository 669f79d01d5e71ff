"""
The servers that hold a store: the one that was named, or all of a cluster, each asked by itself.

Archiving and erasing change parts, and must know which server has which. ``ON CLUSTER`` runs a statement on any
replica of a shard, and keeps its text; a Distributed table asks any replica. So every server is reached as the
first one was: by HTTP, at the same port, by the same user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import StoreError, StoreUnavailableError
from activitylog.store.client import sibling
from activitylog.store.cluster import local_table
from activitylog.store.columns import EVENTS_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_CLUSTER: Final = re.compile(r"Distributed\('([^']+)'")


@dataclass(frozen=True, slots=True)
class Server:
    """
    A server, connected.

    Attributes:
        shard: its number, from 1 on; 0 where there is no cluster.
        name: for people: ``ch-1a (shard 1)``; empty where there is no cluster.
    """

    client: Client
    shard: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Servers:
    """
    All servers of a store.

    Attributes:
        shards: the servers that were reached, by shard: replicas of each other.
    """

    shards: tuple[tuple[Server, ...], ...]
    clustered: bool

    @property
    def every(self) -> list[Server]:
        """All of them."""
        return [server for shard in self.shards for server in shard]

    @property
    def one_of_each(self) -> list[Server]:
        """A server of each shard."""
        return [shard[0] for shard in self.shards]

    def table(self, name: str) -> str:
        """What the table that holds the rows is called on each server."""
        return local_table(name) if self.clustered else name

    def of(self, shard: int) -> Server:
        """A server of a shard; of the first one if there is none of this number."""
        return next((server for server in self.one_of_each if server.shard == shard), self.shards[0][0])


@contextmanager
def servers(client: Client, *, all_replicas: bool = False) -> Iterator[Servers]:
    """
    Reach the servers of a store, for as long as the ``with`` block lasts.

    Args:
        client: of one of them, opened by :func:`~activitylog.store.client.connect`.
        all_replicas: each must answer; otherwise one of each shard is enough.

    Raises:
        StoreUnavailableError: one that is needed does not answer. Nothing was changed.
        StoreError: the cluster of the tables is in no configuration of the server.
    """
    cluster = _cluster(client)
    if cluster is None:
        yield Servers(((Server(client),),), clustered=False)
        return
    addresses = _addresses(client, cluster)
    with ExitStack() as opened:
        shards = []
        for shard, replicas in groupby(addresses, key=lambda address: address.shard):
            reached, errors = _reached(client, list(replicas), opened)
            if errors and (all_replicas or not reached):
                raise _unreachable(cluster, shard, errors, all_replicas=all_replicas)
            shards.append(tuple(reached))
        yield Servers(tuple(shards), clustered=True)


def catch_up(server: Server, tables: Sequence[str]) -> None:
    """
    Have a server fetch all rows of these tables that its replicas have acknowledged until now.

    Raises:
        StoreError: it does not, within its ``receive_timeout`` (five minutes).
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    replicated = server.client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND has({tables:Array(String)}, name) "
        "AND (startsWith(engine, 'Replicated') OR startsWith(engine, 'Shared')) ORDER BY name",
        parameters={"tables": list(tables)},
    ).result_rows
    for (table,) in replicated:
        try:
            server.client.command(f"SYSTEM SYNC REPLICA {table}")
        except DatabaseError as error:
            raise StoreError(
                f"{server.name or 'The server'} does not fetch what {table} has on its replicas: "
                f"{str(error).partition(', Stack trace')[0].splitlines()[0][:300]}",
                hint="See system.replicas and system.replication_queue there (activitylog doctor).",
            ) from error


@dataclass(frozen=True, slots=True)
class _Address:
    shard: int
    host: str
    database: str


def _cluster(client: Client) -> str | None:
    """The cluster over which the events are spread, if they are."""
    found = client.query(
        "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": EVENTS_TABLE},
    ).result_rows
    named = _CLUSTER.match(str(found[0][0])) if found else None
    return named[1] if named else None


def _addresses(client: Client, cluster: str) -> Sequence[_Address]:
    rows = client.query(
        "SELECT shard_num, host_name, if(default_database = '', currentDatabase(), default_database) "
        "FROM system.clusters WHERE cluster = {cluster:String} ORDER BY shard_num, replica_num",
        parameters={"cluster": cluster},
    ).result_rows
    if not rows:
        raise StoreError(
            f"The tables are spread over the cluster {cluster!r}, which this server does not know.",
            hint="Its configuration lacks it: SELECT cluster FROM system.clusters.",
        )
    return [_Address(int(shard), str(host), str(database)) for shard, host, database in rows]


def _reached(
    client: Client, replicas: Sequence[_Address], opened: ExitStack
) -> tuple[list[Server], list[StoreUnavailableError]]:
    found, errors = [], []
    for address in replicas:
        try:
            other = sibling(client, address.host, address.database)
        except StoreUnavailableError as error:
            errors.append(error)
        else:
            opened.callback(other.close)
            found.append(Server(other, address.shard, f"{address.host} (shard {address.shard})"))
    return found, errors


def _unreachable(
    cluster: str, shard: int, errors: Sequence[StoreUnavailableError], *, all_replicas: bool
) -> StoreUnavailableError:
    need = "every server of it" if all_replicas else "one server of each shard"
    return StoreUnavailableError(
        f"Nothing was changed: this needs {need}, and of shard {shard} of the cluster {cluster!r} "
        f"{'one does not answer' if len(errors) == 1 else 'some do not answer'}: {errors[0].message}",
        hint="Servers are reached by the names in system.clusters, at the port and with the user of the URL. "
        "Start it, or let this machine reach it, and run the same again.",
    )
