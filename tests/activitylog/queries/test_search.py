"""Finding a question: by its name, a part of it, or in words."""

from __future__ import annotations

import pytest

from activitylog.exceptions import QueryError
from activitylog.queries import find, questions, search


class TestFind:
    """``find``."""

    @pytest.mark.parametrize(
        ("written", "name"),
        [
            ("top-actors", "top-actors"),
            ("Top_Actors", "top-actors"),
            ("ret", "retention"),
            ("failures", "failures"),
            ("slow", "slow-operations"),
        ],
    )
    def test_names_and_beginnings(self, written: str, name: str) -> None:
        """A name as it is, with underscores, in any case, or as the beginning of one name only."""
        assert find(written).name == name

    @pytest.mark.parametrize(
        ("written", "message", "hint"),
        [
            ("top", "'top' may be several questions.", "There are: top-actors, top-movers."),
            ("top-acters", "There is no question 'top-acters'.", "Did you mean top-actors? There are: active-"),
            ("who was denied", "There is no question 'who was denied'.", "Did you mean denial-bursts or failures"),
            ("zzz", "There is no question 'zzz'.", "There are: active-actors, "),
            ("", "There is no question ''.", "There are: active-actors, "),
        ],
    )
    def test_not_one(self, written: str, message: str, hint: str) -> None:
        """What may be several is listed; what is none has what is near, by its letters or by its meaning."""
        with pytest.raises(QueryError) as caught:
            find(written)
        assert caught.value.message == message
        assert (caught.value.hint or "").startswith(hint)


class TestSearch:
    """``search``."""

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            ("Who was denied?", "denial-bursts"),
            ("what is slow", "slow-operations"),
            ("which users came back", "retention"),
            ("conversion", "funnel"),
            ("disk space by event", "storage-by-event"),
            ("lost events", "gaps"),
            ("duplicate rows", "duplicates"),
            ("what happened in this session", "session-replay"),
            ("daily active users", "active-actors"),
            ("unusual hours", "anomalies"),
            ("which service stopped sending", "silent"),
            ("who did most", "top-actors"),
            ("errors by route", "failures-by-route"),
            ("sampling error of totals", "estimates"),
            ("customers by usage", "tenant-usage"),
        ],
    )
    def test_a_question_in_words(self, words: str, name: str) -> None:
        """What people ask leads to the question among the first three."""
        assert name in [asked.name for asked in search(words)][:3]

    def test_every_title_finds_its_question(self) -> None:
        """The title of each is enough to find it, among the first three."""
        for asked in questions().values():
            assert asked in search(asked.title)[:3], asked.name

    @pytest.mark.parametrize("words", ["", "   ", "the of and", "qwertz", "('\\x1b[0m"])
    def test_nothing(self, words: str) -> None:
        """Words that say nothing find nothing."""
        assert search(words) == []
