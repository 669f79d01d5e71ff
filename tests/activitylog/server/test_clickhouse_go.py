"""clickhouse-go as it is, over HTTP: the client of the Collector's ClickHouse exporter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from activitylog.server import start_server
from tests.leaving_out import leave_out

PROGRAM = Path(__file__).parent / "clickhouse_go"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The compiled program; in CI it must be there, elsewhere the test is left out, saying what is missing."""
    if shutil.which("go") is None:
        leave_out("go is not installed: https://go.dev/dl")
    built = tmp_path / "clickhouse_go"
    done = subprocess.run(
        ["go", "build", "-o", built, "."], cwd=PROGRAM, capture_output=True, text=True, check=False
    )
    if done.returncode and os.environ.get("CI") != "true" and "dial tcp" in done.stderr:
        pytest.skip("the Go module proxy cannot be reached and the modules are not in the cache")
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.slow
def test_everything_that_clickhouse_go_does_over_http(open_store: str, program: Path):
    """Ten types under each compression, parameters, settings, exceptions (late ones, too), async inserts."""
    with start_server(open_store, port=0) as server:
        address = f"{server.host}:{server.port}"
        done = subprocess.run([program, address], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    steps = [json.loads(line)["step"] for line in done.stdout.splitlines()]
    once = ["parameters", "settings", "exceptions", "async_insert"]
    assert steps == ["none", "lz4", "zstd", "gzip", "deflate", *once, *once, *once, "brotli"]
