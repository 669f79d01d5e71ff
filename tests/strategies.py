"""Hypothesis strategies that several folders share: values as applications pass them, however odd."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
from typing import Any

from hypothesis import strategies as st


class Colour(enum.Enum):
    """An enumeration, as applications have them."""

    RED = "red"
    BLUE = 3


@dataclasses.dataclass
class Point:
    """A small dataclass with a field of any kind."""

    x: int
    y: Any


class Plain:
    """An object without a ``__str__`` of its own."""


class Hostile:
    """An object that fails when it is printed or asked for its key."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        return "Hostile()"

    @property
    def pk(self) -> int:
        raise RuntimeError("no key")


class HostileMapping(dict[str, Any]):
    """A mapping that cannot be read."""

    def items(self) -> Any:
        raise RuntimeError("no items")

    def __repr__(self) -> str:
        return "HostileMapping()"


def any_text() -> st.SearchStrategy[str]:
    """Texts of all characters, lone surrogates and control characters included."""
    return st.text(alphabet=st.characters(), max_size=40)


def scalars() -> st.SearchStrategy[Any]:
    """Values without parts."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=-(2**70), max_value=2**70),
        st.floats(),
        any_text(),
        st.binary(max_size=40),
        st.uuids(),
        st.datetimes(),
        st.dates(),
        st.timedeltas(),
        st.decimals(),
        st.fractions(),
        st.complex_numbers(),
        st.sampled_from(
            [
                Colour.RED,
                Colour.BLUE,
                Plain(),
                Hostile(),
                HostileMapping(),
                pathlib.PurePosixPath("/a/b"),
                ipaddress.ip_address("::1"),
                decimal.Decimal("NaN"),
                dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
                ValueError("wrong"),
                int,
                len,
                object(),
                ...,
            ]
        ),
    )


def _hashable() -> st.SearchStrategy[Any]:
    return st.one_of(any_text(), st.integers(), st.none(), st.booleans(), st.tuples(st.integers(), st.integers()))


def any_value() -> st.SearchStrategy[Any]:
    """Any value whatever, nested."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.tuples(inner, inner),
            st.sets(_hashable(), max_size=4),
            st.dictionaries(_hashable(), inner, max_size=5),
            st.builds(Point, st.integers(), inner),
            inner.map(lambda value: iter([value])),
        ),
        max_leaves=12,
    )


def clean_value(*, depth: int = 2) -> st.SearchStrategy[Any]:
    """Values of OpenTelemetry's ``AnyValue`` within the limits, as they leave the sanitiser."""
    leaf = st.one_of(
        st.booleans(),
        st.integers(min_value=-(2**63), max_value=2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30),
        st.binary(max_size=20),
    )
    if depth == 0:
        return leaf
    inner = clean_value(depth=depth - 1)
    keys = st.text(alphabet="abc_.", min_size=1, max_size=8)
    return st.one_of(leaf, st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3))
