"""Errors of this package, as people see them."""

from __future__ import annotations

from otel_clickhouse.exceptions import PermanentError


def test_messages_are_printable():
    """An error's message may quote the server, and be printed by anybody."""
    assert str(PermanentError("no \x1b[2J", hint="try\u202e")) == "no \\x1b[2J try\\u202e"
