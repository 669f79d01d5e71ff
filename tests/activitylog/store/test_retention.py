"""How long rows are kept, and where: in a real engine, with parts that are too old and a real second volume."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from activitylog.store import apply, diff, plan
from activitylog.store.retention import is_ours
from activitylog.store_settings import StoreSettings

_YEAR = StoreSettings(retention_days=365)


def _ttl(client: Any, table: str = "activity_events") -> str:
    sql = "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"
    text = str(client.query(sql, parameters={"name": table}).result_rows[0][0])
    return text.partition(" TTL ")[2].partition(" SETTINGS ")[0]


def _wait(client: Any, sql: str, wanted: list[tuple[Any, ...]]) -> None:
    """Ask until the answer is this: the engine's background threads have work to do."""
    deadline = time.monotonic() + 30
    while (found := client.query(sql).result_rows) != wanted:
        assert time.monotonic() < deadline, found


class TestTTL:
    """``retention_days`` and ``rollup_retention_days``."""

    def test_set_changed_and_removed(self, migrated_client: Any) -> None:
        """Each change of the settings is one step; without a setting, a TTL of ours goes."""
        assert [str(step) for step in apply(migrated_client, _YEAR)] == ["the TTL of activity_events"]
        assert _ttl(migrated_client) == "toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(365)"
        assert apply(migrated_client, _YEAR) == []
        apply(migrated_client, StoreSettings(retention_days=30))
        assert _ttl(migrated_client) == "toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(30)"
        assert [str(difference) for difference in diff(migrated_client, StoreSettings())] == [
            "the TTL of activity_events is "
            "toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(30); it should be none"
        ]
        apply(migrated_client, StoreSettings())
        assert _ttl(migrated_client) == ""

    def test_one_of_the_owners_stays(self, migrated_client: Any) -> None:
        """Where the settings say nothing, a TTL that is not ours is left alone; where they do, they win."""
        migrated_client.command("ALTER TABLE activity_events MODIFY TTL toDate(Timestamp) + INTERVAL 3 YEAR")
        assert apply(migrated_client, StoreSettings()) == []
        assert _ttl(migrated_client) == "toDate(Timestamp) + toIntervalYear(3)"
        apply(migrated_client, _YEAR)
        assert _ttl(migrated_client) == "toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(365)"

    def test_without_settings_nothing_is_looked_at(self, migrated_client: Any) -> None:
        """Who has no settings at hand (a library call, `ingest`) neither sees nor removes a TTL."""
        apply(migrated_client, _YEAR)
        assert diff(migrated_client) == []
        assert apply(migrated_client) == []
        assert _ttl(migrated_client) != ""

    def test_rollups_have_their_own(self, migrated_client: Any) -> None:
        """The roll-ups and the counters keep their rows unless told otherwise."""
        apply(migrated_client, StoreSettings(retention_days=30, rollup_retention_days=800))
        rollups = {
            "activity_events_hourly": "Hour",
            "activity_events_actor_daily": "Day",
            "activity_counters": "Minute",
        }
        for table, column in rollups.items():
            assert _ttl(migrated_client, table) == f"toDateTime64({column}, 0, 'UTC') + toIntervalDay(800)"
        apply(migrated_client, _YEAR)
        assert [_ttl(migrated_client, table) for table in rollups] == ["", "", ""]

    def test_old_parts_are_dropped_and_no_row_is_rewritten(self, migrated_client: Any) -> None:
        """Parts that were there before the TTL go, too; the files of the others are the same ones, hard-linked."""
        quick_and_wide = "merge_with_ttl_timeout = 1, min_bytes_for_wide_part = 0"
        migrated_client.command(f"ALTER TABLE activity_events MODIFY SETTING {quick_and_wide}")
        for days, name in ((500, "old.row"), (0, "new.row")):
            migrated_client.command(
                f"INSERT INTO activity_events (Timestamp, EventName) SELECT now() - INTERVAL {days} DAY, '{name}'"
            )
        before = self._inodes(migrated_client)
        apply(migrated_client, _YEAR)
        _wait(migrated_client, "SELECT DISTINCT EventName FROM activity_events", [("new.row",)])
        _wait(
            migrated_client,
            "SELECT command, is_done FROM system.mutations WHERE database = currentDatabase()",
            [("(MATERIALIZE TTL)", 1)],
        )
        assert self._inodes(migrated_client)["new.row"] == before["new.row"]

    @staticmethod
    def _inodes(client: Any) -> dict[str, dict[str, int]]:
        """The data files of each part, by the event in it."""
        rows = client.query(
            "SELECT EventName, any(path) FROM activity_events JOIN system.parts ON name = _part "
            "AND table = 'activity_events' AND database = currentDatabase() GROUP BY 1 SETTINGS join_use_nulls = 0"
        ).result_rows
        return {name: {file.name: file.stat().st_ino for file in Path(path).glob("*.bin")} for name, path in rows}

    @pytest.mark.parametrize("days", [400, 36_500])
    def test_no_date_wraps_around(self, migrated_client: Any, days: int) -> None:
        """A row of the next centuries, and a century of retention, are not taken for something long gone."""
        apply(migrated_client, StoreSettings(retention_days=days))
        migrated_client.command(
            "INSERT INTO activity_events (Timestamp, EventName) "
            "VALUES (now(), 'a.now'), ('2261-12-31', 'b.future')"
        )
        migrated_client.command("OPTIMIZE TABLE activity_events FINAL")
        names = migrated_client.query("SELECT EventName FROM activity_events ORDER BY EventName").result_rows
        assert names == [("a.now",), ("b.future",)]


class TestIsOurs:
    @pytest.mark.parametrize(
        ("ttl", "ours"),
        [
            ("toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(30)", True),
            ("toDateTime64(Hour, 0, 'UTC') + toIntervalDay(3) TO VOLUME 'cold'", True),
            (
                "toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(3) TO VOLUME 'c', "
                "toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(30)",
                True,
            ),
            ("", False),
            ("toDateTime64(Timestamp, 0, 'UTC') + toIntervalMonth(30)", False),
            ("toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(30) WHERE EventName = 'x'", False),
            ("toDateTime(Timestamp) + toIntervalDay(30)", False),
        ],
    )
    def test_by_its_form(self, ttl: str, ours: bool) -> None:
        """Only what this package writes, whole."""
        assert is_ours(ttl) == ours


_COLD = """
import sys, time, chdb
folder, configuration = sys.argv[1:]
keep = chdb.connect(folder + "?config-file=" + configuration)
from activitylog.store import apply, check, connect
from activitylog.store_settings import parse_store
client = connect("chdb://" + folder)
apply(client)
client.command("ALTER TABLE activity_events MODIFY SETTING merge_with_ttl_timeout = 1")
for days in (1, 40, 400):
    client.command(f"INSERT INTO activity_events (Timestamp) SELECT now() - INTERVAL {days} DAY")
settings = parse_store({"storage_policy": "tiered", "cold_volume": "cold", "cold_after_days": 30,
                        "retention_days": 365})
print(*apply(client, settings), sep="; ")
check(client, settings)
where = ("SELECT dateDiff('day', Timestamp, now()) AS age, disk_name FROM activity_events JOIN system.parts "
         "ON name = _part AND active AND table = 'activity_events' ORDER BY age")
deadline = time.monotonic() + 30
while (found := client.query(where).result_rows) != [(1, "default"), (40, "far")]:
    assert time.monotonic() < deadline, found
print(found)
"""
_POLICY = """
<clickhouse><storage_configuration>
    <disks><far><path>{folder}/far/</path></far></disks>
    <policies><tiered><volumes>
        <default><disk>default</disk></default><cold><disk>far</disk></cold>
    </volumes></tiered></policies>
</storage_configuration></clickhouse>
"""


class TestColdVolume:
    @pytest.mark.slow
    def test_old_parts_move_to_it(self, tmp_path: Path) -> None:
        """
        A table that was there before gets the policy and the TTL; the old part moves to the other disk, the one
        that is too old goes, the young one stays. In a process of its own, which reads this configuration.
        """
        (tmp_path / "far").mkdir()
        configuration = tmp_path / "policy.xml"
        configuration.write_text(_POLICY.format(folder=tmp_path))
        ended = subprocess.run(
            [sys.executable, "-c", _COLD, str(tmp_path / "store"), str(configuration)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.splitlines() == [
            "the storage policy of activity_events; the TTL of activity_events; "
            "the storage policy of activity_events_hourly; the storage policy of activity_events_actor_daily; "
            "the storage policy of activity_counters",
            "[(1, 'default'), (40, 'far')]",
        ]

    def test_the_statement(self) -> None:
        """The policy comes first: its volume is named by the TTL."""
        settings = StoreSettings(
            storage_policy="tiered", cold_volume="cold", cold_after_days=30, retention_days=365
        )
        sql = [statement for step in plan(None, settings) for statement in step.sql]
        ttl = (
            "ALTER TABLE activity_events MODIFY TTL toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(30) "
            "TO VOLUME 'cold', toDateTime64(Timestamp, 0, 'UTC') + toIntervalDay(365) "
            "SETTINGS materialize_ttl_after_modify = 1"
        )
        assert sql.index(ttl) > next(
            place for place, text in enumerate(sql) if "storage_policy = 'tiered'" in text
        )
