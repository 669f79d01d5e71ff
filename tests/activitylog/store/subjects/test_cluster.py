"""Erasing from a cluster of two shards with two replicas each, which replicate for real."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from activitylog.exceptions import StoreError, StoreUnavailableError
from activitylog.store.archive import archives, attach
from activitylog.store.subjects.erase import erase
from activitylog.store.subjects.plan import plan
from activitylog.store.subjects.proof import prove
from activitylog.store.subjects.record import Erasure, erasures
from activitylog.store.subjects.subject import Subject
from tests.activitylog.store.archive.conftest import archive
from tests.activitylog.store.cluster_of_four import Four, KilledError, killed_after
from tests.activitylog.store.replicated_engine import Keeper
from tests.activitylog.store.subjects.erasing import event

pytestmark = pytest.mark.slow

ANN: Final = Subject(kind="actor", type="user", id="ann-of-4711")
LOCAL: Final = "activity_events_local"


def insert(client: Any, events: Iterable[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(row) for row in events)
    client.raw_insert(LOCAL, insert_block=lines.encode(), fmt="JSONEachRow")


def fill(cluster: Four) -> None:
    """Six events of hers and six of others on each shard, by both replicas, in two months."""
    for shard, pair in enumerate([("s1a", "s1b"), ("s2a", "s2b")]):
        for replica, server in enumerate(pair):
            insert(
                cluster.clients[server],
                [
                    event(f"2024-0{month}-05 10:0{shard}:{replica}{n}", actor)
                    for month in (1, 2)
                    for n, actor in enumerate([f"user:{ANN.id}", "user:bo", f"user:{ANN.id}", "user:ann-of-471"])
                ],
            )
    cluster.synchronise()


def hers(cluster: Four) -> int:
    """Rows of hers on all servers, in events and in the roll-up by actor."""
    own = f"ActorId = '{ANN.id}'"
    return sum(sum(cluster.counts(table, own).values()) for table in (LOCAL, "activity_events_actor_daily_local"))


def named_in_mutations(cluster: Four) -> int:
    return sum(
        int(str(client.command(f"SELECT countIf(command LIKE '%{ANN.id}%') FROM system.mutations")))
        for client in cluster.clients.values()
    )


class TestErase:
    """From every replica of every shard."""

    def test_gone_from_all(self, cluster: Four, tmp_path: Path, chdb_client: Any) -> None:
        """Rows, roll-ups and archives; others keep theirs; the record is everywhere, and nobody is named."""
        fill(cluster)
        archive(cluster.clients["s1a"], tmp_path / "to", keep=True)
        shown = plan(cluster.clients["s2b"], ANN)
        assert {
            (part.table, part.partition): part.rows for part in shown.found if part.table == "activity_events"
        } == {
            ("activity_events", "202401"): 8,
            ("activity_events", "202402"): 8,
        }
        assert not prove(cluster.clients["s1a"], ANN).gone

        record = erase(cluster.clients["s2b"], ANN)

        assert record is not None
        assert record.table_rows["activity_events"] == record.archive_rows == 16
        assert hers(cluster) == 0
        assert cluster.counts() == dict.fromkeys(cluster.clients, 8)
        proof = prove(cluster.clients["s1a"], ANN)
        assert proof.rows == {"activity_events": 0, "activity_events_actor_daily": 0}
        assert proof.complete
        cluster.synchronise()
        for client in cluster.clients.values():
            assert [one.state for one in erasures(client)] == ["finished"]
            assert client.query("SELECT Salt, Digest FROM activity_erasures").result_rows == [("", "")]
            assert client.command("SELECT count() FROM activity_erasing") == 0
        assert named_in_mutations(cluster) == 0
        attach(chdb_client, archives(tmp_path / "to"))
        assert chdb_client.command("SELECT count() FROM archive") == sum(
            p.manifest.rows for p in archives(tmp_path / "to")
        )
        assert chdb_client.command(f"SELECT count() FROM archive WHERE ActorId = '{ANN.id}'") == 0

    def test_nothing_of_her_in_keeper_or_on_disk(self, cluster: Four, keeper: Keeper) -> None:
        """Beside column data no file of the engine, and no file of Keeper's, has her name after it."""
        fill(cluster)
        erase(cluster.clients["s1a"], ANN)
        needle = ANN.id.encode()
        compressed = (".bin", ".idx", ".mrk2", ".cmrk2", ".cmrk3", ".cmrk4", ".cidx", ".mrk3", ".mrk4")
        naming = [
            path
            for folder in (cluster.folder, keeper.folder)
            for path in folder.rglob("*")
            if path.is_file() and path.suffix not in compressed and needle in path.read_bytes()
        ]
        assert naming == []
        assert list(keeper.folder.rglob("log.*"))

    def test_rows_of_a_replica_that_is_ahead(self, cluster: Four) -> None:
        """What another replica has acknowledged is found and erased, too."""
        insert(cluster.clients["s1b"], [event("2024-01-05 10:00:00", f"user:{ANN.id}")])
        assert erase(cluster.clients["s1a"], ANN) is not None
        assert hers(cluster) == 0

    def test_tenant(self, cluster: Four) -> None:
        """The roll-ups by hour go, too; the counters are asked as well."""
        for server, tenant in (("s1a", "acme"), ("s2b", "acme"), ("s2a", "other")):
            insert(cluster.clients[server], [event("2024-01-05 10:00:00", "user:x", TenantId=tenant)])
        record = erase(cluster.clients["s1a"], Subject(kind="tenant", id="acme"))
        assert record is not None
        assert record.table_rows["activity_events_hourly"] == 2
        assert cluster.counts("activity_events_hourly_local") == {"s1a": 0, "s1b": 0, "s2a": 1, "s2b": 1}


class TestAway:
    """Servers that do not answer."""

    @pytest.mark.parametrize("named", ["lame", "half"])
    def test_refused_before_anything(self, cluster: Four, named: str) -> None:
        fill(cluster)
        cluster.spread_over(named)
        for refused in (erase, plan, prove):
            with pytest.raises(StoreUnavailableError, match=r"Nothing was changed.*shard 2.*127\.0\.0\.66"):
                refused(cluster.clients["s1a"], ANN)
        assert hers(cluster) == 48
        assert erasures(cluster.clients["s1a"]) == []

    def test_a_replica_that_stops_in_between(self, cluster: Four, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that does not take a mutation over is named, and the erasure is not finished, until it does."""
        mutations, module = (
            import_module(f"activitylog.store.subjects.{name}") for name in ("mutations", "erase")
        )
        monkeypatch.setattr(mutations, "_HEARD_SECONDS", 0.5)
        original, stops = module.rewrite, cluster.clients["s1b"]

        def stopping(replicas: Any, *args: Any, **options: Any) -> None:
            stops.command(f"DETACH TABLE {LOCAL}")
            try:
                original(replicas, *args, **options)
            finally:
                stops.command(f"ATTACH TABLE {LOCAL}")

        fill(cluster)
        monkeypatch.setattr(module, "rewrite", stopping)
        with pytest.raises(StoreError, match=r"127\.0\.0\.1 \(shard 1\) does not take over a mutation"):
            erase(cluster.clients["s1a"], ANN)
        assert [one.state for one in erasures(cluster.clients["s1a"])] == ["begun"]
        monkeypatch.undo()
        assert erase(cluster.clients["s1a"], ANN) is not None
        assert hers(cluster) == 0

    def test_a_replica_with_an_empty_memory_does_not_count_as_erased(
        self, cluster: Four, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that was started again in between has forgotten whom it is about: her rows are found."""
        module = import_module("activitylog.store.subjects.erase")
        original, rounds = module.rewrite, []

        def forgetting(*args: Any, **options: Any) -> None:
            rounds.append(args[1])
            if len(rounds) == 1:
                for name in ("s1a", "s1b"):
                    cluster.clients[name].command("TRUNCATE TABLE activity_erasing")
            original(*args, **options)

        monkeypatch.setattr(module, "rewrite", forgetting)
        fill(cluster)
        with pytest.raises(StoreError):
            erase(cluster.clients["s1a"], ANN)
        assert [one.state for one in erasures(cluster.clients["s2a"])] == ["begun"]
        assert not prove(cluster.clients["s1a"], ANN).gone
        monkeypatch.undo()
        assert erase(cluster.clients["s1a"], ANN) is not None
        assert hers(cluster) == 0

    def test_a_partition_on_its_way(self, cluster: Four, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An archiver was killed while parts were dropped: first it ends, then she is erased."""
        module = import_module("activitylog.store.archive.dropping")
        fill(cluster)

        def dies(*_: Any) -> None:
            raise KilledError

        with monkeypatch.context() as patched:
            patched.setattr(module, "_drop_part", dies)
            with pytest.raises(KilledError):
                archive(cluster.clients["s1a"], tmp_path / "to")
        with pytest.raises(StoreError, match="202401 is on its way to the archive"):
            erase(cluster.clients["s2a"], ANN)
        archive(cluster.clients["s1a"], tmp_path / "to")
        record = erase(cluster.clients["s2a"], ANN)
        assert record is not None
        assert record.archive_rows == 16
        assert prove(cluster.clients["s2a"], ANN).gone


class TestKilled:
    """Killed after any statement that changes something: run it again, and she is gone, and the record is one."""

    def test_erasing(self, cluster: Four, monkeypatch: pytest.MonkeyPatch) -> None:
        statement, record = 1, None
        while record is None:
            cluster.clear()
            fill(cluster)
            with killed_after(monkeypatch, statement), suppress(KilledError):
                record = erase(cluster.clients["s1a"], ANN)
            again: Erasure | None = erase(cluster.clients["s2b"], ANN)
            assert (again is None) == (record is not None) or hers(cluster) == 0, statement
            assert hers(cluster) == 0, statement
            assert sum(cluster.counts().values()) == 32, statement
            assert [one.state for one in erasures(cluster.clients["s1a"])] == ["finished"], statement
            assert named_in_mutations(cluster) == 0, statement
            statement += 1
        assert statement > 8
