"""Text that is safe for a terminal."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import activitylog
from activitylog.exceptions import ConfigurationError, StrictModeError
from activitylog.testing import capture_activities
from activitylog.visible import ascii_json, visible, visible_lines

_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class TestVisible:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain é 日本 😀", "plain é 日本 😀"),
            ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
            ("a\u202eb\u2066c\u200fd\u061c", "a\\u202eb\\u2066c\\u200fd\\u061c"),
            ("line\nnext\ttab\r", "line\\nnext\\ttab\\r"),
            ("\x9b31m\x7f\x00", "\\x9b31m\\x7f\\x00"),
            ("half \ud83d", "half \\ud83d"),
            ("\U000e0041", "\\U000e0041"),
            ("a\u00a0b\u3000c", "a b c"),
            ("\u2028\u2029\ufeff\u200b", "\\u2028\\u2029\\ufeff\\u200b"),
            ("a\u034fb\u3164c\u2800", "a\\u034fb\\u3164c\\u2800"),
        ],
    )
    def test_what_does_not_print_is_an_escape(self, text: str, shown: str) -> None:
        """Escape sequences, bidi marks, line ends and halves of pairs become visible; people's scripts stay."""
        assert visible(text) == shown

    @pytest.mark.parametrize(
        "text",
        ["👩\u200d🚀", "می\u200cخو", "❤\ufe0f\u200d🔥", "1\ufe0f\u20e3", "☎\ufe0e", "葛\U000e0100", "©\ufe0f"],
    )
    def test_what_people_write_stays(self, text: str) -> None:
        """Joiners and selectors that hold words and emoji together are no attack."""
        assert visible(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "ad\u200cmin",
            "ad\u200dmin",
            "\u200dadmin",
            "می\u200c",
            "я\u200cя",
            "😀\u200d\u200d😀",
            "a\ufe0fb",
            "1\ufe0f",
        ],
    )
    def test_what_makes_names_look_alike_is_seen(self, text: str) -> None:
        """Between letters that need none of it, a joiner or selector only hides a difference."""
        assert "\\u" in visible(text)

    @given(st.text(st.characters(codec=None)))
    def test_nothing_but_printing_characters_comes_out(self, text: str) -> None:
        """Of any text whatever, the result is one line that encodes and moves no cursor; it is its own result."""
        shown = visible(text)
        shown.encode()
        assert {unicodedata.category(char) for char in shown if char not in "\u200c\u200d"}.isdisjoint(
            _UNPRINTABLE
        )

    @given(st.text(st.characters(codec=None)))
    def test_lines(self, text: str) -> None:
        """Only the line ends of a text with lines are left as they are."""
        assert visible_lines(text).split("\n") == [visible(line) for line in text.split("\n")]


class TestAsciiJson:
    @pytest.mark.slow
    @given(
        st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
    )
    def test_it_says_the_same(self, value: Any) -> None:
        """The text has ASCII characters only, and is read as the same document."""
        for ascii_only in (False, True):
            text = ascii_json(json.dumps(value, ensure_ascii=ascii_only))
            assert all(" " <= char <= "~" for char in text)
            assert json.loads(text) == value


class TestWhereWePrint:
    def test_messages_of_errors(self) -> None:
        """An error quotes what was given, and a traceback of it goes to a terminal; its lines stay lines."""
        error = ConfigurationError("url is \x1b[2J\u202e", hint="first\nsecond\x07")
        assert str(error) == "url is \\x1b[2J\\u202e first\nsecond\\x07"
        assert error.message == "url is \x1b[2J\u202e"

    def test_strict_mode(self) -> None:
        """What is raised in tests names the event."""
        odd: dict[str, Any] = {"key\u202e": 1}
        with capture_activities(), pytest.raises(StrictModeError) as caught:
            activitylog.emit("a\x1b[2Jb", **odd)
        assert "\x1b" not in str(caught.value)
        assert "\u202e" not in str(caught.value)

    def test_assertions_of_the_fixture(self) -> None:
        """What a failed assertion lists was emitted by anybody."""
        with capture_activities(strict=False) as captured:
            activitylog.emit("a\x1b[2Jb", channel="\u3164\x9b2J", message="x")
            with pytest.raises(AssertionError) as caught:
                captured.one("no\x07such", channel="\x1b[1m")
        shown = str(caught.value)
        assert visible_lines(shown) == shown
        assert "a\\x1b[2Jb" in shown
        assert "no\\x07such" in shown

    def test_errors_inside_the_chain(self, caplog: pytest.LogCaptureFixture) -> None:
        """The line about a dropped event has the event's name, and the name of the error's class."""

        def failing(_logger: Any, _method: str, _event_dict: Any) -> Any:
            raise type("Bad\x1b[2J\u202e", (ValueError,), {})("secret")

        with capture_activities(strict=False, processors=[failing]):
            activitylog.emit("a\x1b[2Jb\u202e\nforged")
        (line,) = [record.getMessage() for record in caplog.records]
        assert visible(line) == line
        assert "secret" not in line
