"""Events of tests, compared with a catalogue, without a store."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import pytest

import activitylog
from activitylog.catalogue import Attribute, Catalogue, Entry, assert_events, check_events, declared, save
from activitylog.exceptions import ConfigurationError
from activitylog.testing import CapturedActivities, capture_activities


@activitylog.event("captured.sent", version=2)
@dataclasses.dataclass
class Sent:
    """A class of every type."""

    object: Any
    channel: str
    length: int
    price: decimal.Decimal
    at: dt.datetime
    tags: list[str] = dataclasses.field(default_factory=list)
    data: dict[str, int] = dataclasses.field(default_factory=dict)
    raw: bytes = b"x"
    urgent: bool = False
    share: float = 0.5


SENT = Sent("message:1", "general", 312, decimal.Decimal("12.50"), dt.datetime(2026, 5, 1, tzinfo=dt.UTC))


@pytest.fixture
def known() -> Catalogue:
    """The catalogue of this file's class, and of one event that is emitted by its name."""
    by_name = Entry(name="page.viewed", attributes=(Attribute(name="ms", type="integer", required=True),))
    return Catalogue.of([*declared(__name__).entries, by_name])


def version(number: int) -> dict[str, Any]:
    """What the class of a typed event adds."""
    return {"activity.schema.version": number}


def kinds(activity: CapturedActivities, catalogue: Catalogue) -> list[tuple[str, str]]:
    """Kinds and attributes of what differs."""
    return [(one.kind, one.attribute) for one in check_events(activity, catalogue)]


class TestCheckEvents:
    def test_instances_of_a_declared_class_are_as_it_says(
        self, activity: CapturedActivities, known: Catalogue
    ) -> None:
        """Through the whole chain, with context, outcome, duration and all that is no attribute of its own."""
        with activitylog.bind(tenant="acme", session="s"):
            activitylog.emit(SENT, actor="user:1", target="channel:2", duration=1.5, error="timeout")
        ours: dict[str, Any] = {"http.route": "/x", "user_agent.original": "y"}
        activitylog.emit("page.viewed", ms=3, **ours)
        assert check_events(activity, known) == []
        assert_events(activity, known)

    def test_what_differs(self, activity: CapturedActivities, known: Catalogue) -> None:
        """Each difference once, with the first event that has it."""
        activitylog.emit("page.viewed", ms=3)
        activitylog.emit("page.viewed", ms="fast", colour="red")
        activitylog.emit("page.viewed", ms="slow", colour="red")
        activitylog.emit("page.viewed")
        activitylog.emit("page.view", ms=3)
        found = check_events(activity, known)
        assert [str(one) for one in found] == [
            "page.view: is not in the catalogue (event-new)",
            "page.viewed: ms: is integer in the catalogue, and text here (attribute-type)",
            "page.viewed: colour: (text) is not in the catalogue (attribute-new)",
            "page.viewed: ms: is required, and not there (attribute-missing)",
        ]
        assert [one.severity for one in found] == ["error", "error", "error", "warning"]
        assert [one.where for one in found] == [f"captured event {number}" for number in (5, 2, 2, 4)]

    def test_versions(self, activity: CapturedActivities, known: Catalogue) -> None:
        """Emitted by name, or with a version that nobody knows."""
        activitylog.emit("captured.sent", channel="x")
        activitylog.emit("captured.sent", **version(3))
        assert kinds(activity, known) == [("version-new", ""), ("version-none", "")]

    def test_a_field_that_is_a_keyword(self, activity: CapturedActivities, known: Catalogue) -> None:
        """The object of a class that requires one."""
        entry = known.find("captured.sent", 2)
        assert entry is not None
        required = (Attribute(name="object", type="any", required=True),)
        strict = Catalogue((dataclasses.replace(entry, attributes=required),))
        activitylog.emit("captured.sent", **version(2))
        assert kinds(activity, strict) == [("attribute-missing", "object")]

    @pytest.mark.parametrize(
        ("keyword", "value"),
        [
            ("actor", "user:1"),
            ("actor", "bot:1"),
            ("object", "order:1"),
            ("objects", ["order:1"]),
            ("target", "order:1"),
            ("tenant", "acme"),
            ("session", "s"),
            ("message", "hello"),
            ("duration", 1.5),
            ("outcome", "success"),
        ],
    )
    def test_each_keyword_is_found_where_it_went(
        self, activity: CapturedActivities, keyword: str, value: Any
    ) -> None:
        """Under the name of its attribute, or as a field of the record."""
        entry = Entry(name="a.b", attributes=(Attribute(name=keyword, type="any", required=True),))
        activitylog.emit("a.b", **{keyword: value})
        assert check_events(activity, Catalogue((entry,))) == []

    def test_several_events_in_one_lack_what_varied(self, known: Catalogue) -> None:
        """A roll-up leaves it out, and says so."""
        with capture_activities(rules=[{"match": "page.viewed", "rollup": "10s"}]) as activity:
            activitylog.emit("page.viewed", ms=1)
            activitylog.emit("page.viewed", ms=2)
            activitylog.flush()
            assert "ms" not in activity.one("page.viewed").attributes
            assert check_events(activity, known) == []


class TestAssertEvents:
    def test_a_line_a_difference(self, activity: CapturedActivities, known: Catalogue) -> None:
        """And what to do."""
        activitylog.emit("page.viewed", ms="fast")
        with pytest.raises(AssertionError) as caught:
            assert_events(activity, known)
        assert str(caught.value).splitlines() == [
            "what was emitted is not what the catalogue says:",
            "  page.viewed: ms: is integer in the catalogue, and text here (attribute-type)",
            "If it is meant to be so, bring the catalogue up to date: activitylog catalogue update FILE",
        ]

    def test_what_may_be_meant_to_be_so_passes(self, activity: CapturedActivities, known: Catalogue) -> None:
        """An attribute that was in all rows when the file was made; an event that is emitted by its name."""
        activitylog.emit("page.viewed")
        activitylog.emit("captured.sent", object="message:1")
        assert [one.severity for one in check_events(activity, known)] == ["warning", "warning"]
        assert_events(activity, known)

    def test_a_file(self, activity: CapturedActivities, known: Catalogue, tmp_path: Path) -> None:
        """The one of the repository; and what to do where there is none."""
        save(known, tmp_path / "catalogue.json")
        activitylog.emit(SENT)
        assert_events(activity, tmp_path / "catalogue.json")
        with pytest.raises(ConfigurationError, match="There is no catalogue"):
            assert_events(activity, str(tmp_path / "other.json"))
