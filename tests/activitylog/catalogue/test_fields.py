"""Fields of classes of every library."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from activitylog.catalogue.fields import ClassField, class_doc, class_fields
from tests.activitylog.catalogue import declared_for_tests as declared


class TestClassFields:
    @pytest.mark.parametrize(
        ("cls", "fields"),
        [
            (
                declared.OrderPlaced,
                [
                    ClassField("object", "any", False),
                    ClassField("channel", "text", True, "where it came from"),
                    ClassField("total", "number", True, "in euros"),
                    ClassField("coupon", "text", False, "of a campaign"),
                    ClassField("seen_by", "any", False),
                    ClassField("number", "integer", False),
                ],
            ),
            (
                declared.OrderPaid,
                [
                    ClassField("at", "time", True, "when the bank did"),
                    ClassField("tries", "integer", False),
                ],
            ),
            (declared.OrderAudited, [ClassField("by", "text", True), ClassField("risk", "any", False)]),
            (
                declared.OrderShipped,
                [
                    ClassField("weight", "number", True, "in kilograms"),
                    ClassField("parcels", "list", False),
                    ClassField("note", "text", False),
                    ClassField("carrier", "text", True),
                ],
            ),
            (
                declared.OrderReturned,
                [
                    ClassField("reason", "text", True, "what the customer said"),
                    ClassField("days", "integer", True, "since it was shipped"),
                    ClassField("photos", "list", False),
                ],
            ),
            (declared.OrderLost, [ClassField("where", "text", True, "as far as known")]),
        ],
    )
    def test_each_library(self, cls: type, fields: list[ClassField]) -> None:
        """Name, type, whether it must be given, documentation."""
        assert sorted(class_fields(cls), key=lambda field: field.name) == sorted(
            fields, key=lambda field: field.name
        )

    def test_fields_of_a_base(self) -> None:
        """They are fields like any other."""

        @dataclasses.dataclass
        class Base:
            one: int

        @dataclasses.dataclass
        class Derived(Base):
            two: str

        assert [field.name for field in class_fields(Derived)] == ["one", "two"]

    def test_a_class_that_says_nothing_of_types(self) -> None:
        """Made by ``make_dataclass`` with names alone."""
        cls = dataclasses.make_dataclass("Made", ["a", ("b", int)])
        assert class_fields(cls) == [ClassField("a", "any", False), ClassField("b", "integer", True)]

    def test_an_annotation_that_fails(self) -> None:
        """Whatever an expression of the application raises, the other fields keep their types."""

        @dataclasses.dataclass
        class Odd:
            a: int
            b: 1 / 0  # type: ignore[valid-type]

        assert class_fields(Odd) == [ClassField("a", "integer", True), ClassField("b", "any", False)]


class TestClassDoc:
    def test_the_classes_own(self) -> None:
        """Without the indentation."""
        assert class_doc(declared.OrderPlaced) == "A customer placed an order.\n\nIt may be unpaid."

    @pytest.mark.parametrize("cls", [declared.OrderLost, dataclasses.make_dataclass("Made", ["a"])])
    def test_none(self, cls: Any) -> None:
        """Not the signature that ``dataclass`` puts there, nor the docstring of a base."""
        assert class_doc(cls) == ""
