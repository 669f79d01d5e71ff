"""Types of attributes: what texts can be read as, and which values a type admits."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.attribute_types import (
    REDACTED_TEXT,
    SILENT,
    TYPES,
    kind_of_text,
    kind_of_value,
    narrowest,
    text_fits,
    value_fits,
)
from activitylog.redaction.settings import RedactionSettings
from activitylog.sanitize import sanitize
from otel_clickhouse.anyvalue import as_text

_TEXTS = st.one_of(
    st.text(),
    st.from_regex(r"\A[-+]?[0-9]{1,22}(\.[0-9]{0,5})?([eE][-+]?[0-9]{1,3})?\Z"),
    st.dates().map(str),
    st.datetimes().map(str),
)


class TestKindOfText:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("", "empty"),
            ("[redacted]", "redacted"),
            ("true", "boolean"),
            ("True", "text"),
            ("0", "integer"),
            ("-7", "integer"),
            ("007", "text"),
            ("+1", "text"),
            ("9223372036854775807", "integer"),
            ("9223372036854775808", "number"),
            ("1234567890123456789012", "text"),
            ("3.5", "number"),
            ("12.50", "number"),
            ("1e-7", "number"),
            ("1.5e+21", "number"),
            ("12e5", "text"),
            ("NaN", "number"),
            ("1,5", "text"),
            ("2026-05-01", "time"),
            ("2026-05-01T10:00:00.123456+02:00", "time"),
            ("2026-05-01 10:00Z", "time"),
            ("2026-13-01", "text"),
            ("2026", "integer"),
            ("[1,2]", "list"),
            ("[]", "list"),
            ("[1,2", "text"),
            ("[x]", "text"),
            ("[NaN]", "text"),
            ('{"a":[1]}', "map"),
            ("hello\n", "text"),
            ("1\n", "text"),
            ("[" * 100_000, "text"),
        ],
    )
    def test_examples(self, text: str, kind: str) -> None:
        """Canonical forms only: what no program of ours prints for a number is a text."""
        assert kind_of_text(text) == kind

    @pytest.mark.slow
    @given(_TEXTS)
    def test_any_text_is_of_some_kind(self, text: str) -> None:
        """Never raises, and the kind is a type or says nothing."""
        assert kind_of_text(text) in SILENT | set(TYPES) - {"any", "bytes"}

    @given(st.one_of(st.integers(), st.floats(), st.booleans(), st.lists(st.integers() | st.text())))
    def test_the_stores_text_of_a_value_admits_its_type(self, value: Any) -> None:
        """What is emitted as a number is read as one in the store, and so on."""
        values = {"event": "a.b", "x": value}
        sanitize(values)
        if "x" in values:
            kind = kind_of_value(values["x"])
            assert text_fits(kind_of_text(as_text(values["x"])), kind)

    @given(st.datetimes(timezones=st.just(dt.UTC)) | st.dates())
    def test_times_as_emit_writes_them(self, value: dt.date) -> None:
        """Dates and times of any year."""
        assert kind_of_text(value.isoformat()) == "time"

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**20), max_value=10**20))
    def test_decimals_as_emit_writes_them(self, value: decimal.Decimal) -> None:
        """Sums of money are numbers."""
        assert text_fits(kind_of_text(str(value)), "number")

    def test_what_redaction_leaves_says_nothing(self) -> None:
        """The text is the one that redaction writes by default."""
        assert RedactionSettings().replacement == REDACTED_TEXT


class TestKindOfValue:
    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (True, "boolean"),
            (3, "integer"),
            (3.0, "number"),
            ("3", "text"),
            ("2026-05-01", "time"),
            ("", "empty"),
            (b"x", "bytes"),
            ([1], "list"),
            ((1,), "list"),
            ({"a": 1}, "map"),
            (None, "any"),
        ],
    )
    def test_examples(self, value: Any, kind: str) -> None:
        """A captured value has its own type; a text may be a time."""
        assert kind_of_value(value) == kind


class TestFits:
    @pytest.mark.parametrize(
        ("kind", "type_name", "fits"),
        [
            ("integer", "integer", True),
            ("integer", "number", True),
            ("number", "integer", False),
            ("integer", "text", True),
            ("text", "integer", False),
            ("empty", "integer", True),
            ("redacted", "boolean", True),
            ("text", "bytes", True),
            ("list", "any", True),
            ("list", "map", False),
            ("time", "number", False),
        ],
    )
    def test_texts(self, kind: str, type_name: str, fits: bool) -> None:
        """In the store a text may be anything, and whole numbers are numbers."""
        assert text_fits(kind, type_name) is fits

    @pytest.mark.parametrize(
        ("value", "type_name", "fits"),
        [
            (3, "integer", True),
            (3, "number", True),
            (3, "text", False),
            ("3", "integer", False),
            ("12.50", "number", True),
            ("x", "number", False),
            (True, "integer", False),
            ("2026-05-01", "text", True),
            ("2026-05-01", "time", True),
            ("x", "time", False),
            ("[redacted]", "integer", True),
            ({"a": 1}, "any", True),
            (b"x", "bytes", True),
            ("x", "bytes", False),
        ],
    )
    def test_values(self, value: Any, type_name: str, fits: bool) -> None:
        """In a test a text is a text; only a decimal's counts as a number."""
        assert value_fits(value, type_name) is fits


class TestNarrowest:
    @pytest.mark.parametrize(
        ("kinds", "type_name"),
        [
            ([], "text"),
            (["empty", "redacted"], "text"),
            (["integer", "empty"], "integer"),
            (["integer", "number"], "number"),
            (["integer", "text"], "text"),
            (["time", "text"], "text"),
            (["boolean", "integer"], "any"),
            (["list", "map"], "any"),
        ],
    )
    def test_examples(self, kinds: list[str], type_name: str) -> None:
        """One type for several kinds."""
        assert narrowest(kinds) == type_name

    @pytest.mark.slow
    @given(st.lists(_TEXTS, min_size=1))
    def test_it_admits_them_all(self, texts: list[str]) -> None:
        """Whatever the texts are."""
        kinds = [kind_of_text(text) for text in texts]
        assert all(text_fits(kind, narrowest(kinds)) for kind in kinds)
