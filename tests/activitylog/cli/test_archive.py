"""``activitylog archive``: the commands as one types them, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from activitylog.cli.archive import archive
from activitylog.cli.errors import run
from activitylog.store import apply

pytestmark = pytest.mark.slow

_FILL = """
from activitylog.store import apply, connect
import sys
client = connect("chdb://" + sys.argv[1])
apply(client)
client.command("INSERT INTO activity_events (Timestamp, EventName, ActorType, ActorId, BodyTemplate) SELECT "
    "toDateTime64('2024-01-31 12:00:00', 9, 'UTC') + INTERVAL number HOUR, 'page.viewed', 'user', "
    "toString(number), '\\\\x01 looked' FROM numbers(24)")
client.close()
"""

_ERASED = """
from activitylog.store import connect
import sys
client = connect("chdb://" + sys.argv[1])
client.command("INSERT INTO activity_erasures (Erasure, State, At, BegunAt, Kind, Mentions) SELECT "
    "generateUUIDv4(), 'finished', now64(3) + INTERVAL 1 MINUTE, now64(3) + INTERVAL 1 MINUTE, 'actor', 'keep'")
client.close()
"""


def typed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "activitylog", "archive", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_a_month_and_back(tmp_path: Path) -> None:
    """A night's cron job, and the night when somebody needs the month again."""
    store, folder = tmp_path / "store", tmp_path / "to"
    subprocess.run([sys.executable, "-c", _FILL, str(store)], check=True, timeout=60)
    plan = typed("create", "--url", store, "--before", "2024-02-01", "--to", folder, "--dry-run", "--json")
    assert (
        json.loads(plan.stdout).items()
        >= {"partition": "202401", "rows": 12, "action": "would be archived"}.items()
    )
    assert not folder.exists()
    made = typed("create", "--url", store, "--older-than", "1y", "--to", folder)
    assert made.returncode == 0, made.stderr
    assert [line.partition(",")[0] for line in made.stdout.splitlines()] == [
        "202401 archived: 12 rows",
        "202402 archived: 12 rows",
    ]
    again = typed("create", "--url", store, "--older-than", "1y", "--to", folder)
    assert (again.returncode, again.stdout) == (0, "nothing to do: no partition is that old\n")
    listed = [json.loads(line) for line in typed("list", folder, "--json").stdout.splitlines()]
    assert [(one["piece"], one["rows"], one["files"]) for one in listed] == [("202401", 12, 1), ("202402", 12, 1)]
    asked = typed(
        "query", folder, "SELECT Body FROM archive WHERE ActorId = {who:String}", "-p", "who=3", "--json"
    )
    assert json.loads(asked.stdout) == {"Body": "3 looked"}
    named = typed("query", folder, "top-actors", "-p", "limit=1", "--partition", "202402", "--csv")
    assert len(named.stdout.splitlines()) == 2
    verified = [json.loads(line) for line in typed("verify", folder, "--json").stdout.splitlines()]
    assert [(one["piece"], one["problems"]) for one in verified] == [("202401", []), ("202402", [])]
    back = typed("restore", folder, "--url", store, "--partition", "202401")
    assert (back.returncode, back.stdout) == (0, "202401 restored: 12 rows into activity_events\n")
    assert "note: erasures" not in back.stderr
    twice = typed("restore", folder, "--url", store, "--partition", "202401")
    assert twice.returncode == 1
    assert twice.stderr.splitlines()[-2:] == [
        "error: The table activity_events has the rows of the archive 202401 already. Nothing was restored.",
        "hint: They would count twice. To compare, restore beside: --into TABLE.",
    ]
    subprocess.run([sys.executable, "-c", _ERASED, str(store)], check=True, timeout=60)
    later = typed("restore", folder, "--url", store, "--partition", "202402")
    assert "note: erasures finished since these archives were made: 1." in later.stderr
    path = next((folder / "202402").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    damaged = typed("verify", folder)
    assert damaged.returncode == 1
    assert damaged.stdout.splitlines()[0].startswith("202401 ok: 12 rows")
    assert damaged.stdout.splitlines()[1].startswith(f"202402 damaged: {path.name} has ")


class TestCreate:
    """``archive create``."""

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ([], "Give one of --before and --older-than."),
            (["--before", "2024-01-01", "--older-than", "3d"], "Give one of --before and --older-than."),
            (["--older-than", "3 months"], "--older-than is '3 months'."),
            (["--before", "soon"], "--before is 'soon'."),
        ],
    )
    def test_wrong_limits(
        self, options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A limit that is none is wrong usage, before the store is opened."""
        assert run(archive, ["create", "--url", str(tmp_path / "no"), "--to", str(tmp_path), *options]) == 2
        assert told in capsys.readouterr().err

    def test_done_in_part(self, server_url: str, chdb_client: Any, tmp_path: Path) -> None:
        """When one partition fails the others are done; the exit code says so, and nothing more is an error."""
        apply(chdb_client)
        chdb_client.command(
            "INSERT INTO activity_events (Timestamp, ActorId) VALUES "
            "('2024-01-01 00:00:00', 'ann'), ('2024-01-01 00:00:00', 'ben'), ('2024-02-01 00:00:00', 'ann')"
        )
        url = f"{server_url.rpartition('/')[0]}/{chdb_client.database}"
        options = ["create", "--url", url, "--before", "2025-01-01", "--to", str(tmp_path), "--json"]
        assert CliRunner().invoke(archive, [*options, "--keep"], standalone_mode=False).return_value == 0
        chdb_client.command("DELETE FROM activity_events WHERE ActorId = 'ben'")
        result = CliRunner().invoke(archive, options, standalone_mode=False)
        assert result.return_value == 3
        found = [json.loads(line) for line in result.stdout.splitlines()]
        assert [(one["partition"], one["action"]) for one in found] == [
            ("202401", "failed"),
            ("202402", "archived"),
        ]
        assert result.stderr == "hint: 1 of 2 partitions stayed in the table\n"
