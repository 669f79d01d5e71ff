"""Keys that name secrets, and keys that only sound like it."""

from __future__ import annotations

import pytest

from activitylog.redaction.keys import Globs, names_secret, words_of
from tests.activitylog.redaction.corpus import INNOCENT_KEYS, SECRET_KEYS
from tests.activitylog.redaction.steps import grows_linearly


class TestNames:
    @pytest.mark.parametrize("key", SECRET_KEYS)
    def test_of_secrets(self, key: str) -> None:
        """In any spelling: camelCase, kebab-case, snake_case, with numbers, dots, full-width letters."""
        assert names_secret(words_of(key))

    @pytest.mark.parametrize("key", INNOCENT_KEYS)
    def test_of_other_things(self, key: str) -> None:
        """Words that only contain a word for a secret, and what is merely about one."""
        assert not names_secret(words_of(key))

    @pytest.mark.parametrize(
        ("key", "words"),
        [
            ("dbPassword2", ["db", "password", "2"]),
            ("X-Api-Key", ["x", "api", "key"]),
            ("APIKey", ["api", "key"]),
            ("HTTPResponseCode", ["http", "response", "code"]),
            ("user.last_login", ["user", "last", "login"]),
            ("", []),
            ("--", []),
        ],
    )
    def test_words(self, key: str, words: list[str]) -> None:
        """Words end at separators, at digits and where a capital begins the next one."""
        assert words_of(key) == words

    @pytest.mark.parametrize("piece", ["a", "aA", "A", "_", "1a", "\u0130"])
    def test_long_keys(self, piece: str) -> None:
        """A key of 100 kB costs no more than its beginning."""
        assert grows_linearly(lambda: words_of(piece * 25_000), lambda: words_of(piece * 100_000))


class TestGlobs:
    @pytest.mark.parametrize("key", ["api_key", "API_KEY", "apiKey", "api-key", "Api-Key"])
    def test_any_spelling(self, key: str) -> None:
        """A name in snake case matches the key however it is spelt."""
        assert Globs(["api_key"]).match(key)

    def test_dots_are_no_underscores(self) -> None:
        """The schema's user.id is not the application's user_id."""
        assert Globs(["user.id"]).match("user.id")
        assert not Globs(["user.id"]).match("user_id")
        assert not Globs(["user_id"]).match("user.id")

    def test_wildcards(self) -> None:
        """A star and a question mark, over the whole key."""
        globs = Globs(["debug_*", "x?"])
        assert [key for key in ("debug_sql", "my_debug_sql", "xy", "xyz") if globs.match(key)] == [
            "debug_sql",
            "xy",
        ]

    def test_none(self) -> None:
        """Without names nothing matches."""
        assert not Globs([]).match("")
