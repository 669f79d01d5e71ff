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
from activitylog.store import apply, connect, migrations
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

    def test_the_default_is_the_default(self) -> None:
        """What an empty table [store] means is what no table means."""
        assert parse_store({}) == StoreSettings()
