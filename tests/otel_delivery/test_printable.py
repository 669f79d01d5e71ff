"""What servers say, in lines of a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_delivery.printable import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本", "plain é 日本"),
        ("\x1b[2J\x9b2J\x07\x7f", "\\x1b[2J\\x9b2J\\x07\\x7f"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202e\u2066\u2028\u200b\ud83d\U000e0041", "\\u202e\\u2066\\u2028\\u200b\\ud83d\\U000e0041"),
    ],
)
def test_what_does_not_print_is_an_escape(text, shown):
    """One line of printing characters, whatever came."""
    assert printable(text) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=600))
def test_any_text_becomes_one_printable_line(text):
    """Of bounded length, lone surrogates and all."""
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 503


def test_white_space_is_one_blank_and_what_is_long_is_cut():
    """A page of a proxy is no line of a log."""
    assert one_line("  no \r\n such\tkey\x1b ") == "no such key\\x1b"
    assert one_line("x" * 500) == "x" * 500
    assert one_line("x" * 501) == "x" * 500 + "..."
