"""What may become of a value on its way into a record."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
import uuid
from typing import Any

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.event import Limits
from activitylog.sanitize import field_names, own_fields, sanitize
from tests.strategies import Hostile, Plain, any_value


def sanitized(value: Any, limits: Limits | None = None) -> tuple[Any, list[str]]:
    """One value after sanitising, and the flags."""
    values = {"k": value}
    flags = sanitize(values, limits or Limits())
    return values.get("k"), flags


def is_clean(value: Any, depth: int = 0) -> bool:
    """Whether a value is of the closed set that exporters can write."""
    if type(value) is bool:
        return True
    if type(value) is int:
        return -(2**63) <= value < 2**63
    if type(value) is float:
        return value - value == 0
    if type(value) is str:
        return len(value.encode()) <= 8192
    if type(value) is bytes:
        return len(value) <= 8192
    if type(value) is list:
        return depth < 8 and all(item is None or is_clean(item, depth + 1) for item in value)
    if type(value) is dict:
        return depth < 8 and all(
            type(key) is str and (item is None or is_clean(item, depth + 1)) for key, item in value.items()
        )
    return False


class TestOrdinaryValues:
    @pytest.mark.parametrize("value", ["text", "grün", "", True, 0, -(2**63), 2**63 - 1, 1.5, b"\x00\xff"])
    def test_stay_as_they_are(self, value: Any) -> None:
        """A value that can be exported is not touched and not flagged."""
        assert sanitized(value) == (value, [])

    def test_none_is_absent(self) -> None:
        """None says nothing, so the key goes."""
        values: dict[str, Any] = {"a": None, "b": 1}
        assert sanitize(values) == []
        assert values == {"b": 1}

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
            (dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC), "2026-01-02T03:04:05.000678+00:00"),
            (dt.date(2026, 1, 2), "2026-01-02"),
            (dt.timedelta(milliseconds=1500), 1.5),
            (decimal.Decimal("1.50"), "1.50"),
            (enum.Enum("Colour", {"RED": "red"}).RED, "red"),  # type: ignore[attr-defined]
            (pathlib.PurePosixPath("/a/b"), "/a/b"),
            (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
            ({3, 1, 2}, [1, 2, 3]),
            ((1, "a"), [1, "a"]),
            (range(3), [0, 1, 2]),
            (bytearray(b"ab"), b"ab"),
            (ValueError("wrong"), "ValueError: wrong"),
        ],
    )
    def test_have_one_obvious_spelling(self, value: Any, expected: Any) -> None:
        """What converts without loss is converted without a flag."""
        assert sanitized(value) == (expected, [])

    def test_numpy_scalars_and_arrays_become_numbers(self) -> None:
        """numpy's types are numbers to their user."""
        import numpy  # comes with the extra [embedded]

        assert sanitized(numpy.int64(4)) == (4, [])
        assert sanitized(numpy.float64(1.5)) == (1.5, [])
        assert sanitized(numpy.arange(3)) == ([0, 1, 2], [])


class TestFlaggedValues:
    @pytest.mark.parametrize(
        ("value", "expected", "reason"),
        [
            (2**63, "9223372036854775808", "integer_range"),
            (float("nan"), None, "not_finite"),
            (float("-inf"), None, "not_finite"),
            ("a\ud800b", "a\N{REPLACEMENT CHARACTER}b", "encoding"),
            (Plain(), "<Plain>", "type"),
            (Hostile(), "<Hostile>", "unreadable"),
            ((n for n in range(3)), "<generator>", "type"),
            ({1: "a"}, {"1": "a"}, "key"),
            ("x" * 8193, "x" * 8192, "truncated"),
            ("é" * 5000, "é" * 4096, "truncated"),
            (b"x" * 9000, b"x" * 8192, "truncated"),
        ],
    )
    def test_say_what_was_changed(self, value: Any, expected: Any, reason: str) -> None:
        """What loses something is flagged as key:reason."""
        assert sanitized(value) == (expected, [f"k:{reason}"])

    def test_surrogate_pairs_are_joined(self) -> None:
        """Two halves of one character, as some decoders leave them, become that character."""
        assert sanitized("\ud83d\ude00") == ("😀", ["k:encoding"])

    def test_a_cycle_ends(self) -> None:
        """A value that contains itself is written down to where it repeats."""
        cycle: dict[str, Any] = {}
        cycle["again"] = cycle
        assert sanitized(cycle) == ({"again": "<dict>"}, ["k:cycle"])

    def test_the_same_value_twice_is_no_cycle(self) -> None:
        """Only a value inside itself is a cycle, not a value beside itself."""
        shared = [1]
        assert sanitized([shared, shared]) == ([[1], [1]], [])

    def test_depth_is_bounded(self) -> None:
        """Two thousand levels neither raise nor pass."""
        deep: Any = "bottom"
        for _ in range(2000):
            deep = [deep]
        value, flags = sanitized(deep)
        assert value == [[[[[[[["<list>"]]]]]]]]
        assert flags == ["k:depth"]

    def test_the_default_repr_is_never_called(self) -> None:
        """A lazy query must not be run by being logged."""

        class Query:
            def __repr__(self) -> str:
                raise AssertionError("the query was run")

            def __iter__(self) -> Any:
                raise AssertionError("the query was run")

        Query.__qualname__ = "Query"
        assert sanitized(Query()) == ("<Query>", ["k:type"])

    def test_an_integer_too_long_to_print_is_written_in_hexadecimal(self) -> None:
        """Python refuses to print decimals of more than 4,300 digits; the event must not be lost for it."""
        value, flags = sanitized(10**5000)
        assert value.startswith("0x31e208")
        assert flags == ["k:integer_range"]


class TestLimits:
    def test_too_many_attributes_lose_the_last_ones(self) -> None:
        """The limit holds, and what names the event is not what goes."""
        values: dict[str, Any] = {f"key_{n}": n for n in range(70)}
        values["user.id"] = "42"
        flags = sanitize(values)
        assert "user.id" in values
        assert len(values) == 65
        assert flags == [f"key_{n}:dropped" for n in range(64, 70)]

    def test_an_event_is_bounded_in_bytes(self) -> None:
        """The largest values of the application go first."""
        values: dict[str, Any] = {f"key_{n}": "x" * 8000 for n in range(9)} | {"small": 1}
        flags = sanitize(values)
        assert sum(len(value) for value in values.values() if isinstance(value, str)) <= 65536
        assert values["small"] == 1
        assert flags == ["key_0:dropped"]

    def test_many_ids_are_bounded_by_the_event_not_by_the_value(self) -> None:
        """Ten thousand ids of one bulk action are kept."""
        values: dict[str, Any] = {"activity.object.ids": [str(n) for n in range(10_000)]}
        assert sanitize(values) == []
        assert len(values["activity.object.ids"]) == 10_000

    @pytest.mark.parametrize("key", ["", "bad\nkey", "\ud800", "x" * 200])
    def test_an_unusable_key_is_repaired(self, key: str) -> None:
        """A key that could not be stored is repaired and flagged."""
        values = {key: 1}
        flags = sanitize(values)
        (repaired,) = values
        assert 0 < len(repaired) <= 128
        assert repaired.isprintable()
        assert flags == [f"{repaired}:key"]


def test_repaired_keys_do_not_collide() -> None:
    """Two keys that would be repaired to the same text keep both values."""
    values: dict[str, Any] = {"": 1, "_": 2, "\n": 3, "\N{REPLACEMENT CHARACTER}": 4}
    sanitize(values)
    assert sorted(values.values()) == [1, 2, 3, 4]
    nothing: dict[str, Any] = {"": None, "_": None}
    sanitize(nothing)
    assert nothing == {}


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=10), any_value(), max_size=8))
def test_whatever_goes_in_clean_values_come_out(values: dict[str, Any]) -> None:
    """No value whatever raises, and what remains can be exported."""
    flags = sanitize(values)
    assert all(is_clean(value) for value in values.values())
    assert all(type(key) is str and key.isprintable() and key for key in values)
    assert all(type(flag) is str for flag in flags)


@pytest.mark.slow
@given(st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=5), any_value(), max_size=6))
def test_sanitising_twice_changes_nothing_more(values: dict[str, Any]) -> None:
    """A clean event stays as it is."""
    sanitize(values)
    before = dict(values)
    assert sanitize(values) == []
    assert values == before


class TestOwnFields:
    """Typed classes are recognised by what their libraries leave on them."""

    def test_of_every_library(self) -> None:
        """dataclass, attrs, msgspec and pydantic give their fields in order."""

        @dataclasses.dataclass
        class Data:
            a: int
            b: str = "x"

        @attrs.define
        class Attrs:
            a: int
            b: str = "x"

        class Struct(msgspec.Struct):
            a: int
            b: str = "x"

        class Model(pydantic.BaseModel):
            a: int
            b: str = "x"

        for cls in (Data, Attrs, Struct, Model):
            assert field_names(cls) == ("a", "b")
            assert own_fields(cls(a=1)) == {"a": 1, "b": "x"}

    def test_of_anything_else_are_none(self) -> None:
        """An ordinary object has no fields to give."""
        assert own_fields(Plain()) is None
        assert own_fields("text") is None
