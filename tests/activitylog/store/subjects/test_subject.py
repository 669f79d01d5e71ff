"""Whom a command is about, and which texts name it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError
from activitylog.store.subjects.subject import Subject, subject, word_pattern


class TestSubject:
    """``subject``: as people name it."""

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"actor": "user:42"}, Subject(kind="actor", type="user", id="42")),
            ({"actor": ":42"}, Subject(kind="actor", id="42")),
            ({"actor": "urn:a:b"}, Subject(kind="actor", type="urn", id="a:b")),
            ({"object_": "order:A-17", "tenant": ""}, Subject(kind="object", type="order", id="A-17", tenant="")),
            ({"tenant": "acme"}, Subject(kind="tenant", id="acme")),
        ],
    )
    def test_is_read(self, given: dict[str, str], expected: Subject) -> None:
        """The type ends at the first colon, as in ``emit``; an empty tenant is one, too."""
        assert subject(**given) == expected

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({}, "Nobody is named"),
            ({"actor": "42"}, "has no type"),
            ({"actor": "user:"}, "has no id"),
            ({"tenant": ""}, "has no id"),
            ({"actor": "user:1", "object_": "order:1"}, "two subjects"),
        ],
    )
    def test_is_refused(self, given: dict[str, str], message: str) -> None:
        """Nobody is erased by leaving something out."""
        with pytest.raises(ConfigurationError, match=message):
            subject(**given)


class TestNamedIn:
    """``Subject.named_in``: the reason of an erasure must not say whose it was."""

    @pytest.mark.parametrize(
        ("id_", "text", "named"),
        [
            ("42", "request of user:42", True),
            ("42", "request 2042", False),
            ("42", "request 42-a", False),
            ("ann", "planning", False),
            ("ann", "Ann asked", True),
            ("a.b", "axb", False),
            ("o'neil \\", "from O'Neil \\!", True),
            ("größe", "die GRÖSSE", False),
        ],
    )
    def test_finds_words(self, id_: str, text: str, named: bool) -> None:
        """The id as a word of its own, in any case of letters."""
        assert Subject(kind="actor", type="user", id=id_).named_in(text) is named


class TestWordPattern:
    """``word_pattern``: the same for the engine."""

    @pytest.fixture
    def engine(self, _chdb_engine: Any) -> Any:
        return _chdb_engine

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(id_=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
    def test_finds_itself_and_no_longer_word(self, engine: Any, id_: str) -> None:
        """Any id is found between blanks and at both ends, and never as a piece of a longer word."""
        sql = (
            "SELECT match({id:String}, {word:String}), match(concat('x ', {id:String}, '. y'), {word:String}), "
            "match(concat('9', {id:String}), {word:String}), match(concat({id:String}, 'z'), {word:String})"
        )
        values = {"id": id_, "word": word_pattern(id_)}
        assert engine.query(sql, parameters=values).result_rows == [(1, 1, 0, 0)]
