"""``activitylog query``: list, search, explain, ask, plot."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from activitylog.cli.errors import run
from activitylog.cli.query import query
from activitylog.queries import GROUPS, questions

Asking = Callable[..., tuple[int, str, str]]

_EVENT = (
    "INSERT INTO activity_events (Timestamp, EventName, ActorType, ActorId, Outcome, EventCount) VALUES "
    "('2026-03-01 10:00:00', 'order.placed', 'user', 'ann', 'success', 1), "
    "('2026-03-01 11:00:00', 'order.paid', 'user', 'ann', 'denied', 3), "
    "('2026-03-01 13:00:00', 'order\\x1b[31m', 'user', 'ann', 'success', 2)"
)


@pytest.fixture
def ask(server_url: str, migrated_client: Any, capsys: pytest.CaptureFixture[str]) -> Asking:
    """Run the command on a store with three events: its code, and what it wrote to the two streams."""
    migrated_client.command(_EVENT)

    def asked(*arguments: str) -> tuple[int, str, str]:
        url = f"{server_url.rpartition('/')[0]}/{migrated_client.database}"
        code = run(query, [*arguments, "--url", url])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return asked


class TestList:
    def test_by_group(self, ask: Asking) -> None:
        """Every question in one line, under its group."""
        code, out, err = ask()
        lines = out.splitlines()
        assert code == 0
        assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == list(GROUPS)
        assert sorted(line.split()[0] for line in lines if line.startswith(" ")) == sorted(questions())
        assert "--explain" in err

    def test_search(self, ask: Asking) -> None:
        """A question in words finds those that answer it, the best first; JSON has all of them."""
        code, out, _ = ask("--search", "who was denied?")
        assert (code, out.split()[0]) == (0, "denial-bursts")
        code, out, _ = ask("--search", "who was denied?", "--json")
        assert json.loads(out.splitlines()[0])["name"] == "denial-bursts"

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (["--search", "qwertz"], "No question answers 'qwertz'"),
            (["newest", "--search", "slow"], "There is more than a list"),
            (["--search", "slow", "-p", "limit=3"], "There is more than a list"),
            (["newest", "--plot"], "'newest' answers with a table"),
            (["top"], "'top' may be several questions."),
            (["newest", "--plot", "--json"], "Only one of --plot, --json and --csv"),
            (["--csv"], "The list of questions is no table."),
        ],
    )
    def test_mistakes(self, ask: Asking, arguments: list[str], error: str) -> None:
        """What does not go together is one line, a hint and code 2."""
        code, _, err = ask(*arguments)
        assert code == 2
        assert f"error: {error}" in err
        assert "hint: " in err


class TestExplain:
    def test_sql_with_what_it_reads(self, ask: Asking) -> None:
        """The file, how clickhouse-client asks it, and what this store would read; all of it is SQL."""
        code, out, _ = ask("top-ac", "--limit", "3", "--explain")
        assert code == 0
        assert out.startswith(questions()["top-actors"].sql)
        assert out.splitlines()[-2].startswith(
            "-- clickhouse-client --queries-file top-actors.sql --param_event= "
        )
        assert out.splitlines()[-1] == "-- would read 3 rows in 1 parts of activity_events"

    def test_json(self, ask: Asking) -> None:
        """Everything that is known of a question as one document."""
        _, out, _ = ask("retention", "--explain", "--json")
        document = json.loads(out)
        assert (document["name"], document["kind"], document["z"]) == ("retention", "heatmap", "percent")
        assert document["reads"] == [{"table": "activity_events_actor_daily", "parts": 1, "rows": 1}]

    def test_without_a_store(self, capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Any) -> None:
        """Where there is no store there is no estimate, and no error; a store that is named has to be there."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("ACTIVITYLOG_URL", raising=False)
        assert run(query, ["newest", "--explain"]) == 0
        assert "would read" not in capsys.readouterr().out
        assert run(query, ["newest", "--explain", "--url", "./none"]) == 1
        assert "There is no store" in capsys.readouterr().err


class TestAsk:
    def test_beginning_of_a_name(self, ask: Asking) -> None:
        """The beginning of one name is enough, and the range that nobody chose is said."""
        code, out, err = ask("failures-by-r", "--limit", "1")
        assert (code, "order.paid" in out) == (0, True)
        assert "range: 7 days up to the newest event (--days, --since)" in err
        _, _, err = ask("failures-by-r", "--since", "2026-01-01")
        assert "range:" not in err

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("anomalies",), "24 whole hours up to the newest event (--hours)"),
            (("top-movers", "--hours", "1"), "1 hour up to the newest event (--hours)"),
            (("events-by-hour", "--limit", "2000"), "2,000 hours up to the newest event (--limit)"),
            (("volume",), "90 days up to the newest event (--limit)"),
            (("hour-of-week",), "4 whole weeks up to the hour of the newest event (--weeks)"),
            (("retention",), "8 periods up to the newest (--periods)"),
            (("session-lengths",), "7 days up to the newest event (--days, --since)"),
            (("session-lengths", "--since", "2026-01-01"), "90 days up to the newest session (--limit)"),
            (("session-replay",), "7 days up to the newest event (--days, --session)"),
        ],
    )
    def test_range(self, ask: Asking, words: tuple[str, ...], said: str) -> None:
        """Whatever a question leaves out by its time, with the option that takes more."""
        _, _, err = ask(*words)
        assert f"range: {said}\n" in err

    def test_machines_get_rows_only(self, ask: Asking) -> None:
        """JSON and CSV have nothing else in them."""
        code, out, err = ask("outcomes", "--csv")
        assert (code, err) == (0, "")
        assert out == "outcome,rows,events,percent\ndenied,1,3.0,50.0\nsuccess,2,3.0,50.0\n".replace(".0", "")


class TestPlot:
    def test_series(self, ask: Asking) -> None:
        """An area with axes; hours without events are gaps."""
        code, out, _ = ask("events-by-hour", "--plot")
        lines = out.splitlines()
        assert code == 0
        assert lines[0] == "Events by hour"
        assert lines[1:5] == [
            "3 ┤        ████████",
            "  │        ████████",
            "  │        ████████",
            "  │        ████████",
        ]
        assert lines[5] == "2 ┤        ████████        ████████"
        assert lines[-3:] == [
            "0 ┼────────────────────────────────",
            "   01 10:00        01 12:00",
            " events by hour (UTC)",
        ]

    def test_ranking(self, ask: Asking) -> None:
        """Bars; what was stored cannot write to the terminal."""
        _, out, _ = ask("event-counts", "--plot")
        lines = out.splitlines()
        assert [line.split()[0] for line in lines[1:4]] == ["order.paid", "order\\x1b[31m", "order.placed"]
        assert "\x1b" not in out

    def test_heat_map(self, ask: Asking) -> None:
        """Weekdays by name."""
        _, out, _ = ask("hour-of-week", "--plot")
        assert [line.split()[0] for line in out.splitlines()[2:9]] == [
            "Mon",
            "Tue",
            "Wed",
            "Thu",
            "Fri",
            "Sat",
            "Sun",
        ]
        assert out.splitlines()[-1] == " events by hour and weekday"

    def test_every_question_that_is_no_table(self, ask: Asking) -> None:
        """Each can be plotted."""
        for name, asked in questions().items():
            if asked.kind != "table":
                assert ask(name, "--plot")[0] == 0, name
