"""Classes and store together, and a file brought up to date."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from activitylog.attribute_types import narrowest
from activitylog.catalogue import (
    Attribute,
    AttributeFigures,
    Catalogue,
    Entry,
    EventFigures,
    Sources,
    combine,
    dumps,
    update,
)
from tests.activitylog.catalogue.strategies import CATALOGUES, as_found

BOTH, CLASSES, STORE = Sources(classes=True, store=True), Sources(classes=True), Sources(store=True)


def field(name: str, type_name: str = "text", **more: Any) -> Attribute:
    """A field of a class."""
    return Attribute(name=name, type=type_name, declared=True, **more)


def seen(name: str, *, rows: int = 50, required: bool = False, **kinds: Any) -> Attribute:
    """An attribute of the store: so many rows of each kind, of 50 that were looked at."""
    kinds = kinds or {"text": rows}
    figures = AttributeFigures(share=rows / 50, rows=sum(kinds.values()), kinds=kinds)
    return Attribute(name=name, type=narrowest(kinds), required=required, figures=figures)


def stored(*attributes: Attribute, **more: Any) -> Entry:
    """An event of the store."""
    return Entry(name="a.b", attributes=attributes, figures=EventFigures(rows=50, sampled_rows=50), **more)


def declared(*attributes: Attribute, **more: Any) -> Entry:
    """An event of a class."""
    return Entry(**{"name": "a.b", "declared_by": "app:AB", "attributes": attributes, **more})


def only(catalogue: Catalogue) -> Entry:
    """Its only entry."""
    (entry,) = catalogue.entries
    return entry


class TestCombine:
    def test_what_the_class_says_with_what_the_store_has(self) -> None:
        """Types, docs and owner of the class; figures, actors and what else is emitted of the store."""
        entry = only(
            combine(
                [declared(field("n", "integer", doc="how many"), owner="me")],
                [stored(seen("m"), seen("n", text=3), actors=("user",), context=("actor",))],
            )
        )
        assert (entry.owner, entry.declared_by, entry.actors, entry.context) == (
            "me",
            "app:AB",
            ("user",),
            ("actor",),
        )
        assert [(one.name, one.type, one.declared, one.doc) for one in entry.attributes] == [
            ("m", "text", False, ""),
            ("n", "integer", True, "how many"),
        ]
        assert entry.attributes[1].figures == AttributeFigures(share=1.0, rows=3, kinds={"text": 3})

    def test_what_only_one_has(self) -> None:
        """It is there, too; another version is another entry."""
        found = combine([declared(version=2)], [stored(), Entry(name="c.d")])
        assert [entry.key for entry in found.entries] == [("a.b", None), ("a.b", 2), ("c.d", None)]


class TestUpdate:
    def test_what_people_wrote_stays(self) -> None:
        """Documentation and owner of events without a class, and of a class that says nothing."""
        old = Catalogue.of(
            [Entry(name="a.b", doc="x", owner="me", attributes=(replace(seen("n"), doc="how many"),))]
        )
        entry = only(update(old, combine([], [stored(seen("n"))]), STORE))
        assert (entry.doc, entry.owner, entry.attributes[0].doc) == ("x", "me", "how many")
        entry = only(update(old, combine([declared(field("n"))], []), CLASSES))
        assert (entry.doc, entry.owner, entry.attributes[0].doc) == ("x", "me", "how many")

    def test_what_the_class_says_counts_more(self) -> None:
        """A docstring, an owner, a type."""
        old = Catalogue.of([declared(field("n", doc="old"), doc="old", owner="old")])
        new = declared(field("n", "integer", doc="new"), doc="new", owner="new")
        assert only(update(old, Catalogue.of([new]), CLASSES)) == new

    @pytest.mark.parametrize(
        ("before", "kinds", "after"),
        [
            ("number", {"integer": 5}, "number"),
            ("text", {"integer": 5}, "text"),
            ("integer", {"integer": 5, "number": 1}, "number"),
            ("integer", {"text": 1}, "text"),
            ("boolean", {"integer": 1}, "any"),
            ("any", {"text": 1}, "any"),
            ("integer", {"redacted": 1}, "integer"),
        ],
    )
    def test_a_type_becomes_wider_and_never_narrower(self, before: str, kinds: dict[str, Any], after: str) -> None:
        """What somebody has widened by hand stays wide."""
        old = Catalogue.of([Entry(name="a.b", attributes=(Attribute(name="n", type=before),))])
        assert only(update(old, combine([], [stored(seen("n", **kinds))]), STORE)).attributes[0].type == after

    @pytest.mark.parametrize(
        ("before", "rows", "required", "after"),
        [(True, 50, True, True), (True, 49, False, False), (True, 50, False, True), (False, 50, True, False)],
    )
    def test_required_until_a_row_lacks_it(self, before: bool, rows: int, required: bool, after: bool) -> None:
        """Few rows prove nothing; and what need not be there by the file, need not."""
        old = Catalogue.of([Entry(name="a.b", attributes=(Attribute(name="n", type="text", required=before),))])
        new = combine([], [stored(seen("n", rows=rows, required=required))])
        assert only(update(old, new, STORE)).attributes[0].required is after

    def test_what_is_not_seen_this_time_stays(self) -> None:
        """A sample need not have it; --prune forgets it."""
        old = Catalogue.of([Entry(name="a.b", attributes=(seen("n"),), actors=("user",)), Entry(name="c.d")])
        new = combine([], [stored(actors=("bot",))])
        kept = update(old, new, STORE)
        assert [entry.name for entry in kept.entries] == ["a.b", "c.d"]
        assert [one.name for one in kept.entries[0].attributes] == ["n"]
        assert kept.entries[0].actors == ("bot", "user")
        pruned = only(update(old, new, STORE, prune=True))
        assert (pruned.name, pruned.attributes, pruned.actors) == ("a.b", (), ("bot",))

    def test_a_field_that_is_gone(self) -> None:
        """It goes with the class's say; what is still emitted stays, as no field."""
        old = Catalogue.of([declared(field("m"), field("n"))])
        assert [
            one.name for one in only(update(old, combine([declared(field("m"))], []), CLASSES)).attributes
        ] == ["m"]
        both = only(update(old, combine([declared(field("m"))], [stored(seen("n"))]), BOTH))
        assert [(one.name, one.declared) for one in both.attributes] == [("m", True), ("n", False)]

    def test_a_class_that_is_gone(self) -> None:
        """The event stays, as one without a class; --prune forgets it, unless the store has it."""
        old = Catalogue.of([declared(field("n"))])
        entry = only(update(old, Catalogue(), CLASSES))
        assert (entry.declared_by, entry.attributes[0].declared) == ("", False)
        assert update(old, Catalogue(), CLASSES, prune=True).entries == ()
        entry = only(update(old, combine([], [stored(seen("n"))]), BOTH, prune=True))
        assert (entry.declared_by, [(one.name, one.declared) for one in entry.attributes]) == ("", [("n", False)])

    def test_without_classes_the_file_knows_of_them(self) -> None:
        """Whoever updates from the store alone takes nothing away from what classes said."""
        old = Catalogue.of([declared(field("m"), field("n", "integer"), doc="x"), declared(version=2)])
        found = update(old, combine([], [stored(seen("n", text=3), seen("o"))]), STORE, prune=True)
        first, second = found.entries
        assert (first.declared_by, second.declared_by) == ("app:AB", "app:AB")
        assert [(one.name, one.type, one.declared) for one in first.attributes] == [
            ("m", "text", True),
            ("n", "integer", True),
            ("o", "text", False),
        ]

    def test_without_a_store_what_was_seen_stays(self) -> None:
        """Whoever updates from classes alone does not take away what is only emitted."""
        old = Catalogue.of([Entry(name="a.b", attributes=(seen("n"),)), Entry(name="c.d")])
        found = update(old, combine([declared(field("m"))], []), CLASSES, prune=True)
        assert [entry.name for entry in found.entries] == ["a.b", "c.d"]
        assert [(one.name, one.declared) for one in found.entries[0].attributes] == [("m", True), ("n", False)]

    @pytest.mark.slow
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CATALOGUES, CATALOGUES.map(as_found))
    def test_a_second_time_changes_nothing(self, old: Catalogue, new: Catalogue) -> None:
        """The file is at rest until something happens."""
        for sources in (BOTH, CLASSES, STORE):
            for prune in (False, True):
                once = update(old, new, sources, prune=prune)
                assert dumps(update(once, new, sources, prune=prune)) == dumps(once)

    @pytest.mark.slow
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CATALOGUES.map(as_found))
    def test_a_new_file_is_what_there_is(self, new: Catalogue) -> None:
        """Nothing is lost on the way."""
        assert update(Catalogue(), new, BOTH) == new
