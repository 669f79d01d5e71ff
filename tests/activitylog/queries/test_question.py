"""The files of the questions, and how their heads are read."""

from __future__ import annotations

import re

import pytest

from activitylog.exceptions import QueryError
from activitylog.queries import Parameter, question, questions
from activitylog.queries.question import parse
from activitylog.queries.values import VALUE_OF_TYPE

_FILE = """-- title: Busiest actors
-- answers: Who did most: and how much?
-- kind: ranking
-- x: actor
-- y: events
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on
-- param limit UInt64 = 20 : at most this many
SELECT 1 -- title: not this
"""


class TestParse:
    """``parse``: the head of a file."""

    def test_head(self) -> None:
        """All lines of the head are read, defaults may be empty, and types may have spaces."""
        asked = parse("top", _FILE)
        assert (asked.name, asked.title, asked.answers) == ("top", "Busiest actors", "Who did most: and how much?")
        assert (asked.kind, asked.x, asked.y, asked.sql) == ("ranking", "actor", "events", _FILE)
        assert asked.parameters == (
            Parameter("event", "String", "", "only events of this name; empty: all"),
            Parameter("since", "DateTime64(9, 'UTC')", "1900-01-01", "from this time on"),
            Parameter("limit", "UInt64", "20", "at most this many"),
        )

    @pytest.mark.parametrize(
        ("line", "instead", "error"),
        [
            ("-- kind: ranking\n", "-- kind: pie\n", "top: the kind 'pie' is not table, series or ranking"),
            ("-- y: events\n", "", "top: the head lacks y"),
            ("-- title: Busiest actors\n", "", "top: the head lacks title"),
            ("-- y: events\n", "-- colour: red\n", "top: the line '-- colour: red' is not one of a head"),
            (
                " = 20 : at",
                " 20 at",
                "top: the line '-- param limit UInt64 20 at most this many' is not one of a head",
            ),
        ],
    )
    def test_wrong_heads(self, line: str, instead: str, error: str) -> None:
        """A head that lacks something or says something unknown is refused."""
        with pytest.raises(ValueError, match=re.escape(error)):
            parse("top", _FILE.replace(line, instead))


class TestQuestions:
    """The files that there are."""

    def test_names(self) -> None:
        """The first questions, in the order of their names."""
        assert list(questions()) == [
            "actor-timeline", "busiest-hours", "event-counts", "events-by-hour", "failures-by-route", "funnel",
            "newest", "object-history", "outcomes", "size", "top-actors", "trace-or-request",
            "unique-actors-per-day", "volume",
        ]  # fmt: skip

    @pytest.mark.parametrize("name", questions())
    def test_parameters_are_used(self, name: str) -> None:
        """The head lists exactly the parameters of the SQL, with their types; defaults are of those types."""
        asked = questions()[name]
        used = set(re.findall(r"\{(\w+):([^}]+)\}", asked.sql))
        assert {(parameter.name, parameter.type) for parameter in asked.parameters} == used
        for parameter in asked.parameters:
            VALUE_OF_TYPE[parameter.type](parameter.default)

    @pytest.mark.parametrize("name", questions())
    def test_one_select(self, name: str) -> None:
        """A file is one SELECT without a semicolon or a format, so that it can stand in a larger statement."""
        sql = re.sub(r"--.*", "", questions()[name].sql)
        assert re.match(r"\s*(SELECT|WITH)\s", sql)
        assert ";" not in sql
        assert "FORMAT" not in sql

    def test_underscores(self) -> None:
        """The name may be written as Python writes names."""
        assert question("top_actors") is questions()["top-actors"]

    def test_unknown(self) -> None:
        """A name that nothing is near to gets the list alone."""
        with pytest.raises(QueryError) as caught:
            question("zzz")
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("There are: actor-timeline, ")


class TestValues:
    """``Question.values``: every parameter, checked."""

    def test_defaults(self) -> None:
        """What is not given, or given as an empty text or None, has its default."""
        expected = {
            "event": "",
            "since": "1900-01-01 00:00:00.000000",
            "until": "2262-01-01 00:00:00.000000",
            "tenant": "",
            "limit": 20,
        }
        assert question("newest").values({}) == expected
        assert question("newest").values({"since": "", "limit": None}) == expected
