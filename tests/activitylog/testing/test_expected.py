"""Which events are the expected ones."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import uuid
from typing import Any
from unittest.mock import ANY

import attrs
import dirty_equals
import pytest
from hypothesis import given
from hypothesis import strategies as st

import activitylog
from activitylog.testing import CapturedEvent, IsEvent, capture_activities
from activitylog.testing.expected import Difference, expectation
from tests.activitylog.testing.people import FORMS, Member, Model, Thing, ids, kinds
from tests.strategies import Hostile, any_value

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
ROLES = ("actor", "object", "target")


def captured(*event: Any, **values: Any) -> CapturedEvent:
    """The event that a call of ``emit`` makes: repaired as in production, with no secret taken out."""
    with capture_activities(strict=False, redaction={"enabled": False}) as activity:
        activitylog.emit(*event, **values)
    return activity[0]


@activitylog.event("message.sent", version=2)
@dataclasses.dataclass
class MessageSent:
    """A typed event."""

    channel: str
    actor: Any = None


class TestEntities:
    @given(kinds(), ids(), st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(FORMS)))
    def test_every_form_means_the_same(self, kind: str, id: str, emitted: str, expected: str) -> None:
        """Whoever was emitted in one form is expected in any."""
        event = captured("a.b", **dict.fromkeys(ROLES, FORMS[emitted](kind, id)))
        assert event == IsEvent("a.b", **dict.fromkeys(ROLES, FORMS[expected](kind, id)))

    @given(st.tuples(kinds(), ids()), st.tuples(kinds(), ids()), st.sampled_from(sorted(FORMS)))
    def test_nobody_else_is_meant(self, one: tuple[str, str], other: tuple[str, str], form: str) -> None:
        """Another type or another id is somebody else."""
        event = captured("a.b", **dict.fromkeys(ROLES, FORMS[form](*one)))
        for role in ROLES:
            assert (event == IsEvent("a.b", **{role: FORMS[form](*other)})) is (one == other)

    @pytest.mark.parametrize(
        ("emitted", "expected", "same"),
        [
            ("42", "user:42", True),
            (42, ("user", "42"), True),
            (Member(42), "user:42", True),
            (Member(42), Member(42), True),
            (Member(42), Member(43), False),
            (("User", 42), "user:42", True),
            (Thing(42), "Thing:42", True),
            (Thing(42), "user:42", False),
            ("service:42", "42", False),
            ("user:42", "service:42", False),
            (Model("auth.user", 42), Model("auth.user", 42), True),
            (Model("auth.user", 42), "user:42", False),
            ("user:42", Hostile(), False),
            ("user:42", object(), False),
        ],
    )
    def test_an_actor_is_a_user_or_not(self, emitted: Any, expected: Any, same: bool) -> None:
        """As the chain has it: users have an attribute of their own."""
        assert (captured("a.b", actor=emitted) == IsEvent("a.b", actor=expected)) is same

    def test_an_object_without_a_type_is_none_with_one(self) -> None:
        """``"7"`` is not every 7."""
        assert captured("a.b", object="message:7") != IsEvent("a.b", object="7")
        assert captured("a.b", object="7") == IsEvent("a.b", object=7)

    def test_many_objects(self) -> None:
        """In any of their forms, all of them and no others."""
        event = captured("a.b", objects=[("user", 1), Model("user", 2)])
        assert event == IsEvent(objects=["user:1", "user:2"])
        assert event == IsEvent(objects=["user:1", "user:2"], count=2)
        assert event != IsEvent(objects=["user:1"])
        assert event != IsEvent(object="user:1")
        assert captured("a.b", objects=["user:1"], count=7) == IsEvent(objects=[("user", 1)], count=7)

    def test_tenants(self) -> None:
        """They may be objects, too."""
        assert captured("a.b", tenant=Thing("acme")) == IsEvent(tenant="acme")
        assert captured("a.b", tenant="acme") == IsEvent(tenant=Thing("acme"))


class TestValues:
    @given(any_value().filter(lambda value: not hasattr(value, "__next__")))
    def test_an_event_is_what_it_was_emitted_with(self, value: Any) -> None:
        """Whatever the chain makes of a value. What it cannot store at all is expected by nobody."""
        event = captured("a.b", value=value)
        if "value" in event.attributes:
            assert event == IsEvent("a.b", value=value)
        elif value is None:
            assert event == IsEvent("a.b", value=None)
        else:
            assert event != IsEvent("a.b", value=value)

    @pytest.mark.parametrize(
        "values",
        [
            {"channel": "general"},
            {"when": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
            {"price": decimal.Decimal("1.50")},
            {"key": uuid.UUID(int=1)},
            {"tags": ("a", "b")},
            {"nested": {"a": [1, {"b": (2,)}]}},
            {"duration": dt.timedelta(seconds=1.5)},
            {"duration": 0.1234567},
            {"error": ValueError("wrong")},
            {"error": ValueError},
            {"error": ValueError("wrong"), "outcome": "denied"},
            {"outcome": "success"},
            {"outcome": "failure", "tenant": 3, "session": "s", "request_id": "r", "on_behalf_of": ("user", 1)},
            {"message": "hello"},
            {"request": {"http.route": "/a", "client.address": "::1"}},
            {"timestamp": dt.datetime(2026, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))},
            {"timestamp": 1_700_000_000_000_000_001},
            {"timestamp": 1_700_000_000.123456},
            {"event": "concert"},
            {"durable": True},
            {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"},
            {"count": 7, "activity.schema.version": 3},
        ],
        ids=str,
    )
    def test_each_keyword(self, values: dict[str, Any]) -> None:
        """In the form in which it was given; and an event without it is another one."""
        assert captured("a.b", **values) == IsEvent("a.b", **values)
        assert (captured("a.b") == IsEvent("a.b", **values)) is (values == {"outcome": "success"})

    def test_other_values_are_others(self) -> None:
        """Types and spelling count."""
        event = captured("a.b", count=3, channel="general", timestamp=1_700_000_000_000_000_000)
        for other in ({"count": "3"}, {"count": 4}, {"channel": "General"}, {"chanel": "general"}):
            assert event != IsEvent("a.b", **other)
        assert event != IsEvent("c.d", count=3)
        assert event != IsEvent("a.b", timestamp=1_700_000_000_000_001_000)
        assert event == IsEvent(timestamp="2023-11-14T22:13:20Z")
        assert event != IsEvent(timestamp="yesterday")

    def test_none_is_for_what_is_not_there(self) -> None:
        """Of a person as of any value."""
        event = captured("a.b", channel="general")
        assert event == IsEvent(actor=None, length=None, message=None, timestamp=ANY)
        assert event != IsEvent(channel=None)
        assert captured("a.b", actor="user:1") != IsEvent(actor=None)
        assert event == IsEvent(actor="", object="")

    def test_a_secret_was_not_stored(self) -> None:
        """What redaction took out is in no event; what it left there is."""
        with capture_activities() as activity:
            activitylog.emit("a.b", password="hunter2")
        event = activity.one()
        assert event != IsEvent("a.b", password="hunter2")
        assert event == IsEvent("a.b", password="[redacted]")


class TestWhatComparesAsEqual:
    @pytest.mark.parametrize(
        ("key", "equal", "unequal"),
        [
            ("channel", ANY, dirty_equals.IsInt()),
            ("channel", dirty_equals.IsStr(regex="gen.*"), dirty_equals.IsStr(regex="ran.*")),
            ("duration", pytest.approx(0.5, abs=0.01), pytest.approx(0.6)),
            ("actor", dirty_equals.IsStr(regex=r"user:\d+"), dirty_equals.IsStr(regex="bot:.*")),
            ("actor", ANY, dirty_equals.IsOneOf("user:1")),
            ("timestamp", dirty_equals.IsDatetime(gt=LONG_AGO), dirty_equals.IsDatetime(lt=LONG_AGO)),
            ("nested", {"a": ANY, "b": dirty_equals.IsInt(gt=1)}, {"a": ANY, "b": 3}),
            ("nested", dirty_equals.IsPartialDict(b=2), dirty_equals.IsPartialDict(c=2)),
            ("event", dirty_equals.IsStr(), dirty_equals.IsInt()),
        ],
        ids=repr,
    )
    def test_may_stand_for_a_value(self, key: str, equal: Any, unequal: Any) -> None:
        """Of any library: only its ``==`` is asked."""
        event = captured("a.b", actor="user:42", channel="general", duration=0.501, nested={"a": 1, "b": 2})
        assert event == IsEvent(None, **{key: equal})
        assert event != IsEvent(None, **{key: unequal})

    def test_does_not_stand_for_nothing(self) -> None:
        """ANY is for any value, not for none."""
        assert captured("a.b") != IsEvent("a.b", channel=ANY)
        assert captured("a.b") != IsEvent("a.b", actor=ANY)

    def test_may_stand_for_the_name(self) -> None:
        """As for every value."""
        assert captured("message.sent") == IsEvent(dirty_equals.IsStr(regex=r"message\..*"))

    def test_may_fail(self) -> None:
        """What cannot be compared is not equal."""

        class Unequal:
            def __eq__(self, other: object) -> bool:
                raise RuntimeError("no")

            __hash__ = None  # type: ignore[assignment]

        assert captured("a.b", channel="general") != IsEvent(channel=Unequal())


class TestTypedEvents:
    def test_an_instance_expects_its_fields(self) -> None:
        """And its version; what is None says nothing, as in emit."""
        event = captured(MessageSent("general"), actor="user:1")
        assert event == IsEvent(MessageSent("general"))
        assert event == IsEvent(MessageSent("general", actor=("user", 1)), object=None)
        assert event != IsEvent(MessageSent("random"))
        assert captured("message.sent", channel="general") != IsEvent(MessageSent("general"))

    def test_the_class_expects_its_name(self) -> None:
        """With values beside it, or without."""
        assert captured(MessageSent("general")) == IsEvent(MessageSent, channel="general")
        assert captured("a.b") != IsEvent(MessageSent)

    def test_a_class_that_was_not_declared_expects_nothing(self) -> None:
        """It has no name."""

        @attrs.define
        class Undeclared:
            channel: str

        assert captured("a.b", channel="general") != IsEvent(Undeclared)


class TestForms:
    def test_of_expected_events_in_lists(self) -> None:
        """A name, a pair of a name and values, a typed event, or the thing itself."""
        itself = IsEvent("a.b", x=1)
        assert expectation(itself) is itself
        forms = ["a.b", ("a.b", {"x": 1, "http.route": "/"}), MessageSent("general"), MessageSent]
        assert list(map(repr, map(expectation, forms))) == [
            "IsEvent('a.b')",
            "IsEvent('a.b', x=1, http.route='/')",
            "IsEvent('message.sent', channel='general', activity.schema.version=2)",
            "IsEvent('message.sent')",
        ]

    def test_of_its_text(self) -> None:
        """Whoever is expected is named by type and id, as in the events."""
        expected = IsEvent("a.b", actor=Member(1), object=("message", 7), objects=[Model("user", 2)], n=1)
        assert repr(expected) == "IsEvent('a.b', actor='user:1', object='message:7', objects=['user:2'], n=1)"
        assert str(expected) == "a.b with actor='user:1', object='message:7', objects=['user:2'], n=1"
        assert (str(IsEvent()), str(IsEvent(x=ANY))) == ("any event", "any event with x=<ANY>")

    def test_it_is_equal_to_nothing_but_events(self) -> None:
        """And it cannot be a key."""
        assert IsEvent("a.b") != "a.b"
        assert IsEvent("a.b") != IsEvent("a.b")
        with pytest.raises(TypeError, match="unhashable"):
            hash(IsEvent("a.b"))


class TestDifferences:
    def test_name_what_is_not_as_expected(self) -> None:
        """The name first; people by type and id."""
        event = captured("a.b", actor="user:1", channel="general", length=3)
        expected = IsEvent("a.c", actor=Member(2), channel="general", length=4, tenant="acme")
        differences = expected.differences(event)
        assert differences[:3] == [
            Difference("event", "a.c", "a.b"),
            Difference("actor", "user:2", "user:1"),
            Difference("length", 4, 3),
        ]
        assert (differences[3].key, repr(differences[3].actual)) == ("tenant", "missing")
