"""
A batch that is sent again counts once, whatever was done to the views between: their names are kept.

The engine's process is restarted for real: a program of its own for each life of it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from activitylog.store import apply, diff, migrations, plan, view_names
from activitylog.store.definitions import alters_view, changed_object, definitions, renamed_views
from activitylog.store.migrations import create_record, record_statement
from activitylog.store.snapshot import Found
from activitylog.store.view_names import gates_left, renamed, writers_kept_out
from activitylog.store_settings import StoreSettings
from otel_clickhouse import verdicts
from tests.activitylog.store.writer import REFUSED, Writer

_SETTINGS: Final = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
_VIEWS: Final = tuple(view for view in definitions() if view.kind == "materialized view")

#: One life of an engine: apply, up to a step, what is asked for; send batches; print what is counted.
_LIFE: Final = """
import sys

from tests.activitylog.store.test_view_names import counted, make, send
from activitylog.store import apply, connect

client = connect(sys.argv[1])
for word in sys.argv[2:]:
    if word == "apply":
        apply(client)
    elif word.isdigit():
        make(client, int(word))
    else:
        send(client, word)
print(*counted(client))
client.close()
"""


def make(client: Any, last: int) -> None:
    """The store as applying made it up to this step, before views were renamed."""
    for statement in create_record(StoreSettings()):
        client.command(statement)
    for migration in migrations()[:last]:
        client.command(migration.sql)
        client.command(record_statement(migration))


def send(client: Any, token: str) -> None:
    """A batch of ten by each way in."""
    settings = {**_SETTINGS, "insert_deduplication_token": token}
    for table, column, actor in (
        ("activity_events", "ActorId", "'a'"),
        ("activity_events_ingest", "LogAttributes", "map('user.id', 'b')"),
    ):
        client.command(
            f"INSERT INTO {table} (Timestamp, EventName, {column}) "
            f"SELECT toDateTime64('2026-05-01', 9, 'UTC'), 'x', {actor} FROM numbers(10)",
            settings=settings,
        )


def counted(client: Any) -> list[int]:
    """Events, and events by the roll-ups."""
    return [
        int(str(client.command(f"SELECT {what} FROM {table}")))
        for table, what in (
            ("activity_events", "count()"),
            ("activity_events_hourly", "sum(RowCount)"),
            ("activity_events_actor_daily", "sum(RowCount)"),
        )
    ]


def live(url: str, *words: str) -> list[int]:
    """A process that opens the store, does this, and ends."""
    ended = subprocess.run([sys.executable, "-c", _LIFE, url, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [int(word) for word in ended.stdout.split()]


@pytest.mark.slow
class TestRestarts:
    """The same batch before and after the engine starts anew."""

    def test_a_new_store(self, tmp_path: Path) -> None:
        """Sent in the life that made the tables, and in the next ones."""
        url = f"chdb://{tmp_path}/data"
        assert live(url, "apply", "t", "t") == [20, 20, 20]
        assert live(url, "t") == [20, 20, 20]
        assert live(url, "t", "apply", "t", "u") == [40, 40, 40]

    @pytest.mark.parametrize("step", [9, 25, 30])
    def test_an_upgraded_store(self, tmp_path: Path, step: int) -> None:
        """Sent before the upgrade, after it in the same life, and in the next one."""
        url = f"chdb://{tmp_path}/data"
        live(url, str(step))
        assert live(url, "t", "apply", "t", "u") == [40, 40, 40]
        assert live(url, "t", "u") == [40, 40, 40]

    def test_a_store_of_one_life(self, tmp_path: Path) -> None:
        """Made by the old steps and upgraded without a restart between: what is sent from then on is safe."""
        url = f"chdb://{tmp_path}/data"
        assert live(url, "30", "apply", "t") == [20, 20, 20]
        assert live(url, "t") == [20, 20, 20]


class TestRepairs:
    def test_a_stale_view(self, migrated_client: Any) -> None:
        """The repair is an ALTER, too: what was sent before it is recognised after it."""
        client = migrated_client
        query = next(view.query for view in _VIEWS if view.name == "activity_events_hourly_mv")
        stale = query.replace("max(events.DurationUs)", "min(events.DurationUs)")
        send(client, "t")
        client.command(f"ALTER TABLE activity_events_hourly_mv MODIFY QUERY {stale}")
        assert [step.name for step in apply(client, fill=None)] == ["activity_events_hourly_mv"]
        send(client, "t")
        assert counted(client) == [20, 20, 20]
        assert diff(client) == []

    @pytest.mark.parametrize("view", _VIEWS, ids=lambda view: view.name)
    def test_a_renaming_that_was_cut_off(self, migrated_client: Any, view: Any) -> None:
        """A view that is left under its other name comes back, and is not made a second time."""
        client = migrated_client
        client.command(f"RENAME TABLE {view.name} TO {view.name}_renamed")
        assert [str(difference) for difference in diff(client)] == [
            f"{view.name} is missing; it should be a materialized view"
        ]
        apply(client, fill=None)
        assert diff(client) == []
        assert client.query("SHOW TABLES LIKE '%_renamed'").result_rows == []
        send(client, "t")
        assert counted(client) == [20, 20, 20]


class TestWritersKeptOut:
    """``writers_kept_out``: nobody inserts while a view is away."""

    @pytest.mark.parametrize("table", ["activity_events", "activity_events_ingest"])
    @pytest.mark.parametrize("extra", [{}, {"max_threads": 1}, {"parallel_view_processing": 1}], ids=str)
    def test_refused_and_sent_again(self, migrated_client: Any, table: str, extra: dict[str, int]) -> None:
        """A refused insert leaves nothing behind; sent again, it is counted once, though a view was altered."""
        client = migrated_client
        insert = f"INSERT INTO {table} (Timestamp, EventName) SELECT '2026-05-01', 'a' FROM numbers(3)"
        settings = {**_SETTINGS, **extra, "insert_deduplication_token": "t"}
        with writers_kept_out(client):
            with pytest.raises(DatabaseError) as refused:
                client.command(insert, settings=settings)
            assert refused.value.code in REFUSED
            assert counted(client) == [0, 0, 0]
            for view in _VIEWS:  # and whoever did it was killed before the views were renamed
                client.command(f"ALTER TABLE {view.name} MODIFY QUERY {view.query}")
        client.command(insert, settings=settings)
        assert counted(client)[:2] == [3, 3]
        assert gates(client) == []

    def test_counts_are_refused_whole(self, migrated_client: Any) -> None:
        """A batch of events and exact counts leaves neither behind."""
        client = migrated_client
        rows = [["a", {}], ["activity.counted", {"activity.count": "7", "activity.counter.event": "a"}]]

        def insert() -> None:
            client.insert("activity_events_ingest", rows, column_names=["EventName", "LogAttributes"])

        def stored() -> list[int]:
            tables = ("activity_events", "activity_counters")
            return [client.query(f"SELECT count() FROM {table}").result_rows[0][0] for table in tables]

        with writers_kept_out(client):
            with pytest.raises(DatabaseError):
                insert()
            assert stored() == [0, 0]
        insert()
        assert stored() == [1, 1]

    def test_the_exporter_knows_them_by_name(self) -> None:
        """Its verdict is about the name; the packages do not import each other."""
        assert view_names.GATE == verdicts.GATE

    def test_opens_by_itself(self, migrated_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Gates of a killed process let everybody in when their time is over, and are taken away later."""
        monkeypatch.setattr("activitylog.store.view_names.GATE_SECONDS", -700)
        kept_out = writers_kept_out(migrated_client)
        kept_out.__enter__()
        send(migrated_client, "t")
        assert counted(migrated_client) == [20, 20, 20]
        names = gates(migrated_client)
        assert names == [names[0]] * 3
        assert [step.statements for step in plan(migrated_client)] == [
            (f"DROP VIEW IF EXISTS {names[0]}",),
            (f"ALTER TABLE activity_events DROP CONSTRAINT IF EXISTS {names[0]}",),
            (f"ALTER TABLE activity_counters DROP CONSTRAINT IF EXISTS {names[0]}",),
        ]
        assert diff(migrated_client) == []
        apply(migrated_client)
        assert gates(migrated_client) == []

    @pytest.mark.parametrize("name", ["insert_gate_99999999999_ab", "insert_gate_x", "xinsert_gate_1_ab"])
    def test_gates_that_stand_are_left_alone(self, name: str) -> None:
        """Those of another process, and what only looks like one."""
        events = Found("activity_events", "MergeTree", constraints=(name,))
        assert gates_left({"activity_events": events, name: Found(name, "MaterializedView")}) == []

    @pytest.mark.parametrize(
        "others", [pytest.param(0, id="alone"), pytest.param(2, id="with others who do the same")]
    )
    def test_nothing_is_lost_by_those_who_write_meanwhile(
        self, migrated_client: Any, chdb_url: str, others: int
    ) -> None:
        """Two insert without a pause, by both ways in, while every view goes away and back again and again."""
        url = f"{chdb_url}?database={migrated_client.database}"
        writers = [RowWriter(url, table) for table in ("activity_events", "activity_events_ingest")]
        appliers = [threading.Thread(target=rename_all, args=(url, 8)) for _ in range(1 + others)]
        for thread in appliers:
            thread.start()
        for thread in appliers:
            thread.join()
        sent = sum(writer.stop() for writer in writers)
        assert sum(writer.refused for writer in writers) > 0
        assert counted(migrated_client)[:2] == [sent, sent]


def gates(client: Any) -> list[str]:
    """The names of all gates, of both kinds."""
    found = client.query(
        r"SELECT arrayJoin(extractAll(create_table_query, '\\b(insert_gate_\\w+)')) FROM system.tables "
        "WHERE database = currentDatabase() ORDER BY ALL"
    ).result_rows
    return [name for (name,) in found]


def rename_all(url: str, times: int) -> None:
    """Rename every view, so many times."""
    client = clickhouse_connect.get_client(dsn=url)
    for _ in range(times):
        with writers_kept_out(client):
            for view in _VIEWS:
                client.command(renamed(view.name))
    client.close()


class RowWriter(Writer):
    """Inserts row after row into one table."""

    def __init__(self, url: str, table: str) -> None:
        self._table = table
        super().__init__(clickhouse_connect.get_client(dsn=url))

    def send(self) -> None:
        statement = f"INSERT INTO {self._table} (Timestamp, EventName) SELECT '2026-05-01', 'n{self.sent}'"
        self.insert(self._table, 1, lambda settings: self.client.command(statement, settings=settings))


class TestSteps:
    """The SQL files, run by hand or by apply."""

    def test_an_altered_view_is_renamed_by_a_later_step(self) -> None:
        """Whoever runs the files by other means ends with views under their names, too."""
        for step in migrations():
            if alters_view(step):
                later = (other for other in migrations() if other.number > step.number)
                assert any(changed_object(step) in renamed_views(other) for other in later), step

    def test_the_renaming_step_names_every_view(self) -> None:
        """That there was when it was made."""
        renaming = next(step for step in migrations() if renamed_views(step))
        assert set(renamed_views(renaming)) == {view.name for view in _VIEWS}

    def test_a_new_store_alters_no_view(self) -> None:
        """It makes each with its last query, so there is nothing to rename, and nobody to keep out."""
        steps = plan(None)
        assert not [sql for step in steps for sql in step.sql if "MODIFY QUERY" in sql or "RENAME" in sql]
        assert not [step for step in steps if step.alone]
        made = {
            view.name: sql for view in _VIEWS for step in steps for sql in step.sql if f" {view.name} TO " in sql
        }
        assert {name: sql.partition(" AS\n")[2] for name, sql in made.items() if "ingest" in name} == {
            view.name: view.query for view in _VIEWS if "ingest" in view.name
        }
