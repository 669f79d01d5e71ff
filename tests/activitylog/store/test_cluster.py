"""
One migration file, rendered for a cluster.

Executed for real, in an engine that is a cluster of local shards (``cluster_engine.py``): creating everything with
Replicated engines, ON CLUSTER taken out; with plain engines in their place, inserts and questions through the
Distributed tables. Only parsed: ON CLUSTER. Not run anywhere: replication, several machines.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError, SchemaError
from activitylog.queries.question import questions
from activitylog.store import apply, backfill, claims, diff, migrations, missing, plan
from activitylog.store.cluster import SHARDING_KEYS, local_table, on_cluster
from activitylog.store.definitions import definitions
from activitylog.store.differences import rendered
from activitylog.store.inserts import Inserts, cluster_of
from activitylog.store.migrations import _CREATE_RECORD, record_statement
from activitylog.store.rendering import statements
from activitylog.store_settings import StoreSettings
from tests.activitylog.store.cluster_engine import ClusterEngine, EngineError

ON_MAIN = StoreSettings(cluster="main")
FILES = [_CREATE_RECORD, *(migration.sql for migration in migrations())]
RENDERED = [statement for sql in FILES for statement in statements(sql, ON_MAIN)]
#: As the exporter sends it.
SYNC = (
    "SETTINGS async_insert = 0, distributed_foreground_insert = 1, "
    "deduplicate_blocks_in_dependent_materialized_views = 1"
)


def with_replication(statement: str, cluster: str = "main") -> str:
    """What can be run here of a statement: all but ON CLUSTER."""
    assert statement.count(f" ON CLUSTER `{cluster}`") == 1
    return statement.replace(f" ON CLUSTER `{cluster}`", "")


def without_replication(statement: str, cluster: str = "main") -> str:
    """The same on plain engines, which can be written to here."""
    plain = re.sub(
        r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?\)", r"\1", with_replication(statement, cluster)
    )
    return re.sub(
        r"replicated_deduplication_window = (\d+), replicated_deduplication_window_seconds = \d+",
        r"non_replicated_deduplication_window = \1",
        plain,
    )


class TestDifferences:
    """What ``diff`` says of a server of a cluster."""

    def test_local_tables(self, chdb_client: Any) -> None:
        """Its local tables and the views between them are compared with the files; only what is wrong is named."""
        for statement in RENDERED:
            if "ENGINE = Distributed" in statement:
                # Something with its columns in its place: no cluster is configured here.
                chdb_client.command(with_replication(statement).partition("ENGINE =")[0] + "ENGINE = Null")
            elif not _alters_distributed(statement) or " ADD COLUMN " in statement:
                chdb_client.command(without_replication(statement))
        for migration in migrations():
            chdb_client.command(record_statement(migration))
        assert diff(chdb_client, ON_MAIN) == []

        chdb_client.command("ALTER TABLE activity_events_local ADD COLUMN OrderId String CODEC(ZSTD(1))")
        with_column = StoreSettings(cluster="main", columns={"order.id": "String"})
        column, _ = diff(chdb_client, with_column)
        assert (column.where, column.found) == ("activity_events.OrderId", "")
        assert len(rendered(column, with_column)) == 2
        chdb_client.command("ALTER TABLE activity_events ADD COLUMN OrderId String")
        assert "DEFAULT" in diff(chdb_client, with_column)[0].expected

        here = {difference.where: difference for difference in diff(chdb_client, StoreSettings())}
        assert here["activity_events"].found == "a table of a cluster"
        with pytest.raises(SchemaError, match=r"activity_events is a table of a cluster; by \[store\] cluster"):
            plan(chdb_client, StoreSettings())
        assert plan(chdb_client) == []
        chdb_client.command("DELETE FROM activity_schema_migrations WHERE number > 3")
        with pytest.raises(SchemaError, match="is a table of a cluster"):
            apply(chdb_client)
        for migration in migrations()[3:]:
            chdb_client.command(record_statement(migration))

        chdb_client.command("ALTER TABLE activity_events_local DROP INDEX idx_actor")
        chdb_client.command("DROP TABLE activity_counters")
        index, distributed = diff(chdb_client, ON_MAIN)
        assert index.where == "the index activity_events.idx_actor"
        assert (distributed.where, distributed.expected) == ("activity_counters", "a Distributed table")
        (repair,) = rendered(index, ON_MAIN)
        assert repair.startswith("ALTER TABLE activity_events_local ON CLUSTER `main` ADD INDEX IF NOT EXISTS")

    def test_a_cluster_for_the_tables_of_one_server(self, migrated_client: Any) -> None:
        """Settings that name a cluster later on are a difference, and nothing that apply could do."""
        one = diff(migrated_client, ON_MAIN)[0]
        assert (one.where, one.expected, one.found) == (
            "activity_events",
            "a table of a cluster",
            "a table of one server",
        )
        with pytest.raises(SchemaError, match="activity_events is a table of one server"):
            apply(migrated_client, ON_MAIN)


def _alters_distributed(statement: str) -> bool:
    """An ALTER of the Distributed table, beside the one of its local table."""
    found = re.search(r"ALTER TABLE (\w+) ON", statement)
    return found is not None and found[1] in SHARDING_KEYS


class TestStatements:
    """``statements()`` and ``on_cluster()``, as text."""

    def test_one_server(self) -> None:
        """Without a cluster a file is run as it is."""
        assert statements(FILES[1], StoreSettings()) == [FILES[1].strip().removesuffix(";")]

    def test_each_loses_nothing(self) -> None:
        """Every statement says ON CLUSTER once, can be run again, and keeps no plain engine or window."""
        for statement in RENDERED:
            assert statement.count(" ON CLUSTER `main`") == 1
            assert re.search(r"IF NOT EXISTS|\sMODIFY |OR REPLACE VIEW|RENAME TABLE\s+IF EXISTS", statement)
            assert not re.search(r"ENGINE = (?!Replicated|Distributed|Null|Memory)", statement)
            assert "non_replicated" not in statement
        windows = sum("replicated_deduplication_window = 100000" in statement for statement in RENDERED)
        assert windows == sum("non_replicated_deduplication_window" in sql for sql in FILES) > 3

    def test_every_table_has_its_pair(self) -> None:
        """Each table of rows is made as a local one and a Distributed one, in this order."""
        tables = [definition.name for definition in definitions() if definition.kind == "table"]
        assert set(SHARDING_KEYS) <= set(tables)
        for name in SHARDING_KEYS:
            sql = next(sql for sql in FILES if f"CREATE TABLE IF NOT EXISTS {name}\n" in sql)
            local, distributed = statements(sql, ON_MAIN)
            assert f"CREATE TABLE IF NOT EXISTS {name}_local ON CLUSTER `main`\n(" in local
            assert distributed == (
                f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER `main` AS {name}_local\n"
                f"ENGINE = Distributed('main', currentDatabase(), '{name}_local', {SHARDING_KEYS[name]})"
            )

    def test_views_stay_in_their_shard(self) -> None:
        """No materialized view reads or writes a Distributed table."""
        chain = [text for text in RENDERED if "MATERIALIZED VIEW" in text or "MODIFY QUERY" in text]
        assert len(chain) > 4
        for statement in chain:
            code = re.sub(r"--[^\n]*|'(?:[^'\\]|\\.)*'", "", statement)
            assert not set(re.findall(r"\w+", code)) & set(SHARDING_KEYS)
            assert re.search(r"FROM activity_events(_ingest)?_local\b", code)

    def test_record_of_steps(self) -> None:
        """The record of steps is one replicated group over all shards: any server knows what was applied."""
        (rendered,) = statements(_CREATE_RECORD, ON_MAIN)
        assert "CREATE TABLE IF NOT EXISTS activity_schema_migrations ON CLUSTER `main`\n(" in rendered
        assert rendered.endswith(
            "ENGINE = ReplicatedMergeTree('/clickhouse/tables/main/all/{database}/activity_schema_migrations', "
            "'{shard}-{replica}') ORDER BY number"
        )

    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            (
                "-- why\nALTER TABLE activity_events ADD COLUMN IF NOT EXISTS A String DEFAULT f(1, 'x, y') "
                "CODEC(ZSTD(1)), ADD INDEX IF NOT EXISTS i A TYPE bloom_filter(0.01), DROP COLUMN IF EXISTS B;",
                [
                    "-- why\nALTER TABLE activity_events_local ON CLUSTER `main` ADD COLUMN IF NOT EXISTS A "
                    "String DEFAULT f(1, 'x, y') CODEC(ZSTD(1)), ADD INDEX IF NOT EXISTS i A TYPE "
                    "bloom_filter(0.01), DROP COLUMN IF EXISTS B",
                    "ALTER TABLE activity_events ON CLUSTER `main` ADD COLUMN IF NOT EXISTS A String "
                    "DEFAULT f(1, 'x, y') CODEC(ZSTD(1)), DROP COLUMN IF EXISTS B",
                ],
            ),
            (
                "ALTER TABLE activity_events DROP COLUMN IF EXISTS B",
                [
                    "ALTER TABLE activity_events ON CLUSTER `main` DROP COLUMN IF EXISTS B",
                    "ALTER TABLE activity_events_local ON CLUSTER `main` DROP COLUMN IF EXISTS B",
                ],
            ),
            (
                "ALTER TABLE activity_events MODIFY TTL toDateTime(Timestamp) + INTERVAL 90 DAY",
                [
                    "ALTER TABLE activity_events_local ON CLUSTER `main` MODIFY TTL toDateTime(Timestamp) "
                    "+ INTERVAL 90 DAY"
                ],
            ),
            (
                "ALTER TABLE activity_counters MODIFY SETTING non_replicated_deduplication_window = 10000",
                [
                    "ALTER TABLE activity_counters_local ON CLUSTER `main` MODIFY SETTING "
                    "replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800"
                ],
            ),
            ("CREATE DATABASE IF NOT EXISTS `a b`", ["CREATE DATABASE IF NOT EXISTS `a b` ON CLUSTER `main`"]),
            (
                "DELETE FROM activity_events WHERE ActorId = 'ann'",
                ["DELETE FROM activity_events_local ON CLUSTER `main` WHERE ActorId = 'ann'"],
            ),
            (
                "DROP TABLE IF EXISTS activity_counters;\n",
                [
                    "DROP TABLE IF EXISTS activity_counters ON CLUSTER `main`",
                    "DROP TABLE IF EXISTS activity_counters_local ON CLUSTER `main` SYNC",
                ],
            ),
            (
                "CREATE OR REPLACE VIEW last_day AS SELECT count() FROM activity_events",
                ["CREATE OR REPLACE VIEW last_day ON CLUSTER `main` AS SELECT count() FROM activity_events"],
            ),
            (
                "create table if not exists holds (a Int8) engine = ReplacingMergeTree(a) order by a",
                [
                    "create table if not exists holds ON CLUSTER `main` (a Int8) engine = "
                    "ReplicatedReplacingMergeTree('/clickhouse/tables/main/all/{database}/holds', "
                    "'{shard}-{replica}', a) order by a"
                ],
            ),
            (
                "RENAME TABLE IF EXISTS a_mv TO b, IF EXISTS b TO a_mv;",
                ["RENAME TABLE IF EXISTS a_mv TO b, IF EXISTS b TO a_mv ON CLUSTER `main`"],
            ),
        ],
        ids=[
            "add column",
            "drop column",
            "ttl",
            "window",
            "database",
            "delete",
            "drop",
            "view",
            "small table",
            "rename",
        ],
    )
    def test_kinds(self, sql: str, expected: list[str], chdb_client: Any) -> None:
        """What stores is changed on the shards; columns on both sides, in the order that a question stands."""
        assert statements(sql, ON_MAIN) == expected
        for statement in expected:
            parsed = chdb_client.query("SELECT formatQuerySingleLine({q:String})", parameters={"q": statement})
            assert "ON CLUSTER main" in parsed.result_rows[0][0]

    def test_only_tables_are_renamed(self) -> None:
        """What a table's name is in a string or a comment, or a part of, stays as it is."""
        sql = (
            "CREATE MATERIALIZED VIEW IF NOT EXISTS activity_counters_mv TO activity_counters AS "
            "SELECT 'activity_events' AS a, `activity_events`.b, activity_events_x -- activity_events\n"
            "FROM activity_events WHERE activity_events.b = 'it''s activity_events'"
        )
        assert on_cluster(sql, "main") == [
            "CREATE MATERIALIZED VIEW IF NOT EXISTS activity_counters_mv ON CLUSTER `main` TO "
            "activity_counters_local AS SELECT 'activity_events' AS a, activity_events_local.b, "
            "activity_events_x -- activity_events\n"
            "FROM activity_events_local WHERE activity_events_local.b = 'it''s activity_events'"
        ]

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1",
            "CREATE TABLE other.activity_events (a Int8) ENGINE = Null",
            "",
            "RENAME TABLE activity_events TO a",
        ],
    )
    def test_refused(self, sql: str) -> None:
        """A statement without a meaning on a cluster is an error, not a statement for one server."""
        with pytest.raises(SchemaError):
            statements(sql, ON_MAIN)

    @settings(deadline=None)
    @given(st.text())
    def test_names(self, name: str) -> None:
        """A cluster's name is refused, or stands in the SQL between quotes that it cannot leave."""
        try:
            rendered = statements("DROP VIEW IF EXISTS v", StoreSettings(cluster=name))
        except ConfigurationError:
            return
        assert rendered == [f"DROP VIEW IF EXISTS v ON CLUSTER `{name}`"]
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", name)


class TestParsed:
    """Everything, by the engine's own parser."""

    @pytest.mark.parametrize("statement", RENDERED)
    def test_understood(self, statement: str, chdb_client: Any) -> None:
        """Each is one statement; the parser sees the cluster, and prints what it reads again as the same."""
        printed = chdb_client.query(
            "SELECT formatQuerySingleLine({q:String})", parameters={"q": statement}
        ).result_rows[0][0]
        assert " ON CLUSTER main" in printed
        assert chdb_client.query(
            "SELECT formatQuerySingleLine({q:String})", parameters={"q": printed}
        ).result_rows == [(printed,)]
        assert chdb_client.query(f"EXPLAIN AST {statement}").result_rows


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterEngine]:
    """Everything created, twice, with Replicated engines (which cannot be altered here), in ``activity``."""
    with ClusterEngine(tmp_path_factory.mktemp("created")) as engine:
        engine.run("CREATE DATABASE activity ENGINE = Atomic")
        engine.run("USE activity")
        for statement in [*RENDERED, *RENDERED]:
            if "MODIFY QUERY" in statement or not re.search(r"(?m)^ALTER TABLE", statement):
                engine.run(with_replication(_with_later_columns(statement)))
        yield engine


def _with_later_columns(statement: str) -> str:
    """A table of a shard made with the columns that later files add."""
    for sql in FILES:
        added = re.search(r"(?m)^ALTER TABLE (\w+)\n    ADD COLUMN IF NOT EXISTS (.*);$", sql)
        if added and f"CREATE TABLE IF NOT EXISTS {added[1]}_local" in statement:
            statement = statement.replace("\n(\n", f"\n(\n{added[2]},\n", 1)
    return statement


class TestCreated:
    """Executed with Replicated engines and a Keeper in memory."""

    @pytest.mark.slow
    def test_paths(self, created: ClusterEngine) -> None:
        """A shard's replicas meet at one path; a table of records has one path and a name a server."""
        expected = [
            [f"{name}_local", f"/clickhouse/tables/main/01/activity/{name}_local", "r1"]
            for name in SHARDING_KEYS
            if name != "activity_events_ingest"
        ]
        expected += [
            [name, f"/clickhouse/tables/main/all/activity/{name}", "01-r1"]
            for name in ("activity_archives", "activity_claims", "activity_erasures", "activity_schema_migrations")
        ]
        assert created.run(
            "SELECT table, zookeeper_path, replica_name FROM system.replicas ORDER BY table"
        ) == sorted(expected)

    def test_engines(self, created: ClusterEngine) -> None:
        """The windows are those of Keeper, and every Distributed table has its key."""
        engines = dict(
            created.run("SELECT name, engine_full FROM system.tables WHERE database = 'activity' ORDER BY name")
        )
        for name in SHARDING_KEYS:
            assert engines[name].startswith(f"Distributed('main', 'activity', '{name}_local', ")
        for name in ("activity_events_local", "activity_events_hourly_local", "activity_events_actor_daily_local"):
            assert "replicated_deduplication_window = 100000" in engines[name]
            assert "replicated_deduplication_window_seconds = 604800" in engines[name]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterEngine]:
    """An engine for :func:`running`: starting one takes a second."""
    with ClusterEngine(tmp_path_factory.mktemp("plain")) as engine:
        yield engine


@pytest.fixture
def running(plain: ClusterEngine) -> ClusterEngine:
    """Everything on plain engines, writable, in an empty database."""
    plain.run("DROP DATABASE IF EXISTS running")
    plain.run("CREATE DATABASE running ENGINE = Atomic")
    plain.run("USE running")
    for statement in RENDERED:
        plain.run(without_replication(statement))
    return plain


LANDED = """INSERT INTO activity_events_ingest (Timestamp, EventName, LogAttributes) {settings} SELECT
    toDateTime64('2026-05-01 10:00:00', 9), if(number % 10 = 9, 'activity.counted', 'order.placed'),
    map('user.id', concat('u', toString(number % 7)), 'activity.tenant.id', 'acme', 'activity.count', '1')
FROM numbers(100)"""
DIRECT = """INSERT INTO activity_events (Timestamp, EventName, TenantId, ActorType, ActorId) {settings} SELECT
    toDateTime64('2026-05-01 10:00:00', 9), 'order.placed', 'acme', 'user', concat('u', toString(number % 7))
FROM numbers(90)"""
TOTALS = """SELECT (SELECT count() FROM activity_events), (SELECT sum(RowCount) FROM activity_events_hourly),
    (SELECT sum(RowCount) FROM activity_events_actor_daily), (SELECT sum(EventCount) FROM activity_counters)"""


class TestRunning:
    """Executed on plain engines: Distributed tables, the chain of views, tokens."""

    @pytest.mark.slow
    @pytest.mark.parametrize(("insert", "counted"), [(LANDED, 10), (DIRECT, 0)], ids=["landing", "direct"])
    def test_a_batch_sent_again_counts_once(self, running: ClusterEngine, insert: str, counted: int) -> None:
        """By both ways in, through the Distributed table: once in events, roll-ups and counters."""
        again = insert.format(settings=f"{SYNC}, insert_deduplication_token = 'batch-1'")
        running.run(again)
        running.run(again)
        assert running.run(TOTALS) == [[90, 90, 90, counted]]
        running.run(again.replace("batch-1", "batch-2"))
        assert running.run(TOTALS) == [[180, 180, 180, 2 * counted]]

    @pytest.mark.slow
    def test_pairs_have_the_same_columns(self, running: ClusterEngine) -> None:
        """Names, types, defaults and aliases are the same on both sides, and are those of the files."""
        columns = (
            "SELECT name, type, default_kind, default_expression FROM system.columns "
            "WHERE database = currentDatabase() AND table = '{}' ORDER BY position"
        )
        for definition in definitions():
            if definition.name in SHARDING_KEYS:
                local = running.run(columns.format(local_table(definition.name)))
                assert running.run(columns.format(definition.name)) == local
                assert [row[:2] for row in local] == [[column.name, column.type] for column in definition.columns]

    @pytest.mark.slow
    def test_a_shard_is_asked_by_its_own_table_too(self, running: ClusterEngine) -> None:
        """A batch that went straight into the local table is recognised there, and is read by the plain name."""
        local = DIRECT.replace("INTO activity_events ", "INTO activity_events_local ")
        token = f"{SYNC}, insert_deduplication_token = 'batch-1'"
        for insert in (local, local, DIRECT):
            running.run(insert.format(settings=token))
        assert running.run(TOTALS) == [[90, 90, 90, 0]]

    @pytest.mark.slow
    def test_a_later_column(self, running: ClusterEngine) -> None:
        """A column that is added later is there on both sides, by the order in which the statements come."""
        for sql in (
            "ALTER TABLE activity_events ADD COLUMN IF NOT EXISTS OrderId String CODEC(ZSTD(1)), "
            "ADD INDEX IF NOT EXISTS idx_OrderId OrderId TYPE bloom_filter(0.01) GRANULARITY 1",
            "ALTER TABLE activity_events_ingest ADD COLUMN IF NOT EXISTS Extra String",
        ):
            for statement in statements(sql, ON_MAIN) * 2:
                running.run(without_replication(statement))
        running.run(f"INSERT INTO activity_events (EventName, OrderId) {SYNC} VALUES ('order.placed', 'o1')")
        assert running.run("SELECT OrderId, LogAttributes FROM activity_events") == [["o1", {}]]
        for statement in statements(
            "ALTER TABLE activity_events DROP COLUMN IF EXISTS OrderId, DROP INDEX IF EXISTS idx_OrderId", ON_MAIN
        ):
            running.run(without_replication(statement))
        assert running.run("SELECT count() FROM activity_events") == [[1]]

    @pytest.mark.slow
    def test_dropped(self, running: ClusterEngine) -> None:
        """DROP takes both tables."""
        for statement in statements("DROP TABLE IF EXISTS activity_counters", ON_MAIN):
            running.run(without_replication(statement))
        assert (
            running.column(
                "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%counters%'"
                " AND engine != 'MaterializedView'"
            )
            == []
        )


@pytest.fixture(scope="module")
def pair(plain: ClusterEngine) -> ClusterEngine:
    """Two shards (which are one here, so rows come twice), with rows."""
    plain.run("DROP DATABASE IF EXISTS pair")
    plain.run("CREATE DATABASE pair ENGINE = Atomic")
    plain.run("USE pair")
    for sql in FILES:
        for statement in statements(sql, StoreSettings(cluster="pair")):
            plain.run(without_replication(statement, "pair"))
    plain.run(LANDED.format(settings=SYNC))
    return plain


class TestQuestions:
    """The named questions, asked of the Distributed tables."""

    @pytest.mark.parametrize("name", list(questions()))
    def test_asked_of_two_shards(self, pair: ClusterEngine, name: str) -> None:
        """
        Each is answered, with ``distributed_product_mode = 'global'`` as the analyst's profile has it.

        The engine refuses a subquery over a Distributed table within another one unless it is told how to run it.
        """
        asked = questions()[name]
        pair.run("USE pair")
        for parameter, value in asked.values({}).items():
            text = str(value).replace("\\", "\\\\").replace("'", "\\'")
            pair.run(f"SET param_{parameter} = '{text}'")
        pair.run("SET distributed_product_mode = 'global'")
        local = asked.sql
        for table in SHARDING_KEYS:
            local = re.sub(rf"\b{table}\b", local_table(table), local)
        assert bool(pair.run(asked.sql)) == bool(pair.run(local))


class TestShards:
    """The sharding keys, evaluated by the engine."""

    @pytest.mark.slow
    def test_token_goes_to_each_shard_unchanged(self, tmp_path: Path) -> None:
        """
        A batch is cut by the key, and each shard gets its piece under the batch's own token.

        Both shards of the cluster ``pair`` are this engine and so share one table: it takes the piece that comes
        first and knows the token when the second one comes. Shards with tables of their own take one each; shards
        that by mistake share a path in Keeper would lose rows like this.
        """
        with ClusterEngine(tmp_path) as engine:
            engine.run(
                "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS "
                "non_replicated_deduplication_window = 100"
            )
            engine.run("CREATE TABLE d AS t ENGINE = Distributed('pair', currentDatabase(), 't', a)")
            for _ in range(2):
                engine.run(
                    f"INSERT INTO d {SYNC}, insert_deduplication_token = 'batch-1' SELECT number FROM numbers(10)"
                )
                (kept,) = engine.run("SELECT arraySort(groupArray(a)) FROM t")[0]
                assert kept in ([0, 2, 4, 6, 8], [1, 3, 5, 7, 9])

    def test_a_shard_that_is_away(self, tmp_path: Path) -> None:
        """
        The insert fails, however often it is sent, and the shard that is there takes nothing.

        Without ``distributed_foreground_insert`` the same insert is a success, though half of its rows only wait.
        """
        with ClusterEngine(tmp_path) as engine:
            engine.run(
                "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS "
                "non_replicated_deduplication_window = 100"
            )
            engine.run("CREATE TABLE d AS t ENGINE = Distributed('half', currentDatabase(), 't', a)")
            insert = f"INSERT INTO d {SYNC}, insert_deduplication_token = 'batch-1' SELECT number FROM numbers(10)"
            for _ in range(3):
                with pytest.raises(EngineError, match="ALL_CONNECTION_TRIES_FAILED"):
                    engine.run(insert)
                assert engine.column("SELECT count() FROM t") == [0]
            engine.run("SYSTEM STOP DISTRIBUTED SENDS d")
            engine.run(insert.replace("distributed_foreground_insert = 1", "distributed_foreground_insert = 0"))
            assert engine.column("SELECT sum(data_files) FROM system.distribution_queue") == [1]

    @pytest.mark.slow
    @pytest.mark.parametrize("shards", [2, 3, 7, 60])
    def test_even_and_together(self, running: ClusterEngine, shards: int) -> None:
        """20,000 actors: each on one shard, and no shard off its share by more than five standard deviations."""
        rows = running.run(
            "WITH if(n % 2 = 0, 'user', 'service') AS ActorType, concat('u', toString(n)) AS ActorId, "
            "concat('t', toString(n % 5)) AS TenantId, toUUID('00000000-0000-0000-0000-000000000000') AS EventId, "
            "'' AS TraceId, '' AS SpanId, toDateTime64(m, 9) AS Timestamp "
            f"SELECT actors, count() FROM (SELECT n, any(s) AS shard, uniqExact(s) AS actors FROM "
            f"(SELECT n, m, {SHARDING_KEYS['activity_events']} % {shards} AS s FROM "
            "(SELECT number % 20000 AS n, intDiv(number, 20000) AS m FROM numbers(60000))) GROUP BY n) "
            "GROUP BY shard, actors"
        )
        assert len(rows) == shards
        share = 20_000 / shards
        for on_shards, actors in rows:
            assert on_shards == 1
            assert abs(actors - share) < 5 * share**0.5

    @pytest.mark.slow
    def test_rows_without_an_actor_are_spread(self, running: ClusterEngine) -> None:
        """By what differs: ids of events, or else their times and spans."""
        for row in (
            "generateUUIDv4() AS EventId, toDateTime64(0, 9) AS Timestamp",
            "toUUID('00000000-0000-0000-0000-000000000000') AS EventId, toDateTime64(number, 9) AS Timestamp",
        ):
            counts = running.column(
                f"WITH '' AS ActorId, 'acme' AS TenantId, '' AS ActorType, '' AS TraceId, '' AS SpanId, {row} "
                f"SELECT count() FROM numbers(9000) GROUP BY {SHARDING_KEYS['activity_events']} % 3"
            )
            assert len(counts) == 3
            assert all(abs(count - 3000) < 250 for count in counts)

    @pytest.mark.slow
    def test_both_ways_in_agree(self, running: ClusterEngine) -> None:
        """A row with an actor comes to the same shard from the landing table and from the direct exporter."""
        attributes = [
            "map('user.id', 'ann', 'activity.tenant.id', 'acme')",
            "map('activity.actor.type', 'service', 'activity.actor.id', 'cron')",
            "map('activity.actor.id', 'nobody')",
            "map('user.id', 'ann', 'activity.actor.type', 'service', 'activity.actor.id', 'cron')",
        ]
        for position, attribute in enumerate(attributes):
            running.run(
                "INSERT INTO activity_events_ingest (EventName, TraceId, LogAttributes) "
                f"{SYNC}, insert_deduplication_token = '{position}' "
                f"SELECT 'order.placed', '{position}', {attribute}"
            )
            (landed,) = running.column(
                f"WITH {attribute} AS LogAttributes, '' AS SpanId, '' AS TraceId, now64(9) AS Timestamp "
                f"SELECT {SHARDING_KEYS['activity_events_ingest']}"
            )
            typed = running.column(
                f"SELECT {SHARDING_KEYS['activity_events']} FROM activity_events WHERE TraceId = '{position}'"
            )
            assert typed == [landed]

    def test_no_key_is_random(self) -> None:
        """A batch that is sent again must be cut in the same way, or a token would stand for other rows."""
        for key in SHARDING_KEYS.values():
            assert not re.search(r"(?i)rand|now\(|generate|rowNumber", key)


@pytest.mark.slow
def test_distributed_refuses_a_row_policy(tmp_path: Path) -> None:
    """Why ``access/`` has its policies on local tables: on a Distributed one the engine refuses to read."""
    from tests.activitylog.store.cluster_engine import user

    reader = user("reader", ["GRANT SELECT ON default.d"], {"default.d": "a = 1"})
    with ClusterEngine(tmp_path, reader) as engine:
        engine.run("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        engine.run("CREATE TABLE d AS t ENGINE = Distributed('main', currentDatabase(), 't', a)")
        engine.run("CREATE VIEW v DEFINER = reader SQL SECURITY DEFINER AS SELECT a FROM d")
        with pytest.raises(EngineError, match="Define the policy on the underlying tables instead"):
            engine.run("SELECT * FROM v")


class _AsClient:
    """The engine as a client, as far as a repair of roll-ups asks one."""

    def __init__(self, engine: ClusterEngine) -> None:
        self._engine = engine

    def query(self, sql: str, *, parameters: Any = None, settings: Any = None, tz_mode: Any = None) -> Any:
        for name, value in (parameters or {}).items():
            self._engine.run(f"SET param_{name} = '{value}'")
        return SimpleNamespace(result_rows=_dated(self._engine.run(sql + _settings(settings))))

    command = query

    def insert(
        self, table: str, rows: list[list[Any]], *, column_names: list[str], settings: Any, **_: Any
    ) -> None:
        values = ", ".join(repr(tuple(row)) for row in json.loads(json.dumps(rows, default=str)))
        values = re.sub(r"\['(\w+)', '([\d-]+)', (\d+)\]", r"('\1', '\2', \3)", values)
        columns = ", ".join(column_names)
        self._engine.run(f"INSERT INTO {table} ({columns}){_settings(settings)} VALUES {values}")


def _settings(settings: Any) -> str:
    texts = [f"{name} = {value!r}" for name, value in (settings or {}).items()]
    return f" SETTINGS {', '.join(texts)}" if texts else ""


def _dated(value: Any) -> Any:
    if isinstance(value, list):
        return [_dated(one) for one in value]
    is_day = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)
    return dt.date.fromisoformat(value) if is_day else value


class TestFilling:
    """Roll-ups through Distributed tables."""

    @pytest.mark.slow
    def test_rows_that_a_view_missed(self, running: ClusterEngine) -> None:
        """They are inserted once, and what a killed repair has begun is finished, over all shards."""
        client: Any = _AsClient(running)
        running.run("DROP TABLE activity_events_hourly_mv")
        running.run(DIRECT.format(settings=SYNC))
        hold = claims.take(client, claims.ROLLUPS, claims.Patience())
        assert hold is not None
        day = dt.date(2026, 5, 1)
        with hold:
            hold.renew([claims.Begun("activity_events_actor_daily", day, 90)])
            running.run("INSERT INTO activity_events_actor_daily (Day, RowCount) VALUES ('2026-05-01', 7)")
        assert [str(one) for one in missing(client)] == [
            "activity_events_hourly counts 0 of 90 rows of 2026-05-01"
        ]
        assert backfill(client) == []
        assert running.run(TOTALS)[0][:3] == [90, 90, 90]
        assert claims.current(client, claims.ROLLUPS).begun == ()

    @pytest.mark.parametrize("cluster", ["main", "pair", "half"])
    def test_inserts_of_all_replicas(self, plain: ClusterEngine, cluster: str) -> None:
        """They are looked for on each one that answers."""
        plain.run("CREATE DATABASE IF NOT EXISTS other ENGINE = Atomic")
        plain.run("USE other")
        plain.run("CREATE OR REPLACE TABLE events_local (Timestamp DateTime) ENGINE = MergeTree ORDER BY ()")
        plain.run(
            "CREATE OR REPLACE TABLE activity_events AS events_local "
            f"ENGINE = Distributed('{cluster}', currentDatabase(), 'events_local')"
        )
        client: Any = _AsClient(plain)
        assert cluster_of(client) == cluster
        assert Inserts(client).under_way() == set()
