"""``activitylog schema size``, ``access`` and ``show --cluster``: what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activitylog.cli.errors import run
from activitylog.cli.schema import schema
from activitylog.store import migrations
from activitylog.store.access_sql import Access, show_access
from activitylog.store.cluster import on_cluster


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACTIVITYLOG_CONFIG", raising=False)


class TestSize:
    def test_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        """One line a question: how many servers, why, how large, how to insert."""
        assert run(schema, ["size", "--events-per-second", "100000"]) == 0
        out = capsys.readouterr().out
        assert "servers              12 (6 shards x 2 replicas; for disk)" in out
        assert "disks                203 TB for 142 TB in all copies" in out
        assert "through the Distributed table activity_events: 5/s a shard and table" in out
        assert "cold volume" not in out

    def test_for_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Inputs and results as one document; options reach the inputs."""
        options = ["--events-per-second", "1e6", "--hot-days", "7", "--replicas", "3", "--disk-tb", "8", "--json"]
        assert run(schema, ["size", *options]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["load"]["disk_bytes_per_server"] == 8e12
        assert (document["load"]["replicas"], document["load"]["hot_days"]) == (3, 7)
        assert document["sizing"]["servers"] == document["sizing"]["shards"] * 3

    def test_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What cannot be sized is said in one line."""
        assert run(schema, ["size", "--events-per-second", "0"]) == 2
        assert capsys.readouterr().err.startswith("error: events_per_second is 0.0.\n")


class TestAccess:
    def test_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What the library renders, for the names that were given."""
        assert (
            run(schema, ["access", "--database", "d", "--tenant", "a'b", "--tenant", "c", "--cluster", "main"])
            == 0
        )
        assert capsys.readouterr().out == show_access(Access(database="d", tenants=("a'b", "c"), cluster="main"))

    def test_for_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A list of statements."""
        assert run(schema, ["access", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)["statements"]
        assert "".join(f"{statement};\n" for statement in printed) == show_access(Access())


#: In a new store views are made at once as the last of these steps leaves them.
ALTERED_VIEWS = {3, 5, 10, 27, 31, 33, 34}


class TestShow:
    def test_on_a_cluster(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """By the option, or by [store] of the settings: every statement of every step for the cluster."""
        assert run(schema, ["show", "--cluster", "main"]) == 0
        out = capsys.readouterr().out
        for step in migrations():
            for statement in on_cluster(step.sql, "main"):
                assert f"{statement};\n" in out
        (tmp_path / "activitylog.toml").write_text('[store]\ncluster = "main"\n')
        assert run(schema, ["show"]) == 0
        assert capsys.readouterr().out == out

    def test_for_machines(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each step with its statements, the record of steps first of all, its own entry last."""
        assert run(schema, ["show", "--cluster", "main", "--json"]) == 0
        steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert steps[0]["statements"][0].startswith(
            "CREATE TABLE IF NOT EXISTS activity_schema_migrations ON CLUSTER `main`"
        )
        for step, migration in zip(steps, migrations(), strict=True):
            if migration.number not in ALTERED_VIEWS:
                assert set(on_cluster(migration.sql, "main")) <= set(step["statements"])
            assert step["statements"][-1].startswith("INSERT INTO activity_schema_migrations")

    def test_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A name that would have to be escaped is no cluster."""
        assert run(schema, ["show", "--cluster", "a`b"]) == 2
        assert "The cluster 'a`b' cannot be used." in capsys.readouterr().err
