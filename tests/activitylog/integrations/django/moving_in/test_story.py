"""The team's application: one file of call sites, run before and after the move, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_STORY = Path(__file__).parent / "story"

pytestmark = pytest.mark.slow


@cache
def ran(version: str, write: str) -> dict[str, Any]:
    """What happened."""
    done = subprocess.run(
        [sys.executable, str(_STORY / "run.py"), version, write],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[5],
        env={"PYTHONPATH": str(Path(__file__).parents[5]), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


class TestStory:
    """Only the definitions were changed."""

    def test_the_definitions_differ_by_a_decorator_each(self) -> None:
        """And by the import of it."""
        for name in ("models.py", "activity.py", "tasks.py"):
            before = (_STORY / "before" / "chat" / name).read_text().splitlines()
            after = (_STORY / "after" / "chat" / name).read_text().replace(", after", ", before").splitlines()
            new = [line for line in after if line not in before]
            assert all(line.startswith(("@legacy_", "from activitylog")) for line in new), new
            assert [line for line in before if line not in after] == []

    def test_before_there_are_rows(self) -> None:
        """Seven of users and three of administrators; what was rolled back is none."""
        found = ran("before", "events")
        assert (found["rows"], found["events"]) == ([7, 3], [])

    def test_after_there_are_events(self) -> None:
        """One for each row that there was, of the same actors."""
        found = ran("after", "events")
        assert found["rows"] == [0, 0]
        assert [(event["name"], event["actor"], event["object"]) for event in found["events"]] == [
            ("message.sent", "user:2", "chat.message:1"),
            ("user.activated", "user:2", ""),
            ("user.activated", "user:3", ""),
            ("user.bulk_activated", "user:1", "auth.user:2"),
            ("user.logged_in", "user:2", ""),
            ("user.logged_out", "user:2", ""),
            ("user.suspended", "user:1", "auth.user:3"),
            ("user.suspended", "user:1", "auth.user:3"),
            ("profile.updated", "user:2", ""),
            ("payment.failed", "user:3", ""),
        ]
        sent = found["events"][0]
        assert sent["message"] == "ann sent a message"
        told = {key: sent[key] for key in ("client.address", "user_agent.original", "length", "channel")}
        assert told == {
            "client.address": "127.0.0.1", "user_agent.original": "tests/1.0", "length": 5, "channel": "general",
        }  # fmt: skip

    @pytest.mark.parametrize("write", ["events", "both", "table"])
    def test_callers_get_what_they_got(self, write: str) -> None:
        """All but keys of rows that are not there."""
        before, after = ran("before", "events"), ran("after", write)
        kept = ["message", "logged_in", "logged_out", "renamed"]
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        assert [row[:2] for row in after["activated"]] == [row[:2] for row in before["activated"]]

    def test_both_writes_both(self) -> None:
        """Each event names its row, once; rows are read as before."""
        found = ran("after", "both")
        assert (found["rows"], len(found["events"]), found["read"]) == (
            [7, 3],
            10,
            ran("before", "events")["read"],
        )
        keys = [event["legacy.pk"] for event in found["events"] if event["legacy.model"] == "chat.activitylog"]
        assert sorted(map(int, keys)) == found["keys"]

    def test_and_back_again(self) -> None:
        """With ``table`` it is as before."""
        before, after = ran("before", "events"), ran("after", "table")
        assert {**after, "checks": []} == {**before, "checks": []}

    def test_django_sees_no_other_model(self) -> None:
        """Nothing to migrate."""
        assert ran("after", "events")["changes"] == ran("before", "events")["changes"]

    def test_the_checks_have_nothing_to_say(self) -> None:
        """But that the story has no middleware."""
        assert [line for line in ran("after", "events")["checks"] if not line.startswith("activitylog.W0")] == []
