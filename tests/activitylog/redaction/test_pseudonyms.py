"""Pseudonyms: joinable under one key, unreadable without it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from activitylog.redaction import RedactionKey
from activitylog.redaction.pseudonyms import pseudonymizer

KEY = RedactionKey("correct-horse-battery-" + "staple")
pseudonym = pseudonymizer(KEY, "1")


def test_the_form() -> None:
    """Nobody takes it for the real thing, and it names its key. A fixed vector: stored ones must stay joinable."""
    assert pseudonym("42") == "pseudonym-1-" + pseudonym("42")[-32:]
    assert re.fullmatch(r"pseudonym-1-[0-9a-f]{32}", pseudonym("42"))
    assert pseudonym("42") == "pseudonym-1-233b842a50fb021dfaf678316e4db6b6"


@given(st.text(min_size=1), st.text(min_size=1))
def test_equal_for_equal_values_only(one: str, other: str) -> None:
    """That is what joins need."""
    assert (pseudonym(one) == pseudonym(other)) == (one == other)


@given(st.text(min_size=3))
def test_the_value_is_not_in_it(value: str) -> None:
    """And another key gives another pseudonym."""
    assert (
        value == pseudonym(value) or value not in pseudonym(value).removeprefix("pseudonym-1-") or len(value) < 5
    )
    assert pseudonymizer(RedactionKey("another-key-of-16-bytes"), "1")(value) != pseudonym(value)


def test_twice() -> None:
    """A pseudonym stays as it is, so that two stages agree; so does an empty text, which is no value."""
    assert pseudonym(pseudonym("42")) == pseudonym("42")
    assert pseudonym("") == ""


def test_long_keys() -> None:
    """Longer than BLAKE2b takes: all of it counts."""
    one, other = (pseudonymizer(RedactionKey("k" * 100 + end), "1") for end in "ab")
    assert one("42") != other("42")


def test_another_process_agrees() -> None:
    """Whatever its hash seed."""
    code = (
        "from activitylog.redaction import RedactionKey\n"
        "from activitylog.redaction.pseudonyms import pseudonymizer\n"
        "print(pseudonymizer(RedactionKey('correct-horse-battery-' + 'staple'), '1')('ada'))"
    )
    environ = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == pseudonym("ada")
