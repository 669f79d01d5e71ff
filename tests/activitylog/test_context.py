"""What is bound to the current task."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

import activitylog
from activitylog import context
from activitylog.testing import CapturedActivities


class TestBind:
    def test_values_are_there_inside_and_gone_outside(self) -> None:
        """A block restores what was bound before it."""
        with activitylog.bind(tenant="acme"):
            with activitylog.bind(actor="user:1"):
                assert dict(context.current()) == {"tenant": "acme", "actor": "user:1"}
            assert dict(context.current()) == {"tenant": "acme"}
        assert dict(context.current()) == {}

    def test_none_never_shadows(self) -> None:
        """None says nothing, in an inner block as in emit."""
        with activitylog.bind(actor="user:1"), activitylog.bind(actor=None):
            assert dict(context.current()) == {"actor": "user:1"}

    def test_values_are_restored_after_an_exception(self) -> None:
        """An exception leaves the block like any other end."""
        with pytest.raises(ValueError, match="inside"), activitylog.bind(tenant="acme"):
            raise ValueError("inside")
        assert dict(context.current()) == {}

    def test_as_a_decorator(self) -> None:
        """A decorated function runs inside the block, recursion included."""

        @activitylog.bind(tenant="acme")
        def depth(n: int) -> list[Any]:
            return [dict(context.current())] + (depth(n - 1) if n else [])

        assert depth(2) == [{"tenant": "acme"}] * 3
        assert dict(context.current()) == {}

    def test_as_a_decorator_of_a_coroutine_function(self) -> None:
        """The values are bound while the coroutine runs, across its awaits."""

        @activitylog.bind(tenant="acme")
        async def work() -> dict[str, Any]:
            await asyncio.sleep(0)
            return dict(context.current())

        assert asyncio.run(work()) == {"tenant": "acme"}

    def test_tasks_do_not_see_each_other(self) -> None:
        """Two tasks that interleave keep their own values."""

        async def work(name: str, other: asyncio.Event, mine: asyncio.Event) -> Any:
            with activitylog.bind(tenant=name):
                mine.set()
                await other.wait()
                return context.current()["tenant"]

        async def both() -> tuple[Any, ...]:
            first, second = asyncio.Event(), asyncio.Event()
            return tuple(await asyncio.gather(work("a", second, first), work("b", first, second)))

        assert asyncio.run(both()) == ("a", "b")

    def test_one_object_in_many_tasks_and_threads(self) -> None:
        """A block that is shared, as decorators are, leaves nothing behind in any of them."""
        shared = activitylog.bind(tenant="acme")

        async def task(mine: asyncio.Event, other: asyncio.Event) -> dict[str, Any]:
            with shared:
                mine.set()
                await other.wait()
            return dict(context.current())

        async def both() -> tuple[Any, ...]:
            first, second = asyncio.Event(), asyncio.Event()
            return tuple(await asyncio.gather(task(first, second), task(second, first)))

        assert asyncio.run(both()) == ({}, {})
        barrier = threading.Barrier(2)
        after: list[dict[str, Any]] = []

        def thread() -> None:
            with shared:
                barrier.wait()
            barrier.wait()
            after.append(dict(context.current()))

        threads = [threading.Thread(target=thread) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert after == [{}, {}]

    def test_class_and_static_methods(self) -> None:
        """Above @classmethod and @staticmethod as below them."""

        class Service:
            @activitylog.bind(tenant="acme")
            @classmethod
            def of_class(cls) -> Any:
                return dict(context.current())

            @activitylog.bind(tenant="acme")
            @staticmethod
            def static() -> Any:
                return dict(context.current())

        assert Service.of_class() == Service().static() == Service.static() == {"tenant": "acme"}

    def test_a_generator_function_is_left_alone(self) -> None:
        """Its values would be seen by whoever consumes it; it says so."""

        def rows() -> Any:
            yield 1

        with pytest.warns(UserWarning, match="leaves the generator function"):
            assert activitylog.bind(tenant="acme")(rows) is rows

    def test_a_new_thread_begins_without(self) -> None:
        """Context does not leak into threads that were not given it."""
        seen = []
        with activitylog.bind(tenant="acme"):
            thread = threading.Thread(target=lambda: seen.append(dict(context.current())))
            thread.start()
            thread.join()
        assert seen == [{}]

    def test_a_token_of_another_context_is_ignored(self) -> None:
        """A generator that is finalised elsewhere does not raise into the application."""
        token = contextvars.copy_context().run(context.push, {"tenant": "acme"})
        context.pop(token)
        assert dict(context.current()) == {}


class TestLazyValues:
    def test_are_called_for_each_event(self, activity: CapturedActivities) -> None:
        """The user is known when the event is emitted, not when it was bound."""
        user = ["user:1"]
        with activitylog.bind(actor=lambda: user[0]):
            activitylog.emit("page.viewed")
            user[0] = "user:2"
            activitylog.emit("page.viewed")
        assert [event.actor for event in activity] == ["user:1", "user:2"]

    def test_are_not_called_for_dropped_events(self) -> None:
        """Filtered events cost no query."""
        from structlog.exceptions import DropEvent

        from activitylog.testing import capture_activities

        calls: list[int] = []

        def drop(_logger: Any, _name: str, _event: Any) -> Any:
            raise DropEvent

        with (
            capture_activities(processors=[drop]) as captured,
            activitylog.bind(actor=lambda: calls.append(1)),
        ):
            assert not activitylog.emit("page.viewed")
        assert calls == []
        assert len(captured) == 0

    def test_are_called_once_in_emit_many(self, activity: CapturedActivities) -> None:
        """Bulk reads the context once."""
        calls: list[int] = []

        def who() -> str:
            calls.append(1)
            return "user:1"

        with activitylog.bind(actor=who):
            assert activitylog.emit_many("user.activated", ["user:2", "user:3"]) == 2
        assert len(calls) == 1
        assert [event.actor for event in activity] == ["user:1", "user:1"]

    def test_that_fail_leave_the_event(self) -> None:
        """The event is kept without the value, flagged."""
        from activitylog.testing import capture_activities

        with capture_activities(strict=False) as captured, activitylog.bind(actor=lambda: 1 / 0):
            activitylog.emit("page.viewed")
        assert captured[0].actor == ""
        assert captured[0].attributes["activity.sanitized"] == ["actor:lazy"]

    def test_one_that_emits_is_not_called_for_its_own_event(self, activity: CapturedActivities) -> None:
        """Looking the user up may be an event itself."""

        def who() -> str:
            activitylog.emit("user.loaded")
            return "user:1"

        with activitylog.bind(actor=who):
            activitylog.emit("page.viewed")
        assert [(event.name, event.actor) for event in activity] == [
            ("user.loaded", ""),
            ("page.viewed", "user:1"),
        ]

    def test_a_proxy_outside_its_request(self) -> None:
        """Even asking it whether it has an id fails; the event is kept."""
        from activitylog.testing import capture_activities

        class Proxy:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError("outside of a request")

            def __call__(self) -> Any:
                raise RuntimeError("outside of a request")

        with capture_activities(strict=False) as captured, activitylog.bind(actor=Proxy()):
            assert activitylog.emit_many("page.viewed", ["page:1"]) == 1
            assert activitylog.emit("page.viewed")
        assert len(captured) == 2

    def test_an_object_that_is_somebody_is_not_called(self, activity: CapturedActivities) -> None:
        """A callable with an id is an actor, not a function."""

        class Bot:
            id = 7

            def __call__(self) -> None:
                raise AssertionError("called")

        with activitylog.bind(actor=Bot()):
            activitylog.emit("page.viewed")
        assert activity[0].actor == "Bot:7"
