"""What is told of values, and when they differ."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import json
import uuid
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import models
from django.db.models import F
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from activitylog.integrations.django.model_changes.fields import (
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    MAX_VALUES_BYTES,
    UNKNOWN,
    CapturedField,
    is_secret,
    told,
    type_of,
    without_secrets,
)
from activitylog.integrations.django.model_changes.frozen import differs, freeze, thaw
from tests.activitylog.integrations.django.model_changes.models import Document, Line
from tests.strategies import Hostile


class Colour(models.TextChoices):
    RED = "red", "Red"


#: A class of another package.
EncryptedTextField: Any = type("EncryptedTextField", (models.TextField,), {"__module__": __name__})


def field(name: str) -> CapturedField:
    return CapturedField(Document._meta.get_field(name))  # type: ignore[arg-type]


class TestTexts:
    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            ("title", "Plan", "Plan"),
            ("title", None, None),
            ("title", Colour.RED, "red"),
            ("title", SafeString("<b>"), "<b>"),
            ("pages", 3, "3"),
            ("is_open", True, "True"),
            ("price", decimal.Decimal("2.50"), "2.50"),
            ("published_on", dt.date(2026, 1, 31), "2026-01-31"),
            ("seen_at", dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), "2026-01-31T12:00:00+00:00"),
            ("data", {"b": [1, None], "a": "ä"}, '{"a": "ä", "b": [1, null]}'),
            ("data", [uuid.UUID(int=1)], '["00000000-0000-0000-0000-000000000001"]'),
            ("data", {1: object()}, UNKNOWN),
            ("data", [{"api_key": "sk-1"}], '[{"api_key": "[redacted]"}]'),
            ("parent", 7, "7"),
            ("scan", b"abc", UNKNOWN),
            ("scan", memoryview(b"abc"), UNKNOWN),
            ("api_key", "sk-1", UNKNOWN),
            ("api_key", None, UNKNOWN),
            ("text", "x" * MAX_VALUE_LENGTH, "x" * MAX_VALUE_LENGTH),
            ("text", "x" * (MAX_VALUE_LENGTH + 1), UNKNOWN),
            ("text", UNKNOWN, UNKNOWN),
        ],
    )
    def test_of_values(self, name: str, value: Any, text: Any) -> None:
        """A text, or that it is not told."""
        assert field(name).text(value) == text

    def test_hostile_values(self) -> None:
        """What cannot be read is not told, and raises nothing."""
        assert field("title").text(Hostile()) is UNKNOWN

    def test_without_secrets(self) -> None:
        """Inside a structure what is below a secret's name is replaced; what is empty is none."""
        assert without_secrets({"a": [{"apiKey": "k", "token": ""}], "password_changed_at": "x"}) == {
            "a": [{"apiKey": "[redacted]", "token": ""}],
            "password_changed_at": "x",
        }


class TestSecrets:
    def test_by_name_and_by_class(self) -> None:
        """Words of the name, and classes that say that they encrypt."""
        named = {
            name: is_secret(models.CharField(name=name))
            for name in ("password", "api_key", "token_count", "title")
        }
        assert named == {"password": True, "api_key": True, "token_count": False, "title": False}
        assert is_secret(EncryptedTextField(name="note"))


class TestCurrent:
    @pytest.mark.parametrize(
        ("name", "value", "current"),
        [
            ("pages", "3", 3),
            ("price", "2.5", decimal.Decimal("2.5")),
            ("published_on", "2026-01-31", dt.date(2026, 1, 31)),
            ("published_on", dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), dt.date(2026, 1, 31)),
            ("is_open", "f", False),
            ("title", 3, "3"),
            ("parent", "7", 7),
            ("pages", "three", "three"),
            ("pages", F("pages") + 1, UNKNOWN),
            ("attachment", ContentFile(b"", name="plan.txt"), "plan.txt"),
        ],
    )
    def test_as_the_database_has_it(self, name: str, value: Any, current: Any) -> None:
        """What the field makes of a value; what it cannot is left to the database."""
        assert field(name).current(value) == current

    def test_types(self) -> None:
        """Of a foreign key the type of what it points to; none where a value can be changed in place."""
        names = ("title", "pages", "parent", "data", "scan")
        assert [type_of(Document._meta.get_field(name)) for name in names] == [str, int, int, None, None]  # type: ignore[arg-type]
        assert type_of(EncryptedTextField(name="note")) is None
        assert type_of(Line._meta.get_field("document")) is int  # type: ignore[arg-type]


class TestTold:
    def test_what_fits(self) -> None:
        """As many as an event holds, and nothing that is not known."""
        found = told([(f"field_{number}", ("ö" * 250, "x")) for number in range(20)])
        assert 10 < len(found) < 14
        assert sum(len(text.encode()) for texts in found.values() for text in texts) < MAX_VALUES_BYTES
        assert len(told((str(number), ("x",)) for number in range(100))) == MAX_VALUES
        assert told([("a", ("x", UNKNOWN)), ("b", (None,))]) == {"b": None}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


class TestFrozen:
    @pytest.mark.slow
    @given(VALUES)
    def test_a_value_is_itself(self, value: Any) -> None:
        """However it was kept, it does not differ from what it was, nor does what is read from it."""
        frozen = freeze(value)
        assert not differs(frozen, value)
        again = json.loads(json.dumps(value)) if _is_json(value) else copy.deepcopy(value)
        assert not differs(frozen, again)
        thawed = thaw(frozen, UNKNOWN)
        assert thawed is UNKNOWN or not differs(freeze(thawed), value)

    @pytest.mark.slow
    @given(VALUES, VALUES)
    def test_another_value_is_another(self, value: Any, other: Any) -> None:
        """It differs exactly from what is not equal to it, where NaN is itself."""
        if "nan" not in repr((value, other)):
            assert differs(freeze(value), other) == (value != other)

    def test_who_else_has_it(self) -> None:
        """The same value is the same whoever has parts of it: no large structure differs by that."""
        shared = "a text that others have, too"
        first = {"texts": [shared] * 500}
        second = json.loads(json.dumps(first))
        assert freeze(first)[0] == "hash"
        assert not differs(freeze(first), second)

    def test_it_stays(self) -> None:
        """What is done to the value later is not done to what was kept."""
        value: Any = {"a": [1]}
        frozen = freeze(value)
        value["a"].append(2)
        assert differs(frozen, value)
        assert thaw(frozen, UNKNOWN) == {"a": [1]}

    def test_large_structures(self) -> None:
        """Their hash is kept: whether they differ is known, what they were is not."""
        large = {"text": "x" * 10_000}
        frozen = freeze(large)
        assert len(str(frozen)) < 100
        assert not differs(frozen, {"text": "x" * 10_000})
        assert differs(frozen, {"text": "y" * 10_000})
        assert thaw(frozen, UNKNOWN) is UNKNOWN

    def test_other_objects(self) -> None:
        """A copy where one can be made, the text where not; neither raises."""

        class Point:
            def __init__(self, x: int) -> None:
                self.x = x

            def __eq__(self, other: object) -> bool:
                return isinstance(other, Point) and other.x == self.x

            __hash__ = None  # type: ignore[assignment]

        class Uncopied(Point):
            def __deepcopy__(self, memo: Any) -> Any:
                raise RuntimeError

            def __str__(self) -> str:
                return str(self.x)

        for kind in (Point, Uncopied):
            assert not differs(freeze(kind(1)), kind(1))
            assert differs(freeze(kind(1)), kind(2))
        assert freeze(memoryview(b"abc"))[0] == "hash"
        assert not differs(freeze(memoryview(b"abc")), memoryview(b"abc"))
        assert freeze(ContentFile(b"", name="plan.txt")) == "plan.txt"

    def test_enumerations(self) -> None:
        """A member is its value."""

        class Size(enum.IntEnum):
            BIG = 3

        assert not differs(freeze(Size.BIG), 3)
