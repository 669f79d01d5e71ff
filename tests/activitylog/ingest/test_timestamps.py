"""Times as they stand in files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.ingest import timestamp_ns


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (1536864291, 1536864291_000000000),
            (1536864291123, 1536864291_123000000),
            (1536864291123456, 1536864291_123456000),
            (1536864291123456789, 1536864291_123456789),
            (1, 1_000000000),
        ],
    )
    def test_unit_is_told_by_the_size(self, value: int, expected: int) -> None:
        """A whole number is seconds, milliseconds, microseconds or nanoseconds by its size."""
        assert timestamp_ns(value) == expected

    def test_fraction_is_not_rounded_by_binary_arithmetic(self) -> None:
        """A float gives the digits that it prints, not its binary neighbour."""
        assert timestamp_ns(1536864291.1) == 1536864291_100000000
        assert timestamp_ns(1536864291123.5) == 1536864291_123500000

    @pytest.mark.parametrize("value", [0, -1, 0.0, 5 * 10**13, 2**63, 10**400, float("nan"), float("inf"), -1e300])
    def test_what_cannot_be_stored_is_refused(self, value: float) -> None:
        """Zero (OpenTelemetry's "not set"), times before 1970 and after 2262 are refused."""
        with pytest.raises(ValueError, match="out of range"):
            timestamp_ns(value)

    @given(st.datetimes(min_value=datetime(1975, 1, 1), max_value=datetime(2261, 1, 1)))  # noqa: DTZ001
    def test_every_unit_of_a_time_is_read_as_that_time(self, moment: datetime) -> None:
        """A time of 1975 to 2261 in any of the four units gives the same nanoseconds."""
        seconds = int(moment.replace(tzinfo=UTC).timestamp())
        assert {timestamp_ns(seconds * 10**digits) for digits in (0, 3, 6, 9)} == {seconds * 10**9}


class TestText:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2018-09-13T18:44:51Z", 1536864291_000000000),
            ("2018-09-13T18:44:51.123456789Z", 1536864291_123456789),
            ("2018-09-13 18:44:51", 1536864291_000000000),
            ("2018-09-13T20:44:51+02:00", 1536864291_000000000),
            ("2018-09-13T20:44:51,5+0200", 1536864291_500000000),
            ("2018-09-13", 1536796800_000000000),
            ("1536864291", 1536864291_000000000),
            ("1536864291.000000001", 1536864291_000000001),
        ],
    )
    def test_iso_8601_and_digits(self, text: str, expected: int) -> None:
        """ISO 8601 with any zone (UTC without one) and digits are read to the nanosecond."""
        assert timestamp_ns(text) == expected

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("yesterday", "neither a number nor ISO 8601"),
            ("", "neither a number nor ISO 8601"),
            ("2018-02-30T00:00:00Z", "no date of the calendar"),
            ("2018-09-13T18:44:51+99:00", "no date of the calendar"),
            ("1969-12-31T23:59:59Z", "out of range"),
            ("9999-12-31T00:00:00Z", "out of range"),
            ("9" * 30, "out of range"),
        ],
    )
    def test_what_is_no_time_is_refused_with_the_reason(self, text: str, reason: str) -> None:
        """A text that is no time, no date or out of range is refused with that reason."""
        with pytest.raises(ValueError, match=reason):
            timestamp_ns(text)

    @pytest.mark.parametrize("value", [None, True, [1], {"s": 1}])
    def test_other_types_are_refused(self, value: object) -> None:
        """Only numbers and texts are times; True is not 1."""
        with pytest.raises(ValueError, match="a time is a number or ISO 8601 text"):
            timestamp_ns(value)

    @given(st.one_of(st.text(max_size=60), st.floats(), st.integers()))
    def test_any_value_gives_a_storable_time_or_a_value_error(self, value: str | float | int) -> None:
        """Nothing but ValueError is raised, and what is returned can be stored."""
        try:
            result = timestamp_ns(value)
        except ValueError:
            return
        assert 0 < result < 2**63
