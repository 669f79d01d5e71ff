"""What goes and what stays when a subject is erased."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError, SchemaError, StoreError
from activitylog.store import EVENTS_TABLE, connect
from activitylog.store.servers import Server
from activitylog.store.subjects.erase import ERASING_TABLE, deletion, erase
from activitylog.store.subjects.mentions import Mention, erased_rows
from activitylog.store.subjects.mutations import rewrite
from activitylog.store.subjects.plan import Found, plan
from activitylog.store.subjects.proof import prove
from activitylog.store.subjects.record import ERASURES_TABLE, erasures
from activitylog.store.subjects.subject import COUNTERS_TABLE, Subject, subject
from tests.activitylog.store.subjects.erasing import (
    DAILY,
    HOURLY,
    daily,
    daily_from_events,
    event,
    hourly,
    hourly_from_events,
    insert,
    naming,
    stored,
)

pytestmark = pytest.mark.slow

ANN = subject(actor="user:ann")
#: Ids that are pieces of each other, that differ in case, that SQL and patterns could trip over.
IDS = ["4", "42", "a", "A", "o'x", 'q"\\', "new\nline", "größe", "%", "_", "{a:String}", "a.b", "axb", "-a", "\\N"]


@pytest.fixture
def store(migrated_client: Any) -> Any:
    return migrated_client


@pytest.fixture
def server_client(store: Any, server_url: str) -> Iterator[Any]:
    """The same database across a server."""
    client = connect(f"{server_url.rpartition('/')[0]}/{store.database}")
    yield client
    client.close()


class TestErase:
    """``erase``: the rows of one subject, and no others."""

    def test_an_actor(self, store: Any) -> None:
        """All rows of the actor go, in every month and tenant; those of ids that only look like it stay."""
        hers = [event("2026-01-05 10:00:00", "user:ann"), event("2026-03-05 10:00:00", "user:ann", TenantId="t")]
        others = [
            event("2026-01-05 10:00:01", "user:anna"),
            event("2026-01-05 10:00:02", "user:Ann"),
            event("2026-01-05 10:00:03", "bot:ann"),
            event("2026-01-05 10:00:04", ":ann"),
        ]
        insert(store, others)
        expected, counted = stored(store), hourly(store)
        insert(store, hers)
        record = erase(store, ANN, reason="request 7")
        assert record is not None
        assert (record.state, record.kind, dict(record.table_rows)) == (
            "finished",
            "actor",
            {EVENTS_TABLE: 2, DAILY: 2},
        )
        assert stored(store) == expected
        assert daily(store) == daily_from_events(store)
        assert [sum(row[3] for row in rows) for rows in (counted, hourly(store))] == [4, 6]

    def test_within_a_tenant(self, store: Any) -> None:
        """Only what is in that tenant; the empty tenant is one, too."""
        insert(store, [event("2026-01-05 10:00:00", "user:ann", TenantId=tenant) for tenant in ("", "t", "u")])
        expected = stored(store, where="TenantId != ''")
        erase(store, subject(actor="user:ann", tenant=""))
        assert stored(store) == expected
        assert daily(store) == daily_from_events(store)

    def test_a_tenant(self, store: Any) -> None:
        """Events, both roll-ups and the counters of the tenant; nothing of another one."""
        insert(store, [event("2026-01-05 10:00:00", "user:ann", TenantId=tenant) for tenant in ("", "t", "T")])
        for tenant in ("t", "T"):
            store.command(
                f"INSERT INTO {COUNTERS_TABLE} (Minute, TenantId, EventCount) VALUES (now(), '{tenant}', 3)"
            )
        record = erase(store, subject(tenant="t"))
        assert record is not None
        assert dict(record.table_rows) == {EVENTS_TABLE: 1, DAILY: 1, HOURLY: 1, COUNTERS_TABLE: 1}
        assert daily(store) == daily_from_events(store)
        assert hourly(store) == hourly_from_events(store)
        assert store.query(f"SELECT TenantId FROM {COUNTERS_TABLE}").result_rows == [("T",)]

    def test_an_object(self, store: Any) -> None:
        """Events about it go; roll-ups hold no objects and stay."""
        insert(store, [event("2026-01-05 10:00:00", "user:ann", f"order:{n}") for n in ("1", "11")])
        before = daily(store), hourly(store)
        erase(store, subject(object_="order:1"))
        assert store.query(f"SELECT ObjectId FROM {EVENTS_TABLE}").result_rows == [("11",)]
        assert (daily(store), hourly(store)) == before

    def test_no_column_and_no_alias_names_it(self, store: Any) -> None:
        """Afterwards the id stands nowhere in the database: not in a record, not in a mutation's text."""
        insert(store, [event("2026-01-05 10:00:00", "user:ann-unique", "thing:1", BodyTemplate="\x01 did \x02")])
        erase(store, subject(actor="user:ann-unique"))
        assert naming(store, "ann-unique") == []
        commands = store.query(
            "SELECT command FROM system.mutations WHERE database = currentDatabase()"
        ).result_rows
        assert [command for (command,) in commands if "ann-unique" in command] == []
        assert store.query(f"SELECT count() FROM {ERASING_TABLE}").result_rows == [(0,)]

    def test_rows_that_a_lightweight_delete_has_marked(self, store: Any) -> None:
        """No question sees them, nor does a mutation, but they are on disk: they go, too."""
        insert(
            store, [event(f"2026-01-05 10:00:0{n}", f"user:{name}") for n, name in enumerate(["ann", "ann", "bo"])]
        )
        store.command(f"DELETE FROM {EVENTS_TABLE} WHERE ActorId = 'ann'")
        assert plan(store, ANN).found[0] == Found(
            EVENTS_TABLE, "202601", 2, 2, "2026-01-05 10:00:00.000000000", "2026-01-05 10:00:01.000000000"
        )
        erase(store, ANN)
        assert b"ann" not in stored(store)
        assert b"bo" in stored(store)

    @pytest.mark.slow
    def test_marked_rows_of_many_partitions(self, store: Any) -> None:
        """One statement for all of them."""
        insert(
            store,
            [event(f"2026-{n:02d}-05 10:00:00", f"user:{who}") for n in range(1, 13) for who in ("ann", "bo")],
        )
        store.command(f"DELETE FROM {EVENTS_TABLE} WHERE ActorId = 'ann'")
        erase(store, ANN)
        assert b"ann" not in stored(store)
        applied = (
            "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND command LIKE '%MASK%'"
        )
        assert store.query(applied).result_rows == [(1,)]

    def test_old_parts_are_removed_from_disk(self, store: Any) -> None:
        """The embedded engine would keep them until it has other work."""
        insert(
            store,
            [
                event(f"2026-{month:02d}-05 10:00:00", name)
                for month in range(1, 9)
                for name in ("user:ann", "a:b")
            ],
        )
        erase(store, ANN)
        parts = "SELECT count() FROM system.parts WHERE database = currentDatabase() AND NOT active AND rows > 0"
        assert store.query(f"{parts} AND table IN ('{EVENTS_TABLE}', '{DAILY}')").result_rows == [(0,)]

    def test_nothing_to_erase_leaves_no_record(self, store: Any) -> None:
        """An erasure of nobody is none."""
        insert(store, [event("2026-01-05 10:00:00", "user:bo")])
        assert erase(store, ANN) is None
        assert erasures(store) == []

    def test_rows_that_arrive_later(self, store: Any) -> None:
        """Run again, it finds them, and there are two records."""
        for second in (1, 2):
            insert(store, [event(f"2026-01-05 10:00:0{second}", "user:ann")])
            erase(store, ANN)
        assert stored(store) == b""
        assert [record.table_rows[EVENTS_TABLE] for record in erasures(store)] == [1, 1]

    def test_a_reason_that_names_the_subject_is_refused(self, store: Any) -> None:
        """The record must not say whose it was, and nothing is erased."""
        insert(store, [event("2026-01-05 10:00:00", "user:ann")])
        with pytest.raises(ConfigurationError, match="names the subject"):
            erase(store, ANN, reason="asked by Ann")
        assert stored(store) != b""

    def test_an_older_schema_is_refused(self, chdb_client: Any) -> None:
        """Without the table of the record nothing is erased."""
        with pytest.raises(SchemaError, match="lacks the schema step"):
            erase(chdb_client, ANN)

    def test_partitions_between_table_and_archive(self, store: Any) -> None:
        """They would bring the person back."""
        store.command(f"CREATE TABLE activity_events_archiving AS {EVENTS_TABLE}")
        assert erase(store, ANN) is None
        store.command("INSERT INTO activity_events_archiving (Timestamp, EventName) VALUES (now(), 'a.b')")
        with pytest.raises(StoreError, match="on their way"):
            erase(store, ANN)

    @pytest.mark.parametrize("written_out", [False, True])
    def test_both_forms_of_the_statement(self, store: Any, written_out: bool) -> None:
        """With the subject in memory, or written out where nobody can reach the replicas' memory."""
        odd = Subject(kind="actor", type="user", id="o'x\\\n")
        insert(store, [event("2026-01-05 10:00:00", f"user:{name}") for name in (odd.id, "bo")])
        run = uuid.UUID(int=7)
        store.insert(
            ERASING_TABLE,
            [[run, name, value] for name, value in odd.parameters.items()],
            column_names=("Run", "Name", "Value"),
        )
        command, parameters = deletion(erased_rows(odd, "text", []), odd, run, written_out=written_out)
        rewrite([Server(store)], EVENTS_TABLE, command, parameters, mark=str(run))
        assert store.query(f"SELECT ActorId FROM {EVENTS_TABLE}").result_rows == [("bo",)]

    def test_over_http(self, store: Any, server_client: Any) -> None:
        """The same across a server, ids with quotes and line ends included."""
        odd = "o'x\n\"\\ \t{a:String}"
        insert(store, [event("2026-01-05 10:00:00", f"user:{name}") for name in (odd, "o'x", "bo")])
        expected = stored(store, where="ActorId IN ('o\\'x', 'bo')")
        assert erase(server_client, Subject(kind="actor", type="user", id=odd)) is not None
        assert stored(store) == expected


class TestMentions:
    """Rows of others that name the subject."""

    EVENTS = (
        event("2026-01-05 10:00:00", "user:bo", "user:ann"),
        event("2026-01-05 10:00:01", "user:bo", "doc:1", "user:ann"),
        event("2026-01-05 10:00:02", "bot:x", Attributes={"activity.actor.on_behalf_of": "user:ann"}),
        event("2026-01-05 10:00:03", "bot:x", Attributes={"activity.actor.on_behalf_of": "ann"}),
        event("2026-01-05 10:00:04", "user:bo", "user:", Attributes={"activity.object.ids": '["x","ann"]'}),
        event("2026-01-05 10:00:05", "user:bo", Attributes={"activity.object.ids": '["doc:1","user:ann"]'}),
        event("2026-01-05 10:00:06", "user:bo", BodyTemplate="asked ann."),
        event("2026-01-05 10:00:07", "user:bo", Attributes={"by": "user:ann", "x": "1"}),
        event("2026-01-05 10:00:08", "user:bo", "page:/people/ann"),
        event("2026-01-05 10:00:09", "", SessionId="s"),
    )
    STAYING = (
        event("2026-01-05 11:00:00", "user:bo", "doc:ann"),
        event("2026-01-05 11:00:01", "user:bo", "doc:", Attributes={"activity.object.ids": '["ann"]'}),
        event("2026-01-05 11:00:02", "user:bo", BodyTemplate="joanna planned ann-a"),
    )

    def test_are_listed(self, store: Any) -> None:
        """Place by place, and they stay unless it is said otherwise."""
        insert(store, [*self.EVENTS, *self.STAYING, event("2026-01-05 12:00:00", "user:ann", SessionId="s")])
        assert plan(store, ANN).mentions == (
            Mention("exact", "object", 1),
            Mention("exact", "target", 1),
            Mention("exact", "on_behalf_of", 2),
            Mention("exact", "objects", 2),
            Mention("text", "ObjectId", 1),
            Mention("text", "BodyTemplate", 1),
            Mention("text", "Attributes.by", 1),
            Mention("neighbour", "session", 1),
        )

    @pytest.mark.parametrize(("mode", "gone"), [("keep", 0), ("erase", 6), ("text", 9)])
    def test_go_as_the_mode_says(self, store: Any, mode: Any, gone: int) -> None:
        """Kept, those that name it exactly, or those with its id in a text as well."""
        insert(store, [*self.EVENTS[gone:], *self.STAYING])
        expected = stored(store)
        insert(store, [*self.EVENTS[:gone], event("2026-01-05 12:00:00", "user:ann")])
        planned = plan(store, ANN, mode=mode)
        erase(store, ANN, mode=mode)
        assert stored(store) == expected
        assert planned.table_rows[EVENTS_TABLE] == gone + 1

    def test_other_types_of_the_same_id(self, store: Any) -> None:
        """Another actor, or a slip of the pen: it is said."""
        insert(store, [event("2026-01-05 10:00:00", name) for name in ("user:ann", "admin:ann", "admin:ann")])
        assert plan(store, ANN).types == (("admin", 2),)

    def test_of_a_promoted_column(self, store: Any) -> None:
        """Columns of the application's own are looked at like any other."""
        store.command(f"ALTER TABLE {EVENTS_TABLE} ADD COLUMN InvitedBy String")
        insert(store, [event("2026-01-05 10:00:00", "user:bo", InvitedBy="ann")])
        assert plan(store, ANN).mentions == (Mention("text", "InvitedBy", 1),)


class TestProof:
    """``prove``: what is left, and what is only named."""

    def test_before_and_after(self, store: Any) -> None:
        """Rows are left, then they are not."""
        insert(store, [event("2026-01-05 10:00:00", "user:ann")])
        before = prove(store, ANN)
        assert (before.gone, dict(before.rows)) == (False, {EVENTS_TABLE: 1, DAILY: 1})
        erase(store, ANN)
        after = prove(store, ANN)
        assert (after.gone, after.complete, dict(after.rows)) == (True, True, {EVENTS_TABLE: 0, DAILY: 0})

    def test_mutations_of_others_that_name_it(self, store: Any) -> None:
        """Somebody deleted by hand: the statement is kept, and names the person."""
        odd = Subject(kind="actor", type="user", id="o'x")
        insert(store, [event("2026-01-05 10:00:00", "user:o'x")])
        store.command(f"ALTER TABLE {EVENTS_TABLE} DELETE WHERE ActorId = 'o\\'x' SETTINGS mutations_sync = 2")
        erase(store, odd)
        found = prove(store, odd)
        assert (found.gone, found.complete, len(found.mutations)) == (True, False, 1)

    def test_files_of_a_store(self, store: Any, tmp_path: Any) -> None:
        """Plain files that name it are listed; column data are asked by queries."""
        (tmp_path / "mutation_1.txt").write_bytes(b"WHERE ActorId = 'ann-x'")
        (tmp_path / "data.bin").write_bytes(b"ann-x")
        assert prove(store, subject(actor="user:ann-x"), folder=tmp_path).files == ("mutation_1.txt",)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], Subject]:
    """Some events, and somebody or something that is in them, perhaps."""
    actors = [f"{type_}:{id_}" for type_ in ("user", "bot", "") for id_ in [*IDS, ""]]
    things = [f"{type_}:{id_}" for type_ in ("doc", "") for id_ in [*IDS, ""]]
    events = draw(
        st.lists(
            st.builds(
                event,
                st.sampled_from(["2026-01-31 23:59:59.999999999", "2026-02-01 00:00:00", "2026-02-01 10:00:00"]),
                st.sampled_from(actors),
                st.sampled_from(things),
                TenantId=st.sampled_from(["", "t", "T"]),
                EventCount=st.integers(1, 3),
                BodyTemplate=st.sampled_from(["", "\x01 did \x02", "a 42"]),
            ),
            min_size=1,
            max_size=40,
        )
    )
    some = draw(st.sampled_from(events))
    kinds: list[Callable[[], Subject]] = [
        lambda: Subject(kind="actor", type=some["ActorType"], id=some["ActorId"] or "4"),
        lambda: Subject(kind="actor", type="user", id=draw(st.sampled_from(IDS)), tenant=some["TenantId"]),
        lambda: Subject(kind="object", type=some["ObjectType"], id=some["ObjectId"] or "4"),
        lambda: Subject(kind="tenant", id=some["TenantId"] or "t"),
    ]
    return events, draw(st.sampled_from(kinds))()


def is_own(row: dict[str, Any], whom: Subject) -> bool:
    """The same rule, in other words."""
    if whom.kind == "tenant":
        return bool(row["TenantId"] == whom.id)
    prefix = whom.kind.capitalize()
    within = whom.tenant is None or whom.tenant == row["TenantId"]
    return within and (row[f"{prefix}Type"], row[f"{prefix}Id"]) == (whom.type, whom.id)


@pytest.mark.slow
class TestAnyHistory:
    """Any events, any subject."""

    @given(history=histories())
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_exactly_the_other_rows_remain(
        self, store: Any, history: tuple[list[dict[str, Any]], Subject]
    ) -> None:
        """Byte for byte; and the roll-ups are those of what remains, where they can tell."""
        events, whom = history
        for table in (EVENTS_TABLE, DAILY, HOURLY, ERASURES_TABLE):
            store.command(f"TRUNCATE TABLE {table}")
        remaining = [row for row in events if not is_own(row, whom)]
        if remaining:
            insert(store, remaining)
        expected = stored(store)
        if len(remaining) < len(events):
            insert(store, [row for row in events if is_own(row, whom)])
        counted = hourly(store), daily(store)
        record = erase(store, whom)
        assert stored(store) == expected
        assert (record.table_rows[EVENTS_TABLE] if record else 0) == len(events) - len(remaining)
        assert daily(store) == (counted[1] if whom.kind == "object" else daily_from_events(store))
        assert hourly(store) == (hourly_from_events(store) if whom.kind == "tenant" else counted[0])
        assert prove(store, whom).gone
