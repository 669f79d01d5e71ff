"""``activitylog erase``: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from activitylog.cli.app import application
from activitylog.cli.errors import run
from tests.activitylog.store.subjects.erasing import event, insert, stored

pytestmark = pytest.mark.slow

EVENTS = [
    event("2026-01-05 10:00:00", "user:ann", "doc:1"),
    event("2026-02-05 10:00:00", "user:ann\x1b[31m", "user:ann"),
]


@pytest.fixture
def store(migrated_client: Any) -> Any:
    insert(migrated_client, EVENTS)
    return migrated_client


@pytest.fixture
def url(store: Any, server_url: str) -> str:
    """The database of the test, across a server."""
    return f"{server_url.rpartition('/')[0]}/{store.database}"


class TestErase:
    def test_shows_and_changes_nothing(self, store: Any, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Without --yes it only says what would go."""
        before = stored(store)
        assert run(application, ["erase", "--url", url, "--actor", "user:ann"]) == 0
        out, err = capsys.readouterr()
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert "activity_events 1 0 1 2026-01-05 10:00:00 2026-01-05 10:00:00" in lines
        assert "exact object 1 stays" in lines
        assert "nothing was changed; --yes erases these rows" in err
        assert stored(store) == before

    def test_erases_and_proves_it(self, store: Any, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Exit code 0: nothing is left; the record is in the list, without the person."""
        options = ["erase", "--url", url, "--actor", "user:ann"]
        assert run(application, [*options, "--yes", "--json", "--reason", "request 7"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["erasure"]["table_rows"] == {"activity_events": 1, "activity_events_actor_daily": 1}
        assert document["proof"]["gone"] is True
        assert run(application, [*options, "--verify"]) == 0
        assert "the actor is gone" in capsys.readouterr().out
        assert run(application, ["erase", "--url", url, "--list", "--json"]) == 0
        listed = capsys.readouterr().out
        assert json.loads(listed)["reason"] == "request 7"
        assert "ann" not in listed

    def test_says_that_rows_are_left(self, store: Any, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Exit code 1: the person is there."""
        assert run(application, ["erase", "--url", url, "--actor", "user:ann", "--verify"]) == 1
        assert "left: 1 in activity_events" in capsys.readouterr().out

    def test_prints_nothing_that_moves_the_terminal(
        self, store: Any, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Ids come from anybody."""
        assert run(application, ["erase", "--url", url, "--actor", "user:ann\x1b[31m"]) == 0
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        assert "user:ann\\x1b[31m" in out

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ([], "Nobody is named"),
            (["--actor", "ann"], "has no type"),
            (["--tenant", ""], "has no id"),
            (["--actor", "user:ann", "--yes", "--list"], "Only one of"),
            (["--actor", "user:ann", "--reason", "Ann asked"], "names the subject"),
        ],
    )
    def test_refuses(self, options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Exit code 2, before any store is opened."""
        assert run(application, ["erase", "--url", "chdb:///nowhere/at/all", *options]) == 2
        assert said in capsys.readouterr().err


class TestExport:
    def test_writes_a_file(self, store: Any, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Number and sum on standard error; a second time it refuses."""
        options = [
            "export",
            "--url",
            url,
            "--actor",
            "user:ann",
            "--mentions",
            "--to",
            str(tmp_path / "ann.ndjson"),
        ]
        assert run(application, options) == 0
        assert capsys.readouterr().err.startswith("2 events, ")
        lines = [json.loads(line) for line in (tmp_path / "ann.ndjson").read_text().splitlines()]
        assert [line["Relation"] for line in lines] == ["by", "about"]
        assert run(application, options) == 2
        assert "--force" in capsys.readouterr().err

    def test_refuses_a_time_that_is_none(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        """And says how one is written."""
        assert run(application, ["export", "--url", url, "--actor", "a:b", "--since", "monday", "--to", "-"]) == 2
        assert "2026-01-31" in capsys.readouterr().err
