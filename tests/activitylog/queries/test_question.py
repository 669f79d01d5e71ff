"""The files of the questions, and how their heads are read."""

from __future__ import annotations

import re
import shlex

import pytest

from activitylog.exceptions import QueryError
from activitylog.queries import GROUPS, Parameter, question, questions
from activitylog.queries.question import parse
from activitylog.queries.values import check_of

_FILE = """-- title: Busiest actors
-- answers: Who did most: and how much?
-- group: who
-- kind: ranking
-- x: actor
-- y: events
-- costs: reads all rows
--   of the range
-- example: activitylog query top --limit 3
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
        assert (asked.group, asked.kind, asked.x, asked.y, asked.z) == ("who", "ranking", "actor", "events", "")
        assert (asked.costs, asked.example) == ("reads all rows of the range", "activitylog query top --limit 3")
        assert asked.sql == _FILE
        assert asked.parameters == (
            Parameter("event", "String", "", "only events of this name; empty: all"),
            Parameter("since", "DateTime64(9, 'UTC')", "1900-01-01", "from this time on"),
            Parameter("limit", "UInt64", "20", "at most this many"),
        )

    @pytest.mark.parametrize(
        ("line", "instead", "error"),
        [
            (
                "-- kind: ranking\n",
                "-- kind: pie\n",
                "top: the kind 'pie' is not table, series, ranking or heatmap",
            ),
            ("-- y: events\n", "", "top: the head lacks y"),
            ("-- kind: ranking\n", "-- kind: heatmap\n", "top: the head lacks z"),
            ("-- costs: reads all rows\n", "-- example: x\n", "top: the head lacks costs"),
            ("-- group: who\n", "-- group: whom\n", "top: the group 'whom' is not one of timelines, who, what, "),
            ("-- title: Busiest actors\n", "", "top: the head lacks title"),
            ("-- y: events\n", "-- colour: red\n", "top: the line '-- colour: red' is not one of a head"),
            ("-- title: Busiest actors\n", "--   on\n", "top: the line '--   on' is not one of a head"),
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
        """The questions, in the order of their names."""
        assert list(questions()) == [
            "active-actors", "actor-timeline", "anomalies", "busiest-hours", "completeness", "denial-bursts",
            "duplicates", "durations", "estimates", "event-counts", "events-by-hour", "failures",
            "failures-by-hour",
            "failures-by-route", "funnel", "gaps", "hour-of-week", "new-and-returning", "new-events", "newest",
            "next-events", "object-history", "outcomes", "retention", "rollup-coverage", "sampled-out",
            "session-lengths", "session-replay", "sessions", "silent", "size", "slow-operations",
            "storage-by-event", "tenant-usage", "top-actors", "top-movers", "trace-or-request",
            "unique-actors-per-day", "volume",
        ]  # fmt: skip

    def test_every_group_has_questions(self) -> None:
        """No group is empty, so none is listed without a question."""
        assert {asked.group for asked in questions().values()} == set(GROUPS)

    @pytest.mark.parametrize("name", questions())
    def test_examples_can_be_typed(self, name: str) -> None:
        """An example asks the question that it stands with, with parameters that it takes."""
        asked = questions()[name]
        if asked.example:
            words = shlex.split(asked.example)
            assert words[:3] == ["activitylog", "query", name]
            assert ("--plot" in words) <= (asked.kind != "table")
            given = [word for word in words[3:] if word != "--plot"]
            names = [word.removeprefix("--").replace("-", "_") for word in given[::2]]
            asked.values(dict(zip(names, given[1::2], strict=True)))

    @pytest.mark.parametrize("name", questions())
    def test_who_reads_what_says_so(self, name: str) -> None:
        """A question that reads a roll-up or the counters says so in what it costs."""
        asked = questions()[name]
        for table, word in (
            ("FROM activity_events_hourly", "roll-up"),
            ("FROM activity_events_actor_daily", "roll-up"),
            ("FROM activity_counters", "counter"),
        ):
            assert table not in asked.sql or word in asked.costs + asked.answers, (name, table)

    @pytest.mark.parametrize("name", questions())
    def test_weighted_counts(self, name: str) -> None:
        """Where rows are weighted the roll-up's count is multiplied, too: SampleWeight never stands alone."""
        sql = questions()[name].sql
        alone = re.findall(r"sum(?:If)?\(SampleWeight\b(?! \*)", sql)
        assert alone == []

    @pytest.mark.parametrize("name", questions())
    def test_parameters_are_used(self, name: str) -> None:
        """The head lists exactly the parameters of the SQL, with their types; defaults are of those types."""
        asked = questions()[name]
        used = set(re.findall(r"\{(\w+):([^}]+)\}", asked.sql))
        assert {(parameter.name, parameter.type) for parameter in asked.parameters} == used
        for parameter in asked.parameters:
            check_of(parameter.type)(parameter.default)

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
        assert caught.value.hint.startswith("There are: active-actors, ")


class TestValues:
    """``Question.values``: every parameter, checked."""

    def test_defaults(self) -> None:
        """What is not given, or given as an empty text or None, has its default."""
        expected = {
            "event": "",
            "since": "1900-01-01 00:00:00.000000",
            "until": "2262-01-01 00:00:00.000000",
            "days": 7,
            "tenant": "",
            "limit": 20,
        }
        assert question("newest").values({}) == expected
        assert question("newest").values({"since": "", "limit": None}) == expected
