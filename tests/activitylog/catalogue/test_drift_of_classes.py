"""What differs between a catalogue and classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activitylog.catalogue import Advice, Attribute, Catalogue, Declared, Drift, Entry, drift_of_classes
from activitylog.catalogue.declared import Conflict
from activitylog.catalogue.drift_of_classes import is_unread

_UPDATE = "activitylog catalogue update c.json --import app"
#: A module that was imported.
_CLASS = f"{__name__}:AB"


def field(name: str, type_name: str = "text", **more: Any) -> Attribute:
    """A field of a class."""
    return Attribute(name=name, type=type_name, declared=True, **more)


ENTRY = Entry(
    name="a.b",
    version=2,
    doc="x",
    owner="me",
    declared_by=_CLASS,
    attributes=(field("m", required=True), field("n")),
)


def drift(before: list[Entry], now: list[Entry], *conflicts: Conflict) -> list[Drift]:
    """Of a catalogue with these entries."""
    return list(drift_of_classes(Catalogue.of(before), Declared(tuple(now), conflicts), Advice(_UPDATE)))


def short(found: list[Drift]) -> list[tuple[str, str, str]]:
    """Kind, attribute and severity."""
    return [(one.kind, one.attribute, one.severity) for one in found]


class TestDrift:
    def test_none(self) -> None:
        """What the class says is what the file says; the file may know more."""
        seen = Attribute(name="z", type="text", doc="only emitted")
        assert drift([ENTRY], [ENTRY]) == []
        assert drift([replace(ENTRY, attributes=(*ENTRY.attributes, seen), actors=("user",))], [ENTRY]) == []
        assert drift([ENTRY], [replace(ENTRY, doc="", owner="")]) == []

    def test_an_event_that_is_not_there(self) -> None:
        """It names the class, and the command that enters it."""
        (one,) = drift([], [ENTRY])
        assert (one.kind, one.severity, one.title, one.where) == ("event-new", "error", "a.b, version 2", _CLASS)
        assert one.found == f"is declared by {_CLASS}, and is not in the catalogue"
        assert one.do == (_UPDATE,)

    def test_a_version_that_is_not_there(self) -> None:
        """And which are."""
        before = [ENTRY, replace(ENTRY, version=None)]
        (one,) = drift(before, [*before, replace(ENTRY, version=3)])
        assert (one.kind, one.version) == ("version-new", 3)
        assert one.found.endswith("; the catalogue has it without a version and as version 2")

    @pytest.mark.parametrize(
        ("fields", "found"),
        [
            ([field("m", required=True), field("n"), field("o")], ("attribute-new", "o", "error")),
            ([field("m", required=True)], ("attribute-missing", "n", "error")),
            ([field("m", required=True), field("n", "integer")], ("attribute-type", "n", "error")),
            ([field("m", required=True), field("n", required=True)], ("attribute-required", "n", "error")),
            ([field("m"), field("n")], ("attribute-required", "m", "error")),
            ([field("m", required=True), field("n", doc="x")], ("docs-stale", "", "warning")),
        ],
    )
    def test_fields(self, fields: list[Attribute], found: tuple[str, str, str]) -> None:
        """New, gone, another type, to be given or not, documented."""
        (one,) = drift([ENTRY], [replace(ENTRY, attributes=tuple(fields))])
        assert short([one]) == [found]
        if one.kind != "docs-stale":
            assert "version=3" in one.do[0]
        assert one.do[-1] == _UPDATE

    def test_a_class_for_what_was_only_seen(self) -> None:
        """It has to agree with what is emitted, and the file learns of the class."""
        seen = Entry(
            name="a.b", attributes=(Attribute(name="m", type="integer"), Attribute(name="n", type="text"))
        )
        now = replace(ENTRY, version=None, doc="", owner="", attributes=(field("m"), field("n")))
        assert short(drift([seen], [now])) == [("attribute-type", "m", "error"), ("docs-stale", "", "warning")]

    @pytest.mark.parametrize("change", [{"doc": "y"}, {"owner": "you"}, {"declared_by": f"{__name__}:CD"}])
    def test_stale_words(self, change: dict[str, str]) -> None:
        """Documentation, owner and class."""
        (one,) = drift([ENTRY], [replace(ENTRY, **change)])  # type: ignore[arg-type]
        assert (one.kind, one.severity) == ("docs-stale", "warning")

    def test_conflicts(self) -> None:
        """Two classes of the same name and version."""
        (one,) = drift([ENTRY], [ENTRY], Conflict("a.b", 2, ("app:AB", "app:CD")))
        assert (one.kind, one.where) == ("class-conflict", "app:AB, app:CD")

    def test_an_event_that_no_class_declares(self) -> None:
        """Of a module that was imported, or that is not there any more."""
        for module in (__name__, "no.such.module"):
            (one,) = drift([replace(ENTRY, declared_by=f"{module}:Gone")], [])
            assert (one.kind, one.where) == ("event-gone", f"{module}:Gone")
            assert one.do[-1] == f"{_UPDATE} --prune --days 90"
        assert drift([Entry(name="only.seen")], []) == []

    def test_a_module_that_was_not_imported_says_nothing(self) -> None:
        """Whoever checks a part of the application is not told that the rest is gone."""
        entry = replace(ENTRY, declared_by="this:AB")
        assert is_unread(entry)
        assert drift([entry], []) == []
