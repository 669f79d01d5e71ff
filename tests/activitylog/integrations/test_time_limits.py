"""Time limits that are raised by signal handlers, and events."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import activitylog
from activitylog.deferred import defer, defer_many
from activitylog.integrations import time_limits
from activitylog.integrations.time_limits import PatientHandler
from activitylog.testing import CapturedActivities, capture_activities
from tests.waiting import wait_until


class OverError(Exception):
    """The time of a task is over."""


def over(_signum: int, _frame: Any) -> None:
    """As task queues have it."""
    raise OverError


@pytest.fixture
def patient() -> Iterator[PatientHandler]:
    """Installed in the place of such a handler."""
    before = signal.signal(signal.SIGUSR1, over)
    handler = PatientHandler(over, signal.SIGUSR1)
    handler.install()
    yield handler
    handler.next_task()
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def captured() -> Iterator[CapturedActivities]:
    """Lenient, as production is."""
    with capture_activities(strict=False) as found:
        yield found


def interrupt() -> str:
    """A lazy value in whose midst the signal comes."""
    signal.raise_signal(signal.SIGUSR1)
    return "user:1"


def until_it_comes(work: Callable[[], object]) -> None:
    """Some time after the work."""

    def then_wait() -> None:
        work()
        wait_until(lambda: False, seconds=30)

    with pytest.raises(OverError):
        then_wait()


@pytest.mark.usefixtures("patient")
class TestPatientHandler:
    def test_outside_of_events_it_is_raised_at_once(self) -> None:
        """As without it."""
        with pytest.raises(OverError):
            signal.raise_signal(signal.SIGUSR1)

    @pytest.mark.parametrize(
        "work",
        [
            lambda: activitylog.emit("thing.done"),
            lambda: activitylog.emit_many("thing.done", ["thing:1"]),
            lambda: defer("thing.done")(),  # noqa: PLW0108 - taken when it is called, too
            lambda: defer_many("thing.done", ["thing:1"])(),  # noqa: PLW0108
            lambda: activitylog.get_logger().info("thing.done"),
        ],
        ids=["emit", "emit_many", "defer", "defer_many", "logger"],
    )
    def test_in_an_event_it_is_raised_behind_it(
        self, captured: CapturedActivities, work: Callable[[], object]
    ) -> None:
        """The event is whole, and the limit holds."""

        def bound() -> None:
            with activitylog.bind(actor=interrupt):
                work()

        until_it_comes(bound)
        assert captured.names == ["thing.done"]

    def test_in_a_loop_of_nothing_but_events(self, captured: CapturedActivities) -> None:
        """It comes between two of them, and none is lost."""
        timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1))
        timer.start()
        emitted = []

        def go_on() -> None:
            while True:
                emitted.append(activitylog.emit("thing.done"))

        with pytest.raises(OverError):
            go_on()
        timer.join()
        assert len(captured) in (len(emitted), len(emitted) + 1)
        assert activitylog.stats().dropped == {}

    @pytest.mark.slow
    def test_an_event_that_takes_long(self, captured: CapturedActivities) -> None:
        """What hangs in it is interrupted, and the limit holds all the same."""

        def hang() -> str:
            signal.raise_signal(signal.SIGUSR1)
            time.sleep(600)  # as a query for the user may
            return "user:1"

        def work() -> None:
            with activitylog.bind(actor=hang):
                activitylog.emit("thing.done")

        began = time.monotonic()
        until_it_comes(work)
        assert time.monotonic() - began < 60
        assert captured.one("thing.done").attributes["activity.sanitized"] == ["actor:lazy"]

    @pytest.mark.slow
    def test_the_limit_of_a_task_that_is_over_is_none_of_the_next(
        self, patient: PatientHandler, captured: CapturedActivities
    ) -> None:
        """Though it was postponed."""
        with activitylog.bind(actor=interrupt):
            activitylog.emit("thing.done")
            patient.next_task()
        time.sleep(20 * time_limits.PAUSE_SECONDS)  # it does not come
        captured.one("thing.done", actor="user:1")


def test_a_signal_that_was_sent_for_a_task_that_is_over(patient: PatientHandler) -> None:
    """It is not handled, and the next one is."""
    patient._sent_for = 0
    patient.next_task()
    signal.raise_signal(signal.SIGUSR1)
    with pytest.raises(OverError):
        signal.raise_signal(signal.SIGUSR1)
