"""
Values as texts. The expected texts were printed by the Collector's own code (pdata v1.71.0, Value.AsString).
"""

from __future__ import annotations

import enum
from collections import OrderedDict, UserDict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_clickhouse.anyvalue import as_text


class Color(str, enum.Enum):  # noqa: UP042 - the point is a str whose __str__ says something else
    RED = "red"


class TestScalars:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, ""),
            ("", ""),
            ("naïve <b>&</b> \u2028 /", "naïve <b>&</b> \u2028 /"),
            (True, "true"),
            (False, "false"),
            (0, "0"),
            (-9223372036854775808, "-9223372036854775808"),
            (9223372036854775807, "9223372036854775807"),
            (b"", ""),
            (b"\x00\xff", "AP8="),
        ],
    )
    def test_texts_booleans_whole_numbers_and_bytes(self, value, text):
        """Scalars print as in a Collector."""
        assert as_text(value) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100.0, "100"),
            (3.3333333333333335, "3.3333333333333335"),
            (0.0001, "0.0001"),
            (0.00001, "0.00001"),
            (0.000001, "0.000001"),
            (0.00000123456, "0.00000123456"),
            (9.99e-7, "9.99e-7"),
            (1e-7, "1e-7"),
            (-1.5e-10, "-1.5e-10"),
            (5e-324, "5e-324"),
            (1e15, "1000000000000000"),
            (1e16, "10000000000000000"),
            (1.2345678901234567e19, "12345678901234567000"),
            (123456789012345680000.0, "123456789012345680000"),
            (999999999999999900000.0, "999999999999999900000"),
            (1e21, "1e+21"),
            (-1.5e22, "-1.5e+22"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (float("nan"), "NaN"),
            (float("inf"), "Infinity"),
            (float("-inf"), "-Infinity"),
        ],
    )
    def test_floats(self, value, text):
        """Floats are the shortest that reads back equal, with an exponent where Go takes one."""
        assert as_text(value) == text

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_every_finite_float_reads_back_equal(self, number):
        """No digit is lost, whatever the exponent."""
        assert float(as_text(number)) == number


class TestNested:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ([], "[]"),
            ((), "[]"),
            ({}, "{}"),
            ([1, 2.0, "x", None, True, b"\x01", b""], '[1,2,"x",null,true,"AQ==",null]'),
            ({"b": 1, "a": [1e21, 1e-7, 1e16]}, '{"a":[1e+21,1e-7,10000000000000000],"b":1}'),
            ({"é": 1, "z": 2, "😀": 3, "\u2029": 4}, '{"z":2,"é":1,"\\u2029":4,"😀":3}'),
            (["<a href='/x'>&\"\\"], '["<a href=\'/x\'>&\\"\\\\"]'),
            (["\b\f\n\r\t\x00\x1f\x7f\u2028"], '["\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\\u2028"]'),
            ({"a": {"b": {"c": [{}, []]}}}, '{"a":{"b":{"c":[{},[]]}}}'),
            ([float("nan"), "the rest goes too"], ""),
            ({"deep": [float("-inf")]}, ""),
        ],
    )
    def test_sequences_and_mappings_are_json(self, value, text):
        """Nested values print as Go's JSON encoder prints them, which refuses numbers that are not finite."""
        assert as_text(value) == text


class TestForeignValues:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (Color.RED, "red"),
            (enum.IntEnum("N", "ONE").ONE, "1"),  # type: ignore[attr-defined]
            (type("F", (float,), {})(2.0), "2"),
            (bytearray(b"\x01"), "AQ=="),
            (memoryview(b"\x01"), "AQ=="),
            (OrderedDict(b=1, a=2), '{"a":2,"b":1}'),
            (UserDict(a=(1,)), '{"a":[1]}'),
            (range(3), "[0,1,2]"),
            (Decimal("1.50"), "1.50"),
            ([Decimal("1.50")], '["1.50"]'),
            ({1: 2, None: 3}, '{"":3,"1":2}'),
        ],
    )
    def test_types_that_opentelemetry_does_not_know(self, value, text):
        """Subclasses print as their base, everything else by str()."""
        assert as_text(value) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("a\ud800b", "a\ufffdb"),
            ("\ud83d\ude00", "\ufffd\ufffd"),
            (["\udcff"], '["\ufffd"]'),
            ({"\udcff": "\udcfe"}, '{"\ufffd":"\ufffd"}'),
        ],
    )
    def test_surrogates_become_replacement_characters(self, value, text):
        """A text that UTF-8 cannot hold loses only the characters that it cannot hold."""
        assert as_text(value) == text

    def test_a_value_that_contains_itself_raises_recursion_error(self):
        """There is no text for it; the encoder leaves out the record."""
        endless: list[object] = []
        endless.append(endless)
        with pytest.raises(RecursionError):
            as_text(endless)
