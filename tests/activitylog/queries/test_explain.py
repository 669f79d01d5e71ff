"""What a question would read, and how other clients ask it."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from activitylog.exceptions import QueryError
from activitylog.queries import Estimate, ask, ask_arrow, ask_frame, client_command, estimate, question, questions
from tests.activitylog.queries.rows import at


class TestEstimate:
    """``estimate``."""

    def test_tables(self, store: Any) -> None:
        """Parts and rows of each table that would be read; nothing where the range is empty."""
        assert estimate(store, question("top-actors"), {}) == [Estimate("activity_events", 1, 7)]
        assert estimate(store, question("top-actors"), {"since": "2027-01-01"}) == []
        assert [one.table for one in estimate(store, question("retention"), {})] == ["activity_events_actor_daily"]

    def test_every_question(self, store: Any) -> None:
        """Each can be estimated."""
        for name, asked in questions().items():
            assert isinstance(estimate(store, asked, {}), list), name

    def test_wrong_parameter(self, store: Any) -> None:
        """A parameter that is not there is no estimate."""
        with pytest.raises(QueryError, match="has no parameter 'x'"):
            estimate(store, question("newest"), {"x": 1})


class TestClientCommand:
    """``client_command``."""

    def test_every_parameter_is_written(self) -> None:
        """All parameters, as one shell word each, whatever is in them."""
        words = shlex.split(client_command(question("newest"), {"tenant": "o'b $x", "limit": 5}, file="q.sql"))
        assert words == [
            "clickhouse-client", "--queries-file", "q.sql", "--param_event=",
            "--param_since=1900-01-01 00:00:00.000000", "--param_until=2262-01-01 00:00:00.000000",
            "--param_days=7", "--param_tenant=o'b $x", "--param_limit=5",
        ]  # fmt: skip

    @pytest.mark.parametrize("text", ["a\\b", "tab\there", "two\nlines", "\\N", 'o\'b "$x" %41+&='])
    def test_values_are_read_as_they_were_given(self, server_url: str, text: str) -> None:
        """A server reads a parameter as a field of TabSeparated: what is special there is escaped."""
        words = shlex.split(client_command(question("newest"), {"tenant": text}))
        tenant = next(word for word in words if word.startswith("--param_tenant=")).removeprefix("--param_tenant=")
        address = server_url.replace("clickhouse://", "http://").rpartition("/")[0]
        url = f"{address}/?{urlencode({'param_tenant': tenant})}"
        with urlopen(url, data=b"SELECT hex({tenant:String})") as answer:
            assert bytes.fromhex(answer.read().decode()).decode() == text


class TestFrames:
    """``ask_arrow`` and ``ask_frame``: the same answer for notebooks."""

    def test_same_answer(self, full_store: Any) -> None:
        """Columns and rows are those of ``ask``."""
        for name in questions():
            answer = ask(full_store, name)
            table = ask_arrow(full_store, name)
            assert (tuple(table.column_names), table.num_rows) == (answer.columns, len(answer.rows)), name

    def test_values(self, store: Any) -> None:
        """Texts are texts, numbers numbers, and times are in UTC."""
        frame = ask_frame(store, "top-actors", limit=1)
        assert frame.to_dict("records") == [
            {
                "tenant": "acme", "actor_type": "user", "actor": "ann", "rows": 1, "events": 6.0, "event_names": 1,
                "first": at("2026-03-03 00:05"), "last": at("2026-03-03 00:05"),
            }
        ]  # fmt: skip

    def test_over_http(self, store: Any, server_url: str) -> None:
        """The same over a socket."""
        from activitylog.store import connect

        client = connect(f"{server_url.rpartition('/')[0]}/{store.database}")
        try:
            assert ask_frame(client, "event-counts").equals(ask_frame(store, "event-counts"))
        finally:
            client.close()

    def test_errors_are_the_same(self, store: Any) -> None:
        """What cannot be asked is said as ``ask`` says it."""
        with pytest.raises(QueryError, match="There is no question 'nothing'"):
            ask_frame(store, "nothing")
