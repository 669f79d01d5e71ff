"""Expressions of the application's own: what may take more than linear time is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activitylog.redaction.linear import superlinear_reason
from tests.activitylog.redaction.steps import grows_linearly


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b",
        r"(a*)*b",
        r"(?:a|a)+b",
        r"(?:a|ab)*c",
        r"x(?:\w+\d*)+y",
        r"\d+\w+x",
        r"-\d+\d+y",
        r".*=.*",
        r"\w+@",
        r"\w+$",
        r"\w+\b-",
        r"a.*b",
        r"(?:a{1,64}){1,64}b",
        r"\w{1,64}\w{1,64}x",
        r"(a)\1",
        r"(?=\w+x)a",
        r"(?i)ID-[a-z]+-\d+[0-9a-f]+z",
        r"(?:ab)+c",
        r"(?s)x.+y",
        r"[^;]+;",
        r"\S+ \S+!",
    ],
)
def test_refused(pattern: str) -> None:
    """Nested and neighbouring repeats, and those whose search can begin anew inside."""
    assert superlinear_reason(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"EMP-[0-9]{6}",
        r"EMP-\d+",
        r"EMP-\d+-X",
        r"\bcase#\d{1,10}\b",
        r"[A-Z]{2}\d{6}[A-D]?",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"(?i)patient[ :]{1,3}\d{4,12}",
        r"(?:red|green|blue)-\d+",
        r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)",
        r"key=[^&]+",
        r"\d(?:[ -]?\d){8}",
        r"顧客\d+",
    ],
)
def test_accepted(pattern: str) -> None:
    """What applications write: fixed texts, bounded repeats, runs behind something that they are not."""
    assert superlinear_reason(pattern) == ""


_ATOMS = st.sampled_from(["a", "b", "-", r"\d", r"\w", "[ab]", "[^a]", ".", "(?:ab)", "(?:a|b)", r"\b"])
_REPEATS = st.sampled_from(["", "", "+", "*", "?", "{2}", "{1,9}", "{2,}"])
_SEQUENCES = st.lists(st.builds("{}{}".format, _ATOMS, _REPEATS), min_size=1, max_size=4).map("".join)
_PATTERNS = st.one_of(_SEQUENCES, st.builds("{}(?:{}){}{}".format, _SEQUENCES, _SEQUENCES, _REPEATS, _SEQUENCES))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(_PATTERNS, st.lists(st.sampled_from(["a", "b", "-", "1", " "]), min_size=1, max_size=3).map("".join))
def test_what_is_accepted_is_linear(pattern: str, piece: str) -> None:
    """Whatever is accepted takes no more than linear time on repetitions of anything it could match."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        assume(False)
    assume(not superlinear_reason(pattern) and compiled.search("") is None)
    small, large = piece * (10_000 // len(piece)) + "!", piece * (40_000 // len(piece)) + "!"
    assert grows_linearly(lambda: compiled.sub("#", small), lambda: compiled.sub("#", large))
