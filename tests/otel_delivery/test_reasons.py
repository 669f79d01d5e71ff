"""Names of reasons: bounded, whatever an exporter says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_delivery.reasons import Reasons


def test_so_many_are_told_apart() -> None:
    """The first 64 keep their names for ever; what comes later, and what is no name, is one reason."""
    reasons = Reasons()
    first = [f"http_{number}" for number in range(64)]
    assert [reasons.name(reason) for reason in first] == first
    assert reasons.name("http_64") == "other"
    assert [reasons.name(reason) for reason in first] == first
    assert reasons.name("http_7: the server said so") == "http_7"
    assert Reasons().name("x" * 64) == "x" * 64
    assert Reasons().name("x" * 65) == "other"
    assert reasons.name("") == reasons.name(": nothing in front") == "other"


@pytest.mark.parametrize("reason", ["a\x1b[2J", "a\nb", "\ud800", "a\x00"])
def test_what_is_not_printable_is_no_name(reason: str) -> None:
    """It would be a label of metrics, and a line in terminals."""
    assert Reasons().name(reason) == "other"


@given(st.lists(st.text(max_size=80), max_size=200))
def test_names_are_bounded_whatever_comes(reasons: list[str]) -> None:
    """At most 64 names and ``other``, of at most 64 printable characters; the same reason has the same name."""
    names = Reasons()
    given_names = {reason: names.name(reason) for reason in reasons}
    assert len(set(given_names.values()) - {"other"}) <= 64
    assert all(len(name) <= 64 and name.isprintable() for name in given_names.values())
    assert {reason: names.name(reason) for reason in reasons} == given_names
