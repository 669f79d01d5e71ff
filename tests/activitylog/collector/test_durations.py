"""Durations as Go writes them."""

from __future__ import annotations

import pytest

from activitylog.collector.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        ("200ms", 0.2),
        ("-5s", -5.0),
        ("+2us", 2e-6),
        ("3µs", 3e-6),
        (".5s", 0.5),
        ("7ns", 7e-9),
    ],
)
def test_seconds(text: str, seconds: float) -> None:
    """Hours to nanoseconds, in any combination."""
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "1d", "s", "1s ", "1 s", "-", "1h5", "one"])
def test_no_duration(text: str) -> None:
    """As Go refuses it."""
    assert seconds_of(text) is None
