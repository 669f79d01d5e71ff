"""The old task: ``delay`` emits, and what Celery does by itself it still does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, chain

from activitylog.integrations.django.moving_in import legacy_task
from activitylog.integrations.django.moving_in.old_task import LegacyTask
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.moving_in.conftest import Committed, Writing, roll_back
from tests.activitylog.integrations.django.moving_in.models import OldRow

pytestmark = pytest.mark.django_db
RAN: list[Any] = []


@pytest.fixture
def app() -> Iterator[Celery]:
    """An application whose tasks are run where they are sent."""
    app = Celery(
        "moving-in",
        set_as_current=False,
        broker="memory://",
        backend="cache+memory://",
        task_cls="celery.contrib.django.task:DjangoTask",
    )
    app.conf.update(task_always_eager=True)
    yield app
    app.close()


@pytest.fixture
def async_log_activity(app: Celery) -> Any:
    """The team's task, decorated."""
    RAN.clear()

    @legacy_task()
    @app.task(name="log", bind=True, shared=False)
    def async_log_activity(self: Any, user_id: int | None, action: str, **metadata: Any) -> str:
        RAN.append((self.name, action))
        OldRow.objects.create(user_id=user_id, action=action, metadata=metadata)
        return "ran"

    return async_log_activity


class TestEvents:
    """Where only events are written."""

    def test_delay(self, activity: CapturedActivities, async_log_activity: Any) -> None:
        """At once; the answer is like that of a task that has ended."""
        result = async_log_activity.delay(5, "LOGIN", channel="web")
        activity.one("user.logged_in", actor="user:5", channel="web")
        assert RAN == []
        assert (result.state, result.status, result.ready(), result.successful(), result.failed()) == (
            "SUCCESS", "SUCCESS", True, True, False,
        )  # fmt: skip
        assert (result.get(timeout=1), result.wait(), result.result, str(result)) == (None, None, None, result.id)
        assert (result.task_id, len(result.id)) == (result.id, 36)
        assert result.id != async_log_activity.delay(5, "LOGIN").id

    def test_apply_async(self, activity: CapturedActivities, async_log_activity: Any) -> None:
        """Arguments as Celery takes them; queues and delays say nothing to an event."""
        async_log_activity.apply_async((5,), {"action": "LOGOUT"}, countdown=60, queue="slow", expires=3)
        async_log_activity.apply_async(args=[5, "LOGIN"])
        assert activity.names == ["user.logged_out", "user.logged_in"]

    def test_a_call(self, activity: CapturedActivities, async_log_activity: Any) -> None:
        """Without a queue."""
        assert async_log_activity(5, "LOGIN") is None
        assert activity.names == ["user.logged_in"]

    def test_a_task_was_sent_whatever_became_of_the_transaction(
        self, activity: CapturedActivities, async_log_activity: Any, committed: Committed
    ) -> None:
        """So is its event, unless it was to wait for the commit."""

        def pay() -> None:
            async_log_activity.delay(5, "PAYMENT_FAILED")
            async_log_activity.delay_on_commit(5, "PAYMENT_MADE")
            async_log_activity.apply_async_on_commit((5, "PAYMENT_MADE"))

        with committed(), pytest.raises(ZeroDivisionError):
            roll_back(pay)
        assert activity.names == ["payment.failed"]
        with committed():
            async_log_activity.delay_on_commit(5, "order_placed")
            assert len(activity) == 1
        assert activity.names == ["payment.failed", "order.placed"]

    def test_in_a_canvas_the_worker_runs_the_body(
        self, activity: CapturedActivities, async_log_activity: Any, committed: Committed
    ) -> None:
        """When it is its turn; its row is the event."""
        with committed():
            chain(async_log_activity.si(5, "LOGIN"), async_log_activity.si(5, "LOGOUT")).apply()
            async_log_activity.s(5, "RESTART").delay()
        assert RAN == [("log", "LOGIN"), ("log", "LOGOUT"), ("log", "RESTART")]
        assert activity.names == ["user.logged_in", "user.logged_out", "old_row.restarted"]

    def test_all_that_the_task_has_is_there(self, async_log_activity: Any, app: Celery) -> None:
        """Its name, its application, its registration."""
        assert (async_log_activity.name, async_log_activity.app) == ("log", app)
        assert app.tasks["log"] is not None
        assert "log" in repr(async_log_activity)

    def test_a_function_gets_a_delay(self, activity: CapturedActivities) -> None:
        """Without Celery."""

        @legacy_task()
        def log(user: Any, action: str) -> None: ...

        assert isinstance(log, LegacyTask)
        log.delay("user:5", "LOGIN")
        activity.one("user.logged_in", actor="user:5")

    def test_it_is_not_looked_at_before_it_is_needed(self) -> None:
        """Celery makes a shared task when somebody uses it."""

        class Lazy:
            def __getattr__(self, name: str) -> Any:
                raise AssertionError(f"{name} was asked for")

        assert isinstance(legacy_task()(Lazy()), LegacyTask)


class TestBothAndTable:
    """Where rows are written, too, or only."""

    @pytest.mark.parametrize(("mode", "events"), [("both", 3), ("table", 0)])
    def test_it_is_sent_as_before(
        self,
        activity: CapturedActivities,
        async_log_activity: Any,
        committed: Committed,
        writing: Writing,
        mode: str,
        events: int,
    ) -> None:
        """The event of both is that of the row which the worker writes."""
        writing(mode)
        with committed():
            result = async_log_activity.delay(None, "LOGIN")
            async_log_activity.delay_on_commit(None, "LOGIN")
            async_log_activity(None, "LOGIN")
        assert (result.get(), len(RAN), OldRow.objects.count(), len(activity)) == ("ran", 3, 3, events)
