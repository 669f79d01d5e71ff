"""Entries of what a store has seen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activitylog.catalogue import Attribute, AttributeFigures, Entry, EventFigures, how_sure, seen_entries
from activitylog.sightings import SeenAttribute, SeenEvent, SeenKind, SeenVersion, Sightings

TIME = datetime(2026, 5, 1, 10, tzinfo=UTC)


def kind(name: str, rows: int) -> SeenKind:
    """Values of a kind."""
    return SeenKind(kind=name, rows=rows, first=TIME, last=TIME)


def version(rows: int, *attributes: SeenAttribute, folded: int = 0, number: int | None = None) -> SeenVersion:
    """Sampled rows."""
    return SeenVersion(version=number, rows=rows, folded=folded, first=TIME, last=TIME, attributes=attributes)


def entries(*events: SeenEvent) -> list[Entry]:
    """Of a store that has seen these."""
    return seen_entries(Sightings(events=events, since=TIME, until=TIME))


class TestSeenEntries:
    def test_one_for_each_version(self) -> None:
        """With the volume of the name."""
        versions = (version(1), version(2, number=2))
        event = SeenEvent(name="a.b", rows=5, events=50.0, outcomes=("success", "denied"), versions=versions)
        first, second = entries(event)
        assert (first.key, second.key) == (("a.b", None), ("a.b", 2))
        assert first.outcomes == ("denied", "success")
        assert second.figures == EventFigures(events=50.0, rows=5, sampled_rows=2)

    def test_an_event_without_sampled_rows(self) -> None:
        """It is there all the same."""
        (entry,) = entries(SeenEvent(name="a.b", counted=3, not_kept=3))
        assert entry == Entry(name="a.b", figures=EventFigures(counted=3, not_kept=3))

    @pytest.mark.parametrize(
        ("rows", "with_it", "folded", "required"),
        [(30, 30, 0, True), (29, 29, 0, False), (30, 29, 0, False), (30, 29, 1, True)],
    )
    def test_what_all_of_many_rows_have_is_required(
        self, rows: int, with_it: int, folded: int, required: bool
    ) -> None:
        """Rows that are several events may lack it."""
        attribute = SeenAttribute(name="n", kinds=(kind("integer", with_it),), share=1.0)
        (entry,) = entries(SeenEvent(name="a.b", versions=(version(rows, attribute, folded=folded),)))
        assert entry.attributes[0].required is required

    def test_types(self) -> None:
        """The narrowest that admits all values."""
        attribute = SeenAttribute(name="n", kinds=(kind("integer", 9), kind("text", 1)), share=0.5)
        (entry,) = entries(SeenEvent(name="a.b", versions=(version(20, attribute),)))
        assert entry.attributes == (
            Attribute(
                name="n",
                type="text",
                figures=AttributeFigures(share=0.5, rows=10, kinds={"integer": 9, "text": 1}),
            ),
        )


class TestHowSure:
    @pytest.mark.parametrize(
        ("type_name", "declared", "kinds", "words"),
        [
            ("integer", False, {"integer": 1234}, "by 1,234 values"),
            ("integer", False, {"integer": 3, "empty": 90}, "by 3 values only"),
            ("integer", False, {"integer": 1}, "by 1 value only"),
            ("text", False, {"empty": 3}, "no value"),
            ("text", False, {"integer": 98, "text": 2}, "98 % integer, 2 % text"),
            ("text", False, {"text": 999, "integer": 1}, ">99 % text, <1 % integer"),
            ("number", False, {"integer": 30, "number": 1}, "by 31 values"),
            ("integer", True, {"integer": 30}, "declared"),
            ("integer", True, {"integer": 30, "text": 10}, "declared, but 25 % text"),
            ("text", True, {"integer": 30, "text": 10}, "declared"),
        ],
    )
    def test_words(self, type_name: str, declared: bool, kinds: dict[str, int], words: str) -> None:
        """By how many values, and what speaks against it."""
        figures = AttributeFigures(share=1, rows=sum(kinds.values()), kinds=kinds)
        assert how_sure(Attribute(name="n", type=type_name, declared=declared, figures=figures)) == words

    def test_where_nobody_looked(self) -> None:
        """Without a store."""
        assert how_sure(Attribute(name="n", type="text")) == ""
        assert how_sure(Attribute(name="n", type="text", declared=True)) == "declared"
