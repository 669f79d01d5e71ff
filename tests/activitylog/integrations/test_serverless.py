"""Functions that are frozen between invocations. Processes that really are, in tests/life_cycle."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import flask
import pytest

import activitylog
from activitylog import config, context
from activitylog.integrations.http import RequestContext, http_options
from activitylog.integrations.serverless import flush_per_invocation
from activitylog.testing import CapturedActivities, capture_activities

LAMBDA = SimpleNamespace(
    aws_request_id="i-1", function_name="thumbnails", get_remaining_time_in_millis=lambda: 3000
)


class TestFlushPerInvocation:
    def test_events_say_which_invocation_it_was(self, activity: CapturedActivities) -> None:
        """As Lambda's context says it."""

        @flush_per_invocation
        def handler(event: dict[str, Any], context: Any) -> str:
            activitylog.emit("image.resized", object=("image", event["id"]))
            return "done"

        assert handler({"id": 7}, LAMBDA) == "done"
        event = activity.one("image.resized", object="image:7", request_id="i-1")
        assert event.attributes["faas.invocation_id"] == "i-1"
        assert event.attributes["faas.name"] == "thumbnails"
        assert dict(context.current()) == {}

    def test_of_other_platforms(self, activity: CapturedActivities) -> None:
        """Azure's context by keyword, Google's second argument, and its request over HTTP."""

        @flush_per_invocation(timeout_seconds=1)
        def handler(*args: Any, **kwargs: Any) -> None:
            activitylog.emit("image.resized")

        handler("blob", context=SimpleNamespace(invocation_id="i-2", function_name="f"))
        handler({}, SimpleNamespace(event_id="i-3"))
        with flask.Flask("f").test_request_context(headers={"Function-Execution-Id": "i-4"}):
            handler(flask.request)
        handler()
        handler(object(), SimpleNamespace(aws_request_id=7), SimpleNamespace(headers=[]))
        assert [event.attributes.get("faas.invocation_id") for event in activity] == [
            "i-2",
            "i-3",
            "i-4",
            None,
            None,
        ]

    def test_hostile_arguments(self, activity: CapturedActivities) -> None:
        """The handler gets them as they are."""

        class Hostile:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

        @flush_per_invocation
        def handler(event: Any) -> Any:
            activitylog.emit("image.resized")
            return event

        hostile = Hostile()
        assert handler(hostile) is hostile
        assert activity.names == ["image.resized"]

    def test_a_request_of_a_middleware_knows_a_better_id(self, activity: CapturedActivities) -> None:
        """The invocation keeps its own."""

        @flush_per_invocation
        def handler(event: Any, context: Any) -> None:
            request = RequestContext(
                http_options(),
                method="GET",
                path="/",
                header=lambda name: "r-1" if name.lower() == "x-request-id" else None,
                peer=None,
            )
            token = request.enter()
            activitylog.emit("image.resized")
            request.leave(token)

        handler({}, LAMBDA)
        event = activity.one("image.resized")
        assert event.attributes["activity.request.id"] == "r-1"
        assert event.attributes["faas.invocation_id"] == "i-1"

    def test_an_exception_goes_on(self, activity: CapturedActivities) -> None:
        """After the flush; nothing stays bound."""

        @flush_per_invocation
        def handler(event: Any, context: Any) -> None:
            raise ValueError("no image")

        with pytest.raises(ValueError, match="no image"):
            handler({}, LAMBDA)
        assert dict(context.current()) == {}

    def test_a_coroutine_function(self, activity: CapturedActivities) -> None:
        """Stays one."""

        @flush_per_invocation(timeout_seconds=1)
        async def handler(event: Any, context: Any) -> str:
            await asyncio.sleep(0)
            activitylog.emit("image.resized")
            return "done"

        assert inspect.iscoroutinefunction(handler)
        assert asyncio.run(handler({}, LAMBDA)) == "done"
        activity.one("image.resized", request_id="i-1")

    def test_it_looks_like_the_handler(self) -> None:
        """Platforms find it by its name."""

        @flush_per_invocation
        def handler(event: Any, context: Any) -> None:
            """Resize an image."""

        assert (handler.__name__, handler.__doc__) == ("handler", "Resize an image.")
        assert list(inspect.signature(handler).parameters) == ["event", "context"]

    def test_without_configure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is as if there were nothing."""
        monkeypatch.setattr(config, "_state", config._State())

        @flush_per_invocation
        def handler(event: Any) -> Any:
            return event

        assert handler(7) == 7


class TestHowLongAnAnswerWaits:
    """For a rule's window that is not over, a second long: as for a backend that does not answer."""

    @pytest.fixture
    def windows(self) -> Iterator[CapturedActivities]:
        """Events wait until the second is over."""
        rules: Any = [{"match": "image.*", "max_per_second": 50}]
        with capture_activities(rules=rules) as captured:
            yield captured

    def handle(self, context: Any, **options: Any) -> float:
        """Seconds of an invocation that emits."""

        @flush_per_invocation(**options)
        def handler(event: Any, context: Any) -> None:
            activitylog.emit("image.resized")

        began = time.monotonic()
        handler({}, context)
        return time.monotonic() - began

    @pytest.mark.slow
    def test_until_all_is_sent(self, windows: CapturedActivities) -> None:
        """No longer."""
        self.handle(LAMBDA)
        windows.one("image.resized")

    def test_the_timeout(self, windows: CapturedActivities) -> None:
        """Then the rest waits for the next invocation."""
        assert self.handle(object(), timeout_seconds=0.05) < 0.5
        assert self.handle(LAMBDA, timeout_seconds=0) < 0.5

    def test_never_longer_than_the_platform_lets_it(self, windows: CapturedActivities) -> None:
        """A fifth of a second is left to the answer."""
        short = SimpleNamespace(get_remaining_time_in_millis=lambda: 210)
        over = SimpleNamespace(get_remaining_time_in_millis=lambda: -5)
        assert self.handle(short) < 0.5
        assert self.handle(over) < 0.5

    @pytest.mark.slow
    def test_the_loop_goes_on_meanwhile(self, windows: CapturedActivities) -> None:
        """Of a coroutine function: it may serve others."""

        @flush_per_invocation(timeout_seconds=0.5)
        async def handler(event: Any, context: Any) -> None:
            windows.clear()
            activitylog.emit("image.resized")

        async def both() -> int:
            turns = 0
            answer = asyncio.create_task(handler({}, LAMBDA))
            while not answer.done():
                await asyncio.sleep(0.001)
                turns += bool(activitylog.stats().held)
            return turns

        assert any(asyncio.run(both()) > 3 for _ in range(5))  # but for one that begins at the end of a second

    def test_a_platform_that_says_nonsense(self, windows: CapturedActivities) -> None:
        """The timeout counts."""

        def fail() -> None:
            raise RuntimeError

        for remaining in (fail, lambda: None, lambda: "soon"):
            broken = SimpleNamespace(get_remaining_time_in_millis=remaining)
            assert self.handle(broken, timeout_seconds=0.05) < 0.5
