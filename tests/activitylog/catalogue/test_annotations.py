"""What annotations say of attributes."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Generic, Literal, NewType, Optional, Protocol, TypeVar, Union

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Doc, TypeAliasType

from activitylog.attribute_types import value_fits
from activitylog.catalogue.annotations import doc_of, may_be_absent, type_of
from activitylog.sanitize import sanitize
from tests.strategies import Colour, Point

_T = TypeVar("_T")
_Bound = TypeVar("_Bound", bound=int)
UserId = NewType("UserId", int)


class Level(enum.IntEnum):
    """Numbers."""

    LOW = 1


class Anything(Protocol):
    """A protocol."""

    def close(self) -> None:
        """Nothing."""


class Box(Generic[_T]):
    """A generic class."""


_ANNOTATIONS: Final[list[Any]] = [
    str, int, bool, float, bytes, dt.datetime, dt.date, dt.timedelta, decimal.Decimal, uuid.UUID, dt.time,
    list[int], tuple[int, str], set[str], dict[str, int], Level, Literal["a", "b"], int | None, fractions.Fraction,
    ipaddress.IPv4Address,
]  # fmt: skip


class TestTypeOf:
    @pytest.mark.parametrize(
        ("annotation", "type_name"),
        [
            (str, "text"),
            (int, "integer"),
            (bool, "boolean"),
            (float, "number"),
            (bytes, "bytes"),
            (dt.datetime, "time"),
            (dt.date, "time"),
            (dt.time, "text"),
            (dt.timedelta, "number"),
            (decimal.Decimal, "number"),
            (fractions.Fraction, "text"),
            (uuid.UUID, "text"),
            (pathlib.Path, "text"),
            (ipaddress.IPv4Address, "text"),
            (list[int], "list"),
            (tuple[int, ...], "list"),
            (set[str], "list"),
            (Sequence[str], "list"),
            (collections.deque, "list"),
            (dict[str, int], "map"),
            (Mapping[str, Any], "map"),
            (Point, "map"),
            (ValueError, "text"),
            (Level, "integer"),
            (Colour, "any"),
            (Literal["a", "b"], "text"),
            (Literal[1, "a"], "any"),
            (Literal["a", None], "text"),
            (Literal["2026-01-01"], "text"),
            (Optional[int], "integer"),  # noqa: UP045 - people write it
            (int | None, "integer"),
            (int | float | None, "number"),
            (Union[int, str], "any"),  # noqa: UP007
            (Annotated[int, "x"], "integer"),
            (Annotated[int | None, "x"], "integer"),
            (Optional[Annotated[int, "x"]], "integer"),  # noqa: UP045
            (UserId, "integer"),
            (Final[int], "integer"),
            (TypeAliasType("Alias", int | None), "integer"),
            (_Bound, "integer"),
            (_T, "any"),
            (Any, "any"),
            (object, "any"),
            (None, "any"),
            ("unresolved", "any"),
            (Anything, "any"),
            (Box[int], "any"),
            (int | msgspec.UnsetType, "integer"),
            (pydantic.PositiveInt, "integer"),
            (pydantic.SecretStr, "any"),
        ],
    )
    def test_examples(self, annotation: Any, type_name: str) -> None:
        """The type of what the pipeline makes of such a value."""
        assert type_of(annotation) == type_name

    @given(
        st.sampled_from(_ANNOTATIONS).flatmap(
            lambda annotation: st.tuples(st.just(annotation), st.from_type(annotation))
        )
    )
    def test_the_pipelines_value_is_of_that_type(self, drawn: tuple[Any, Any]) -> None:
        """Whatever the value, unless the pipeline says that it could not keep it."""
        annotation, value = drawn
        values = {"event": "a.b", "x": value}
        if sanitize(values) == [] and "x" in values and not isinstance(value, decimal.Decimal | None):
            assert value_fits(values["x"], type_of(annotation)), values["x"]


class TestMayBeAbsent:
    @pytest.mark.parametrize(
        ("annotation", "absent"),
        [
            (int, False),
            (Optional[int], True),  # noqa: UP045
            (Annotated[int | None, "x"], True),
            (Optional[Annotated[int, "x"]], True),  # noqa: UP045
            (Literal["a", None], True),
            (Literal["a"], False),
            (Any, True),
            (object, True),
            (int | msgspec.UnsetType, True),
            (list[None], False),
        ],
    )
    def test_examples(self, annotation: Any, absent: bool) -> None:
        """None is not in the event."""
        assert may_be_absent(annotation) is absent


class TestDocOf:
    @pytest.mark.parametrize(
        ("annotation", "doc"),
        [
            (int, ""),
            (Annotated[int, "how many"], "how many"),
            (Annotated[int, 3, " how many "], "how many"),
            (Annotated[int, Doc("how many")], "how many"),
            (Annotated[int, msgspec.Meta(ge=0, description="how many")], "how many"),
            (Annotated[int, msgspec.Meta(ge=0)], ""),
            (Annotated[int, pydantic.Field(description="how many")], "how many"),
            (Optional[Annotated[int, "how many"]], "how many"),  # noqa: UP045
            (Annotated[int, ""], ""),
        ],
    )
    def test_examples(self, annotation: Any, doc: str) -> None:
        """Texts, and what has a documentation or a description."""
        assert doc_of(annotation) == doc

    def test_an_extra_that_is_a_class(self) -> None:
        """Its attributes are no texts."""

        @dataclasses.dataclass
        class Extra:
            description: int = 3

        assert doc_of(Annotated[int, Extra()]) == ""
