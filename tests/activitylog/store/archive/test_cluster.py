"""Archives of a cluster of two shards with two replicas each, which replicate for real."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from activitylog.exceptions import ArchiveError, StoreUnavailableError
from activitylog.store.archive import Outcome, archives, attach, partitions, restore, verify
from activitylog.store.archive.dropping import MixedError, drop_parts
from tests.activitylog.store.archive.conftest import NEW_YEAR, archive, events, insertion
from tests.activitylog.store.cluster_of_four import Four, KilledError, killed_after

pytestmark = pytest.mark.slow

LOCAL: Final = "activity_events_local"


def fill(cluster: Four, rows: int = 300, start: str = "2024-01-30 00:00:") -> None:
    """Events of January and February on both shards; no two are the same."""
    for shard, client in enumerate(cluster.leaders()):
        client.command(insertion(LOCAL), parameters={"start": f"{start}{shard:02d}", "rows": rows})
    cluster.synchronise()


def all_events(cluster: Four) -> list[Any]:
    return sorted(row for client in cluster.leaders() for row in events(client, LOCAL))


def rolled_up(cluster: Four) -> int:
    cluster.synchronise()
    return sum(
        int(str(client.command("SELECT sum(RowCount) FROM activity_events_hourly_local")))
        for client in cluster.leaders()
    )


def restore_all(cluster: Four, folder: Path) -> None:
    for piece in archives(folder):
        restore(cluster.clients["s1b"], piece)


def sound(folder: Path) -> bool:
    return not any(checked.problems for checked in verify(folder))


class TestThereAndBack:
    """Out of all shards, and into them again."""

    def test_round(self, cluster: Four, tmp_path: Path, chdb_client: Any) -> None:
        """Every row leaves every replica, is in one file, and comes back to its shard; roll-ups never notice."""
        fill(cluster)
        before = {name: events(client, LOCAL) for name, client in cluster.clients.items()}
        counted = rolled_up(cluster)

        planned = partitions(cluster.clients["s2b"], before=NEW_YEAR)
        outcomes = archive(cluster.clients["s2b"], tmp_path / "to", rows_per_file=100)

        assert [(one.id, one.shard, one.rows) for one in planned] == [
            (one.partition, one.shard, one.rows) for one in outcomes
        ]
        assert {one.action for one in outcomes} == {"archived"}
        assert cluster.counts() == dict.fromkeys(cluster.clients, 0)
        assert [piece.manifest.shard for piece in archives(tmp_path / "to")] == [1, 2, 1, 2]
        assert {piece.manifest.table for piece in archives(tmp_path / "to")} == {"activity_events"}
        assert sound(tmp_path / "to")
        attach(chdb_client, archives(tmp_path / "to"))
        assert int(str(chdb_client.command("SELECT count() FROM archive"))) == 600

        for _ in range(2):  # a replicated table remembers what it has taken
            restore_all(cluster, tmp_path / "to")
            cluster.synchronise()
            assert {name: events(client, LOCAL) for name, client in cluster.clients.items()} == before
            again = archive(cluster.clients["s1a"], tmp_path / "to", rows_per_file=100)
            assert [one.written for one in again] == [False] * 4
            assert cluster.counts() == dict.fromkeys(cluster.clients, 0)
        assert rolled_up(cluster) == counted == 600

    def test_copy(self, cluster: Four, tmp_path: Path) -> None:
        fill(cluster)
        outcomes = archive(cluster.clients["s1a"], tmp_path / "to", keep=True)
        assert {one.action for one in outcomes} == {"copied"}
        assert sum(cluster.counts().values()) == 1200
        with pytest.raises(ArchiveError, match="has the rows of the archive 202401 already"):
            restore_all(cluster, tmp_path / "to")

    def test_restored_elsewhere_is_seen(self, cluster: Four, tmp_path: Path) -> None:
        """Rows that another shard has would count twice."""
        fill(cluster)
        archive(cluster.clients["s1a"], tmp_path / "to")
        piece = archives(tmp_path / "to")[0]
        cluster.clients["s2a"].command(insertion(LOCAL), parameters={"start": "2024-01-30 00:00:00", "rows": 300})
        with pytest.raises(ArchiveError, match="already"):
            restore(cluster.clients["s1a"], piece)

    def test_late_rows(self, cluster: Four, tmp_path: Path) -> None:
        """Rows that come after their partition was archived make a piece of their own."""
        fill(cluster)
        archive(cluster.clients["s1a"], tmp_path / "to")
        fill(cluster, rows=5, start="2024-01-10 00:00:")
        archive(cluster.clients["s1a"], tmp_path / "to")
        assert sum(piece.manifest.rows for piece in archives(tmp_path / "to")) == 610
        assert sum(cluster.counts().values()) == 0


class TestReplicas:
    """What another replica has acknowledged, and this one has not seen."""

    def test_rows_of_a_replica_that_is_ahead(
        self, cluster: Four, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A row that another replica takes while the partition leaves stays; MOVE PARTITION would lose it."""
        module = import_module("activitylog.store.archive.leaving")
        fill(cluster)
        ours, other = cluster.clients["s1a"], cluster.clients["s1b"]
        finish = module._finish

        def behind(*args: Any, **options: Any) -> Any:
            if args[2] == "202401" and args[0].shard == 1:
                other.command(insertion(LOCAL), parameters={"start": "2024-01-05 00:00:00", "rows": 7})
            return finish(*args, **options)

        monkeypatch.setattr(module, "_finish", behind)
        ours.command(f"SYSTEM STOP FETCHES {LOCAL}")
        try:
            outcomes = archive(ours, tmp_path / "to")
        finally:
            ours.command(f"SYSTEM START FETCHES {LOCAL}")
        assert {one.action for one in outcomes} == {"archived"}
        assert cluster.counts() == {"s1a": 7, "s1b": 7, "s2a": 0, "s2b": 0}
        archive(ours, tmp_path / "to")
        assert sum(piece.manifest.rows for piece in archives(tmp_path / "to")) == 607

    def test_a_lagging_replica_catches_up_first(self, cluster: Four, tmp_path: Path) -> None:
        cluster.clients["s1a"].command(f"SYSTEM STOP MERGES {LOCAL}")
        cluster.clients["s1b"].command(insertion(LOCAL), parameters={"start": "2024-01-05 00:00:00", "rows": 7})
        archive(cluster.clients["s1a"], tmp_path / "to")
        cluster.clients["s1a"].command(f"SYSTEM START MERGES {LOCAL}")
        assert sum(cluster.counts().values()) == 0
        assert sum(piece.manifest.rows for piece in archives(tmp_path / "to")) == 7

    def test_one_replica_of_each_shard_is_enough(self, cluster: Four, tmp_path: Path) -> None:
        fill(cluster)
        cluster.spread_over("lame")
        assert {one.action for one in archive(cluster.clients["s1a"], tmp_path / "to")} == {"archived"}
        assert sum(cluster.counts().values()) == 0

    def test_a_shard_that_is_away(self, cluster: Four, tmp_path: Path) -> None:
        """Nothing is written or dropped, and nothing is restored."""
        fill(cluster)
        cluster.spread_over("half")
        with pytest.raises(StoreUnavailableError, match=r"Nothing was changed.*shard 2.*127\.0\.0\.66"):
            archive(cluster.clients["s1a"], tmp_path / "to")
        assert not (tmp_path / "to").exists()
        assert sum(cluster.counts().values()) == 1200


class TestKilled:
    """Killed after any statement that changes something: run it again, and every row is in one place."""

    def test_archiving(self, cluster: Four, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run over both shards; every other time with rows that come before it is run again."""
        statement, outcomes = 1, list[Outcome]()
        while not outcomes:
            cluster.clear()
            fill(cluster, rows=200)
            folder = tmp_path / str(statement)
            with killed_after(monkeypatch, statement), suppress(KilledError):
                outcomes = archive(cluster.clients["s1a"], folder)
            late = statement % 2
            if late:
                cluster.clients["s2b"].command(
                    insertion(LOCAL), parameters={"start": "2024-01-10 00:00:09", "rows": late}
                )
            again = archive(cluster.clients["s2a"], folder)
            assert {one.action for one in again} <= {"archived"}, statement
            assert sum(cluster.counts().values()) == 0, statement
            assert sum(piece.manifest.rows for piece in archives(folder)) == 400 + late, statement
            assert sound(folder), statement
            statement += 1
        assert statement > 8

    def test_restoring(self, cluster: Four, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fill(cluster, rows=200)
        before = all_events(cluster)
        archive(cluster.clients["s1a"], tmp_path / "to")
        statement, done = 1, False
        while not done:
            cluster.clear()
            with killed_after(monkeypatch, statement), suppress(KilledError):
                restore_all(cluster, tmp_path / "to")
                done = True
            for piece in archives(tmp_path / "to"):
                with suppress(ArchiveError):  # it is there already
                    restore(cluster.clients["s2a"], piece)
            cluster.synchronise()
            assert all_events(cluster) == before, statement
            assert rolled_up(cluster) == 0, statement
            statement += 1
        assert statement > 8


class TestParts:
    """Which parts may go."""

    def test_merged_with_later_rows(self, cluster: Four) -> None:
        """A part that has swallowed a later one stays; parts that were merged with each other go."""
        client = cluster.clients["s1a"]
        for day in (1, 2, 3):
            client.command(insertion(LOCAL), parameters={"start": f"2024-01-0{day} 00:00:00", "rows": 2})
        names = [
            str(name)
            for (name,) in client.query(
                "SELECT name FROM system.parts WHERE database = currentDatabase() AND table = {table:String} "
                "AND active AND rows > 0 ORDER BY min_block_number",
                parameters={"table": LOCAL},
            ).result_rows
        ]
        client.command(f"OPTIMIZE TABLE {LOCAL} FINAL", settings={"alter_sync": 2, "optimize_throw_if_noop": 1})
        with pytest.raises(MixedError):
            drop_parts(client, LOCAL, "202401", names[:2])
        assert int(str(client.command(f"SELECT count() FROM {LOCAL}"))) == 6
        drop_parts(client, LOCAL, "202401", names)
        assert cluster.counts() == dict.fromkeys(cluster.clients, 0)
