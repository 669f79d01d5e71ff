"""What reaches the terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.cli.visible import visible, without_secrets


class TestVisible:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain é 日本 😀", "plain é 日本 😀"),
            ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
            ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
            ("line\nnext\ttab\r", "line\\nnext\\ttab\\r"),
            ("\x9b31m", "\\x9b31m"),
            ("half \ud83d", "half \\ud83d"),
            ("\U000e0041", "\\U000e0041"),
            ("a\u00a0b\u3000c", "a b c"),
            ("👩\u200d🚀 می\u200cخو", "👩\u200d🚀 می\u200cخو"),
            ("\u2028\u2029\ufeff\u200b", "\\u2028\\u2029\\ufeff\\u200b"),
        ],
    )
    def test_what_does_not_print_is_an_escape(self, text: str, shown: str) -> None:
        """Escape sequences, bidi marks, line ends and halves of pairs become visible; people's scripts stay."""
        assert visible(text) == shown

    @given(st.text(st.characters(codec=None)))
    def test_nothing_but_printing_characters_comes_out(self, text: str) -> None:
        """Of any text whatever, the result is one line that encodes and moves no cursor."""
        shown = visible(text)
        shown.encode()
        assert {unicodedata.category(char) for char in shown if char not in "\u200c\u200d"}.isdisjoint(
            {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        )


class TestWithoutSecrets:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("at clickhouse://u:pw@host:1/db", "at clickhouse://u:***@host:1/db"),
            ("http://u:p@ss:word@host", "http://u:***@host"),
            ("otlp+http://u:pw@h and http://:x@h", "otlp+http://u:***@h and http://:***@h"),
            ("http://host:8123/db", "http://host:8123/db"),
        ],
    )
    def test_password_in_a_url_is_hidden(self, text: str, shown: str) -> None:
        """The password of any URL in a text is replaced."""
        assert without_secrets(text) == shown
