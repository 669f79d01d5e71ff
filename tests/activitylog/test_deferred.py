"""Events that are taken now and emitted later."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

import activitylog
from activitylog.deferred import defer, defer_many
from activitylog.testing import CapturedActivities, capture_activities
from tests.strategies import Hostile, any_text, any_value

#: What differs between any two events.
OWN = ("log.record.uid", "activity.seq")


@pytest.fixture
def lenient() -> Iterator[CapturedActivities]:
    """As in production: nothing is raised."""
    with capture_activities(strict=False) as captured:
        yield captured


class Order:
    """A row, which loses its id when it is deleted."""

    def __init__(self, pk: int | None) -> None:
        self.pk = pk


@activitylog.event("order.paid", version=3)
@dataclass
class OrderPaid:
    amount: int


def said(captured: CapturedActivities) -> list[Any]:
    """What the events say, without what differs between any two."""
    return [
        (event.name, event.message, event.severity, {k: v for k, v in event.attributes.items() if k not in OWN})
        for event in captured.events
    ]


class TestDefer:
    def test_nothing_is_emitted_until_it_is_asked_for(self, activity: CapturedActivities) -> None:
        """And what is never asked for never happened."""
        emit = defer("order.paid", object="order:1")
        defer("order.cancelled", object="order:1")
        assert activity.names == []
        assert emit() is True
        assert activity.names == ["order.paid"]

    def test_it_says_what_was_so_when_it_was_taken(self, activity: CapturedActivities) -> None:
        """The ids, what is bound, the attributes: whatever becomes of them."""
        order, items, tenant = Order(7), ["book"], ["acme"]
        with activitylog.bind(actor="user:1", tenant=lambda: tenant[0]):
            emit = defer("order.deleted", object=order, items=items, message="gone")
        order.pk = None
        items.clear()
        tenant[0] = "other"
        with activitylog.bind(actor="user:2", session="s"):
            emit()
        event = activity.one("order.deleted", actor="user:1", tenant="acme", items=["book"], message="gone")
        assert event.object == "Order:7"
        assert "session.id" not in event.attributes

    def test_its_time_is_when_it_was_taken(self, activity: CapturedActivities) -> None:
        """Not when it is emitted."""
        before = time.time_ns() // 1000 * 1000
        emit = defer("order.paid")
        after = time.time_ns()
        emit()
        defer("order.paid", timestamp=1_700_000_000_000_000_000)()
        first, second = activity.events
        assert before <= first.timestamp_ns <= after
        assert second.timestamp_ns == 1_700_000_000_000_000_000

    def test_its_trace_is_the_one_of_when_it_was_taken(self, activity: CapturedActivities) -> None:
        """None, too."""
        tracer = TracerProvider().get_tracer("test")
        outside = defer("order.paid")
        with tracer.start_as_current_span("request") as span:
            inside = defer("order.paid")
        with tracer.start_as_current_span("other"):
            outside()
            inside()
        here = span.get_span_context()
        assert [(event.trace_id, event.span_id) for event in activity.events] == [
            (0, 0),
            (here.trace_id, here.span_id),
        ]

    def test_it_may_be_emitted_by_any_thread(self, activity: CapturedActivities) -> None:
        """What says it needs nothing of the thread that took it."""
        with activitylog.bind(actor="user:1"):
            thread = threading.Thread(target=defer("order.paid"))
        thread.start()
        thread.join()
        activity.one("order.paid", actor="user:1")

    def test_an_error_and_its_outcome(self, activity: CapturedActivities) -> None:
        """Read when it was taken."""
        try:
            raise LookupError("no such card")
        except LookupError as error:
            emit = defer("order.failed", error=error, exc_info=True, duration=0.25)
        emit()
        event = activity.one("order.failed", outcome="failure", duration=0.25, severity="ERROR")
        assert event.attributes["exception.message"] == "no such card"
        assert "test_an_error_and_its_outcome" in event.attributes["exception.stacktrace"]

    def test_a_typed_event(self, activity: CapturedActivities) -> None:
        """Its fields are read when it is taken."""
        paid = OrderPaid(12)
        emit = defer(paid, object="order:1")
        paid.amount = 0
        emit()
        activity.one("order.paid", amount=12, object="order:1", **{"activity.schema.version": 3})

    def test_it_is_redacted_and_cut_like_any_other(self, lenient: CapturedActivities) -> None:
        """By the pipeline that emits it; a secret that a cut would halve is gone, too."""
        secret = "x" * 8_180 + " sk_live_abcdefghijklmnopqrstuvwxyz"
        values: Any = {"password": "geheim", "note": secret, "deep": [[[[[[[[[[1]]]]]]]]]], "object": object()}
        defer("order.paid", **values)()
        activitylog.emit("order.paid", **values)
        first, second = said(lenient)
        assert first == second
        assert "geheim" not in repr(first)
        assert "sk_live" not in repr(first)

    def test_rules_are_asked_when_it_is_emitted(self) -> None:
        """They see in it what they would have seen in the event itself."""
        rules: Any = [
            {"match": {"actor": "user:1"}, "drop": True},
            {"match": {"tenant": "acme", "object_type": "Order", "outcome": "success"}, "drop": True},
            {"match": {"attributes": {"channel": "general"}}, "drop": True},
        ]
        with capture_activities(rules=rules) as captured:
            for values in (
                {"actor": "1"},
                {"object": Order(1), "tenant": "acme"},
                {"channel": "general"},
                {"object": Order(1), "tenant": "acme", "outcome": "denied"},
            ):
                defer("order.paid", **values)()
        (left,) = captured.events
        assert left.outcome == "denied"

    def test_durable_goes_along(self, activity: CapturedActivities) -> None:
        """It is a keyword of emit, no attribute."""
        defer("order.paid", durable=True)()
        assert "durable" not in activity.one("order.paid").attributes

    def test_hostile_values_are_counted_and_never_raised(self, lenient: CapturedActivities) -> None:
        """Neither when they are taken nor when they are emitted."""
        assert defer("order.paid", object=Hostile(), actor=Hostile(), x=Hostile())() is True
        flags = lenient.find("order.paid")[0].attributes["activity.sanitized"]
        assert {"object:unreadable", "actor:unreadable", "x:unreadable"} <= set(flags)

    def test_what_cannot_be_taken_is_counted(self, lenient: CapturedActivities) -> None:
        """As an error; what would have emitted it does nothing."""

        @activitylog.event("order.read")
        @dataclass
        class Unreadable:
            amount: int

            def __getattribute__(self, name: str) -> Any:
                raise RuntimeError("no")

        emit = defer(Unreadable(1))
        assert emit() is False
        assert activitylog.stats().dropped == {"error": 1}
        assert lenient.names == []

    def test_when_nothing_is_configured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is counted when it is emitted, as emit does it."""
        monkeypatch.setattr(activitylog.config, "_state", activitylog.config._State())
        emit = defer("order.paid")
        assert activitylog.stats().dropped == {}
        assert emit() is False
        assert activitylog.stats().dropped == {"not_configured": 1}

    @given(st.dictionaries(any_text(), any_value(), max_size=4))
    def test_it_says_what_emit_would_have_said(self, values: dict[str, Any]) -> None:
        """Whatever the values, taken and emitted at once."""
        values = {"timestamp": 1_700_000_000_000_000_000, **values}
        for key in ("exc_info", "event"):  # the stack has the place of the call in it
            values.pop(key, None)
        if isinstance(values.get("objects"), Iterator):  # whoever comes first uses it up
            del values["objects"]
        with capture_activities(strict=False) as captured:
            activitylog.emit("thing.done", **values)
            defer("thing.done", **values)()
            first, second = said(captured)
        assert first == second


class TestDeferMany:
    def test_one_event_for_each_item(self, activity: CapturedActivities) -> None:
        """As emit_many does it: objects or mappings, with what all share, and the context read once."""
        calls = []

        def actor() -> str:
            calls.append(1)
            return "user:1"

        orders = [Order(1), Order(2)]
        with activitylog.bind(actor=actor):
            emit = defer_many("order.paid", [*orders, {"object": "order:3", "amount": None}], amount=5)
        orders[0].pk = None
        assert (activity.names, len(calls)) == ([], 1)
        assert emit() == 3
        assert [event.object for event in activity.events] == ["Order:1", "Order:2", "order:3"]
        assert [event.attributes["amount"] for event in activity.events] == [5, 5, 5]
        assert {event.actor for event in activity.events} == {"user:1"}

    def test_items_that_fail_midway(self, lenient: CapturedActivities) -> None:
        """What came before is emitted, the failure is counted."""

        def items() -> Iterator[str]:
            yield "order:1"
            raise RuntimeError("the cursor is gone")

        assert defer_many("order.paid", items())() == 1
        assert activitylog.stats().dropped == {"error": 1}
        lenient.one("order.paid", object="order:1")
