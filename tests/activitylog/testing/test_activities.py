"""Which assertions hold. What they say when they do not is told by test_messages.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dirty_equals
import pytest

import activitylog
from activitylog.testing import CapturedActivities, IsEvent


@pytest.fixture
def some(activity: CapturedActivities) -> CapturedActivities:
    """Four events of three names."""
    activitylog.emit("message.sent", actor="user:42", object=("message", 7), channel="general")
    activitylog.emit("message.sent", actor="user:43", object=("message", 8), channel="random")
    activitylog.emit("message.read", actor="user:43", object=("message", 7))
    activitylog.emit("user.left", actor="user:42", outcome="denied")
    return activity


class TestQuestions:
    def test_in_plain_data(self, some: CapturedActivities) -> None:
        """Lists and dicts, which pytest compares well."""
        assert some.names == ["message.sent", "message.sent", "message.read", "user.left"]
        assert some.counts == {"message.sent": 2, "message.read": 1, "user.left": 1}
        assert some.summary() == [
            "message.sent user:42 -> message:7 success",
            "message.sent user:43 -> message:8 success",
            "message.read user:43 -> message:7 success",
            "user.left user:42 denied",
        ]
        assert some.as_dicts()[3] == {"event": "user.left", "actor": "user:42", "outcome": "denied"}

    def test_as_a_sequence(self, some: CapturedActivities) -> None:
        """Of the events so far."""
        assert len(some) == 4
        assert some[-1].name == "user.left"
        assert [event.name for event in some[1:3]] == ["message.sent", "message.read"]
        assert IsEvent("message.sent", channel="random") in some
        assert IsEvent("message.sent", channel="other") not in some
        assert some == [IsEvent("message.sent"), IsEvent("message.sent"), IsEvent(), IsEvent("user.left")]
        assert some.events == list(some)
        assert some == some.events
        assert some != ["message.sent"]
        some.clear()
        assert some == []
        assert not some

    def test_by_values(self, some: CapturedActivities) -> None:
        """One event, or all that there are."""
        assert some.one("message.sent", channel="random").actor == "user:43"
        assert some.find("message.sent") == some[:2]
        assert some.find(actor="user:42") == [some[0], some[3]]
        assert some.find(IsEvent("message.sent", channel="random"), actor="user:43") == [some[1]]
        with pytest.raises(AssertionError):
            some.one("message.sent")
        with pytest.raises(AssertionError):
            some.one("message.lost")


#: Whether it holds, and an assertion about the four events.
Case = tuple[bool, Callable[[CapturedActivities], Any]]
SENT_TO_GENERAL = ("message.sent", {"channel": "general"})

CASES: dict[str, Case] = {
    "emitted": (True, lambda a: a.assert_emitted("message.sent")),
    "emitted, any": (True, lambda a: a.assert_emitted()),
    "emitted, by an expected event": (True, lambda a: a.assert_emitted(IsEvent("message.sent"), channel="random")),
    "emitted so often": (True, lambda a: a.assert_emitted("message.sent", times=2)),
    "emitted never": (True, lambda a: a.assert_emitted("message.lost", times=0)),
    "emitted at least": (True, lambda a: a.assert_emitted("message.sent", times=dirty_equals.IsInt(ge=2))),
    "emitted, no such name": (False, lambda a: a.assert_emitted("message.lost")),
    "emitted, no such value": (False, lambda a: a.assert_emitted("message.sent", channel="other")),
    "emitted less often": (False, lambda a: a.assert_emitted("message.sent", times=3)),
    "emitted more often": (False, lambda a: a.assert_emitted("message.sent", times=1)),
    "emitted though never": (False, lambda a: a.assert_emitted("message.sent", times=0)),
    "not emitted": (True, lambda a: a.assert_not_emitted("message.lost")),
    "not emitted with this": (True, lambda a: a.assert_not_emitted("message.sent", channel="other")),
    "not emitted, yet it was": (False, lambda a: a.assert_not_emitted("message.sent", channel="random")),
    "nothing": (False, lambda a: a.assert_nothing_emitted()),
    "counts": (True, lambda a: a.assert_counts({"message.sent": 2, "message.read": 1, "user.left": 1})),
    "counts, none of one": (
        True,
        lambda a: a.assert_counts({"message.sent": 2, "message.read": 1, "user.left": 1, "message.lost": 0}),
    ),
    "counts, others": (True, lambda a: a.assert_counts({"message.sent": 2}, others=True)),
    "counts, matched": (
        True,
        lambda a: a.assert_counts({"message.sent": dirty_equals.IsInt(gt=1)}, others=True),
    ),
    "counts, others forgotten": (False, lambda a: a.assert_counts({"message.sent": 2})),
    "counts, other ones": (False, lambda a: a.assert_counts({"message.sent": 3}, others=True)),
    "counts, of what is not there": (False, lambda a: a.assert_counts({"message.lost": 1}, others=True)),
    "exactly": (
        True,
        lambda a: a.assert_emitted_exactly([SENT_TO_GENERAL, "message.sent", "message.read", "user.left"]),
    ),
    "exactly, in another order": (
        False,
        lambda a: a.assert_emitted_exactly(["message.read", "message.sent", "message.sent", "user.left"]),
    ),
    "exactly, too few": (
        False,
        lambda a: a.assert_emitted_exactly(["message.sent", "message.sent", "message.read"]),
    ),
    "exactly, too many": (False, lambda a: a.assert_emitted_exactly([IsEvent()] * 5)),
    "exactly, in any order": (
        True,
        lambda a: a.assert_emitted_exactly(
            ["user.left", "message.sent", "message.read", SENT_TO_GENERAL], any_order=True
        ),
    ),
    "exactly, in any order, one twice": (
        False,
        lambda a: a.assert_emitted_exactly(
            ["user.left", SENT_TO_GENERAL, "message.read", SENT_TO_GENERAL], any_order=True
        ),
    ),
    "in order": (True, lambda a: a.assert_emitted_in_order(["message.sent", "user.left"])),
    "in order, all": (True, lambda a: a.assert_emitted_in_order([IsEvent()] * 4)),
    "in order, none": (True, lambda a: a.assert_emitted_in_order([])),
    "in order, not": (False, lambda a: a.assert_emitted_in_order(["user.left", "message.sent"])),
    "in order, too often": (False, lambda a: a.assert_emitted_in_order(["message.read", "message.read"])),
}


class TestAssertions:
    @pytest.mark.parametrize(("holds", "assertion"), CASES.values(), ids=CASES)
    def test_hold_or_not(self, some: CapturedActivities, holds: bool, assertion: Callable[[Any], Any]) -> None:
        """As they are named."""
        if holds:
            assert assertion(some) is None
        else:
            with pytest.raises(AssertionError):
                assertion(some)

    def test_about_nothing(self, activity: CapturedActivities) -> None:
        """Where nothing was emitted."""
        activity.assert_nothing_emitted()
        activity.assert_not_emitted()
        activity.assert_counts({})
        activity.assert_emitted_exactly([])
        activity.assert_emitted_exactly([], any_order=True)
