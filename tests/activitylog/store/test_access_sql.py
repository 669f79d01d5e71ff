"""
Who may do what: the SQL of ``access/``.

All of it goes through the engine's parser. Roles, profiles and quotas cannot be created here (chDB has no storage
for them), so grants and policies are taken out of the rendered statements and given to users of ``users.xml``;
what those users may do is asked of the real engine, by views with a user's rights (``cluster_engine.py``).
Profiles and quotas are only parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError
from activitylog.store import migrations
from activitylog.store.access_sql import Access, access_statements, quoted, quoted_string, show_access, tenant_role
from activitylog.store.cluster import local_table
from activitylog.store.definitions import definitions
from activitylog.store.rendering import statements
from activitylog.store_settings import StoreSettings
from tests.activitylog.store.cluster_engine import ClusterEngine, EngineError, user
from tests.activitylog.store.test_cluster import SYNC, without_replication

ACCESS = Access(database="activity", tenants=("acme", "globex"))
CLUSTERED = Access(database="activity", cluster="main", tenants=("acme", "globex"))
READ = ("activity_events", "activity_events_hourly", "activity_events_actor_daily", "activity_counters")


DIRECT = (
    f"INSERT INTO sources.activity_events {SYNC} VALUES "
    "('order.placed', 'acme', 'user', 'ann', '/a'), ('order.placed', 'globex', 'user', 'bob', '/b')"
)
LANDED = (
    f"INSERT INTO sources.activity_events_ingest {SYNC} VALUES "
    "('order.paid', {'activity.tenant.id': 'acme', 'user.id': 'ann'}), "
    "('order.paid', {'activity.tenant.id': 'globex', 'user.id': 'bob'}), "
    "('activity.counted', {'activity.tenant.id': 'acme', 'activity.counter.event': 'order.paid'}), "
    "('activity.counted', {'activity.tenant.id': 'globex', 'activity.counter.event': 'order.paid'})"
)

#: Views for readers.
VIEWS = [name for step in migrations() for name in re.findall(r"CREATE VIEW IF NOT EXISTS (\w+)", step.sql)]


def code(statement: str) -> str:
    """The statement without the comments before it, in one line."""
    return " ".join(line.strip() for line in statement.splitlines() if not line.startswith("--"))


def grants(access: Access, *names: str) -> list[str]:
    """The GRANT statements for these names, as ``users.xml`` takes them: without TO and without ON CLUSTER."""
    found = []
    for statement in map(code, access_statements(access)):
        granted = re.fullmatch(r"GRANT(?: ON CLUSTER `\w+`)? (.* ON .*) TO `(\w+)`", statement)
        if granted and granted[2] in names:
            found.append(f"GRANT {granted[1]}")
    return found


def filters(access: Access, *roles: str) -> dict[str, str]:
    """What the policies leave of each table for somebody with these roles: policies are alternatives."""
    found: dict[str, list[str]] = {}
    for statement in map(code, access_statements(access)):
        policy = re.search(r"ON `(\w+)`\.(\w+) FOR SELECT USING (.*) TO `(\w+)`$", statement)
        if policy and policy[4] in roles:
            found.setdefault(f"{policy[1]}.{policy[2]}", []).append(f"({policy[3]})")
    return {table: " OR ".join(conditions) for table, conditions in found.items()}


class TestText:
    """What is printed."""

    def test_views_of_the_chain_have_a_definer(self) -> None:
        """Each materialized view of the schema gets the account whose rights it uses."""
        views = [
            name
            for step in migrations()
            for name in re.findall(r"CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+)", step.sql)
        ]
        altered = re.findall(r"ALTER TABLE `activity`\.(\w+) MODIFY SQL SECURITY DEFINER", show_access(ACCESS))
        assert sorted(altered) == sorted(views)

    def test_every_table_with_a_tenant_has_its_policies(self) -> None:
        """A table that analysts read hides all rows from them, and shows each tenant's to its role."""
        with_tenant = [d.name for d in definitions() if any(column.name == "TenantId" for column in d.columns)]
        assert sorted(with_tenant) == sorted(READ)
        for access, table in ((ACCESS, str), (CLUSTERED, local_table)):
            for roles, condition in (
                ((access.analyst,), "(0)"),
                ((access.analyst, tenant_role("acme", access)), "(0) OR (TenantId = 'acme')"),
            ):
                assert filters(access, *roles) == {f"activity.{table(name)}": condition for name in READ}

    def test_analysts_cannot_write(self) -> None:
        """An analyst is granted SELECT: on tables and views of questions and on the record of steps."""
        assert grants(ACCESS, ACCESS.analyst) == [
            f"GRANT SELECT ON `activity`.{name}" for name in (*READ, "activity_schema_migrations", *VIEWS)
        ]

    def test_writers_read_ids_and_times_only(self) -> None:
        """A writer is granted INSERT on two tables; on a cluster on those of the shards, too."""
        assert grants(ACCESS, ACCESS.writer) == [
            "GRANT INSERT ON `activity`.activity_events",
            "GRANT INSERT ON `activity`.activity_events_ingest",
            "GRANT SELECT(EventId, Timestamp) ON `activity`.activity_events",
        ]
        assert grants(CLUSTERED, ACCESS.writer) == [
            "GRANT INSERT ON `activity`.activity_events",
            "GRANT INSERT ON `activity`.activity_events_local",
            "GRANT INSERT ON `activity`.activity_events_ingest",
            "GRANT INSERT ON `activity`.activity_events_ingest_local",
            "GRANT SELECT(EventId, Timestamp) ON `activity`.activity_events",
            "GRANT SELECT(EventId, Timestamp) ON `activity`.activity_events_local",
        ]

    @pytest.mark.parametrize("tenant", ["none", "others", "tenant_none", ""])
    def test_no_tenant_replaces_a_policy(self, tenant: str) -> None:
        """The name of a tenant never makes the name of a policy that holds for all."""
        if not tenant:
            with pytest.raises(ConfigurationError, match="1 to 200"):
                access_statements(Access(tenants=(tenant,)))
            return
        named = re.findall(r"OR REPLACE (`[^`]+`) ON (\S+)", show_access(Access(tenants=(tenant,))))
        assert len(named) == len(set(named)) == 12


@pytest.fixture(scope="module")
def parser(_chdb_engine: Any) -> Any:
    """A client of the run's engine, for many examples."""
    return _chdb_engine


class TestParsed:
    """By the engine's own parser."""

    @pytest.mark.parametrize("access", [ACCESS, CLUSTERED], ids=["server", "cluster"])
    def test_understood(self, access: Access, chdb_client: Any) -> None:
        """Each statement is one; on a cluster each is for all of it."""
        for statement in access_statements(access):
            printed = chdb_client.query("SELECT formatQuerySingleLine({q:String})", parameters={"q": statement})
            assert ("ON CLUSTER main" in printed.result_rows[0][0]) == (access is CLUSTERED)
            assert chdb_client.query(f"EXPLAIN AST {statement}").result_rows

    def test_the_page_is_sql(self, parser: Any) -> None:
        """What ACCESS.md tells to type is understood."""
        page = files("activitylog.store").joinpath("ACCESS.md").read_text(encoding="utf-8")
        blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
        typed = [statement for block in blocks for statement in re.split(r";\s*", block) if statement]
        assert len(typed) == 6
        for statement in typed:
            assert parser.query(
                "SELECT formatQuerySingleLine({q:String})", parameters={"q": statement}
            ).result_rows

    @settings(deadline=None)
    @given(name=st.text(min_size=1, max_size=200))
    def test_names_and_strings(self, name: str, parser: Any) -> None:
        """Any text comes back from the parser as it is, and is written in printing characters."""
        assert quoted(name).isprintable()
        answer = parser.query(f"SELECT {quoted_string(name)} AS {quoted(name)}")
        assert (answer.column_names, answer.result_rows) == ((name,), [(name,)])

    @settings(deadline=None)
    @given(name=st.text("`'\"\\;-/*\n\0${}\u202eé", min_size=1, max_size=12))
    def test_hostile_names_change_no_statement(self, name: str, parser: Any) -> None:
        """Whatever the names are, the same statements are made, each with these names and nothing else."""
        hostile = Access(database=name, tenants=(name,), writer=name, migrator=name, analyst=name, views=name)
        plain = Access(database="x", tenants=("x",), writer="x", migrator="x", analyst="x", views="x")
        ours, theirs = (
            parser.query(
                "SELECT formatQuerySingleLine(arrayJoin({q:Array(String)}))",
                parameters={"q": access_statements(a)},
            ).result_columns[0]
            for a in (plain, hostile)
        )
        pattern = re.compile(r"`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|\bx(?:_\w+)?\b")
        assert [pattern.sub("?", text) for text in theirs] == [pattern.sub("?", text) for text in ours]

    @pytest.mark.parametrize("name", ["", "x" * 201, "\ud800"])
    def test_refused(self, name: str) -> None:
        """Nothing, too much, and half a character are no names."""
        with pytest.raises(ConfigurationError):
            access_statements(Access(analyst=name))


def users(access: Access) -> str:
    """The people of these tests: a writer, a tenant's analyst, an analyst of none, and the views' account."""
    reads = grants(access, access.analyst)
    acme = tenant_role("acme", access)
    plus = ["GRANT SELECT ON activity.shown", "GRANT SELECT ON activity.shown_by_definer"]
    return "".join(
        (
            user("activity_views", grants(access, access.views)),
            user("writer", [*grants(access, access.writer), "GRANT SELECT ON sources.*"]),
            user("ann", [*reads, *plus], filters(access, access.analyst, acme)),
            user("nobody", [*reads, *plus], filters(access, access.analyst)),
        )
    )


def make(engine: ClusterEngine, access: Access) -> None:
    """Tables and views as `schema apply` makes them, and a way to insert as the writer."""
    engine.run("CREATE DATABASE sources ENGINE = Atomic")
    engine.run("CREATE DATABASE activity ENGINE = Atomic")
    engine.run("USE activity")
    for step in migrations():
        for statement in statements(step.sql, StoreSettings(cluster=access.cluster)):
            engine.run(without_replication(statement) if access.cluster else statement)
    engine.run("CREATE TABLE activity_schema_migrations (number UInt32) ENGINE = MergeTree ORDER BY number")
    for table in ("activity_events", "activity_events_ingest"):
        as_user(engine, "writer", table)


@pytest.fixture(scope="module", params=[ACCESS, CLUSTERED], ids=["server", "cluster"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterEngine]:
    """Two tenants' rows, written by the writer by both ways in, on one server or through Distributed tables."""
    access: Access = request.param
    with ClusterEngine(tmp_path_factory.mktemp("access"), users(access)) as engine:
        make(engine, access)
        for statement in map(code, access_statements(access)):
            if statement.startswith("ALTER TABLE"):
                engine.run(statement.replace(" ON CLUSTER `main`", ""))
        engine.run(DIRECT)
        engine.run(LANDED)
        yield engine


def as_user(engine: ClusterEngine, name: str, table: str) -> None:
    """A table ``sources.<table>``: what is inserted there, this user inserts into ``activity.<table>``."""
    columns = {
        "activity_events": "EventName String, TenantId String, ActorType String, ActorId String, UrlPath String",
        "activity_events_ingest": "EventName String, LogAttributes Map(LowCardinality(String), String)",
    }[table]
    engine.run(f"CREATE TABLE sources.{table} ({columns}) ENGINE = Null")
    engine.run(
        f"CREATE MATERIALIZED VIEW sources.{table}_mv TO activity.{table} DEFINER = {name} SQL SECURITY DEFINER "
        f"AS SELECT * FROM sources.{table}"
    )


def asked(engine: ClusterEngine, name: str, question: str) -> list[list[Any]]:
    """The answer that this user gets."""
    engine.run(f"CREATE OR REPLACE VIEW sources.question DEFINER = {name} SQL SECURITY DEFINER AS {question}")
    return engine.run("SELECT * FROM sources.question")


@pytest.mark.slow
@pytest.mark.parametrize("access", [ACCESS, CLUSTERED], ids=["server", "cluster"])
def test_without_a_definer_a_writer_is_refused(access: Access, tmp_path: Path) -> None:
    """Why views.sql is there: without it the views read what comes in with the writer's rights."""
    with ClusterEngine(tmp_path, users(access)) as engine:
        make(engine, access)
        for insert in (DIRECT, LANDED):
            with pytest.raises(EngineError, match=r"writer: Not enough privileges.*grant SELECT"):
                engine.run(insert)


class TestRights:
    """Asked of the engine."""

    @pytest.mark.slow
    def test_a_writer_inserts(self, store: ClusterEngine) -> None:
        """INSERT alone is enough, and every table behind it is filled."""
        assert [
            store.run(f"SELECT {count} FROM activity.{table}")[0][0]
            for table, count in zip(READ, ("count()", "sum(RowCount)", "sum(RowCount)", "count()"), strict=True)
        ] == [4, 4, 4, 2]

    def test_a_later_step_keeps_the_definer(self, store: ClusterEngine, request: pytest.FixtureRequest) -> None:
        """MODIFY QUERY of a view leaves the account whose rights it uses."""
        access = CLUSTERED if "cluster" in request.node.callspec.id else ACCESS
        for step in migrations():
            for statement in statements(step.sql, StoreSettings(cluster=access.cluster)):
                if "MODIFY QUERY" in statement:
                    store.run(without_replication(statement) if access.cluster else statement)
        made = store.column(
            "SELECT create_table_query FROM system.tables "
            "WHERE database = 'activity' AND engine = 'MaterializedView'"
        )
        assert len(made) >= 4
        assert all("DEFINER = activity_views SQL SECURITY DEFINER" in query for query in made)

    def test_a_writer_reads_ids_and_times_only(self, store: ClusterEngine) -> None:
        """By which it finds out whether a batch has arrived; no other column, and no other table."""
        assert (
            asked(store, "writer", "SELECT uniqExact(EventId), count(Timestamp) FROM activity.activity_events")
            != []
        )
        with pytest.raises(EngineError, match="ACCESS_DENIED"):
            asked(store, "writer", "SELECT ActorId FROM activity.activity_events")
        for table in {*READ, "activity_events_ingest", "activity_schema_migrations"} - {"activity_events"}:
            with pytest.raises(EngineError, match="ACCESS_DENIED"):
                asked(store, "writer", f"SELECT count() FROM activity.{table}")

    @pytest.mark.parametrize("table", READ)
    def test_an_analyst_sees_the_tenant(self, store: ClusterEngine, table: str) -> None:
        """Only its rows, in every table, by the plain name, whatever is asked; the default user sees both."""
        question = f"SELECT DISTINCT TenantId FROM activity.{table} ORDER BY TenantId"
        assert store.run(question) == [["acme"], ["globex"]]
        assert asked(store, "ann", question) == [["acme"]]
        assert asked(store, "ann", f"SELECT count() FROM activity.{table} WHERE TenantId = 'globex'") == [[0]]
        assert (
            asked(store, "ann", f"SELECT count() FROM activity.{table} PREWHERE throwIf(TenantId = 'globex') = 0")[
                0
            ]
            == asked(store, "ann", f"SELECT count() FROM activity.{table}")[0]
        )

    @pytest.mark.parametrize("view", VIEWS)
    def test_an_analyst_sees_the_tenant_in_views(self, store: ClusterEngine, view: str) -> None:
        """The pack's views hide what the tables hide."""
        question = f"SELECT DISTINCT TenantId FROM activity.{view} ORDER BY TenantId"
        assert asked(store, "ann", question) in ([["acme"]], [])
        assert bool(asked(store, "ann", question)) == bool(store.run(question))
        assert asked(store, "nobody", question) == []

    @pytest.mark.parametrize("table", READ)
    def test_an_analyst_without_a_tenant_sees_nothing(self, store: ClusterEngine, table: str) -> None:
        """The role alone shows no row."""
        assert asked(store, "nobody", f"SELECT count() FROM activity.{table}") == [[0]]

    def test_by_the_otel_names(self, store: ClusterEngine) -> None:
        """ALIAS columns come with the table, and hold no other row."""
        answer = asked(store, "ann", "SELECT DISTINCT LogAttributes['user.id'] FROM activity.activity_events")
        assert answer == [["ann"]]

    @pytest.mark.parametrize(
        "question",
        [
            "SELECT * FROM url('http://localhost:1/', 'CSV', 'a String')",
            "SELECT * FROM file('x.csv', 'CSV', 'a String')",
            "SELECT * FROM s3('http://localhost:1/bucket/key', 'CSV', 'a String')",
            "SELECT * FROM remote('localhost', activity.activity_events)",
            "SELECT * FROM cluster('main', activity.activity_events)",
            "SELECT * FROM activity.activity_events_ingest",
        ],
        ids=["url", "file", "s3", "remote", "cluster", "landing table"],
    )
    def test_not_granted(self, store: ClusterEngine, question: str) -> None:
        """No way around the policies, and none out of the server."""
        with pytest.raises(EngineError, match="ACCESS_DENIED"):
            asked(store, "ann", question)

    def test_a_view_shows_what_its_reader_may_see(self, store: ClusterEngine) -> None:
        """A plain view and an INVOKER one hide what the policies hide; a definer's view does not."""
        for clause, seen in (
            ("", [["acme"]]),
            ("SQL SECURITY INVOKER", [["acme"]]),
            ("DEFINER = default SQL SECURITY DEFINER", [["acme"], ["globex"]]),
        ):
            store.run(
                f"CREATE OR REPLACE VIEW activity.shown {clause} AS SELECT DISTINCT TenantId FROM "
                "activity.activity_events ORDER BY TenantId"
            )
            assert asked(store, "ann", "SELECT * FROM activity.shown") == seen


@pytest.mark.slow
def test_an_alias_shows_what_it_is_made_of(tmp_path: Path) -> None:
    """Rights on an ALIAS column are enough to read it: hide a column, and hide its aliases."""
    reader = user("reader", ["GRANT SELECT(shown) ON default.t"])
    with ClusterEngine(tmp_path, reader) as engine:
        engine.run(
            "CREATE TABLE t (hidden String, shown String ALIAS upper(hidden)) ENGINE = MergeTree ORDER BY ()"
        )
        engine.run("INSERT INTO t VALUES ('secret')")
        assert asked_in_default(engine, "SELECT shown FROM t") == [["SECRET"]]
        with pytest.raises(EngineError, match="ACCESS_DENIED"):
            asked_in_default(engine, "SELECT hidden FROM t")


def asked_in_default(engine: ClusterEngine, question: str) -> list[list[Any]]:
    """As :func:`asked`, by ``reader``."""
    engine.run(f"CREATE OR REPLACE VIEW v DEFINER = reader SQL SECURITY DEFINER AS {question}")
    return engine.run("SELECT * FROM v")
