"""From values to the keywords of ``emit``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.event import EVENT_NAME_PATTERN
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django.moving_in import LegacyMapping
from activitylog.integrations.django.moving_in.columns import SYNONYMS, Column
from activitylog.integrations.django.moving_in.plan import Plan, RowRefused
from activitylog.integrations.django.moving_in.rows import columns_of
from activitylog.testing import capture_activities
from tests.activitylog.integrations.django.moving_in.models import NumberedRow, PlainRow
from tests.activitylog.integrations.django.moving_in.test_values import NOON, NOON_NS
from tests.strategies import any_text, any_value

PLAIN = LegacyMapping()
NAMES = sorted(
    {name for synonyms in SYNONYMS.values() for name in synonyms} | {"metadata", "object_id", "color", "x"}
)


def event_of(mapping: LegacyMapping = PLAIN, *, strict: bool = False, **values: Any) -> Any:
    """The event of columns with these values."""
    plan = Plan([Column(name) for name in values], mapping)
    return plan.event([values[name] for name in plan.reads], strict=strict)


def event_of_row(model: Any, values: dict[str, Any], mapping: LegacyMapping = PLAIN) -> Any:
    """The event of a row of a model."""
    plan = Plan(columns_of(model), mapping, type_of=lambda kind: {7: "chat.message"}.get(kind, ""))
    return plan.event([values.get(name) for name in plan.reads])


class TestEvent:
    """One row."""

    def test_a_row_of_the_story(self) -> None:
        """Each column in its place."""
        row = {
            "user_id": 42, "action": "MESSAGE_SENT", "description": "hello", "content_type_id": 7,
            "object_id": "9", "ip_address": "192.0.2.1", "user_agent": "curl",
            "metadata": {"channel": "general", "n": None},
            "score": 0, "created_at": NOON,
        }  # fmt: skip
        assert event_of_row(PlainRow, row) == {
            "event": "message.sent", "timestamp": NOON_NS, "actor": ("user", "42"), "message": "hello",
            "client.address": "192.0.2.1", "user_agent.original": "curl", "object": ("chat.message", "9"),
            "score": 0, "channel": "general", "legacy.action": "MESSAGE_SENT",
        }  # fmt: skip

    def test_a_row_of_an_administrator(self) -> None:
        """Numbers, a status, milliseconds, a session, a query."""
        row = {
            "admin_user_id": 1, "event_type": 2, "target_user_id": 5, "status": "failed",
            "error_message": "No mail.",
            "duration_ms": 1500, "session_key": "s" * 32, "url": "/users/5?next=1", "count": 3,
            "details": '{"reason": "spam"}',
        }  # fmt: skip
        event = event_of_row(NumberedRow, row)
        session = event.pop("session")
        assert (len(session), session != "s" * 32) == (32, True)
        assert event == {
            "event": "user.suspended", "actor": ("user", "1"), "outcome": "failure",
            "exception.message": "No mail.",
            "duration": 1.5, "url.path": "/users/5", "object": ("auth.user", "5"), "legacy.count": 3,
            "reason": "spam", "legacy.action": "Suspend user",
        }  # fmt: skip

    def test_what_is_empty_is_absent(self) -> None:
        """None and texts without letters; zero and False are something."""
        assert event_of(action="a.seen", color="", size=None, count_of=0, flag=False) == {
            "event": "a.seen", "count_of": 0, "flag": False
        }  # fmt: skip

    def test_a_name_that_is_as_it_was_needs_no_second(self) -> None:
        """The text of the action is kept where the name is another one."""
        assert event_of(action="message.sent") == {"event": "message.sent"}

    def test_without_an_action_there_is_one_name(self) -> None:
        """And nothing else to keep."""
        assert event_of(color="red") == {"event": "activity.logged", "color": "red"}

    def test_an_outcome_that_is_none_stays_an_attribute(self) -> None:
        """Nothing is lost."""
        assert event_of(action="a.seen", status="pending") == {"event": "a.seen", "status": "pending"}

    def test_words_of_emit_in_a_mapping_are_no_words(self) -> None:
        """An attribute is under the name of its column then."""
        event = event_of(
            action="a.seen", message="hi", metadata={"message": "x", "actor": "y", "legacy.pk": 1, 7: 8}
        )
        assert event == {
            "event": "a.seen", "message": "hi", "metadata.message": "x", "metadata.actor": "y",
            "metadata.legacy.pk": 1, "7": 8,
        }  # fmt: skip

    def test_a_mapping_does_not_overwrite_a_column(self) -> None:
        """Columns win."""
        event = event_of(action="a.seen", color="red", metadata={"color": "blue"})
        assert event == {"event": "a.seen", "color": "red", "metadata.color": "blue"}

    def test_what_is_no_mapping_stays_whole(self) -> None:
        """Under the name of its column."""
        assert event_of(action="a.seen", metadata=[1, 2]) == {"event": "a.seen", "metadata": [1, 2]}

    def test_a_thing_of_which_nobody_knows_the_type(self) -> None:
        """Its id is kept."""
        assert event_of_row(PlainRow, {"action": "a.seen", "object_id": "9"})["object"] == ("", "9")

    def test_how_people_call_it(self) -> None:
        """Beside type and id."""
        event = event_of(action="a.seen", object_type="shop.order", object_id=9, object_repr="Order 9")
        assert event["object"] == ("shop.order", "9")
        assert event["activity.object.name"] == "Order 9"


class TestMapping:
    """What the team says of it."""

    def test_renamed_ignored_and_constant(self) -> None:
        """Attributes as the team wants them."""
        mapping = LegacyMapping(rename={"c": "channel"}, ignore=["notes"], constants={"imported": True})
        event = event_of(mapping, action="a.seen", c="general", notes="x")
        assert event == {"event": "a.seen", "channel": "general", "imported": True}

    def test_adjust_has_the_last_word(self) -> None:
        """It sees the row, and may leave it out; the text of the action is kept."""

        def adjust(event: dict[str, Any], row: Any) -> dict[str, Any] | None:
            return None if row["color"] == "grey" else {**event, "event": "paint.mixed", "tenant": row["color"]}

        mapping = LegacyMapping(adjust=adjust, ignore=["color"])
        assert event_of(mapping, action="a.seen", color="red") == {
            "event": "paint.mixed", "tenant": "red", "legacy.action": "a.seen"
        }  # fmt: skip
        assert event_of(mapping, action="a.seen", color="grey") is None

    def test_a_name_that_adjust_gives_to_a_row_without_an_action(self) -> None:
        """What it would have been is kept: by that table and store are compared."""
        mapping = LegacyMapping(adjust=lambda event, row: {**event, "event": "paint.mixed"})
        assert event_of(mapping, color="red") == {
            "event": "paint.mixed", "color": "red", "legacy.action": "activity.logged"
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"names": {"A": "b"}}, "no event name"),
            ({"outcomes": {"held": "stopped"}}, "'stopped', for 'held', is no outcome"),
            ({"ignore": "notes"}, "expected a list of columns"),
            ({"attributes": "metadata"}, "expected a list of columns"),
        ],
    )
    def test_what_cannot_be_is_said_at_once(self, given: dict[str, Any], message: str) -> None:
        """When the mapping is made."""
        with pytest.raises(ConfigurationError, match=message):
            LegacyMapping(**given)


class TestStrict:
    """Of history a time must be known."""

    def test_a_row_without_a_usable_time_is_refused(self) -> None:
        """With the reason."""
        with pytest.raises(RowRefused, match="no time"):
            event_of(strict=True, action="a.seen", created_at=None)
        with pytest.raises(RowRefused, match=r"created_at: the time 1901-01-01 .* cannot be stored"):
            event_of(strict=True, action="a.seen", created_at=dt.datetime(1901, 1, 1, tzinfo=dt.UTC))

    def test_of_what_happens_now_it_becomes_an_attribute(self) -> None:
        """And the event has the time of now."""
        event = event_of(action="a.seen", created_at="last week")
        assert event == {"event": "a.seen", "created_at": "last week"}


class TestAnything:
    """Whatever applications log."""

    @given(st.dictionaries(st.sampled_from(NAMES), any_value(), max_size=8))
    def test_any_values_become_an_event_with_a_valid_name(self, values: dict[str, Any]) -> None:
        """It never raises, and the chain takes it."""
        event = event_of(**values)
        assert EVENT_NAME_PATTERN.fullmatch(event["event"])
        with capture_activities(strict=False) as captured:
            from activitylog import emit

            emit(event.pop("event"), **event)
            assert len(captured) == 1

    @given(st.dictionaries(any_text(), any_value(), max_size=5))
    def test_any_mapping_becomes_attributes(self, metadata: dict[str, Any]) -> None:
        """No key becomes a word of ``emit``, or what the pipeline says itself."""
        event = event_of(action="a.seen", user=5, metadata=metadata)
        assert (event["event"], event["actor"]) == ("a.seen", ("user", "5"))
        taken = {key for key in event if key in ("object", "target", "message", "timestamp", "count", "legacy.pk")}
        assert not taken
