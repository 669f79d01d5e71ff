"""Event name globs."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.rules.globs import covers, name_test
from tests.activitylog.rules.events import GLOBS

ANY_GLOB = st.one_of(st.sampled_from(GLOBS), st.text(alphabet="ab.*?[]!-", min_size=1, max_size=8))
ANY_NAME = st.text(alphabet="ab.-]\n", max_size=8)


class TestNameTest:
    @pytest.mark.slow
    @given(globs=st.lists(ANY_GLOB, min_size=1, max_size=4), name=ANY_NAME)
    def test_is_fnmatch(self, globs: list[str], name: str) -> None:
        """Exact names, prefixes and all else mean what they mean there."""
        assert name_test(globs)(name) is any(fnmatch.fnmatchcase(name, glob) for glob in globs)

    def test_a_name_that_is_no_text(self) -> None:
        """Only the glob for everything takes it."""
        assert name_test(["*"])(None) is True
        assert name_test(["?*", "**"])(None) is False


class TestCovers:
    @given(wide=ANY_GLOB, narrow=ANY_GLOB, name=ANY_NAME)
    def test_never_says_so_wrongly(self, wide: str, narrow: str, name: str) -> None:
        """Where it says yes, no name tells otherwise."""
        if covers(wide, narrow) and fnmatch.fnmatchcase(name, narrow):
            assert fnmatch.fnmatchcase(name, wide)

    def test_sees_what_people_write(self) -> None:
        """Equal globs, names under a glob, longer prefixes."""
        assert covers("message.*", "message.sent")
        assert covers("message.*", "message.*")
        assert covers("message.*", "message.sent.*")
        assert covers("*", "a?b")
        assert not covers("message.*", "message*")
        assert not covers("message.sent.*", "message.*")

    def test_a_bracket_that_is_not_closed(self) -> None:
        """Is itself, and not the beginning of a set that the other glob goes on with."""
        assert not covers("a[*", "a[b]*")
