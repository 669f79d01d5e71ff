"""The example applications are run, each by its one command, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.slow
#: What commands say beside their answer.
_SAID = ("store: ", "range: ")


def run(example: str, folder: Path, *arguments: str) -> str:
    """What it prints; its data goes below ``folder``."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    environ |= {"TMPDIR": str(folder), "HOME": str(folder), "C_FORCE_ROOT": "1"}
    done = subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=EXAMPLES / example,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if not line.startswith(_SAID)]
    assert (done.returncode, complaints) == (0, []), done.stdout[-2000:]
    return done.stdout


def rows(output: str, event: str) -> int:
    """How many of these events the store has, by the first table."""
    found = re.search(rf"^ {re.escape(event)} +([\d,]+) ", output, re.MULTILINE)
    return 0 if found is None else int(found[1].replace(",", ""))


def test_the_messenger(tmp_path: Path) -> None:
    """Before and after under the same load, and every event of the load is in the store."""
    output = run(
        "django_messaging", tmp_path, "--messages", "30", "--users", "50", "--seconds", "0.5", "--clients", "4"
    )
    figures = {
        line.split()[0]: line.split() for line in output.splitlines() if line.startswith(("before", "after"))
    }
    assert int(figures["before"][-1]) == int(figures["after"][-1]) + 1  # statements that write, for each message
    assert rows(output, "message.sent") >= 50
    assert rows(output, "user.activated") == 50 * 5


def test_the_shop(tmp_path: Path) -> None:
    """Requests, background tasks and streamed answers; half of the views are kept, and count for all of them."""
    output = run("fastapi_shop", tmp_path)
    assert [rows(output, event) for event in ("order.placed", "receipt.sent", "orders.exported")] == [6, 6, 1]
    assert 0 < rows(output, "product.viewed") < 60
    assert rows(output, "request.completed") == 88


def test_the_notes(tmp_path: Path) -> None:
    """Whoever is logged in is the actor."""
    output = run("flask_notes", tmp_path)
    assert [rows(output, event) for event in ("note.written", "note.read", "note.shared")] == [3, 6, 6]
    assert re.search(r"user +linus +note\.read +note +1 +object +denied", output)


def test_the_pipeline(tmp_path: Path) -> None:
    """Who asked for it all is the actor of every task's events."""
    output = run("celery_pipeline", tmp_path)
    assert [rows(output, event) for event in ("file.fetched", "file.cleaned", "file.counted")] == [5, 4, 4]
    assert [rows(output, event) for event in ("task.succeeded", "task.failed", "task.retried")] == [13, 1, 1]
    assert re.search(r"user +7 +file\.counted +file +file-1\.txt", output)
