"""Inserts that are under way: on this server, or on all replicas of the cluster that the store is on."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from activitylog.store.columns import EVENTS_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_DISTRIBUTED: Final = re.compile(r"Distributed\('([^']+)'")
_KINDS: Final = "query_kind IN ('Insert', 'AsyncInsertFlush')"
#: The user may not read that, or may not ask other servers.
_ACCESS_DENIED: Final = 497
_PAUSE_SECONDS: Final = 0.03
#: How long is waited for inserts that are under way.
_PATIENCE_SECONDS: Final = 60.0


class Inserts:
    """
    What is being inserted, whoever sends it. Asks which cluster it is once.

    A replica that does not answer is left out: what it is doing ends before it is back.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        cluster = cluster_of(client)
        self._source = f"clusterAllReplicas('{cluster}', system.processes)" if cluster else "system.processes"
        self._settings = {"skip_unavailable_shards": 1} if cluster else {}

    def under_way(self) -> set[str] | None:
        """Ids of the inserts that run now; None for who may not ask."""
        from clickhouse_connect.driver.exceptions import DatabaseError

        sql = f"SELECT query_id FROM {self._source} WHERE {_KINDS}"  # noqa: S608 - of the engine's own text
        try:
            return {str(query_id) for (query_id,) in self._client.query(sql, settings=self._settings).result_rows}
        except DatabaseError as error:
            if error.code == _ACCESS_DENIED:
                return None
            raise

    def wait(
        self,
        inserts: set[str] | None,
        meanwhile: Callable[[], object] = lambda: None,
        *,
        seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """Wait until these have ended, for so many seconds at most."""
        until = time.monotonic() + seconds
        while inserts and inserts & (self.under_way() or set()) and time.monotonic() < until:
            meanwhile()
            time.sleep(random.uniform(0.5, 1.5) * _PAUSE_SECONDS)  # noqa: S311 - only has to vary


def cluster_of(client: Client) -> str | None:
    """The cluster over which the table of events is Distributed; None on one server."""
    found = client.query(
        "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": EVENTS_TABLE},
    ).result_rows
    distributed = _DISTRIBUTED.match(str(found[0][0])) if found else None
    return distributed[1] if distributed else None
