"""`activitylog schema` as a user runs it: on a folder, with settings that change, and on a server."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import activitylog
from activitylog import config
from activitylog.store import apply, backfill, connect, diff, migrations, missing
from activitylog.store_settings import StoreSettings, parse_store

_STEPS = [str(migration) for migration in migrations()]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*arguments: str, cwd: Path) -> Ended:
    """Run `activitylog schema` to its end."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    process = subprocess.run(
        [sys.executable, "-m", "activitylog", "schema", *arguments],
        cwd=cwd,
        env=inherited | {"PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ended(process.returncode, process.stdout, process.stderr)


@pytest.mark.slow
class TestOnAFolder:
    def test_from_nothing_to_changed_settings(self, tmp_path: Path) -> None:
        """show, apply --dry-run, apply, diff, check; then other settings, and again."""
        assert run("show", cwd=tmp_path).out.startswith("-- 0001_activity_events.sql\n")
        dry = run("apply", "--dry-run", cwd=tmp_path)
        assert dry.code == 0, dry.err
        assert [line for line in dry.out.splitlines() if line.startswith("-- 00")] == [f"-- {s}" for s in _STEPS]
        assert list(tmp_path.iterdir()) == []  # nothing was made

        missing = run("check", cwd=tmp_path)
        assert (missing.code, missing.out) == (1, "")
        assert "There is no store at" in missing.err

        applied = run("apply", cwd=tmp_path)
        assert applied.out.splitlines() == [f"applied {step}" for step in _STEPS]
        assert run("diff", cwd=tmp_path).out == "no differences\n"
        assert (run("check", cwd=tmp_path).out, run("check", cwd=tmp_path).code) == ("ok\n", 0)

        settings = tmp_path / "activitylog.toml"
        settings.write_text('[store]\nretention_days = 400\n[store.columns]\n"order.id" = "String"\n')
        differs = run("check", cwd=tmp_path)
        assert (differs.code, differs.out) == (
            1,
            "differs: the TTL of activity_events is missing; it should be "
            "toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(400) (and 2 more)\n",
        )
        document = json.loads(run("apply", "--dry-run", "--json", cwd=tmp_path).out)
        assert document["would_apply"] == [
            "the TTL of activity_events",
            "activity_events.OrderId",
            "the index activity_events.idx_OrderId",
        ]
        assert len(document["statements"]) == 4
        assert json.loads(run("apply", "--json", cwd=tmp_path).out)["applied"] == document["would_apply"]
        assert json.loads(run("check", "--json", cwd=tmp_path).out)["ok"] is True
        assert run("apply", "--dry-run", cwd=tmp_path).out == "-- nothing to do: the schema is up to date\n"
        assert "`OrderId` String DEFAULT Attributes['order.id']" in run("show", cwd=tmp_path).out

        settings.write_text('[store.columns]\n"order.id" = "UInt64"\n')
        conflict = run("apply", cwd=tmp_path)
        assert conflict.code == 1
        assert "error: The column activity_events.OrderId is String DEFAULT" in conflict.err
        assert "hint: A column is not converted:" in conflict.err
        (line,) = run("diff", "--json", cwd=tmp_path).out.splitlines()
        assert json.loads(line)["where"] == "activity_events.OrderId"


@pytest.mark.slow
@pytest.mark.server
class TestOnAServer:
    def test_a_database_that_is_not_there(self, server_url: str, tmp_path: Path) -> None:
        """A dry run prints its creation, too, and creates nothing."""
        name = f"dry_{next(_numbers)}"
        url = f"{server_url.rpartition('/')[0]}/{name}"
        dry = run("apply", "--dry-run", "--url", url, cwd=tmp_path)
        assert dry.code == 0, dry.err
        assert dry.out.startswith(f"-- the database\nCREATE DATABASE IF NOT EXISTS `{name}`;\n-- 0001_")
        client = connect(server_url)
        try:
            found = client.query(
                "SELECT count() FROM system.databases WHERE name = {name:String}", parameters={"name": name}
            )
            assert found.result_rows == [(0,)]
        finally:
            client.close()


def _order(number: str) -> dict[str, Any]:
    return {"order.id": number}


class TestOnFirstUse:
    """The embedded store is brought up to date by the exporter, settings included."""

    @pytest.fixture(autouse=True)
    def _ended(self) -> Any:
        yield
        activitylog.shutdown()
        config.swap(None)

    @pytest.fixture
    def url(self, server_url: str) -> Any:
        url = f"{server_url.rpartition('/')[0]}/first_use_{next(_numbers)}"
        yield url
        client = connect(server_url)
        client.command(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]}")
        client.close()

    def _query(self, url: str, sql: str) -> Any:
        client = connect(url)
        try:
            return client.query(sql).result_rows
        finally:
            client.close()

    @pytest.mark.server
    def test_columns_of_the_settings(self, url: str) -> None:
        """An attribute with a column is in it from the first event on."""
        activitylog.configure(url, create_schema=True, store={"columns": {"order.id": "String"}})
        activitylog.emit("order.placed", **_order("o1"))
        assert activitylog.flush().delivered == 1
        assert self._query(url, "SELECT OrderId, LogAttributes['order.id'] FROM activity_events") == [("o1", "o1")]

    @pytest.mark.server
    @pytest.mark.parametrize(
        ("store", "said"),
        [
            ({"columns": {"order.id": "UInt64"}}, "The column activity_events.OrderId is String"),
            ({"cold_after_days": 3, "cold_volume": "nowhere"}, "No such volume `nowhere`"),
        ],
    )
    def test_what_cannot_be_had_costs_no_events(
        self, url: str, store: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is an error in the log, and the events are stored all the same."""
        client = connect(url, create_database=True)
        apply(client, parse_store({"columns": {"order.id": "String"}}))
        client.close()
        activitylog.configure(url, create_schema=True, store=store, retry_deadline_seconds=5)
        activitylog.emit("order.placed", **_order("7"))
        assert activitylog.flush().delivered == 1
        assert "the settings of [store] were not applied: " in caplog.text
        assert said in caplog.text
        assert self._query(url, "SELECT OrderId FROM activity_events") == [("7",)]

    @pytest.mark.server
    def test_a_process_without_settings_keeps_the_retention(self, url: str) -> None:
        """Who has no [store] does not take away the TTL that another one set."""
        client = connect(url, create_database=True)
        apply(client, parse_store({"retention_days": 400}))
        client.close()
        activitylog.configure(url, create_schema=True)
        activitylog.emit("order.placed", **_order("8"))
        assert activitylog.flush().delivered == 1
        ((created,),) = self._query(url, "SHOW CREATE TABLE activity_events")
        assert "toIntervalDay(400)" in created

    @pytest.mark.server
    @pytest.mark.parametrize(("rows", "counted"), [(1_000, 1_001), (200_001, 1)])
    def test_old_rows_keep_no_batch_waiting(
        self, url: str, rows: int, counted: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A store from before the roll-ups: few rows are summed up at once, of many it is said how."""
        client = connect(url, create_database=True)
        for migration in migrations()[:3]:
            client.command(migration.sql)
        client.command(
            "INSERT INTO activity_events (Timestamp, EventName, ActorType, ActorId) SELECT "
            f"toDateTime64('2026-03-01', 9, 'UTC') + number % 1000, 'order.paid', 'user', 'u' FROM numbers({rows})"
        )
        client.close()
        activitylog.configure(url, create_schema=True)
        activitylog.emit("order.placed", actor="user:9")
        assert activitylog.flush().delivered == 1
        for table in ("activity_events_hourly", "activity_events_actor_daily"):
            assert self._query(url, f"SELECT sum(RowCount) FROM {table}") == [(counted,)]
        assert ("Run: activitylog schema backfill" in caplog.text) is (rows > 1_000)
        client = connect(url)
        assert diff(client) == []
        assert backfill(client) == []
        assert missing(client) == []
        client.close()

    @pytest.mark.server
    def test_a_newer_database_costs_no_events(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        """After a deployment was rolled back the older version says so, and its events are stored."""
        client = connect(url, create_database=True)
        apply(client)
        client.command("INSERT INTO activity_schema_migrations (number, name) VALUES (9999, 'later')")
        client.close()
        activitylog.configure(url, create_schema=True, retry_deadline_seconds=5)
        activitylog.emit("order.placed", **_order("9"))
        assert activitylog.flush().delivered == 1
        assert "the schema is left as it is: The database has the schema step 9999 (later)" in caplog.text

    def test_the_default_is_the_default(self) -> None:
        """What an empty table [store] means is what no table means."""
        assert parse_store({}) == StoreSettings()


@pytest.mark.slow
class TestBackfill:
    def test_rows_that_a_view_missed(self, tmp_path: Path) -> None:
        """What a roll-up lacks is listed, then inserted; after that nothing is missing."""
        assert run("apply", cwd=tmp_path).code == 0
        script = """
import sys
from activitylog.store import connect, migrations
client = connect(sys.argv[1])
client.command("DROP TABLE activity_events_hourly_mv")
client.command("INSERT INTO activity_events (Timestamp, EventName) VALUES ('2026-03-01 10:00:00', 'a.b')")
client.command(next(one.sql for one in migrations() if one.name == "activity_events_hourly_mv"))
client.close()
"""
        store = f"chdb://{tmp_path}/activitylog-data"
        subprocess.run([sys.executable, "-c", script, store], check=True, timeout=120)
        lacking = "activity_events_hourly counts 0 of 1 rows of 2026-03-01"
        assert run("backfill", "--dry-run", cwd=tmp_path).out == f"{lacking}\n"
        done = run("backfill", cwd=tmp_path)
        assert (done.code, done.out) == (0, f"{lacking}\nrepaired: 1 of 1\n")
        again = json.loads(run("backfill", "--json", cwd=tmp_path).out)
        assert (again["missing"], again["unsettled"]) == ([], [])
        day = json.loads(run("backfill", "--day", "2026-03-01", "--json", cwd=tmp_path).out)
        # A day that is named is made to agree in every sum, whatever its rows say.
        assert [(one["rows"], one["counted"]) for one in day["missing"]] == [(1, 1)]
        assert day["unsettled"] == []
