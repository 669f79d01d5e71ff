"""What applications call."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import pydantic
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import activitylog
from activitylog.testing import CapturedActivities, capture_activities
from tests.strategies import Hostile, any_text, any_value


@pytest.fixture
def lenient() -> Iterator[CapturedActivities]:
    """As in production: nothing is raised."""
    with capture_activities(strict=False) as captured:
        yield captured


class TestEmit:
    def test_the_whole_event(self, activity: CapturedActivities) -> None:
        """Every keyword finds its place."""
        assert activitylog.emit(
            "message.moved",
            actor="user:1",
            object=("message", 2),
            target="channel:3",
            tenant="acme",
            message="moved it",
            session="s1",
            request_id="r1",
            duration=0.5,
            timestamp=1_700_000_000_000_000_000,
            reason="spam",
        )
        event = activity.one()
        assert (event.name, event.message, event.timestamp_ns) == (
            "message.moved",
            "moved it",
            1_700_000_000_000_000_000,
        )
        attributes = dict(event.attributes)
        assert len(attributes.pop("log.record.uid")) == 36
        assert len(attributes.pop("activity.producer")) == 11
        assert attributes == {
            "user.id": "1",
            "activity.object.type": "message",
            "activity.object.id": "2",
            "activity.target.type": "channel",
            "activity.target.id": "3",
            "activity.tenant.id": "acme",
            "session.id": "s1",
            "activity.request.id": "r1",
            "activity.duration": 0.5,
            "activity.seq": 1,
            "reason": "spam",
        }

    def test_an_attribute_called_event_is_kept(self, activity: CapturedActivities) -> None:
        """structlog reserves the key; the value must not vanish."""
        activitylog.emit("door.opened", event="concert")
        assert activity.one().attributes["event_"] == "concert"

    def test_strict_raises_what_production_repairs(self, activity: CapturedActivities) -> None:
        """Under the fixture a bad value fails the test that emits it."""
        with pytest.raises(activitylog.StrictModeError, match="payload:type"):
            activitylog.emit("a.b", payload=object())

    def test_production_keeps_the_event_and_flags_it(self, lenient: CapturedActivities) -> None:
        """The same event in production."""
        assert activitylog.emit("a.b", payload=object())
        assert lenient.one().attributes["activity.sanitized"] == ["payload:type"]
        assert activitylog.stats().sanitized == 1

    def test_a_failure_inside_is_counted_and_logged_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """An application's processor that fails costs the event, never the caller; no value is logged."""

        def broken(_logger: Any, _name: str, _event: Any) -> Any:
            raise RuntimeError("secret-token")

        with capture_activities(strict=False, processors=[broken]), caplog.at_level(logging.ERROR):
            assert not activitylog.emit("a.b", token="secret-token")
            assert not activitylog.emit("a.b", token="secret-token")
            assert activitylog.stats().dropped == {"error": 2}
        (line,) = [record.getMessage() for record in caplog.records if record.name == "activitylog"]
        assert "RuntimeError" in line
        assert "test_emit.py" in line
        assert "secret-token" not in line + caplog.text

    def test_logging_that_fails_does_not_reach_the_caller(self) -> None:
        """An application's filter may raise; emit does not."""

        def broken(_logger: Any, _name: str, _event: Any) -> Any:
            raise RuntimeError("inside")

        def refuse(_record: logging.LogRecord) -> bool:
            raise ValueError("the filter")

        logging.getLogger("activitylog").addFilter(refuse)
        try:
            with capture_activities(strict=False, processors=[broken]):
                assert not activitylog.emit("a.b")
                assert activitylog.stats().dropped == {"error": 1}
        finally:
            logging.getLogger("activitylog").removeFilter(refuse)

    def test_an_interruption_goes_on_and_is_counted(self) -> None:
        """Ctrl-C inside the chain is the application's; the event is not lost unseen."""

        def interrupted(_logger: Any, _name: str, _event: Any) -> Any:
            raise KeyboardInterrupt

        with capture_activities(strict=False, processors=[interrupted]):
            with pytest.raises(KeyboardInterrupt):
                activitylog.emit("a.b")
            assert activitylog.stats().dropped == {"interrupted": 1}

    def test_the_applications_structlog_is_untouched(self, activity: CapturedActivities) -> None:
        """A global configuration neither sees nor changes our events."""
        seen: list[Any] = []

        def see(_logger: Any, _name: str, event: Any) -> str:
            seen.append(event)
            return ""

        structlog.configure(processors=[see])
        try:
            activitylog.emit("a.b")
            activitylog.get_logger().info("a.b")
        finally:
            structlog.reset_defaults()
        assert seen == []
        assert activity.names == ["a.b", "a.b"]

    def test_in_a_coroutine_it_is_the_same_call(self, activity: CapturedActivities) -> None:
        """There is nothing to await."""

        async def handler() -> None:
            activitylog.emit("page.viewed")

        asyncio.run(handler())
        assert activity.names == ["page.viewed"]


#: Keywords that mean something to emit, and names of parameters on the way.
KEYWORDS = [
    "actor",
    "object",
    "objects",
    "target",
    "tenant",
    "error",
    "outcome",
    "duration",
    "timestamp",
    "request",
    "message",
    "event",
    "session",
    "count",
    "trace_id",
    "span_id",
    "trace_flags",
    "exc_info",
    "on_behalf_of",
    "activity.sanitized",
    "log.record.uid",
    "self",
    "method_name",
    "values",
    "args",
    "name",
    "logger",
]


def keywords() -> st.SearchStrategy[str]:
    """Any keyword, those that mean something above all."""
    return st.one_of(any_text(), st.sampled_from(KEYWORDS))


@pytest.mark.slow
@given(st.one_of(any_text(), any_value()), st.dictionaries(keywords(), any_value(), max_size=6))
def test_emit_never_raises(event: Any, values: dict[str, Any]) -> None:
    """Any value whatever, under any keyword, is an event or a count, and never an exception."""
    with capture_activities(strict=False) as captured:
        handed_on = [activitylog.emit(event, **values), activitylog.get_logger().info(event, **values)]
        stats = activitylog.stats()
        assert stats.emitted + sum(stats.dropped.values()) == 2
        assert len(captured) == sum(handed_on)


@pytest.mark.slow
@given(st.lists(any_value(), max_size=4), st.dictionaries(keywords(), any_value(), max_size=3))
def test_emit_many_and_bind_never_raise(items: list[Any], common: dict[str, Any]) -> None:
    """The same promise for bulk and for context."""
    with capture_activities(strict=False), activitylog.bind(**common):
        activitylog.emit_many("a.b", items, **common)
        stats = activitylog.stats()
        assert stats.emitted + sum(stats.dropped.values()) == len(items)


class TestEmitMany:
    def test_one_event_for_each_item(self, activity: CapturedActivities) -> None:
        """Items are objects, or mappings of further keywords."""
        count = activitylog.emit_many(
            "user.activated", ["user:1", {"object": "user:2", "plan": "pro"}], actor="user:9"
        )
        assert count == 2
        assert [event.object for event in activity] == ["user:1", "user:2"]
        assert [event.actor for event in activity] == ["user:9", "user:9"]
        assert activity[1].attributes["plan"] == "pro"

    def test_an_iterable_that_fails_half_way(self, lenient: CapturedActivities) -> None:
        """What came before is emitted, the failure is counted."""

        def items() -> Iterator[str]:
            yield "user:1"
            raise RuntimeError("connection lost")

        assert activitylog.emit_many("user.activated", items()) == 1
        assert len(lenient) == 1
        assert activitylog.stats().dropped == {"error": 1}


class TestGetLogger:
    def test_structlogs_habits(self, activity: CapturedActivities) -> None:
        """bind and unbind are structlog's; the method sets the severity."""
        log = activitylog.get_logger(tenant="acme").bind(actor="user:1")
        log.info("message.sent", channel="general")
        log.unbind("actor").warning("quota.reached")
        log.error("export.failed", outcome="failure")
        assert [(event.name, event.severity, event.actor) for event in activity] == [
            ("message.sent", "INFO", "user:1"),
            ("quota.reached", "WARN", ""),
            ("export.failed", "ERROR", "user:1"),
        ]
        assert {event.attributes["activity.tenant.id"] for event in activity} == {"acme"}

    def test_exception_notes_the_one_being_handled(self, activity: CapturedActivities) -> None:
        """As in logging."""
        try:
            raise KeyError("x")
        except KeyError:
            activitylog.get_logger().exception("import.failed")
        assert activity.one().attributes["error.type"] == "KeyError"

    def test_none_never_shadows(self, activity: CapturedActivities) -> None:
        """Not what the logger has bound, not what emit_many shares, not what an activity was given."""
        activitylog.get_logger(actor="user:1").info("a.b", actor=None)
        activitylog.emit_many("a.b", [{"actor": None, "object": "page:1"}], actor="user:1")
        with activitylog.activity("a.b", actor="user:1") as act:
            act.add(actor=None)
        assert [event.actor for event in activity] == ["user:1"] * 3

    def test_any_name_may_be_bound(self, activity: CapturedActivities) -> None:
        """Names of parameters on the way included."""
        activitylog.get_logger(self=1, event=2).info("a.b")
        assert activity.one().attributes["self"] == 1

    def test_positional_arguments_do_not_raise(self, lenient: CapturedActivities) -> None:
        """logging's %-style has no place here; it must not break the caller."""
        activitylog.get_logger().info("a.b", 1, "two")
        assert lenient.one().attributes["positional_arguments"] == [1, "two"]


class TestActivity:
    def test_a_block(self, activity: CapturedActivities) -> None:
        """Duration and outcome for free, and what the block adds."""
        with activitylog.activity("import.run", object="job:1") as act:
            act.add(rows=3)
        event = activity.one("import.run")
        assert event.outcome == "success"
        assert event.attributes["rows"] == 3
        assert event.attributes["activity.duration"] >= 0

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [(ValueError("x"), "failure"), (PermissionError("x"), "denied"), (KeyboardInterrupt(), "unknown")],
    )
    def test_an_exception_is_noted_and_goes_on(
        self, activity: CapturedActivities, error: BaseException, outcome: str
    ) -> None:
        """The caller sees its exception, the log its class."""
        with pytest.raises(type(error)), activitylog.activity("import.run"):
            raise error
        event = activity.one("import.run")
        assert event.outcome == outcome
        assert event.attributes["error.type"] == type(error).__name__

    def test_a_function(self, activity: CapturedActivities) -> None:
        """Each call is one event; the function's own result and name stay."""

        @activitylog.activity("report.exported", tenant="acme")
        def export(n: int) -> int:
            """Export it."""
            return n + 1

        assert export(1) == 2
        assert export(2) == 3
        assert export.__doc__ == "Export it."
        assert activity.names == ["report.exported"] * 2

    def test_a_coroutine_function(self, activity: CapturedActivities) -> None:
        """The event comes when the coroutine has ended, not when it was made."""

        @activitylog.activity("report.exported")
        async def export() -> int:
            assert len(activity) == 0
            await asyncio.sleep(0)
            return 7

        assert asyncio.run(export()) == 7
        assert activity.names == ["report.exported"]

    def test_one_object_used_again(self, activity: CapturedActivities) -> None:
        """The second block does not repeat what the first one found, and blocks may be nested."""
        act = activitylog.activity("import.run", tenant="acme")
        with contextlib.suppress(ValueError), act:
            act.add(rows=1)
            raise ValueError("first")
        with act, act:
            pass
        outcomes = [(event.outcome, event.attributes.get("rows")) for event in activity]
        assert outcomes == [("failure", 1), ("success", None), ("success", None)]

    def test_an_async_block(self, activity: CapturedActivities) -> None:
        """async with is the same."""

        async def run() -> None:
            async with activitylog.activity("import.run"):
                await asyncio.sleep(0)

        asyncio.run(run())
        assert activity.names == ["import.run"]

    def test_a_generator_function_is_left_alone(self, activity: CapturedActivities) -> None:
        """It is returned as it is, and says so."""

        def rows() -> Iterator[int]:
            yield 1

        with pytest.warns(UserWarning, match="leaves the generator function"):
            assert activitylog.activity("rows.read")(rows) is rows


class TestTypedEvents:
    def test_of_every_library(self, activity: CapturedActivities) -> None:
        """dataclass, attrs, msgspec and pydantic, by what they leave on the class."""

        @activitylog.event("message.sent", version=2)
        @dataclasses.dataclass(frozen=True, slots=True)
        class Data:
            channel: str
            actor: str

        @activitylog.event("message.sent", version=2)
        @attrs.define
        class Attrs:
            channel: str
            actor: str

        @activitylog.event("message.sent", version=2)
        class Struct(msgspec.Struct):
            channel: str
            actor: str

        @activitylog.event("message.sent", version=2)
        class Model(pydantic.BaseModel):
            channel: str
            actor: str

        for cls in (Data, Attrs, Struct, Model):
            activitylog.emit(cls(channel="general", actor="user:1"), object="message:1")
            activitylog.get_logger().info(cls(channel="general", actor="user:1"), object="message:1")
        assert len(activity.find("message.sent", channel="general", actor="user:1", object="message:1")) == 8
        assert {event.attributes["activity.schema.version"] for event in activity} == {2}

    def test_keywords_win_over_fields(self, activity: CapturedActivities) -> None:
        """The call says more than the class."""

        @activitylog.event("message.sent")
        @dataclasses.dataclass
        class Sent:
            channel: str

        activitylog.emit(Sent("general"), channel="random")
        assert activity.one().attributes["channel"] == "random"

    @pytest.mark.parametrize("name", ["Message Sent", "message", "", "a..b", "x" * 200 + ".y", 5])
    def test_a_wrong_name_fails_at_once(self, name: Any) -> None:
        """At the declaration, with the rule."""
        with pytest.raises(activitylog.ConfigurationError, match="lower case words joined by dots"):
            activitylog.event(name)

    def test_a_class_without_fields_fails_at_once(self) -> None:
        """A plain class has nothing to give."""
        with pytest.raises(activitylog.ConfigurationError, match="no fields"):

            @activitylog.event("a.b")
            class Plain:
                pass

    def test_a_field_that_cannot_be_read(self, lenient: CapturedActivities) -> None:
        """The event is kept."""

        @activitylog.event("a.b")
        @dataclasses.dataclass
        class Holder:
            value: Any

        activitylog.emit(Holder(Hostile()))
        assert lenient.one().attributes["value"] == "<Hostile>"
