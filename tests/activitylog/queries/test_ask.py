"""Every question's whole answer about the events of ``conftest.py``, with literal values."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from activitylog.exceptions import QueryError
from activitylog.queries import ask, questions
from activitylog.store import connect
from tests.activitylog.queries.conftest import EVENTS, MORE
from tests.activitylog.queries.rows import at, put, row

_TRACE = "0af7651916cd43dd8448eb211c80319c"


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


_PLACED_ANN = (_at(1, 9, 15), "user", "ann", "order.placed", "order", "A-1", "success", "ann placed A-1")
_PAID_ANN = (_at(1, 9, 20), "user", "ann", "order.paid", "order", "A-1", "success", "")
_PLACED_BEN = (_at(1, 11), "user", "ben", "order.placed", "order", "A-2", "success", "")
_PAID_BEN = (_at(1, 11, 30), "user", "ben", "order.paid", "order", "A-2", "failure", "")
_VIEWED = (_at(3, 0, 5), "user", "ann", "page.viewed", "page", "/", "success", "")


class TestActorTimeline:
    """``actor-timeline``."""

    def test_columns(self, store: Any) -> None:
        """The answer has the names and types of its columns."""
        answer = ask(store, "actor-timeline")
        assert answer.columns == (
            "time", "actor_type", "actor", "event", "object_type", "object", "outcome", "message"
        )  # fmt: skip
        assert answer.types[:3] == ("DateTime64(9, 'UTC')", "LowCardinality(String)", "String")

    def test_busiest_actor(self, store: Any) -> None:
        """Without an actor it tells of the one with most events, newest first."""
        assert ask(store, "actor-timeline").rows == [_VIEWED, _PAID_ANN, _PLACED_ANN]

    def test_given_actor(self, store: Any) -> None:
        """It tells of the actor that is asked for, and of no more events than wanted."""
        assert ask(store, "actor-timeline", actor="ben").rows == [_PAID_BEN, _PLACED_BEN]
        assert ask(store, "actor-timeline", actor="ben", limit=1).rows == [_PAID_BEN]
        assert ask(store, "actor-timeline", actor="nobody").rows == []

    def test_kind_tenant_and_time(self, store: Any) -> None:
        """Kind of actor, tenant and time narrow the answer; the end of the time is not in it."""
        assert ask(store, "actor-timeline", actor="ben", actor_type="service").rows == []
        assert ask(store, "actor-timeline", actor="ann", tenant="acme").rows == [_VIEWED]
        until = ask(store, "actor-timeline", since="2026-03-01T09:15Z", until="2026-03-01 09:20").rows
        assert until == [_PLACED_ANN]

    @pytest.mark.parametrize(
        "actor", ["o'brien", 'a"b', "tab\tnew\nline", "back\\slash", "é\u2028", "{x:String}", "%s"]
    )
    def test_odd_ids(self, store: Any, actor: str) -> None:
        """An id of any characters is a value, never a piece of SQL."""
        store.insert("activity_events", [[_at(4, 0), actor]], column_names=["Timestamp", "ActorId"])
        assert [row[2] for row in ask(store, "actor-timeline", actor=actor).rows] == [actor]


class TestObjectHistory:
    """``object-history``."""

    def test_as_object_and_target(self, store: Any) -> None:
        """What was done to the object, and with it as the target, oldest first."""
        assert ask(store, "object-history", object="A-1").rows == [
            (_at(1, 9, 15), "user", "ann", "order.placed", "order", "A-1", "object", "success", "ann placed A-1"),
            (_at(1, 9, 20), "user", "ann", "order.paid", "order", "A-1", "object", "success", ""),
            (_at(3, 10), "service", "cron", "order.archived", "order", "A-1", "target", "denied", ""),
        ]

    def test_busiest_object(self, store: Any) -> None:
        """Without an object it tells of the one with most events."""
        rows = ask(store, "object-history").rows
        assert rows == [(_at(3, 0, 5), "user", "ann", "page.viewed", "page", "/", "object", "success", "")]

    def test_limit_keeps_the_newest(self, store: Any) -> None:
        """Of a long history the newest events stay."""
        rows = ask(store, "object-history", object="A-1", limit=2).rows
        assert [row[3] for row in rows] == ["order.paid", "order.archived"]

    def test_kind(self, store: Any) -> None:
        """A kind that the object is not finds nothing."""
        assert ask(store, "object-history", object="A-1", object_type="page").rows == []


class TestNewest:
    """``newest``."""

    def test_order(self, store: Any) -> None:
        """The newest first, those of one time by their number, highest first."""
        rows = ask(store, "newest", limit=3).rows
        assert rows == [
            (_at(3, 10), "cache.cleared", "", "", "", "", "success", ""),
            (_at(3, 10), "order.archived", "service", "cron", "archive", "Z-9", "denied", ""),
            (_at(3, 0, 5), "page.viewed", "user", "ann", "page", "/", "success", ""),
        ]

    def test_event(self, store: Any) -> None:
        """Only the events of the name that is asked for."""
        assert [row[3] for row in ask(store, "newest", event="order.paid").rows] == ["ben", "ann"]


class TestTraceOrRequest:
    """``trace-or-request``."""

    def test_newest_trace(self, store: Any) -> None:
        """Without an id it tells of the newest event's trace, in order."""
        assert ask(store, "trace-or-request").rows == [
            (_at(3, 10), "order.archived", "service", "cron", "archive", "Z-9", "denied", _TRACE, "", ""),
            (_at(3, 10), "cache.cleared", "", "", "", "", "success", _TRACE, "", ""),
        ]

    @pytest.mark.parametrize(
        ("id", "events"),
        [
            ("r-1", ["order.placed"]),
            ("s-1", ["order.placed", "order.paid"]),
            (_TRACE, ["order.archived", "cache.cleared"]),
            ("x", []),
        ],
    )
    def test_id(self, store: Any, id: str, events: list[str]) -> None:
        """The id is that of a request, a session or a trace."""
        assert [row[1] for row in ask(store, "trace-or-request", id=id).rows] == events


class TestCounts:
    """The rankings: rows as they are stored, and events with what was sampled out and rolled up."""

    def test_event_counts(self, store: Any) -> None:
        """One row that stands for six views comes before two rows of one event each."""
        answer = ask(store, "event-counts")
        assert answer.columns == ("event", "rows", "events", "first", "last")
        assert answer.rows == [
            ("page.viewed", 1, 6.0, _at(3, 0, 5), _at(3, 0, 5)),
            ("order.paid", 2, 2.0, _at(1, 9, 20), _at(1, 11, 30)),
            ("order.placed", 2, 2.0, _at(1, 9, 15), _at(1, 11)),
            ("cache.cleared", 1, 1.0, _at(3, 10), _at(3, 10)),
            ("order.archived", 1, 1.0, _at(3, 10), _at(3, 10)),
        ]

    def test_top_actors(self, store: Any) -> None:
        """Actors of one name in two tenants are two; events without an actor count for nobody."""
        answer = ask(store, "top-actors")
        assert answer.columns == (
            "tenant",
            "actor_type",
            "actor",
            "rows",
            "events",
            "event_names",
            "first",
            "last",
        )
        assert answer.rows == [
            ("acme", "user", "ann", 1, 6.0, 1, _at(3, 0, 5), _at(3, 0, 5)),
            ("", "user", "ann", 2, 2.0, 2, _at(1, 9, 15), _at(1, 9, 20)),
            ("", "user", "ben", 2, 2.0, 2, _at(1, 11), _at(1, 11, 30)),
            ("", "service", "cron", 1, 1.0, 1, _at(3, 10), _at(3, 10)),
        ]
        assert [row[2] for row in ask(store, "top-actors", event="order.paid").rows] == ["ann", "ben"]
        assert [row[2] for row in ask(store, "top-actors", actor_type="service").rows] == ["cron"]

    def test_outcomes(self, store: Any) -> None:
        """How events ended, with each outcome's part of all."""
        answer = ask(store, "outcomes")
        assert answer.columns == ("outcome", "rows", "events", "percent")
        assert answer.rows == [("success", 5, 10.0, 83.33), ("denied", 1, 1.0, 8.33), ("failure", 1, 1.0, 8.33)]

    def test_failures_by_route(self, store: Any) -> None:
        """The route, else the event's name, with failures, denials, their part, and the commonest error."""
        answer = ask(store, "failures-by-route")
        assert answer.columns == ("route", "failures", "denials", "events", "percent", "rows", "common_error")
        assert answer.rows == [
            ("POST /payments", 1.0, 0.0, 2.0, 50.0, 2, "CardError"),
            ("order.archived", 0.0, 1.0, 1.0, 100.0, 1, ""),
            ("GET /orders", 0.0, 0.0, 6.0, 0.0, 1, ""),
            ("POST /orders", 0.0, 0.0, 2.0, 0.0, 2, ""),
            ("cache.cleared", 0.0, 0.0, 1.0, 0.0, 1, ""),
        ]

    def test_size(self, store: Any) -> None:
        """Small parts are one line, the rest of a table's bytes has two; together they are what is on disk."""
        answer = ask(store, "size")
        assert answer.columns == ("table", "what", "bytes", "bytes_per_row", "uncompressed_bytes")
        assert sorted(row[1] for row in answer.rows) == [
            "(columns of small parts)", "(indexes)", "(marks, keys and descriptions)"
        ]  # fmt: skip
        on_disk = store.command(
            "SELECT sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = currentDatabase() AND table = 'activity_events'"
        )
        assert sum(row[2] for row in answer.rows) == on_disk
        assert all(row[3] == round(row[2] / 7, 3) for row in answer.rows)

    def test_size_by_column(self, own_store: Any) -> None:
        """Large parts are told column by column, largest first."""
        own_store.command("ALTER TABLE activity_events MODIFY SETTING min_bytes_for_wide_part = 0")
        own_store.command("OPTIMIZE TABLE activity_events FINAL")
        rows = ask(own_store, "size", limit=100).rows
        assert {"Timestamp", "ActorId", "Attributes"} <= {row[1] for row in rows}
        assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)


class TestSeries:
    """The series: up to the newest event, without gaps."""

    def test_events_by_hour(self, store: Any) -> None:
        """Hours in which nothing happened are there, with 0."""
        answer = ask(store, "events-by-hour", until="2026-03-02")
        assert answer.columns == ("hour", "rows", "events")
        assert answer.rows == [(_at(1, 9), 2, 2.0), (_at(1, 10), 0, 0.0), (_at(1, 11), 2, 2.0)]
        assert ask(store, "events-by-hour", limit=2).rows == [(_at(3, 9), 0, 0.0), (_at(3, 10), 2, 2.0)]
        assert ask(store, "events-by-hour", event="page.viewed").rows == [(_at(3, 0), 1, 6.0)]

    def test_volume(self, store: Any) -> None:
        """Rows and events by day."""
        answer = ask(store, "volume")
        assert answer.columns == ("day", "rows", "events")
        assert answer.rows == [(date(2026, 3, 1), 4, 4.0), (date(2026, 3, 2), 0, 0.0), (date(2026, 3, 3), 3, 8.0)]
        assert ask(store, "volume", limit=1).rows == [(date(2026, 3, 3), 3, 8.0)]

    def test_unique_actors_per_day(self, store: Any) -> None:
        """Each actor counts once a day; events without an actor do not count."""
        answer = ask(store, "unique-actors-per-day")
        assert answer.columns == ("day", "actors", "events")
        assert answer.rows == [(date(2026, 3, 1), 2, 4.0), (date(2026, 3, 2), 0, 0.0), (date(2026, 3, 3), 2, 7.0)]
        users = ask(store, "unique-actors-per-day", actor_type="user", since="2026-03-03").rows
        assert users == [(date(2026, 3, 3), 1, 6.0)]

    def test_busiest_hours(self, store: Any) -> None:
        """The hours of the day, all 24."""
        answer = ask(store, "busiest-hours")
        assert answer.columns == ("hour_of_day", "rows", "events", "actors")
        assert len(answer.rows) == 24
        assert [row for row in answer.rows if row[1]] == [
            (0, 1, 6.0, 1),
            (9, 2, 2.0, 1),
            (10, 2, 2.0, 1),
            (11, 2, 2.0, 1),
        ]


class TestFunnel:
    """``funnel``."""

    def test_given_events(self, store: Any) -> None:
        """Who did the first, who then did the second, and who then did the third."""
        answer = ask(store, "funnel", first="order.placed", second="order.paid", third="page.viewed", hours=100)
        assert answer.columns == ("step", "event", "actors", "percent")
        assert answer.rows == [
            (1, "order.placed", 2, 100.0),
            (2, "order.paid", 2, 100.0),
            (3, "page.viewed", 0, 0.0),
        ]

    def test_order_matters(self, store: Any) -> None:
        """The second event before the first does not count."""
        rows = ask(store, "funnel", first="order.paid", second="order.placed", third="page.viewed").rows
        assert [row[2] for row in rows] == [2, 0, 0]

    def test_window(self, store: Any) -> None:
        """What comes later than the hours allow does not count."""
        for hours, reached in ((24, 0), (96, 1)):
            store.insert(
                "activity_events",
                [[_at(4, 9), "page.viewed", "user", "ben"]],
                column_names=["Timestamp", "EventName", "ActorType", "ActorId"],
            )
            rows = ask(
                store, "funnel", first="order.placed", second="order.paid", third="page.viewed", hours=hours
            ).rows
            assert [row[2] for row in rows] == [2, 2, reached]

    def test_commonest_events(self, store: Any) -> None:
        """Without names the three events that most actors did, in the order in which they came."""
        rows = ask(store, "funnel", until="2026-03-02").rows
        assert rows == [(1, "order.placed", 2, 100.0), (2, "order.paid", 2, 100.0), (3, "", 0, 0.0)]


class TestEveryQuestion:
    """What holds for all of them."""

    def test_as_it_is(self, full_store: Any) -> None:
        """Without parameters there are rows; the chart's columns are among them, and what is drawn is a number."""
        for name, asked in questions().items():
            answer = ask(full_store, name)
            assert answer.rows, name
            if asked.kind != "table":
                assert {asked.x, asked.y} <= set(answer.columns), name
                drawn = answer.types[answer.columns.index(asked.z or asked.y)]
                assert drawn in ("UInt64", "Int64", "Float64"), name

    def test_series_begin_with_the_time(self, full_store: Any) -> None:
        """Of a series the first column is where a value lies, and it ascends: as Grafana wants it."""
        for name, asked in questions().items():
            if asked.kind == "series":
                answer = ask(full_store, name)
                places = [line[0] for line in answer.rows]
                assert (answer.columns[0], places) == (asked.x, sorted(places)), name

    def test_types(self, full_store: Any) -> None:
        """Columns have plain types; NULL is only where there is nothing to compare with."""
        nullable = set()
        for name in questions():
            answer = ask(full_store, name)
            for column, type_name in zip(answer.columns, answer.types, strict=True):
                assert not type_name.startswith(("Variant", "SimpleAggregate", "Dynamic")), (name, column)
                if type_name.startswith("Nullable"):
                    nullable.add((name, column))
        assert nullable == {("estimates", "exact"), ("estimates", "ratio"), ("top-movers", "percent")}

    def test_empty_store(self, empty_store: Any) -> None:
        """A store without events is no error, and has nothing to tell; the columns are the same."""
        for name, asked in questions().items():
            answer = ask(empty_store, name)
            axes = 2 if asked.kind == "heatmap" else 1
            assert all(not any(row[axes:]) for row in answer.rows), name
            assert len(answer.columns) > axes, name

    def test_columns_without_rows(self, full_store: Any) -> None:
        """An answer without rows has the columns and types that it has with rows."""
        for name in ("newest", "duplicates", "sessions", "top-movers", "estimates"):
            nothing = ask(full_store, name, limit=0)
            assert (nothing.rows, nothing.columns) == ([], ask(full_store, name).columns), name

    def test_limit(self, full_store: Any) -> None:
        """Whatever has a limit keeps to it, and all but the funnel, which has five steps at most, have one."""
        limited = [name for name, asked in questions().items() if "limit" in [p.name for p in asked.parameters]]
        assert set(questions()) - set(limited) == {"funnel"}
        for name in limited:
            assert len(ask(full_store, name, limit=1).rows) == 1, name
            assert ask(full_store, name, limit=0).rows == [], name

    def test_over_http(self, full_store: Any, server_url: str) -> None:
        """The answers are the same over a socket."""
        client = connect(f"{server_url.rpartition('/')[0]}/{full_store.database}")
        try:
            for name in questions():
                assert ask(client, name) == ask(full_store, name), name
        finally:
            client.close()

    def test_no_weight_no_percentage(self, empty_store: Any) -> None:
        """Where all weights are 0 every number is one: nothing is divided by nothing."""
        put(empty_store, *({**event, "SampleWeight": 0.0, "DurationUs": 5} for event in (*EVENTS, *MORE)))
        for name in questions():
            for line in ask(empty_store, name).rows:
                assert not any(isinstance(value, float) and not math.isfinite(value) for value in line), (
                    name,
                    line,
                )

    @pytest.mark.parametrize("value", ["o'brien\"\t\n\\é\u2028", "{x:String}%s\x00') OR 1 --"])
    def test_hostile_values(self, full_store: Any, value: str) -> None:
        """Any text is a value: it finds what is named so, in whatever question, and nothing else."""
        for name, asked in questions().items():
            texts = [parameter.name for parameter in asked.parameters if parameter.type == "String"]
            for text in texts:
                assert isinstance(ask(full_store, name, **{text: value}).rows, list), (name, text)
        put(full_store, row("2026-03-03 09:59", value, value, TenantId=value, SessionId=value, ObjectId=value))
        found = ask(full_store, "newest", event=value, tenant=value).rows
        assert [line[1:4] for line in found] == [(value, "user", value)]
        assert len(ask(full_store, "session-replay", session=value).rows) == 1
        assert len(ask(full_store, "object-history", object=value).rows) == 1

    @pytest.mark.parametrize("time", ["1900-01-01", "1969-12-31 23:59:59", "2262-04-11"])
    def test_any_time(self, full_store: Any, time: str) -> None:
        """Any time that can be given is one that can be asked for, as a beginning or an end."""
        for name, asked in questions().items():
            for end in {"since", "until"} & {parameter.name for parameter in asked.parameters}:
                assert isinstance(ask(full_store, name, **{end: time}).rows, list), (name, end)

    def test_largest_numbers(self, full_store: Any) -> None:
        """The largest numbers that a parameter takes, and 0, are no error."""
        for name, asked in questions().items():
            for parameter in asked.parameters:
                if parameter.type.startswith("UInt"):
                    for value in (0, 2**32 - 1):
                        assert isinstance(ask(full_store, name, **{parameter.name: value}).rows, list), (
                            name,
                            parameter,
                        )

    def test_a_clock_that_is_wrong(self, full_store: Any) -> None:
        """One event of the far future does not empty the answers about the newest days."""
        rows = ask(full_store, "top-actors", days=36500).rows
        put(full_store, row("2200-01-01", "clock.wrong"))
        assert ask(full_store, "top-actors", days=36500).rows == rows
        assert len(ask(full_store, "top-actors").rows) <= len(rows)

    def test_newest_is_not_the_future(self, full_store: Any) -> None:
        """Nor does it move the newest hours, days and weeks, unless ``until`` asks for it."""
        series = ["events-by-hour", "failures-by-hour", "volume", "unique-actors-per-day", "active-actors"]
        series += ["new-and-returning", "retention", "hour-of-week", "new-events", "anomalies", "session-lengths"]
        before = {name: ask(full_store, name, **_days(name)).rows for name in series}
        put(full_store, row("2040-01-01", "clock.wrong", "zoe"))
        for name, rows in before.items():
            assert ask(full_store, name, **_days(name)).rows == rows, name
        assert ask(full_store, "events-by-hour", until="2040-01-02").rows[-1][:2] == (at("2040-01-01"), 1)

    def test_newest_day_with_a_wrong_clock(self, full_store: Any) -> None:
        """The newest day ends with what happened, not an hour of the future away from all of it."""
        now = datetime.now(UTC) - timedelta(hours=2)
        put(full_store, row(f"{now:%Y-%m-%d %H:%M:%S}", "recent", "ann"), row("2040-01-01", "clock.wrong", "zoe"))
        assert "ann" in {line[5] for line in ask(full_store, "sessions").rows}

    def test_the_parser_takes_them(self, empty_store: Any) -> None:
        """Each file is one statement, as clickhouse-client reads it, head and placeholders included."""
        for name, asked in questions().items():
            parsed = empty_store.query(
                "SELECT formatQuery({sql:String})", parameters={"sql": asked.sql}
            ).result_rows
            assert set(re.findall(r"\{(\w+):", parsed[0][0])) == {p.name for p in asked.parameters}, name

    @pytest.mark.slow
    def test_any_time_zone(self) -> None:
        """Hours, days and times are those of UTC, wherever the process runs."""
        program = """
from activitylog.queries import ask
from activitylog.store import apply, connect
client = connect("chdb://memory")
apply(client)
client.insert(
    "activity_events_ingest",
    [[1772325000 * 10**9, "page.viewed"]],
    column_names=["Timestamp", "EventName"],
    column_type_names=["DateTime64(9)", "String"],
)
for name in ("newest", "events-by-hour", "volume", "busiest-hours"):
    row = next(row for row in ask(client, name).rows if row[1] != 0)
    print(row[0])
"""
        for zone in ("America/New_York", "Asia/Kolkata"):
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, env={"TZ": zone}, check=True
            )
            assert done.stdout.split("\n") == [
                "2026-03-01 00:30:00+00:00", "2026-03-01 00:00:00+00:00", "2026-03-01", "0", ""
            ]  # fmt: skip


class TestErrors:
    """What cannot be asked."""

    def test_unknown_question(self, store: Any) -> None:
        """A name that is near is proposed, and all are listed."""
        with pytest.raises(QueryError) as caught:
            ask(store, "top-actor")
        assert caught.value.message == "There is no question 'top-actor'."
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("Did you mean top-actors? There are: active-actors, actor-timeline, ")

    def test_unknown_parameter(self, store: Any) -> None:
        """A parameter that does not exist is named, with those that do."""
        with pytest.raises(QueryError) as caught:
            ask(store, "newest", evnt="order.paid")
        assert caught.value.message == "The question 'newest' has no parameter 'evnt'."
        assert caught.value.hint == "Did you mean event? It has: event, since, until, days, tenant, limit."

    def test_wrong_value(self, store: Any) -> None:
        """A value of another type is said with what it should be."""
        with pytest.raises(QueryError) as caught:
            ask(store, "newest", limit="ten")
        assert caught.value.message == (
            "The parameter 'limit' of 'newest' is 'ten', "
            "which is not a whole number from 0 to 18,446,744,073,709,551,615."
        )

    def test_no_table(self, chdb_client: Any) -> None:
        """Where there is no table, the command that makes it is named."""
        with pytest.raises(QueryError) as caught:
            ask(chdb_client, "newest")
        assert caught.value.message.startswith("The question 'newest' finds no table to ask: Code: 60.")
        assert caught.value.hint == "Run: activitylog schema apply --url URL."


def _days(name: str) -> dict[str, int]:
    """As many days as reach back to what the tests have, where days count from now on."""
    return {"days": 36500} if name == "session-lengths" else {}
