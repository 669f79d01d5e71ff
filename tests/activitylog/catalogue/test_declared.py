"""Entries of declared classes."""

from __future__ import annotations

import dataclasses

import activitylog
from activitylog.catalogue import Attribute, Entry, declared
from activitylog.catalogue.declared import Conflict
from tests.activitylog.catalogue import declared_for_tests

_MODULE = declared_for_tests.__name__


class TestDeclared:
    def test_an_entry(self) -> None:
        """All that the class says; what a keyword of emit is called is its context, too."""
        entry = next(entry for entry in declared(_MODULE).entries if entry.name == "shop.order.placed")
        assert entry == Entry(
            name="shop.order.placed",
            version=2,
            owner="team-orders",
            doc="A customer placed an order.\n\nIt may be unpaid.",
            declared_by=f"{_MODULE}:OrderPlaced",
            context=("object",),
            attributes=(
                Attribute(name="channel", type="text", required=True, doc="where it came from", declared=True),
                Attribute(name="coupon", type="text", doc="of a campaign", declared=True),
                Attribute(name="number", type="integer", declared=True),
                Attribute(name="object", type="any", declared=True),
                Attribute(name="seen_by", type="any", declared=True),
                Attribute(name="total", type="number", required=True, doc="in euros", declared=True),
            ),
        )

    def test_only_of_some_modules(self) -> None:
        """And of modules inside them; a name that begins alike is another one."""
        package = _MODULE.rpartition(".")[0]
        assert len(declared(package).entries) >= len(declared(_MODULE).entries) == 6
        assert declared(_MODULE[:-1]).entries == ()

    def test_two_classes_with_the_same_name_and_version(self) -> None:
        """That is a conflict; another version is none."""

        @activitylog.event("declared.twice", version=1)
        @dataclasses.dataclass
        class One:
            x: int

        @activitylog.event("declared.twice", version=1)
        @dataclasses.dataclass
        class Two:
            y: int

        @activitylog.event("declared.twice", version=2)
        @dataclasses.dataclass
        class Three:
            y: int

        here = f"{__name__}:TestDeclared.test_two_classes_with_the_same_name_and_version.<locals>"
        found = declared(__name__)
        assert found.conflicts == (Conflict("declared.twice", 1, (f"{here}.One", f"{here}.Two")),)
        assert [(entry.version, entry.declared_by) for entry in found.entries] == [
            (1, f"{here}.One"),
            (2, f"{here}.Three"),
        ]
        assert str(found.conflicts[0]).startswith("declared.twice, version 1 is declared by 2 classes: ")
        del One, Two, Three
