"""
A real engine in a process of its own that takes itself for a server of a cluster, as far as chDB goes.

With a configuration file chDB knows clusters, macros, users with grants and row policies, and a Keeper in memory.
So Distributed tables over local shards read and write, Replicated tables are created (their paths and macros are
resolved, but nothing replicates, and they stay read-only), and views with a definer run with the definer's rights.
It has no queue for ON CLUSTER, and its own session is always the user ``default``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_CONFIG = """<clickhouse>
  <tcp_port>9000</tcp_port>
  <zookeeper><implementation>testkeeper</implementation></zookeeper>
  <remote_servers>
    <main><shard><internal_replication>true</internal_replication>
      <replica><host>localhost</host><port>9000</port></replica></shard></main>
    <pair>
      <shard><internal_replication>true</internal_replication>
        <replica><host>localhost</host><port>9000</port></replica></shard>
      <shard><internal_replication>true</internal_replication>
        <replica><host>127.0.0.1</host><port>9000</port></replica></shard>
    </pair>
    <half>
      <shard><internal_replication>true</internal_replication>
        <replica><host>localhost</host><port>9000</port></replica></shard>
      <shard><internal_replication>true</internal_replication>
        <replica><host>127.0.0.1</host><port>1</port></replica></shard>
    </half>
  </remote_servers>
  <macros><cluster>main</cluster><shard>01</shard><replica>r1</replica></macros>
  <users_config>{folder}/users.xml</users_config>
</clickhouse>
"""
_USERS = """<clickhouse>
  <profiles><default/></profiles><quotas><default/></quotas>
  <users>
    <default><password></password><networks><ip>::/0</ip></networks><profile>default</profile>
      <quota>default</quota><access_management>1</access_management></default>
    {users}
  </users>
</clickhouse>
"""
_WORKER = """
import json, os, sys
import chdb
connection = chdb.connect(sys.argv[1])
for line in sys.stdin:
    try:
        text = connection.query(json.loads(line), "JSONCompact").bytes().decode()
        answer = {"rows": json.loads(text)["data"] if text else []}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
os._exit(0)  # the engine's own end trips over the Keeper in memory
"""


class EngineError(Exception):
    """What the engine said."""


class ClusterEngine:
    """The engine; ``users`` is XML of further users for its ``users.xml``."""

    def __init__(self, folder: Path, users: str = "") -> None:
        (folder / "config.xml").write_text(_CONFIG.format(folder=folder))
        (folder / "users.xml").write_text(_USERS.format(users=users))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, f"{folder}/data?config-file={folder}/config.xml"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"PATH": os.environ["PATH"]},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def run(self, sql: str) -> list[list[Any]]:
        """Run one statement; rows as lists."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(sql) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the engine ended at: {sql[:200]}"
        answer = json.loads(line)
        if "error" in answer:
            raise EngineError(answer["error"])
        return list(answer["rows"])

    def column(self, sql: str) -> list[Any]:
        """The first column of the answer."""
        return [row[0] for row in self.run(sql)]


def user(name: str, grants: list[str], filters: dict[str, str] | None = None) -> str:
    """A user for ``users.xml``: grants as GRANT statements without TO, row filters by ``database.table``."""
    from xml.sax.saxutils import escape

    queries = "".join(f"<query>{escape(grant)}</query>" for grant in grants)
    databases = "".join(
        f"<{database}><{table}><filter>{escape(condition)}</filter></{table}></{database}>"
        for (database, table), condition in ((where.split("."), text) for where, text in (filters or {}).items())
    )
    return (
        f"<{name}><no_password/><networks><ip>::/0</ip></networks><profile>default</profile>"
        f"<quota>default</quota><grants>{queries}</grants><databases>{databases}</databases></{name}>"
    )
