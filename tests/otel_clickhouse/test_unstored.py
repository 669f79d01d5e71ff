"""
A block whose token an engine has written down, and which it did not store since it was killed, is stored by the
next attempt. Each life of the engine is a process of its own, which is killed; that it was killed at the worst
moment is made by taking a part away.
"""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otel_clickhouse.unstored import forget_unstored

#: Opens the store in one of three ways, inserts each block under its name as the token, prints what is stored.
LIFE = """
import os
import signal
import sys

way, folder, *blocks = sys.argv[1:]
settings = "deduplicate_blocks_in_dependent_materialized_views = 1, insert_deduplication_token = '{}'"
WINDOW = "SETTINGS non_replicated_deduplication_window = 100"
STATEMENTS = [
    f"CREATE TABLE IF NOT EXISTS events (name String) ENGINE = MergeTree ORDER BY name {WINDOW}",
    f"CREATE TABLE IF NOT EXISTS counts (n UInt64) ENGINE = MergeTree ORDER BY n {WINDOW}",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS counts_mv TO counts AS SELECT count() AS n FROM events",
    *(f"INSERT INTO events SETTINGS {settings.format(name)} VALUES ('{name}'), ('{name}')" for name in blocks),
]
COUNT = "SELECT (SELECT count() FROM events), (SELECT sum(n) FROM counts)"
if way == "serve":
    from activitylog.server import start_server
    from activitylog.store import connect

    client = connect(start_server(folder, port=0).url)
elif way == "store":
    from activitylog.store import connect

    client = connect(f"chdb://{folder}")
else:
    from otel_clickhouse import connect

    client = connect(f"chdb://{folder}")
for statement in STATEMENTS:
    client.command(statement)
print(*client.command(COUNT), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def live(folder: Path, *blocks: str, way: str = "exporter", life: str = LIFE) -> list[int]:
    """Rows, and rows that the view has counted, after one life of the engine."""
    command = [sys.executable, "-c", life, way, str(folder), *blocks]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return [int(word) for word in ended.stdout.split()]


def parts(folder: Path, column: str) -> list[Path]:
    """Of the table that has this column, the oldest first."""
    found = (
        path.parent for path in folder.glob("store/*/*/all_*/columns.txt") if f"`{column}`" in path.read_text()
    )
    return sorted(found, key=lambda path: int(path.name.split("_")[1]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a store with blocks ``a`` and ``b``."""
    assert live(tmp_path, "a", "b") == [4, 4]
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("way", ["exporter", "store", "serve"])
@pytest.mark.parametrize("killed", [("name",), ("n",), ("name", "n")], ids=["rows", "view", "both"])
def test_sent_again_it_is_stored(folder: Path, way: str, killed: tuple[str, ...]) -> None:
    """Whoever opens the store; what the kill has spared is not counted twice."""
    for column in killed:
        shutil.rmtree(parts(folder, column)[-1])
    assert live(folder, "b", "a", way=way) == [4, 4]
    assert live(folder, "b", "a", way=way) == [4, 4]


@pytest.mark.slow
def test_what_it_is_for(folder: Path) -> None:
    """Without it the engine takes the block for a repetition."""
    shutil.rmtree(parts(folder, "name")[-1])
    nothing = "import otel_clickhouse.client as c; c.forget_unstored = len\n"
    assert live(folder, "b", life=nothing + LIFE) == [2, 4]


def test_what_is_stored_is_left_alone(folder: Path) -> None:
    """Also where the part was merged into another one; and whoever comes second finds nothing to do."""
    assert forget_unstored(folder) == 0
    last = parts(folder, "name")[-1]
    last.rename(last.with_name("all_1_2_1"))
    assert forget_unstored(folder) == 0
    (last.with_name("all_1_2_1")).rename(last.with_name("all_1_1_7"))
    assert (forget_unstored(folder), forget_unstored(folder)) == (1, 0)


@pytest.mark.slow
def test_an_open_store_is_left_alone(folder: Path) -> None:
    """Its engine is about to give the part its name."""
    shutil.rmtree(parts(folder, "name")[-1])
    with (folder / "status").open() as status:
        fcntl.flock(status, fcntl.LOCK_EX)
        assert forget_unstored(folder) == 0
    assert forget_unstored(folder) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "",
        "1\tall_9_9_0\tb",
        "9\tall_9_9_0\tb\n",
        "1\tall_9_9_0\n",
        "1\tsomething\tb\n",
        "\xff\n",
        "2\tall_9_9_0\tb\n",
    ],
)
def test_what_looks_otherwise_is_left_alone(folder: Path, text: str) -> None:
    """An engine of another version may write other records."""
    logs = [path / "deduplication_log_9.txt" for path in folder.glob("store/*/*/deduplication_logs")]
    assert logs
    for log in logs:
        log.write_bytes(text.encode("latin-1"))
    assert forget_unstored(folder) == 0
    assert {log.read_bytes() for log in logs} == {text.encode("latin-1")}


def test_no_store(tmp_path: Path) -> None:
    """Nothing to do, and nothing made."""
    assert forget_unstored(tmp_path / "nowhere") == 0
    assert list(tmp_path.iterdir()) == []
