from __future__ import annotations

import pytest

from activitylog.integrations.django.admin.texts import parts


class TestParts:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ()),
            ("short", ("short",)),
            ("two words", ("two ", "words")),
            ("/admin/chat/", ("/", "admin/", "chat/")),
            ("x" * 70, ("x" * 32, "x" * 32, "x" * 6)),
            ("a\nb", ("a\n", "b")),
        ],
    )
    def test_break_where_a_line_may_end(self, text, expected):
        """After spaces and slashes, and inside what is longer than a column."""
        assert parts(text, 100) == expected

    def test_are_the_text(self):
        """Nothing is lost between them."""
        text = "POST /a//b/ <path:x>  200 \n " + "y" * 90
        assert "".join(parts(text, 1_000)) == text

    def test_long_texts_end_with_an_ellipsis(self):
        """At exactly so many characters."""
        assert parts("a" * 11, 10) == ("a" * 9 + "…",)
        assert parts("a" * 10, 10) == ("a" * 10,)

    def test_what_does_not_print_is_written_out(self):
        """A mark that turns a line around, an escape, a character without width."""
        assert "".join(parts("gnp\u202eexe\x1b[31m\u200b", 100)) == "gnp\\u202eexe\\x1b[31m\\u200b"
