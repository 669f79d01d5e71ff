"""What the Replicated engines do with batches that are sent again, run for real: see ``replicated_engine``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest

from activitylog.store import connect
from activitylog.store.migrations import migrations
from activitylog.store.rendering import statements
from activitylog.store_settings import StoreSettings
from tests.activitylog.store.archive.conftest import insertion
from tests.activitylog.store.cluster_of_four import alters_replicas, for_server
from tests.activitylog.store.replicated_engine import Keeper, ReplicatedEngine

pytestmark = pytest.mark.slow

_CLUSTER: Final = "<main><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></main>"
_SETTINGS: Final = {"insert_deduplicate": 1, "deduplicate_blocks_in_dependent_materialized_views": 1}
_TABLES: Final = ("activity_events_local", "activity_events_hourly_local", "activity_events_actor_daily_local")


@pytest.fixture(scope="module")
def engines(keeper: Keeper, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ReplicatedEngine]]:
    """Two: what a view writes is remembered under its name and its database's, which servers have in common."""
    with ExitStack() as opened:
        yield [
            opened.enter_context(ReplicatedEngine(tmp_path_factory.mktemp("server"), keeper, _CLUSTER, section))
            for section in ("zookeeper", "keeper")
        ]


@pytest.fixture
def replicas(engines: list[ReplicatedEngine], request: pytest.FixtureRequest) -> Iterator[list[Any]]:
    """Two servers of one shard, with the schema: what alters a replicated table is passed on by the first one."""
    database = request.function.__name__
    roots = [connect(engine.url("default")) for engine in engines]
    for root in roots:
        root.command(f"CREATE DATABASE {database}")
    clients = [connect(engine.url(database)) for engine in engines]
    for step in migrations():
        for sql in statements(step.sql, StoreSettings(cluster="main")):
            for number, client in enumerate(clients, start=1):
                if number == 1 or not alters_replicas(sql):
                    client.command(for_server(sql, 1, number, database), settings={"alter_sync": 2})
    for engine, root in zip(engines, roots, strict=True):
        engine.announce(root)
        root.close()
    yield clients
    for client in clients:
        client.close()


def send(client: Any, token: str) -> None:
    """A batch of 50 that crosses a month."""
    client.command(
        insertion(_TABLES[0]),
        parameters={"start": "2024-01-31 20:00:00", "rows": 50},
        settings={**_SETTINGS, "insert_deduplication_token": token, "async_insert": 0},
    )


def counted(replicas: list[Any]) -> list[int]:
    """Events, and events by the roll-ups, on each replica."""
    for client in replicas:
        for table in _TABLES:
            client.command(f"SYSTEM SYNC REPLICA {table}")
    return [
        int(str(client.command(f"SELECT {what} FROM {table}")))
        for client in replicas
        for table, what in zip(_TABLES, ("count()", "sum(RowCount)", "sum(RowCount)"), strict=True)
    ]


class TestTokens:
    """One token covers the table and all that its views write, over the replicas of a shard."""

    def test_sent_again(self, replicas: list[Any]) -> None:
        """To the same replica, and to another one that has the rows."""
        send(replicas[0], "batch-1")
        send(replicas[0], "batch-1")
        assert counted(replicas) == [50] * 6
        send(replicas[1], "batch-1")
        send(replicas[0], "batch-1")
        assert counted(replicas) == [50] * 6

    def test_sent_again_before_the_other_replica_has_it(self, replicas: list[Any]) -> None:
        """Tokens are in Keeper before the rows are with the other replica."""
        for table in _TABLES:
            replicas[1].command(f"SYSTEM STOP FETCHES {table}")
        send(replicas[0], "batch-1")
        send(replicas[1], "batch-1")
        for table in _TABLES:
            replicas[1].command(f"SYSTEM START FETCHES {table}")
        assert counted(replicas) == [50] * 6

    def test_same_rows_under_another_token(self, replicas: list[Any]) -> None:
        """Equal rows are no repetition: an application may emit the same twice."""
        send(replicas[0], "batch-1")
        send(replicas[1], "batch-2")
        assert counted(replicas) == [100] * 6

    def test_the_windows_are_the_rendered_ones(self, replicas: list[Any]) -> None:
        """On the table, and on those behind the views."""
        for table in _TABLES:
            definition = str(replicas[0].command(f"SHOW CREATE TABLE {table}"))
            assert "replicated_deduplication_window = 100000" in definition
            assert "replicated_deduplication_window_seconds = 604800" in definition
