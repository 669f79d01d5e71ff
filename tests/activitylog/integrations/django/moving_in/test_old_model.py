"""The old model: read as before, and its new rows become events."""

from __future__ import annotations

import pickle
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import models, transaction
from django.db.models.signals import post_save, pre_save

import activitylog
from activitylog.exceptions import ConfigurationError, StrictModeError
from activitylog.integrations.django.moving_in import LegacyMapping, legacy_model
from activitylog.integrations.django.moving_in.old_model import legacy_of
from activitylog.testing import CapturedActivities, capture_activities
from tests.activitylog.integrations.django.moving_in.conftest import Committed, Writing, roll_back
from tests.activitylog.integrations.django.moving_in.models import (
    InheritingRow,
    NumberedRow,
    OldRow,
    OneRow,
    OtherRow,
    PlainRow,
)

pytestmark = pytest.mark.django_db


async def abulk_create(rows: list[OldRow]) -> None:
    """As an asynchronous view does."""
    await OldRow.objects.abulk_create(rows)


async def acreate(user: User) -> None:
    """As an asynchronous view does."""
    await OldRow.objects.acreate(user=user, action="LOGIN")


@pytest.fixture
def ada(db: None) -> User:
    """Somebody."""
    return User.objects.create(username="ada")


class TestEvents:
    """Where only events are written."""

    def test_create(self, activity: CapturedActivities, committed: Committed, ada: User) -> None:
        """An event on commit, and no row."""
        with committed():
            row = OldRow.objects.create(user=ada, action="LOGIN", metadata={"channel": "web"})
            assert len(activity) == 0
        activity.one("user.logged_in", actor=f"user:{ada.pk}", channel="web")
        assert (OldRow.objects.count(), row.pk, row.action, row.user) == (0, None, "LOGIN", ada)
        assert row.created_at is not None

    def test_save(self, activity: CapturedActivities, committed: Committed) -> None:
        """The team's own ``save`` runs."""
        with committed():
            OldRow(action="message_sent", description="x" * 50).save()
        assert activity.one("message.sent").message == "x" * 20

    def test_bulk_create(self, activity: CapturedActivities, committed: Committed) -> None:
        """One event for each, in their order; also from a generator."""
        with committed():
            rows = OldRow.objects.bulk_create(OldRow(action=f"step_{number}_started") for number in range(3))
        assert activity.names == ["step_0.started", "step_1.started", "step_2.started"]
        assert [row.action for row in rows] == ["step_0_started", "step_1_started", "step_2_started"]
        assert all(row.created_at is not None for row in rows)
        assert OldRow.objects.count() == 0

    @pytest.mark.parametrize(
        "bulk_create",
        [
            lambda ada, rows: OldRow.logins.bulk_create(rows),
            lambda ada, rows: OldRow.objects.using("default").bulk_create(rows, batch_size=1),
            lambda ada, rows: OldRow.objects.filter(action="LOGIN").bulk_create(rows),
            lambda ada, rows: OldRow.logins.logins().bulk_create(rows),  # type: ignore[attr-defined]
            lambda ada, rows: ada.old_rows.bulk_create(rows),
            lambda ada, rows: OldRow.objects.bulk_create(rows, ignore_conflicts=True),
            lambda _ada, rows: async_to_sync(abulk_create)(rows),
        ],
    )
    def test_every_way_to_bulk_create(
        self, activity: CapturedActivities, committed: Committed, ada: User, bulk_create: Any
    ) -> None:
        """Through managers, querysets, related objects, asynchronously."""
        with committed():
            bulk_create(ada, [OldRow(action="LOGIN", user=ada), OldRow(action="LOGOUT", user=ada)])
        assert activity.names == ["user.logged_in", "user.logged_out"]
        assert OldRow.objects.count() == 0

    @pytest.mark.parametrize(
        "create",
        [
            lambda ada: ada.old_rows.create(action="LOGIN"),
            lambda ada: OldRow.objects.using("default").create(user=ada, action="LOGIN"),
            lambda ada: OldRow.objects.get_or_create(user=ada, action="LOGIN")[0],
            lambda ada: OldRow.objects.update_or_create(user=ada, action="LOGIN")[0],
            async_to_sync(acreate),
            lambda ada: ada.old_rows.add(OldRow(action="LOGIN"), bulk=False),
        ],
    )
    def test_every_way_to_create(
        self, activity: CapturedActivities, committed: Committed, ada: User, create: Any
    ) -> None:
        """All of them end in a save."""
        with committed():
            create(ada)
        activity.one("user.logged_in", actor=f"user:{ada.pk}")
        assert OldRow.objects.count() == 0

    def test_what_is_rolled_back_was_not_done(self, activity: CapturedActivities, committed: Committed) -> None:
        """As the row would have been; also inside a savepoint."""
        with committed():
            with pytest.raises(ZeroDivisionError):
                roll_back(lambda: OldRow.objects.create(action="PAYMENT_MADE"))
            OldRow.objects.create(action="PAYMENT_FAILED")
        assert activity.names == ["payment.failed"]

    @pytest.mark.django_db(transaction=True)
    def test_without_a_transaction_it_is_emitted_at_once(self, activity: CapturedActivities) -> None:
        """Nothing is waited for."""
        OldRow.objects.create(action="LOGIN")
        assert activity.names == ["user.logged_in"]

    def test_what_is_known_is_said(self, activity: CapturedActivities, committed: Committed, ada: User) -> None:
        """A row that names nobody gets who is bound; the time is the row's."""
        with committed(), activitylog.bind(actor=ada, tenant="acme"):
            row = OldRow.objects.create(action="LOGIN")
        event = activity.one("user.logged_in", actor=f"user:{ada.pk}", tenant="acme")
        assert event.timestamp_ns == int(row.created_at.timestamp() * 1e6) * 1000

    def test_a_row_that_is_there_is_changed_as_before(
        self, activity: CapturedActivities, writing: Writing
    ) -> None:
        """History is read, updated and deleted; no event tells of it."""
        writing("table")
        OldRow.objects.create(action="LOGIN")
        writing("events")
        row = OldRow.objects.get(action="LOGIN")
        row.action = "LOGOUT"
        row.save()
        OldRow.objects.filter(pk=row.pk).update(description="changed")
        assert OldRow.objects.values_list("action", "description").get() == ("LOGOUT", "changed")
        assert row.delete()[0] == 1
        assert (OldRow.objects.count(), len(activity)) == (0, 0)

    def test_a_second_save_is_not_a_second_event(
        self, activity: CapturedActivities, committed: Committed, lines_of: Any
    ) -> None:
        """It is said once that the change is not recorded."""
        with committed():
            row = OldRow.objects.create(action="LOGIN")
            row.metadata["late"] = True
            row.save()
            row.save()
        assert activity.names == ["user.logged_in"]
        assert len([line for line in lines_of("activitylog") if "saved twice" in line]) <= 1

    def test_deleting_what_became_an_event_does_nothing(self, activity: CapturedActivities) -> None:
        """Django would raise: it has no key."""
        assert OldRow.objects.create(action="LOGIN").delete() == (0, {})

    def test_a_key_of_its_own_stays(self, activity: CapturedActivities, committed: Committed) -> None:
        """Callers that log it find it."""
        with committed():
            row = InheritingRow.plain.create(action="LOGIN")
        assert isinstance(row.pk, uuid.UUID)
        activity.one("user.logged_in")
        assert InheritingRow.plain.count() == 0

    def test_receivers_of_pre_save_fill_in(self, activity: CapturedActivities, committed: Committed) -> None:
        """Those of post_save, for whom there is no row, are not called."""
        saved: list[Any] = []

        def fill_in(instance: OldRow, **_rest: Any) -> None:
            instance.description = "filled in"

        def note(instance: OldRow, **_rest: Any) -> None:
            saved.append(instance)

        pre_save.connect(fill_in, sender=OldRow)
        post_save.connect(note, sender=OldRow)
        try:
            with committed():
                OldRow.objects.create(action="LOGIN")
        finally:
            pre_save.disconnect(fill_in, sender=OldRow)
            post_save.disconnect(note, sender=OldRow)
        assert activity.one("user.logged_in").message == "filled in"
        assert saved == []

    def test_no_statement_is_sent(
        self, activity: CapturedActivities, committed: Committed, ada: User, django_assert_num_queries: Any
    ) -> None:
        """Neither for one row nor for a hundred."""
        with committed(), django_assert_num_queries(0):
            OldRow.objects.create(user=ada, action="LOGIN")
            OldRow.objects.bulk_create([OldRow(user=ada, action="LOGIN") for _ in range(100)])
        assert len(activity) == 101


class TestBoth:
    """Where rows and events are written."""

    def test_the_event_names_its_row(
        self, activity: CapturedActivities, committed: Committed, writing: Writing
    ) -> None:
        """So that an import knows that it is there."""
        writing("both")
        with committed():
            row = OldRow.objects.create(action="LOGIN")
            rows = OldRow.objects.bulk_create([OldRow(action="LOGOUT"), OldRow(action="LOGOUT")])
        assert OldRow.objects.count() == 3
        activity.one("user.logged_in", **{"legacy.model": "chat.oldrow", "legacy.pk": str(row.pk)})
        assert [event.attributes["legacy.pk"] for event in activity.find("user.logged_out")] == [
            str(row.pk) for row in rows
        ]

    def test_rows_without_a_key_are_left_to_an_import(
        self, activity: CapturedActivities, committed: Committed, writing: Writing, lines_of: Any
    ) -> None:
        """Nobody could tell that they have an event. It is said once."""
        writing("both")
        with committed():
            OldRow.objects.bulk_create([OldRow(action="LOGIN"), OldRow(action="LOGIN")], ignore_conflicts=True)
        assert (OldRow.objects.count(), len(activity)) == (2, 0)
        assert len([line for line in lines_of("activitylog") if "import_activity" in line]) == 1

    def test_both_have_one_time(
        self, activity: CapturedActivities, committed: Committed, writing: Writing
    ) -> None:
        """They are counted on the same day."""
        writing("both")
        with committed():
            row = OldRow.objects.create(action="LOGIN")
        assert activity.one("user.logged_in").timestamp_ns == int(row.created_at.timestamp() * 1e6) * 1000

    def test_a_row_that_cannot_be_written_has_no_event(
        self, activity: CapturedActivities, committed: Committed, writing: Writing
    ) -> None:
        """It raises, as before."""
        writing("both")
        with committed(), pytest.raises(Exception, match=r"NOT NULL|null value"), transaction.atomic():
            OldRow.objects.create(action="LOGIN", metadata=None)
        assert len(activity) == 0


class TestTable:
    """Where only rows are written: as before."""

    def test_back_again(self, activity: CapturedActivities, committed: Committed, writing: Writing) -> None:
        """The decorator changes nothing."""
        writing("table")
        with committed():
            row = OldRow.objects.create(action="LOGIN")
            OldRow.objects.bulk_create([OldRow(action="LOGIN")])
        assert row.pk is not None
        assert (OldRow.objects.count(), len(activity)) == (2, 0)

    def test_fixtures_are_rows(self, activity: CapturedActivities, tmp_path: Any) -> None:
        """What ``loaddata`` brings is history, wherever else is written."""
        file = tmp_path / "rows.json"
        file.write_text(
            '[{"model": "chat.oldrow", "pk": 5, '
            '"fields": {"action": "LOGIN", "created_at": "2026-01-01T00:00:00Z"}}]'
        )
        call_command("loaddata", str(file), verbosity=0)
        assert (OldRow.objects.get().pk, len(activity)) == (5, 0)


class TestFailures:
    """A log call never breaks the operation."""

    def test_a_mapping_that_fails(self, activity: CapturedActivities, committed: Committed) -> None:
        """The event is counted as an error; under strict, in tests, it is raised."""
        broken = legacy_of(OldRow)
        assert broken is not None
        broken.mapping, before = LegacyMapping(adjust=lambda event, row: 1 / 0), broken.mapping  # type: ignore[arg-type,return-value]
        broken.__dict__.pop("plan", None)
        try:
            with capture_activities(strict=False), committed():
                row = OldRow.objects.create(action="LOGIN")
                OldRow.objects.bulk_create([OldRow(action="LOGIN")])
                assert activitylog.stats().dropped == {"error": 2}
            assert row.action == "LOGIN"
            with pytest.raises(ZeroDivisionError):
                OldRow.objects.create(action="LOGIN")
        finally:
            broken.mapping = before
            broken.__dict__.pop("plan", None)

    def test_a_receiver_that_fails(self, committed: Committed) -> None:
        """The event is emitted without it."""

        def fail(**_rest: Any) -> None:
            raise RuntimeError

        pre_save.connect(fail, sender=OldRow)
        try:
            with capture_activities(strict=False) as captured, committed():
                OldRow.objects.create(action="LOGIN")
            assert captured.names == ["user.logged_in"]
        finally:
            pre_save.disconnect(fail, sender=OldRow)

    @pytest.mark.django_db(transaction=True)
    def test_values_that_are_repaired_raise_in_tests(self, activity: CapturedActivities) -> None:
        """As from ``emit``."""
        with pytest.raises(StrictModeError):
            OldRow.objects.create(action="LOGIN", metadata={"long": "x" * 10_000})

    def test_a_mode_that_is_none_is_said_at_once(self) -> None:
        """When the class is decorated."""
        with pytest.raises(ConfigurationError, match=r"'nowhere' is nowhere to write.*events, both, table"):
            legacy_model(write="nowhere")  # type: ignore[arg-type]


class TestClasses:
    """Inheritance, managers, migrations, the admin."""

    def test_a_decorated_base_tells_its_classes_apart(
        self, activity: CapturedActivities, committed: Committed, writing: Writing
    ) -> None:
        """Each with its own columns and its own name."""
        writing("both")
        with committed():
            OneRow.objects.create(action="LOGIN")
            OtherRow.objects.create(action="LOGOUT", reason="late")
            OtherRow.objects.bulk_create([OtherRow(action="RESTART", reason="old")])
        activity.one("user.logged_in", **{"legacy.model": "chat.onerow"})
        activity.one("user.logged_out", reason="late", **{"legacy.model": "chat.otherrow"})
        activity.one("other_row.restarted", reason="old")

    def test_another_class_is_left_alone(self, activity: CapturedActivities, committed: Committed) -> None:
        """Only what is decorated is changed."""
        assert legacy_of(PlainRow) is None
        with committed():
            assert PlainRow.objects.create(action="LOGIN").pk is not None
        assert len(activity) == 0

    def test_a_class_may_be_decorated_later(self, activity: CapturedActivities, committed: Committed) -> None:
        """One of another application, when Django is ready; here a proxy, so that others see nothing of it."""

        class Proxy(NumberedRow):
            class Meta:
                app_label = "chat"
                proxy = True

        legacy_model(write="both")(Proxy)
        with committed():
            Proxy.objects.create(event_type=NumberedRow.Kind.CREATED)
            NumberedRow.objects.create(event_type=NumberedRow.Kind.CREATED)
        activity.one("user.created", **{"legacy.model": "chat.numberedrow"})
        assert len(activity) == 1

    def test_migrations_see_no_change(self) -> None:
        """Managers are compared by the names of their classes, too."""
        from django.db.migrations.state import ModelState

        state = ModelState.from_model(OldRow)
        ((name, manager),) = state.managers
        path = manager.deconstruct()[1]
        assert (name, path) == ("objects", f"{OldRow.__module__}.LoudManager")
        written = ModelState("chat", "OldRow", list(state.fields.items()), managers=[("objects", _loud_manager())])
        assert (state.managers == written.managers, written.managers == state.managers) == (True, True)

    def test_querysets_can_be_cached(self, writing: Writing) -> None:
        """Pickled and read back."""
        writing("table")
        OldRow.objects.create(action="LOGIN")
        again = pickle.loads(pickle.dumps(OldRow.objects.filter(action="LOGIN")))
        assert [row.action for row in again] == ["LOGIN"]

    def test_the_admin_adds_an_event(self, activity: CapturedActivities, committed: Committed, rf: Any) -> None:
        """Its form saves the model as call sites do."""
        site = admin.AdminSite()
        site.register(OldRow)
        form = site._registry[OldRow].get_form(rf.get("/"))({"action": "LOGIN", "metadata": "{}", "user": ""})
        form.fields["user"].required = form.fields["description"].required = False
        assert form.is_valid(), form.errors
        with committed():
            form.save()
        activity.one("user.logged_in")

    def test_methods_are_not_called_by_templates(self) -> None:
        """Django marks those that change data."""
        assert OldRow.save_base.alters_data  # type: ignore[attr-defined]
        assert OldRow.delete.alters_data  # type: ignore[attr-defined]
        assert OldRow.objects.all().bulk_create.alters_data  # type: ignore[attr-defined]


def _loud_manager() -> models.Manager[Any]:
    from tests.activitylog.integrations.django.moving_in.models import LoudManager

    return LoudManager()
