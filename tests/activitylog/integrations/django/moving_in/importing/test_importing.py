"""The import of one table, into a real store."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType

from activitylog.integrations.django.moving_in import LegacyMapping
from activitylog.queries import verify
from tests.activitylog.integrations.django.moving_in.importing.conftest import NOON, Ran, Store, make_rows
from tests.activitylog.integrations.django.moving_in.models import NumberedRow, PlainRow, UUIDRow
from tests.activitylog.integrations.django.project.models import Message

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
Run = Callable[..., Ran]
MAPPINGS = "tests.activitylog.integrations.django.moving_in.importing.test_importing"


def leave_out(event: dict[str, Any], row: Any) -> dict[str, Any] | None:
    """An ``adjust`` that leaves logins out, and fails for one user."""
    if row["user_id"] == 3:
        raise KeyError("no such user")
    return None if row["action"] == "LOGIN" else event


LEAVING_OUT = LegacyMapping(adjust=leave_out)
RENAMING = LegacyMapping(names={"LOGIN": "session.begun"}, constants={"imported": True})
NOT_A_MAPPING = "text"


def drop_logins(_logger: Any, _method: str, event_dict: Any) -> Any:
    """A processor of the project's own."""
    from structlog import DropEvent

    if event_dict["event"] == "user.logged_in":
        raise DropEvent
    return {**event_dict, "processed": True}


def refused_rows(ran: Ran) -> list[dict[str, Any]]:
    """What stands in the file of refused rows."""
    return [json.loads(line) for line in Path(ran.said["refused_file"]).read_text().splitlines()]


class TestImport:
    """Rows become events."""

    def test_each_row_once_with_its_own_time(self, run: Run, store: Store) -> None:
        """And all that it says."""
        ada = User.objects.create(username="ada")
        message = ContentType.objects.get_for_model(Message)
        PlainRow.objects.create(
            user=ada, action="message_sent", description="hello", content_type=message, object_id="9",
            ip_address="192.0.2.1", user_agent="curl", metadata={"channel": "general", "password": "secret"},
            score=3, created_at=NOON.replace(microsecond=123_456),
        )  # fmt: skip
        ran = run()
        assert (ran.code, ran.said["read"], ran.said["stored"], ran.said["balanced"]) == (0, 1, 1, True)
        assert ran.said["reconciled"]["equal"]
        key = PlainRow.objects.get().pk
        ((time, name, actor, thing, body, address, agent, service, attributes),) = store.ask(
            "SELECT toString(Timestamp), EventName, concat(ActorType, ':', ActorId), "
            "concat(ObjectType, ':', ObjectId), Body, ClientAddress, UserAgent, ServiceName, Attributes "
            "FROM activity_events"
        )
        assert (time, name, actor, thing) == (
            "2026-05-01 12:00:00.123456000", "message.sent", f"user:{ada.pk}", "chat.message:9"
        )  # fmt: skip
        assert (body, address, agent, service) == ("hello", "192.0.2.1", "curl", "chat")
        assert attributes == {
            "channel": "general", "password": "[redacted]", "score": "3", "activity.redacted": '["password:key"]',
            "legacy.model": "chat.plainrow", "legacy.pk": str(key), "legacy.action": "message_sent",
        }  # fmt: skip

    def test_chunks_are_complete_by_their_numbers(self, run: Run, store: Store) -> None:
        """``activitylog verify`` sees each as it sees a process."""
        make_rows(25)
        assert run().said["reconciled"]["stored"] == 25
        found = verify(store.client)
        assert found.complete
        assert sorted(producer.rows for producer in found.producers) == [5, 10, 10]
        assert (found.unnumbered, found.repeated_ids) == (0, 0)

    def test_rules_are_not_asked(self, run: Run, store: Store, settings: Any) -> None:
        """History is not sampled; processors are asked, and settings."""
        settings.ACTIVITYLOG = {
            **settings.ACTIVITYLOG,
            "rules": [{"match": "*", "drop": True}],
            "processors": [f"{MAPPINGS}.drop_logins"],
        }
        make_rows(9)
        ran = run()
        assert (ran.code, ran.said["stored"], ran.said["left_out"], ran.said["balanced"]) == (0, 6, 3, True)
        assert store.ask("SELECT DISTINCT Attributes['processed'] FROM activity_events") == [("true",)]
        assert ran.said["reconciled"]["actions"]["LOGIN"] == [3, 3, 0]

    def test_a_mapping_by_its_path(self, run: Run, store: Store) -> None:
        """Names and constants of the team's."""
        make_rows(3)
        assert run(mapping=f"{MAPPINGS}.RENAMING").code == 0
        assert store.ask("SELECT EventName, Attributes['imported'] FROM activity_events ORDER BY EventName") == [
            ("message.sent", "true"), ("session.begun", "true"), ("user.activated", "true"),
        ]  # fmt: skip

    def test_numbers_of_actions_and_times_without_rows(self, run: Run, store: Store) -> None:
        """A table of another shape."""
        NumberedRow.objects.create(event_type=NumberedRow.Kind.SUSPENDED, timestamp=NOON, status="failed")
        ran = run(model="chat.NumberedRow")
        assert (ran.code, ran.said["reconciled"]["actions"]) == (0, {"Suspend user": [1, 0, 1]})
        assert store.ask("SELECT EventName, Outcome FROM activity_events") == [("user.suspended", "failure")]

    def test_keys_that_are_no_numbers(self, run: Run, store: Store) -> None:
        """Also when it is run again."""
        UUIDRow.objects.bulk_create(UUIDRow(action="LOGIN", created_at=NOON) for _ in range(35))
        assert run(model="chat.UUIDRow").said["stored"] == 35
        again = run(model="chat.UUIDRow")
        assert (again.code, again.said["stored"], again.said["present"]) == (0, 0, 35)
        assert verify(store.client).complete

    def test_an_empty_table(self, run: Run) -> None:
        """Nothing is equal to nothing."""
        ran = run()
        assert (ran.code, ran.said["read"], ran.said["reconciled"]["equal"]) == (0, 0, True)

    def test_content_types_are_asked_once(self, run: Run, django_assert_max_num_queries: Any) -> None:
        """Not for each row: two chunks, a look for more, the types, and the comparison's three."""
        message = ContentType.objects.get_for_model(Message)
        make_rows(20, content_type=message, object_id="1")
        ContentType.objects.clear_cache()
        with django_assert_max_num_queries(8):
            assert run().code == 0


class TestRange:
    """Rows of some time."""

    def test_since_and_until(self, run: Run, store: Store) -> None:
        """The comparison is of the same rows."""
        make_rows(48)
        ran = run(since=NOON + dt.timedelta(hours=12), until=NOON + dt.timedelta(hours=36))
        assert (ran.code, ran.said["stored"], ran.said["reconciled"]["rows"]) == (0, 24, 24)
        rest = run()
        assert (rest.said["stored"], rest.said["present"]) == (24, 24)
        assert store.keys() == sorted(PlainRow.objects.values_list("pk", flat=True))

    def test_rows_of_the_last_minute_wait_for_the_next_time(self, run: Run) -> None:
        """They may still be committed beside others."""
        PlainRow.objects.create(action="LOGIN", created_at=dt.datetime.now(dt.UTC))
        assert run().said["read"] == 0

    def test_a_project_without_time_zones(self, run: Run, store: Store, settings: Any) -> None:
        """Its times are local, and bounds are compared as such."""
        settings.USE_TZ = False
        settings.TIME_ZONE = "America/New_York"
        PlainRow.objects.create(action="LOGIN", created_at=dt.datetime(2026, 5, 1, 8))  # noqa: DTZ001 - local
        PlainRow.objects.create(action="LOGIN", created_at=dt.datetime(2026, 5, 1, 22))  # noqa: DTZ001
        ran = run(since=NOON)
        assert (ran.code, ran.said["stored"]) == (0, 2)
        assert store.ask("SELECT toString(Timestamp) FROM activity_events ORDER BY Timestamp") == [
            ("2026-05-01 12:00:00.000000000",), ("2026-05-02 02:00:00.000000000",)
        ]  # fmt: skip


class TestRefused:
    """Rows that no event can be made of."""

    def test_they_are_counted_and_written_down(self, run: Run) -> None:
        """With the reason; the others are stored."""
        make_rows(5)
        NumberedRow.objects.create(event_type=1, timestamp=None)
        NumberedRow.objects.create(event_type=1, timestamp=dt.datetime(1950, 1, 1, tzinfo=dt.UTC))
        NumberedRow.objects.create(event_type=1, timestamp=NOON)
        ran = run(model="chat.NumberedRow", until=NOON + dt.timedelta(days=1))
        # Without a time it is in no range.
        assert (ran.code, ran.said["read"], ran.said["stored"], ran.said["refused"]) == (3, 2, 1, 1)
        (line,) = refused_rows(ran)
        assert line["reason"].startswith("timestamp: the time 1950-01-01 00:00:00+00:00 cannot be stored")
        assert line["row"]["event_type"] == 1
        assert "1 rows were refused" in ran.error

    def test_rows_that_the_mapping_refuses_or_leaves_out(self, run: Run) -> None:
        """They are expected when table and store are compared, also in a later comparison."""
        make_rows(21)
        ran = run(mapping=f"{MAPPINGS}.LEAVING_OUT")
        refused, left_out = 3, 6
        assert (ran.code, ran.said["refused"], ran.said["left_out"]) == (3, refused, left_out)
        assert ran.said["reconciled"]["equal"]
        assert (ran.said["reconciled"]["not_stored"], ran.said["balanced"]) == (9, True)
        lines = refused_rows(ran)
        assert {line["reason"] for line in lines} == {"KeyError: 'no such user'"}
        assert run("--reconcile", mapping=f"{MAPPINGS}.LEAVING_OUT").code == 0


class TestAgain:
    """An import that is run again."""

    def test_it_sends_what_is_missing(self, run: Run, store: Store) -> None:
        """New rows, and those that were committed late; nothing twice."""
        make_rows(30)
        run()
        late = PlainRow.objects.create(pk=5_000, action="LOGIN", created_at=NOON)
        run()
        PlainRow.objects.create(pk=4_000, action="LOGIN", created_at=NOON)  # a lower key, committed later
        again = run()
        assert (again.said["stored"], again.said["present"]) == (1, 31)
        assert store.keys() == sorted(PlainRow.objects.values_list("pk", flat=True))
        assert store.keys().count(late.pk) == 1
        assert verify(store.client).complete

    def test_resume_goes_on_behind_the_last_key(self, run: Run) -> None:
        """Quickly: what is done is not looked at."""
        make_rows(30)
        run()
        make_rows(5, first=NOON + dt.timedelta(days=30))
        ran = run("--resume")
        assert (ran.code, ran.said["read"], ran.said["stored"]) == (0, 35, 35)

    def test_rows_that_were_deleted_are_surplus(self, run: Run) -> None:
        """The history keeps them; the comparison says so."""
        make_rows(30)
        run()
        gone = PlainRow.objects.order_by("pk")[4]
        key, day = gone.pk, f"{gone.created_at:%Y-%m-%d}"
        gone.delete()
        ran = run("--reconcile")
        (difference,) = ran.said["reconciled"]["differences"]
        assert (ran.code, difference["day"], difference["surplus"], difference["missing"]) == (
            1,
            day,
            [str(key)],
            [],
        )

    def test_rows_that_were_changed_are_seen_where_they_are_counted(self, run: Run) -> None:
        """One too few here, one too many there."""
        make_rows(12)
        run()
        row = PlainRow.objects.order_by("pk")[0]
        PlainRow.objects.filter(pk=row.pk).update(action="SOMETHING ELSE")
        ran = run("--reconcile")
        found = {one["action"]: (one["missing"], one["surplus"]) for one in ran.said["reconciled"]["differences"]}
        assert found == {"LOGIN": ([], [str(row.pk)]), "SOMETHING ELSE": ([str(row.pk)], [])}

    def test_one_row_for_another_is_no_equality(self, run: Run, store: Store) -> None:
        """The sums are equal, the keys are not."""
        make_rows(12)
        run()
        row = PlainRow.objects.order_by("pk")[0]
        old, row.pk = row.pk, 99_999
        row.save(force_insert=True)
        PlainRow.objects.filter(pk=old).delete()
        ran = run("--reconcile")
        (difference,) = ran.said["reconciled"]["differences"]
        assert (difference["rows"], difference["stored"]) == (difference["stored"], difference["rows"])
        assert (difference["missing"], difference["surplus"]) == (["99999"], [str(old)])

    def test_without_its_state_it_looks_for_every_row(self, run: Run, store: Store, tmp_path: Any) -> None:
        """The machine that it ran on is gone."""
        make_rows(30)
        run()
        again = run(state=tmp_path / "another machine")
        assert (again.code, again.said["stored"], again.said["present"]) == (0, 0, 30)
        assert len(store.keys()) == 30

    def test_what_was_erased_in_the_store_is_sent_again(self, run: Run, store: Store) -> None:
        """A wrong mapping, and everything anew: the store does not take the rows for a repetition."""
        make_rows(30)
        run()
        store.client.command("ALTER TABLE activity_events DELETE WHERE 1 SETTINGS mutations_sync = 2")
        again = run(mapping=f"{MAPPINGS}.RENAMING")
        assert (again.code, again.said["stored"], len(store.keys())) == (0, 30, 30)


class TestDualWrite:
    """Old call sites that write both, and an import beside them."""

    def test_rows_that_have_an_event_are_not_imported(self, run: Run, store: Store) -> None:
        """They are counted as they are."""
        make_rows(12)
        first = PlainRow.objects.order_by("pk")[3]
        _emit_for(store, first)
        ran = run()
        assert (ran.code, ran.said["stored"], ran.said["present"]) == (0, 11, 1)
        assert store.keys() == sorted(PlainRow.objects.values_list("pk", flat=True))

    def test_a_row_that_is_there_twice_is_said(self, run: Run, store: Store) -> None:
        """Somebody emitted it by hand."""
        make_rows(6)
        run()
        row = PlainRow.objects.order_by("pk")[0]
        _emit_for(store, row)
        ran = run("--reconcile")
        (difference,) = ran.said["reconciled"]["differences"]
        assert (ran.code, difference["doubled"], difference["surplus"]) == (1, 1, [str(row.pk)])

    def test_events_that_rules_have_thinned_stop_an_import_of_their_rows(self, run: Run, store: Store) -> None:
        """It would count what they stand for twice."""
        make_rows(48)
        row = PlainRow.objects.order_by("pk")[24]
        _emit_for(store, row, weight=20.0)
        ran = run()
        assert (ran.code, ran.said) == (2, {"text": ""} if ran.said.get("text") == "" else {})
        assert "1 events of this table's rows were sampled or rolled up" in ran.error
        assert "--until 2026-05-02T12:00:00Z" in ran.error
        ran = run(until=NOON + dt.timedelta(days=1))
        assert (ran.code, ran.said["stored"]) == (0, 24)

    def test_several_databases_in_one_store(self, run: Run, store: Store) -> None:
        """Each under a name of its own."""
        make_rows(6)
        assert run(source="eu").said["stored"] == 6
        assert run(source="us").said["stored"] == 6
        assert run("--reconcile", source="eu").code == 0


def _emit_for(store: Store, row: PlainRow, weight: float = 1.0) -> None:
    """An event as old call sites emit that write both."""
    store.client.command(
        "INSERT INTO activity_events (Timestamp, EventName, SampleWeight, Attributes) VALUES "
        f"('{row.created_at:%Y-%m-%d %H:%M:%S}', 'x.y', {weight}, map('legacy.model', 'chat.plainrow', "
        f"'legacy.pk', '{row.pk}', 'legacy.action', '{row.action}'))"
    )


class TestUsage:
    """What is wrong is said, with the next step."""

    def test_no_such_model(self, run: Run) -> None:
        """With the one that was meant."""
        ran = run(model="chat.PlainRwo")
        assert (ran.code, ran.error) == (2, "There is no model 'chat.PlainRwo'. Did you mean chat.PlainRow?")

    def test_what_is_no_mapping(self, run: Run) -> None:
        """A path that leads elsewhere."""
        ran = run(mapping=f"{MAPPINGS}.NOT_A_MAPPING")
        assert (ran.code, "is no LegacyMapping" in ran.error) == (2, True)

    def test_a_destination_that_cannot_be_asked(self, run: Run) -> None:
        """A Collector gives no answer that an import could stand on."""
        ran = run(url="otlp://127.0.0.1:4317")
        assert ran.code == 2
        assert (
            "can be sent to, not asked, and an import has to see what is there. Name the store itself" in ran.error
        )

    def test_a_table_without_times(self, run: Run) -> None:
        """Nothing could be imported."""
        ran = run(model="chat.InheritingRow", mapping=f"{MAPPINGS}.RENAMING")
        assert (ran.code, "No column of chat.InheritingRow has the time" in ran.error) == (2, True)

    def test_an_import_that_has_not_ended(self, run: Run, store: Store, tmp_path: Any) -> None:
        """It is asked what of it."""
        make_rows(30)
        assert run(wait=0.1, url=store.url.replace("/test_", "/no_")).code == 1
        _interrupt(run, tmp_path)
        ran = run()
        assert ran.code == 2
        assert "was begun and has not ended. Go on with --resume; or begin anew with --restart" in ran.error
        assert run("--restart").said["present"] == 10
        assert len(store.keys()) == 30


def _interrupt(run: Run, tmp_path: Any) -> None:
    """Leave the state of an import that was killed behind its first chunk."""
    run(until=NOON + dt.timedelta(hours=10))
    (file,) = (tmp_path / "state").glob("*.json")
    state = json.loads(file.read_text())
    file.write_text(json.dumps({**state, "finished": False}))


class TestDryRun:
    """What would become of it."""

    def test_columns_actions_and_events(self, run: Run, store: Store) -> None:
        """For people."""
        make_rows(6)
        PlainRow.objects.create(action="user login", created_at=NOON)
        text = run("--dry-run", json=False).said["text"]
        assert "event           action" in text
        assert "3  'LOGIN'" not in text
        assert "'user login'      user.logged_in  same name as 'LOGIN'" in text
        assert "emit('user.logged_in', timestamp=" in text
        assert "7 rows. Of the first 7, 0 would be refused and 0 left out. Nothing was sent." in text
        assert store.keys() == []

    def test_for_machines(self, run: Run) -> None:
        """All actions."""
        make_rows(3)
        said = run("--dry-run").said
        assert said["rows"] == 3
        assert ["LOGIN", 1, "user.logged_in", ""] in said["actions"]
        assert len(said["events"]) == 3


class TestForPeople:
    """Lines of text."""

    def test_what_became_of_the_rows(self, run: Run) -> None:
        """And that the counts are equal, or where not."""
        make_rows(12)
        text = run(json=False).said["text"]
        assert "rows read   12" in text
        assert "2026-05    12           0            12" in text.replace("2026-05  ", "2026-05  ")
        assert "Table and store are equal, for every day and action." in text
        PlainRow.objects.order_by("pk")[0].delete()
        ran = run("--reconcile", json=False)
        assert "1 days and actions differ:" in ran.said["text"]
        assert "Run it again: only what is missing is sent." in ran.error
