"""What servers say, in lines of a log."""

from __future__ import annotations

import pytest

from otel_clickhouse.exceptions import PermanentError
from otel_clickhouse.losses import Losses
from otel_clickhouse.printable import printable


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


def test_lines_of_the_log(lines):
    """The reason of a loss is the server's text, or a value of a record."""
    losses = Losses()
    losses.add("permanent", 1, "bad\x1b[2J\nforged")
    losses.tell("retry", "Export failed, trying again: %s", ValueError("\u202eno\x07"))
    assert lines() == [
        "1 records dropped (permanent), 1 in all: bad\\x1b[2J\\nforged",
        "Export failed, trying again: \\u202eno\\x07",
    ]


def test_messages_of_errors():
    """An error's message may quote the server, and be printed by anybody."""
    assert str(PermanentError("no \x1b[2J", hint="try\u202e")) == "no \\x1b[2J try\\u202e"
