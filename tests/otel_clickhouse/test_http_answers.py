"""When to come again: what headers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_clickhouse.http_answers import retry_after

NOW = 1_764_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("999999", 3_600.0),
        ("9" * 400, None),
        ("Mon, 24 Nov 2025 16:00:30 GMT", 30.0),
        ("Mon, 24 Nov 2025 15:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 16:00:00 GMT", 3_600.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("\u0663", None),
    ],
)
def test_retry_after(text, seconds):
    """A number of seconds or a date, from now to an hour from now."""
    assert retry_after(text, now=NOW) == seconds


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_never_raises(text):
    """Whatever a server sends."""
    seconds = retry_after(text, now=NOW)
    assert seconds is None or 0 <= seconds <= 3_600
