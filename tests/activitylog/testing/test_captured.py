"""One captured event, and what it says in plain data."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import activitylog
from activitylog.testing import CapturedActivities, CapturedEvent, capture_activities
from tests.activitylog.testing.people import FORMS, ids, kinds
from tests.strategies import clean_value


def captured(*event: Any, **values: Any) -> CapturedEvent:
    """The event that a call of ``emit`` makes."""
    with capture_activities(strict=False) as activity:
        activitylog.emit(*event, **values)
    return activity[0]


class TestSummary:
    @pytest.mark.parametrize(
        ("values", "summary"),
        [
            ({}, "a.b success"),
            ({"actor": "user:42", "object": ("message", 7)}, "a.b user:42 -> message:7 success"),
            ({"actor": "service:mail", "outcome": "denied"}, "a.b service:mail denied"),
            (
                {"actor": "user:1", "object": "message:2", "target": "channel:3"},
                "a.b user:1 -> message:2 to channel:3 success",
            ),
            ({"objects": ["user:1", "user:2"]}, "a.b -> user:1, user:2 success x2"),
            ({"objects": [("user", n) for n in range(9)]}, "a.b -> user:0, user:1, user:2, ... success x9"),
            ({"object": "channel:1", "count": 12}, "a.b -> channel:1 success x12"),
        ],
    )
    def test_says_who_did_what_to_which_object(self, values: dict[str, Any], summary: str) -> None:
        """In one line."""
        assert captured("a.b", **values).summary == summary


class TestAsDict:
    def test_uses_the_keywords_of_emit(self) -> None:
        """Ids and times, which differ from run to run, are left out."""
        event = captured(
            "message.moved",
            actor=("user", 1),
            object="message:2",
            target="channel:3",
            tenant="acme",
            session="s",
            duration=0.5,
            message="moved it",
            error="spam",
            channel="general",
        )
        assert event.as_dict() == {
            "event": "message.moved",
            "actor": "user:1",
            "object": "message:2",
            "target": "channel:3",
            "message": "moved it",
            "channel": "general",
            "tenant": "acme",
            "outcome": "failure",
            "error": "spam",
            "duration": 0.5,
            "session": "s",
        }

    def test_has_times_and_ids_when_asked(self) -> None:
        """The time as ISO 8601 text in UTC."""
        with capture_activities() as activity:
            activity.freeze("2026-01-01T12:00:00+01:00")
            activitylog.emit("a.b", objects=["user:1"])
        assert activity.as_dicts(times=True, ids=True) == [
            {
                "event": "a.b",
                "timestamp": "2026-01-01T11:00:00Z",
                "objects": ["user:1"],
                "count": 1,
                "log.record.uid": "019b7936-e780-7001-8000-000000000000",
                "activity.producer": "00000000000",
                "activity.seq": 1,
            }
        ]

    @given(
        kinds(),
        ids(),
        st.sampled_from(sorted(FORMS)),
        st.sampled_from(["success", "failure", "denied", "unknown"]),
        st.dictionaries(st.sampled_from(["channel", "length", "http.route"]), clean_value()),
    )
    def test_is_what_emit_takes(self, kind: str, id: str, form: str, outcome: str, others: dict[str, Any]) -> None:
        """Emitted again, it is the same event."""
        who = FORMS[form](kind, id)
        event = captured("a.b", actor=who, object=who, objects=None, target=who, outcome=outcome, **others)
        again = event.as_dict()
        assert captured(again.pop("event"), **again).as_dict() == event.as_dict()


class TestValues:
    def test_are_found_by_keyword_and_by_attribute(self) -> None:
        """Both names mean the same."""
        event = captured("a.b", actor="user:1", tenant="acme", timestamp=1_700_000_000_000_000_000, durable=True)
        assert event["tenant"] == event["activity.tenant.id"] == "acme"
        assert event["actor"] == "user:1"
        assert event["user.id"] == "1"
        assert event["timestamp"] == event.timestamp == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)
        assert event["timestamp_ns"] == 1_700_000_000_000_000_000
        assert (event["event"], event["outcome"], event["severity"]) == ("a.b", "success", "INFO")
        assert event["durable"] is True

    def test_are_compared_in_any_form(self) -> None:
        """As in every assertion."""
        event = captured("a.b", actor="user:1", channel="general")
        assert event.matches({"actor": ("user", 1), "channel": "general"})
        assert not event.matches({"channel": "random"})

    def test_that_are_not_there(self) -> None:
        """A default from get, a KeyError that lists the keys from the brackets."""
        event = captured("a.b", channel="general")
        assert event.get("chanel") is None
        assert event.get("actor", "nobody") == "nobody"
        assert event.get("message") is None
        with pytest.raises(KeyError, match="chanel; the event has event, channel"):
            event["chanel"]

    def test_of_the_trace(self) -> None:
        """As hexadecimal digits; absent without a span."""
        trace = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
        event = captured("a.b", **trace)
        assert {key: event[key] for key in trace} == trace
        assert captured("a.b").get("trace_id") is None

    def test_of_many_objects(self) -> None:
        """Each with its type, whether they share it or not."""
        assert captured("a.b", objects=[("user", 1), ("user", 2)])["objects"] == ["user:1", "user:2"]
        assert captured("a.b", objects=["user:1", "bot:2"])["objects"] == ["user:1", "bot:2"]
        assert captured("a.b", objects=["1", "2"])["objects"] == ["1", "2"]
        assert captured("a.b", objects=["user:1"]).object == ""


class TestRepr:
    def test_is_the_call_of_emit(self, activity: CapturedActivities) -> None:
        """So that lists of events can be read where pytest prints them."""
        activitylog.emit("message.sent", actor="user:42", channel="general")
        assert repr(activity) == (
            "<CapturedActivities [CapturedEvent('message.sent', actor='user:42', channel='general')]>"
        )
