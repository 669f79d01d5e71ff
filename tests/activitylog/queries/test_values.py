"""Values of parameters as people type them and as programs have them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from activitylog.queries.values import VALUE_OF_TYPE, check_of

_TIME = "DateTime64(9, 'UTC')"


class TestValues:
    """``VALUE_OF_TYPE``."""

    @pytest.mark.parametrize(
        ("type_name", "given", "value"),
        [
            ("String", "a b", "a b"),
            ("String", 42, "42"),
            ("UInt64", "20", 20),
            ("UInt64", 20, 20),
            ("UInt64", "10_000", 10_000),
            ("UInt64", "10,000", 10_000),
            ("UInt64", 2**64 - 1, 2**64 - 1),
            ("UInt32", "4294967295", 4_294_967_295),
            (_TIME, "2026-05-01", "2026-05-01 00:00:00.000000"),
            (_TIME, "2026-05-01 10:00", "2026-05-01 10:00:00.000000"),
            (_TIME, "2026-05-01T10:00:00.25+02:00", "2026-05-01 08:00:00.250000"),
            (_TIME, "2026-05-01T10:00:00Z", "2026-05-01 10:00:00.000000"),
            (_TIME, date(2026, 5, 1), "2026-05-01 00:00:00.000000"),
            (_TIME, datetime(2026, 5, 1, 10, tzinfo=UTC), "2026-05-01 10:00:00.000000"),
            (_TIME, datetime(2026, 5, 1, 10, tzinfo=timezone(timedelta(hours=-5))), "2026-05-01 15:00:00.000000"),
        ],
    )
    def test_accepted(self, type_name: str, given: Any, value: Any) -> None:
        """A text or a value of Python's own type becomes what the server reads; times become UTC."""
        assert VALUE_OF_TYPE[type_name](given) == value

    @pytest.mark.parametrize(
        ("type_name", "given", "error"),
        [
            ("UInt64", "-1", "not a whole number from 0 to 18,446,744,073,709,551,615"),
            ("UInt64", "1.5", "not a whole number from 0 to 18,446,744,073,709,551,615"),
            ("UInt64", 2**64, "not a whole number from 0 to 18,446,744,073,709,551,615"),
            ("UInt64", True, "not a text"),
            ("UInt64", "٣", "not a whole number from 0 to 18,446,744,073,709,551,615"),
            ("UInt32", 2**32, "not a whole number from 0 to 4,294,967,295"),
            ("String", ["a"], "not a text"),
            (_TIME, "yesterday", "not a time, such as 2026-05-01 or 2026-05-01T10:00:00+02:00"),
            (_TIME, "1800-01-01", "not a time between the years 1900 and 2262"),
            (_TIME, "9999-12-31", "not a time between the years 1900 and 2262"),
        ],
    )
    def test_refused(self, type_name: str, given: Any, error: str) -> None:
        """What is not of the type is refused, with what it should be."""
        with pytest.raises(ValueError, match="^" + error.replace("+", r"\+")):
            VALUE_OF_TYPE[type_name](given)


class TestEnumerations:
    """``check_of`` for a type that lists its values."""

    def test_one_of(self) -> None:
        """One of the names is accepted; anything else is refused with the names; what is no type is an error."""
        check = check_of("Enum8('event'=1,'route'=2)")
        assert check(" route ") == "route"
        for given in ("Route", "1", "'", ["event"]):
            with pytest.raises(ValueError, match=r"^(not one of: event, route|not a text)$"):
                check(given)
        with pytest.raises(KeyError):
            check_of("Int8")
